"""What a sweep says of each run, and when there is one, by a list and a clock that the test turns."""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from airflow_omics._faults import Fault
from airflow_omics._watching import sweeps
from airflow_omics._watching.sweeps import Sweeper
from airflow_omics._watching.watchlist import Entry, SweepCost, Watchlist
from airflow_omics.exceptions import FaultKind
from tests.support.clocks import turn
from tests.support.plans import CREATED, T0, UUID, arn_of, drain, item, join, look

pytestmark = pytest.mark.any_airflow

AWAY = Fault(FaultKind.TRANSIENT, "the service is away")


class World:
    """Lists active runs, oldest first; it is the clock as well, which whoever sleeps turns."""

    def __init__(self) -> None:
        self.now = T0
        self.slept: list[float] = []
        self.runs: dict[str, dict[str, Any]] = {}
        self.listed_as: dict[str, dict[str, Any]] = {}
        self.faults: list[Fault] = []
        self.asked: list[tuple[float, str, str | None]] = []
        self.before_page: Callable[[int], None] = lambda number: None
        self.plan = Watchlist()
        self.wake = asyncio.Event()
        self.sweeper = Sweeper(self.plan, self._list_page, self.wake)

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    async def pause(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def _list_page(self, status: str, token: str | None) -> Any:
        self.before_page(len(self.asked))
        self.asked.append((self.now - T0, status, token))
        if self.faults:
            return self.faults.pop(0)
        items = [
            {**item, **self.listed_as.get(run_id, {})}
            for run_id, item in self.runs.items()
            if item.get("status", status) == status
        ]
        end = int(token or 0) + 100
        return items[end - 100 : end], str(end) if end < len(items) else None

    def watch(
        self, count: int, status: str = "RUNNING", interval: float = 60.0, prefix: str = ""
    ) -> list[Entry]:
        """Wait for so many runs that are active, and that GetRun has just spoken for."""
        entries = []
        for number in range(count):
            entry = join(self.plan, f"{prefix}{number}", self.now, interval=interval)
            look(self.plan, entry, self.now, self.now + interval, status)
            self.runs[entry.id] = item(entry, status)
            entries.append(entry)
        self.now += 1.0
        return entries

    def add_foreign(self, count: int) -> None:
        for number in range(count):
            id_ = f"foreign {number}"
            self.runs[id_] = {"id": id_, "arn": arn_of(id_), "status": "RUNNING", "creationTime": CREATED}

    def move(self, run_id: str, status: str) -> None:
        self.runs[run_id]["status"] = status

    def once(self) -> None:
        asyncio.run(self.sweeper.run_once())

    def go_on_for(self, seconds: float) -> list[float]:
        """Let time pass; return when a sweep began in it, in seconds since the beginning."""
        before, until = len(self.asked), self.now + seconds

        async def body() -> None:
            while self.now < until:
                await self.sweeper.run_once()

        asyncio.run(body())
        return [at for at, status, token in self.asked[before:] if (status, token) == ("RUNNING", None)]

    def suspects(self) -> list[str]:
        return [entry.id for entry in self.plan.entries.values() if entry.suspect]

    def urgent(self) -> list[str]:
        return drain(self.plan, self.now)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    turn(monkeypatch, world)
    monkeypatch.setattr(sweeps, "asyncio", SimpleNamespace(sleep=world.pause))
    monkeypatch.setattr(sweeps.Sweeper, "_wait", lambda sweeper, seconds: world.pause(seconds))
    return world


# -- what a sweep says of a run ------------------------------------------------------------------------------


def test_a_run_that_is_listed_needs_no_getrun_and_one_that_is_not_has_the_next(world: World) -> None:
    entries = world.watch(40)
    world.now += 58.0
    del world.runs["7"]
    world.once()
    assert world.wake.is_set()
    assert world.urgent() == ["7"]
    world.now += 59.9
    assert world.urgent() == ["7"]  # as nobody has read it
    assert {entry.confirmed_at for entry in entries if entry.id != "7"} == {T0 + 59.0}


def test_every_page_of_every_status_that_a_run_may_have_by_then_is_listed(world: World) -> None:
    world.watch(150, "STARTING")
    world.once()
    asked = [(status, token) for _, status, token in world.asked]
    assert asked == [("STARTING", None), ("STARTING", "100"), ("RUNNING", None), ("STOPPING", None)]
    assert world.suspects() == []


def test_a_run_that_moves_on_during_a_sweep_is_met_in_its_new_status(world: World) -> None:
    [entry, *_] = world.watch(40, "STARTING")
    world.before_page = lambda number: world.move("0", "RUNNING")
    world.once()
    assert world.suspects() == []
    assert entry.status == "RUNNING"


def test_a_wait_reports_what_a_list_says(world: World) -> None:
    [entry, *_] = world.watch(40, "STARTING")
    [waiter] = entry.waiters
    list(waiter.wait.lines.take())
    waiter.stirred = stirred = Mock(done=lambda: False)
    world.move("0", "RUNNING")
    world.once()
    stirred.set_result.assert_called_once_with(None)  # the task writes its line now, not at the next look
    [(_, line)] = waiter.wait.lines.take()
    assert line == "HealthOmics run 0 is RUNNING, was STARTING (1 s since the first look)"


def test_a_list_that_lags_takes_no_wait_back(world: World) -> None:
    [entry, *_] = world.watch(40, "STARTING")
    look(world.plan, entry, world.now, world.now + 60.0)  # it is RUNNING
    [waiter] = entry.waiters
    list(waiter.wait.lines.take())
    world.once()
    assert list(waiter.wait.lines.take()) == []
    assert entry.status == "RUNNING"


def test_a_run_that_is_listed_without_a_status_has_the_one_that_was_asked_for(world: World) -> None:
    world.watch(40)
    entry = join(world.plan, "new", world.now, uuid=UUID)
    world.runs["new"] = {"id": "new", "arn": arn_of("new"), "creationTime": CREATED}
    world.once()
    [waiter] = entry.waiters
    assert [line for _, line in waiter.wait.lines.take()] == [
        "HealthOmics run new is PENDING (1 s since the first look)"
    ]


def test_runs_that_came_or_were_read_since_the_sweep_began_are_no_suspects(world: World) -> None:
    entries = world.watch(40)

    def page(number: int) -> None:
        if number == 0:
            join(world.plan, "came", world.now, uuid=UUID)
            look(world.plan, entries[7], world.now, world.now + 60.0)
            for gone in ("7", "8"):
                del world.runs[gone]

    world.before_page = page
    world.once()
    assert world.suspects() == ["8"]


@pytest.mark.parametrize(
    ("members", "is_ours"),
    [
        ({}, True),
        ({"arn": None}, True),
        ({"arn": arn_of("another")}, False),
        ({"creationTime": None}, False),
        ({"creationTime": "2026"}, False),
        ({"creationTime": CREATED + datetime.timedelta(seconds=0.9)}, True),
        ({"creationTime": CREATED + datetime.timedelta(seconds=1.0)}, False),
        ({"creationTime": CREATED - datetime.timedelta(seconds=1.0)}, False),
        ({"status": "COMPLETED"}, False),
        ({"status": ["RUNNING"]}, False),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_list_speaks_for_a_run_only_if_it_means_that_run_and_says_that_it_is_active(
    members: dict[str, Any], is_ours: bool, world: World
) -> None:
    world.watch(40)
    world.go_on_for(70.0)  # so that the order is known: a run that is not ours leaves no gap in it
    world.listed_as["7"] = members
    assert world.go_on_for(60.0) == [121.0]
    assert world.suspects() == ([] if is_ours else ["7"])


@pytest.mark.parametrize(("made", "is_ours"), [(59.0, True), (61.0, False)])
def test_a_run_that_nobody_has_read_was_made_before_all_who_wait_were_given_its_id(
    made: float, is_ours: bool, world: World
) -> None:
    """Clocks may differ by a minute."""
    world.watch(40)
    entry = join(world.plan, "new", world.now, uuid=UUID)
    world.now += 1.0
    created = datetime.datetime.fromtimestamp(T0 + made, datetime.UTC)
    world.runs["new"] = {**item(entry), "creationTime": created}
    world.once()
    assert world.suspects() == ([] if is_ours else ["new"])
    assert entry.created == (T0 + made if is_ours else None)


def test_nonsense_about_one_run_is_no_word_of_it_and_hides_no_other(world: World) -> None:
    class NoYear(datetime.datetime):
        def timestamp(self) -> float:
            raise OverflowError("no such year")

    world.watch(40)
    world.go_on_for(70.0)  # so that the order is known: nonsense leaves no gap in it
    world.runs["7"]["creationTime"] = NoYear(9999, 1, 1)
    assert world.go_on_for(60.0) == [121.0]
    assert world.suspects() == ["7"]


def test_foreign_runs_are_nothing_to_wonder_at(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "airflow_omics")
    world.watch(40)
    world.add_foreign(200)
    world.runs = dict(reversed(world.runs.items()))  # they are listed before ours
    assert world.go_on_for(130.0) == [1.0, 61.0, 121.0]
    assert world.suspects() == []
    assert set(world.plan.entries) == {str(number) for number in range(40)}
    assert caplog.messages == []


# -- the order of the list -----------------------------------------------------------------------------------


def test_a_run_that_a_steady_list_passes_over_is_a_suspect_as_soon_as_its_page_went_by(world: World) -> None:
    world.watch(250)
    world.go_on_for(70.0)  # two sweeps: the order is known, and is steady
    assert [at for at, _, token in world.asked if token == "200"] == [1.0, 61.0]
    for gone in ("0", "7", "8"):
        del world.runs[gone]
    seen: list[tuple[list[str], bool]] = []
    world.before_page = lambda number: seen.append((world.suspects(), world.wake.is_set()))
    world.wake.clear()
    world.go_on_for(60.0)
    # Before each page, of RUNNING three and of STOPPING one; the watcher is woken to ask for them at once.
    assert seen == [([], False), *[(["0", "7", "8"], True)] * 3]


def test_ten_runs_among_foreign_ones_have_an_order_as_well(world: World) -> None:
    world.watch(10)
    world.add_foreign(150)
    world.go_on_for(70.0)
    del world.runs["7"]
    seen: list[list[str]] = []
    world.before_page = lambda number: seen.append(world.suspects())
    world.go_on_for(60.0)
    assert seen == [[], ["7"], ["7"]]


def swap(world: World, step: int) -> None:
    """Let every so many runs change places with the next."""
    order = list(world.runs)
    for at in range(0, len(order) - 1, step):
        order[at], order[at + 1] = order[at + 1], order[at]
    world.runs = {run_id: world.runs[run_id] for run_id in order}


@pytest.mark.parametrize(
    "turn", [lambda world: swap(world, 20), lambda world: swap(world, 2)], ids=["a few", "all"]
)
def test_a_list_in_another_order_every_time_passes_over_nobody(
    turn: Callable[[World], None], world: World
) -> None:
    world.watch(150)
    for _ in range(3):
        world.go_on_for(60.0)
        turn(world)
    seen: list[list[str]] = []
    world.before_page = lambda number: seen.append(world.suspects())
    del world.runs["7"]
    world.go_on_for(60.0)
    assert seen == [[], [], []]
    assert world.suspects() == ["7"]


def test_two_runs_of_a_hundred_that_changed_places_leave_a_list_steady(world: World) -> None:
    world.watch(110)
    world.go_on_for(60.0)
    swap(world, 100)
    world.go_on_for(60.0)
    seen: list[list[str]] = []
    world.before_page = lambda number: seen.append(world.suspects())
    del world.runs["7"]
    world.go_on_for(60.0)
    assert seen[1] == ["7"]


def test_a_cohort_that_moved_on_at_once_is_still_to_come_whatever_the_order(world: World) -> None:
    world.watch(150, "STARTING")
    world.go_on_for(120.0)
    world.runs = dict(reversed(world.runs.items()))
    for run_id in world.runs:
        world.move(run_id, "RUNNING")
    seen: list[list[str]] = []
    world.before_page = lambda number: seen.append(world.suspects())
    world.go_on_for(60.0)
    assert len(seen) >= 4
    assert [suspects for suspects in seen if suspects] == []
    assert world.suspects() == []


# -- when there is a sweep -----------------------------------------------------------------------------------


def test_there_is_a_sweep_each_interval_and_nobody_is_slept_past_it(world: World) -> None:
    world.watch(40)
    assert world.go_on_for(200.0) == [1.0, 61.0, 121.0, 181.0]
    assert max(world.slept) == 60.0


def test_a_sweep_is_late_by_a_twentieth_of_a_second_at_most(world: World) -> None:
    world.watch(40, interval=60.02)
    begun = world.go_on_for(130.0)
    assert begun == pytest.approx([1.0, 61.05, 121.1], abs=0.04)


def test_nothing_is_listed_if_nobody_waits(world: World) -> None:
    assert world.go_on_for(3600.0) == []
    assert world.asked == []
    assert world.slept == [60.0] * 60


def test_it_is_woken_by_who_comes_or_goes() -> None:
    sweeper = World().sweeper

    async def body() -> None:
        asleep = asyncio.create_task(sweeper.run_once())
        await asyncio.sleep(0.0)
        sweeper.stir()
        await asyncio.wait_for(asleep, 5.0)

    asyncio.run(body())


def test_two_statuses_for_three_runs_are_cheaper_than_three_getruns_every_time(world: World) -> None:
    world.watch(3)
    assert world.go_on_for(180.0) == [1.0, 61.0, 121.0]


def test_getruns_for_runs_that_were_as_known_belong_to_the_cost_of_a_sweep(world: World) -> None:
    world.watch(20)
    world.once()
    world.sweeper.suspected_wrongly += 18  # with two pages as dear as a GetRun for each of twenty runs
    assert world.go_on_for(900.0) == [61.0]
    assert world.sweeper.suspected_wrongly == 0


def test_a_sweep_that_becomes_too_dear_is_given_up_and_tried_again_in_a_quarter_of_an_hour(
    world: World,
) -> None:
    entries = world.watch(20)
    world.add_foreign(3000)
    world.runs = dict(reversed(world.runs.items()))  # ours are listed last
    world.once()
    assert len(world.asked) == 21
    assert world.suspects() == []
    assert world.wake.is_set()
    assert [world.sweeper.looks_within(entry) for entry in entries] == [60.0] * 20
    for entry in entries:
        look(world.plan, entry, world.now, world.now + 1e5)
    assert world.go_on_for(899.0) == []
    assert world.go_on_for(3.0) == [901.0]


def test_a_sweep_that_was_too_dear_is_tried_again_as_soon_as_so_many_more_wait(world: World) -> None:
    world.watch(20)
    world.add_foreign(3000)
    world.runs = dict(reversed(world.runs.items()))
    world.once()
    assert len(world.asked) == 21
    for run_id, more in (("a", False), ("b", False), ("c", True)):
        entry = join(world.plan, run_id, world.now)
        look(world.plan, entry, world.now, world.now + 1e5)
        assert bool(world.go_on_for(60.0)) is more


def test_a_sweep_that_was_given_up_puts_no_getrun_off(world: World) -> None:
    entries = world.watch(20)
    world.add_foreign(3000)  # ours are listed first
    world.once()
    assert len(world.asked) == 21
    assert {entry.due_at for entry in entries} == {T0 + 61.0}


def test_so_many_runs_due_at_once_that_a_list_is_quicker_are_listed_out_of_turn(world: World) -> None:
    entries = world.watch(40)
    world.once()
    assert len(world.asked) == 2
    for entry in entries[:2]:
        world.plan.schedule(entry, world.now)
    assert world.go_on_for(20.0) == []
    world.plan.schedule(entries[2], world.now)
    assert world.go_on_for(1.0) == [21.0]
    assert world.urgent() == []


@pytest.mark.parametrize(("foreign", "pages"), [(250, 4), (350, 3)])
def test_a_sweep_out_of_turn_is_given_up_once_it_takes_more_pages_than_half_of_the_runs(
    foreign: int, pages: int, world: World
) -> None:
    """Of runs with such intervals a sweep is worth it only now that all of them are due."""
    entries = [
        world.watch(1, interval=interval, prefix=f"{interval} ")[0] for interval in (10, 100, 1000, 1e4)
    ]
    world.add_foreign(foreign)
    assert world.go_on_for(5.0) == []
    for entry in entries:
        world.plan.schedule(entry, world.now)
    world.once()
    assert len(world.asked) == pages


def test_no_sweep_out_of_turn_follows_another_within_five_seconds(world: World) -> None:
    entries = world.watch(40)
    world.once()
    for entry in entries:
        world.plan.schedule(entry, world.now)
    assert world.go_on_for(10.0) == [6.0]


@pytest.mark.parametrize(
    ("seconds_a_page", "interval", "within"),
    [(1.0, 60.0, 67.5), (10.0, 60.0, 90.0), (1.0, 600.0, 607.5), (1.0, 5.0, 5.0)],
)
def test_a_run_that_lists_speak_for_is_due_an_interval_and_half_a_sweep_later(
    seconds_a_page: float, interval: float, within: float, world: World
) -> None:
    def page(number: int) -> None:
        world.now += seconds_a_page

    world.watch(40)
    entry = join(world.plan, "other", world.now, interval=interval)
    look(world.plan, entry, world.now, world.now + interval)
    world.runs["other"] = item(entry)
    world.before_page = page
    world.once()
    assert world.sweeper.looks_within(entry) == within


def test_until_a_sweep_was_complete_nobody_relies_on_the_next(world: World) -> None:
    [entry, *_] = world.watch(40)
    assert world.sweeper.looks_within(entry) == 60.0


# -- lists that cannot be had --------------------------------------------------------------------------------


def pauses(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return for how many seconds lists were done without, each time, as the log says it."""
    said = [message for message in caplog.messages if "cannot be listed" in message]
    return [message.split(" for ")[1].split(" s,")[0] for message in said]


@pytest.mark.parametrize("kind", [FaultKind.DENIED, FaultKind.REFUSED, FaultKind.NOT_FOUND])
def test_lists_that_are_denied_or_refused_are_asked_for_once_an_hour(
    kind: FaultKind, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    entries = world.watch(40)
    assert world.go_on_for(119.0) == [1.0, 61.0]
    assert {entry.due_at for entry in entries} == {T0 + 61.0 + 67.5}
    world.now = T0 + 121.0
    world.wake.clear()
    world.faults = [Fault(kind, "no")]
    world.once()
    assert pauses(caplog) == ["3600"]
    # Nobody goes on to rely on a list.
    assert world.wake.is_set()
    assert {entry.due_at for entry in entries} == {T0 + 61.0 + 60.0}
    assert [world.sweeper.looks_within(entry) for entry in entries] == [60.0] * 40
    # Nor for all the runs that are due by then.
    assert world.go_on_for(3599.0) == []
    assert world.go_on_for(3.0) == [3721.0]


def test_a_page_is_asked_for_five_times_before_lists_are_done_without(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.watch(40)
    world.faults = [AWAY] * 4
    world.once()
    # With pauses that grow, each from half to all of these.
    assert [
        most / 2 <= slept <= most for slept, most in zip(world.slept, [0.5, 1.0, 2.0, 4.0], strict=True)
    ] == [True] * 4
    assert [(status, token) for _, status, token in world.asked] == [("RUNNING", None)] * 5 + [
        ("STOPPING", None)
    ]
    assert pauses(caplog) == []
    world.now = T0 + 61.0
    world.faults = [AWAY] * 5
    world.once()
    assert len(world.asked) == 11
    assert pauses(caplog) == ["60"]


def test_lists_that_fail_again_are_done_without_twice_as_long_up_to_an_hour(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    entries = world.watch(40)
    world.faults = [AWAY] * 5 * 8
    world.go_on_for(6 * 3600.0)
    assert pauses(caplog) == ["60", "120", "240", "480", "960", "1920", "3600", "3600"]
    assert world.faults == []
    # A sweep that works restarts the count.
    caplog.clear()
    for entry in entries:
        look(world.plan, entry, world.now, world.now + 1e5)
    world.go_on_for(300.0)
    world.faults = [AWAY] * 5
    world.go_on_for(120.0)
    assert pauses(caplog) == ["60"]


def test_a_list_without_sense_is_done_without_for_a_minute_and_comes_out(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.watch(40)
    world.runs["no id"] = {}
    with pytest.raises(KeyError, match="id"):
        world.once()
    assert pauses(caplog) == ["60"]
    assert world.go_on_for(59.0) == []


@pytest.mark.parametrize("name", ["period", "estimate"])
def test_a_mistake_in_what_a_sweep_costs_is_not_repeated_each_second(
    name: str, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def mistake(*_: Any) -> None:
        raise ZeroDivisionError

    entries = world.watch(40)
    with monkeypatch.context() as patch:
        patch.setattr(SweepCost, name, mistake)
        with pytest.raises(ZeroDivisionError):
            world.once()
        assert pauses(caplog) == ["60"]
        assert world.go_on_for(59.0) == []
    assert [world.sweeper.looks_within(entry) for entry in entries] == [60.0] * 40
    assert world.go_on_for(2.0) == [61.0]
