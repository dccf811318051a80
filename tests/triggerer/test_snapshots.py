"""What triggers leave in XCom while they wait: for whom, when, what is in it, and that it never matters."""

from __future__ import annotations

import asyncio
import datetime
import json
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.triggers.base import TaskSuccessEvent

from airflow_omics import _compat
from airflow_omics._identity import Target
from airflow_omics._monitoring.snapshot import RUN_KEY
from airflow_omics._monitoring.task_table import TASKS_KEY, RunTask, TaskTable
from airflow_omics._resource import BATCH
from airflow_omics._waiting.batch import BatchWait
from airflow_omics._waiting.wait import Wait
from airflow_omics._watching import task_sweeps
from airflow_omics.emulator import Emulator
from airflow_omics.hooks.async_client import OmicsAsyncClient
from airflow_omics.triggers import OmicsRunTrigger, snapshot_writer
from airflow_omics.triggers.snapshots import Snapshots
from tests.support.plans import CREATED, T0, UUID, arn_of
from tests.support.triggers import round_trip, run_loop, seen, seen_more, stop

MARKER = "patient-4711-marker"
ENDS = {"success_statuses": ["COMPLETED"]}


class TaskInstance:
    """What a trigger learns of its task from the triggerer."""

    def __init__(self, map_index: int | None = 2, run_id: str = "manual__1") -> None:
        self.id, self.dag_id, self.task_id, self.try_number = "1", "a_dag", "gate", 1
        self.map_index, self.run_id = map_index, run_id


class XComs:
    """Stands for Airflow: what was stored, in which order."""

    def __init__(self) -> None:
        self.stored: list[tuple[dict[str, Any], str, Any]] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.begun = threading.Event()

    def store(self, place: Any, key: str, value: Any) -> None:
        self.begun.set()
        assert self.go_on.wait(20.0)
        self.stored.append((dict(place), key, json.loads(json.dumps(value))))

    def of(self, key: str) -> list[Any]:
        return [value for _, stored, value in self.stored if stored == key]

    @property
    def statuses(self) -> list[str]:
        return [value["run"]["status"] for value in self.of(RUN_KEY)]

    async def until(self, key: str, count: int = 1) -> None:
        async with asyncio.timeout(10.0):
            while len(self.of(key)) < count:
                await asyncio.sleep(0.005)


@pytest.fixture
def xcoms(monkeypatch: pytest.MonkeyPatch) -> Iterator[XComs]:
    xcoms = XComs()
    monkeypatch.setattr(snapshot_writer, "_store", xcoms.store)
    monkeypatch.setattr(snapshot_writer, "WRITE_EVERY", 0.01)
    monkeypatch.setattr("airflow_omics.triggers.waiting.has_pages", lambda: True)
    yield xcoms
    xcoms.go_on.set()


def begin(run_id: str, ti: Any = None, **arguments: Any) -> asyncio.Task[Any]:
    """Let a trigger wait as a triggerer does; the task returns its event."""

    async def event() -> Any:
        trigger = round_trip(OmicsRunTrigger(run_id, **{"poke_interval": 0.5, **arguments}))
        trigger.task_instance = TaskInstance() if ti is None else ti
        [event] = [event async for event in trigger.run()]
        return event

    return asyncio.create_task(event())


# -- which Airflow, which options ----------------------------------------------------------------------------


def test_snapshots_are_left_from_airflow_3_1_on() -> None:
    from airflow import __version__

    major, minor = (int(part) for part in __version__.split(".")[:2])
    assert _compat.has_pages() is ((major, minor) >= (3, 1))


@pytest.mark.parametrize("why", ["progress is off", "an older Airflow", "no task instance"])
@pytest.mark.any_airflow
def test_nothing_is_left(why: str, omics: Emulator, xcoms: XComs, monkeypatch: pytest.MonkeyPatch) -> None:
    if why == "progress is off":
        monkeypatch.setenv("AIRFLOW__OMICS__PROGRESS", "False")
    if why == "an older Airflow":
        monkeypatch.setattr("airflow_omics.triggers.waiting.has_pages", lambda: False)
    [run_id] = omics.start_runs(1, life="pending-forever")

    async def body() -> None:
        trigger = round_trip(OmicsRunTrigger(run_id, poke_interval=0.5))
        if why != "no task instance":
            trigger.task_instance = TaskInstance()
        wait = asyncio.create_task(anext(trigger.run()))
        await seen(omics, "GetRun", 1)
        omics.move(run_id, "RUNNING")
        await seen_more(omics, "GetRun", 2)
        await stop([wait])

    run_loop(body)
    assert xcoms.stored == []


# -- a run that goes on --------------------------------------------------------------------------------------


@pytest.mark.any_airflow
def test_each_change_of_the_status_is_left_with_the_run_s_public_members(
    omics: Emulator, xcoms: XComs
) -> None:
    [run_id] = omics.start_runs(
        1, life="pending-forever", name="sample_1", parameters={"sample": MARKER}, tags={"sample": MARKER}
    )

    async def body() -> None:
        wait = begin(run_id)
        for number, status in enumerate(("PENDING", "STARTING", "RUNNING"), 1):
            omics.move(run_id, status)
            await xcoms.until(RUN_KEY, number)
        await seen_more(omics, "GetRun", 2)  # nothing changes
        await stop([wait])

    run_loop(body)
    assert xcoms.statuses == ["PENDING", "STARTING", "RUNNING"]
    place = {"dag_id": "a_dag", "task_id": "gate", "run_id": "manual__1", "map_index": 2}
    assert [stored for stored, _, _ in xcoms.stored] == [place] * 3
    run = xcoms.of(RUN_KEY)[-1]["run"]
    assert (run["id"], run["name"]) == (run_id, "sample_1")
    assert {"uuid", "arn", "workflowId", "creationTime", "startTime"} <= set(run)
    assert MARKER not in json.dumps(xcoms.stored)


@pytest.mark.any_airflow
def test_the_status_that_the_worker_has_left_is_not_left_again(omics: Emulator, xcoms: XComs) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")

    async def body() -> None:
        wait = begin(run_id, status="PENDING")
        await seen(omics, "GetRun", 3)
        assert xcoms.stored == []
        omics.move(run_id, "RUNNING")
        await xcoms.until(RUN_KEY)
        await stop([wait])

    run_loop(body)
    assert xcoms.statuses == ["RUNNING"]


@pytest.mark.any_airflow
def test_a_snapshot_is_of_the_service_s_time(
    omics: Emulator, xcoms: XComs, monkeypatch: pytest.MonkeyPatch
) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    get_run = OmicsAsyncClient.get_run

    async def by_another_clock(client: Any, id_: str, export: Any = None) -> Any:
        record, _ = await get_run(client, id_, export)
        return record, 86_400.0

    monkeypatch.setattr(OmicsAsyncClient, "get_run", by_another_clock)

    async def body() -> None:
        wait = begin(run_id)
        await xcoms.until(RUN_KEY)
        await stop([wait])

    began = int(time.time())
    run_loop(body)
    [snapshot] = xcoms.of(RUN_KEY)
    from airflow_omics.records import parse_time

    assert began + 86_400 <= parse_time(snapshot["seen"]).timestamp() <= time.time() + 86_400


@pytest.mark.any_airflow
def test_record_fields_narrow_what_is_left(omics: Emulator, xcoms: XComs) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever", name="sample_1")

    async def body() -> None:
        wait = begin(run_id, record_fields=["workflowId"])
        await xcoms.until(RUN_KEY)
        await stop([wait])

    run_loop(body)
    assert sorted(xcoms.of(RUN_KEY)[0]["run"]) == ["id", "status", "workflowId"]


@pytest.mark.any_airflow
def test_a_change_that_only_a_list_shows_is_left_too(
    omics: Emulator, xcoms: XComs, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_ids = omics.start_runs(40, life="pending-forever")

    async def body() -> None:
        waits = [
            begin(run_id, TaskInstance(number), poke_interval=2.0) for number, run_id in enumerate(run_ids)
        ]
        await seen(omics, "GetRun", 40)
        await seen_more(omics, "ListRuns", 1)
        looks = omics.counts()["GetRun"]
        for run_id in run_ids:
            omics.move(run_id, "RUNNING")
        async with asyncio.timeout(15.0):
            while xcoms.statuses.count("RUNNING") < 40:
                await asyncio.sleep(0.01)
        # Some may have been looked at besides; most were not.
        assert omics.counts()["GetRun"] - looks <= 20
        await stop(waits)

    run_loop(body)
    left = {value["run"]["id"]: value for value in xcoms.of(RUN_KEY) if value["run"]["status"] == "RUNNING"}
    assert set(left) == set(run_ids)
    assert all({"startTime", "uuid", "workflowId"} <= set(value["run"]) for value in left.values())


@pytest.mark.any_airflow
def test_the_tasks_of_a_run_are_left_with_their_counts(
    omics: Emulator, xcoms: XComs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_sweeps, "FIRST_AFTER", 0.1)
    monkeypatch.setattr(task_sweeps, "_LONGEST_PAUSE", 0.1)
    [run_id] = omics.start_runs(1, life="running-forever")
    omics.move(run_id, "RUNNING")
    omics.advance(60.0)

    async def body() -> None:
        wait = begin(run_id, status="RUNNING")
        await xcoms.until(TASKS_KEY)
        await xcoms.until(RUN_KEY)
        await stop([wait])

    run_loop(body)
    [tasks], [snapshot] = xcoms.of(TASKS_KEY), xcoms.of(RUN_KEY)
    table = TaskTable.of_plain(tasks)
    assert table is not None
    assert len(table.tasks) >= 1
    assert sum(snapshot["tasks"].values()) == len(table.tasks)
    assert snapshot["run"]["status"] == "RUNNING"


# -- the end -------------------------------------------------------------------------------------------------


@pytest.mark.any_airflow
def test_a_wait_that_a_worker_ends_leaves_no_end(omics: Emulator, xcoms: XComs) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")

    async def body() -> Any:
        wait = begin(run_id)
        await xcoms.until(RUN_KEY)
        omics.move(run_id, "COMPLETED")
        return await wait

    assert run_loop(body).payload["outcome"] == "terminal"
    assert xcoms.statuses == ["PENDING"]


def test_a_task_that_ends_in_the_triggerer_has_its_last_snapshot_before_the_event(
    omics: Emulator, xcoms: XComs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_omics.triggers.waiting._store", lambda ti, record: None)
    monkeypatch.setattr(snapshot_writer, "WRITE_EVERY", 3600.0)  # no end waits for its turn
    [run_id] = omics.start_runs(1, life="pending-forever")

    async def body() -> tuple[Any, list[str]]:
        wait = begin(run_id, **ENDS)
        await xcoms.until(RUN_KEY)
        omics.move(run_id, "RUNNING")
        await seen_more(omics, "GetRun", 2)
        omics.move(run_id, "COMPLETED")
        event = await wait
        return event, list(xcoms.statuses)

    event, statuses = run_loop(body)
    assert type(event) is TaskSuccessEvent
    assert statuses == ["PENDING", "COMPLETED"]
    assert "stopTime" in xcoms.of(RUN_KEY)[-1]["run"]


def test_a_store_that_hangs_holds_up_an_end_in_the_triggerer_for_a_while_only(
    omics: Emulator, xcoms: XComs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_omics.triggers.waiting._store", lambda ti, record: None)
    monkeypatch.setattr(snapshot_writer, "LAST_WITHIN", 0.5)
    xcoms.go_on.clear()
    [run_id] = omics.start_runs(1, life="pending-forever")

    async def body() -> tuple[Any, float]:
        wait = begin(run_id, **ENDS)
        await seen(omics, "GetRun", 2)
        omics.move(run_id, "COMPLETED")
        began = time.monotonic()
        event = await wait
        xcoms.go_on.set()
        return event, time.monotonic() - began

    event, took = run_loop(body)
    assert type(event) is TaskSuccessEvent
    assert took < 3.0


# -- it never matters ----------------------------------------------------------------------------------------


@pytest.mark.any_airflow
def test_a_store_that_hangs_holds_up_no_look_no_end_and_no_cancellation(
    omics: Emulator, xcoms: XComs
) -> None:
    xcoms.go_on.clear()
    ends, killed = omics.start_runs(2, life="pending-forever")

    async def body() -> Any:
        first, second = begin(ends), begin(killed)
        assert await asyncio.to_thread(xcoms.begun.wait, 10.0)
        await seen_more(omics, "GetRun", 4)
        async with asyncio.timeout(1.0):
            await stop([second])
        omics.move(ends, "COMPLETED")
        event = await asyncio.wait_for(first, 5.0)
        xcoms.go_on.set()
        return event

    assert run_loop(body).payload["record"]["status"] == "COMPLETED"


@pytest.mark.parametrize("how", ["its end", "a cancellation"])
@pytest.mark.any_airflow
def test_a_trigger_that_has_gone_leaves_nothing_to_write(
    how: str, omics: Emulator, xcoms: XComs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_writer, "WRITE_EVERY", 3600.0)
    [run_id] = omics.start_runs(1, life="pending-forever")

    async def body() -> None:
        wait = begin(run_id)
        await xcoms.until(RUN_KEY)
        omics.move(run_id, "RUNNING")
        await seen_more(omics, "GetRun", 2)  # what has changed waits for its turn
        if how == "its end":
            omics.move(run_id, "COMPLETED")
            await wait
        else:
            await stop([wait])

    run_loop(body)  # in which no task may be left
    assert xcoms.statuses == ["PENDING"]


@pytest.mark.parametrize("method", ["looked", "listed", "tasks_listed", "value"])
@pytest.mark.any_airflow
def test_a_mistake_in_a_snapshot_ends_no_wait(
    method: str,
    omics: Emulator,
    xcoms: XComs,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "airflow_omics")
    monkeypatch.setattr(task_sweeps, "FIRST_AFTER", 0.1)
    monkeypatch.setattr(task_sweeps, "_LONGEST_PAUSE", 0.1)

    def refuse(*_: Any) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(Snapshots, method, refuse)
    run_ids = omics.start_runs(20, life="running-forever")
    for run_id in run_ids:
        omics.move(run_id, "RUNNING")

    async def body() -> list[Any]:
        waits = [begin(run_id) for run_id in run_ids]
        await seen(omics, "GetRun", 20)
        await seen_more(omics, "ListRuns", 2)
        await seen(omics, "ListRunTasks", 1)
        for run_id in run_ids:
            omics.move(run_id, "COMPLETED")
        return await asyncio.gather(*waits)

    events = run_loop(body)
    assert {event.payload["record"]["status"] for event in events} == {"COMPLETED"}
    lost = [record for record in caplog.records if "A snapshot was lost" in record.getMessage()]
    assert lost
    assert {record.levelno for record in lost} == {logging.DEBUG}


# -- one gate, without a service -----------------------------------------------------------------------------


class Asked:
    """A writer that keeps what it is asked for."""

    def __init__(self) -> None:
        self.wanted: list[tuple[str, bool]] = []

    def ask(self, source: Any, key: str, *, soon: bool) -> None:
        self.wanted.append((key, soon))

    async def write_last(self, source: Any, key: str) -> None:
        self.wanted.append((source.value(key)["run"]["status"], True))

    def take(self) -> list[tuple[str, bool]]:
        wanted, self.wanted = self.wanted, []
        return wanted


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    asked = Asked()
    monkeypatch.setattr(snapshot_writer.SnapshotWriter, "of_loop", lambda: asked)
    return asked


def record(status: str = "RUNNING", **members: Any) -> Any:
    created = CREATED.isoformat()
    return {"id": "1", "uuid": UUID, "arn": arn_of("1"), "status": status, "creationTime": created, **members}


def gate(status: str | None = None, wait: Wait | None = None, **arguments: Any) -> tuple[Snapshots, Wait]:
    wait = wait or Wait(Target("1", UUID), started_at=T0, timeout_at=T0 + 1e6, status=status)
    ti = arguments.pop("ti", TaskInstance())
    return Snapshots(ti, wait, status, arguments.pop("record_fields", None)), wait


@pytest.mark.any_airflow
def test_a_list_before_any_record_leaves_what_the_list_has(asked: Asked) -> None:
    snapshots, wait = gate("PENDING")
    wait.listed("RUNNING", T0)
    item = {
        "id": "1",
        "arn": arn_of("1"),
        "status": "STARTING",  # a list may lag; the later status is handed over
        "name": "sample_1",
        "workflowName": "no member of a snapshot",
        "creationTime": CREATED,
        "startTime": CREATED,
    }
    snapshots.listed(item, "RUNNING", T0 + 5.0)
    assert asked.take() == [(RUN_KEY, True)]
    created = CREATED.isoformat()
    assert snapshots.value(RUN_KEY) == {
        "v": 1,
        "kind": "run",
        "seen": "2027-01-15T08:00:05+00:00",
        "run": {
            "id": "1",
            "uuid": UUID,
            "arn": arn_of("1"),
            "status": "RUNNING",
            "name": "sample_1",
            "creationTime": created,
            "startTime": created,
        },
    }


@pytest.mark.any_airflow
def test_the_record_has_the_word_where_a_list_says_something_else(asked: Asked) -> None:
    snapshots, wait = gate()
    wait.answered(record("PENDING", name="by the record"), T0)
    snapshots.looked(T0, False)
    snapshots.listed({"name": "by the list", "startTime": CREATED}, "RUNNING", T0 + 60.0)
    run = snapshots.value(RUN_KEY)["run"]  # type: ignore[index]
    assert (run["name"], run["status"], run["startTime"]) == (
        "by the record",
        "RUNNING",
        CREATED.isoformat(),
    )
    wait.answered(record("STOPPING"), T0 + 90.0)
    snapshots.looked(T0 + 90.0, False)
    run = snapshots.value(RUN_KEY)["run"]  # type: ignore[index]
    assert "startTime" not in run  # what a list said before a record is told no more
    assert run["status"] == "STOPPING"
    assert asked.take() == [(RUN_KEY, True)] * 3


@pytest.mark.any_airflow
def test_a_list_that_says_the_same_asks_for_nothing(asked: Asked) -> None:
    snapshots, _ = gate("RUNNING")
    snapshots.listed({}, "RUNNING", T0)
    assert asked.take() == []


@pytest.mark.any_airflow
def test_an_answer_that_the_wait_did_not_take_is_none(asked: Asked) -> None:
    snapshots, wait = gate()
    snapshots.looked(T0, False)
    assert asked.take() == []
    wait.answered(record("PENDING"), T0)
    snapshots.looked(T0, False)
    snapshots.looked(T0 + 500.0, False)
    assert asked.take() == [(RUN_KEY, True)]
    assert snapshots.value(RUN_KEY)["seen"] == "2027-01-15T08:00:00+00:00"  # type: ignore[index]


@pytest.mark.any_airflow
def test_what_is_over_asks_for_nothing_more(asked: Asked) -> None:
    snapshots, wait = gate("RUNNING")
    wait.answered(record("COMPLETED"), T0)
    snapshots.looked(T0, True)
    assert asked.take() == []


@pytest.mark.any_airflow
def test_the_end_of_a_run_that_is_gone_is_left_although_no_answer_said_so(asked: Asked) -> None:
    """A 404 makes a run DELETED, which a DAG may take for a success."""
    snapshots, wait = gate("RUNNING")
    wait.answered(record("RUNNING"), T0)
    snapshots.looked(T0, False)
    asyncio.run(snapshots.leave_last(wait.known.deleted()))
    assert asked.take() == [("DELETED", True)]


@pytest.mark.any_airflow
def test_the_end_of_a_run_that_only_the_worker_has_read_is_of_now(asked: Asked) -> None:
    snapshots, wait = gate("RUNNING")
    before = int(time.time())
    asyncio.run(snapshots.leave_last(wait.known.deleted()))
    snapshot = snapshots.value(RUN_KEY)
    assert snapshot is not None
    assert before <= datetime.datetime.fromisoformat(snapshot["seen"]).timestamp() <= time.time()


@pytest.mark.any_airflow
def test_tasks_put_no_poorer_snapshot_in_the_place_of_the_worker_s(asked: Asked) -> None:
    """A wait that a worker has begun may have no record here for long: lists are enough for it."""
    snapshots, wait = gate("RUNNING")
    table = TaskTable(T0, (RunTask("8", "Call", "RUNNING"),))
    wait.tasks_listed(table, T0)
    snapshots.tasks_listed(T0)
    assert asked.take() == [(TASKS_KEY, False)]
    snapshots.listed({"name": "sample_1", "workflowId": "7", "startTime": CREATED}, "RUNNING", T0)
    assert asked.take() == []
    snapshots.tasks_listed(T0)
    assert asked.take() == [(TASKS_KEY, False), (RUN_KEY, False)]
    snapshot = snapshots.value(RUN_KEY)
    assert snapshot is not None
    assert {"name", "workflowId", "startTime", "uuid"} <= set(snapshot["run"])
    assert snapshot["tasks"] == {"RUNNING": 1}


@pytest.mark.any_airflow
def test_tasks_are_left_with_counts_that_stay(asked: Asked) -> None:
    snapshots, wait = gate("RUNNING")
    wait.answered(record("RUNNING"), T0)
    snapshots.looked(T0, False)
    assert snapshots.value(TASKS_KEY) is None
    tasks = (RunTask("7", "Align", "COMPLETED", cached=True), RunTask("8", "Call", "RUNNING"))
    table = TaskTable(T0, tasks)
    wait.tasks_listed(table, T0)
    snapshots.tasks_listed(T0)
    assert asked.take() == [(TASKS_KEY, False), (RUN_KEY, False)]
    assert [row[:3] for row in snapshots.value(TASKS_KEY)["tasks"]] == [  # type: ignore[index]
        ["7", "Align", "COMPLETED"],
        ["8", "Call", "RUNNING"],
    ]
    wait.answered(record("STOPPING"), T0 + 60.0)
    snapshots.looked(T0 + 60.0, False)
    snapshot = snapshots.value(RUN_KEY)
    assert snapshot is not None
    assert snapshot["tasks"] == {"COMPLETED": 1, "RUNNING": 1}
    assert snapshot["cached"] == 1
    assert snapshot["run"]["status"] == "STOPPING"
    assert "stuck" not in snapshot


@pytest.mark.any_airflow
def test_a_run_in_which_nothing_moves_is_left_as_stuck(asked: Asked) -> None:
    wait = Wait(Target("1", UUID), started_at=T0, timeout_at=T0 + 1e6, stuck_after=600.0)
    snapshots, _ = gate(wait=wait)
    wait.answered(record(startTime=CREATED.isoformat()), T0)
    snapshots.looked(T0, False)
    wait.tasks_listed(TaskTable(T0, (RunTask("8", "Call", "RUNNING", T0 - 900.0, T0 - 800.0),)), T0)
    assert snapshots.value(RUN_KEY)["stuck"] == "2027-01-15T07:46:40+00:00"  # type: ignore[index]
    wait.answered(record("COMPLETED", startTime=CREATED.isoformat()), T0 + 60.0)
    snapshots.looked(T0 + 60.0, True)
    assert "stuck" not in snapshots.value(RUN_KEY)  # type: ignore[operator]


@pytest.mark.any_airflow
@pytest.mark.parametrize(("map_index", "stored"), [(None, -1), (-1, -1), (0, 0), (7, 7)])
def test_a_snapshot_is_of_its_task_instance(map_index: Any, stored: int, asked: Asked) -> None:
    snapshots, _ = gate(ti=TaskInstance(map_index, "scheduled__2"))
    assert snapshots.place == {
        "dag_id": "a_dag",
        "task_id": "gate",
        "run_id": "scheduled__2",
        "map_index": stored,
    }


def batch(completed: int, status: str = "INPROGRESS") -> Any:
    return {
        **record(status, arn="arn:aws:omics:us-east-1:123456789012:runBatch/1"),
        "totalRuns": 10,
        "runSummary": {"completedRunCount": completed, "runningRunCount": 10 - completed},
        "submissionSummary": {"successfulStartSubmissionCount": 10},
    }


@pytest.mark.any_airflow
def test_the_counts_of_a_batch_are_left_at_first_and_each_five_minutes_if_they_changed(asked: Asked) -> None:
    wait = BatchWait(Target("1", UUID, resource=BATCH), started_at=T0, timeout_at=T0 + 1e6)
    snapshots, _ = gate("INPROGRESS", wait)
    left = {}
    for seconds, completed in ((0, 1), (60, 2), (299, 3), (300, 4), (360, 5), (660, 5), (700, 6)):
        wait.answered(batch(completed), T0 + seconds)
        snapshots.looked(T0 + seconds, False)
        if asked.take():
            snapshot = snapshots.value(RUN_KEY)
            assert snapshot is not None
            left[seconds] = snapshot["counts"]["completed"]
    assert left == {0: 1, 300: 4, 660: 5}
    assert snapshot["kind"] == "batch"
    wait.answered(batch(7, "STOPPING"), T0 + 710)
    snapshots.looked(T0 + 710, False)
    assert asked.take() == [(RUN_KEY, True)]
    wait.answered(batch(8, "STOPPING"), T0 + 1000)  # not yet five minutes after that
    snapshots.looked(T0 + 1000, False)
    assert asked.take() == []
