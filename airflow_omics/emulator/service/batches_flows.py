"""How many members of a batch are in which status at a moment, without looking at one.

Members of one life are a flow: the moments at which they start. How many of them have reached a stage is then
a search in a sorted list, however many they are.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Iterator, Sequence

from airflow_omics.emulator.lives.run import Run
from airflow_omics.emulator.lives.script import REUSED, TERMINAL, VANISHED, Stage

COUNTED = {
    "PENDING": "pendingRunCount",
    "STARTING": "startingRunCount",
    "RUNNING": "runningRunCount",
    "STOPPING": "stoppingRunCount",
    "COMPLETED": "completedRunCount",
    "FAILED": "failedRunCount",
    "CANCELLED": "cancelledRunCount",
    "DELETED": "deletedRunCount",
}
"""The member of ``runSummary`` that counts a status."""
GOING_ON = frozenset({"PENDING", "STARTING", "RUNNING", "STOPPING"})
_GONE = frozenset({VANISHED, REUSED})
OVER = TERMINAL | _GONE
"""Statuses in which a run has ended, as its batch sees it."""


def counted_as(statuses: Sequence[str]) -> str:
    """Return the status that a run is counted as.

    A status that ``runSummary`` has no member for goes on, as far as anyone knows. A run that is gone counts
    as it ended, and as DELETED if it had not.

    :param statuses: those that it has had, in order.
    """
    shown = [status for status in statuses if status not in _GONE]
    last = shown[-1] if shown[-1] in COUNTED else "RUNNING"
    return "DELETED" if len(shown) < len(statuses) and last in GOING_ON else last


def counted_then(run: Run, moment: float) -> str | None:
    """Return the status that a run is counted as at a moment, in service time; None if it had not started."""
    last = run.history[-1]
    if last.service <= moment and last.status in COUNTED:
        return last.status
    statuses = [entry.status for entry in run.history if entry.service <= moment]
    return counted_as(statuses) if statuses else None


def end_of(run: Run) -> float:
    """Return the moment at which a run ended, as its batch sees it; infinity if it has not."""
    return min((entry.service for entry in run.history if entry.status in OVER), default=math.inf)


class Flow:
    """Members that pass through the same stages, each from its own moment on."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.stages = stages
        statuses = [stage.status for stage in stages]
        self._seconds = [stage.seconds or 0.0 for stage in stages[:-1]]
        self._counted = [counted_as(statuses[: number + 1]) for number in range(len(stages))]
        over = [number for number, status in enumerate(statuses) if status in OVER]
        self._over = over[0] if over else None
        # In rising order: when each began, and the same of those that are counted elsewhere by now.
        self._begun = array("d")
        self._left = array("d")

    def begin(self, moment: float) -> None:
        """Add a member that begins at a moment, which is no earlier than that of the one before."""
        self._begun.append(moment)

    def leave(self, moment: float) -> None:
        """Take away a member that began at a moment."""
        insort(self._left, moment)

    def stop(self, moment: float) -> None:
        """Take away all that were to begin after a moment."""
        del self._begun[bisect_right(self._begun, moment) :]

    def _enters(self, begun: float, stage: int) -> float:
        # Added up in the order in which a run does it, so that both agree to the last bit.
        for seconds in self._seconds[:stage]:
            begun += seconds
        return begun

    def stage_at(self, begun: float, moment: float) -> int:
        """Return the number of the stage in which a member is at a moment, which it has begun by."""
        stage = 0
        while stage < len(self._seconds) and self._enters(begun, stage + 1) <= moment:
            stage += 1
        return stage

    def add_counts(self, moment: float, counts: Counter[str]) -> None:
        """Add the members that there are at a moment, by the status that each is counted as."""
        reached = [self._reached(stage, moment) for stage in range(len(self._counted))] + [0]
        for stage, status in enumerate(self._counted):
            counts[status] += reached[stage] - reached[stage + 1]

    def spans(self, status: str, moment: float) -> Iterator[tuple[float, float]]:
        """Yield the first and the last moment at which those began that are in a status at a moment."""
        for number, stage in enumerate(self.stages):
            if stage.status == status:
                first, end = self._entered(number + 1, moment), self._entered(number, moment)
                if first < end:
                    yield self._begun[first], self._begun[end - 1]

    def _entered(self, stage: int, moment: float) -> int:
        if stage == len(self.stages):
            return 0
        return bisect_right(self._begun, moment, key=lambda begun: self._enters(begun, stage))

    def _reached(self, stage: int, moment: float) -> int:
        left = bisect_right(self._left, moment, key=lambda begun: self._enters(begun, stage))
        return self._entered(stage, moment) - left

    def end(self) -> float:
        """Return the moment at which its last member ends: infinity if never, its negative if it has none."""
        last, gone = len(self._begun) - 1, len(self._left) - 1
        while last >= 0 and gone >= 0 and self._begun[last] == self._left[gone]:
            last, gone = last - 1, gone - 1
        if last < 0:
            return -math.inf
        return math.inf if self._over is None else self._enters(self._begun[last], self._over)
