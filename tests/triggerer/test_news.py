"""A waiter's own log: a line when the status changes, one every ten minutes otherwise, none each poll."""

from __future__ import annotations

import asyncio
import logging

import pytest

from airflow_omics.emulator import Emulator
from tests.support.triggers import Lines, run_loop, seen, seen_more, start_waits, stop, watch

pytestmark = pytest.mark.any_airflow


def test_each_change_of_status_is_one_line(omics: Emulator) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    log = Lines()

    async def body() -> None:
        wait = asyncio.create_task(watch(run_id, log))
        await log.said("is PENDING")
        for before, after in (("PENDING", "STARTING"), ("STARTING", "RUNNING"), ("RUNNING", "STOPPING")):
            omics.move(run_id, after)
            await log.said(f"is {after}, was {before}")
        await seen_more(omics, "GetRun", 4)
        omics.move(run_id, "COMPLETED")
        await wait

    run_loop(body)
    said = [line.partition(" (")[0] for level, line in log.lines if level == logging.INFO]
    assert said[:4] == [
        f"HealthOmics run {run_id} is PENDING",
        f"HealthOmics run {run_id} is STARTING, was PENDING",
        f"HealthOmics run {run_id} is RUNNING, was STARTING",
        f"HealthOmics run {run_id} is STOPPING, was RUNNING",
    ]
    assert len(log.lines) <= 5


def test_changes_that_lists_show_are_in_each_waiter_s_own_log(omics: Emulator) -> None:
    run_ids = omics.start_runs(40, life="pending-forever")
    logs: dict[str, Lines] = {}

    async def body() -> None:
        logs.update((run_id, Lines()) for run_id in run_ids)
        waits = [asyncio.create_task(watch(run_id, logs[run_id])) for run_id in run_ids]
        await seen(omics, "GetRun", 40)
        await seen_more(omics, "ListRuns", 8)
        for run_id in run_ids[:20]:
            omics.move(run_id, "STARTING")
        await asyncio.gather(*(logs[run_id].said("is STARTING, was PENDING") for run_id in run_ids[:20]))
        await seen_more(omics, "ListRuns", 8)
        await stop(waits)

    run_loop(body)
    for number, run_id in enumerate(run_ids):
        lines = [line for _, line in logs[run_id].lines]
        assert all(f"HealthOmics run {run_id} is " in line for line in lines)
        assert len(lines) == (2 if number < 20 else 1)


def test_many_waits_with_news_write_it_one_after_the_other(omics: Emulator) -> None:
    """Airflow's triggerer hangs if its socket for logs is full while it sends to the process of this loop."""
    run_ids = omics.start_runs(40, life="pending-forever")
    written: list[float] = []

    class Times(Lines):
        def log(self, level: int, msg: str, /) -> None:
            super().log(level, msg)
            written.append(asyncio.get_running_loop().time())

    async def body() -> None:
        log = Times()
        waits = [asyncio.create_task(watch(run_id, log)) for run_id in run_ids]
        await log.said("is PENDING", 40)
        await stop(waits)

    run_loop(body)
    assert len(written) == 40
    assert max(sum(first <= moment < first + 1.0 for moment in written) for first in written) <= 20


def test_a_wait_ends_before_it_has_written_what_came_before(omics: Emulator) -> None:
    run_ids = omics.start_runs(150, life="pending-forever")
    last = Lines()

    async def body() -> None:
        others = start_waits(run_ids[:-1])
        wait = asyncio.create_task(watch(run_ids[-1], last))
        await seen(omics, "ListRuns", 8)
        assert last.lines == []
        omics.move(run_ids[-1], "COMPLETED")
        async with asyncio.timeout(5):  # the lines of the others take 15 seconds
            await wait
        await stop(others.values())

    run_loop(body)
    assert "is PENDING" in last.lines[0][1]


def test_a_lagging_list_reports_no_change_back(omics: Emulator) -> None:
    """A run only moves forward: GetRun is the truth, and what a list says later is older."""
    run_ids = omics.start_runs(40, life="pending-forever")
    log = Lines()

    async def body() -> None:
        wait = asyncio.create_task(watch(run_ids[0], log))
        others = start_waits(run_ids[1:])
        await seen(omics, "GetRun", 40)
        omics.fault("ListRuns", "list-lies", status="PENDING")
        omics.move(run_ids[0], "RUNNING")
        # A second wait on the run brings a GetRun about.
        twin = Lines()
        another = asyncio.create_task(watch(run_ids[0], twin))
        await log.said("is RUNNING, was PENDING")
        await seen_more(omics, "ListRuns", 9)
        await stop([wait, another, *others.values()])

    run_loop(body)
    assert [line for _, line in log.lines if "was RUNNING" in line] == []


def test_nothing_is_logged_each_poll(omics: Emulator) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    log = Lines()

    async def body() -> None:
        wait = asyncio.create_task(watch(run_id, log))
        await seen(omics, "GetRun", 6)
        await stop([wait])

    run_loop(body)
    assert len(log.lines) == 1


@pytest.mark.parametrize("count", [1, 40])
def test_a_line_comes_every_so_often_while_nothing_changes(
    count: int, omics: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_omics._waiting.log_lines.LINE_EVERY", 1.2)
    run_ids = omics.start_runs(count, life="pending-forever")
    log = Lines()

    async def body() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        waits = start_waits(run_ids[1:])
        wait = asyncio.create_task(watch(run_ids[0], log))
        await log.said("is PENDING", 3)
        await stop([wait, *waits.values()])
        return loop.time() - began

    took = run_loop(body)
    # A line for each look, every half a second, would be more; a busy machine may have been late for one.
    assert 3 <= len(log.lines) <= 1 + took / 1.2
    assert all("since the first look" in line for _, line in log.lines)


def test_transient_errors_are_logged_at_ever_longer_intervals(omics: Emulator) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    omics.fault("GetRun", "internal-error", times=3)
    log = Lines()

    async def body() -> None:
        wait = asyncio.create_task(watch(run_id, log))
        await log.said("is PENDING")
        await stop([wait])

    run_loop(body)
    warned = [line for level, line in log.lines if level == logging.WARNING]
    # The first and the second failed call in a row, not the third.
    assert len(warned) == 2
    assert all("still waiting" in line and "InternalServerException" in line for line in warned)


def test_an_unknown_status_is_a_warning_in_the_waiter_s_log(omics: Emulator) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    omics.move(run_id, "PAUSED")
    log = Lines()

    async def body() -> None:
        wait = asyncio.create_task(watch(run_id, log))
        await log.said("is PAUSED, a status this version of airflow-omics does not know")
        await seen_more(omics, "GetRun", 2)
        await stop([wait])

    run_loop(body)
    assert [level for level, _ in log.lines] == [logging.WARNING]
