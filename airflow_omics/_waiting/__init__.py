"""One wait on one run or batch (docs/use/waiting.md).

Doors: ``wait.Wait``, what is known of the run and what each answer means; ``batch.BatchWait``, the same for a
batch; ``ending.EndPolicy``, how the task ends; ``poller.Poller``, the looks of a worker;
``log_lines.LogLines``, the lines that a wait, or a change of a run, has for the task's log. Behind the first
two are ``start_limit``, ``standstill`` and ``task_lister``.
"""
