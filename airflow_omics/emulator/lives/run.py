"""A run's passage through its life: which status it shows at a moment.

Nothing happens by itself. Whoever reads a run first brings it up to date: the run enters every stage that is
due.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from airflow_omics.emulator.lives.script import REUSED, TERMINAL, VANISHED, Life, Stage

LEFT_RUNNING = TERMINAL | {"STOPPING", VANISHED, REUSED}
"""Statuses in which no task of a run goes on."""


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
        "deadline",
        "due",
        "gone",
        "history",
        "id",
        "inputs",
        "life",
        "members",
        "most",
        "plan",
        "quiet",
        "reason",
        "says",
        "scheduled",
        "seq",
        "silent",
        "ticks",
        "uses",
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
        silent: bool = False,
        uses: Any = None,
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
        self.plan: Sequence[Stage] = life.stages
        """The life's own stages; those still to come, once something has changed them."""
        self.gone = False
        self.cut = False
        """Whether a cancel or a ``move`` ended it before its script did."""
        self.ticks = 0
        self.quiet = quiet
        """Whether it writes no logs and no outputs."""
        self.silent = silent
        """Whether it has no events."""
        self.uses = uses
        """What it uses of what was made here, such as a workflow; lives know nothing of it."""
        self.inputs: Mapping[str, str] = {}
        """ETags of the objects in S3 that its parameters name, by URI; of those that were there."""
        self.written: dict[str, int] = {}
        self.most = math.inf
        """Seconds that it may spend in RUNNING, by its run group."""
        self.deadline = math.inf
        """The moment of service time at which ``most`` is over."""
        self.due = self.scheduled = created[0]
        """When something happens next; when the next stage begins, if nothing comes between."""
        self._enter(*created)

    @property
    def status(self) -> str:
        """The status, as of when the run was last brought up to date."""
        return self.history[-1].status

    @property
    def created(self) -> Entry:
        """The moment of StartRun."""
        return self.history[0]

    @property
    def terminal(self) -> bool:
        """Whether the run had ended when it was last brought up to date."""
        return self.status in TERMINAL

    def _enter(self, service: float, reported: float) -> None:
        stage = self.plan[len(self.history)] if self.plan is self.life.stages else self.plan[0]
        if self.plan is not self.life.stages:
            self.plan = self.plan[1:]
        self.history.append(Entry(service, reported, stage.status))
        if stage.status in (VANISHED, REUSED):
            self.gone = True
        if stage.status in LEFT_RUNNING:
            self.deadline = math.inf
        elif stage.status == "RUNNING" and self.deadline == math.inf:
            self.deadline = service + self.most
        more = self.left
        self.scheduled = service + stage.seconds if stage.seconds is not None and more else math.inf
        self.due = min(self.scheduled, self.deadline)

    @property
    def left(self) -> int:
        """How many stages are still to come."""
        return len(self.plan) - len(self.history) if self.plan is self.life.stages else len(self.plan)

    @property
    def to_come(self) -> Sequence[Stage]:
        """The stages that are still to come."""
        return self.plan[len(self.history) :] if self.plan is self.life.stages else self.plan

    def bring_up_to_date(
        self, now: float, reported: Callable[[float], float], transition: Mapping[str, Any]
    ) -> None:
        """Enter every stage that is due by ``now``.

        :param now: the present, in service time.
        :param reported: gives the reported time of a moment of service time.
        :param transition: what moto's state manager says of runs.
        """
        kind = transition["progression"]
        if kind == "manual":
            return
        if kind == "immediate":
            while self.left and not self.gone:
                self._enter(now, reported(now))
            return
        if kind == "time":
            seconds = float(transition["seconds"])
            while self.left and not self.gone and self.history[-1].service + seconds <= now:
                moment = self.history[-1].service + seconds
                self._enter(moment, reported(moment))
            return
        while self.due <= now and not self.gone:
            # What both fall due at one moment, the script has it.
            if self.deadline < self.scheduled:
                self._time_out(reported)
            else:
                self._enter(self.due, reported(self.due))

    # -- a run group's limits --------------------------------------------------------------------------------

    def hold(self) -> None:
        """Keep the run in its status, whatever its script says, until :meth:`release`."""
        self.due = math.inf

    def release(self, moment: float) -> None:
        """Let a run that was held enter its next stage at a moment of service time."""
        self.due = self.scheduled = moment

    def limit(self, most: float, moment: float) -> None:
        """Set how many seconds the run may spend in RUNNING, also if it is there already.

        :param moment: the present, in service time. A run that is over the limit ends now.
        """
        self.most = most
        began = self.entered("RUNNING")
        if began is not None and self.left_running is None:
            self.deadline = max(began.service + most, moment)
            self.due = min(self.scheduled, self.deadline)

    def _time_out(self, reported: Callable[[float], float]) -> None:
        self.reason = "RUN_TIMED_OUT"
        self.says = f"Run timeout after {self.most / 60:.0f} minutes."
        self.cut = True
        self.replan(
            (Stage("STOPPING", self._stopping), Stage("FAILED")), (self.deadline, reported(self.deadline))
        )

    @property
    def _stopping(self) -> float:
        """How long the run is STOPPING if its script does not come to its own end."""
        own = next((stage.seconds for stage in self.life.stages if stage.status == "STOPPING"), None)
        return self.life.cancel_seconds if own is None else own

    def reaches(self, *statuses: str) -> float:
        """Return when the run comes to one of ``statuses``, as things stand; infinite if never.

        :return: the moment, in service time. The present status does not count.
        """
        moment, deadline = self.scheduled, self.deadline
        stages: Sequence[Stage] = self.to_come
        while stages or deadline < moment:
            if deadline < moment:
                stages, moment = (Stage("STOPPING", self._stopping), Stage("FAILED")), deadline
            stage, stages = stages[0], stages[1:]
            if stage.status in statuses:
                return moment
            if stage.status in LEFT_RUNNING:
                deadline = math.inf
            elif stage.status == "RUNNING" and deadline == math.inf:
                deadline = moment + self.most
            moment = moment + stage.seconds if stage.seconds is not None and stages else math.inf
        return math.inf

    def tick(self, moment: tuple[float, float], transition: Mapping[str, Any]) -> None:
        """Count a GetRun towards a ``manual`` transition of moto's state manager.

        :param moment: the present, in service time and in reported time.
        """
        if transition["progression"] != "manual":
            return
        self.ticks += 1
        if self.ticks >= int(transition["times"]) and self.left and not self.gone:
            self.ticks = 0
            self._enter(*moment)

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
        return self.entered(*LEFT_RUNNING)
