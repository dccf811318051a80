"""A local AWS HealthOmics for tests and demos: a moto backend whose runs live scripted lives.

In process: :func:`mock_omics`. Over HTTP: :class:`EmulatorServer`, or ``python -m airflow_omics.emulator``.

Users import from here; nothing deeper is public. The folders stand on floors, from the ground up, and each
imports only those below it:

- ``lives``: what happens to a run. ``wire``: the service's model, requests, answers, errors, names.
- ``world``: what all accounts and Regions share: clock, faults, limits, request log.
- ``service``: HealthOmics, one file a resource; a new resource is a new file.
- ``other_services``: what runs leave in CloudWatch Logs and S3, prices, and requests to the rest of moto.
- ``control``: what a test can do, each a method declared once; ``client``: the same from another process.
- ``serving``: how a request gets in, by moto or over HTTP.
"""

from __future__ import annotations

try:
    import moto.moto_server.werkzeug_app  # noqa: F401
except ModuleNotFoundError as error:
    raise ImportError(
        "the emulator needs moto with its server; install it with: pip install 'airflow-omics[emulator]'"
    ) from error

from airflow_omics.emulator.client import EmulatorClient
from airflow_omics.emulator.control import Emulator
from airflow_omics.emulator.lives.library import LIVES
from airflow_omics.emulator.lives.script import LIFE_TAG, Life, Stage, Task
from airflow_omics.emulator.serving.mock import mock_omics
from airflow_omics.emulator.serving.server import EmulatorServer

__all__ = [
    "LIFE_TAG",
    "LIVES",
    "Emulator",
    "EmulatorClient",
    "EmulatorServer",
    "Life",
    "Stage",
    "Task",
    "mock_omics",
]
