"""Lists of tasks while runs go on: when, of which run, and that nothing of them reaches a wait."""

from __future__ import annotations

import asyncio
import datetime
import gc
import logging
import tracemalloc
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_omics._faults import Fault
from airflow_omics._monitoring.task_table import MOST_TASKS, TaskCounts
from airflow_omics._watching import task_sweeps
from airflow_omics._watching.rate_limit import RATES
from airflow_omics._watching.task_sweeps import TaskSweeper
from airflow_omics._watching.watchlist import Entry, Waiter, Watchlist
from airflow_omics.emulator import Emulator
from airflow_omics.exceptions import FaultKind
from airflow_omics.hooks.async_client import OmicsAsyncClient, TaskPage
from tests.support.clocks import turn
from tests.support.plans import T0, join, look, waiter
from tests.support.triggers import ends, moments, most_within, run_loop, seen, start_waits, stop

pytestmark = pytest.mark.any_airflow

DENIED = Fault(FaultKind.DENIED, "Allow omics:ListRunTasks to the caller")
AWAY = Fault(FaultKind.TRANSIENT, "the service is away")
GONE = Fault(FaultKind.NOT_FOUND, "no such run")


class Sees:
    """An onlooker that keeps what it is shown."""

    def __init__(self) -> None:
        self.at: list[float] = []

    def looked(self, at: float, is_over: bool) -> None: ...

    def listed(self, item: Any, status: str, at: float) -> None: ...

    def tasks_listed(self, at: float) -> None:
        self.at.append(at)


class World:
    """Lists the tasks of runs; it is the clock as well, which whoever sleeps turns."""

    def __init__(self) -> None:
        self.now = T0
        self.ahead = 0.0  # of the service's clock
        self.tasks: dict[str, list[dict[str, Any]]] = {}
        self.answers: list[Any] = []  # instead of a page: a fault, or an exception
        self.asked: list[tuple[float, str, str | None]] = []
        self.before_page: Any = lambda: None
        self.plan = Watchlist()
        self.sweeper = TaskSweeper(self.plan, self._list_page)

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    async def _list_page(self, run_id: str, token: str | None) -> Any:
        self.asked.append((self.now - T0, run_id, token))
        self.before_page()
        self.now += 2.0  # as the rate has it
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        tasks, end = self.tasks.get(run_id, []), int(token or 0) + 100
        following = str(end) if end < len(tasks) else None
        return TaskPage([dict(task) for task in tasks[end - 100 : end]], following, self.ahead)

    def watch(self, run_id: str, status: str | None = "RUNNING", tasks: int = 1) -> tuple[Entry, Sees]:
        entry, sees = join(self.plan, run_id), Sees()
        entry.waiters[0].onlooker = sees
        if status is not None:
            look(self.plan, entry, self.now, self.now + 1e6, status)
        self.plan.schedule(entry, self.now + 1e6)
        self.tasks[run_id] = [
            {"taskId": str(number), "name": f"Align_{number}", "status": "RUNNING"} for number in range(tasks)
        ]
        return entry, sees

    def go_on_for(self, seconds: float) -> list[tuple[float, str, str | None]]:
        """Let time pass; return what was asked for in it, in seconds since the beginning."""
        before, until = len(self.asked), self.now + seconds

        async def body() -> None:
            while self.now < until:
                await self.sweeper.run_once()

        asyncio.run(body())
        return self.asked[before:]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    turn(monkeypatch, world)
    monkeypatch.setattr(task_sweeps, "asyncio", SimpleNamespace(sleep=world.sleep))
    return world


# -- when, and of which run ----------------------------------------------------------------------------------


def test_a_run_is_listed_a_minute_after_it_runs_and_then_every_ten_minutes(world: World) -> None:
    world.watch("1")
    times = [at for at, _, _ in world.go_on_for(1900.0)]
    assert times == [60.0, 662.0, 1264.0, 1866.0]  # from when the list before had come


@pytest.mark.parametrize("status", ["PENDING", "STARTING", None])
def test_a_run_that_has_no_tasks_yet_is_not_listed(status: Any, world: World) -> None:
    entry, _ = world.watch("1", status)
    assert world.go_on_for(1000.0) == []
    entry.status = "RUNNING"
    [(at, _, _)] = world.go_on_for(120.0)
    assert 1060.0 <= at <= 1080.0  # it may take a quarter of a minute until that is noticed


def test_a_run_that_is_stopping_is_listed(world: World) -> None:
    world.watch("1", "STOPPING")
    assert len(world.go_on_for(100.0)) == 1


def test_the_run_that_is_due_longest_is_listed_first_and_none_twice_before_the_others(world: World) -> None:
    for number in (2, 0, 1):
        world.watch(str(number))
        assert world.go_on_for(0.01) == []  # it is noticed now
    world.now += 10_000.0
    assert [run_id for _, run_id, _ in world.go_on_for(6.0)] == ["2", "0", "1"]
    assert world.go_on_for(500.0) == []


def test_with_more_runs_than_the_rate_allows_each_gets_its_turn(world: World) -> None:
    for number in range(1000):
        world.watch(str(number))
    listed = [run_id for _, run_id, _ in world.go_on_for(4100.0)]
    assert 2000 <= len(listed) <= 2030  # one each two seconds
    assert listed[:1000] == listed[1000:2000] == [str(number) for number in range(1000)]


def test_no_page_is_asked_for_while_a_run_deserves_a_get_run_at_once(world: World) -> None:
    world.watch("1", tasks=250)
    other, _ = world.watch("2", "PENDING")

    def becomes_due() -> None:
        if len(world.asked) == 2:
            world.plan.schedule(other, world.now)

    world.before_page = becomes_due
    slept = world.sleep

    async def sleep(seconds: float) -> None:
        await slept(seconds)
        if world.now >= T0 + 100.0 and world.plan.has_urgent(world.now):
            look(world.plan, other, world.now, world.now + 1e6, "PENDING")
            world.plan.ready.clear()

    task_sweeps.asyncio.sleep = sleep  # type: ignore[attr-defined]
    first, second, third = (at for at, _, _ in world.go_on_for(300.0))
    assert (first, second) == (60.0, 62.0)
    assert 100.0 <= third <= 102.0


# -- what becomes of a list ----------------------------------------------------------------------------------


def test_every_wait_on_the_run_has_the_table_and_is_woken(world: World) -> None:
    entry, sees = world.watch("1", tasks=250)
    twin = waiter("1")
    twin.onlooker = twin_sees = Sees()
    world.plan.join(twin, world.now)
    world.plan.schedule(entry, world.now + 1e6)
    woken: list[Waiter] = []
    real = Waiter.stir
    try:
        Waiter.stir = lambda one: woken.append(one)  # type: ignore[method-assign]
        world.ahead = 7200.0
        world.go_on_for(70.0)
    finally:
        Waiter.stir = real  # type: ignore[method-assign]
    assert [token for _, _, token in world.asked] == [None, "100", "200"]
    for one in entry.waiters:
        assert one.wait.tasks is not None
        assert {task.id for task in one.wait.tasks.tasks} == {str(number) for number in range(250)}
        assert one.wait.tasks.seen == T0 + 66.0 + 7200.0  # by the service's clock
    assert woken == entry.waiters
    for seen_by in (sees, twin_sees):
        assert seen_by.at == [T0 + 66.0 + 7200.0]


def test_a_wait_keeps_no_more_tasks_than_go_to_xcom_and_the_counts_are_of_all(world: World) -> None:
    entry, sees = world.watch("1", tasks=700)
    world.go_on_for(80.0)
    kept = entry.waiters[0].wait.tasks
    assert kept is not None
    assert (len(kept.tasks), kept.left_out) == (MOST_TASKS, 700 - MOST_TASKS)
    assert kept.counts == TaskCounts({"RUNNING": 700}, 0)
    assert len(sees.at) == 1


def test_of_a_run_with_more_than_a_thousand_tasks_a_thousand_are_listed(world: World) -> None:
    entry, _ = world.watch("1", tasks=1500)
    assert len(world.go_on_for(90.0)) == 10
    kept = entry.waiters[0].wait.tasks
    assert kept is not None
    assert (kept.left_out, kept.more) == (1000 - MOST_TASKS, True)


def test_a_page_that_leads_to_itself_is_the_last(world: World) -> None:
    _, sees = world.watch("1")
    world.answers = [TaskPage([], "round", 0.0), TaskPage([], "round", 0.0)]
    assert len(world.go_on_for(100.0)) == 2
    assert len(sees.at) == 1


def test_what_a_triggerer_keeps_of_the_tasks_of_a_run_is_small(world: World) -> None:
    """A triggerer holds thousands of waits."""
    begun = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    runs = [str(number) for number in range(20)]
    for run_id in runs:
        world.watch(run_id)
        world.tasks[run_id] = [
            {
                "taskId": str(7_000_000 + number * (int(run_id) + 1) % 1013),
                "name": f"CallVariants_{number}",
                "status": "COMPLETED",
                "creationTime": begun + datetime.timedelta(seconds=number * 37 % 1009),
                "startTime": begun + datetime.timedelta(seconds=number * 41 % 2003 + 1000.25),
                "stopTime": begun + datetime.timedelta(seconds=number * 43 % 5003 + 2000.5),
                "instanceType": "omics.m.xlarge",
                "cpus": 4,
                "memory": 15.5,
            }
            for number in range(300)
        ]
    tracemalloc.start()
    try:
        world.go_on_for(600.0)
        gc.collect()
        held = sum(trace.size for trace in tracemalloc.take_snapshot().traces)
    finally:
        tracemalloc.stop()
    [wait] = [one.wait for one in world.plan.entries["7"].waiters]
    assert wait.tasks is not None
    assert len(wait.tasks.tasks) == 300
    assert held / (300 * len(runs)) < 60  # bytes a task


@pytest.mark.parametrize("how", ["the last waiter leaves", "the run has ended"])
def test_a_run_that_ended_meanwhile_is_skipped(how: str, world: World) -> None:
    entry, sees = world.watch("1", tasks=250)
    [one] = entry.waiters

    def ends_at_the_second_page() -> None:
        if len(world.asked) == 2:
            if how == "the last waiter leaves":
                world.plan.leave(entry, one)
            else:
                entry.status = "COMPLETED"

    world.before_page = ends_at_the_second_page
    assert len(world.go_on_for(100.0)) == 2
    assert sees.at == []
    assert one.wait.tasks is None


def test_a_run_that_ends_with_its_last_page_is_skipped(world: World) -> None:
    entry, sees = world.watch("1")
    world.before_page = lambda: setattr(entry, "status", "COMPLETED")
    assert len(world.go_on_for(100.0)) == 1
    assert sees.at == []


@pytest.mark.parametrize("fails", ["the wait", "the onlooker"])
def test_a_wait_that_cannot_take_its_table_keeps_it_from_no_other(
    fails: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry, sees = world.watch("1")
    twin = waiter("1")
    twin.onlooker = twin_sees = Sees()
    world.plan.join(twin, world.now)
    world.plan.schedule(entry, world.now + 1e6)

    def refuse(*_: Any) -> None:
        raise RuntimeError("a mistake")

    if fails == "the wait":
        broken = entry.waiters[0].wait
        of_class = type(broken).tasks_listed
        monkeypatch.setattr(
            type(broken), "tasks_listed", lambda w, *a: refuse() if w is broken else of_class(w, *a)
        )
    else:
        monkeypatch.setattr(sees, "tasks_listed", refuse)
    world.go_on_for(70.0)
    assert twin.wait.tasks is not None
    assert len(twin_sees.at) == 1
    assert len(world.go_on_for(650.0)) == 1  # and it goes on


# -- when it fails -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "calls"),
    [
        pytest.param([DENIED] * 3, 3, id="denied, for three runs"),
        pytest.param([Fault(FaultKind.REFUSED, "no such operation")] * 3, 3, id="refused, for three runs"),
        pytest.param([AWAY] * 3, 3, id="away, three times in a row"),
        pytest.param([RuntimeError("a mistake")] * 3, 3, id="a mistake of ours, three times in a row"),
    ],
)
def test_lists_that_fail_are_done_without_for_an_hour_with_one_line(
    answers: list[Any], calls: int, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "airflow_omics")
    for number in range(5):
        world.watch(str(number))
    world.answers = answers
    asked = world.go_on_for(3500.0)
    assert len(asked) == calls
    [line] = [record for record in caplog.records if "not listed" in record.getMessage()]
    assert line.levelno == logging.INFO
    assert "The tasks of runs are not listed for 3600 s" in line.getMessage()
    assert len(world.go_on_for(400.0)) == 5


def test_a_failure_now_and_then_puts_off_only_its_run(world: World) -> None:
    for number in range(4):
        world.watch(str(number))
    world.answers = [AWAY, AWAY, TaskPage([], None, 0.0), AWAY]
    assert [run_id for _, run_id, _ in world.go_on_for(100.0)] == ["0", "1", "2", "3"]
    assert [run_id for _, run_id, _ in world.go_on_for(610.0)] == ["0", "1", "2", "3"]


@pytest.mark.parametrize("kind", [FaultKind.DENIED, FaultKind.REFUSED])
def test_a_run_that_is_denied_is_put_off_for_an_hour_and_no_other(
    kind: FaultKind, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A policy scoped by tag denies a run that was deleted, and one that lacks the tag."""
    for number in range(5):
        world.watch(str(number))
    world.answers = [Fault(kind, "not this one")]
    assert [run_id for _, run_id, _ in world.go_on_for(100.0)] == ["0", "1", "2", "3", "4"]
    assert [run_id for _, run_id, _ in world.go_on_for(610.0)] == ["1", "2", "3", "4"]
    assert "not listed" not in caplog.text
    asked = [at for at, run_id, _ in world.go_on_for(3300.0) if run_id == "0"]
    assert len(asked) == 1
    assert asked[0] >= 3600.0


def test_a_run_that_is_not_found_is_put_off_and_no_other(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(5):
        world.watch(str(number))
    world.answers = [GONE] * 4
    assert len(world.go_on_for(100.0)) == 5
    assert "not listed" not in caplog.text


# -- with a watcher ------------------------------------------------------------------------------------------


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_sweeps, "FIRST_AFTER", 0.1)
    monkeypatch.setattr(task_sweeps, "_LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(task_sweeps, "TASKS_EVERY", 0.2)


def test_lists_of_tasks_take_a_tenth_of_the_rate(omics: Emulator, rate: Any, soon: None) -> None:
    rate(50)
    run_ids = omics.start_runs(3, life="running-forever")
    for run_id in run_ids:
        omics.move(run_id, "RUNNING")

    async def body() -> None:
        waits = start_waits(run_ids)
        await seen(omics, "ListRunTasks", 8)
        await stop(waits.values())

    run_loop(body)
    assert most_within(moments(omics.requests("ListRunTasks")), 0.9) <= 5


def own() -> Any:
    return RATES.limiter("ListRunTasks", "us-east-1", "123456789012", 5.0)


def test_throttled_lists_of_tasks_halve_their_own_share_and_nothing_else(
    omics: Emulator, rate: Any, soon: None
) -> None:
    rate(50)
    [run_id] = omics.start_runs(1, life="running-forever")
    omics.move(run_id, "RUNNING")
    omics.fault("ListRunTasks", "throttle", times=1)
    own()._halved_at -= 10.0  # so that it may be halved at once

    async def body() -> tuple[float, float]:
        waits = start_waits([run_id])
        await seen(omics, "ListRunTasks", 1)
        async with asyncio.timeout(5.0):
            while own().rate > 4.0:
                await asyncio.sleep(0.005)
        rates = own().ceiling, RATES.limiter("GetRun", "us-east-1", "123456789012", 50.0).rate
        await stop(waits.values())
        return rates

    assert run_loop(body) == (5.0, 50.0)


@pytest.mark.parametrize("value", ["False", "perhaps"])
def test_without_progress_no_tasks_are_listed(
    value: str, omics: Emulator, soon: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__OMICS__PROGRESS", value)
    [run_id] = omics.start_runs(1, life="running-forever")
    omics.move(run_id, "RUNNING")

    async def body() -> None:
        waits = start_waits([run_id])
        await seen(omics, "GetRun", 4)
        await stop(waits.values())

    run_loop(body)
    assert "ListRunTasks" not in omics.counts()


@pytest.mark.parametrize("kind", ["access-denied", "throttle", "internal-error", "hang"])
def test_no_fault_of_a_list_of_tasks_reaches_a_wait(kind: str, omics: Emulator, soon: None) -> None:
    [run_id] = omics.start_runs(1, life="running-forever")
    omics.move(run_id, "RUNNING")
    omics.fault("ListRunTasks", kind)

    async def body() -> dict[Any, str]:
        waits = start_waits([run_id])
        await seen(omics, "ListRunTasks", 1)
        omics.move(run_id, "COMPLETED")
        return await ends(waits, 10.0)

    assert run_loop(body) == {run_id: "COMPLETED"}


def test_a_page_that_makes_no_sense_reaches_no_wait(
    omics: Emulator, soon: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def garbled(client: Any, run_id: str, token: str | None = None) -> TaskPage:
        seen_at.set()
        return TaskPage([{"taskId": 7, "creationTime": object(), "name": None}, {}], None, 0.0)

    monkeypatch.setattr(OmicsAsyncClient, "list_run_tasks", garbled)
    [run_id] = omics.start_runs(1, life="running-forever")
    omics.move(run_id, "RUNNING")
    seen_at = asyncio.Event()

    async def body() -> dict[Any, str]:
        waits = start_waits([run_id])
        async with asyncio.timeout(10.0):
            await seen_at.wait()
        omics.move(run_id, "COMPLETED")
        return await ends(waits, 10.0)

    assert run_loop(body) == {run_id: "COMPLETED"}
