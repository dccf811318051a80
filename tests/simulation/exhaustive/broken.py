"""What is meant, and which promise is broken, judged by what the service and a person saw.

What is meant: a task has one run. A run that ended badly, or was deleted, leads to one more. A clear means a
new one, unless ``on_clear`` is ``reattach``. A run that is not meant any more is cancelled, or a log line
names it. What nobody ended is not cancelled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tests.simulation.exhaustive.history import World
from tests.simulation.exhaustive.service import Run

NO_PROCESS = "marked failed when no process of the task was alive"
NO_TRIGGERER = "killed when no triggerer ran"
CUT_OFF = "on_kill was cut off"
KILLED = "killed in a worker"
CLEARED = "cleared while it ran"

_TOKEN = "a repeated token is answered with"


class Reason(NamedTuple):
    """Why a promise cannot be held.

    :param promises: what is broken: ``second`` (a run that was not meant), ``old`` (the run of before a clear
        was taken up), ``stuck`` (the last try failed, and nothing was in its way), ``unwatched`` (a run goes
        on that is not meant any more, and no line names it).
    :param holds: whether it is the reason in this world, for this run.
    :param when: what happens, for docs/use/starting.md.
    :param then: what comes of it.
    """

    promises: tuple[str, ...]
    holds: Callable[[World, Run], bool]
    when: str
    then: str


def _is_unfindable(world: World, run: Run) -> bool:
    return world.is_so(world.listing, "denied") and not run.is_noted


REASONS = {
    "forgotten": Reason(
        ("second",),
        lambda world, run: _is_unfindable(world, run) and world.is_so(_TOKEN, "forgotten"),
        "The worker dies, the try fails or the response is lost after StartRun, and the state store has not "
        "noted the run",
        "A second run is started",
    ),
    "deleted": Reason(
        ("stuck",),
        lambda world, run: run.is_gone and not run.is_noted and world.is_so(_TOKEN, "conflict", "validation"),
        "The run is deleted before the next try, and the state store has not noted it",
        "A new run is not started: each retry fails, and says that the token is in use. Clear the task",
    ),
    "unmarked clear": Reason(
        ("old",),
        lambda world, run: CLEARED in run.marks,
        "The task is cleared while it runs, and its run is not cancelled by the kill",
        "The next try counts as a retry, and takes the run up",
    ),
    "no process": Reason(
        ("unwatched",),
        lambda world, run: NO_PROCESS in run.marks,
        "The task is marked failed after its worker has died, or was told to stop",
        "The run goes on: no process of the task is there to notice",
    ),
    "no triggerer": Reason(
        ("unwatched",),
        lambda world, run: NO_TRIGGERER in run.marks,
        "The deferred task is marked failed or cleared while no triggerer has it",
        "The run goes on: nothing is there to notice",
    ),
    "cut off": Reason(
        ("unwatched",),
        lambda world, run: CUT_OFF in run.marks,
        "The worker dies while it cancels the run of a task that a person has ended",
        "The run goes on",
    ),
    "killed in StartRun": Reason(
        ("unwatched",),
        lambda world, run: (
            KILLED in run.marks and run.wish == world.wish and world.is_so(world.listing, "denied")
        ),
        "A person ends the task while StartRun is under way, or a retry that has not found its run yet",
        "The run that comes of it is not found, and goes on",
    ),
    "killed before it looked": Reason(
        ("unwatched",),
        lambda world, run: KILLED in run.marks and run.wish == world.wish,
        "A person ends a task that is tried again, in the moment before it looks for its run",
        "The run goes on: this try does not know it yet",
    ),
    "killed after a clear": Reason(
        ("unwatched",),
        lambda world, run: KILLED in run.marks and run.wish < world.wish,
        "A person ends a cleared task before it has cancelled the run of before the clear",
        "The run of before goes on",
    ),
    "not found after a clear": Reason(
        ("unwatched",),
        lambda world, run: run.wish < world.wish and _is_unfindable(world, run),
        "The task is cleared after its worker has died or its try has failed, and the state store has not "
        "noted the run",
        "A new run is started, and the earlier one goes on beside it",
    ),
    "not waited for": Reason(
        ("unwatched",),
        lambda world, run: run.wish < world.wish and world.is_so("the task waits", "not at all"),
        "The worker of a task that does not wait for its run dies before it has returned the run, and the "
        "task is cleared",
        "A new run is started, and the earlier one goes on beside it",
    ),
    "refused": Reason(
        ("stuck", "unwatched"),
        lambda world, run: _is_unfindable(world, run) and world.is_so(_TOKEN, "conflict", "validation"),
        "The worker dies, the try fails or the response is lost after StartRun, and the state store has not "
        "noted the run",
        "No second run is started, but the run is not found again: each retry fails, and says so",
    ),
}
"""The first of those that hold for a promise is the reason."""


class Judge:
    """Judges a start by what happens to its runs.

    :ivar reasons: why a promise cannot be held, by name.
    """

    reasons: Mapping[str, Reason] = REASONS

    def broken(self, world: World, promise: str, run: Run) -> None:
        """Note that a promise is broken, and the first reason that there is for it."""
        reasons = self.reasons.items()
        names = (name for name, reason in reasons if promise in reason.promises and reason.holds(world, run))
        world.breaches |= {
            next(names, f"UNKNOWN: {promise} {sorted(run.marks)} {'noted' if run.is_noted else ''}")
        }

    def acted(self, world: World, state: str | None, *, is_marked: bool) -> None:
        """Note what a person did to the task.

        :param is_marked: whether Airflow marks a clear in ``max_tries``: it does unless the task is running.
        """
        if state == "failed":
            world.is_given_up = True
        elif state == "restarting" and self.cleared(world) and not is_marked:
            for run in world.service.runs:
                run.marks |= {CLEARED}

    def cleared(self, world: World) -> bool:
        """Note that a person has cleared the task, and return whether other runs are meant from now on."""
        is_new = world.is_so("on_clear is", "new")
        world.wish += is_new
        return is_new

    def started(self, world: World, run: Run) -> None:
        """Judge a run that StartRun has just started."""
        for other in world.service.runs:
            if other is run or other.is_gone:
                continue
            if other.wish == run.wish and (other.is_active or other.status == "COMPLETED"):
                self.broken(world, "second", other)
                other.is_named = True  # it is counted
            elif other.wish < run.wish and other.status == "RUNNING" and not self.is_accounted_for(other):
                self.broken(world, "unwatched", other)
                other.is_named = True

    def cancelled(self, world: World, run: Run) -> None:
        """Judge a CancelRun that was accepted."""
        if run.wish == world.wish and not world.is_given_up:
            self.broken(world, "cancelled", run)

    def succeeded(self, world: World, result: Any, *, waits: bool) -> None:
        """Judge what a try returned."""
        run = world.service.find(str(result["id"]))
        if run is None or (waits and run.status != "COMPLETED"):
            self.broken(world, "wrong result", run or world.service.runs[-1])
            return
        if run.wish != world.wish:
            self.broken(world, "old", run)
        if not waits:
            run.is_returned = True

    def failed(self, world: World) -> None:
        """Judge a last try that failed: nothing was in its way but what had happened before."""
        self.broken(
            world, "stuck", world.service.runs[-1] if world.service.runs else Run(0, {}, "", 0, 1, None)
        )
        for run in world.service.runs:
            run.is_named = True  # its error says that there is a run, and by which name

    def over(self, world: World) -> None:
        """Judge what is left when nothing will happen to the task any more."""
        for run in world.service.runs:
            if run.is_gone or run.status != "RUNNING" or self.is_accounted_for(run):
                continue
            if world.is_given_up and world.is_so("cancel_on_kill is", "False"):
                continue  # as the DAG says
            self.broken(world, "unwatched", run)

    @staticmethod
    def is_accounted_for(run: Run) -> bool:
        """Return whether somebody knows that a run goes on, or nobody needs to."""
        return run.is_cancelled or run.is_named or run.is_returned

    @staticmethod
    def outcome(world: World) -> str:
        """Return what came of a history: the reasons for what was broken, or that it went as it was meant."""
        return ", ".join(sorted(world.breaches)) or "as meant"
