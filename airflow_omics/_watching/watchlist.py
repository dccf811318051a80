"""What a watcher watches, runs or batches, and which of them deserves the next look: GetRun or GetBatch.

Plain data structures, no calls and no loop: times are handed in, in seconds on a clock that nobody sets.
Only the deadlines of the waits and the creation times of the runs are in wall time. Sweeps, suspects and the
hourly check are of runs alone.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from airflow_omics._identity import Target
from airflow_omics._waiting.wait import Ending, Wait
from airflow_omics.records import ACTIVE_STATUSES, RunRecord, parse_time

log = logging.getLogger(__name__)

SHORTEST_INTERVAL: Final = 0.5
"""Seconds: a shorter poke interval is raised to this, so that one sensor cannot take the whole rate."""

CHECK_AGE: Final = 600.0
"""Seconds after which a run that only lists confirmed is due for a GetRun, as the rate allows."""

CHECK_EVERY: Final = 3600.0
"""Seconds within which every run gets a GetRun, whatever ListRuns says of it."""


class Onlooker(Protocol):
    """Who is shown how a run or batch goes on, for people; whatever fails there ends no wait."""

    def looked(self, at: float, is_over: bool) -> None:
        """Take note that the wait has taken a GetRun or GetBatch.

        :param at: when that was answered, in seconds since the epoch, by the service's clock.
        :param is_over: whether it ended the wait.
        """

    def listed(self, item: Mapping[str, Any], status: str, at: float) -> None:
        """Take note that an item of ListRuns is the run, in this status."""

    def tasks_listed(self, at: float) -> None:
        """Take note that the wait has a new table of the run's tasks."""


@dataclass(slots=True, eq=False)
class Waiter:
    """One task that waits: what it knows, how often it wants a look, and how it is woken.

    ``stirred`` is done as soon as there are log lines or the wait is over; the task then makes a new one.
    """

    wait: Wait
    interval: float
    export: Sequence[str] | None
    stirred: asyncio.Future[None]
    ending: Ending | None = None
    error: Exception | None = None
    exporting: bool = False
    late: asyncio.TimerHandle | None = None  # ends the wait if there is no final look
    onlooker: Onlooker | None = None

    @property
    def is_over(self) -> bool:
        """Whether the wait is over."""
        return self.ending is not None or self.error is not None

    def stir(self) -> None:
        """Wake the task that waits, if there are log lines for it or its wait is over."""
        if (self.is_over or self.wait.lines.are_due) and not self.stirred.done():
            self.stirred.set_result(None)

    def show(self, show: Callable[[Onlooker], None]) -> None:
        """Show something to the onlooker, if there is one."""
        if self.onlooker is None:
            return
        try:
            show(self.onlooker)
        except Exception as error:  # what people see never matters to the wait
            log.debug("A snapshot was lost", exc_info=error)


@dataclass(slots=True, eq=False)
class Entry:
    """One run or batch, with everybody who waits for it."""

    target: Target
    joined_at: float
    confirmed_at: float  # when it was last known to be active: until then nothing can have been missed
    looked_at: float  # when GetRun last answered; 0 before it did
    due_at: float
    queued_at: float | None = None  # the time under which it stands in the queue, never after due_at
    waiters: list[Waiter] = field(default_factory=list)
    status: str | None = None
    created: float | None = None
    arn: str | None = None
    in_flight: bool = False
    suspect: bool = False
    needs_get_run: bool = False  # the last GetRun failed, and no list can make up for that
    check_queued: bool = False
    tasks_due_at: float | None = None  # when its tasks are to be listed; None before it was seen RUNNING

    @property
    def id(self) -> str:
        """The id, by which a watchlist and a list know it."""
        return self.target.id

    @property
    def checked_at(self) -> float:
        """When GetRun last confirmed the run; if it did not here, when the run came here from a worker."""
        return self.looked_at or self.joined_at

    @property
    def interval(self) -> float:
        """Seconds between two looks: the shortest that any waiter wants."""
        return min(waiter.interval for waiter in self.waiters)

    @property
    def deadline(self) -> float:
        """When the first of its waiters must have a look, in wall time: its wait may be over then."""
        return min(waiter.wait.deadline for waiter in self.waiters)


class Watchlist:
    """Entries by id, and the order in which they deserve a look.

    First suspects, longest unconfirmed first; then the runs that are due, longest due first; then those
    whose identity is still to be learnt; then the hourly check.
    """

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.intervals: Counter[float] = Counter()
        self.ready: dict[str, Entry] = {}
        self._unidentified: dict[str, Entry] = {}
        self._suspects: list[tuple[float, int, Entry]] = []
        self._due: list[tuple[float, int, Entry]] = []
        self._checks: list[tuple[float, int, Entry]] = []
        self._order = itertools.count()
        self.wall_ahead = 0.0
        """Seconds by which wall time is ahead of the clock of the other times."""

    def __len__(self) -> int:
        return len(self.entries)

    def join(self, waiter: Waiter, now: float) -> Entry:
        """Add a waiter; a run that is new here is due soon, not a whole interval later."""
        target = waiter.wait.target
        entry = self.entries.get(target.id)
        if entry is None:
            entry = Entry(target, now, now, 0.0, now)
            entry.arn, entry.created = target.arn, waiter.wait.known.created
            self.entries[target.id] = entry
        else:
            self.intervals[entry.interval] -= 1
        entry.waiters.append(waiter)
        self.intervals[entry.interval] += 1
        # Whoever deferred from a worker has just looked there.
        soon = now if waiter.wait.known.uuid is None else now + entry.interval / 4
        self.schedule(entry, min(soon, entry.due_at) if len(entry.waiters) > 1 else soon)
        return entry

    def leave(self, entry: Entry, waiter: Waiter) -> None:
        """Remove a waiter, and its run when nobody else waits for it."""
        if waiter not in entry.waiters:
            return
        self.intervals[entry.interval] -= 1
        entry.waiters.remove(waiter)
        if entry.waiters:
            self.intervals[entry.interval] += 1
            return
        self.entries.pop(entry.id, None)
        self.ready.pop(entry.id, None)
        self._unidentified.pop(entry.id, None)
        self._sweep_out()

    def schedule(self, entry: Entry, due_at: float) -> None:
        """Set when the run is due: at its deadline at the latest."""
        deadline = entry.deadline - self.wall_ahead
        entry.due_at = min(due_at, deadline) if deadline > entry.looked_at else due_at
        self.ready.pop(entry.id, None)
        if entry.queued_at is None or entry.due_at < entry.queued_at:
            self._queue(entry)

    def expect_no_list(self) -> None:
        """Make every run due by its own interval, since no list will confirm it any more."""
        for entry in self.entries.values():
            if not entry.needs_get_run:
                self.schedule(entry, min(entry.due_at, entry.confirmed_at + entry.interval))

    def suspect(self, entry: Entry) -> None:
        """Mark a run that a complete list of active runs did not hold: it deserves the next GetRun."""
        if not entry.suspect and not entry.in_flight:
            entry.suspect = True
            heapq.heappush(self._suspects, (entry.confirmed_at, next(self._order), entry))

    def looked(self, entry: Entry, record: RunRecord, now: float) -> None:
        """Note what GetRun said of this run."""
        entry.looked_at = entry.confirmed_at = now
        entry.status = record["status"]
        entry.arn = record.get("arn", entry.arn)
        if created := record.get("creationTime"):
            entry.created = parse_time(created).timestamp()
        self._unidentified.pop(entry.id, None)

    def vouched_for(self, entry: Entry, item: Mapping[str, Any], now: float, due_at: float) -> None:
        """Note that ListRuns held this run; unless something confirms it sooner, it is due at ``due_at``."""
        entry.confirmed_at = now
        entry.status = later_status(entry.status, item.get("status"))
        entry.arn = item.get("arn", entry.arn)
        if entry.created is None:
            entry.created = created_at(item)
        if any(waiter.wait.known.uuid is None for waiter in entry.waiters):
            self._unidentified[entry.id] = entry
        if not entry.needs_get_run:
            self.schedule(entry, due_at)
        if not entry.check_queued:
            entry.check_queued = True
            heapq.heappush(self._checks, (entry.checked_at, next(self._order), entry))

    def next_urgent(self, now: float) -> Entry | None:
        """Take the run that deserves a GetRun most, of those that cannot wait."""
        while self._suspects:
            entry = heapq.heappop(self._suspects)[2]
            if entry.suspect and self._is_free(entry):
                return entry
        self.gather(now)
        while self.ready:
            entry = self.ready.pop(next(iter(self.ready)))
            if self._is_free(entry):
                return entry
        return None

    def next_spare(self) -> Entry | None:
        """Take a run whose identity is still to be learnt."""
        while self._unidentified:
            entry = self._unidentified.pop(next(iter(self._unidentified)))
            if self._is_free(entry):
                return entry
        return None

    def next_check(self, now: float) -> Entry | None:
        """Take the run whose last GetRun is the longest ago, if that is long enough."""
        while self.has_check(now):
            checked_at, _, entry = heapq.heappop(self._checks)
            entry.check_queued = False
            if self._is_free(entry) and checked_at == entry.checked_at:
                return entry
        return None

    def has_check(self, now: float) -> bool:
        """Return whether ``next_check`` may have a run to give."""
        return bool(self._checks) and now - self._checks[0][0] >= CHECK_AGE

    def next_check_at(self) -> float:
        """Return when ``next_check`` may have a run to give; infinity if there is none to check."""
        return self._checks[0][0] + CHECK_AGE if self._checks else math.inf

    def gather(self, now: float) -> int:
        """Move the runs that are due by now to ``ready``; return how many are there."""
        while self._due and self._due[0][0] <= now:
            queued_at, _, entry = heapq.heappop(self._due)
            if queued_at != entry.queued_at:
                continue
            entry.queued_at = None
            if entry.due_at > now:  # it was confirmed since, as most runs are by each sweep
                self._queue(entry)
            elif self._is_free(entry):
                self.ready[entry.id] = entry
        return len(self.ready)

    def next_due_at(self) -> float:
        """Return when the next run will be due; infinity when none will."""
        return self._due[0][0] if self._due else math.inf

    def has_urgent(self, now: float) -> bool:
        """Return whether a run cannot wait."""
        return bool(self._suspects) or self.gather(now) > 0

    @property
    def has_spare(self) -> bool:
        """Return whether there is a run whose identity is still to be learnt."""
        return bool(self._unidentified)

    def earliest_status(self) -> str:
        """Return the first status, in the order of a run's life, that any watched run may be in."""
        held = {entry.status for entry in self.entries.values()}
        return next((s for s in ACTIVE_STATUSES if s in held or None in held), ACTIVE_STATUSES[0])

    def statuses_to_ask(self) -> int:
        """Return how many statuses a sweep asks for; with many runs it hardly matters, and 2 is assumed."""
        if len(self.entries) > 400:
            return 2
        return len(ACTIVE_STATUSES) - ACTIVE_STATUSES.index(self.earliest_status())

    def intervals_in_use(self) -> Iterator[tuple[float, int]]:
        """Yield each interval with the number of runs that want it, shortest first."""
        yield from sorted((interval, n) for interval, n in self.intervals.items() if n > 0)

    def _queue(self, entry: Entry) -> None:
        entry.queued_at = entry.due_at
        heapq.heappush(self._due, (entry.due_at, next(self._order), entry))

    def _is_free(self, entry: Entry) -> bool:
        return bool(entry.waiters) and not entry.in_flight and self.entries.get(entry.id) is entry

    def _sweep_out(self) -> None:
        """Drop the runs that left from the heaps, once they are most of what the heaps hold."""
        live = len(self.entries)
        for heap in (self._suspects, self._due, self._checks):
            if len(heap) > 64 + 4 * live:
                heap[:] = [row for row in heap if self.entries.get(row[2].id) is row[2]]
                heapq.heapify(heap)


def later_status(known: str | None, listed: str | None) -> str | None:
    """Return the later of two active statuses: a run only moves forward, and a list may lag."""
    if known in ACTIVE_STATUSES and listed in ACTIVE_STATUSES:
        return max(known, listed, key=ACTIVE_STATUSES.index)
    return listed or known


@dataclass
class SweepCost:
    """What a sweep of ListRuns costs here, as far as is known, and whether it is the cheaper way.

    :param pages: requests that the last sweep took, or after which it was given up as too expensive.
    :param known_until: when that should be measured again.
    """

    pages: int = 0
    known_until: float = 0.0

    def estimate(self, watched: int, now: float, statuses: int = 2) -> float:
        """Return how many requests a sweep would take, one at least for each status that is asked for."""
        least = math.ceil(watched / 100) + statuses - 1
        return max(least, self.pages) if now < self.known_until else least

    def period(self, watchlist: Watchlist, now: float) -> float | None:
        """Return the seconds from one sweep to the next, or None if a GetRun for each run is cheaper.

        A sweep every T seconds serves the runs whose interval is T or longer; the others get a GetRun
        each. Of all T in use, the cheapest is taken.
        """
        pages = self.estimate(len(watchlist), now, watchlist.statuses_to_ask())
        total = sum(n / interval for interval, n in watchlist.intervals_in_use())
        best, period, below = total, None, 0.0
        for interval, n in watchlist.intervals_in_use():
            cost = below + pages / interval
            if cost < best:
                best, period = cost, interval
            below += n / interval
        return period


def created_at(item: Mapping[str, Any]) -> float | None:
    """Return the creation time of a ListRuns item in seconds since the epoch, if it has one."""
    created = item.get("creationTime")
    return None if created is None or not hasattr(created, "timestamp") else float(created.timestamp())
