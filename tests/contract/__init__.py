"""A contract with the service: claims that hold for AWS HealthOmics and for the emulator, tried on either.

``make contract`` tries them on the real service, ``test_contract.py`` on the emulator.
"""
