"""Change a run, and confirm the change: cancel it, or delete it (docs/use/steering.md).

Doors: ``cancel.cancel_run`` and ``delete.delete_run`` in a worker, ``kills.wait_a_while`` in a triggerer.

``change`` decides what each answer means, ``cancel`` and ``delete`` say what differs. ``cancellations`` makes
many at once on a triggerer's event loop, and ``kills`` cancels the runs of tasks that were killed while they
were deferred.
"""
