"""The lines of a run's timeline: the run and its tasks, and how each fared in a few words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from airflow_omics._monitoring.attempts import Attempt, attempts_of
from airflow_omics._monitoring.task_table import RunTask
from airflow_omics._words import span
from airflow_omics.plugin.run_state import RunState


@dataclass(frozen=True)
class Row:
    """One line of the drawing.

    :param name: what stands at its left, with ``tag`` in a frame behind it.
    :param waits: from when to when it waited; likewise ``runs``. None if it did not.
    :param ahead: until when it should run on.
    :param said: a few words beside its bar.
    :param title: all of it, in words.
    :param is_point: whether the run cache answered it, in no time.
    :param was_followed: whether another attempt was made after it.
    """

    name: str
    status: str
    title: str
    said: str = ""
    tag: str = ""
    waits: tuple[float, float] | None = None
    runs: tuple[float, float] | None = None
    ahead: float | None = None
    is_point: bool = False
    was_followed: bool = False
    is_active: bool = False


class Told(NamedTuple):
    """A task, and which attempt of it."""

    task: RunTask
    attempt: Attempt


def told(tasks: Sequence[RunTask]) -> list[Told]:
    """Return each task with the attempt that it is."""
    return [Told(task, attempt) for task, attempt in zip(tasks, attempts_of(tasks), strict=True)]


def rows_of(state: RunState, tasks: Sequence[Told]) -> list[Row]:
    """Return the lines: the run, and each task that has a time.

    Tasks that the run cache answered may have none. They come first, where the run started.
    """
    seen = state.view.tasks.seen if state.view.tasks else state.until
    began = state.created if state.started is None else state.started
    answered = [_row_of_answered(one.task, began) for one in tasks if _first_of(one.task) is None]
    rows = [_row_of_run(state), *answered, *(_row_of_task(one, seen) for one in tasks)]
    return [row for row in rows if row is not None]


def _row_of_run(state: RunState) -> Row | None:
    if state.created is None:
        return None
    started, until, status = state.started, state.until, state.status or "unknown"
    ran, waited = state.ran, state.waited or 0.0
    said = span(ran) if ran is not None else f"waiting {span(waited)}" if state.is_active else ""
    found = state.forecast
    begun = until if started is None else max(started, state.created)
    title = f"The run is {status}: waited {span(waited)}"
    return Row(
        "The run",
        status,
        title + (f", ran {span(ran)}" if ran is not None else ""),
        said + (" so far" if state.is_active and ran is not None else ""),
        waits=(state.created, max(begun, state.created)),
        runs=None if started is None or ran is None else (begun, max(begun, until)),
        ahead=until + found.left if found and found.left is not None and started is not None else None,
        is_active=state.is_active,
    )


def _first_of(task: RunTask) -> float | None:
    return task.created if task.created is not None else task.started


def _row_of_answered(task: RunTask, began: float | None) -> Row | None:
    if not task.cached or began is None:
        return None
    said = words_of(task, "", "")
    title = f"{task.name} ({task.id}), {said}"
    return Row(task.name, task.status, title, said, "cache", runs=(began, began), is_point=True)


def _row_of_task(one: Told, seen: float) -> Row | None:
    task, attempt = one
    first = _first_of(task)
    if first is None:
        return None
    until = task.stopped if task.stopped is not None else seen if task.is_active else None
    begun = task.started if task.started is not None else until
    begun = max(first, begun if begun is not None else first)
    runs = None
    if task.started is not None:
        runs = (begun, max(begun, until if until is not None else begun))
    took = "" if runs is None else span(runs[1] - runs[0])
    said = words_of(task, took, span(begun - first))
    number = f"attempt {attempt.number} of {attempt.of}" if attempt.of > 1 else ""
    machine = task.instance or "no instance"
    parts = (f"{task.name} ({task.id})", number, said, f"waited {span(begun - first)}", machine)
    return Row(
        task.name,
        task.status,
        ", ".join(part for part in parts if part),
        said,
        "cache" if task.cached else f"{attempt.number}/{attempt.of}" if attempt.of > 1 else "",
        waits=None if task.cached else (first, begun),
        runs=runs or ((first, first) if task.cached else None),
        is_point=task.cached,
        was_followed=attempt.was_followed,
        is_active=task.is_active,
    )


def words_of(task: RunTask, took: str, waited: str) -> str:
    """Return how a task fared, in a few words."""
    if task.cached:
        return "from the run cache"
    if task.started is None:
        return f"waiting {waited}" if task.is_active else f"{task.status.lower()}, never started"
    if task.status == "COMPLETED":
        return took
    return f"{took} so far" if task.is_active else f"{task.status.lower()} after {took}"
