"""Sweeps: a watcher's way to ask for many runs at once, by listing the active ones.

A list shows that a run is active only if ``arn`` and ``creationTime`` are the ones known for it. A watched
run that a sweep did not hold is a suspect, and GetRun decides.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Any

from airflow_omics import _clock
from airflow_omics._faults import Fault, backoff
from airflow_omics._watching.watchlist import Entry, SweepCost, Watchlist, created_at
from airflow_omics.exceptions import FaultKind
from airflow_omics.records import ACTIVE_STATUSES

log = logging.getLogger(__name__)

_TRIES = 5  # for one page
_COST_HOLDS = 900.0  # seconds for which the cost of a sweep is relied on, if it was too high
_OFF_FOR = 3600.0  # seconds without ListRuns if it is denied or its answer can't be used
_BURST_PAUSE = 5.0  # seconds between a sweep and the next one outside the schedule
_LONGEST_PAUSE = 60.0  # seconds between two questions whether a sweep is due
_STEADY = 0.98  # share of neighbours that two lists must have in the same order


class Sweeper:
    """Decides when to sweep, and what a sweep says of each watched run.

    :param watchlist: the runs.
    :param list_page: lists one page: ``(status, token) -> (items, next token)``, or the call's fault.
    :param wake: set when there may be something new to ask GetRun for.
    :param clock_skew: returns by how many seconds the service's clock is ahead of ours.
    """

    def __init__(
        self,
        watchlist: Watchlist,
        list_page: Callable[[str, str | None], Awaitable[tuple[list[dict[str, Any]], str | None] | Fault]],
        wake: asyncio.Event,
        clock_skew: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._watchlist = watchlist
        self._clock_skew = clock_skew
        self._list_page = list_page
        self._wake = wake
        self._cost = SweepCost()
        self._off_until = 0.0
        self._failures = 0
        self._begun_at = self._ended_at = -math.inf
        self.suspected_wrongly = 0
        """GetRuns since the last sweep for runs that had not changed."""
        self._period: float | None = None
        self._lasted: float | None = None  # seconds that the last sweep took; None if lists are not relied on
        self._order: dict[str, int] = {}
        self._ids: list[str] = []
        self._is_steady = False
        self._stirred = asyncio.Event()

    async def run_once(self) -> None:
        """Sweep if it is time to, or wait a moment."""
        now = _clock.monotonic()
        try:
            self._period = None if now < self._off_until else self._cost.period(self._watchlist, now)
            is_due = self._is_due(now)
            if is_due:
                await self._sweep(now)
        except Exception:  # a mistake of ours, or an answer that nobody expected
            self._failed(Fault(FaultKind.TRANSIENT, "a sweep ended in an unexpected way"))
            raise
        if not is_due:
            await self._wait(self._pause(now))

    def stir(self) -> None:
        """Look at once whether a sweep is due: more or fewer runs are waited for."""
        self._stirred.set()

    async def _wait(self, seconds: float) -> None:
        self._stirred.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stirred.wait()

    def looks_within(self, entry: Entry) -> float:
        """Return after how many seconds without an answer about it a run is due for a GetRun."""
        interval = entry.interval
        if self._period is None or interval < self._period or self._lasted is None:
            return interval
        return interval + 1.5 * max(5.0, self._lasted)

    def _is_due(self, now: float) -> bool:
        if not len(self._watchlist) or now < self._off_until:
            return False
        backlog = self._watchlist.gather(now)
        pages = self._cost.estimate(len(self._watchlist), now, self._watchlist.statuses_to_ask())
        # So many runs are due at once that a sweep is quicker; not again if it did not help.
        if now >= self._ended_at + _BURST_PAUSE and backlog > pages:
            return True
        return self._period is not None and now >= self._begun_at + self._period

    def _pause(self, now: float) -> float:
        """Return the seconds in which no sweep can become due, unless runs come or go."""
        if now < self._off_until:
            return min(_LONGEST_PAUSE, self._off_until - now)
        if self._watchlist.ready:
            return 1.0  # how many runs wait for a GetRun changes all the time
        due_at = self._watchlist.next_due_at()
        if now < self._cost.known_until:
            due_at = min(due_at, self._cost.known_until)
        if self._period is not None:
            due_at = min(due_at, self._begun_at + self._period)
        return min(_LONGEST_PAUSE, max(0.05, due_at - now))

    async def _sweep(self, begun_at: float) -> None:
        """List every active run that may be watched, in the order of a run's life.

        A run only moves forward. One that changes its status during the sweep is found in its later status,
        or has ended.
        """
        self._begun_at = begun_at
        first = ACTIVE_STATUSES.index(self._watchlist.earliest_status())
        seen: dict[str, int] = {}
        cursor, pages = 0, 0
        for status in ACTIVE_STATUSES[first:]:
            token: str | None = None
            while True:
                asked_at = _clock.monotonic()
                page = await self._page(status, token)
                if page is None:
                    return
                pages += 1
                for item in page[0]:
                    cursor = self._taken(item, status, asked_at, seen, cursor)
                token = page[1]
                if token is None:
                    break
                if self._is_too_dear(pages):
                    self._cost = SweepCost(pages + 1, _clock.monotonic() + _COST_HOLDS)
                    self._do_without()
                    return
        self._suspect_missing(seen, begun_at)
        self._failures = 0
        self._learn_order(seen)
        # A GetRun for a run that should have been listed is part of what sweeping costs.
        self._cost = SweepCost(pages + self.suspected_wrongly, _clock.monotonic() + _COST_HOLDS)
        self.suspected_wrongly = 0
        self._ended_at = _clock.monotonic()
        self._lasted = self._ended_at - begun_at

    async def _page(self, status: str, token: str | None) -> tuple[list[dict[str, Any]], str | None] | None:
        for attempt in itertools.count():
            page = await self._list_page(status, token)
            if not isinstance(page, Fault):
                return page
            if page.kind in (FaultKind.DENIED, FaultKind.REFUSED, FaultKind.NOT_FOUND):
                self._switch_off(_OFF_FOR, page)
                return None
            if attempt == _TRIES - 1:
                self._failed(page)
                return None
            await asyncio.sleep(backoff(attempt + 1, first=0.5, longest=5.0))
        return None

    def _failed(self, fault: Fault) -> None:
        self._failures += 1
        self._switch_off(min(30.0 * 2.0 ** min(self._failures, 10), _OFF_FOR), fault)

    def _switch_off(self, seconds: float, fault: Fault) -> None:
        """Use no ListRuns for a while: it only helps, and nobody's wait depends on it."""
        self._off_until = _clock.monotonic() + seconds
        self._do_without()
        log.warning(
            "Watching only by GetRun for %.0f s, as runs cannot be listed: %s", seconds, fault.message
        )

    def _do_without(self) -> None:
        self._period = self._lasted = None
        self._watchlist.expect_no_list()
        self._wake.set()

    def _taken(
        self, item: dict[str, Any], status: str, asked_at: float, seen: dict[str, int], cursor: int
    ) -> int:
        """Take one item of a list as :meth:`_listed` does; one that can't be used counts as not listed."""
        try:
            return self._listed(item, status, asked_at, seen, cursor)
        except Exception as error:  # whatever a service may send; GetRun decides
            log.debug("An item of ListRuns could not be used", exc_info=error)
            seen.pop(item["id"], None)
            return cursor

    def _listed(
        self, item: dict[str, Any], status: str, asked_at: float, seen: dict[str, int], cursor: int
    ) -> int:
        """Take one item of a list; return how far this sweep has come in the order of the last one."""
        run_id = item["id"]
        entry = self._watchlist.entries.get(run_id)
        if entry is None or run_id in seen:
            return cursor
        if item.get("status", status) not in ACTIVE_STATUSES or not _matches(entry, item):
            return cursor  # at the end it counts as not listed, and GetRun decides
        seen[run_id] = len(seen)
        self._watchlist.vouched_for(entry, item, asked_at, asked_at + self.looks_within(entry))
        now, status_now = _clock.time(), entry.status or status
        for waiter in entry.waiters:
            waiter.wait.listed(status_now, now, asked_at)
            waiter.show(lambda onlooker: onlooker.listed(item, status_now, now + self._clock_skew()))
            waiter.stir()
        return self._pass_over(run_id, status, seen, cursor)

    def _pass_over(self, run_id: str, status: str, seen: dict[str, int], cursor: int) -> int:
        """Suspect the runs that stood before this one in the last sweep and are missing before it in this.

        If the service lists runs in a steady order, this finds the end of a run with the page on which it
        is missing, and spreads the GetRuns over the sweep. A wrong suspicion costs one GetRun. Only runs of
        the status that is listed are suspected here: a cohort that changed its status at once is listed
        later, in another order.
        """
        position = self._order.get(run_id)
        if not self._is_steady or position is None or position < cursor:
            return cursor
        for before in self._ids[cursor:position]:
            entry = self._watchlist.entries.get(before)
            if entry is not None and before not in seen and entry.status == status:
                self._watchlist.suspect(entry)
                self._wake.set()
        return position + 1

    def _suspect_missing(self, seen: dict[str, int], begun_at: float) -> None:
        """Suspect every run that was watched when the sweep began and that was not listed."""
        for entry in list(self._watchlist.entries.values()):
            if entry.id in seen or entry.joined_at >= begun_at or entry.looked_at >= begun_at:
                continue
            self._watchlist.suspect(entry)
        self._wake.set()

    def _learn_order(self, seen: dict[str, int]) -> None:
        known = [self._order[run_id] for run_id in seen if run_id in self._order]
        rising = sum(a < b for a, b in itertools.pairwise(known))
        self._is_steady = len(known) > 1 and rising >= _STEADY * (len(known) - 1)
        self._order, self._ids = seen, list(seen)

    def _is_too_dear(self, pages: int) -> bool:
        """Return whether GetRun for each run would have been cheaper by now."""
        watched = self._watchlist
        if self._period is None:
            return pages > max(len(watched.ready), len(watched) // 2)
        each = sum(self._period * n / i for i, n in watched.intervals_in_use() if i >= self._period)
        return pages > each


class NoSweeper:
    """Stands for a :class:`Sweeper` where no list says more than a look: each batch gets its own GetBatch."""

    suspected_wrongly = 0

    async def run_once(self) -> None:
        """Wait: no sweep ever becomes due."""
        await asyncio.Event().wait()

    def stir(self) -> None:
        """Do nothing, however many are waited for."""

    def looks_within(self, entry: Entry) -> float:
        """Return after how many seconds a batch is due for a look."""
        return entry.interval


def _matches(entry: Entry, item: dict[str, Any]) -> bool:
    """Return whether the item is the run that is watched, and not another one under its id."""
    created, arn = created_at(item), item.get("arn")
    if entry.arn is not None and arn is not None and arn != entry.arn:
        return False
    if created is None:
        return False
    if entry.created is None:
        return all(waiter.wait.may_be_created_at(created) for waiter in entry.waiters)
    return abs(created - entry.created) < 1.0
