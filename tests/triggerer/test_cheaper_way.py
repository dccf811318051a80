"""Which way is taken, GetRun each or sweeps of ListRuns, as the emulator's counts show it."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from airflow_omics.emulator import Emulator
from airflow_omics.records import ACTIVE_STATUSES
from tests.support.triggers import ends, run_loop, seen, seen_more, start_waits, stop

pytestmark = pytest.mark.any_airflow


def test_three_hundred_waits_are_swept(omics: Emulator) -> None:
    run_ids = omics.start_runs(300, life="pending-forever")

    async def body() -> tuple[int, int]:
        waits = start_waits(run_ids, poke_interval=2.0)
        await seen(omics, "GetRun", 300)  # each run's identity, from spare rate
        before = omics.counts()
        await seen_more(omics, "ListRuns", 9)
        after = omics.counts()
        await stop(waits.values())
        return after["ListRuns"] - before["ListRuns"], after["GetRun"] - before["GetRun"]

    lists, gets = run_loop(body)
    assert lists >= 9
    # Nine pages are more than an interval: GetRun each would be 300.
    assert gets <= 30


def test_sweeps_ask_for_the_statuses_in_the_order_of_a_life(omics: Emulator) -> None:
    omics.start_runs(150, life="pending-forever")
    run_ids = omics.start_runs(60, life="pending-forever")

    async def body() -> None:
        waits = start_waits(run_ids)
        await seen(omics, "ListRuns", 30)
        await stop(waits.values())

    run_loop(body)
    asked = [request["query"] for request in omics.requests("ListRuns")]
    assert {query["maxResults"] for query in asked} == {"100"}
    first_pages = [query["status"] for query in asked if "startingToken" not in query]
    assert first_pages[:4] == ["PENDING", "STARTING", "RUNNING", "STOPPING"]
    order = {status: n for n, status in enumerate(ACTIVE_STATUSES)}
    steps = [(order[a], order[b]) for a, b in itertools.pairwise(first_pages)]
    # The next status, or a new sweep after the last one.
    assert [step for step in steps if step[1] != step[0] + 1 and step[0] != 3] == []


def test_sweeps_begin_with_the_earliest_status_that_is_watched(omics: Emulator) -> None:
    run_ids = omics.start_runs(60, life="running-forever")
    for run_id in run_ids:
        omics.move(run_id, "RUNNING")

    async def body() -> int:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", 60)
        await seen_more(omics, "ListRuns", 3)
        known = omics.counts()["ListRuns"]
        await seen(omics, "ListRuns", known + 8)
        await stop(waits.values())
        return known

    known = run_loop(body)
    asked = [request["query"]["status"] for request in omics.requests("ListRuns")][known:]
    assert set(asked) == {"RUNNING", "STOPPING"}


def test_a_run_that_moves_on_during_a_sweep_is_not_missed(omics: Emulator) -> None:
    run_ids = omics.start_runs(60, life="pending-forever")

    async def body() -> dict[Any, str]:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", 60)
        for status in ("STARTING", "RUNNING", "STOPPING", "COMPLETED"):
            await seen_more(omics, "ListRuns", 1)
            for run_id in run_ids:
                omics.move(run_id, status)
        return await ends(waits)

    assert run_loop(body) == dict.fromkeys(run_ids, "COMPLETED")


def test_a_cohort_that_moves_on_at_once_is_not_asked_for_run_by_run(omics: Emulator) -> None:
    run_ids = omics.start_runs(300, life="starting-forever")
    for run_id in run_ids:
        omics.move(run_id, "STARTING")

    async def body() -> int:
        waits = start_waits(run_ids, poke_interval=2.0)
        await seen(omics, "GetRun", 300)  # each run's identity, from spare rate
        await seen_more(omics, "ListRuns", 12)
        for run_id in run_ids[:20]:
            omics.move(run_id, "RUNNING")
        await seen_more(omics, "ListRuns", 12)
        before = omics.counts()["GetRun"]
        for run_id in run_ids[20:]:
            omics.move(run_id, "RUNNING")
        await seen_more(omics, "ListRuns", 18)
        gets = omics.counts()["GetRun"] - before
        await stop(waits.values())
        return gets

    # Some may be asked for that move while a page is read; lists show the others.
    assert run_loop(body) <= 100


def test_twenty_waits_among_three_thousand_foreign_runs_get_a_getrun_each(omics: Emulator) -> None:
    omics.start_runs(3000, life="pending-forever")
    run_ids = omics.start_runs(20, life="pending-forever")

    async def body() -> dict[str, int]:
        waits = start_waits(run_ids, poke_interval=1.0)
        await seen(omics, "GetRun", 60, timeout=10.0)
        counts = omics.counts()
        await stop(waits.values())
        return counts

    counts = run_loop(body)
    # A first sweep is tried, and given up when GetRun each would have been cheaper.
    assert counts.get("ListRuns", 0) <= 25


def test_runs_among_foreign_ones_end_all_the_same(omics: Emulator) -> None:
    omics.start_runs(3000, life="pending-forever")
    run_ids = omics.start_runs(20, life="pending-forever")

    async def body() -> dict[Any, str]:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", 20)
        for run_id in run_ids:
            omics.move(run_id, "COMPLETED")
        return await ends(waits, 8.0)

    assert run_loop(body) == dict.fromkeys(run_ids, "COMPLETED")


def test_two_waits_get_a_getrun_each(omics: Emulator) -> None:
    run_ids = omics.start_runs(2, life="pending-forever")

    async def body() -> dict[str, int]:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", 8)
        counts = omics.counts()
        await stop(waits.values())
        return counts

    assert run_loop(body).get("ListRuns", 0) == 0


def test_three_waits_get_a_getrun_each_every_interval(omics: Emulator) -> None:
    """A sweep of four statuses is dearer than three GetRuns: it may be tried once, at no one's expense."""
    run_ids = omics.start_runs(3, life="pending-forever")

    async def body() -> dict[str, int]:
        waits = start_waits(run_ids)
        # Eight rounds are 4 s; a few seconds are allowed for, a wait of half a minute is not.
        await seen(omics, "GetRun", 3 * 8, timeout=10.0)
        counts = omics.counts()
        await stop(waits.values())
        return counts

    assert run_loop(body).get("ListRuns", 0) <= 8


def test_a_sweep_that_was_given_up_makes_nobody_wait_longer(omics: Emulator) -> None:
    run_ids = omics.start_runs(20, life="pending-forever")  # listed first, so that a sweep meets them all
    omics.start_runs(3000, life="pending-forever")

    async def body() -> dict[Any, str]:
        waits = start_waits(run_ids)
        await seen(omics, "ListRuns", 5)
        for run_id in run_ids:
            omics.move(run_id, "COMPLETED")
        return await ends(waits, 8.0)

    assert run_loop(body) == dict.fromkeys(run_ids, "COMPLETED")


def test_listruns_denied_in_mid_wait_makes_nobody_wait_longer(omics: Emulator) -> None:
    run_ids = omics.start_runs(40, life="pending-forever")

    async def body() -> dict[Any, str]:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", 40)
        await seen_more(omics, "ListRuns", 8)
        omics.fault("ListRuns", "access-denied")
        await seen_more(omics, "ListRuns", 1)
        for run_id in run_ids:
            omics.move(run_id, "COMPLETED")
        return await ends(waits, 8.0)

    assert run_loop(body) == dict.fromkeys(run_ids, "COMPLETED")


def test_each_waiter_s_own_interval_is_honoured(omics: Emulator) -> None:
    eager, *rare = omics.start_runs(3, life="pending-forever")

    async def body() -> dict[str, int]:
        waits = {**start_waits([eager]), **start_waits(rare, poke_interval=60.0)}
        await seen(omics, "GetRun", 14)
        await stop(waits.values())
        looks = [request["run_id"] for request in omics.requests("GetRun")]
        return {run_id: looks.count(run_id) for run_id in waits}

    looks = run_loop(body)
    assert looks[eager] >= 9
    assert [looks[run_id] <= 2 for run_id in rare] == [True, True]


def test_a_poke_interval_of_zero_is_no_storm(omics: Emulator) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")

    async def body() -> float:
        loop = asyncio.get_running_loop()
        waits = start_waits([run_id], poke_interval=0)
        await seen(omics, "GetRun", 1)
        began = loop.time()
        await seen(omics, "GetRun", 5)
        passed = loop.time() - began
        await stop(waits.values())
        return passed

    # Four intervals of half a second, whatever the sensor asks for.
    assert run_loop(body) >= 1.8
