"""The longest time that a run may take from its creation until it is RUNNING."""

from __future__ import annotations

from typing import Final

from airflow_omics._monitoring.task_table import epoch
from airflow_omics._words import about, span
from airflow_omics.records import RunRecord, describe

BEFORE_RUNNING: Final = ("PENDING", "STARTING")
"""The statuses of a run that is not RUNNING yet."""


class StartLimit:
    """The limit of one wait. Only an answer of GetRun says that it is exceeded, by the service's own clock.

    :param seconds: the longest time in PENDING and STARTING together.
    :param created: when the run was made, in seconds since the epoch by the service's clock, if known.
    """

    # A triggerer holds thousands of these.
    __slots__ = ("look_at", "seconds")

    def __init__(self, seconds: float, created: float | None) -> None:
        self.seconds = seconds
        self.look_at = None if created is None else created + seconds
        """When a look is due that may find the limit exceeded, in wall time as it is here."""

    def judge(self, record: RunRecord, now: float, clock_skew: float) -> str | None:
        """Take GetRun's answer; return what the wait ends with if the limit is exceeded, None if not.

        :param now: when it came, in wall time.
        :param clock_skew: seconds by which the service's clock is ahead of ours.
        """
        self.look_at, created = None, epoch(record.get("creationTime"))
        if record["status"] not in BEFORE_RUNNING or created is None:
            return None
        waited = now + clock_skew - created
        if waited >= self.seconds:
            state, limit = describe(record), span(self.seconds)
            return f"{state} {about(waited)} after its creation; start_timeout is {limit}."
        # The service tells its time in whole seconds, so that a look may be early by one.
        self.look_at = max(created + self.seconds - clock_skew, now + 1.0)
        return None

    def passed(self, now: float) -> None:
        """Note a look: one that says nothing of the run is not repeated before the next is due."""
        if self.look_at is not None and now >= self.look_at:
            self.look_at = None
