"""Start a run or a batch once: what the start operators do while their tasks run (docs/use/starting.md).

Doors: ``start_operator.StartOperator``, the base of the operators; ``run_try.RunTry`` and
``batch_try.BatchTry``, one try of a task; ``rendering`` and ``request``, which the operators use to render
and check their arguments.

``start_try`` is what both tries share: it finds or starts, waits until one of the ``deadlines``, and ends the
task. ``kind`` says by which operations, ``context`` describes the try, and ``attempt`` says which run is
meant. ``starter`` finds or starts it: ``finder`` looks for it, ``calls`` makes the requests, ``same_request``
judges whether it is what is asked for now, and ``memory`` keeps it from one try to the next. ``finish`` ends
the task as the DAG says. ``worker_kill`` is what a worker does when it is killed, and ``canceller`` cancels
what nobody waits for.

``arguments``, ``request`` and ``run_finish`` are a run's own. A batch's own are ``batch_arguments``,
``batch_finish``, ``cohort``, which reads what became of the members of all batches of a task, and
``members_file``, which keeps them for the next task.
"""
