"""Starting a run once: what :class:`airflow_omics.operators.OmicsStartRunOperator` does while it runs.

``context`` is the try that it runs in, ``arguments`` and ``request`` say what is asked for, ``attempt`` which
run is meant. ``starter`` finds or starts that run: ``finder`` looks for it, ``calls`` repeats what may pass,
``same_request`` judges whether it is what is asked for now, and ``memory`` keeps it from one try to the next.
``started_run`` waits for it, until one of the ``deadlines``, and ends the task; ``trigger`` is the deferred
half. ``kill`` tells a kill from a worker or triggerer that just goes away, ``worker_kill`` is what a worker
does then, and ``ending`` cancels runs that nobody waits for any more.
"""
