"""A local AWS HealthOmics for tests and demos: a moto backend whose runs live scripted lives.

In process: :func:`mock_omics`. Over HTTP: :class:`EmulatorServer`, or ``python -m airflow_omics.emulator``.
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
