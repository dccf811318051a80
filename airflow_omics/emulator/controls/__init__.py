"""What a test can do with the emulator, by what it is about; ``control.Emulator`` has all of it.

Floor: above ``other_services``, below ``control``.

Doors: ``runs`` (RunControls), ``resources`` (ResourceControls), ``queues`` (QueueControls) and ``faults``
(FaultControls). Each control is a marked method, see ``control_table``.
"""
