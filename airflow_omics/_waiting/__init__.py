"""One wait on one run (docs/use/waiting.md).

Doors: ``run.RunWait``, what is known of the run and what each answer means; ``ending.EndPolicy``, what an
ending makes of the task; ``poller.RunPoller``, the looks of a worker.
"""
