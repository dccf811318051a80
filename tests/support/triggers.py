"""Runs triggers in an event loop against the emulator's server; nothing here sleeps for a fixed time."""

from __future__ import annotations

import asyncio
import contextvars
import datetime
import json
import logging
import threading
import urllib.request
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

import pytest

from airflow_omics._watching.watcher import Watcher
from airflow_omics.emulator import Emulator
from airflow_omics.hooks.async_client import OmicsAsyncClient
from airflow_omics.triggers import OmicsRunBatchTrigger, OmicsRunTrigger

T = TypeVar("T")
SEED = 20260101
QUICK = 0.5
"""Seconds: the shortest poke interval that the watcher accepts."""


def run_loop(body: Callable[[], Awaitable[T]], timeout: float = 30.0) -> T:
    """Run ``body`` in a loop of its own; no watcher and no task may be left when it returns."""

    async def main() -> T:
        result = await asyncio.wait_for(body(), timeout)
        assert not Watcher._of_loop.get(asyncio.get_running_loop()), "a watcher is left"
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:  # about to end, if a wait was cancelled twice
            _, left = await asyncio.wait(left, timeout=2.0)
        assert not left, f"tasks are left: {left}"
        return result

    return asyncio.run(main())


WAITING_TRIGGERS = (OmicsRunTrigger, OmicsRunBatchTrigger)


def round_trip(trigger: Any) -> Any:
    """Return the trigger as a triggerer makes it: from what ``serialize`` said, through JSON."""
    path, kwargs = trigger.serialize()
    [trigger_class] = [made for made in WAITING_TRIGGERS if path == f"airflow_omics.triggers.{made.__name__}"]
    return trigger_class(**json.loads(json.dumps(kwargs)))


async def fire(trigger: Any) -> dict[str, Any]:
    """Return the payload of the one event that the trigger fires, through JSON."""
    events = [event async for event in round_trip(trigger).run()]
    assert len(events) == 1
    payload: dict[str, Any] = json.loads(json.dumps(events[0].payload))
    return payload


def start_waits(
    ids: Iterable[Any], trigger_class: Any = OmicsRunTrigger, **arguments: Any
) -> dict[Any, asyncio.Task[dict[str, Any]]]:
    """Start a deferred wait for each run, or for each batch."""
    arguments = {"poke_interval": QUICK, **arguments}
    return {id_: asyncio.create_task(fire(trigger_class(id_, **arguments))) for id_ in ids}


async def ends(waits: dict[Any, asyncio.Task[dict[str, Any]]], timeout: float = 25.0) -> dict[Any, str]:
    """Wait for every wait; return how each ended: the run's status, or else the outcome."""
    async with asyncio.timeout(timeout):
        events = dict(zip(waits, await asyncio.gather(*waits.values()), strict=True))
    return {id_: ended_as(event) for id_, event in events.items()}


def ended_as(event: dict[str, Any]) -> str:
    return event["record"]["status"] if event["outcome"] == "terminal" else event["outcome"]


async def stop(waits: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel waits, and return when they are gone."""
    waits = list(waits)
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)


async def seen(omics: Emulator, operation: str, count: int = 1, timeout: float = 15.0) -> int:
    """Wait until an operation was called ``count`` times in all."""
    return await asyncio.to_thread(omics.wait_for, operation, count, timeout)


async def seen_more(omics: Emulator, operation: str, count: int = 1, timeout: float = 15.0) -> int:
    """Wait until an operation was called ``count`` times more."""
    return await seen(omics, operation, omics.counts().get(operation, 0) + count, timeout)


def moments(requests: Sequence[dict[str, Any]]) -> list[float]:
    """Return when each request of the emulator's log was answered, in order, as seconds since the epoch."""
    return sorted(datetime.datetime.fromisoformat(request["time"]).timestamp() for request in requests)


def most_within(times: Sequence[float], seconds: float) -> int:
    """Return the most of ``times`` that any window of so many seconds holds."""
    return max((sum(1 for t in times if start <= t < start + seconds) for start in times), default=0)


def read(server: Any, run_id: str) -> dict[str, Any]:
    """Return the run's record, by a GetRun past botocore."""
    scope = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/omics/aws4_request, Signature=0"
    request = urllib.request.Request(f"{server.endpoint_url}/run/{run_id}", headers={"Authorization": scope})
    with urllib.request.urlopen(request, timeout=10) as answer:
        record: dict[str, Any] = json.load(answer)
    return record


def identity(server: Any, run_id: str) -> dict[str, str]:
    """Return what a sensor carries of a run that it has read."""
    record = read(server, run_id)
    return {key: record[key] for key in ("id", "uuid", "arn")}


class Clients:
    """Counts the clients that are built and closed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: list[OmicsAsyncClient] = []
        self.closed: list[OmicsAsyncClient] = []
        self.built_in: list[threading.Thread] = []
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        open_, close = OmicsAsyncClient.open.__func__, OmicsAsyncClient.close  # type: ignore[attr-defined]

        def counted_open(cls: Any, arguments: Any) -> Any:
            self.built_in.append(threading.current_thread())
            self.begun.set()
            assert self.go_on.wait(10.0)
            client = open_(cls, arguments)
            self.opened.append(client)
            return client

        async def counted_close(client: OmicsAsyncClient) -> None:
            await close(client)
            self.closed.append(client)

        monkeypatch.setattr(OmicsAsyncClient, "open", classmethod(counted_open))
        monkeypatch.setattr(OmicsAsyncClient, "close", counted_close)


class Lines:
    """A waiter's own log, and a way to wait for a line of it."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []
        self._said = asyncio.Condition()
        self._background: set[asyncio.Task[None]] = set()

    def log(self, level: int, msg: str, /) -> None:
        self.lines.append((level, msg))
        task = asyncio.get_running_loop().create_task(self._notify())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _notify(self) -> None:
        async with self._said:
            self._said.notify_all()

    async def said(self, part: str, times: int = 1, timeout: float = 15.0) -> None:
        async with asyncio.timeout(timeout), self._said:
            await self._said.wait_for(lambda: sum(part in line for _, line in self.lines) >= times)


LISTENING: contextvars.ContextVar[Lines | None] = contextvars.ContextVar("LISTENING", default=None)


class ByWaiter(logging.Handler):
    """Gives each line to the waiter in whose context it was written, as Airflow's triggerer does."""

    def emit(self, record: logging.LogRecord) -> None:
        if (lines := LISTENING.get()) is not None:
            lines.log(record.levelno, record.getMessage())


async def watch(run_id: Any, log: Lines, **arguments: Any) -> dict[str, Any]:
    """Wait for a run in a task whose log is ``log``; return the event's payload. Needs a task of its own."""
    LISTENING.set(log)
    return await fire(OmicsRunTrigger(run_id, **{"poke_interval": QUICK, **arguments}))


def airflow_stats() -> Any:
    """Return what this Airflow sends metrics with."""
    try:
        from airflow.sdk.observability.stats import Stats
    except ImportError:  # before Airflow 3.2
        from airflow.stats import Stats
    return Stats
