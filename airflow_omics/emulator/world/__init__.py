"""What all accounts and Regions of one emulator share: clock, faults, limits and request log.

Floor: above ``lives`` and ``wire``.

Doors: ``shared`` (WORLD, which holds all of it) and ``moto_stores`` (moto's CloudWatch Logs and S3).
"""
