"""The events of runs and tasks: one for each status that a run or a task has entered."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from heapq import heappop, heappush

from moto.moto_api import state_manager

from airflow_omics.emulator.lives.run import Run
from airflow_omics.emulator.lives.script import REUSED, VANISHED
from airflow_omics.emulator.lives.tasks import entries_of, next_entry
from airflow_omics.emulator.other_services import event_details
from airflow_omics.emulator.other_services.occurrence import Occurrence
from airflow_omics.emulator.service.common.backend import OmicsBackend
from airflow_omics.emulator.service.runs_state import Runs, runs_of
from airflow_omics.emulator.world.shared import STATE_MODEL

_PSEUDO = (VANISHED, REUSED)


class _Seen:
    """How much of a run has been told."""

    __slots__ = ("entries", "run", "tasks")

    def __init__(self, run: Run) -> None:
        self.run = run
        self.entries = 0
        self.tasks: dict[str, int] = {}


class _News:
    def __init__(self, backend: OmicsBackend) -> None:
        self.seen: dict[int, _Seen] = {}
        self.agenda: list[tuple[float, int]] = []
        """When something happens to a run next, if nothing comes between: moment and number of the run."""
        self.follows_tasks = False
        """Whether the tasks of every run were followed when this was last asked."""


def news(backend: OmicsBackend, now: float, wanted: Collection[str]) -> Iterator[Occurrence]:
    """Yield what has happened to runs and tasks of an account and Region since this was last asked.

    :param now: the present, in service time.
    :param wanted: the detail-types that somebody wants: without these, the runs of a large batch are not made
        for their events.
    """
    if event_details.RUN not in wanted and event_details.TASK not in wanted:
        return
    runs, state = runs_of(backend), backend.state(_News)
    runs.make_all()
    runs.advance_groups(now)
    tasks = event_details.TASK in wanted
    # moto's own kinds of transition have no agenda, and it has no tasks that nobody wanted before.
    by_agenda = state_manager.get_transition(STATE_MODEL)["progression"] == "clock"
    by_agenda = by_agenda and state.follows_tasks >= tasks
    state.follows_tasks = tasks
    due = {} if by_agenda else {seq: seen.run for seq, seen in state.seen.items()}
    while due := {**due, **_due(runs, state, now)}:
        for seq, run in sorted(due.items()):
            seen = state.seen.setdefault(seq, _Seen(run))
            runs.bring_up_to_date(run, now)
            yield from _of_run(run, seen)
            upcoming = run.due
            if tasks:
                yield from _of_tasks(backend, run, seen, now)
                upcoming = min(upcoming, next_entry(run, now))
            if run.gone:
                del state.seen[seq]
            elif upcoming < math.inf:
                heappush(state.agenda, (upcoming, seq))
        # A run that takes over an id has come in meanwhile.
        due = {}


def _due(runs: Runs, state: _News, now: float) -> dict[int, Run]:
    """Return the runs that are new, that something has changed, or whose next moment has come."""
    found = dict(runs.unannounced)
    runs.unannounced.clear()
    while state.agenda and state.agenda[0][0] <= now:
        seq = heappop(state.agenda)[1]
        if seq in state.seen:
            found[seq] = state.seen[seq].run
    return found


def _of_run(run: Run, seen: _Seen) -> Iterator[Occurrence]:
    for entry in run.history[seen.entries :]:
        if entry.status not in _PSEUDO:
            detail = event_details.run_detail(run, entry)
            yield Occurrence(entry.service, entry.reported, event_details.RUN, detail)
    seen.entries = len(run.history)


def _of_tasks(backend: OmicsBackend, run: Run, seen: _Seen, now: float) -> Iterator[Occurrence]:
    end = run.left_running
    for task in entries_of(run, now):
        for moment, status in task.entries[seen.tasks.get(task.id, 0) :]:
            # Nobody stopped the tasks of a run that is gone.
            if end is None or end.status not in _PSEUDO or moment < end.service:
                detail = event_details.task_detail(backend, run, task.id, status)
                yield Occurrence.at(moment, event_details.TASK, detail)
        seen.tasks[task.id] = len(task.entries)
