"""Whether anything still moves in a run: a warning once, in words, when nothing has for long."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator

from airflow_omics._monitoring.progress_line import WITH_TASKS, moves_again, newest_movement, stuck_in_words
from airflow_omics._monitoring.task_table import TaskTable
from airflow_omics.records import RunRecord


class Standstill:
    """What one wait knows of that. It never changes how the wait ends.

    :param seconds: for how long nothing may have moved.
    """

    # A triggerer holds thousands of these.
    __slots__ = ("_seconds", "_warned", "since")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._warned = False
        self.since: float | None = None
        """When something moved last, in seconds since the epoch, while that is too long ago."""

    def judge(
        self, tasks: TaskTable, record: RunRecord, status: str, period: float = math.inf
    ) -> Iterator[tuple[int, str]]:
        """Take the run's tasks; yield the lines that are due, each with its level.

        :param status: the run's, as it was seen last.
        :param period: seconds in which a process before this one may have listed the tasks last, and warned.
        """
        before, self.since = self.since, None
        if tasks.more:  # what moved last may be on a page that was not read
            return
        moved = newest_movement(tasks, record) if status in WITH_TASKS else None
        over = -1.0 if moved is None else tasks.seen - moved - self._seconds
        if over >= 0:
            self.since = moved
            if not self._warned and over < period:
                self._warned = True
                assert moved is not None
                yield (
                    logging.WARNING,
                    stuck_in_words(tasks, record, since=moved, stuck_after=self._seconds),
                )
        elif before is not None:
            yield logging.INFO, moves_again(tasks, before)
