"""What HealthOmics tells EventBridge, read from a queue, for a trigger that starts DAGs.

Doors: ``events.ended_of`` (what one message says), ``queue_reader.QueueReader`` (messages in, batches out),
``readers.Readers`` (the triggers that read a queue), ``remembered.Remembered`` (what was fired).
"""
