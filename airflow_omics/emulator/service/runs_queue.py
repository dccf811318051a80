"""The runs of a run group that has limits: which of them wait in PENDING, and which have left it.

https://docs.aws.amazon.com/omics/latest/dev/creating-run-groups.html

What happens in a group is replayed in order of time, up to the present: a run is let go at the very moment at
which another one ended, also if nobody has looked since. So it does not matter who looks, or when.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from typing import NamedTuple

from airflow_omics.emulator.lives.run import LEFT_RUNNING, Run
from airflow_omics.emulator.lives.script import REUSED, TERMINAL, VANISHED

LIMITS = ("maxRuns", "maxCpus", "maxGpus", "maxDuration")
_IDLE = LEFT_RUNNING | {"PENDING"}
_A_CHANGE = -1


class _Use(NamedTuple):
    """What an active run takes, and until when."""

    cpus: int
    gpus: int
    until: float


def _needs(run: Run) -> tuple[int, int]:
    """Return the vCPUs and the GPUs that a run counts with: the sum of what its tasks ask for."""
    tasks = [task for task in run.life.tasks if not task.cache_hit]
    return sum(task.cpus for task in tasks), sum(task.gpus for task in tasks)


class Queue:
    """The runs of one run group that has limits.

    A run counts from the moment at which it leaves PENDING until it has ended. Those that wait are let go by
    priority, the higher first, and then in order of creation; none overtakes another. A run that needs more
    than the whole group has is let go when no other one counts.

    :param settle: brings a run up to a moment, in service time; the run that takes over its id is added then.
    """

    def __init__(self, settle: Callable[[Run, float], None]) -> None:
        self._settle = settle
        self._limits: Mapping[str, int] = {}
        self._waiting: dict[int, Run] = {}
        self._active: dict[int, tuple[Run, _Use]] = {}
        self._before_heirs: dict[int, tuple[Run, float]] = {}
        self._cpus = self._gpus = 0
        # Moment and number of a run, or of a change; what is out of date is dropped when it comes up.
        self._ends: list[tuple[float, int]] = []
        self._early: list[tuple[float, int]] = []
        self._ready: list[tuple[int, int]] = []
        self._advancing = False

    # -- the passage of time ---------------------------------------------------------------------------------

    @property
    def _next(self) -> float:
        return min(
            self._ends[0][0] if self._ends else math.inf, self._early[0][0] if self._early else math.inf
        )

    def advance(self, now: float) -> None:
        """Replay what has happened in the group by ``now``, in service time."""
        # Adding the run that takes over an id asks for it in the middle of it.
        if self._advancing:
            return
        self._advancing = True
        try:
            while (moment := self._next) <= now:
                self._free(moment)
                while self._early and self._early[0][0] <= moment:
                    seq = heappop(self._early)[1]
                    if seq in self._waiting:
                        priority = self._waiting[seq].members.get("priority") or 0
                        heappush(self._ready, (-priority, seq))
                self._let_go(moment)
        finally:
            self._advancing = False

    def _free(self, moment: float) -> None:
        while self._ends and self._ends[0][0] <= moment:
            until, seq = heappop(self._ends)
            if seq in self._active and self._active[seq][1].until == until:
                run = self._forget(seq)
                self._settle(run, moment)
                self._await_heir(run)
            elif seq in self._before_heirs and self._before_heirs[seq][1] == until:
                self._settle(self._before_heirs.pop(seq)[0], moment)

    def _await_heir(self, run: Run) -> None:
        """See to it that the run that takes over this one's id is in the group in time."""
        moment = run.reaches(REUSED)
        if moment < math.inf:
            self._before_heirs[run.seq] = run, moment
            heappush(self._ends, (moment, run.seq))

    def _let_go(self, moment: float) -> None:
        while self._ready:
            seq = self._ready[0][1]
            run = self._waiting.get(seq)
            if run is not None:
                if not self._fits(run):
                    return
                del self._waiting[seq]
                run.release(moment)
                self._count(run)
                self._settle(run, moment)
            heappop(self._ready)

    def _fits(self, run: Run) -> bool:
        cpus, gpus = _needs(run)
        limits = self._limits
        return not self._active or (
            len(self._active) < limits.get("maxRuns", math.inf)
            and self._cpus + cpus <= limits.get("maxCpus", math.inf)
            and self._gpus + gpus <= limits.get("maxGpus", math.inf)
        )

    # -- which runs there are --------------------------------------------------------------------------------

    def place(self, run: Run, moment: float) -> None:
        """Take a run in as it is now; also one that something from outside has changed, or taken away.

        :param moment: the present, in service time. The group and the run must have been brought up to it.
        """
        if run.seq in self._active:
            self._forget(run.seq)
        self._waiting.pop(run.seq, None)
        self._before_heirs.pop(run.seq, None)
        if not run.gone:
            run.limit(self._longest, moment)
            if self._waits(run):
                run.hold()
                self._waiting[run.seq] = run
                heappush(self._early, (max(run.scheduled, moment), run.seq))
            elif self._counts(run):
                self._count(run)
            else:
                self._await_heir(run)
        # Whoever waits may fit in now.
        heappush(self._ends, (moment, _A_CHANGE))

    @staticmethod
    def _waits(run: Run) -> bool:
        # One that ends while it is PENDING, or stays in it, takes nothing.
        return (
            run.status == "PENDING" and run.scheduled < math.inf and run.to_come[0].status not in LEFT_RUNNING
        )

    @staticmethod
    def _counts(run: Run) -> bool:
        # One that was cancelled in PENDING never does.
        began = any(entry.status not in _IDLE for entry in run.history)
        return began and not run.terminal and run.status != "PENDING"

    def limit(self, limits: Mapping[str, int], moment: float) -> None:
        """Set the limits of the group.

        :param limits: the limits, by the API's names.
        :param moment: the present, in service time. The group must have been advanced to it.
        """
        self._limits = limits
        for run in [*self._waiting.values(), *(run for run, _ in self._active.values())]:
            self._settle(run, moment)
            self.place(run, moment)

    @property
    def _longest(self) -> float:
        return self._limits.get("maxDuration", math.inf) * 60

    def _count(self, run: Run) -> None:
        use = _Use(*_needs(run), run.reaches(*TERMINAL, VANISHED, REUSED))
        self._active[run.seq] = run, use
        self._cpus += use.cpus
        self._gpus += use.gpus
        if use.until < math.inf:
            heappush(self._ends, (use.until, run.seq))

    def _forget(self, seq: int) -> Run:
        run, use = self._active.pop(seq)
        self._cpus -= use.cpus
        self._gpus -= use.gpus
        return run
