"""Fixtures of the unit tests: an emulator whose clock stands still, a connection, a gate for each mode."""

from __future__ import annotations

import functools
import json
import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from airflow_omics.emulator import mock_omics
from tests.support.batches import KNOWS_BATCHES
from tests.support.clocks import turn
from tests.support.fixtures import Connect, Output
from tests.support.pages import HAS_PAGES
from tests.support.quick_clients import build_clients_quickly
from tests.support.sensors import MODES, Clock, Gate, new_run
from tests.support.start_batches import BatchTask, StartBatch, make_bucket
from tests.support.start_operators import StartTask, Task

REGION = "us-east-1"
collect_ignore_glob = [
    # The oldest AWS libraries know no batches: test_without_batches.py says what a task does there.
    *([] if KNOWS_BATCHES else ["test_*_batch.py", "test_start_batch_*.py"]),
    # An older Airflow has no pages: test_plugin.py says what it has of the plugin.
    *([] if HAS_PAGES else ["test_plugin_app.py", "test_plugin_reading.py"]),
]

# A busy machine is no reason to fail, and what was found is written down as a test, not in a local database.
settings.register_profile("unit", deadline=None, database=None, max_examples=60)
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def _clients_are_built_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """In reschedule mode each look builds a client."""
    build_clients_quickly(monkeypatch)
    # moto prepares thousands of answers for the library requests, with each start; botocore has its own.
    monkeypatch.setattr("moto.core.models.RESPONSES_METHODS", [])


@pytest.fixture(autouse=True)
def _only_the_settings_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("AWS_", "AIRFLOW_CONN_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Set an Airflow connection: ``connect(conn_id="aws_default", login=None, password=None, **extra)``."""

    def set_connection(
        conn_id: str = "aws_default", login: str | None = None, password: str | None = None, **extra: Any
    ) -> None:
        connection = {"conn_type": "aws", "login": login, "password": password, "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))

    return set_connection


@pytest.fixture
def omics(connect: Connect) -> Iterator[Any]:
    """The emulator's control, its clock standing still, and a connection to us-east-1."""
    connect(region_name=REGION)
    with mock_omics(seed=20260101) as control:
        control.freeze()
        yield control


@pytest.fixture
def clock(omics: Any, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The worker's clock, moved by hand."""
    turned = Clock(omics)
    turn(monkeypatch, turned)
    return turned


@pytest.fixture(params=MODES)
def gate(request: pytest.FixtureRequest, omics: Any, clock: Clock) -> Gate:
    """A sensor's driver, in every mode."""
    return Gate(request.param, omics, clock)


@pytest.fixture
def poke_gate(omics: Any, clock: Clock) -> Gate:
    return Gate("poke", omics, clock)


@pytest.fixture
def reschedule_gate(omics: Any, clock: Clock) -> Gate:
    return Gate("reschedule", omics, clock)


@pytest.fixture
def run_id(omics: Any) -> str:
    """A run that stays RUNNING until it is moved."""
    return new_run(omics)


@pytest.fixture
def output(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Output:
    """Everything logged at INFO or above since the last call, once, whichever way this Airflow logs."""
    caplog.set_level(logging.INFO)

    def read() -> str:
        seen = capfd.readouterr()
        written = "\n".join((seen.out, seen.err))
        # Airflow 2.11 writes its tasks' lines, and hands them to pytest as well.
        others = [record for record in caplog.records if record.getMessage() not in written]
        text = "\n".join((written, *(caplog.handler.format(record) for record in others)))
        caplog.clear()
        return text

    return read


@pytest.fixture
def start_task(omics: Any, clock: Clock) -> StartTask:
    """A task that starts a run: ``start_task(store=Store(), retries=2, **arguments)``."""
    return functools.partial(Task, omics, clock)


@pytest.fixture(autouse=True)
def _no_scheduler_to_hold_events_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_omics._task.from_trigger.HOLD", 0.0)


@pytest.fixture
def start_batch(omics: Any, clock: Clock) -> StartBatch:
    """A task that starts a batch: ``start_batch(store=Store(), retries=2, **arguments)``."""
    make_bucket()
    return functools.partial(BatchTask, omics, clock)
