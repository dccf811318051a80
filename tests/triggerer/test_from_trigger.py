"""A trigger that ends its task itself, and one that was started by nobody but Airflow."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import gc
import json
import logging
import re
import time
import uuid
from typing import Any

import pytest
from airflow.triggers.base import BaseTrigger, TaskSkippedEvent, TaskSuccessEvent, TriggerEvent

from airflow_omics.emulator import Emulator
from airflow_omics.sensors import OmicsRunSensor
from airflow_omics.triggers import OmicsRunEvent, OmicsRunTrigger
from tests.support.triggers import round_trip, run_loop, seen

MARKER = "patient-4711-marker"
ENDS = {"success_statuses": ["COMPLETED"], "skip_statuses": ["CANCELLED"]}
BACKSTOP = datetime.timedelta(seconds=600)


class TaskInstance:
    """What a trigger learns of its task from the triggerer."""

    id, dag_id, task_id, run_id, map_index, try_number = "1", "a_dag", "gate", "manual__1", 2, 1


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was stored in XCom, in the place of Airflow."""
    records: list[Any] = []
    monkeypatch.setattr("airflow_omics.triggers.waiting._store", lambda ti, record: records.append(record))
    return records


def event_of(
    trigger: OmicsRunTrigger, ti: Any = None, until: datetime.datetime | None = None
) -> TriggerEvent:
    """Let the trigger wait as a triggerer does; return its one event."""

    async def body() -> TriggerEvent:
        rebuilt = round_trip(trigger)
        rebuilt.task_instance = TaskInstance() if ti is None else ti  # type: ignore[assignment]
        rebuilt.timeout_after = until  # type: ignore[attr-defined]
        [event] = [event async for event in rebuilt.run()]
        return event

    return run_loop(body)


def ended(omics: Emulator, status: str) -> str:
    [run_id] = omics.start_runs(1, life="pending-forever", parameters={"sample": MARKER})
    omics.move(run_id, status)
    return run_id


@pytest.mark.parametrize(
    ("status", "kind"), [("COMPLETED", TaskSuccessEvent), ("CANCELLED", TaskSkippedEvent)]
)
def test_success_and_skip_end_the_task_with_its_record_stored_first(
    status: str, kind: type, omics: Emulator, stored: list[Any]
) -> None:
    run_id = ended(omics, status)
    event = event_of(OmicsRunTrigger(run_id, **ENDS))
    assert type(event) is kind
    assert [(record["id"], record["status"]) for record in stored] == [(run_id, status)]
    # What Airflow would encode twice is not in it, nor what it must not log.
    assert MARKER not in f"{event} {event!r} {vars(event)}"


@pytest.mark.parametrize("status", ["FAILED", "DELETED", "timeout", "unknown"])
def test_every_other_end_resumes_the_task_on_a_worker(
    status: str, omics: Emulator, stored: list[Any]
) -> None:
    arguments: dict[str, Any] = dict(ENDS)
    if status == "timeout":
        [run_id] = omics.start_runs(1, life="pending-forever")
        arguments["timeout_at"] = time.time() - 1
    elif status == "unknown":
        run_id = "0"
        arguments["started_at"] = time.time() - 3600
    else:
        run_id = ended(omics, status)
    event = event_of(OmicsRunTrigger(run_id, **arguments))
    assert type(event) is OmicsRunEvent
    assert event.payload["outcome"] == {"timeout": "timeout", "unknown": "error"}.get(status, "terminal")
    assert stored == []


def test_a_trigger_that_was_not_asked_to_ends_no_task(omics: Emulator, stored: list[Any]) -> None:
    assert type(event_of(OmicsRunTrigger(ended(omics, "COMPLETED")))) is OmicsRunEvent
    assert stored == []


def test_what_is_stored_is_narrowed_first(omics: Emulator, stored: list[Any]) -> None:
    run_id = ended(omics, "COMPLETED")
    event_of(OmicsRunTrigger(run_id, record_fields=["uuid"], **ENDS))
    assert [sorted(record) for record in stored] == [["id", "status", "uuid"]]


def test_a_task_that_pushes_nothing_ends_without_a_record(omics: Emulator, stored: list[Any]) -> None:
    event = event_of(OmicsRunTrigger(ended(omics, "COMPLETED"), push_record=False, **ENDS))
    assert type(event) is TaskSuccessEvent
    assert stored == []


def test_a_record_that_cannot_be_stored_is_brought_to_a_worker(
    omics: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(ti: Any, record: Any) -> None:
        raise RuntimeError(f"could not store {json.dumps(record)}")

    monkeypatch.setattr("airflow_omics.triggers.waiting._store", refuse)
    caplog.set_level(logging.DEBUG, "airflow_omics")
    event = event_of(OmicsRunTrigger(ended(omics, "COMPLETED"), **ENDS))
    assert type(event) is OmicsRunEvent
    assert event.payload["record"]["parameters"] == {"sample": MARKER}
    assert "could not be stored from the triggerer (RuntimeError); a worker does it" in caplog.text
    assert MARKER not in caplog.text


def test_without_a_triggerer_the_task_resumes(omics: Emulator, stored: list[Any]) -> None:
    """As in ``dag.test()``, where a trigger learns nothing of its task, and knows no other event."""

    async def body() -> TriggerEvent:
        trigger = OmicsRunTrigger(ended_run, **ENDS)
        return await anext(trigger.run())  # type: ignore[arg-type]

    ended_run = ended(omics, "COMPLETED")
    assert type(run_loop(body)) is OmicsRunEvent
    assert stored == []


# -- started by Airflow alone ------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", [datetime.UTC, None], ids=["aware", "naive"])
def test_a_deadline_is_airflow_s_less_the_backstop_however_often_a_triggerer_restarts(
    zone: datetime.tzinfo | None, omics: Emulator
) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    put_there = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=20)
    until = (put_there + datetime.timedelta(seconds=10) + BACKSTOP).replace(tzinfo=zone)
    event = event_of(OmicsRunTrigger(run_id, timeout=10.0), until=until)
    assert event.payload["outcome"] == "timeout"
    assert re.search("after 2[0-9] s, the sensor's timeout", event.payload["message"])


def test_without_airflow_s_deadline_the_wait_begins_now(omics: Emulator) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    event = event_of(OmicsRunTrigger(run_id, timeout=1.0, poke_interval=0.5))
    assert event.payload["outcome"] == "timeout"
    assert "PENDING after 1 s, the sensor's timeout" in event.payload["message"]


def test_a_run_made_after_the_wait_began_is_another_one_also_after_a_restart(omics: Emulator) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    put_there = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=3000)
    until = put_there + datetime.timedelta(seconds=7200) + BACKSTOP
    event = event_of(OmicsRunTrigger(run_id, timeout=7200.0), until=until)
    assert event.payload["record"]["status"] == "DELETED"


def test_a_region_that_contradicts_the_arn_is_an_error(omics: Emulator) -> None:
    arn = "arn:aws:omics:eu-west-1:123456789012:run/1234567"
    event = event_of(OmicsRunTrigger(arn, timeout=60.0, region_name="us-east-1"))
    assert (event.payload["outcome"], event.payload["error"]) == ("error", "OmicsRequestError")
    assert "region_name is 'us-east-1'" in event.payload["message"]
    assert omics.counts() == {}


def begun_by_airflow(run_id: str) -> Any:
    """Return what a triggerer of Airflow 3.3 gets for a gate that no worker has begun."""
    from airflow.executors.workloads import RunTrigger
    from airflow.executors.workloads.task import TaskInstanceDTO
    from airflow.models.trigger import Trigger
    from airflow.sdk import DAG
    from airflow.serialization.serialized_objects import DagSerialization

    with DAG("gated", schedule=None) as dag:
        run_of_the_dag_run = "{{ dag_run.conf['run'] }}"
        gate = OmicsRunSensor(task_id="gate", run_id=run_of_the_dag_run, start_from_trigger=True)
    assert gate.start_trigger_args is not None
    now = datetime.datetime.now(datetime.UTC)
    task = {"id": uuid.uuid4(), "dag_version_id": uuid.uuid4(), "dag_id": "gated", "task_id": "gate"}
    place = {"run_id": "manual__1", "try_number": 1, "map_index": -1, "pool_slots": 1, "priority_weight": 1}
    dag_run = {"dag_id": "gated", "run_id": "manual__1", "run_type": "manual", "state": "running"}
    times = {"logical_date": now, "run_after": now, "start_date": now, "end_date": None}
    period = {"data_interval_start": now, "data_interval_end": now, "partition_key": None}
    return RunTrigger(
        id=1,
        classpath="airflow_omics.triggers.OmicsRunTrigger",
        encrypted_kwargs=Trigger.encrypt_kwargs(gate.start_trigger_args.trigger_kwargs),
        ti=TaskInstanceDTO(**task, **place, queue="default"),
        dag_data=DagSerialization.to_dict(dag),
        dag_run_data={**dag_run, **times, **period, "conf": {"run": run_id}, "consumed_asset_events": []},
    )


@pytest.mark.skipif(
    not hasattr(BaseTrigger, "render_template_fields"),
    reason="from 3.3 on Airflow begins tasks in the triggerer",
)
def test_a_wait_that_airflow_began_lets_go_of_its_dag(omics: Emulator) -> None:
    """Airflow reads the whole DAG for each of them; a thousand would be hundreds of megabytes."""
    from airflow.jobs.triggerer_job_runner import TriggerRunner
    from airflow.serialization.definitions.dag import SerializedDAG

    [run_id] = omics.start_runs(1, life="running-forever")

    async def body() -> int:
        runner = TriggerRunner()
        runner.to_create.append(begun_by_airflow(run_id))
        await runner.create_triggers()  # type: ignore[no-untyped-call]
        waiting = runner.triggers[1]["task"]
        await seen(omics, "GetRun")
        assert not waiting.done()
        gc.collect()
        # isinstance() would wake up whatever lazy proxy other code has left.
        dags = [thing for thing in gc.get_objects() if type(thing) is SerializedDAG]
        kept = [dag for dag in dags if dag.dag_id == "gated"]
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        return len(kept)

    assert run_loop(body) == 0
    assert {request["run_id"] for request in omics.requests()} == {run_id}
