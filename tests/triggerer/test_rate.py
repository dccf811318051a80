"""The rate is never exceeded, whoever asks and whatever happens; seen in the emulator's request log."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from moto.iam.models import iam_backends

from airflow_omics._watching.rate_limit import Limiter, RateTable
from airflow_omics.emulator import Emulator
from airflow_omics.hooks.async_client import OmicsAsyncClient
from airflow_omics.triggers import OmicsRunTrigger
from tests.support.triggers import (
    ends,
    fire,
    identity,
    moments,
    most_within,
    run_loop,
    seen,
    seen_more,
    start_waits,
    stop,
)

pytestmark = pytest.mark.any_airflow

# The log says when requests were answered: a window a little shorter than a second allows for that.
WINDOW = 0.9


def most(omics: Emulator, operation: str, **wanted: Any) -> int:
    """Return the most requests of an operation within any second."""
    requests = [r for r in omics.requests(operation) if wanted.items() <= r.items()]
    return most_within(moments(requests), WINDOW)


def test_the_rate_of_every_operation_holds_from_the_first_request_on(omics: Emulator, rate: Any) -> None:
    rate(20)
    run_ids = omics.start_runs(150, life="pending-forever")

    async def body() -> None:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", 80)
        await seen(omics, "ListRuns", 20)
        await stop(waits.values())

    run_loop(body)
    assert most(omics, "GetRun") <= 20
    assert most(omics, "ListRuns") <= 20


def test_a_client_that_takes_long_to_build_saves_up_no_requests(
    omics: Emulator, rate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Building a client takes a second or more if a role is assumed or a machine is busy."""
    rate(20)
    omics.fault("ListRuns", "access-denied")
    run_ids = omics.start_runs(60, life="pending-forever")
    open_ = OmicsAsyncClient.open.__func__  # type: ignore[attr-defined]
    asked = threading.Semaphore(0)
    acquire = Limiter.acquire

    async def counted(limiter: Limiter) -> None:
        await acquire(limiter)
        asked.release()

    def slow_open(cls: Any, arguments: Any) -> Any:
        client = open_(cls, arguments)
        for _ in range(25):  # for as long as the watcher would go on asking
            asked.acquire(timeout=0.1)
        return client

    monkeypatch.setattr(Limiter, "acquire", counted)
    monkeypatch.setattr(OmicsAsyncClient, "open", classmethod(slow_open))

    async def body() -> None:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", 30)
        await stop(waits.values())

    run_loop(body)
    assert most(omics, "GetRun") <= 20


def two_connections(omics: Emulator, connect: Any, first: Any, second: Any, count: int) -> None:
    connect("aws_other")

    async def body() -> None:
        waits = start_waits(first)
        await seen(omics, "GetRun", 5)
        others = start_waits(second, aws_conn_id="aws_other")
        await seen_more(omics, "GetRun", count)
        await stop([*waits.values(), *others.values()])

    run_loop(body)


def test_two_connections_to_one_account_and_region_share_one_rate(
    omics: Emulator, server: Any, connect: Any, rate: Any
) -> None:
    """As sensors defer: the identity that was seen names account and Region."""
    omics.fault("ListRuns", "access-denied")
    runs = [identity(server, run_id) for run_id in omics.start_runs(60, life="pending-forever")]
    asked = len(omics.requests("GetRun"))
    rate(20)
    connect("aws_other")

    async def body() -> None:
        waits = [t for i, run in enumerate(runs) for t in start_waits_of(run, i)]
        await seen_more(omics, "GetRun", 70)
        await stop(waits)

    def start_waits_of(run: dict[str, str], number: int) -> list[Any]:
        conn_id = "aws_other" if number % 2 else "aws_default"
        return [asyncio.create_task(fire(OmicsRunTrigger(run, aws_conn_id=conn_id, poke_interval=0.5)))]

    run_loop(body)
    assert most_within(moments(omics.requests("GetRun")[asked:]), WINDOW) <= 20


def test_a_connection_that_does_not_know_its_account_yet_adds_nothing_to_the_rate(
    omics: Emulator, connect: Any, rate: Any
) -> None:
    """Its first look is under way, or was refused: it has read no run, so no ARN names its account."""
    omics.fault("ListRuns", "access-denied")
    mine = omics.start_runs(40, life="pending-forever")
    others = omics.start_runs(40, life="pending-forever")
    for run_id in others:
        omics.vanish(run_id)  # not found yet, for the first two minutes: the gate waits on
    rate(20)
    two_connections(omics, connect, mine, others, 80)
    assert most(omics, "GetRun") <= 20


def test_one_wait_with_a_foreign_arn_takes_no_connection_out_of_its_account_s_rate(
    omics: Emulator, connect: Any, rate: Any
) -> None:
    """That wait ends with an error; the others on its connection still share their account's rate."""
    omics.fault("ListRuns", "access-denied")
    mine = omics.start_runs(40, life="pending-forever")
    others = omics.start_runs(40, life="pending-forever")
    arn = f"arn:aws:omics:us-east-1:999999999999:run/{others[0]}"
    rate(20)
    connect("aws_other", region_name="us-east-1")

    async def body() -> None:
        waits = start_waits(mine, region_name="us-east-1")
        foreign = start_waits([arn], aws_conn_id="aws_other")
        await seen(omics, "GetRun", 2)
        more = start_waits(others, aws_conn_id="aws_other", region_name="us-east-1")
        assert (await ends(foreign)) == {arn: "error"}
        await seen_more(omics, "GetRun", 80)
        await stop([*waits.values(), *more.values()])

    run_loop(body)
    assert most(omics, "GetRun") <= 20


def test_connections_to_two_accounts_have_a_rate_each(
    omics: Emulator, connect: Any, rate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quota is the account's: a cohort of one takes nothing from that of another."""
    omics.fault("ListRuns", "access-denied")
    monkeypatch.setitem(iam_backends["999999999999"]["aws"].access_keys, "AKIAANOTHERACCOUNT00", object())
    connect("aws_other", login="AKIAANOTHERACCOUNT00")
    mine = omics.start_runs(40, life="pending-forever")
    others = omics.start_runs(40, life="pending-forever", account_id="999999999999")
    rate(20)

    async def body() -> None:
        waits = [*start_waits(mine).values(), *start_waits(others, aws_conn_id="aws_other").values()]
        await seen(omics, "GetRun", 20)  # both connections have read a run, and know their account
        await seen_more(omics, "GetRun", 80)
        await stop(waits)

    run_loop(body)
    requests = omics.requests("GetRun")
    assert {request["error"] for request in requests} == {None}
    for run_ids in (mine, others):
        assert most_within(moments([r for r in requests if r["run_id"] in run_ids]), WINDOW) <= 20
    assert most_within(moments(requests[20:]), WINDOW) >= 25


def test_every_request_counts_for_the_region_that_it_goes_to_the_first_as_well(
    omics: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Region may stand in the connection alone, and is known once there is a client."""
    acquire, counted = RateTable.acquire, set()

    async def noted(table: RateTable, operation: str, region: str, *others: Any) -> None:
        counted.add((operation, region))
        await acquire(table, operation, region, *others)

    monkeypatch.setattr(RateTable, "acquire", noted)
    run_ids = omics.start_runs(40, life="pending-forever")

    async def body() -> None:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", 1)
        await seen(omics, "ListRuns", 1)
        await stop(waits.values())

    run_loop(body)
    assert counted == {("GetRun", "us-east-1"), ("ListRuns", "us-east-1")}


def test_exports_count_as_requests(omics: Emulator, rate: Any) -> None:
    rate(20)
    first, *run_ids = omics.start_runs(31, life="pending-forever")
    for run_id in run_ids:
        omics.move(run_id, "COMPLETED")

    async def body() -> dict[Any, str]:
        waits = start_waits([first], poke_interval=600.0)
        await seen(omics, "GetRun", 1)
        found = await ends(start_waits(run_ids, export=["DEFINITION"]))
        await stop(waits.values())
        return found

    assert run_loop(body) == dict.fromkeys(run_ids, "COMPLETED")
    assert omics.counts()["GetRun"] == 61
    assert most_within(moments(omics.requests("GetRun"))[2:], WINDOW) <= 20


def test_throttling_slows_a_watcher_down_and_it_stays_below_the_quota(omics: Emulator, rate: Any) -> None:
    rate(40)
    omics.limit("GetRun", 10)
    run_ids = omics.start_runs(2, life="pending-forever")
    more = omics.start_runs(60, life="pending-forever")
    omics.fault("ListRuns", "access-denied")

    async def body() -> None:
        waits = start_waits([*run_ids, *more])
        await seen(omics, "GetRun", 80, timeout=25.0)
        await stop(waits.values())

    run_loop(body)
    errors = [request["error"] for request in omics.requests("GetRun")]
    # Unslowed, three of four would be throttled throughout.
    assert errors[-30:].count("ThrottlingException") <= 12
    assert errors.count(None) >= 35


def test_all_ended_at_once_are_drained_at_the_rate_longest_waiting_first(omics: Emulator, rate: Any) -> None:
    rate(25)
    run_ids = omics.start_runs(200, life="pending-forever")
    finished: dict[str, float] = {}

    async def body() -> tuple[float, dict[Any, str]]:
        waits = start_waits(run_ids, poke_interval=2.0)
        for run_id, wait in waits.items():
            wait.add_done_callback(lambda _, run_id=run_id: finished.setdefault(run_id, time.monotonic()))
        await seen(omics, "GetRun", 200)
        await seen_more(omics, "ListRuns", 8)
        for run_id in run_ids:
            omics.move(run_id, "COMPLETED")
        return time.monotonic(), await ends(waits)

    _, ended = run_loop(body, 60.0)
    assert ended == dict.fromkeys(run_ids, "COMPLETED")
    took = max(finished.values()) - min(finished.values())
    assert len(finished) / took >= 0.9 * 25
    # The longest waiting ones first: those that the last sweep confirmed first, as far as requests overlap.
    order = {run_id: number for number, run_id in enumerate(finished)}
    early, late = run_ids[:30], run_ids[-30:]
    assert max(order[run_id] for run_id in early) < min(order[run_id] for run_id in late)


def test_lists_alone_hold_the_rate(omics: Emulator, rate: Any) -> None:
    """A sweep's pages follow each other at once if nothing holds them back."""
    rate(6)
    omics.start_runs(600, life="running-forever")
    run_ids = omics.start_runs(60, life="pending-forever")

    async def body() -> None:
        waits = start_waits(run_ids)
        await seen(omics, "ListRuns", 18)
        await stop(waits.values())

    run_loop(body)
    # Once it is known which account the connection leads to, and so which limiter is the one that counts.
    assert most_within(moments(omics.requests("ListRuns"))[6:], WINDOW) <= 6
