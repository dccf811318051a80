"""Which tasks a run has at a moment, and in which status each is."""

from __future__ import annotations

import math
import uuid as uuids
from collections.abc import Callable, Iterator
from dataclasses import dataclass

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


def tasks_of(run: Run, now: float, reported: Callable[[float], float]) -> Iterator[TaskState]:
    """Yield the tasks that exist at ``now``, in order of creation.

    :param now: the moment, in service time.
    :param reported: gives the reported time of a moment of service time.
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
        state = _walk(script, began.service + script.at, limit, end is not None, played)
        if state is None:
            continue
        status, moments = state
        times = [None if m is None or script.cache_hit else reported(m) for m in moments]
        yield TaskState(
            str(first + index),
            str(uuids.uuid5(uuids.UUID(run.uuid), str(index))),
            script,
            status,
            *times,
        )


def _walk(
    script: Task, created: float, limit: float, over: bool, played: bool
) -> tuple[str, tuple[float | None, float | None, float | None]] | None:
    """Return a task's status and (created, started, stopped) in service time; None before its creation."""
    if created > limit and not played:
        return None
    started = stopped = None
    status, moment = "PENDING", created
    for stage in script.stages:
        if moment > limit and not played:
            break
        status = stage.status
        when = min(moment, limit)
        if status == "RUNNING":
            started = when
        if status in TERMINAL:
            stopped = when
        moment = math.inf if stage.seconds is None else moment + stage.seconds
        if played and moment == math.inf:
            break
    if over and stopped is None:
        status, stopped = "CANCELLED", limit
    return status, (min(created, limit), started, stopped)
