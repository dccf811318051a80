"""The Airflow connection that cannot be read for a moment, and what another identity would then answer."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from airflow_omics.emulator import Emulator, EmulatorServer
from airflow_omics.emulator.service.common.backend import omics_backends
from airflow_omics.emulator.service.runs_state import runs_of
from airflow_omics.hooks.async_client import OmicsAsyncClient
from airflow_omics.triggers import OmicsRunTrigger, OmicsStartedRunTrigger
from tests.support.sts import give_key
from tests.support.triggers import (
    QUICK,
    Clients,
    ended_as,
    ends,
    identity,
    run_loop,
    seen,
    seen_more,
    start_waits,
)

OTHER_ACCOUNT = "999999999999"
OTHER_KEY = "AKIAANOTHERACCOUNT00"


@pytest.fixture
def machine(server: EmulatorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The triggerer's machine has an identity of its own, in another account, that boto3 finds by itself."""
    give_key(monkeypatch, OTHER_ACCOUNT, OTHER_KEY)
    for name, value in {
        "AWS_ACCESS_KEY_ID": OTHER_KEY,
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_OMICS": server.endpoint_url,
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def _short_times(monkeypatch: pytest.MonkeyPatch, rate: Any) -> None:
    monkeypatch.setattr("airflow_omics._watching.shared_client._REBUILD_PAUSE", 0.2)
    monkeypatch.setattr("airflow_omics._waiting.wait.NOT_FOUND_GRACE", 1.0)
    monkeypatch.setattr("airflow_omics._waiting.wait.DENIED_SECOND_LOOK", 1.0)


def start_wait_of_start(run: dict[str, str], **arguments: Any) -> asyncio.Task[Any]:
    """Wait as a deferred start does."""
    key = {"dag_id": "dag", "task_id": "start", "run_id": "manual__1", "map_index": -1}
    trigger = OmicsStartedRunTrigger(run, task_key=key, poke_interval=QUICK, **arguments)

    async def fire() -> Any:
        [event] = [event async for event in trigger.run()]
        return event.payload

    return asyncio.create_task(fire())


def lose(monkeypatch: pytest.MonkeyPatch, conn_id: str = "aws_default") -> Callable[[], None]:
    """Make the connection unreadable; return what brings it back."""
    name = f"AIRFLOW_CONN_{conn_id.upper()}"
    value = os.environ[name]
    monkeypatch.delenv(name)
    return lambda: monkeypatch.setenv(name, value)


@pytest.mark.parametrize("conn_id", ["aws_default", "lab"])
@pytest.mark.usefixtures("machine")
def test_five_gates_and_a_start_outlive_a_connection_that_is_gone_for_four_seconds(
    conn_id: str, omics: Emulator, server: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials expire just then, and the machine's own identity works, in another account."""
    connect(conn_id)
    run_ids = omics.start_runs(6, life="starting-forever")
    for run_id in run_ids:
        omics.move(run_id, "STARTING")
    started = identity(server, run_ids[5])

    async def body() -> dict[Any, str]:
        waits = start_waits(run_ids[:5], aws_conn_id=conn_id)
        waits["start"] = start_wait_of_start(started, aws_conn_id=conn_id, status="STARTING")
        await seen(omics, "GetRun", 12)
        come_back = lose(monkeypatch, conn_id)
        omics.fault("GetRun", "expired-token", times=1)
        await asyncio.sleep(4.0)  # the outage itself
        assert not any(wait.done() for wait in waits.values())
        come_back()
        await seen_more(omics, "GetRun", 6)
        for run_id in run_ids:
            omics.move(run_id, "COMPLETED")
        return await ends(waits)

    assert run_loop(body) == dict.fromkeys([*run_ids[:5], "start"], "COMPLETED")
    # Nothing was asked in the other account, which knows none of these runs.
    assert {request["error"] for request in omics.requests("GetRun")} == {None, "ExpiredTokenException"}


def test_a_connection_that_stays_away_is_an_access_error_that_names_it(
    omics: Emulator, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_omics._waiting.wait.CREDENTIALS_GRACE", 1.5)
    connect("lab")
    [run_id] = omics.start_runs(1, life="pending-forever")

    async def body() -> Any:
        waits = start_waits([run_id], aws_conn_id="lab")
        await seen(omics, "GetRun", 2)
        lose(monkeypatch, "lab")
        omics.fault("GetRun", "expired-token", times=1)
        return await asyncio.wait_for(waits[run_id], 15.0)

    event = run_loop(body)
    assert (event["outcome"], event["error"]) == ("error", "OmicsAccessError")
    assert "the Airflow connection 'lab' could not be read" in event["message"]
    assert event["record"]["status"] == "PENDING"


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("kind", ["not found", "denied", "another run"])
def test_aws_default_that_was_never_read_is_read_anew_before_anything_ends(
    kind: str, omics: Emulator, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A triggerer that starts while its secrets backend is away: boto3 finds another account."""
    [run_id] = omics.start_runs(1, life="pending-forever")
    known = identity(server, run_id)
    long_ago = time.time() - 3600.0
    come_back = lose(monkeypatch)
    if kind == "another run":
        [foreign] = omics.start_runs(1, account_id=OTHER_ACCOUNT)
        runs = runs_of(omics_backends[OTHER_ACCOUNT]["us-east-1"])
        other = runs.get(foreign)
        runs.add(other.members, other.life, run_id=run_id)

    async def body() -> dict[Any, str]:
        if kind == "denied":
            omics.fault("*", "access-denied")
        trigger = OmicsRunTrigger(known, status="PENDING", started_at=long_ago, poke_interval=QUICK)
        wait = asyncio.create_task(fire_of(trigger))
        await seen(omics, "GetRun", 4)
        assert not wait.done()
        omics.clear_faults()
        come_back()
        omics.move(run_id, "COMPLETED", account_id="123456789012")
        return await ends({run_id: wait})

    assert run_loop(body) == {run_id: "COMPLETED"}


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("export", [None, ["DEFINITION"]], ids=["no export", "an export"])
def test_a_foreign_run_that_is_over_is_no_sign_that_ours_was_deleted(
    export: Any, omics: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the account nor the uuid of ours is known: only that it was made before the foreign one."""
    [run_id] = omics.start_runs(1, life="pending-forever")
    come_back = lose(monkeypatch)
    [foreign] = omics.start_runs(1, account_id=OTHER_ACCOUNT)
    runs = runs_of(omics_backends[OTHER_ACCOUNT]["us-east-1"])
    other, in_an_hour = runs.get(foreign), time.time() + 3600.0
    runs.add(other.members, other.life, run_id=run_id, created=(other.created.service, in_an_hour))
    omics.move(run_id, "COMPLETED", account_id=OTHER_ACCOUNT)

    async def body() -> dict[Any, str]:
        trigger = OmicsRunTrigger(run_id, status="PENDING", export=export, poke_interval=QUICK)
        wait = asyncio.create_task(fire_of(trigger))
        await seen(omics, "GetRun", 4)
        assert not wait.done()
        come_back()
        omics.move(run_id, "FAILED", account_id="123456789012")
        return await ends({run_id: wait})

    assert run_loop(body) == {run_id: "FAILED"}


async def fire_of(trigger: OmicsRunTrigger) -> Any:
    [event] = [event async for event in trigger.run()]
    return event.payload


@pytest.mark.usefixtures("machine")
def test_what_was_never_read_again_is_no_deleted_run(
    omics: Emulator, server: Any, sts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_omics._waiting.wait.CREDENTIALS_GRACE", 1.5)
    [run_id] = omics.start_runs(1, life="pending-forever")
    known = identity(server, run_id)
    lose(monkeypatch)
    long_ago = time.time() - 3600.0
    trigger = OmicsRunTrigger(known, status="PENDING", started_at=long_ago, poke_interval=QUICK)
    event = run_loop(lambda: fire_of(trigger))
    assert (event["outcome"], event["error"]) == ("error", "OmicsAccessError")
    assert "the named Airflow connection was not found" in event["message"]
    assert sts.asked == 0  # only HealthOmics is local: it would have been the real STS
    assert "Check aws_conn_id and region_name." in event["message"]


# -- a client that was replaced ------------------------------------------------------------------------------


@pytest.mark.usefixtures("machine", "sts_out_of_reach")
@pytest.mark.parametrize("foreign", [0, 1], ids=["nothing to list", "a foreign run to list"])
def test_a_connection_that_was_changed_to_another_account_deletes_nothing(
    foreign: int, omics: Emulator, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_omics._waiting.wait.CREDENTIALS_GRACE", 2.0)
    [run_id] = omics.start_runs(1, life="pending-forever")
    if foreign:
        omics.start_runs(foreign, account_id=OTHER_ACCOUNT)

    async def body() -> Any:
        waits = start_waits([run_id])
        await seen(omics, "GetRun", 4)
        connect(login=OTHER_KEY)
        omics.fault("GetRun", "expired-token", times=1)
        return await asyncio.wait_for(waits[run_id], 15.0)

    event = run_loop(body)
    assert (event["outcome"], event["error"]) == ("error", "OmicsAccessError")
    expected = f"account {OTHER_ACCOUNT} in us-east-1, not of" if foreign else "has read no run since"
    assert expected in event["message"]


@pytest.mark.usefixtures("sts_out_of_reach")
@pytest.mark.parametrize("count", [1, 3])
def test_a_run_deleted_while_credentials_were_rotated_is_deleted(count: int, omics: Emulator) -> None:
    """One page of ListRuns, or another run that is read, shows that the new client reads the same account."""
    run_ids = omics.start_runs(count, life="pending-forever")
    omics.start_runs(1)
    if count > 1:
        omics.fault("ListRuns", "access-denied")

    async def body() -> dict[Any, str]:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", 4 * count)
        omics.fault("GetRun", "expired-token", times=1)
        omics.vanish(run_ids[0])
        found = await ends({run_ids[0]: waits.pop(run_ids[0])})
        for run_id in run_ids[1:]:
            omics.move(run_id, "COMPLETED")
        return {**found, **await ends(waits)}

    assert run_loop(body) == {**dict.fromkeys(run_ids, "COMPLETED"), run_ids[0]: "DELETED"}


def test_a_run_deleted_while_no_triggerer_ran_is_deleted(omics: Emulator, server: Any) -> None:
    """A client from the connection that is named speaks for it from the start, even if it may not list."""
    omics.fault("ListRuns", "access-denied")
    [run_id] = omics.start_runs(1, life="pending-forever")
    known = identity(server, run_id)
    omics.vanish(run_id)
    hour_ago = time.time() - 3600.0
    trigger = OmicsRunTrigger(known, status="PENDING", started_at=hour_ago, poke_interval=QUICK)
    assert ended_as(run_loop(lambda: fire_of(trigger))) == "DELETED"


def test_a_denial_of_a_run_that_was_readable_reads_the_connection_anew(
    omics: Emulator, connect: Any, clients: Clients
) -> None:
    omics.fault("ListRuns", "access-denied")
    [run_id] = omics.start_runs(1, life="pending-forever")

    async def body() -> dict[Any, str]:
        waits = start_waits([run_id])
        await seen(omics, "GetRun", 3)
        connect(config_kwargs={"user_agent_extra": "mended/1"})
        omics.fault("GetRun", "access-denied", times=1)
        omics.move(run_id, "COMPLETED")
        return await ends(waits)

    assert run_loop(body) == {run_id: "COMPLETED"}
    assert "mended/1" in omics.requests("GetRun")[-1]["user_agent"]
    assert len(clients.opened) == 2
    assert clients.closed == clients.opened


def test_a_denial_by_a_client_that_was_just_made_reads_the_connection_anew_before_the_second_look(
    omics: Emulator, server: Any, connect: Any, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_omics._watching.shared_client._REBUILD_PAUSE", 1.0)
    monkeypatch.setattr("airflow_omics._waiting.wait.DENIED_SECOND_LOOK", 2.0)
    [run_id] = omics.start_runs(1, life="pending-forever")
    omics.fault("GetRun", "access-denied", times=1)
    trigger = OmicsRunTrigger(run_id, status="PENDING", poke_interval=QUICK)

    async def body() -> dict[Any, str]:
        waits = {run_id: asyncio.create_task(fire_of(trigger))}
        await seen(omics, "GetRun", 1)
        connect(config_kwargs={"user_agent_extra": "mended/1"})
        omics.move(run_id, "COMPLETED")
        return await ends(waits)

    assert run_loop(body) == {run_id: "COMPLETED"}
    assert ["mended/1" in request["user_agent"] for request in omics.requests("GetRun")] == [False, True]
    assert clients.closed == clients.opened


def test_a_denied_run_costs_the_other_waits_no_client(
    omics: Emulator, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a new client can't be built, everybody else goes on with the old one."""
    omics.fault("ListRuns", "access-denied")
    denied, other = omics.start_runs(2, life="pending-forever")

    async def body() -> tuple[dict[Any, str], Any]:
        waits = start_waits([denied, other])
        await seen(omics, "GetRun", 6)
        lose(monkeypatch)
        omics.fault("GetRun", "access-denied", run_id=denied)
        event = await waits.pop(denied)
        omics.move(other, "COMPLETED")
        return await ends(waits), event

    found, event = run_loop(body)
    assert found == {other: "COMPLETED"}
    assert event["error"] == "OmicsAccessError"
    assert len(clients.opened) == 1


@pytest.mark.usefixtures("sts_out_of_reach")
def test_a_list_that_is_asked_for_an_account_waits_for_its_turn(
    omics: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a client speaks for the account is found out within the rate, as everything is."""
    from airflow_omics._watching.rate_limit import RateTable

    turns: list[str] = []
    acquire = RateTable.acquire

    async def noted(table: Any, operation: str, *given: Any) -> None:
        await acquire(table, operation, *given)
        turns.append(operation)

    asked: list[int] = []
    look_around = OmicsAsyncClient.look_around

    async def counted(client: Any) -> None:
        asked.append(turns.count("ListRuns"))
        await look_around(client)

    monkeypatch.setattr(RateTable, "acquire", noted)
    monkeypatch.setattr(OmicsAsyncClient, "look_around", counted)
    [run_id] = omics.start_runs(1, life="pending-forever")
    omics.start_runs(1)

    async def body() -> dict[Any, str]:
        waits = start_waits([run_id])
        await seen(omics, "GetRun", 4)
        turns.clear()
        omics.fault("GetRun", "expired-token", times=1)
        omics.vanish(run_id)
        return await ends(waits)

    assert run_loop(body) == {run_id: "DELETED"}
    assert asked == [1]


@pytest.mark.usefixtures("machine")
def test_a_killed_start_is_cancelled_once_its_connection_is_back(
    omics: Emulator, server: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then, what the machine's own identity does not know in its account is not gone."""
    monkeypatch.setattr(
        "airflow_omics._task.state_reader.task_states", lambda keys: dict.fromkeys(keys, "failed")
    )
    monkeypatch.setattr("airflow_omics._steering.cancellations.NOT_FOUND_GRACE", 0.5)
    monkeypatch.setattr("airflow_omics._steering.change.CREDENTIALS_GRACE", 0.5)
    monkeypatch.setattr("airflow_omics._steering.change.backoff", lambda failures, rand: 0.1)
    [run_id] = omics.start_runs(1, life="pending-forever")
    key = {"dag_id": "dag", "task_id": "start", "run_id": "manual__1", "map_index": -1}
    trigger = OmicsStartedRunTrigger(identity(server, run_id), task_key=key)
    come_back = lose(monkeypatch)

    async def body() -> None:
        kill = asyncio.create_task(trigger.on_kill())
        await asyncio.sleep(2.0)  # the outage itself, longer than any grace
        assert not kill.done()
        come_back()
        await kill

    run_loop(body)
    assert [request["run_id"] for request in omics.requests("CancelRun")] == [run_id]
