"""How a request reaches the service: in process through moto, or over HTTP.

Floor: the top. Only the package itself and its command line stand above.

Doors: ``mock`` (mock_omics) and ``server`` (EmulatorServer). A request passes through ``urls`` (from moto)
or ``routes`` (HTTP) to ``answers``; ``register`` makes moto know HealthOmics.
"""
