"""The limiter and the table of limiters, on a clock that the test turns."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_omics._watching import rate_limit
from airflow_omics._watching.rate_limit import Limiter, RateTable
from tests.support.clocks import turn

pytestmark = pytest.mark.any_airflow


class Turned:
    """Stands for ``time`` and for ``asyncio`` in the module of the limiter: sleeping turns the clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.early = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        # A timer may fire a little early.
        self.now += max(seconds - self.early, 1e-4)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Turned:
    turned = Turned()
    turn(monkeypatch, turned)
    monkeypatch.setattr(rate_limit, "asyncio", turned)
    return turned


def sent(limiter: Limiter, clock: Turned, count: int) -> list[float]:
    times = []

    async def body() -> None:
        for _ in range(count):
            await limiter.acquire()
            times.append(clock.now)

    asyncio.run(body())
    return times


def test_requests_are_spaced_evenly(clock: Turned) -> None:
    times = sent(Limiter(5.0), clock, 6)
    # The rate is a ceiling, and nine tenths of it are promised.
    assert all(0.2 - 1e-6 <= b - a <= 0.2 / 0.9 for a, b in itertools.pairwise(times))


def test_a_timer_that_fires_early_lets_nobody_through_early(clock: Turned) -> None:
    clock.early = 0.05
    times = sent(Limiter(5.0), clock, 6)
    assert all(b - a >= 0.2 - 1e-6 for a, b in itertools.pairwise(times))


def test_quiet_time_saves_up_nothing(clock: Turned) -> None:
    limiter = Limiter(5.0)
    sent(limiter, clock, 1)
    clock.now += 3600.0
    times = sent(limiter, clock, 6)
    assert 1.0 - 1e-6 <= times[-1] - times[0] <= 1.0 / 0.9


@given(
    ceiling=st.floats(0.1, 50.0),
    steps=st.lists(st.one_of(st.just("throttled"), st.just("send"), st.floats(0.0, 20.0)), max_size=60),
)
def test_no_second_ever_holds_more_than_the_ceiling(ceiling: float, steps: list[Any]) -> None:
    turned, times = Turned(), []
    with pytest.MonkeyPatch.context() as patch:
        turn(patch, turned)
        patch.setattr(rate_limit, "asyncio", turned)
        limiter = Limiter(ceiling)
        for step in steps:
            if step == "throttled":
                limiter.throttled()
            elif step == "send":
                times += sent(limiter, turned, 1)
            else:
                turned.now += step
            assert 0.0 < limiter.rate <= ceiling
    assert all(b - a >= 1.0 / ceiling - 1e-6 for a, b in itertools.pairwise(times))


def test_throttling_halves_the_rate(clock: Turned) -> None:
    limiter = Limiter(8.0)
    clock.now += 60.0
    limiter.throttled()
    assert limiter.rate == pytest.approx(4.0)


def test_requests_that_were_under_way_together_count_once(clock: Turned) -> None:
    limiter = Limiter(8.0)
    clock.now += 60.0
    for _ in range(32):
        limiter.throttled()
    assert limiter.rate == pytest.approx(4.0)


def test_throttling_never_stops_a_watcher_altogether(clock: Turned) -> None:
    limiter = Limiter(8.0)
    for _ in range(1000):
        clock.now += 5.0
        limiter.throttled()
        clock.now -= 4.999
    assert limiter.rate >= 0.4
    assert sent(limiter, clock, 2)[1] - clock.now <= 2.5


def test_the_rate_creeps_back_to_the_ceiling_and_not_beyond(clock: Turned) -> None:
    limiter = Limiter(6.0)
    clock.now += 60.0
    limiter.throttled()
    assert limiter.rate == pytest.approx(3.0)
    clock.now += 5.0
    assert limiter.rate == pytest.approx(4.0)
    clock.now += 3600.0
    assert limiter.rate == 6.0


def test_whoever_asked_first_goes_first() -> None:
    limiter, order = Limiter(200.0), []

    async def ask(number: int) -> None:
        await limiter.acquire()
        order.append(number)

    async def body() -> None:
        await asyncio.gather(*(ask(number) for number in range(20)))

    asyncio.run(body())
    assert order == list(range(20))


def test_a_table_has_one_limiter_for_operation_region_and_account() -> None:
    table = RateTable()
    first = table.limiter("GetRun", "us-east-1", "123456789012", 5.0)
    assert table.limiter("GetRun", "us-east-1", "123456789012", 5.0) is first
    for other in (
        ("ListRuns", "us-east-1", "123456789012"),
        ("GetRun", "us-west-2", "123456789012"),
        ("GetRun", "us-east-1", "210987654321"),
    ):
        assert table.limiter(*other, 5.0) is not first
    assert first.ceiling == 5.0


def test_what_was_sent_before_the_account_was_known_counts_for_it(clock: Turned) -> None:
    table, times = RateTable(), []

    async def body() -> None:
        for account in (None, "123456789012", "123456789012"):
            await table.acquire("GetRun", "us-east-1", account, 1.0)
            times.append(clock.now)

    asyncio.run(body())
    assert [later - before >= 1.0 for before, later in itertools.pairwise(times)] == [True, True]
