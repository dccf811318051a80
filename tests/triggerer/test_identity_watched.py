"""Runs that go, ids that are reused, access and credentials that come and go, while a wait is on."""

from __future__ import annotations

import asyncio
import datetime
import time
from typing import Any

import pytest

from airflow_omics.emulator import Emulator
from airflow_omics.hooks.async_client import OmicsAsyncClient
from airflow_omics.triggers import OmicsRunTrigger
from tests.support.triggers import ends, fire, identity, run_loop, seen, seen_more, start_waits, stop


@pytest.mark.parametrize("count", [2, 40])
def test_an_id_reused_while_running_ends_as_deleted(count: int, omics: Emulator) -> None:
    """Two are asked for one by one, forty are listed."""
    run_ids = omics.start_runs(count, life="pending-forever")
    began = time.time()

    async def body() -> tuple[dict[Any, str], list[Any]]:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", count)
        while time.time() < began + 1.5:  # ids are reused after a run's life, not within its first second
            await seen_more(omics, "GetRun" if count == 2 else "ListRuns", 1)
        reused = run_ids[: count // 2]
        uuids = [omics.reuse_id(run_id, life="pending-forever") for run_id in reused]
        events = await asyncio.wait_for(asyncio.gather(*(waits.pop(run_id) for run_id in reused)), 15.0)
        assert not any(wait.done() for wait in waits.values())
        assert all(event["record"]["uuid"] not in uuids for event in events)
        for run_id in waits:
            omics.move(run_id, "COMPLETED")
        return await ends(waits), [event["record"]["status"] for event in events]

    found, deleted = run_loop(body)
    assert deleted == ["DELETED"] * (count // 2)
    assert found == dict.fromkeys(run_ids[count // 2 :], "COMPLETED")


@pytest.mark.parametrize("count", [2, 40])
def test_a_run_that_vanished_ends_as_deleted_with_its_last_record(
    count: int, omics: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_omics._waiting.wait.NOT_FOUND_GRACE", 2.0)
    run_ids = omics.start_runs(count, life="pending-forever", name="cohort-7")

    async def body() -> list[Any]:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", count)
        await seen_more(omics, "GetRun" if count == 2 else "ListRuns", 4)
        for run_id in run_ids:
            omics.vanish(run_id)
        return await asyncio.wait_for(asyncio.gather(*waits.values()), 15.0)

    records = [event["record"] for event in run_loop(body)]
    assert [record["status"] for record in records] == ["DELETED"] * count
    assert {record["name"] for record in records} == {"cohort-7"}


def test_a_run_that_was_deleted_ends_as_deleted(omics: Emulator) -> None:
    run_ids = omics.start_runs(40, life="pending-forever")

    async def body() -> dict[Any, str]:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", 40)
        for run_id in run_ids:
            omics.move(run_id, "COMPLETED")
            omics.move(run_id, "DELETED")
        return await ends(waits)

    assert run_loop(body) == dict.fromkeys(run_ids, "DELETED")


def test_an_id_reused_while_no_triggerer_ran_ends_as_deleted(omics: Emulator, server: Any) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    known = identity(server, run_id)
    omics.reuse_id(run_id, life="pending-forever")

    async def body() -> dict[Any, str]:
        return await ends({run_id: start_waits_of(known)})

    assert run_loop(body) == {run_id: "DELETED"}


def start_waits_of(run: dict[str, str]) -> asyncio.Task[Any]:
    return asyncio.create_task(fire(OmicsRunTrigger(run, poke_interval=0.5)))


def test_a_wait_on_the_earlier_run_of_an_id_is_not_vouched_for_by_its_later_run(
    omics: Emulator, server: Any
) -> None:
    """Both are watched at once, among runs that are swept."""
    run_ids = omics.start_runs(40, life="pending-forever")
    earlier = identity(server, run_ids[0])
    omics.reuse_id(run_ids[0], life="pending-forever")

    async def body() -> dict[Any, str]:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", 40)
        await seen_more(omics, "ListRuns", 4)
        found = await ends({"earlier": start_waits_of(earlier)}, 10.0)
        assert not waits[run_ids[0]].done()
        await stop(waits.values())
        return found

    assert run_loop(body) == {"earlier": "DELETED"}


@pytest.mark.parametrize("count", [1, 40])
def test_access_denied_to_a_run_readable_before_gets_a_second_look(
    count: int, omics: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_omics._waiting.wait.DENIED_SECOND_LOOK", 1.0)
    run_ids = omics.start_runs(count, life="pending-forever")

    async def body() -> dict[Any, str]:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", count)
        await seen_more(omics, "GetRun" if count == 1 else "ListRuns", 2)
        omics.fault("GetRun", "access-denied", run_id=run_ids[0], times=1)
        for run_id in run_ids:
            omics.move(run_id, "COMPLETED")
        return await ends(waits)

    assert run_loop(body) == dict.fromkeys(run_ids, "COMPLETED")


def test_access_denied_twice_is_an_error_with_the_last_record(
    omics: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_omics._waiting.wait.DENIED_SECOND_LOOK", 1.0)
    [run_id] = omics.start_runs(1, life="pending-forever")

    async def body() -> tuple[Any, float]:
        waits = start_waits([run_id])
        await seen(omics, "GetRun", 2)
        began = time.monotonic()
        omics.fault("GetRun", "access-denied")
        return await waits[run_id], time.monotonic() - began

    event, took = run_loop(body)
    assert (event["outcome"], event["error"]) == ("error", "OmicsAccessError")
    assert event["record"]["status"] == "PENDING"
    assert "omics:GetRun" in event["message"]
    assert "readable before" in event["message"]
    assert took >= 1.0


def test_tokens_that_expire_and_are_rotated_end_nobody(
    omics: Emulator, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_omics._watching.shared_client._REBUILD_PAUSE", 0.2)
    omics.fault("ListRuns", "access-denied")
    run_ids = omics.start_runs(40, life="pending-forever")

    async def body() -> dict[Any, str]:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", 40)
        omics.fault("GetRun", "expired-token")
        for run_id in run_ids:
            omics.move(run_id, "COMPLETED")
        await seen_more(omics, "GetRun", 20, timeout=20.0)
        assert not any(wait.done() for wait in waits.values())
        connect(login="rotated", config_kwargs={"user_agent_extra": "rotated/1"})
        await seen_more(omics, "GetRun", 60, timeout=20.0)
        omics.clear_faults()
        return await ends(waits)

    assert run_loop(body, 60.0) == dict.fromkeys(run_ids, "COMPLETED")
    agents = ["rotated/1" in request["user_agent"] for request in omics.requests("GetRun")]
    assert not any(agents[:40])
    assert agents[-1]


def test_a_connection_with_a_role_is_watched_as_well(omics: Emulator, server: Any, connect: Any) -> None:
    connect(
        role_arn="arn:aws:iam::123456789012:role/Cohort",
        service_config={"sts": {"endpoint_url": server.endpoint_url}},
    )
    run_ids = omics.start_runs(10, life="pending-forever")

    async def body() -> dict[Any, str]:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", 10)
        for run_id in run_ids:
            omics.move(run_id, "COMPLETED")
        return await ends(waits)

    assert run_loop(body) == dict.fromkeys(run_ids, "COMPLETED")


def test_a_run_removed_before_its_export_still_ended_as_it_did(
    omics: Emulator, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    uuid = identity(server, run_id)["uuid"]
    get_run = OmicsAsyncClient.get_run

    async def vanishes_first(client: Any, id_: str, export: Any = None) -> Any:
        if export:
            omics.vanish(id_)
        return await get_run(client, id_, export)

    monkeypatch.setattr(OmicsAsyncClient, "get_run", vanishes_first)

    async def body() -> dict[str, Any]:
        # Long after the two minutes in which a run may be unknown.
        hour_ago = time.time() - 3600.0
        trigger = OmicsRunTrigger(
            {"id": run_id, "uuid": uuid}, export=["DEFINITION"], started_at=hour_ago, poke_interval=0.5
        )
        wait = asyncio.create_task(fire(trigger))
        await seen_more(omics, "GetRun", 1)
        omics.move(run_id, "COMPLETED")
        return await wait

    event = run_loop(body)
    assert event["record"]["status"] == "COMPLETED"
    assert "definition" not in event["record"]


def test_a_list_that_names_a_run_of_another_creation_time_vouches_for_nobody(
    omics: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The later run of an id has the same ARN. Were it taken for ours, its GetRun would come in an hour."""
    list_runs = OmicsAsyncClient.list_runs
    shifted: set[str] = set()

    async def with_another(client: Any, status: str, token: str | None = None) -> Any:
        page = await list_runs(client, status, token)
        for item in page.items:
            if item["id"] in shifted:
                item["creationTime"] += datetime.timedelta(hours=1)
        return page

    monkeypatch.setattr(OmicsAsyncClient, "list_runs", with_another)
    run_ids = omics.start_runs(40, life="pending-forever")

    async def body() -> int:
        waits = start_waits(run_ids, poke_interval=1.0)
        await seen(omics, "GetRun", 40)
        await seen_more(omics, "ListRuns", 8)
        looks = len(omics.requests("GetRun"))
        shifted.add(run_ids[7])
        await seen_more(omics, "ListRuns", 12)
        asked = [request["run_id"] for request in omics.requests("GetRun")[looks:]]
        await stop(waits.values())
        return asked.count(run_ids[7])

    assert run_loop(body) >= 2
