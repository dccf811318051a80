"""Runs that start one after the other by themselves: the members of a batch, before anybody looks at them.

A run costs a kilobyte or two, and a batch has up to 100,000. So a member is a number until it is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from typing import Any, NamedTuple, Protocol

from airflow_omics.emulator.lives.run import Run


class Later(Protocol):
    """Runs that are known by their position, from 0."""

    blocks: list[Block]
    """Where they stand among the other runs."""

    @property
    def eager(self) -> bool:
        """Whether each is made as soon as it has started."""

    def moment(self, position: int) -> float:
        """Return the moment of service time at which a run starts."""

    def keep(self, position: int) -> Run | None:
        """Make a run for good; None if there is none."""

    def positions(self, first: int, end: int, wanted: Mapping[str, Any]) -> Iterable[int]:
        """Return the positions in a stretch that may match the filters of ListRuns, in rising order."""

    def look(self, position: int, wanted: Mapping[str, Any]) -> Run | None:
        """Return a run as it is now; None if there is none, or if it is not wanted.

        What is returned may be made for this look alone.

        :param wanted: filters of ListRuns; one that does not match may be returned all the same.
        """


class Starter(Protocol):
    """What lets runs start by themselves: a batch."""

    def begun(self) -> tuple[Later | None, int, bool]:
        """Return the runs, how many have started by now, failed ones included, and whether more follow."""

    def count(self) -> None:
        """See to what was left for when those that have started have their place in the order."""


class Unmade(NamedTuple):
    """What an id stands for that was shown, before its run is made."""

    later: Later
    position: int

    @property
    def gone(self) -> bool:
        """As a run has it; this one is not gone."""
        return False


class Block:
    """A stretch of runs that stand one after the other in the order of creation.

    :param later: what they belong to.
    :param first: the number of the first one in that order.
    :param position: the position of the first one.
    :param count: how many there are.
    :ivar made: how many of them, from the first one on, were made for good.
    """

    gone = False

    def __init__(self, later: Later, first: int, position: int, count: int) -> None:
        self.later, self.first, self.position, self.count = later, first, position, count
        self.made = 0

    @property
    def seq(self) -> int:
        """The number of the last one."""
        return self.first + self.count - 1

    def after(self, seq: int, wanted: Mapping[str, Any]) -> Iterator[Run]:
        """Yield those after a number, each as it is now.

        :param wanted: filters of ListRuns; some of those that do not match are left out.
        """
        first = self.position + max(0, seq - self.first + 1)
        for position in self.later.positions(first, self.position + self.count, wanted):
            run = self.later.look(position, wanted)
            if run is not None:
                yield run


def number(blocks: list[Block], position: int) -> int:
    """Return the number of a run in the order of creation.

    :param blocks: where those that it is one of stand.
    """
    for block in reversed(blocks):
        if block.position <= position:
            return block.first + position - block.position
    raise LookupError(f"position {position} has not started")


def taken_in(later: Later) -> int:
    """Return how many have a place in the order of creation."""
    return later.blocks[-1].position + later.blocks[-1].count if later.blocks else 0


def in_order(begun: Iterable[tuple[Later, int]]) -> Iterator[tuple[Later, int]]:
    """Yield runs and up to which of them are next to take in, so that the earlier are before the later.

    Those that are not made at once stay together, as one stretch costs no more than one run.

    :param begun: runs, and how many of them have started.
    """
    stretches = [_stretches(rank, later, end) for rank, (later, end) in enumerate(begun)]
    return ((later, end) for _, _, end, later in merge(*stretches))


def _stretches(rank: int, later: Later, begun: int) -> Iterator[tuple[float, int, int, Later]]:
    taken = taken_in(later)
    if later.eager:
        for position in range(taken, begun):
            yield later.moment(position), rank, position + 1, later
    elif taken < begun:
        yield later.moment(taken), rank, begun, later
