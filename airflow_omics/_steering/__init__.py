"""Change a run or batch, and confirm the change: cancel it, or delete it (docs/use/steering.md, batches.md).

Doors: ``cancel.cancel_run``, ``delete.delete_run``, ``cancel_batch.cancel_run_batch`` and
``delete_batch.delete_run_batch`` in a worker, ``kills.wait_a_while`` in a triggerer.

``change`` decides what each answer means, ``cancel`` and ``delete`` say what differs. ``members`` changes the
runs of a batch one by one. ``cancellations`` makes many at once on a triggerer's event loop, and ``kills``
cancels the runs of tasks that were killed while they were deferred.
"""
