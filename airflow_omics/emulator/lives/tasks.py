"""Which tasks a run has at a moment, and in which status each is."""

from __future__ import annotations

import math
import uuid as uuids
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from airflow_omics.emulator.lives.run import LEFT_RUNNING, Run
from airflow_omics.emulator.lives.script import TERMINAL, Life, Task


@dataclass(frozen=True)
class TaskState:
    """One task of a run at a moment; times are reported times."""

    id: str
    uuid: str
    script: Task
    status: str
    created: float | None
    started: float | None
    stopped: float | None


def scripted_running_seconds(life: Life) -> float:
    """Return how many service seconds a life spends between entering RUNNING and leaving it."""
    total, counting = 0.0, False
    for stage in life.stages:
        counting = counting or stage.status == "RUNNING"
        if counting and stage.status in LEFT_RUNNING:
            break
        if counting:
            total += math.inf if stage.seconds is None else stage.seconds
    return total


class TaskEntries(NamedTuple):
    """One task of a run, and the statuses that it has entered, each with its moment of service time."""

    id: str
    uuid: str
    script: Task
    entries: tuple[tuple[float, str], ...]


def entries_of(run: Run, now: float) -> Iterator[TaskEntries]:
    """Yield the tasks that exist at ``now``, in order of creation, with what has happened to each.

    What is there of a task at one moment is there at every later one, and the rest is added to it.

    :param now: the moment, in service time.
    """
    began = run.entered("RUNNING")
    if began is None:
        return
    end = run.left_running
    limit = now if end is None else end.service
    scripted = scripted_running_seconds(run.life)
    first = 1_000_000 + uuids.UUID(run.uuid).int % 8_900_000
    for index, script in enumerate(run.life.tasks):
        played = end is not None and not run.cut and script.at + script.seconds <= scripted
        entries = _walk(script, began.service + script.at, limit, end is not None, played)
        if entries:
            task_uuid = str(uuids.uuid5(uuids.UUID(run.uuid), str(index)))
            yield TaskEntries(str(first + index), task_uuid, script, entries)


def next_entry(run: Run, now: float) -> float:
    """Return when the next task of a run enters another status, as its script has it; infinite if none does.

    :param now: the moment after which, in service time.
    """
    began = run.entered("RUNNING")
    if began is None or run.left_running is not None:
        return math.inf
    soonest = math.inf
    for script in run.life.tasks:
        moment = began.service + script.at
        for stage in script.stages:
            if moment > now:
                soonest = min(soonest, moment)
                break
            moment = math.inf if stage.seconds is None else moment + stage.seconds
    return soonest


def tasks_of(run: Run, now: float, reported: Callable[[float], float]) -> Iterator[TaskState]:
    """Yield the tasks that exist at ``now``, in order of creation.

    :param now: the moment, in service time.
    :param reported: gives the reported time of a moment of service time.
    """
    for task in entries_of(run, now):
        entered = {status: moment for moment, status in task.entries}
        stopped = next((moment for moment, status in reversed(task.entries) if status in TERMINAL), None)
        moments = (task.entries[0][0], entered.get("RUNNING"), stopped)
        times = [None if m is None or task.script.cache_hit else reported(m) for m in moments]
        yield TaskState(task.id, task.uuid, task.script, task.entries[-1][1], *times)


def _walk(
    script: Task, created: float, limit: float, over: bool, played: bool
) -> tuple[tuple[float, str], ...]:
    """Return the statuses that a task has entered, each with its moment of service time.

    :param limit: the moment up to which anything happens.
    :param over: whether nothing happens after it.
    :param played: whether its script is played to the end, however late the run is.
    """
    entries = []
    moment = created
    for stage in script.stages:
        if moment == math.inf or (moment > limit and not played):
            break
        entries.append((min(moment, limit), stage.status))
        moment = math.inf if stage.seconds is None else moment + stage.seconds
    if entries and over and not any(status in TERMINAL for _, status in entries):
        entries.append((limit, "CANCELLED"))
    return tuple(entries)
