"""Every way that one start can go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.exhaustive import broken
from tests.simulation.exhaustive.accidents import ACCIDENTS, Accident
from tests.simulation.exhaustive.history import RETRIES, World
from tests.simulation.exhaustive.tries import Try, installed
from tests.simulation.exhaustive.ways import Ways, all_ways

DEATH, STOP = "the worker dies", "the worker is told to stop"

NEXT = {
    "succeeded": ("over", "cleared"),
    "failed": ("retried", "cleared", "over"),
    "failed for good": ("cleared", "over"),
    DEATH: ("retried", "cleared", "marked failed"),
    STOP: ("retried", "cleared", "marked failed"),
    "a person marks the task failed": ("over", "cleared"),
    "a person clears the running task": ("restarted",),
}
"""What happens to the task after a try that has ended so."""


@dataclass
class Branch:
    """Histories that have come to the same world.

    :param number: how many they are.
    :param path: one of them: what was answered in each try and between two, in turn.
    """

    world: World
    number: int = 1
    path: tuple[dict[str, str], ...] = ()
    ended: str = ""


@dataclass
class Table:
    """All histories of one start.

    :param plays: how many tries were played.
    """

    plays: int = 0
    histories: int = 0
    over: list[Branch] = field(default_factory=list)


def all_starts() -> Table:
    """Play every history."""
    table = Table()
    with installed():
        branches: Iterable[Branch] = [Branch(World())]
        for layer in range(3):
            ended = _merged(b for branch in branches for b in _tries_of(branch, table, is_last=layer == 2))
            if layer == 2:
                for branch in ended:
                    _close(branch, table)
                break
            after = [b for branch in ended for b in _between(branch)]
            for branch in after:
                if branch.ended == "over":
                    _close(branch, table)
            branches = _merged(branch for branch in after if branch.ended != "over")
    return table


def _close(branch: Branch, table: Table) -> None:
    broken.over(branch.world)
    branch.number *= branch.world.unasked
    table.histories += branch.number
    table.over.append(branch)


def _merged(branches: Iterable[Branch]) -> list[Branch]:
    """Return the branches with those as one that go on alike."""
    known: dict[str, Branch] = {}
    for branch in branches:
        first = known.setdefault(f"{branch.ended} {branch.world.key()}", branch)
        if first is not branch:
            first.number += branch.number
    return list(known.values())


# -- a try -----------------------------------------------------------------------------------------------------


def _tries_of(branch: Branch, table: Table, *, is_last: bool) -> Iterator[Branch]:
    """Yield what comes of the next try: undisturbed, and with each accident at each moment.

    Two moments in which an accident would find the same are played once, and count as two.
    """

    def play(ways: Ways, accident: Accident | None = None) -> Try:
        table.plays += 1
        return Try(branch.world.copy(), ways, accident, is_last=is_last)()

    first: dict[str, tuple[int, dict[str, str], str]] = {}
    times: dict[str, int] = {}
    for ways, done in all_ways(play):
        yield _after(branch, done, ways.taken, 1)
        for number, (found, words, taken) in enumerate(done.positions):
            times[found] = times.get(found, 0) + 1
            first.setdefault(found, (number, taken, words))
    if is_last:
        return
    for kind in _kinds(branch.world):
        for found, (number, taken, words) in first.items():
            if words.startswith("while") and kind in (DEATH, STOP):
                continue  # no worker has the task, and a triggerer that dies is replaced
            accident = Accident(number, kind)
            for ways, done in all_ways(lambda ways, a=accident: play(ways, a), taken):
                done.world.accidents += 1
                path = {"accident": f"{kind}, {words} ({number})", **ways.taken}
                yield _after(branch, done, path, times[found])


def _kinds(world: World) -> tuple[str, ...]:
    if world.accidents == 0:
        return tuple(ACCIDENTS)
    return ()


def _after(branch: Branch, done: Try, path: dict[str, str], times: int) -> Branch:
    return Branch(done.world, branch.number * times, (*branch.path, {**path, "ended": done.ended}), done.ended)


# -- between two tries -------------------------------------------------------------------------------------------


def _between(branch: Branch) -> Iterator[Branch]:
    def go(ways: Ways) -> tuple[World, str]:
        world = branch.world.copy()
        then = ways("the task is", NEXT[branch.ended])
        _runs_go_on(world, ways)
        _do(world, then)
        return world, "over" if then in ("over", "marked failed") else then

    for ways, (world, ended) in all_ways(go):
        yield Branch(world, branch.number, (*branch.path, ways.taken), ended)


def _runs_go_on(world: World, ways: Ways) -> None:
    runs = [run for run in world.service.runs if not run.is_gone]
    for run in runs[-2:]:
        question = f"run {run.number} meanwhile"
        if run.status == "RUNNING":
            became = ways(question, ("goes on", "COMPLETED", "FAILED", "is deleted"))
        elif run.status == "STOPPING":
            became = ways(question, ("CANCELLED", "COMPLETED", "goes on"))
        else:
            became = ways(question, ("stays", "is deleted"))
        if became == "is deleted":
            run.is_gone = True
        elif became not in ("goes on", "stays"):
            run.status = became


def _do(world: World, then: str) -> None:
    if then == "cleared":
        world.max_tries, world.is_given_up = world.try_number + RETRIES, False
        if world.lasting["on_clear is"] == "new":
            world.wish += 1
    elif then == "marked failed":
        world.is_given_up = True
        world.learn("marked failed with no process of the task alive")
