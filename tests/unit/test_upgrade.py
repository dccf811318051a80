"""Tasks that version 0.1.0 deferred go on, and end, with today's code.

``tests/data/upgrade_0_1_0.json`` is what 0.1.0 leaves in Airflow's database. Its runs are gone: each test
starts a run of its own, and puts its identity and the time of today in the place of what was recorded.
"""

from __future__ import annotations

import asyncio
import copy
import datetime
import importlib
import json
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_omics.emulator import Emulator, EmulatorServer
from airflow_omics.hooks import OmicsHook
from airflow_omics.links import RUN_LINKS
from airflow_omics.sensors import OmicsRunSensor
from airflow_omics.triggers import OmicsRunTrigger, OmicsStartedRunTrigger
from tests.support.fixtures import Connect
from tests.support.sensors import context_of
from tests.support.start_operators import Store, Task, TaskDeferred, TaskInstance, tokens
from tests.support.triggers import QUICK, run_loop, seen

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "upgrade_0_1_0.json").read_text())
GATES, STARTS = RECORDED["gates"], RECORDED["starts"]
OLD_PATH_OF_STARTS = "airflow_omics.starting.trigger.OmicsStartedRunTrigger"

# How the task ends, and the status of the record that it leaves in XCom.
GATE_ENDS = {
    "a gate as it comes": ("success", "COMPLETED"),
    "a gate on an ARN with every argument": ("success", "ARCHIVED"),
    "a gate whose run is cancelled and skips": ("AirflowSkipException", "CANCELLED"),
    "a gate whose run fails": ("OmicsRunFailedError", "FAILED"),
    "a gate whose run fails softly": ("AirflowSkipException", "FAILED"),
    "a gate that looks often": ("success", "COMPLETED"),
    "a gate that may end in the triggerer": ("success", "COMPLETED"),
    "a gate that times out": ("AirflowSensorTimeout", "RUNNING"),
}
START_ENDS = {
    "a start as it comes": ("success", "COMPLETED"),
    "a start with every argument of its wait": ("success", "COMPLETED"),
    "a start whose run fails": ("OmicsRunFailedError", "FAILED"),
    "a start that is run again with other settings": ("TaskDeferred", None),
    "a start that times out": ("OmicsRunTimeoutError", "PENDING"),
}
# The members that ``record_fields`` let through, besides those that an error and the links need.
NARROWED = {
    "a gate on an ARN with every argument": {"id", "status", "runOutputUri", "workflowId"},
    "a gate whose run is cancelled and skips": {"id", "status", "uuid"},
    "a start with every argument of its wait": {"id", "status", "runOutputUri"},
}
TIMES = ("started_at", "timeout_at", "hold_until", "wait_timeout", "execution_timeout")


@pytest.fixture
def omics(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """The control of an emulator over HTTP, as a triggerer needs it; ``aws_default`` leads there."""
    monkeypatch.setenv("AIRFLOW__OMICS__REQUESTS_PER_SECOND", "100")
    with EmulatorServer() as server:
        connect(login="test", password="test", region_name="us-east-1", endpoint_url=server.endpoint_url)
        yield server.control


def read(run_id: str) -> Any:
    return OmicsHook(aws_conn_id="aws_default").get_run(run_id)


def brought_here(recorded: Mapping[str, Any], record: Mapping[str, Any], late: float = 0.0) -> Any:
    """Return what was recorded as if it had been recorded now, about the run of ``record``.

    :param late: seconds that have passed since the task was deferred.
    """
    shift = time.time() - late - recorded["now"]
    names = {str(recorded["run"][key]): str(record[key]) for key in ("arn", "id", "uuid")}

    def walk(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: walk(member, name) for name, member in value.items()}
        if isinstance(value, list):
            return [walk(member) for member in value]
        if isinstance(value, str):
            for old, new in names.items():
                value = value.replace(old, new)
            return value
        if key == "created":
            return datetime.datetime.fromisoformat(record["creationTime"]).timestamp()
        return value + shift if key in TIMES and value is not None else value

    return walk({key: value for key, value in recorded.items() if key not in ("now", "run")})


def end(omics: Emulator, run_id: str, how: str) -> None:
    if how == "FAILED":
        omics.move(run_id, "FAILED", "RUN_TASK_FAILED", "Task align failed.")
    elif how != "timeout":
        omics.move(run_id, how)


def trigger_of(recorded: Mapping[str, Any]) -> Any:
    """Return the trigger as a triggerer makes it: by its class path, from its arguments."""
    path, kwargs = recorded["trigger"]
    module, _, name = path.rpartition(".")
    trigger = getattr(importlib.import_module(module), name)(**copy.deepcopy(kwargs))
    assert trigger.poke_interval == kwargs["poke_interval"]
    trigger.poke_interval = QUICK  # a triggerer lets a quarter of it pass before it looks
    return trigger


def event_of(trigger: Any) -> Any:
    """Let a triggerer run it; return the payload of its one event, through JSON."""

    async def wait() -> Any:
        [event] = [event async for event in trigger.run()]
        return json.loads(json.dumps(event.payload))

    return run_loop(wait)


class Gate:
    """What a sensor sees of Airflow's task instance."""

    dag_id, task_id, run_id, map_index, try_number, max_tries = "cohort", "gate", "manual__1", -1, 1, 2

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = json.loads(json.dumps(value))


def ended(resume: Any, pushed: Mapping[str, Any]) -> tuple[str, Any]:
    """Return how a task ends, and the record that it leaves in XCom."""
    try:
        result = resume()
    except (Exception, TaskDeferred) as error:
        return type(error).__name__, pushed.get("return_value")
    return "success", json.loads(json.dumps(result))


def resume_gate(recorded: Mapping[str, Any], arguments: Mapping[str, Any], event: Any) -> tuple[str, Any]:
    with warnings.catch_warnings():  # an older Airflow says that it has no start or end in the triggerer
        warnings.simplefilter("ignore", UserWarning)
        sensor = OmicsRunSensor(task_id="gate", **arguments)
    ti = Gate()
    kwargs = {**recorded["next_kwargs"], "event": event}
    context = context_of(ti)  # type: ignore[arg-type]
    return ended(lambda: sensor.resume_execution(recorded["next_method"], kwargs, context), ti.pushed)


def check(name: str, end: tuple[str, Any], expected: tuple[str, str | None]) -> None:
    kind, record = end
    assert (kind, (record or {}).get("status")) == expected
    assert name not in NARROWED or set(record) == NARROWED[name]


# -- gates ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GATES)
def test_a_deferred_gate_is_watched_and_ends(name: str, omics: Emulator) -> None:
    how = GATES[name]["end"]
    [run_id] = omics.start_runs(1, life="running-forever")
    omics.move(run_id, "RUNNING")
    gate = brought_here(GATES[name], read(run_id), late=901 if how == "timeout" else 20)
    trigger = trigger_of(gate)
    assert type(trigger) is OmicsRunTrigger
    end(omics, run_id, how)

    event = event_of(trigger)

    then = gate["event"]
    assert set(event) == set(then)
    assert event["outcome"] == then["outcome"]
    for member in ("id", "uuid", "arn"):
        assert event["record"][member] == then["record"][member]
    check(name, resume_gate(gate, gate["arguments"], event), GATE_ENDS[name])


def test_a_deferred_gate_goes_on_to_watch_a_run_that_goes_on(omics: Emulator) -> None:
    name = "a gate that looks often"
    [run_id] = omics.start_runs(1, life="running-forever")
    gate = brought_here(GATES[name], read(run_id))
    trigger = trigger_of(gate)

    async def wait() -> Any:
        async def events() -> list[Any]:
            return [event async for event in trigger.run()]

        waiting = asyncio.create_task(events())
        await seen(omics, "GetRun", 2)
        omics.move(run_id, "COMPLETED")
        [event] = await waiting
        return json.loads(json.dumps(event.payload))

    check(name, resume_gate(gate, gate["arguments"], run_loop(wait)), GATE_ENDS[name])


@pytest.mark.parametrize("name", GATES)
def test_an_event_that_waits_for_a_worker_is_understood(name: str, omics: Emulator) -> None:
    [run_id] = omics.start_runs(1, life="running-forever")
    gate = brought_here(GATES[name], read(run_id))
    check(name, resume_gate(gate, gate["arguments"], gate["event"]), GATE_ENDS[name])


def test_a_gate_that_airflow_started_in_the_triggerer_ends(omics: Emulator) -> None:
    recorded = RECORDED["started_by_airflow"]
    [run_id] = omics.start_runs(1, life="running-forever")
    # As Airflow renders the templates in the triggerer.
    started = json.loads(json.dumps(recorded).replace("{{ params.omics_run_id }}", run_id))
    omics.move(run_id, "COMPLETED")

    event = event_of(trigger_of(started))

    kind, record = resume_gate(started, started["arguments"], event)
    assert kind == "success"
    assert (record["id"], record["status"]) == (run_id, "COMPLETED")
    assert set(record) == {"id", "status", "runOutputUri"}


# -- starts --------------------------------------------------------------------------------------------------


class Start:
    """A task of 0.1.0 that was deferred, its run started again in this emulator as 0.1.0 had asked for it.

    :param late: seconds that have passed since.
    """

    def __init__(self, omics: Emulator, name: str, late: float = 20.0) -> None:
        self.omics = omics
        first, *self.later = STARTS[name]["deferrals"]
        self.request = first["request"]
        client: Any = OmicsHook(aws_conn_id="aws_default").conn
        self.run_id: str = client.start_run(**self.request)["id"]
        self.recorded = brought_here(first, read(self.run_id), late)
        store = Store()
        for key, value in self.recorded["task_state_store"].items():
            store.set(key, value)
        self.task = Task(
            omics,
            time,  # type: ignore[arg-type]
            store=store,
            retries=3,
            dag_id="cohort",
            run_id="scheduled__2026-01-15T00:00:00+00:00",
            map_index=2,
            **STARTS[name]["arguments"],
        )
        self.task.try_number = 1

    def event(self, how: str) -> Any:
        """Return the event that today's triggerer fires for the trigger that was stored."""
        path, _ = self.recorded["trigger"]
        assert path == OLD_PATH_OF_STARTS
        trigger = trigger_of(self.recorded)
        assert type(trigger) is OmicsStartedRunTrigger
        end(self.omics, self.run_id, how)
        return event_of(trigger)

    def resume(self, event: Any) -> tuple[str, Any]:
        """Resume the task in a worker of today."""
        ti, operator = TaskInstance(self.task), self.task.make()
        context = self.task.context(ti)
        waited = self.recorded["next_kwargs"]
        assert self.recorded["next_method"] == "execute_complete"
        return ended(lambda: operator.execute_complete(context, event=event, **waited), ti.pushed)

    def retry(self) -> str:
        """Run the next try, in a worker that has lost the first; return the run that it waits for."""
        self.task.try_number += 1
        with pytest.raises(TaskDeferred) as caught:
            self.task.make().execute(self.task.context(TaskInstance(self.task)))
        return str(caught.value.trigger.run_id["id"])


@pytest.mark.parametrize("fired_by", ["0.1.0", "today"])
@pytest.mark.parametrize("name", STARTS)
def test_a_deferred_start_ends(name: str, fired_by: str, omics: Emulator) -> None:
    how = STARTS[name]["deferrals"][0]["end"]
    start = Start(omics, name, late=601 if how == "timeout" else 20)
    then = start.recorded["event"]
    event = start.event(how) if fired_by == "today" else then
    assert (set(event), event["outcome"]) == (set(then), then["outcome"])

    end = start.resume(event)

    expected = START_ENDS[name]
    if how == "timeout":
        expected = (expected[0], event["record"]["status"])
    check(name, end, expected)


def test_a_rerun_is_asked_for_as_0_1_0_would_have_asked(omics: Emulator) -> None:
    start = Start(omics, "a start that is run again with other settings")
    assert start.resume(start.event("FAILED"))[0] == "TaskDeferred"
    [second] = start.later
    assert tokens(omics) == [start.request["requestId"], second["request"]["requestId"]]
    [rerun] = [run for run in omics.requests("StartRun") if run["request_id"] == tokens(omics)[1]]
    record = read(rerun["run_id"])
    wanted = second["request"]
    assert (record["name"], record["tags"], record["storageType"]) == (
        wanted["name"],
        wanted["tags"],
        "DYNAMIC",
    )


@pytest.mark.parametrize("name", STARTS)
def test_the_same_task_asks_for_the_same_run(name: str, omics: Emulator) -> None:
    """Or an upgrade between two tries would pay for a second one."""
    start = Start(omics, name)
    start.task.store, start.task.try_number = Store(), 0
    assert start.retry() == start.run_id
    assert tokens(omics) == [start.request["requestId"]]


@pytest.mark.parametrize("has_store", [True, False], ids=["store", "no store"])
@pytest.mark.parametrize("name", ["a start as it comes", "a start with every argument of its wait"])
def test_a_retry_finds_the_run_that_0_1_0_started(name: str, has_store: bool, omics: Emulator) -> None:
    start = Start(omics, name)
    if not has_store:
        start.task.store = None
    assert start.retry() == start.run_id
    assert len({request["run_id"] for request in omics.requests("StartRun")}) == 1


# -- what is read from XCom ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*GATES, *STARTS])
def test_the_extra_links_of_what_is_deferred_are_the_same(name: str) -> None:
    recorded = GATES[name] if name in GATES else STARTS[name]["deferrals"][0]
    assert [link.url(recorded["xcoms"]["omics_run_links"]) for link in RUN_LINKS] == recorded["links"]
