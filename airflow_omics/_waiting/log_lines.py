"""The log lines about one run or batch: which are due, until somebody who has the task's log writes them."""

from __future__ import annotations

import logging
from typing import Any, Final

from airflow_omics._identity import Target

log = logging.getLogger(__name__)

LINE_EVERY: Final = 600.0
"""Seconds between two log lines while nothing changes."""


UNKNOWN_STATUS: Final = ", a status this version of airflow-omics does not know; waiting on"
"""What a line adds to such a status."""


class LogLines:
    """The log lines about one run or batch that are due.

    :param target: the run or batch.
    """

    # A triggerer holds thousands of these.
    __slots__ = ("_due", "_errors", "_target", "status_logged_at")

    def __init__(self, target: Target) -> None:
        self._target = target
        self._due: tuple[tuple[int, str], ...] = ()
        self._errors: dict[str, tuple[int, float]] | None = None  # by kind: how many, and when the last was
        self.status_logged_at: float | None = None
        """When a line last said the status, in seconds on a clock that nobody sets."""

    @property
    def are_due(self) -> bool:
        """Whether there are lines to write."""
        return bool(self._due)

    def add(self, level: int, text: str) -> None:
        """Add a line about it.

        :param level: as in :mod:`logging`.
        :param text: what is said of it.
        """
        self.add_line(level, self._target.resource.about(self._target.id, text))

    def add_line(self, level: int, line: str) -> None:
        """Add a line that names the run or batch itself."""
        self._due = (*self._due, (level, line))

    def add_error(self, kind: str, text: str, tick: float) -> None:
        """Add a warning of an error, if it is the 1st, 2nd, 4th, 8th, ... of its kind.

        They are counted until there was none for a while. If only some calls fail, that lasts for hours, and
        a count that began again after each answer would lead to a line for nearly each look.

        :param kind: which errors are counted together.
        :param tick: the time, on a clock that nobody sets.
        """
        self._errors = self._errors or {}
        count, last = self._errors.get(kind, (0, tick))
        count = 1 if tick - last >= LINE_EVERY else count + 1
        self._errors[kind] = (count, tick)
        if count.bit_count() == 1:
            self.add(logging.WARNING, text)

    def add_status(self, before: str | None, status: str, tick: float, waited: float) -> None:
        """Add a line about the status, if it has changed or no line has said it for a while.

        :param before: the status before; None if it is not known.
        :param status: the status now.
        :param tick: the time, on the clock of ``status_logged_at``.
        :param waited: seconds since the first look.
        """
        if not self.status_is_due(before, status, tick):
            return
        text = f"is {status}" if before in (None, status) else f"is {status}, was {before}"
        known = status in self._target.resource.active
        if not known:
            text += UNKNOWN_STATUS
        self.add(logging.INFO if known else logging.WARNING, f"{text} ({waited:.0f} s since the first look)")

    def status_is_due(self, before: str | None, status: str, tick: float) -> bool:
        """Return whether a line about the status is due, as for :meth:`add_status`; it counts as written."""
        last = self.status_logged_at
        if before == status and last is not None and tick - last < LINE_EVERY:
            return False
        self.status_logged_at = tick
        return True

    def take(self) -> tuple[tuple[int, str], ...]:
        """Return the lines that are due, each with its level; they are due no more."""
        lines, self._due = self._due, ()
        return lines

    def write(self, logger: Any) -> None:
        """Write the lines that are due; a log that fails ends nothing."""
        for level, line in self.take():
            try:
                logger.log(level, line)
            except Exception as error:  # of any kind: each handler has its own
                log.debug("A line was lost: %s", line, exc_info=error)
