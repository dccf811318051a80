"""Starting a run once: what :class:`airflow_omics.operators.OmicsStartRunOperator` does while it runs.

``request`` and ``arguments`` say what is asked for, ``attempt`` which run it is for, ``starter`` finds or
starts it, ``memory`` keeps it from one try to the next, ``started_run`` waits for it and ends the task,
``trigger`` is the deferred half, and ``kill`` tells a kill from a worker or triggerer that just goes away.
"""
