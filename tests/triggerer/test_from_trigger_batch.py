"""A trigger of a batch that ends its task itself: only if nothing is left to find out about its runs."""

from __future__ import annotations

import time
from typing import Any

import pytest
from airflow.triggers.base import TaskSkippedEvent, TaskSuccessEvent, TriggerEvent

from airflow_omics.emulator import Emulator, EmulatorServer
from airflow_omics.sensors import OmicsRunBatchSensor
from airflow_omics.triggers import OmicsRunBatchEvent, OmicsRunBatchTrigger
from tests.support.batch_waits import client, end_runs, start_batch
from tests.support.deferred import resume
from tests.support.triggers import round_trip, run_loop

MARKER = "patient-4711-marker"
ENDS = {"success_statuses": ["PROCESSED", "RUNS_DELETED"], "skip_statuses": ["CANCELLED"]}
WELL = ("COMPLETED", "COMPLETED")


class TaskInstance:
    """What a trigger learns of its task from the triggerer."""

    id, dag_id, task_id, run_id, map_index, try_number = "1", "a_dag", "gate", "manual__1", 2, 1


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was stored in XCom, in the place of Airflow."""
    records: list[Any] = []
    monkeypatch.setattr("airflow_omics.triggers.waiting._store", lambda ti, record: records.append(record))
    return records


@pytest.fixture
def batch_id(omics: Emulator, server: EmulatorServer) -> str:
    """A batch of two runs that go on."""
    omics.batches(creating_seconds=0, pending_seconds=0, starts_per_second=1000)
    url = server.endpoint_url
    started = start_batch(omics, 2, endpoint_url=url, default={"parameters": {"sample": MARKER}})
    deadline = time.monotonic() + 10.0
    while client(url).get_batch(batchId=started)["status"] != "INPROGRESS":
        assert time.monotonic() < deadline
    return started


def event_of(trigger: OmicsRunBatchTrigger) -> TriggerEvent:
    """Let the trigger wait as a triggerer does; return its one event."""

    async def body() -> TriggerEvent:
        rebuilt = round_trip(trigger)
        rebuilt.task_instance = TaskInstance()
        [event] = [event async for event in rebuilt.run()]
        return event

    return run_loop(body)


def test_a_batch_whose_runs_all_completed_ends_the_task_with_what_a_worker_would_leave(
    omics: Emulator, server: Any, batch_id: str, stored: list[Any]
) -> None:
    end_runs(omics, batch_id, WELL, server.endpoint_url)
    event = event_of(OmicsRunBatchTrigger(batch_id, **ENDS))
    assert type(event) is TaskSuccessEvent
    assert MARKER not in f"{event} {event!r} {vars(event)}"
    by_worker = event_of(OmicsRunBatchTrigger(batch_id)).payload
    result, _, _ = resume(OmicsRunBatchSensor(task_id="gate", batch_id=batch_id), by_worker)
    assert stored == [result]
    assert stored[0]["outcome"]["completed"] == 2


@pytest.mark.parametrize(
    ("runs", "rules"),
    [(("COMPLETED", "FAILED"), {}), (("COMPLETED", "DELETED"), {}), (WELL, {"run_summary": False})],
    ids=["one failed", "one was deleted", "no counts"],
)
def test_a_worker_ends_the_task_if_runs_must_be_looked_at(
    runs: Any, rules: Any, omics: Emulator, server: Any, batch_id: str, stored: list[Any]
) -> None:
    omics.batches(**rules)
    end_runs(omics, batch_id, runs, server.endpoint_url)
    event = event_of(OmicsRunBatchTrigger(batch_id, max_failures=2, **ENDS))
    assert type(event) is OmicsRunBatchEvent
    assert event.payload["record"]["status"] == "PROCESSED"
    assert stored == []
    sensor = OmicsRunBatchSensor(task_id="gate", batch_id=batch_id, max_failures=2)
    result, error, _ = resume(sensor, event.payload)
    assert error is None
    assert result["outcome"]["total"] == 2


def test_a_skip_ends_the_task_if_every_run_completed(
    omics: Emulator, server: Any, batch_id: str, stored: list[Any]
) -> None:
    end_runs(omics, batch_id, WELL, server.endpoint_url)
    omics.move_batch(batch_id, "CANCELLED")
    assert type(event_of(OmicsRunBatchTrigger(batch_id, **ENDS))) is TaskSkippedEvent
    assert [record["status"] for record in stored] == ["CANCELLED"]


def test_a_deletion_that_the_dag_accepts_ends_the_task(
    omics: Emulator, batch_id: str, stored: list[Any]
) -> None:
    omics.move_batch(batch_id, "RUNS_DELETED")
    assert type(event_of(OmicsRunBatchTrigger(batch_id, **ENDS))) is TaskSuccessEvent
    assert ["outcome" in record for record in stored] == [False]


def test_what_is_stored_is_narrowed_first(
    omics: Emulator, server: Any, batch_id: str, stored: list[Any]
) -> None:
    end_runs(omics, batch_id, WELL, server.endpoint_url)
    event_of(OmicsRunBatchTrigger(batch_id, record_fields=["outcome"], **ENDS))
    assert [sorted(record) for record in stored] == [["id", "outcome", "status"]]


@pytest.mark.parametrize("status", ["FAILED", "RUNS_DELETING"])
def test_every_other_end_resumes_the_task_on_a_worker(
    status: str, omics: Emulator, batch_id: str, stored: list[Any]
) -> None:
    omics.move_batch(batch_id, status)
    event = event_of(OmicsRunBatchTrigger(batch_id, **ENDS))
    assert type(event) is OmicsRunBatchEvent
    assert event.payload["outcome"] == "terminal"
    assert stored == []
