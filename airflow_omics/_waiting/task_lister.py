"""The tasks of a run, for a wait in a worker: listed every ten minutes at most, and nothing depends on it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from airflow_omics import _clock
from airflow_omics._monitoring.option import progress_is_on
from airflow_omics._monitoring.progress_line import WITH_TASKS
from airflow_omics._monitoring.task_table import TaskTable
from airflow_omics._resource import RUN
from airflow_omics._waiting import log_lines
from airflow_omics._waiting.wait import Wait
from airflow_omics.diagnosis.bounded import result_within

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsHook

log = logging.getLogger(__name__)

MOST_PAGES: Final = 10
"""Pages of 100 tasks that are asked for at most."""

MOST_SECONDS: Final = 20.0
"""Seconds that all of them may take."""

OFF_FOR: Final = 3600.0
"""Seconds without another try after tasks could not be listed."""


class TaskLister:
    """Lists the tasks of one wait's run. Whatever goes wrong is a debug line.

    :param wait: gets the tasks.
    :param gap: the seconds between two looks, if each is made by a process of its own, as in reschedule mode;
        None if one process makes them all.
    """

    def __init__(self, wait: Wait, gap: float | None = None) -> None:
        self._wait = wait
        self._gap = gap
        self._off_until: float | None = None

    def list_if_due(self, hook: OmicsHook) -> None:
        """List the tasks if the line that they belong in is due.

        :param hook: has just read the run.
        """
        try:
            if self._is_due() and progress_is_on():
                self._list(hook)
        except Exception as error:  # of any kind: nothing depends on it
            self._off_until = _clock.monotonic() + OFF_FOR
            log.debug("The tasks of %s could not be listed", self._wait.target, exc_info=error)

    def _is_due(self) -> bool:
        wait = self._wait
        if wait.target.resource != RUN or (wait.record or {}).get("status") not in WITH_TASKS:
            return False
        if self._off_until is not None and _clock.monotonic() < self._off_until:
            return False
        if self._gap is None:
            return wait.lines.repeats_status
        # Nothing is remembered from look to look, but the first look is known: ten minutes are over whenever
        # a multiple of them lies between the look before and this one.
        waited, every = _clock.time() - wait.started_at, log_lines.LINE_EVERY
        return waited // every > max(0.0, waited - self._gap) // every

    def _list(self, hook: OmicsHook) -> None:
        run_id = self._wait.target.id
        pages = hook.list_run_tasks(run_id)
        items: list[dict[str, Any]] = []

        def read() -> None:
            for _ in range(MOST_PAGES):
                if pages.is_over:
                    return
                items.extend(pages.next_page())

        result_within(MOST_SECONDS, read, f"omics-tasks-{run_id}")
        now = _clock.time()
        table = TaskTable.of(items, now + hook.clock_skew, more=not pages.is_over)
        period = None if self._gap is None else log_lines.LINE_EVERY + self._gap
        self._wait.tasks_listed(table, now, _clock.monotonic(), period=period)
