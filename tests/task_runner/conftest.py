"""Real Airflow and the emulator, for the tests that execute DAGs."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from airflow_omics.emulator import Emulator, EmulatorServer
from tests.support.batches import KNOWS_BATCHES
from tests.support.dag_test.process import AirflowProcess

collect_ignore_glob = [] if KNOWS_BATCHES else ["test_*_batch.py"]


@pytest.fixture(scope="session")
def server() -> Iterator[EmulatorServer]:
    with EmulatorServer() as running:
        yield running


@pytest.fixture
def emulator(server: EmulatorServer) -> Emulator:
    """The emulator as new, its clock standing still."""
    server.control.reset()
    server.control.freeze()
    return server.control


@pytest.fixture(scope="session")
def airflow(server: EmulatorServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowProcess]:
    connection = {
        "conn_type": "aws",
        "login": "test",
        "password": "testing",
        "extra": {"region_name": "us-east-1", "endpoint_url": server.endpoint_url},
    }
    home = tmp_path_factory.mktemp("airflow") / "home"
    with AirflowProcess(home, {"AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection)}) as process:
        yield process
