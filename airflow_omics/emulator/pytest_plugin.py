"""A pytest plugin: DAGs against a local HealthOmics and a database of Airflow's own, both thrown away.

::

    # conftest.py, at the root of the repository
    pytest_plugins = ["airflow_omics.emulator.pytest_plugin"]

A test that takes the fixture :func:`omics` gets the control of an emulator that the Airflow connection
``aws_default`` and boto3 lead to, and an Airflow in which ``dag.test()`` works. In pytest's ini file:

- ``omics_dags``: the folder of your DAGs, from the root on; ``dags`` if there is one, else the root.
- ``omics_airflow``: false leaves Airflow's home, database and dags folder as they are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from airflow_omics.emulator import Emulator, EmulatorServer

_REGION = "us-east-1"
# What leads anything in AWS's SDKs elsewhere than to the emulator.
_LEADS_AWAY = (
    "AWS_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL_LOGS",
    "AWS_ENDPOINT_URL_OMICS",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_STS",
    "AWS_CA_BUNDLE",
    "MOTO_ACCOUNT_ID",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the settings of the ini file."""
    parser.addini(
        "omics_dags", "folder of the DAGs, from the root on (default: dags, or the root)", default=""
    )
    parser.addini(
        "omics_airflow",
        "give Airflow a home, a database and the dags folder for these tests alone",
        type="bool",
        default=True,
    )


def pytest_configure(config: pytest.Config) -> None:
    """Lead Airflow to a home of its own, before anything imports it."""
    if not config.getini("omics_airflow"):
        return
    dags = _dags_folder(config)
    if "airflow.configuration" in sys.modules:
        raise pytest.UsageError(
            "Airflow was imported before airflow_omics.emulator.pytest_plugin, and has read its settings; "
            "name the plugin in pytest_plugins of the conftest.py at the root, and import nothing of Airflow "
            "at the top of that file, or set omics_airflow = false and give Airflow a database yourself"
        )
    home = tempfile.TemporaryDirectory(prefix="airflow-omics-tests-")
    patch = pytest.MonkeyPatch()
    config.add_cleanup(home.cleanup)
    config.add_cleanup(patch.undo)
    # A database that the environment names is somebody's real one.
    database = f"sqlite:///{home.name}/airflow.db"
    for name, value in {
        "AIRFLOW_HOME": home.name,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }.items():
        patch.setenv(name, value)
    for name in ("AIRFLOW_CONFIG", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD"):
        patch.delenv(name, raising=False)
    patch.syspath_prepend(str(dags))


def _dags_folder(config: pytest.Config) -> Path:
    given = config.getini("omics_dags")
    folder = config.rootpath / (given or "dags")
    if folder.is_dir():
        return folder
    if given:
        raise pytest.UsageError(
            f"omics_dags is {given!r}, and {folder} is no folder; give the folder of your DAGs, from the root"
        )
    return config.rootpath


@pytest.fixture
def omics_pace() -> float:
    """Return service seconds in a real second: a run of 20 minutes takes 12 ms. Replace it by your own."""
    return 100_000.0


@pytest.fixture
def omics_connections() -> Collection[str]:
    """Return the ids of the Airflow connections that lead to the emulator. Replace it by your own."""
    return ("aws_default",)


@pytest.fixture
def omics_server(omics_pace: float) -> Iterator[EmulatorServer]:
    """Serve HealthOmics over HTTP, for one test."""
    with EmulatorServer(pace=omics_pace) as server:
        yield server


@pytest.fixture
def omics_connection(
    omics_server: EmulatorServer, omics_connections: Collection[str], monkeypatch: pytest.MonkeyPatch
) -> str:
    """Lead Airflow's connections and boto3 to the emulator, and return the connection as JSON."""
    connection = json.dumps(
        {
            "conn_type": "aws",
            "login": "testing",
            "password": "testing",
            "extra": {"region_name": _REGION, "endpoint_url": omics_server.endpoint_url},
        }
    )
    if isinstance(omics_connections, str):
        raise pytest.UsageError(
            f"omics_connections is {omics_connections!r}; return a list of connection ids, such as "
            "['aws_default']"
        )
    for conn_id in omics_connections:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", connection)
    for name in _LEADS_AWAY:
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ENDPOINT_URL": omics_server.endpoint_url,
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": _REGION,
    }.items():
        monkeypatch.setenv(name, value)
    return connection


@pytest.fixture(scope="session")
def omics_database(request: pytest.FixtureRequest) -> None:
    """Make Airflow's database, once for all tests."""
    if not request.config.getini("omics_airflow"):
        return
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env=dict(os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.fail(f"airflow db migrate failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}", pytrace=False)


@pytest.fixture
def omics(omics_database: None, omics_connection: str, omics_server: EmulatorServer) -> Emulator:
    """Return the control of the emulator that Airflow's connection leads to."""
    return omics_server.control
