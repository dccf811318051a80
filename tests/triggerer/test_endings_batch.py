"""How a deferred sensor of a batch ends: the table of the other modes, through a trigger and its event."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_omics import exceptions
from airflow_omics.emulator import Emulator, EmulatorServer
from airflow_omics.sensors import OmicsRunBatchSensor
from airflow_omics.triggers import OmicsRunBatchEvent
from tests.support.batch_endings import TABLE, WELL, moves, runs_end
from tests.support.batch_waits import client, end_runs, start_batch
from tests.support.deferred import Deferral, defer, kind, quick_clients, resume, wait_out
from tests.support.deferred import sensor_of as any_sensor_of
from tests.support.endings import AFTER, FLAGS, RAISED
from tests.support.sensors import TaskInstance, context_of

MARKER = "PATIENT-4711"


@pytest.fixture(scope="module", autouse=True)
def _clients_are_built_quickly() -> Iterator[None]:
    with quick_clients():
        yield


@pytest.fixture(autouse=True)
def _graces_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_omics._waiting.wait.NOT_FOUND_GRACE", 3.0)
    monkeypatch.setattr("airflow_omics._waiting.wait.CREDENTIALS_GRACE", 1.0)
    monkeypatch.setattr("airflow_omics._waiting.wait.DENIED_SECOND_LOOK", 0.5)


@pytest.fixture
def deferral(omics: Emulator, server: EmulatorServer) -> Deferral:
    omics.batches(creating_seconds=0, pending_seconds=0, starts_per_second=1000)
    return Deferral(omics, endpoint_url=server.endpoint_url)


@pytest.fixture
def batch_id(deferral: Deferral) -> str:
    """A batch of three runs, which are started and stay so until they are moved."""
    url = deferral.endpoint_url
    started = start_batch(deferral.omics, endpoint_url=url, default={"parameters": {"sample": MARKER}})
    deadline = time.monotonic() + 10.0
    while client(url).get_batch(batchId=started)["status"] != "INPROGRESS":
        assert time.monotonic() < deadline
    return started


def sensor_of(batch_id: Any, **arguments: Any) -> OmicsRunBatchSensor:
    sensor: OmicsRunBatchSensor = any_sensor_of(batch_id, OmicsRunBatchSensor, **arguments)
    return sensor


def arguments_of(row: str) -> dict[str, Any]:
    arguments = dict(TABLE[row].arguments)
    if "timeout" in arguments:
        arguments["timeout"] = 1.5
    return arguments


# Seen by the sensor before it deferred, so that it is no longer a batch that was never seen.
SEEN_BEFORE = {"unknown batch": ("ended badly", "OmicsBatchDeletedError", "DELETED")}


@pytest.mark.parametrize("row", TABLE)
def test_every_row_ends_the_same_by_way_of_the_triggerer(row: str, deferral: Deferral, batch_id: str) -> None:
    case = TABLE[row]
    trigger = defer(sensor_of(batch_id, **arguments_of(row)))
    case.arrange(deferral, batch_id)  # type: ignore[arg-type]

    event = wait_out(trigger, deferral)

    category, raised, xcom = SEEN_BEFORE.get(row, (case.category, case.error, case.xcom))
    found = {}
    for flag, flags in FLAGS.items():
        _, error, record = resume(sensor_of(batch_id, **arguments_of(row), **flags), event)
        found[flag] = (kind(error), (record or {}).get("status"))
    expected = {flag: raised if end == RAISED else end for flag, end in AFTER[category].items()}
    assert found == {flag: (end, xcom) for flag, end in expected.items()}


@pytest.mark.parametrize("row", [name for name, row in TABLE.items() if row.looks == 1])
def test_a_batch_already_over_needs_no_triggerer(row: str, deferral: Deferral, batch_id: str) -> None:
    case = TABLE[row]
    case.arrange(deferral, batch_id)  # type: ignore[arg-type]
    before = deferral.omics.counts().get("GetBatch", 0)
    found = {}
    for flag, flags in FLAGS.items():
        error = None
        try:
            sensor_of(batch_id, **case.arguments, **flags).execute(context_of(TaskInstance()))
        except Exception as raised:
            error = raised
        found[flag] = kind(error)
    assert found == {flag: case.error if e == RAISED else e for flag, e in AFTER[case.category].items()}
    assert deferral.omics.counts()["GetBatch"] - before == len(FLAGS)


@pytest.mark.parametrize("fields", [None, [], ["outcome"]])
def test_the_xcom_is_what_another_mode_leaves(fields: Any, deferral: Deferral, batch_id: str) -> None:
    # Without reasons, which are looked into by lists.
    arguments: dict[str, Any] = {"record_fields": fields, "max_failures": 1, "diagnose": False}
    trigger = defer(sensor_of(batch_id, **arguments))
    runs_end("COMPLETED", "FAILED", "COMPLETED")(deferral, batch_id)
    event = wait_out(trigger, deferral)
    result, _, _ = resume(sensor_of(batch_id, **arguments), event)
    assert "ListRuns" not in deferral.omics.counts()  # the event has the counts, whatever reaches XCom
    poke = sensor_of(batch_id, **arguments)
    poke.deferrable = False
    assert result == poke.execute(context_of(TaskInstance()))
    if fields is None:
        assert result["outcome"]["failed"] == 1
    else:
        assert set(result) == {"id", "status", *fields}
        assert MARKER not in str(event)


def test_runs_are_listed_on_a_worker_if_the_counts_do_not_say_how_they_ended(
    deferral: Deferral, batch_id: str
) -> None:
    deferral.omics.batches(run_summary=False)
    trigger = defer(sensor_of(batch_id))
    end_runs(deferral.omics, batch_id, WELL, deferral.endpoint_url)
    event = wait_out(trigger, deferral)
    assert "ListRuns" not in deferral.omics.counts()
    result, error, _ = resume(sensor_of(batch_id, record_fields=["outcome"]), event)
    assert error is None
    assert result["outcome"]["completed"] == 3
    assert deferral.omics.counts()["ListRuns"] == 1


def test_the_printed_event_shows_outcome_id_and_status_alone(deferral: Deferral, batch_id: str) -> None:
    trigger = defer(sensor_of(batch_id))
    moves("FAILED", MARKER)(deferral, batch_id)
    event = OmicsRunBatchEvent(wait_out(trigger, deferral))  # type: ignore[call-arg]
    assert MARKER in str(event.payload)
    assert (
        repr(event)
        == str(event)
        == (f"OmicsRunBatchEvent(outcome='terminal', id='{batch_id}', status='FAILED')")
    )


def test_a_trigger_carries_no_parameters(deferral: Deferral, batch_id: str) -> None:
    record = client(deferral.endpoint_url).get_batch(batchId=batch_id)
    trigger = defer(sensor_of({"id": batch_id, "defaultRunSetting": record["defaultRunSetting"]}))
    path, kwargs = trigger.serialize()
    assert path == "airflow_omics.triggers.OmicsRunBatchTrigger"
    assert kwargs["batch_id"] == {"id": batch_id, "uuid": record["uuid"], "arn": record["arn"]}
    assert MARKER not in str(kwargs)


def test_another_batch_under_the_id_means_that_ours_was_deleted(deferral: Deferral, batch_id: str) -> None:
    trigger = defer(sensor_of(batch_id))
    other = deferral.omics.move_batch(batch_id, "REUSED")
    _, error, record = resume(sensor_of(batch_id), wait_out(trigger, deferral))
    assert isinstance(error, exceptions.OmicsBatchDeletedError)
    assert record["status"] == "DELETED"
    assert record["uuid"] != other
