"""What measures, logs or goes wrong in the watcher itself ends no wait, hangs none and takes no slot."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from airflow_omics._waiting.wait import Wait
from airflow_omics._watching import limited_client, rate_limit, shared_client, sweeps, watcher, watchlist
from airflow_omics.emulator import Emulator
from airflow_omics.hooks.async_client import OmicsAsyncClient
from airflow_omics.triggers import OmicsRunTrigger
from tests.support.triggers import airflow_stats, ends, fire, run_loop, seen, seen_more, start_waits

pytestmark = pytest.mark.any_airflow


class Fails:
    """A function that raises, the first ``times`` times or always, and goes on as it was."""

    def __init__(self, function: Callable[..., Any], times: int | None, error: BaseException) -> None:
        self.function, self.left, self.error, self.failed = function, times, error, 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.left is None or self.failed < self.left:
            self.failed += 1
            raise self.error
        return self.function(*args, **kwargs)


def fail(
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    times: int | None = 3,
    error: BaseException | None = None,
) -> Fails:
    fails = Fails(getattr(owner, name), times, error or RuntimeError("a mistake"))
    # A function, so that it is bound as a method is.
    monkeypatch.setattr(owner, name, lambda *args, **kwargs: fails(*args, **kwargs))
    return fails


async def end_all(omics: Emulator, run_ids: list[str], looks: int) -> dict[Any, str]:
    waits = start_waits(run_ids)
    await seen(omics, "GetRun", looks)
    for run_id in run_ids:
        omics.move(run_id, "COMPLETED")
    return await ends(waits, 15.0)


@pytest.mark.parametrize("name", ["incr", "gauge", "timing"])
@pytest.mark.parametrize("times", [1, None], ids=["once", "always"])
def test_a_metric_that_fails_ends_and_hangs_nobody(
    times: int | None, name: str, omics: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_ids = omics.start_runs(2, life="pending-forever")
    monkeypatch.setattr(airflow_stats(), name, Fails(lambda *_: None, times, RuntimeError("no statsd")))
    assert run_loop(lambda: end_all(omics, run_ids, 2)) == dict.fromkeys(run_ids, "COMPLETED")


MISTAKES: list[Any] = [
    pytest.param(watchlist.Watchlist, "looked", None, id="the watchlist takes an answer"),
    pytest.param(limited_client.LimitedClient, "_count", None, id="a request is counted"),
    pytest.param(watcher.Watcher, "_judge", None, id="a wait judges an answer"),
    pytest.param(watcher.Watcher, "_look_around", None, id="the next look is chosen"),
    pytest.param(rate_limit.Limiter, "acquire", None, id="the limiter lets nobody through"),
    pytest.param(Wait, "pause", "throttle", id="a pause after a fault"),
    pytest.param(rate_limit.Limiter, "throttled", "throttle", id="the limiter takes note of throttling"),
    pytest.param(watcher.Watcher, "_failed", "throttle", id="a fault is judged"),
]


@pytest.mark.parametrize(("owner", "name", "kind"), MISTAKES)
def test_a_mistake_in_a_look_is_followed_by_another_look(
    owner: Any, name: str, kind: str | None, omics: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "_MOST_IN_FLIGHT", 1)  # a slot that stays taken stops everybody
    run_ids = omics.start_runs(2, life="pending-forever")
    fails = fail(monkeypatch, owner, name)
    if kind is not None:
        omics.fault("GetRun", kind, times=6)
    assert run_loop(lambda: end_all(omics, run_ids, 2)) == dict.fromkeys(run_ids, "COMPLETED")
    assert fails.failed == 3


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (shared_client.SharedClient, "prepare"),
        (limited_client.LimitedClient, "turn"),
        (OmicsAsyncClient, "get_run"),
    ],
)
def test_a_cancellation_from_within_is_a_mistake_like_any_other(
    owner: Any, name: str, omics: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library that gives up a call of its own may let its CancelledError out."""
    run_ids = omics.start_runs(2, life="pending-forever")
    fail(monkeypatch, owner, name, 1, asyncio.CancelledError())
    assert run_loop(lambda: end_all(omics, run_ids, 2)) == dict.fromkeys(run_ids, "COMPLETED")


class Nonsense:
    def timestamp(self) -> float:
        raise OverflowError("no such year")


NONSENSE: list[dict[str, Any]] = [
    {"creationTime": Nonsense()},
    {"creationTime": 7},
    {"arn": ["arn"]},
    {"status": {"RUNNING": 1}},
    {"status": None, "arn": None, "creationTime": None},
    {},
]


def test_items_of_a_list_that_make_no_sense_are_as_if_not_listed(
    omics: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_runs = OmicsAsyncClient.list_runs

    async def garbled(client: Any, status: str, token: str | None = None) -> Any:
        page = await list_runs(client, status, token)
        for item in page.items:
            item.update(NONSENSE[int(item["id"]) % len(NONSENSE)])
        return page

    monkeypatch.setattr(OmicsAsyncClient, "list_runs", garbled)
    run_ids = omics.start_runs(40, life="pending-forever")

    async def body() -> dict[Any, str]:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", 40)
        await seen_more(omics, "ListRuns", 2)
        for run_id in run_ids:
            omics.move(run_id, "COMPLETED")
        return await ends(waits, 15.0)

    assert run_loop(body) == dict.fromkeys(run_ids, "COMPLETED")


@pytest.mark.parametrize("name", ["_suspect_missing", "_learn_order"])
def test_a_sweep_that_fails_is_done_without_for_a_while(
    name: str, omics: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not repeated at once, and again: each would cost requests and lines."""
    fail(monkeypatch, sweeps.Sweeper, name, None)
    run_ids = omics.start_runs(40, life="pending-forever")
    found = run_loop(lambda: end_all(omics, run_ids, 120))
    assert found == dict.fromkeys(run_ids, "COMPLETED")
    assert omics.counts()["ListRuns"] <= 8
    assert len([r for r in caplog.records if "goes on after" in r.getMessage()]) == 1


def test_a_log_that_fails_ends_nobody(omics: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(logging.Logger):
        def log(self, *args: Any, **kwargs: Any) -> None:
            raise OSError("no space left on device")

    monkeypatch.setattr("airflow_omics.triggers.waiting.log", Broken("broken"))
    run_ids = omics.start_runs(2, life="pending-forever")
    assert run_loop(lambda: end_all(omics, run_ids, 4)) == dict.fromkeys(run_ids, "COMPLETED")


def test_a_wait_whose_run_never_answers_ends_after_its_deadline(
    omics: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "_LATE", 1.0)
    [run_id] = omics.start_runs(1, life="pending-forever")
    omics.fault("GetRun", "hang")
    began = time.monotonic()
    trigger = OmicsRunTrigger(run_id, timeout_at=time.time() + 1.0, poke_interval=0.5)
    event = run_loop(lambda: fire(trigger))
    assert event["outcome"] == "timeout"
    assert "never read" in event["message"]
    assert 2.0 <= time.monotonic() - began < 6.0
