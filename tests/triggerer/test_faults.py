"""Transient errors: no waiter errs, none is lost, all end right."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import pytest

from airflow_omics._waiting.wait import Wait
from airflow_omics.emulator import Emulator, EmulatorServer
from airflow_omics.hooks.async_client import OmicsAsyncClient
from airflow_omics.triggers import OmicsRunTrigger
from tests.support.triggers import (
    SEED,
    Lines,
    ends,
    fire,
    run_loop,
    seen,
    seen_more,
    start_waits,
    stop,
    watch,
)

ENDS = ("COMPLETED", "FAILED", "CANCELLED")
COUNT = 36


def end_all(omics: Emulator, run_ids: list[str]) -> dict[str, str]:
    """End every run, in different ways; return how each wait must end."""
    expected = {run_id: ENDS[number % 3] for number, run_id in enumerate(run_ids)}
    for run_id, status in expected.items():
        omics.move(run_id, status)
    return expected


@pytest.fixture(autouse=True)
def _the_rate_is_no_matter_here(rate: Any) -> None:
    rate(400)


@pytest.mark.parametrize(
    ("operation", "kind", "share"),
    [
        ("*", "throttle", 0.3),
        ("*", "internal-error", 0.1),
        ("*", "drop", 0.2),
        ("*", "html", 0.2),
        ("ListRuns", "throttle", 1.0),
        ("ListRuns", "internal-error", 1.0),
        ("ListRuns", "validation", 1.0),
        ("ListRuns", "html", 1.0),
        ("ListRuns", "list-omits", 0.5),
        ("ListRuns", "list-wrong-arn", 1.0),
    ],
)
def test_all_waits_end_right_through_transient_errors(
    operation: str, kind: str, share: float, omics: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A wait that fails four times in a row backs off for more than 15 seconds, as it should. If a fifth of
    # the calls fail, one of so many waits does so in about every 18th run of this test.
    in_earnest = Wait.pause
    monkeypatch.setattr(Wait, "pause", lambda wait, *given: in_earnest(wait, *given) / 10)
    run_ids = omics.start_runs(COUNT, life="pending-forever")
    omics.fault(operation, kind, share)

    async def body() -> tuple[dict[Any, str], dict[str, str]]:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", COUNT)
        expected = end_all(omics, run_ids)
        return await ends(waits, 15.0), expected

    found, expected = run_loop(body)
    assert found == expected


@pytest.mark.parametrize("status", [200, 404])
def test_an_endpoint_that_answers_html_for_a_while_ends_nobody(status: int, omics: Emulator) -> None:
    """A proxy or load balancer in between, whatever status it puts on its page."""
    run_ids = omics.start_runs(COUNT, life="pending-forever")
    omics.fault("*", "html", times=50, status=status)

    async def body() -> tuple[dict[Any, str], dict[str, str]]:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", COUNT)
        expected = end_all(omics, run_ids)
        return await ends(waits, 20.0), expected

    found, expected = run_loop(body)
    assert found == expected


def test_refused_connections_for_a_while_end_nobody(server: EmulatorServer, connect: Any) -> None:
    connect()
    server.control.fault("ListRuns", "access-denied")  # else a list may be what is refused
    run_ids = server.control.start_runs(COUNT, life="pending-forever")
    port = int(server.endpoint_url.rpartition(":")[2])

    async def body() -> tuple[dict[Any, str], dict[str, str]]:
        log = Lines()
        watched = asyncio.create_task(watch(run_ids[0], log))
        waits = start_waits(run_ids[1:])
        await seen(server.control, "GetRun", COUNT)
        await asyncio.to_thread(server.stop)
        await log.said("still waiting")
        assert not watched.done()
        again = EmulatorServer(port=port, seed=SEED)
        again.start()
        try:
            # The same seed makes the same runs; until they are there GetRun knows none of them.
            assert again.control.start_runs(COUNT, life="pending-forever") == run_ids
            expected = end_all(again.control, run_ids)
            found = await ends({run_ids[0]: watched, **waits}, 25.0)
        finally:
            await asyncio.to_thread(again.stop)
        return found, expected

    found, expected = run_loop(body, 45.0)
    assert found == expected


def test_listruns_denied_is_logged_once_and_getrun_goes_on(
    omics: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    run_ids = omics.start_runs(COUNT, life="pending-forever")
    omics.fault("ListRuns", "access-denied")

    async def body() -> tuple[dict[Any, str], dict[str, str]]:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", 5 * COUNT)
        expected = end_all(omics, run_ids)
        return await ends(waits, 20.0), expected

    found, expected = run_loop(body)
    assert found == expected
    said = [r.getMessage() for r in caplog.records if "runs cannot be listed" in r.getMessage()]
    assert len(said) == 1
    assert "omics:ListRuns" in said[0]
    assert omics.counts()["ListRuns"] == 1


def test_lists_that_lag_cost_time_but_no_ending(omics: Emulator) -> None:
    run_ids = omics.start_runs(COUNT, life="pending-forever")
    omics.fault("ListRuns", "list-lags", seconds=2)

    async def body() -> tuple[dict[Any, str], dict[str, str]]:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", COUNT)
        await seen_more(omics, "ListRuns", 8)
        expected = end_all(omics, run_ids)
        return await ends(waits, 20.0), expected

    found, expected = run_loop(body)
    assert found == expected


def test_lists_that_say_running_for_ever_hide_no_end_from_the_hourly_check(
    omics: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_omics._watching.watchlist.CHECK_AGE", 0.5)
    monkeypatch.setattr("airflow_omics._watching.watcher.CHECK_EVERY", 2.0)
    run_ids = omics.start_runs(COUNT, life="pending-forever")
    omics.fault("ListRuns", "list-lies")

    async def body() -> tuple[dict[Any, str], dict[str, str]]:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", COUNT)
        await seen_more(omics, "ListRuns", 4)
        expected = end_all(omics, run_ids)
        return await ends(waits, 20.0), expected

    found, expected = run_loop(body)
    assert found == expected


def test_a_getrun_that_hangs_holds_up_no_other_wait(omics: Emulator) -> None:
    run_ids = omics.start_runs(COUNT, life="pending-forever")
    omics.fault("GetRun", "hang", run_id=run_ids[0])

    async def body() -> tuple[dict[Any, str], dict[str, str]]:
        waits = start_waits(run_ids)
        hung = waits.pop(run_ids[0])
        await seen(omics, "GetRun", COUNT)
        expected = end_all(omics, run_ids[1:])
        found = await ends(waits, 20.0)
        await stop([hung])
        return found, expected

    found, expected = run_loop(body)
    assert found == expected


def test_a_list_that_hangs_holds_up_no_wait(omics: Emulator) -> None:
    run_ids = omics.start_runs(COUNT, life="pending-forever")
    omics.fault("ListRuns", "hang")

    async def body() -> tuple[dict[Any, str], dict[str, str]]:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", COUNT)
        expected = end_all(omics, run_ids)
        return await ends(waits, 10.0), expected

    found, expected = run_loop(body)
    assert found == expected


def test_an_export_that_hangs_holds_up_no_other_wait_on_its_run(
    omics: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    get_run, exports, asked = OmicsAsyncClient.get_run, [], asyncio.Event()

    async def hangs_if_it_exports(client: Any, id_: str, export: Any = None) -> Any:
        if export:
            exports.append(export)
            asked.set()
            await asyncio.Event().wait()
        return await get_run(client, id_, export)

    monkeypatch.setattr(OmicsAsyncClient, "get_run", hangs_if_it_exports)

    async def body() -> str:
        exporting = start_waits([run_id], export=["DEFINITION"])
        await seen(omics, "GetRun", 1)
        plain = start_waits([run_id])
        await seen_more(omics, "GetRun", 1)
        omics.move(run_id, "COMPLETED")
        found = await ends(plain, 5.0)
        await asyncio.wait_for(asked.wait(), 5.0)
        await stop(exporting.values())
        return found[run_id]

    assert run_loop(body) == "COMPLETED"
    assert exports == [["DEFINITION"]]


def test_an_unknown_run_is_said_with_region_and_connection(omics: Emulator, connect: Any) -> None:
    connect("lab", region_name="us-west-2")
    long_ago = time.time() - 600.0
    [event] = run_loop(
        lambda: asyncio.gather(fire(OmicsRunTrigger("7654321", started_at=long_ago, aws_conn_id="lab")))
    )
    assert event["error"] == "OmicsRunNotFoundError"
    assert "in us-west-2, through the connection 'lab'" in event["message"]
