"""One watcher for all waits of a loop and a connection: what they share, and what never reaches another."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from typing import Any

import pytest

from airflow_omics._connection import AwsArguments
from airflow_omics._watching.watcher import Watcher
from airflow_omics.emulator import Emulator
from airflow_omics.hooks.async_client import OmicsAsyncClient
from airflow_omics.triggers import OmicsRunTrigger
from tests.support.triggers import (
    Clients,
    Lines,
    ends,
    fire,
    identity,
    run_loop,
    seen,
    seen_more,
    start_waits,
    stop,
    watch,
)


def test_a_hundred_waits_share_one_client_and_one_loop(omics: Emulator, clients: Clients) -> None:
    run_ids = omics.start_runs(100, life="pending-forever")

    async def body() -> tuple[int, int]:
        before = len(asyncio.all_tasks())
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", 5)
        assert len(Watcher._of_loop[asyncio.get_running_loop()]) == 1
        # Besides the waits: the watcher, its two loops and no more than 32 calls.
        tasks = len(asyncio.all_tasks()) - before - len(waits)
        for run_id in run_ids:
            omics.move(run_id, "COMPLETED")
        assert set((await ends(waits)).values()) == {"COMPLETED"}
        return tasks, len(clients.opened)

    tasks, opened = run_loop(body)
    assert opened == 1
    assert tasks <= 3 + 32
    assert clients.closed == clients.opened


def test_two_connections_have_a_client_each(omics: Emulator, connect: Any, clients: Clients) -> None:
    connect("aws_other")
    [run_id] = omics.start_runs(1)
    omics.move(run_id, "COMPLETED")

    async def body() -> None:
        waits = start_waits([run_id]), start_waits([run_id], aws_conn_id="aws_other")
        assert [await ends(w) for w in waits] == [{run_id: "COMPLETED"}] * 2

    run_loop(body)
    assert len(clients.opened) == len(clients.closed) == 2


def test_two_loops_have_a_client_each(omics: Emulator, clients: Clients) -> None:
    [run_id] = omics.start_runs(1)
    omics.move(run_id, "COMPLETED")
    for _ in range(2):
        run_loop(lambda: fire(OmicsRunTrigger(run_id)))
    assert len(clients.opened) == len(clients.closed) == 2


def test_two_waits_on_one_run_share_its_calls(omics: Emulator) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")

    async def body() -> list[Any]:
        waits = [start_waits([run_id], poke_interval=2.0)[run_id] for _ in range(10)]
        await seen(omics, "GetRun", 1)
        omics.move(run_id, "COMPLETED")
        waits.append(start_waits([run_id], poke_interval=2.0)[run_id])
        return await asyncio.gather(*waits)

    events = run_loop(body)
    assert [event["record"]["status"] for event in events] == ["COMPLETED"] * 11
    assert omics.counts()["GetRun"] <= 3


def test_each_of_two_waits_on_one_run_ends_by_its_own_deadline(omics: Emulator) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")

    async def body() -> list[Any]:
        soon = start_waits([run_id], poke_interval=600, timeout_at=time.time() + 0.5)[run_id]
        later = start_waits([run_id], poke_interval=600, timeout_at=time.time() + 2.0)[run_id]
        first = await soon
        assert not later.done()
        return [first, await later]

    assert [event["outcome"] for event in run_loop(body)] == ["timeout", "timeout"]


def test_a_cancelled_wait_leaves_at_once_and_the_others_go_on(omics: Emulator) -> None:
    hung, shared = omics.start_runs(2, life="pending-forever")

    async def body() -> dict[Any, str]:
        omics.fault("GetRun", "hang", run_id=hung)
        waits, twins = start_waits([hung, shared]), start_waits([hung, shared])
        await seen(omics, "GetRun", 3)
        async with asyncio.timeout(1.0):
            await stop([waits[hung], twins.pop(hung), waits[shared]])
        omics.move(shared, "COMPLETED")
        return await ends(twins)

    assert run_loop(body) == {shared: "COMPLETED"}


@pytest.mark.parametrize(
    ("kind", "error"), [("access-denied", "OmicsAccessError"), ("validation", "OmicsRequestError")]
)
def test_an_error_for_one_run_goes_to_that_run_s_waiters_alone(
    kind: str, error: str, omics: Emulator
) -> None:
    run_ids = omics.start_runs(30, life="pending-forever")

    async def body() -> dict[Any, str]:
        omics.fault("GetRun", kind, run_id=run_ids[7])
        waits, twins = start_waits(run_ids), start_waits([run_ids[7]])
        events = [await waits.pop(run_ids[7]), await twins[run_ids[7]]]
        assert [(event["outcome"], event["error"]) for event in events] == [("error", error)] * 2
        await seen_more(omics, "ListRuns", 4)
        assert not any(wait.done() for wait in waits.values())
        for run_id in run_ids:
            omics.move(run_id, "COMPLETED")
        return await ends(waits)

    assert set(run_loop(body).values()) == {"COMPLETED"}


NAME: contextvars.ContextVar[str] = contextvars.ContextVar("NAME", default="nobody")


def test_the_loop_does_not_speak_in_the_name_of_its_first_waiter(
    omics: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_ids = omics.start_runs(3, life="pending-forever")
    names: dict[str, set[str]] = {"open": set(), "get_run": set(), "list_runs": set(), "log": set()}

    def noted(what: str, function: Any) -> Any:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            names[what].add(NAME.get())
            return function(*args, **kwargs)

        return wrapper

    for what in ("get_run", "list_runs"):
        monkeypatch.setattr(OmicsAsyncClient, what, noted(what, getattr(OmicsAsyncClient, what)))
    open_ = noted("open", OmicsAsyncClient.open.__func__)  # type: ignore[attr-defined]
    monkeypatch.setattr(OmicsAsyncClient, "open", classmethod(open_))
    monkeypatch.setattr(
        "airflow_omics._watching.sweeps.log.warning", lambda *args: names["log"].add(NAME.get())
    )

    class OwnLines(Lines):
        def log(self, level: int, msg: str, /) -> None:
            said.append((NAME.get(), msg.split()[2]))
            super().log(level, msg)

    said: list[tuple[str, str]] = []

    async def wait_as(name: str, run_id: str) -> None:
        NAME.set(name)
        await watch(run_id, OwnLines())

    async def body() -> None:
        omics.fault("ListRuns", "access-denied")
        tasks = [asyncio.create_task(wait_as(f"waiter {id_}", id_)) for id_ in run_ids]
        others = start_waits(omics.start_runs(300, life="pending-forever"))
        await seen(omics, "ListRuns", 1)
        await seen_more(omics, "GetRun", 310)
        await stop(others.values())
        for run_id in run_ids:
            omics.move(run_id, "COMPLETED")
        await asyncio.gather(*tasks)

    run_loop(body)
    assert names == {what: {"nobody"} for what in names}
    # Each waiter's own lines are written in its own name.
    assert {(f"waiter {run_id}", run_id) for run_id in run_ids} == set(said)


def test_the_event_loop_is_not_held_up_while_a_client_is_built(omics: Emulator, clients: Clients) -> None:
    """The client's builder waits for what only the loop can do; inside the loop it would wait for ever."""
    [run_id] = omics.start_runs(1)
    omics.move(run_id, "COMPLETED")
    clients.go_on.clear()

    async def body() -> dict[Any, str]:
        waits = start_waits([run_id])
        assert await asyncio.to_thread(clients.begun.wait, 10.0)
        clients.go_on.set()
        return await ends(waits)

    assert run_loop(body) == {run_id: "COMPLETED"}
    assert [thread is threading.main_thread() for thread in clients.built_in] == [False]


def test_a_client_that_cannot_be_built_holds_up_no_other_connection(
    omics: Emulator, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A role's STS that does not answer, say."""
    connect("aws_silent")
    [run_id] = omics.start_runs(1)
    omics.move(run_id, "COMPLETED")
    open_ = OmicsAsyncClient.open.__func__  # type: ignore[attr-defined]
    begun, answered = threading.Event(), threading.Event()

    def silent_open(cls: Any, arguments: AwsArguments) -> Any:
        if arguments.aws_conn_id == "aws_silent":
            begun.set()
            answered.wait(8.0)
        return open_(cls, arguments)

    monkeypatch.setattr(OmicsAsyncClient, "open", classmethod(silent_open))

    async def body() -> dict[Any, str]:
        silent = start_waits([run_id], aws_conn_id="aws_silent")
        assert await asyncio.to_thread(begun.wait, 10.0)
        try:
            return await ends(start_waits([run_id]), 5.0)
        finally:
            answered.set()
            await stop(silent.values())

    assert run_loop(body) == {run_id: "COMPLETED"}


def test_the_first_wait_asks_for_its_run_without_an_interval_s_delay(omics: Emulator, server: Any) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    known = identity(server, run_id)
    omics.move(run_id, "COMPLETED")
    began = time.monotonic()
    run_loop(lambda: fire(OmicsRunTrigger(known, poke_interval=12.0)))
    # Whoever deferred from a worker has just looked there: a quarter of the interval, then.
    assert time.monotonic() - began < 9.0


def test_a_connection_s_arguments_reach_the_client(omics: Emulator, connect: Any, clients: Clients) -> None:
    connect("aws_elsewhere", region_name="eu-west-1")
    [run_id] = omics.start_runs(1, region_name="us-west-2")
    omics.move(run_id, "COMPLETED")
    trigger = OmicsRunTrigger(
        run_id,
        aws_conn_id="aws_elsewhere",
        region_name="us-west-2",
        botocore_config={"user_agent_extra": "cohort/7", "read_timeout": 7},
    )
    event = run_loop(lambda: fire(trigger))
    assert event["record"]["arn"] == f"arn:aws:omics:us-west-2:123456789012:run/{run_id}"
    [request] = omics.requests("GetRun")
    assert "cohort/7" in request["user_agent"]
    [client] = clients.opened
    assert client._client.meta.config.read_timeout == 7
    assert AwsArguments("aws_elsewhere").key != AwsArguments("aws_elsewhere", "us-west-2").key
