"""``start_timeout`` and ``stuck_after`` in the triggerer: the wait ends and says the same as in a worker."""

from __future__ import annotations

import asyncio
import datetime
import logging
import time
from typing import Any

import pytest

from airflow_omics._identity import Target
from airflow_omics._waiting.wait import Wait
from airflow_omics._watching.watchlist import Waiter, Watchlist
from airflow_omics.emulator import Emulator
from airflow_omics.triggers import OmicsRunTrigger
from tests.support.clocks import turn
from tests.support.deferred import defer, resume, sensor_of
from tests.support.triggers import ends, fire, read, run_loop, seen, seen_more, start_waits, stop

pytestmark = pytest.mark.any_airflow

HOUR = 3600.0


def limited(run_id: Any, **arguments: Any) -> OmicsRunTrigger:
    return OmicsRunTrigger(run_id, **{"poke_interval": 0.5, "start_timeout": 2.0, **arguments})


def test_a_run_that_stays_pending_ends_the_wait(omics: Emulator) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    began = time.monotonic()
    event = run_loop(lambda: fire(limited(run_id)))
    assert (event["outcome"], event["argument"]) == ("timeout", "start_timeout")
    assert event["record"]["status"] == "PENDING"
    assert 1.0 < time.monotonic() - began < 10.0


def test_starting_counts_and_running_does_not(omics: Emulator) -> None:
    starting, running = omics.start_runs(2, life="pending-forever")
    omics.move(starting, "STARTING")
    omics.move(running, "RUNNING")

    async def body() -> dict[Any, str]:
        waits = start_waits([starting, running], start_timeout=1.5)
        await asyncio.wait_for(waits[starting], 10.0)
        await seen_more(omics, "GetRun", 4)
        assert not waits[running].done()
        omics.move(running, "COMPLETED")
        return await ends(waits)

    assert run_loop(body) == {starting: "timeout", running: "COMPLETED"}


def test_a_look_is_made_at_the_limit_whatever_the_interval(omics: Emulator, server: Any) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    record = read(server, run_id)
    created = datetime.datetime.fromisoformat(record["creationTime"]).timestamp()

    async def body() -> int:
        known = {key: record[key] for key in ("id", "uuid", "arn")}
        event = await fire(limited(known, poke_interval=600.0, created=created, status="PENDING"))
        assert event["argument"] == "start_timeout"
        return omics.counts()["GetRun"]

    # The test's own, the one at the limit, and one more if the service's whole seconds make that early.
    assert run_loop(body) <= 4


def test_runs_that_lists_show_end_at_their_limit(omics: Emulator) -> None:
    run_ids = omics.start_runs(40, life="pending-forever")

    async def body() -> dict[Any, str]:
        waits = start_waits(run_ids[1:])
        late = start_waits(run_ids[:1], start_timeout=4.0)
        await seen(omics, "ListRuns", 2)
        event = await asyncio.wait_for(late[run_ids[0]], 15.0)
        assert event["argument"] == "start_timeout"
        assert not any(wait.done() for wait in waits.values())
        await stop(waits.values())
        return {}

    run_loop(body)


def test_an_outage_at_the_limit_ends_nothing_and_leads_to_no_storm(omics: Emulator) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")

    async def body() -> dict[Any, str]:
        waits = start_waits([run_id], start_timeout=2.0)
        await seen(omics, "GetRun", 1)
        omics.fault("GetRun", "internal-error")
        before = omics.counts()["GetRun"]
        await asyncio.wait(waits.values(), timeout=4.0)
        assert not waits[run_id].done()
        assert omics.counts()["GetRun"] - before < 12
        omics.clear_faults()
        return await ends(waits)

    assert run_loop(body) == {run_id: "timeout"}


def test_a_triggerer_that_comes_after_the_limit_looks_once_and_ends(omics: Emulator) -> None:
    """As after an outage of all triggerers, with what the one before had stored."""
    pending, running = omics.start_runs(2, life="pending-forever")
    omics.move(running, "RUNNING")
    stored = {"created": None, "status": "PENDING"}

    async def body() -> tuple[Any, bool]:
        event = await fire(limited(pending, start_timeout=0.0, **stored))
        other = asyncio.create_task(fire(limited(running, start_timeout=0.0, **stored)))
        await seen_more(omics, "GetRun", 3)
        done = other.done()
        await stop([other])
        return event, done

    event, done = run_loop(body)
    assert event["argument"] == "start_timeout"
    assert not done


@pytest.mark.parametrize("jump", [-HOUR, HOUR], ids=["back", "forward"])
def test_a_wall_clock_that_is_set_does_not_count(
    omics: Emulator, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    class Wall:
        ahead = 0.0

        def time(self) -> float:
            return time.time() + self.ahead

    wall = Wall()
    turn(monkeypatch, wall)
    [run_id] = omics.start_runs(1, life="pending-forever")

    async def body() -> dict[str, Any]:
        waits = start_waits([run_id], start_timeout=5.0, timeout_at=time.time() + 10 * HOUR)
        await seen(omics, "GetRun", 2)
        wall.ahead = jump
        await seen_more(omics, "GetRun", 3)
        assert not waits[run_id].done()
        return await asyncio.wait_for(waits[run_id], 15.0)

    assert run_loop(body)["argument"] == "start_timeout"


@pytest.mark.parametrize(
    ("flags", "kind"), [({}, "AirflowSensorTimeout"), ({"soft_fail": True}, "AirflowSkipException")]
)
def test_a_deferred_sensor_ends_as_one_in_a_worker(omics: Emulator, flags: Any, kind: str) -> None:
    omics.run_group("77", region_name="us-east-1", max_runs=1)
    [first] = omics.start_runs(1, life="running-forever", runGroupId="77")
    omics.move(first, "RUNNING")
    [run_id] = omics.start_runs(1, life="pending-forever", runGroupId="77")
    sensor = sensor_of(run_id, start_timeout=2, stuck_after=HOUR, record_fields=["runOutputUri"], **flags)
    trigger = defer(sensor)
    assert (trigger.start_timeout, trigger.stuck_after) == (2, HOUR)
    _, error, xcom = resume(sensor, run_loop(lambda: fire(trigger)))
    assert type(error).__name__ == kind
    assert xcom["status"] == "PENDING"
    if not flags:
        assert f"Runs of the group that are past PENDING: 1 ({first})." in str(error)
        assert "What it waits for: maxRuns of the group" in str(error)


def test_a_sensor_that_begins_in_the_triggerer_carries_the_limits() -> None:
    sensor = sensor_of("1234567", start_timeout=90, stuck_after=HOUR)
    stored = sensor._start_arguments().trigger_kwargs
    assert (stored["start_timeout"], stored["stuck_after"]) == (90, HOUR)
    without = sensor_of("1234567")._start_arguments().trigger_kwargs
    assert {"start_timeout", "stuck_after"} & set(without) == set()


def test_the_watchlist_is_due_at_the_first_limit_of_all_waits() -> None:
    async def body() -> float:
        plan, stirred = Watchlist(), asyncio.get_running_loop().create_future()
        for limit in (None, 700.0):
            wait = Wait(
                Target.parse("1234567"),
                started_at=0.0,
                timeout_at=5000.0,
                created=0.0,
                status="PENDING",
                start_timeout=limit,
            )
            entry = plan.join(Waiter(wait, 10_000.0, None, stirred), 1.0)
        entry.looked_at = 1.0
        plan.schedule(entry, 9000.0)
        return entry.due_at

    assert asyncio.run(body()) == 700.0


def test_the_wait_of_a_trigger_warns_and_its_log_has_it(omics: Emulator) -> None:
    trigger = OmicsRunTrigger("1234567", stuck_after=HOUR, start_timeout=60.0)
    wait = trigger._wait(Target.parse("1234567"), started_at=0.0, timeout_at=10.0**10)
    from airflow_omics._monitoring.task_table import TaskTable

    started = {"creationTime": "1970-01-01T00:00:00Z", "startTime": "1970-01-01T00:00:00Z"}
    record: Any = {"id": "1234567", "status": "RUNNING", **started}
    wait.answered(record, 10.0)
    wait.lines.take()
    wait.tasks_listed(TaskTable(HOUR), HOUR)
    [(level, line)] = wait.lines.take()
    assert level == logging.WARNING
    assert "nothing has moved for 1 h " in line
    assert wait.stuck_since == 0.0
