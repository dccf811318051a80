"""What runs leave in CloudWatch Logs and S3, and requests to services that are not HealthOmics.

Floor: above ``service``.

Doors: ``written_by_runs`` (logs and outputs that are due), ``cloudwatch_logs`` (corrections to moto) and
``requests`` (a request to any other service).
"""
