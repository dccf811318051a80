"""Sweeps of tasks: how far the watched runs are, listed now and then from a share of the rate of its own.

It is for people alone. Whatever goes wrong here, no wait hears of it.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from airflow_omics import _clock
from airflow_omics._faults import Fault
from airflow_omics._monitoring.packed_table import packed
from airflow_omics._monitoring.task_table import TaskTable
from airflow_omics._watching.watchlist import Entry, Waiter, Watchlist
from airflow_omics.exceptions import FaultKind

if TYPE_CHECKING:
    from airflow_omics.hooks.async_client import TaskPage

log = logging.getLogger(__name__)

TASKS_EVERY: Final = 600.0
"""Seconds at least between two lists of the tasks of one run."""

FIRST_AFTER: Final = 60.0
"""Seconds from when a run is seen RUNNING until its tasks are listed: it begins with none."""

MOST_PAGES: Final = 10
"""Pages of 100 tasks that are listed of one run."""

_WITH_TASKS: Final = ("RUNNING", "STOPPING")
_LONGEST_PAUSE: Final = 15.0  # seconds after which runs that came, or began to run, are noticed
_GIVE_WAY: Final = 1.0  # seconds to wait while a run deserves a GetRun at once
_OFF_FOR: Final = 3600.0  # seconds without lists of tasks: of a run that is denied, of all if too many fail
_TRIES: Final = 3  # failures in a row


class TaskSweeper:
    """Lists the tasks of the watched runs that have some, one run after the other, longest due first.

    :param watchlist: the runs.
    :param list_page: lists one page: ``(run id, token) -> page``, or the call's fault. It keeps to the rate.
    """

    def __init__(
        self, watchlist: Watchlist, list_page: Callable[[str, str | None], Awaitable[TaskPage | Fault]]
    ) -> None:
        self._watchlist = watchlist
        self._list_page = list_page
        self._off_until = 0.0
        self._failures = 0

    async def run_once(self) -> None:
        """List the tasks of the run that is due longest, or wait a moment."""
        now = _clock.monotonic()
        if now < self._off_until:
            await asyncio.sleep(min(60.0, self._off_until - now))
            return
        entry, due_at = self._next(now)
        if entry is None or due_at > now:
            await asyncio.sleep(max(0.05, min(due_at - now, _LONGEST_PAUSE)))
            return
        try:
            await self._sweep(entry)
        except Exception as error:  # a mistake of ours, or an answer that nobody expected
            entry.tasks_due_at = now + TASKS_EVERY
            self._failed(f"{type(error).__name__}: {error}")

    def _next(self, now: float) -> tuple[Entry | None, float]:
        """Return the run whose tasks are due first, and when that is."""
        first, first_at = None, math.inf
        for entry in self._watchlist.entries.values():
            if entry.status not in _WITH_TASKS:
                continue
            if entry.tasks_due_at is None:
                entry.tasks_due_at = now + FIRST_AFTER
            if entry.tasks_due_at < first_at:
                first, first_at = entry, entry.tasks_due_at
        return first, first_at

    async def _sweep(self, entry: Entry) -> None:
        items: list[dict[str, Any]] = []
        token, skew = None, 0.0
        for _ in range(MOST_PAGES):
            await self._give_way()
            if not self._goes_on(entry):
                return
            page = await self._list_page(entry.id, token)
            if isinstance(page, Fault):
                self._refused(entry, page)
                return
            items += page.items
            token, skew = page.next_token if page.next_token != token else None, page.clock_skew
            if token is None:
                break
        self._failures = 0
        entry.tasks_due_at = _clock.monotonic() + TASKS_EVERY
        if self._goes_on(entry):
            self._hand_over(entry, TaskTable.of(items, _clock.time() + skew, more=token is not None))

    async def _give_way(self) -> None:
        """Wait until no run deserves a GetRun at once: it may be one that has ended."""
        while self._watchlist.has_urgent(_clock.monotonic()):
            await asyncio.sleep(_GIVE_WAY)

    def _goes_on(self, entry: Entry) -> bool:
        return self._watchlist.entries.get(entry.id) is entry and entry.status in _WITH_TASKS

    def _hand_over(self, entry: Entry, table: TaskTable) -> None:
        small = packed(table.cut())
        for waiter in list(entry.waiters):
            try:
                _note(waiter, table, small)
            except Exception as error:  # a mistake of ours in one wait, which goes on
                log.debug("The tasks of run %s were lost", entry.id, exc_info=error)
            waiter.show(lambda onlooker: onlooker.tasks_listed(table.seen))
            waiter.stir()

    def _refused(self, entry: Entry, fault: Fault) -> None:
        # A policy scoped by tag denies one run and allows the others, for example once that one is deleted.
        is_final = fault.kind in (FaultKind.DENIED, FaultKind.REFUSED)
        entry.tasks_due_at = _clock.monotonic() + (_OFF_FOR if is_final else TASKS_EVERY)
        if fault.kind is not FaultKind.NOT_FOUND:  # else a GetRun finds out what became of it
            self._failed(fault.message)

    def _failed(self, why: str) -> None:
        self._failures += 1
        if self._failures >= _TRIES:
            self._switch_off(why)

    def _switch_off(self, why: str) -> None:
        self._failures = 0
        self._off_until = _clock.monotonic() + _OFF_FOR
        log.info("The tasks of runs are not listed for %.0f s: %s", _OFF_FOR, why)


def _note(waiter: Waiter, table: TaskTable, small: bytes) -> None:
    """Hand the table to a wait, which keeps no more of it than goes to XCom."""
    waiter.wait.tasks_listed(table, _clock.time(), _clock.monotonic())
    waiter.wait.keep_tasks(small)
