"""Each law is broken by a mistake in the package, or it says nothing."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest

from airflow_omics._starting.attempt import Attempt
from airflow_omics._starting.finder import Finder
from airflow_omics._steering.kills import Kills
from airflow_omics._waiting import log_lines
from airflow_omics._waiting.ending import EndPolicy
from airflow_omics._waiting.wait import Ending, Wait
from airflow_omics._watching import watchlist
from airflow_omics._watching.rate_limit import Limiter
from airflow_omics._watching.shared_client import SharedClient
from tests.simulation.seeded.laws import LAWS
from tests.simulation.seeded.plan import HOUR
from tests.simulation.seeded.plans import LIFE, accident, gate, plan_of, start
from tests.simulation.seeded.play import play

pytestmark = pytest.mark.any_airflow


def _put(target: Any, name: str, value: Any) -> Callable[[], contextlib.AbstractContextManager[Any]]:
    return lambda: mock.patch.object(target, name, value)


@contextlib.contextmanager
def _forgetful() -> Iterator[None]:
    """Every token is new, and no run is ever found."""
    token = property(lambda attempt: uuid.uuid4().hex)
    with (
        mock.patch.object(Attempt, "token", token),
        mock.patch.object(Finder, "runs_of", return_value=[]),
        mock.patch("airflow_omics._starting.memory.Memory.run", property(lambda memory: {})),
    ):
        yield


@contextlib.contextmanager
def _always_killed() -> Iterator[None]:
    with (
        mock.patch("airflow_omics._starting.worker_kill.is_killed", return_value=True),
        mock.patch("airflow_omics._steering.kills.is_killed", return_value=True),
    ):
        yield


@contextlib.contextmanager
def _too_early() -> Iterator[None]:
    with (
        mock.patch.object(Wait, "is_over", lambda wait, record: record["status"] == "STOPPING"),
        mock.patch.object(EndPolicy, "state_of", return_value="success"),
    ):
        yield


@contextlib.contextmanager
def _never_over() -> Iterator[None]:
    with (
        mock.patch.object(Wait, "answered", return_value=None),
        mock.patch.object(Wait, "timed_out", return_value=None),
    ):
        yield


async def _at_once(limiter: Limiter) -> None:
    return None


def _later(original: Any) -> Any:
    return lambda plan, entry, due_at: original(plan, entry, due_at + 600.0)


def _mistaken(wait: Wait, *args: Any, **kwargs: Any) -> None:
    raise TypeError("a mistake")


def _refused(wait: Wait, *args: Any, **kwargs: Any) -> Ending:
    return Ending("error", None, "refused", "OmicsAccessError")


_COHORT = [gate(number, 100.0 + number / 100) for number in range(120)]
_LONG = [(status, 4 * HOUR if status == "RUNNING" else seconds) for status, seconds in LIFE]

MISTAKES = {
    "as-its-run": (
        [gate(end="FAILED")],
        _put(EndPolicy, "state_of", lambda policy, ending: "success"),
    ),
    "never-before": ([gate()], _too_early),
    "in-time": ([gate()], _put(watchlist.Watchlist, "schedule", _later(watchlist.Watchlist.schedule))),
    "no-wrong-refusal": ([gate(), accident("internal-error")], _put(Wait, "failed", _refused)),
    "once": ([start(mode="poke"), accident("worker-dies")], _forgetful),
    "nobody-ended": ([start(mode="poke"), accident("worker-stopped")], _always_killed),
    "named": (
        [start(life=[*_LONG, ("COMPLETED", None)]), accident("mark-failed", pick=1)],
        _put(Kills, "handle", mock.MagicMock()),
    ),
    "rate": (_COHORT, _put(Limiter, "acquire", _at_once)),
    "next-look": (
        [{**task, "life": [*_LONG, ("COMPLETED", None)]} for task in _COHORT],
        _put(watchlist.Watchlist, "next_check_at", lambda plan: float("inf")),
    ),
    "few-lines": ([gate(life=[*_LONG, ("COMPLETED", None)])], _put(log_lines, "LINE_EVERY", 1.0)),
    "ends": ([start(interval=3000.0)], _never_over),
    "nothing-left": ([gate()], _put(SharedClient, "close", mock.AsyncMock())),
    "no-mistake": ([gate()], _put(Wait, "answered", _mistaken)),
}
"""For each law: what happens, and the mistake that breaks it."""


def test_every_law_has_a_mistake() -> None:
    assert set(MISTAKES) == set(LAWS)


@pytest.mark.parametrize("law", MISTAKES)
def test_a_mistake_breaks_the_law(law: str) -> None:
    what, mistake = MISTAKES[law]
    plan = plan_of(*what)
    assert play(replace(plan), keep_history=False).broken is None
    with mistake():
        broken = play(plan).broken
    assert broken is not None
    assert broken.law == law
