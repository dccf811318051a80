"""How the runs of a batch ended, in numbers, and how many may end badly.

PROCESSED means that every run has ended, not that it ended well:
https://docs.aws.amazon.com/omics/latest/api/API_GetBatch.html
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

_ENDED = ("completed", "failed", "cancelled", "deleted")
_GOING_ON = ("pending", "starting", "running", "stopping")


class Outcome(NamedTuple):
    """How many runs of a batch ended in which way.

    :param total: members of the batch.
    :param completed: runs that ended as COMPLETED; likewise ``failed``, ``cancelled`` and ``deleted``.
    :param not_started: members for which no run was started.
    """

    total: int
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    deleted: int = 0
    not_started: int = 0

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Outcome | None:
        """Return the outcome that GetBatch's counts tell, or None if they do not add up to ``totalRuns``.

        Only a batch that has ended has an outcome: the counts of others lag behind, and may step back. What
        a batch that is CANCELLED or FAILED did not come to is not started.
        """
        total, counts = record.get("totalRuns"), record.get("runSummary")
        if not isinstance(total, int) or not isinstance(counts, Mapping):
            return None
        ended = {state: _count(counts, f"{state}RunCount") for state in _ENDED}
        submission = record.get("submissionSummary") or {}
        not_started = _count(submission, "failedStartSubmissionCount")
        if record.get("status") in ("CANCELLED", "FAILED") and not going_on(record):
            not_started = total - sum(ended.values())
        outcome = cls(total, **ended, not_started=not_started)
        return outcome if sum(outcome[1:]) == total and not_started >= 0 else None

    @property
    def bad(self) -> int:
        """Members that did not complete."""
        return self.total - self.completed

    def to_plain(self) -> dict[str, int]:
        """Return the numbers as plain JSON, with keys in the style of AWS's own."""
        plain = self._asdict()
        plain["notStarted"] = plain.pop("not_started")
        return plain


class Tolerance(NamedTuple):
    """How many members of a batch may end badly.

    :param max_failures: members at most.
    :param max_failure_ratio: of all members, from 0 to 1; None for no such limit.
    """

    max_failures: int = 0
    max_failure_ratio: float | None = None

    def allowed(self, total: int) -> int:
        """Return how many of ``total`` members may end badly.

        If both are given, the smaller counts: more than either is too many. A ratio alone is given with
        ``max_failures`` left at 0.
        """
        if self.max_failure_ratio is None:
            return self.max_failures
        # A tenth of 30 is 3, and not 2.9999999999999996.
        share = math.floor(self.max_failure_ratio * total + 1e-9)
        return min(self.max_failures, share) if self.max_failures else share

    def is_exceeded(self, bad: int, total: int) -> bool:
        """Return whether more members have ended badly than may."""
        return bad > self.allowed(total)

    def describe(self, total: int) -> str:
        """Return what is tolerated, for a report."""
        return f"{self.allowed(total):,} of {total:,} may end badly"


def going_on(record: Mapping[str, Any]) -> int:
    """Return how many runs of a batch have been started and go on, by its counts."""
    counts = record.get("runSummary")
    if not isinstance(counts, Mapping):
        return 0
    return sum(_count(counts, f"{state}RunCount") for state in _GOING_ON)


def bad_so_far(record: Mapping[str, Any]) -> int:
    """Return how many members have ended badly so far, by the batch's counts."""
    counts = record.get("runSummary")
    counts = counts if isinstance(counts, Mapping) else {}
    submission = record.get("submissionSummary")
    submission = submission if isinstance(submission, Mapping) else {}
    ended = sum(_count(counts, f"{state}RunCount") for state in ("failed", "cancelled", "deleted"))
    return ended + _count(submission, "failedStartSubmissionCount")


def _count(counts: Mapping[str, Any], key: str) -> int:
    value = counts.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
