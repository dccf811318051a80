"""Start a run once: what ``OmicsStartRunOperator`` does while its task runs (docs/use/starting.md).

Doors: ``run_try.RunTry``, one try of the task; ``rendering`` and ``request``, which the operator uses to
render and check its arguments.

``context`` describes the try. ``arguments`` and ``request`` make StartRun's request, ``attempt`` says which
run is meant. ``starter`` finds or starts that run: ``finder`` looks for it, ``calls`` makes the requests,
``same_request`` judges whether it is what is asked for now, and ``memory`` keeps it from one try to the
next. ``run_try`` waits for it, until one of the ``deadlines``; ``finish`` ends the task as the DAG says.
``worker_kill`` is what a worker does when it is killed, and ``canceller`` cancels runs that nobody waits
for.
"""
