"""What is meant, and which promise is broken, judged by what the service and a person saw."""

from __future__ import annotations

from typing import Any

from tests.simulation.exhaustive.history import World
from tests.simulation.exhaustive.service import Run


def acted(world: World, state: str | None, *, is_marked: bool) -> None:
    """Note what a person did to the task.

    :param is_marked: whether Airflow marks a clear in ``max_tries``: it does unless the task is running.
    """
    if state == "failed":
        world.is_given_up = True
    elif state == "restarting" and world.lasting["on_clear is"] == "new":
        world.wish += 1
        if not is_marked:
            world.learn("cleared while it ran")


def started(world: World, run: Run) -> None:
    """Judge a run that StartRun has just started."""
    for other in world.service.runs:
        if other is run or other.is_gone:
            continue
        if other.wish == run.wish and (other.is_active or other.status == "COMPLETED"):
            world.note("second", other, *_facts(other))
        elif other.wish < run.wish and other.status == "RUNNING":
            if not (other.is_cancelled or other.is_named or other.is_returned):
                world.note("beside", other, *_facts(other))


def cancelled(world: World, run: Run) -> None:
    """Judge a CancelRun that was accepted."""
    if run.wish == world.wish and not world.is_given_up:
        world.note("cancelled", run)


def succeeded(world: World, result: Any, *, waits: bool) -> None:
    """Judge what a try returned."""
    run = world.service.find(str(result["id"]))
    if run is None:
        if waits:
            world.note("gone", world.service.runs[-1])
        return
    if run.wish != world.wish:
        world.note("old", run, *_facts(run))
    if waits and run.status != "COMPLETED":
        world.note("wrong", run)
    if not waits:
        run.is_returned = True


def failed(world: World, error: Exception) -> None:
    """Judge a last try that failed: nothing was in its way but what had happened before."""
    run = world.service.runs[-1] if world.service.runs else Run(0, {}, "", 0, 1, None)
    world.note("stuck", run, type(error).__name__, *_facts(run))


def over(world: World) -> None:
    """Judge what is left when nothing will happen to the task any more."""
    for run in world.service.runs:
        if run.is_gone or run.status != "RUNNING" or run.is_named or run.is_returned:
            continue
        if world.is_given_up and world.is_so("cancel_on_kill is") == "False":
            continue
        world.note("unwatched", run, *_facts(run))


def _facts(run: Run) -> tuple[str, ...]:
    return () if run.is_answered else ("StartRun was not answered",)
