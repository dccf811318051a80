"""The log lines about one run or batch: which are due, until somebody who has the task's log writes them."""

from __future__ import annotations

import logging
from collections.abc import Callable
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
    __slots__ = ("_due", "_errors", "_target", "repeats_status", "status_logged_at")

    def __init__(self, target: Target) -> None:
        self._target = target
        self._due: tuple[tuple[int, str | Callable[[], str]], ...] = ()
        self._errors: dict[str, tuple[int, float]] | None = None  # by kind: how many, and when the last was
        self.status_logged_at: float | None = None
        """When a line last said the status, in seconds on a clock that nobody sets."""
        self.repeats_status = False
        """Whether a line is due because none has said the status for a while, although it is the same."""

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

    def add_line(self, level: int, line: str | Callable[[], str]) -> None:
        """Add a line that names the run or batch itself.

        :param line: the line, or what makes it when it is written; by then more may be known.
        """
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

    def add_status(
        self,
        before: str | None,
        status: str,
        tick: float,
        waited: float,
        more: Callable[[str, int], str] | None = None,
    ) -> None:
        """Add a line about the status, if it has changed or no line has said it for a while.

        :param before: the status before; None if it is not known.
        :param status: the status now.
        :param tick: the time, on the clock of ``status_logged_at``.
        :param waited: seconds since the first look.
        :param more: returns the text with what else is known when the line is written; it takes the text,
            and the length of what stands before it.
        """
        if not self.status_is_due(before, status, tick):
            return
        text = f"is {status}" if before in (None, status) else f"is {status}, was {before}"
        known = status in self._target.resource.active
        if not known:
            text += UNKNOWN_STATUS
        text += f" ({waited:.0f} s since the first look)"
        level = logging.INFO if known else logging.WARNING
        if more is None:
            self.add(level, text)
        else:
            self.add_line(level, lambda: self._line_with(text, more))

    def _line_with(self, text: str, more: Callable[[str, int], str]) -> str:
        about = self._target.resource.about
        plain = about(self._target.id, text)
        try:
            return about(self._target.id, more(text, len(plain) - len(text)))
        except Exception as error:  # a mistake of ours, in what only informs
            log.debug("A line is shorter than it could be", exc_info=error)
            return plain

    def status_is_due(self, before: str | None, status: str, tick: float) -> bool:
        """Return whether a line about the status is due, as for :meth:`add_status`; it counts as written."""
        last = self.status_logged_at
        if before == status and last is not None and tick - last < LINE_EVERY:
            return False
        self.status_logged_at = tick
        self.repeats_status = before == status
        return True

    def take(self) -> tuple[tuple[int, str], ...]:
        """Return the lines that are due, each with its level; they are due no more."""
        lines, self._due, self.repeats_status = self._due, (), False
        return tuple((level, line if isinstance(line, str) else line()) for level, line in lines)

    def write(self, logger: Any) -> None:
        """Write the lines that are due; a log that fails ends nothing."""
        for level, line in self.take():
            try:
                logger.log(level, line)
            except Exception as error:  # of any kind: each handler has its own
                log.debug("A line was lost: %s", line, exc_info=error)
