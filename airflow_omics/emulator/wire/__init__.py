"""What goes over the wire: the service's model, requests and answers, errors, and names such as ARNs.

Floor: the ground. Imports nothing else of the emulator.

Doors: ``model`` (botocore's model of HealthOmics), ``codec`` (read a request, write an answer),
``exceptions`` (the service's errors) and ``names`` (ARNs, log streams, digests).
"""
