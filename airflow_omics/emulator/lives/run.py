"""A run's passage through its life: which status it shows at a moment, and which tasks.

Nothing happens by itself: a run is *settled* whenever someone looks, which enters every stage that has fallen
due.
"""

from __future__ import annotations

import math
import uuid as uuids
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from airflow_omics.emulator.lives.script import REUSED, TERMINAL, VANISHED, Life, Stage, Task
from airflow_omics.emulator.world.clock import Clock

_LEFT_RUNNING = TERMINAL | {"STOPPING", VANISHED, REUSED}


class Entry(NamedTuple):
    """The moment at which a run entered a status, in service time and in reported time."""

    service: float
    reported: float
    status: str


class Run:
    """One run: what StartRun said, the stages behind it and those before it."""

    __slots__ = (
        "arn",
        "cut",
        "due",
        "gone",
        "history",
        "id",
        "life",
        "members",
        "plan",
        "quiet",
        "reason",
        "says",
        "seq",
        "ticks",
        "uuid",
        "written",
    )

    def __init__(
        self,
        *,
        id: str,
        uuid: str,
        arn: str,
        seq: int,
        members: Mapping[str, Any],
        life: Life,
        created: tuple[float, float],
        quiet: bool = False,
    ) -> None:
        self.id = id
        self.uuid = uuid
        self.arn = arn
        self.seq = seq
        self.members = members
        self.life = life
        self.reason = life.failure_reason
        self.says = life.status_message
        self.history: list[Entry] = []
        #: The stages not entered yet; the life's own tuple until something interferes.
        self.plan: Sequence[Stage] = life.stages
        self.gone = False
        #: Whether a cancel or a ``move`` ended it before its script did.
        self.cut = False
        self.ticks = 0
        #: Whether it writes no logs and no outputs.
        self.quiet = quiet
        self.written: dict[str, int] = {}
        self.due = created[0]
        self._enter(*created)

    @property
    def status(self) -> str:
        """The status as last settled."""
        return self.history[-1].status

    @property
    def created(self) -> Entry:
        """The moment of StartRun."""
        return self.history[0]

    @property
    def terminal(self) -> bool:
        """Whether the run has ended, as last settled."""
        return self.status in TERMINAL

    def _enter(self, service: float, reported: float) -> None:
        stage = self.plan[len(self.history)] if self.plan is self.life.stages else self.plan[0]
        if self.plan is not self.life.stages:
            self.plan = self.plan[1:]
        self.history.append(Entry(service, reported, stage.status))
        if stage.status in (VANISHED, REUSED):
            self.gone = True
        more = self.left
        self.due = service + stage.seconds if stage.seconds is not None and more else math.inf

    @property
    def left(self) -> int:
        """How many stages are still to come."""
        return len(self.plan) - len(self.history) if self.plan is self.life.stages else len(self.plan)

    def settle(self, now: float, clock: Clock, transition: Mapping[str, Any]) -> None:
        """Enter every stage that has fallen due by ``now`` (service time)."""
        kind = transition["progression"]
        if kind == "manual":
            return
        if kind == "immediate":
            while self.left and not self.gone:
                self._enter(now, clock.reported(now))
            return
        if kind == "time":
            seconds = float(transition["seconds"])
            while self.left and not self.gone and self.history[-1].service + seconds <= now:
                moment = self.history[-1].service + seconds
                self._enter(moment, clock.reported(moment))
            return
        while self.due <= now and not self.gone:
            self._enter(self.due, clock.reported(self.due))

    def tick(self, clock: Clock, transition: Mapping[str, Any]) -> None:
        """Count a GetRun towards a ``manual`` transition of moto's state manager."""
        if transition["progression"] != "manual":
            return
        self.ticks += 1
        if self.ticks >= int(transition["times"]) and self.left and not self.gone:
            self.ticks = 0
            self._enter(*clock.read())

    def replan(self, stages: Sequence[Stage], moment: tuple[float, float]) -> None:
        """Enter ``stages[0]`` at ``moment`` and go on with the others, forgetting the script."""
        self.plan = tuple(stages)
        self._enter(*moment)

    def entered(self, *statuses: str) -> Entry | None:
        """Return the first entry into one of ``statuses``."""
        return next((entry for entry in self.history if entry.status in statuses), None)

    def at(self, service: float) -> Entry | None:
        """Return the entry the run was in at a moment of service time, if it existed."""
        entry = next((entry for entry in reversed(self.history) if entry.service <= service), None)
        return None if entry is None or entry.status in (VANISHED, REUSED) else entry

    @property
    def ended(self) -> Entry | None:
        """The entry into the first terminal status."""
        return self.entered(*TERMINAL)

    @property
    def left_running(self) -> Entry | None:
        """The entry at which the run's tasks came to an end."""
        return self.entered(*_LEFT_RUNNING)


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
        if counting and stage.status in _LEFT_RUNNING:
            break
        if counting:
            total += math.inf if stage.seconds is None else stage.seconds
    return total


def tasks_of(run: Run, now: float, clock: Clock) -> Iterator[TaskState]:
    """Yield the tasks that exist at ``now`` (service time), in order of creation."""
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
        reported = [None if m is None or script.cache_hit else clock.reported(m) for m in moments]
        yield TaskState(
            str(first + index),
            str(uuids.uuid5(uuids.UUID(run.uuid), str(index))),
            script,
            status,
            *reported,
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
