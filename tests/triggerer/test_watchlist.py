"""The plan: which run deserves the next GetRun, and when listing is the cheaper way. No calls, no clock."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_omics._watching.watcher import _check_pause
from airflow_omics._watching.watchlist import SweepCost, Waiter, Watchlist
from tests.support.plans import T0, UUID, drain, item, join, look, waiter

pytestmark = pytest.mark.any_airflow


@pytest.fixture
def plan() -> Watchlist:
    return Watchlist()


def test_a_run_that_nobody_has_read_is_due_at_once(plan: Watchlist) -> None:
    join(plan, "1")
    assert plan.next_due_at() == T0
    assert drain(plan, T0) == ["1"]


def test_a_run_that_a_worker_has_just_read_is_due_after_a_part_of_the_interval(plan: Watchlist) -> None:
    entry = join(plan, "1", uuid=UUID)
    assert T0 < entry.due_at < T0 + 60.0


def test_the_longest_due_goes_first(plan: Watchlist) -> None:
    for run_id in ("1", "2", "3"):
        join(plan, run_id)
    assert drain(plan, T0) == ["1", "2", "3"]
    for run_id, due_at in (("1", 30.0), ("2", 10.0), ("3", 20.0)):
        look(plan, plan.entries[run_id], T0, T0 + due_at)
    assert drain(plan, T0 + 60) == ["2", "3", "1"]


def test_nothing_is_taken_before_it_is_due(plan: Watchlist) -> None:
    look(plan, join(plan, "1"), T0, T0 + 60)
    assert drain(plan, T0 + 59.9) == []
    assert not plan.has_urgent(T0 + 59.9)
    assert plan.has_urgent(T0 + 60)


def test_suspects_go_before_due_runs_and_those_before_identities_and_checks(plan: Watchlist) -> None:
    for run_id in ("suspect", "due", "unidentified", "check"):
        join(plan, run_id)
    entries = plan.entries
    for run_id in ("suspect", "due", "check"):
        look(plan, entries[run_id], T0, T0 + 1e5)
    for run_id in ("unidentified", "check"):
        plan.vouched_for(entries[run_id], item(entries[run_id]), T0 + 1, T0 + 1e5)
    plan.schedule(entries["due"], T0 + 10)
    plan.suspect(entries["suspect"])
    now = T0 + 700
    assert drain(plan, now) == ["suspect", "due"]
    assert plan.has_spare
    spare = plan.next_spare()
    assert spare is not None
    assert spare.id == "unidentified"
    look(plan, spare, now, now + 1e5)
    checked = plan.next_check(now)
    assert checked is not None
    assert checked.id == "check"


def test_of_suspects_the_longest_unconfirmed_goes_first(plan: Watchlist) -> None:
    for run_id, at in (("1", 20.0), ("2", 5.0), ("3", 10.0)):
        look(plan, join(plan, run_id), T0 + at, T0 + 1e5)
    for run_id in ("1", "2", "3"):
        plan.suspect(plan.entries[run_id])
        plan.suspect(plan.entries[run_id])
    assert drain(plan, T0 + 30) == ["2", "3", "1"]


def test_a_run_that_lists_vouch_for_is_not_due(plan: Watchlist) -> None:
    entry = join(plan, "1")
    look(plan, entry, T0, T0 + 60)
    for now in range(30, 600, 30):
        plan.vouched_for(entry, item(entry), T0 + now, T0 + now + 60)
        assert drain(plan, T0 + now) == []


def test_a_run_that_a_list_confirms_while_it_is_due_gets_no_getrun(plan: Watchlist) -> None:
    entry = join(plan, "1")
    look(plan, entry, T0, T0 + 60)
    assert plan.gather(T0 + 60) == 1
    plan.vouched_for(entry, item(entry), T0 + 60, T0 + 120)
    assert drain(plan, T0 + 119) == []
    assert drain(plan, T0 + 120) == ["1"]


def test_the_check_of_a_run_that_a_worker_has_just_read_counts_from_then(plan: Watchlist) -> None:
    """The sensor looked before it deferred: ten minutes of lists alone begin there."""
    entry = join(plan, "1", uuid=UUID)
    for now in range(10, 600, 10):
        plan.vouched_for(entry, item(entry), T0 + now, T0 + now + 60)
        assert plan.next_check(T0 + now) is None
    assert plan.next_check(T0 + 600) is entry


def test_no_list_puts_a_deadline_off(plan: Watchlist) -> None:
    entry = join(plan, "1", timeout=100.0)
    look(plan, entry, T0, T0 + 60)
    plan.vouched_for(entry, item(entry), T0 + 50, T0 + 500)
    assert drain(plan, T0 + 99) == []
    assert drain(plan, T0 + 100) == ["1"]


@pytest.mark.parametrize("ahead", [-1e6, 1e6])
def test_a_deadline_is_wall_time_and_all_else_is_not(ahead: float, plan: Watchlist) -> None:
    plan.wall_ahead = ahead
    now = T0 - ahead
    entry = join(plan, "1", now, timeout=100.0)
    look(plan, entry, now, now + 500)
    assert drain(plan, now + 99) == []
    assert drain(plan, now + 100) == ["1"]


def test_the_earliest_deadline_of_two_waiters_counts(plan: Watchlist) -> None:
    entry = join(plan, "1", timeout=1000.0)
    early = waiter("1", timeout=100.0)
    look(plan, entry, T0, T0 + 500)
    plan.join(early, T0 + 1)
    look(plan, entry, T0 + 2, T0 + 500)
    assert drain(plan, T0 + 100) == ["1"]
    plan.leave(entry, early)
    look(plan, entry, T0 + 101, T0 + 2000)
    assert drain(plan, T0 + 999) == []
    assert drain(plan, T0 + 1000) == ["1"]


@pytest.mark.parametrize("uuid", [None, UUID])
def test_a_wait_that_comes_after_its_deadline_is_due_at_once(uuid: str | None, plan: Watchlist) -> None:
    join(plan, "1", uuid=uuid, timeout=-10.0, interval=3600.0)
    assert drain(plan, T0) == ["1"]


def test_the_shortest_interval_of_the_waiters_counts(plan: Watchlist) -> None:
    entry = join(plan, "1", interval=60.0)
    eager = waiter("1", interval=5.0)
    plan.join(eager, T0)
    assert entry.interval == 5.0
    assert list(plan.intervals_in_use()) == [(5.0, 1)]
    plan.leave(entry, eager)
    assert entry.interval == 60.0
    assert list(plan.intervals_in_use()) == [(60.0, 1)]


def test_leaving_twice_and_leaving_last_leaves_nothing(plan: Watchlist) -> None:
    one = waiter("1")
    entry = plan.join(one, T0)
    plan.suspect(entry)
    for _ in range(2):
        plan.leave(entry, one)
    assert len(plan) == 0
    assert list(plan.intervals_in_use()) == []
    assert drain(plan, T0 + 1e6) == []
    assert not plan.has_spare


def test_a_run_that_left_and_came_back_is_another_entry(plan: Watchlist) -> None:
    one = waiter("1")
    old = plan.join(one, T0)
    plan.leave(old, one)
    new = join(plan, "1", now=T0 + 1)
    assert new is not old
    assert drain(plan, T0 + 2) == ["1"]
    assert drain(plan, T0 + 2) == []


def test_a_run_that_is_being_looked_at_is_not_taken_again(plan: Watchlist) -> None:
    entry = join(plan, "1")
    assert drain(plan, T0) == ["1"]
    entry.in_flight = True
    plan.suspect(entry)
    assert drain(plan, T0 + 1e6) == []


def test_heaps_do_not_grow_over_a_hundred_sweeps_of_a_thousand_runs(plan: Watchlist) -> None:
    for number in range(1000):
        look(plan, join(plan, str(number)), T0, T0 + 150)
    for sweep in range(1, 101):
        now = T0 + 60 * sweep
        for entry in plan.entries.values():
            plan.vouched_for(entry, item(entry), now, now + 150)
        drain(plan, now)
        assert len(plan._due) <= 2000
        assert len(plan._checks) <= 2000
        assert len(plan._suspects) <= 2000


def test_heaps_do_not_hold_on_to_runs_that_left(plan: Watchlist) -> None:
    waiters = [waiter(str(number)) for number in range(5000)]
    for one in waiters:
        entry = plan.join(one, T0)
        look(plan, entry, T0, T0 + 150)
        plan.vouched_for(entry, item(entry), T0 + 1, T0 + 150)
        plan.suspect(entry)
    for one in waiters[10:]:
        plan.leave(plan.entries[one.wait.target.id], one)
    assert [len(heap) <= 200 for heap in (plan._due, plan._checks, plan._suspects)] == [True] * 3


def test_every_run_gets_a_getrun_within_the_hour_whatever_lists_say(plan: Watchlist) -> None:
    """A thousand runs that begin together and that every sweep vouches for, at the default rate."""
    for number in range(1000):
        look(plan, join(plan, str(number)), T0, T0 + 150)
    ages, next_check_at = [], 0.0
    for step in range(1, 3 * 6000):
        now = T0 + step * 0.6
        if step % 100 == 0:
            for entry in plan.entries.values():
                plan.vouched_for(entry, item(entry), now, now + 150)
        if now >= next_check_at and plan.has_check(now):
            entry = plan.next_check(now)
            next_check_at = now + _check_pause(len(plan), 5.0)
            if entry is not None:
                ages.append(now - entry.looked_at)
                look(plan, entry, now, now + 150)
    assert max(ages) <= 3600.0
    assert max(T0 + 3 * 3600 - entry.looked_at for entry in plan.entries.values()) <= 3600.0
    # From at most a tenth of the rate.
    assert len(ages) <= 0.5 * 3 * 3600


def test_the_hourly_check_takes_at_most_a_tenth_of_the_rate() -> None:
    for watched in (1, 10, 500, 1800, 5000, 20_000):
        assert 1.0 / _check_pause(watched, 5.0) <= 0.5


def test_more_runs_than_can_be_checked_within_the_hour_are_checked_at_a_twentieth_of_the_rate() -> None:
    assert _check_pause(20_000, 5.0) == 4.0


def plan_of(intervals: list[float]) -> Watchlist:
    plan = Watchlist()
    for number, interval in enumerate(intervals):
        join(plan, str(number), interval=interval)
    return plan


@pytest.mark.parametrize(
    ("count", "interval", "pages", "period"),
    [
        (1, 60.0, None, None),
        (2, 60.0, None, None),
        (300, 5.0, None, 5.0),
        (5000, 30.0, 51, 30.0),
        (20, 60.0, 51, None),
        (3, 60.0, 4, None),
        (5, 60.0, 4, 60.0),
    ],
)
def test_the_cheaper_way(count: int, interval: float, pages: int | None, period: float | None) -> None:
    cost = SweepCost() if pages is None else SweepCost(pages, T0 + 900)
    assert cost.period(plan_of([interval] * count), T0) == period


def test_what_a_sweep_cost_is_forgotten_in_time() -> None:
    cost = SweepCost(51, T0 + 900)
    assert cost.estimate(300, T0) == 51
    assert cost.estimate(300, T0 + 900) == 4
    assert cost.estimate(9000, T0) == 91


@given(
    intervals=st.lists(st.sampled_from([0.5, 5.0, 30.0, 60.0, 300.0, 3600.0]), max_size=60),
    pages=st.integers(0, 60),
)
def test_the_plan_is_never_dearer_than_a_getrun_each(intervals: list[float], pages: int) -> None:
    each = sum(1.0 / interval for interval in intervals)
    cost = SweepCost(pages, T0 + 900)
    period = cost.period(plan_of(intervals), T0)
    if period is None:
        least = max(pages, 4)  # a page for each of the four statuses
        cheaper = [
            t
            for t in set(intervals)
            if least / t + sum(1.0 / i for i in intervals if i < t) < each * (1 - 1e-9)
        ]
        assert cheaper == []
    else:
        assert period in intervals
        sweeps = max(pages, 1) / period
        assert sweeps + sum(1.0 / i for i in intervals if i < period) < each


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["join", "leave", "look", "list", "suspect"]))))
def test_no_order_of_events_loses_a_run(events: list[tuple[int, str]]) -> None:
    """Whatever happened, every watched run is taken sooner or later, once, and no other run is."""
    plan, now = Watchlist(), T0
    held: dict[str, list[Waiter]] = {}
    for number, event in events:
        now, run_id = now + 7.0, str(number)
        if event == "join":
            held.setdefault(run_id, []).append(one := waiter(run_id))
            plan.join(one, now)
        elif held.get(run_id):
            entry = plan.entries[run_id]
            if event == "leave":
                plan.leave(entry, held[run_id].pop())
            elif event == "look":
                look(plan, entry, now, now + 60)
            elif event == "list":
                plan.vouched_for(entry, item(entry), now, now + 150)
            else:
                plan.suspect(entry)
    watched = {run_id for run_id, waiters in held.items() if waiters}
    assert set(plan.entries) == watched
    assert sum(n for _, n in plan.intervals_in_use()) == len(watched)
    taken = drain(plan, now + 1e7)
    assert set(taken) == watched


def test_asyncio_is_not_needed() -> None:
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
    assert drain(plan_of([60.0]), T0 + 1) == ["0"]
