"""A triggerer that begins while a connection leads to another account: STS says whose "not found" it is."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from airflow_omics.emulator import Emulator, EmulatorServer
from airflow_omics.triggers import OmicsRunTrigger
from tests.support.sts import Sts, give_key
from tests.support.triggers import QUICK, Clients, ended_as, fire, identity, run_loop, seen

OTHER_ACCOUNT = "999999999999"
OTHER_KEY = "AKIAANOTHERACCOUNT00"
BOTH = f"read runs of account {OTHER_ACCOUNT} in us-east-1, not of account 123456789012 in us-east-1"


@pytest.fixture(autouse=True)
def _short_times(server: EmulatorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    give_key(monkeypatch, OTHER_ACCOUNT, OTHER_KEY)
    monkeypatch.setattr("airflow_omics._watching.shared_client._REBUILD_PAUSE", 0.2)
    monkeypatch.setattr("airflow_omics._waiting.wait.NOT_FOUND_GRACE", 1.0)


def waits_of_before(runs: list[dict[str, str]]) -> dict[str, asyncio.Task[dict[str, Any]]]:
    """Go on with waits that another triggerer began an hour ago, and whose runs it has read."""
    hour_ago = time.time() - 3600.0
    return {
        run["id"]: asyncio.create_task(
            fire(OmicsRunTrigger(run, status="PENDING", started_at=hour_ago, poke_interval=QUICK))
        )
        for run in runs
    }


async def ended(waits: dict[str, asyncio.Task[dict[str, Any]]]) -> list[dict[str, Any]]:
    async with asyncio.timeout(25.0):
        return list(await asyncio.gather(*waits.values()))


@pytest.mark.parametrize("by", ["connection", "environment"])
def test_another_account_s_not_found_deletes_nothing(
    by: str, omics: Emulator, server: EmulatorServer, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_omics._waiting.wait.CREDENTIALS_GRACE", 1.5)
    [run_id] = omics.start_runs(1, life="pending-forever")
    run = identity(server, run_id)
    if by == "environment":
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint_url)
        connect(login=OTHER_KEY, endpoint_url=None)
    else:
        connect(login=OTHER_KEY)
    [event] = run_loop(lambda: ended(waits_of_before([run])))
    assert (event["outcome"], event["error"]) == ("error", "OmicsAccessError")
    assert BOTH in event["message"]
    assert "ListRuns" not in omics.counts()


def test_a_wait_goes_on_once_the_connection_leads_back(
    omics: Emulator, server: EmulatorServer, connect: Any
) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    run = identity(server, run_id)
    connect(login=OTHER_KEY)

    async def body() -> list[dict[str, Any]]:
        waits = waits_of_before([run])
        await seen(omics, "GetRun", 4)
        assert not any(wait.done() for wait in waits.values())
        connect()
        omics.move(run_id, "COMPLETED", account_id="123456789012")
        return await ended(waits)

    assert [ended_as(event) for event in run_loop(body)] == ["COMPLETED"]


def test_hundreds_of_runs_deleted_at_once_cost_one_request_to_sts(
    omics: Emulator, server: EmulatorServer, sts: Sts, clients: Clients, rate: Any
) -> None:
    rate(400)
    run_ids = omics.start_runs(200, life="pending-forever")
    runs = [identity(server, run_id) for run_id in run_ids]
    for run_id in run_ids:
        omics.vanish(run_id)
    events = run_loop(lambda: ended(waits_of_before(runs)))
    assert {ended_as(event) for event in events} == {"DELETED"}
    assert len(clients.opened) == 1
    assert sts.asked == 1
    assert threading.main_thread() not in sts.threads, "the event loop has sent it"


def test_another_account_s_not_found_of_many_costs_each_client_one_request(
    omics: Emulator, server: EmulatorServer, connect: Any, sts: Sts, clients: Clients,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("airflow_omics._waiting.wait.CREDENTIALS_GRACE", 1.5)
    runs = [identity(server, run_id) for run_id in omics.start_runs(20, life="pending-forever")]
    connect(login=OTHER_KEY)
    events = run_loop(lambda: ended(waits_of_before(runs)))
    assert {event["error"] for event in events} == {"OmicsAccessError"}
    assert 1 <= sts.asked <= len(clients.opened)


def test_nothing_is_judged_while_sts_is_being_asked(
    omics: Emulator, server: EmulatorServer, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many calls as fail together wait for the one request."""
    from airflow_omics.hooks import async_client

    monkeypatch.setattr("airflow_omics._waiting.wait.CREDENTIALS_GRACE", 1.5)
    runs = [identity(server, run_id) for run_id in omics.start_runs(5, life="pending-forever")]
    connect(login=OTHER_KEY)
    asking, answer, ask = threading.Event(), threading.Event(), async_client.home_by_sts

    def slow(hook: Any, client: Any) -> Any:
        asking.set()
        assert answer.wait(10.0)
        return ask(hook, client)

    monkeypatch.setattr(async_client, "home_by_sts", slow)

    async def body() -> list[dict[str, Any]]:
        waits = waits_of_before(runs)
        assert await asyncio.to_thread(asking.wait, 10.0)
        await seen(omics, "GetRun", 10)  # five by this test itself
        # No other look follows, and the loop is free meanwhile.
        await asyncio.sleep(2 * QUICK)
        assert not any(wait.done() for wait in waits.values())
        assert omics.counts()["GetRun"] == 10
        answer.set()
        return await ended(waits)

    assert {event["error"] for event in run_loop(body)} == {"OmicsAccessError"}


@pytest.mark.usefixtures("sts_out_of_reach")
def test_without_sts_and_lists_the_named_connection_is_believed(
    omics: Emulator, server: EmulatorServer
) -> None:
    omics.fault("ListRuns", "access-denied")
    [run_id] = omics.start_runs(1, life="pending-forever")
    run = identity(server, run_id)
    omics.vanish(run_id)
    [event] = run_loop(lambda: ended(waits_of_before([run])))
    assert ended_as(event) == "DELETED"


def test_a_run_deleted_while_credentials_were_rotated_is_deleted_without_any_list(
    omics: Emulator, server: EmulatorServer, sts: Sts
) -> None:
    omics.fault("ListRuns", "access-denied")
    [run_id] = omics.start_runs(1, life="pending-forever")
    run = identity(server, run_id)

    async def body() -> list[dict[str, Any]]:
        waits = waits_of_before([run])
        await seen(omics, "GetRun", 3)
        omics.fault("GetRun", "expired-token", times=1)
        omics.vanish(run_id)
        return await ended(waits)

    assert [ended_as(event) for event in run_loop(body)] == ["DELETED"]
    assert sts.asked == 1
