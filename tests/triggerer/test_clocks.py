"""Wall clocks that are set while waits are on, or differ between machines: nothing stalls or ends early."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from airflow_omics.emulator import Emulator
from airflow_omics.hooks.async_client import OmicsAsyncClient
from airflow_omics.triggers import OmicsRunTrigger
from tests.support.clocks import turn
from tests.support.triggers import ends, fire, run_loop, seen, seen_more, start_waits

pytestmark = pytest.mark.any_airflow

HOUR = 3600.0


class Wall:
    """Stands for the ``time`` module of the watcher: wall time is ``ahead`` seconds ahead."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.monotonic = time.monotonic

    def time(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    turned = Wall()
    turn(monkeypatch, turned)
    return turned


@pytest.mark.parametrize("jump", [-HOUR, HOUR], ids=["back", "forward"])
@pytest.mark.parametrize("count", [2, 40], ids=["GetRun each", "lists"])
def test_a_clock_that_is_set_stalls_nobody(count: int, jump: float, omics: Emulator, wall: Wall) -> None:
    run_ids = omics.start_runs(count, life="pending-forever")

    async def body() -> dict[Any, str]:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", count)
        await seen_more(omics, "GetRun" if count == 2 else "ListRuns", 3)
        wall.ahead = jump
        await seen_more(omics, "GetRun" if count == 2 else "ListRuns", 6, timeout=10.0)
        assert not any(wait.done() for wait in waits.values())
        for run_id in run_ids:
            omics.move(run_id, "COMPLETED")
        return await ends(waits, 10.0)

    assert run_loop(body) == dict.fromkeys(run_ids, "COMPLETED")


def test_a_clock_that_is_set_forward_cuts_no_tolerance_short(
    omics: Emulator, connect: Any, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials may be dead for five minutes, and a run unknown for two: minutes that pass."""
    monkeypatch.setattr("airflow_omics._watching.shared_client._REBUILD_PAUSE", 0.2)
    expired, unknown = omics.start_runs(2, life="pending-forever")
    omics.fault("GetRun", "expired-token", run_id=expired)
    omics.fault("GetRun", "not-found", run_id=unknown)

    async def body() -> dict[Any, str]:
        waits = start_waits([expired, unknown])
        await seen(omics, "GetRun", 4)
        wall.ahead = HOUR
        await seen_more(omics, "GetRun", 4)
        assert not any(wait.done() for wait in waits.values())
        omics.clear_faults()
        for run_id in waits:
            omics.move(run_id, "COMPLETED")
        return await ends(waits)

    assert run_loop(body) == {expired: "COMPLETED", unknown: "COMPLETED"}


def test_a_deadline_is_wall_time(omics: Emulator, wall: Wall) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")

    async def body() -> dict[str, Any]:
        waits = start_waits([run_id], timeout_at=time.time() + HOUR)
        await seen(omics, "GetRun", 2)
        wall.ahead = HOUR + 1.0
        return await asyncio.wait_for(waits[run_id], 5.0)

    event = run_loop(body)
    assert event["outcome"] == "timeout"
    assert event["record"]["status"] == "PENDING"


@pytest.mark.parametrize("jump", [-HOUR, HOUR], ids=["back", "forward"])
def test_a_wait_that_gets_no_look_ends_by_the_clock_as_it_is_now(
    jump: float, omics: Emulator, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_omics._watching.watcher._LATE", 1.0)
    monkeypatch.setattr("airflow_omics._watching.watcher._LATE_CHECK", 0.5, raising=False)
    [run_id] = omics.start_runs(1, life="pending-forever")
    omics.fault("GetRun", "hang")
    seconds = 1.0 if jump < 0 else HOUR

    async def body() -> Any:
        waits = start_waits([run_id], timeout_at=time.time() + seconds)
        await seen(omics, "GetRun", 1)
        wall.ahead = jump
        done, _ = await asyncio.wait(waits.values(), timeout=4.0)
        if jump < 0:
            assert not done, "an hour is left"
            wall.ahead = 0.0
        return await asyncio.wait_for(waits[run_id], 5.0)

    assert run_loop(body)["outcome"] == "timeout"


def test_a_wait_that_gets_no_look_ends_a_minute_past_its_deadline(
    omics: Emulator, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_omics._watching.watcher._LATE_CHECK", 0.1)
    [run_id] = omics.start_runs(1, life="pending-forever")
    omics.fault("GetRun", "hang")

    async def body() -> Any:
        waits = start_waits([run_id], timeout_at=time.time() + HOUR)
        await seen(omics, "GetRun", 1)
        wall.ahead = HOUR + 55.0
        done, _ = await asyncio.wait(waits.values(), timeout=0.3)
        assert not done
        wall.ahead = HOUR + 61.0
        return await asyncio.wait_for(waits[run_id], 2.0)

    assert run_loop(body)["outcome"] == "timeout"


def test_a_worker_s_clock_that_is_ahead_holds_an_event_no_longer_than_the_hold(
    omics: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_omics.triggers.waiting.HOLD", 1.0, raising=False)
    [run_id] = omics.start_runs(1)
    omics.move(run_id, "COMPLETED")
    began = time.monotonic()
    event = run_loop(lambda: fire(OmicsRunTrigger(run_id, hold_until=time.time() + 600.0)), 15.0)
    assert event["outcome"] == "terminal"
    assert 1.0 <= time.monotonic() - began < 10.0


def test_a_worker_s_clock_that_is_ahead_leaves_the_grace_of_an_unknown_run_at_two_minutes(
    omics: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_omics._waiting.wait.NOT_FOUND_GRACE", 1.5)
    began = time.monotonic()
    trigger = OmicsRunTrigger("7654321", started_at=time.time() + 600.0, poke_interval=0.5)
    event = run_loop(lambda: fire(trigger), 15.0)
    assert event["error"] == "OmicsRunNotFoundError"
    assert 1.4 <= time.monotonic() - began < 10.0


def test_a_clock_that_is_behind_takes_no_run_for_another_that_goes_before_its_export(
    omics: Emulator, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By our clock the run was made after we were given its id; by the service's, it was not."""
    wall.ahead = -600.0
    [run_id] = omics.start_runs(1)
    omics.move(run_id, "COMPLETED")
    get_run = OmicsAsyncClient.get_run

    async def vanishes_first(client: Any, id_: str, export: Any = None) -> Any:
        if export:
            omics.vanish(id_)
        return await get_run(client, id_, export)

    monkeypatch.setattr(OmicsAsyncClient, "get_run", vanishes_first)
    event = run_loop(lambda: fire(OmicsRunTrigger(run_id, export=["DEFINITION"], poke_interval=0.5)))
    assert (event["outcome"], event["record"]["status"]) == ("terminal", "COMPLETED")
