"""What runs leave in CloudWatch Logs and S3, what EventBridge is told, and requests to other services.

Floor: above ``service``.

Doors: ``written_by_runs`` (logs and outputs that are due), ``events`` (events that are due, and ``emit`` for
one more), ``event_details`` (what they say), ``event_queues`` (a queue that gets them), ``cloudwatch_logs``,
``queues`` and ``queue_faults`` (corrections to moto) and ``requests`` (a request to any other service).
"""
