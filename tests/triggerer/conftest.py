"""Fixtures of the watcher's tests: the emulator over HTTP, a connection to it, rates that nobody has used."""

from __future__ import annotations

import gc
import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_omics._watching.rate_limit import RATES
from airflow_omics.emulator import Emulator, EmulatorServer
from airflow_omics.hooks.queue import OmicsQueueClient
from tests.support.batches import KNOWS_BATCHES
from tests.support.event_queues import HAS_EVENT_TRIGGERS, HAS_SHARED_STREAMS, Dead, Queue
from tests.support.fixtures import Connect
from tests.support.triggers import SEED, ByWaiter, Clients

# The oldest AWS libraries know no batches: test_without_batches.py says what a wait does there.
collect_ignore_glob = [
    *([] if KNOWS_BATCHES else ["test_*_batch.py"]),
    # Airflow 2.11 has no event triggers, and shared streams are of 3.3: test_event_trigger.py of the unit
    # tests says what an older Airflow has.
    *([] if HAS_EVENT_TRIGGERS else ["test_event_*.py"]),
    *([] if HAS_SHARED_STREAMS else ["test_event_stream*.py"]),
]


@pytest.fixture(autouse=True)
def _only_the_settings_of_the_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith(("AWS_", "AIRFLOW_CONN_", "AIRFLOW__OMICS__")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AIRFLOW__OMICS__REQUESTS_PER_SECOND", "100")
    RATES._limiters.clear()
    yield
    RATES._limiters.clear()


@pytest.fixture(autouse=True)
def _each_waiter_hears_its_own_log() -> Iterator[None]:
    logger, handler = logging.getLogger("airflow_omics"), ByWaiter()
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture
def server() -> Iterator[EmulatorServer]:
    with EmulatorServer(seed=SEED) as running:
        yield running


@pytest.fixture
def connect(server: EmulatorServer, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Set an Airflow connection to the emulator: ``connect("aws_default", login="test", **extra)``."""

    def set_connection(conn_id: str = "aws_default", login: str = "test", **extra: Any) -> None:
        extra = {"region_name": "us-east-1", "endpoint_url": server.endpoint_url, **extra}
        connection = {"conn_type": "aws", "login": login, "password": "test", "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))

    return set_connection


@pytest.fixture
def omics(server: EmulatorServer, connect: Connect) -> Emulator:
    """The emulator's control; ``aws_default`` leads to it."""
    connect()
    return server.control


@pytest.fixture
def rate(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Set ``[omics] requests_per_second``."""
    return lambda value: monkeypatch.setenv("AIRFLOW__OMICS__REQUESTS_PER_SECOND", str(value))


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Clients:
    return Clients(monkeypatch)


@pytest.fixture
def complaints(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    """Everything that Python or asyncio warned of, garbage collected first."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        warnings.simplefilter("always", RuntimeWarning)

        def read() -> list[str]:
            gc.collect()
            said = [
                str(w.message) for w in caught if issubclass(w.category, ResourceWarning | RuntimeWarning)
            ]
            logs = [
                r.getMessage() for r in caplog.records if r.name == "asyncio" and r.levelno > logging.INFO
            ]
            return said + logs

        yield read


@pytest.fixture(autouse=True)
def _no_scheduler_to_hold_events_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_omics._task.from_trigger.HOLD", 0.0)


@pytest.fixture
def queue(server: EmulatorServer, omics: Emulator) -> Queue:
    """A queue for events, without a queue of dead letters."""
    return Queue(server)


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the messages that triggers have received: SQS hides one before that."""
    ids: list[str] = []
    receive = OmicsQueueClient.receive

    async def noted(client: Any, *args: Any, **kwargs: Any) -> Any:
        messages = await receive(client, *args, **kwargs)
        ids.extend(message.id for message in messages)
        return messages

    monkeypatch.setattr(OmicsQueueClient, "receive", noted)
    return ids


@pytest.fixture
def soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that was received can be received again after a second."""
    monkeypatch.setattr("airflow_omics._listening.queue_reader.LATE", 0.2)
    monkeypatch.setattr("airflow_omics._listening.queue_reader._SLACK", 0.8)


@pytest.fixture
def dead() -> Iterator[Dead]:
    """``with dead:`` no request of this process changes a queue."""
    process = Dead()
    yield process
    process.patch.undo()
