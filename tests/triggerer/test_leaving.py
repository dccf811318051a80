"""Waits that are cancelled, all at once, too early or twice: a watcher leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest

from airflow_omics._watching.watcher import Watcher
from airflow_omics.emulator import Emulator
from tests.support.triggers import Clients, ends, run_loop, seen, start_waits, stop


def test_two_thousand_waits_cancelled_at_once_leave_nothing_behind(
    omics: Emulator, clients: Clients, complaints: Callable[[], list[str]]
) -> None:
    run_ids = omics.start_runs(2000, life="pending-forever")

    async def body() -> None:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", 40)
        async with asyncio.timeout(5.0):
            await stop(waits.values())
        assert Watcher._of_loop[asyncio.get_running_loop()] == {}

    run_loop(body)
    assert len(clients.opened) == 1
    assert clients.closed == clients.opened
    assert complaints() == []


@pytest.mark.parametrize("cancels_before", [0, 1])
def test_a_wait_cancelled_while_its_client_is_built_leaves_nothing_behind(
    cancels_before: int, omics: Emulator, clients: Clients, complaints: Callable[[], list[str]]
) -> None:
    [run_id] = omics.start_runs(1)
    clients.go_on.clear()

    async def body() -> None:
        [wait] = start_waits([run_id]).values()
        assert await asyncio.to_thread(clients.begun.wait, 10.0)
        threading.Timer(0.2, clients.go_on.set).start()
        for _ in range(cancels_before):
            wait.cancel()
            await asyncio.sleep(0)
        await stop([wait])

    run_loop(body)
    assert len(clients.opened) == 1
    assert clients.closed == clients.opened
    assert complaints() == []


@pytest.mark.parametrize("ticks", [1, 3])
def test_a_wait_cancelled_again_while_it_is_leaving_leaves_nothing_behind(
    ticks: int, omics: Emulator, clients: Clients, complaints: Callable[[], list[str]]
) -> None:
    """A triggerer that stops cancels whatever is left, also what is on its way out already."""
    [run_id] = omics.start_runs(1, life="pending-forever")

    async def body() -> None:
        [wait] = start_waits([run_id]).values()
        await seen(omics, "GetRun", 2)
        wait.cancel()
        for _ in range(ticks):
            await asyncio.sleep(0)
        await stop([wait])

    run_loop(body)
    assert len(clients.opened) == 1
    assert clients.closed == clients.opened
    assert complaints() == []


def test_a_loop_that_ends_under_its_waits_leaves_nothing_behind(
    omics: Emulator, clients: Clients, complaints: Callable[[], list[str]]
) -> None:
    run_ids = omics.start_runs(20, life="pending-forever")

    async def body() -> None:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", 20)
        assert len(waits) == 20

    asyncio.run(body())  # cancels every task that is left
    assert clients.closed == clients.opened != []
    assert complaints() == []


def test_a_new_wait_finds_a_watcher_while_the_last_one_is_leaving(omics: Emulator, clients: Clients) -> None:
    old, new = omics.start_runs(2, life="pending-forever")

    async def body() -> dict[Any, str]:
        [first] = start_waits([old]).values()
        await seen(omics, "GetRun", 1)
        first.cancel()
        await asyncio.sleep(0)
        omics.move(new, "COMPLETED")
        waits = start_waits([new])
        await stop([first])
        return await ends(waits)

    assert run_loop(body) == {new: "COMPLETED"}
    assert clients.closed == clients.opened


def test_calls_that_are_done_are_not_kept(omics: Emulator, rate: Any) -> None:
    """A watcher lives for as long as any run is waited for, which may be months of looks."""
    rate(400)
    run_ids = omics.start_runs(40, life="pending-forever")
    omics.fault("ListRuns", "access-denied")

    async def body() -> int:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", 300)
        gc.collect()
        # By the type: asking an object itself wakes the lazy modules of others.
        done = [o for o in gc.get_objects() if issubclass(type(o), asyncio.Task) and o.done()]
        looks = [task for task in done if task.get_coro().__qualname__ == "Watcher._look"]
        await stop(waits.values())
        return len(looks)

    # One that has just ended may still be on its way out.
    assert run_loop(body) <= 5
