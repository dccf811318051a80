"""One wait on one batch of runs: what its counts add to a wait, which are log lines and one more ending.

PROCESSED decides. The counts before it lag behind and may step back, so they only inform; unless whoever
started the batch wants to know early that too many of its runs have ended badly.
https://docs.aws.amazon.com/omics/latest/api/API_GetBatch.html
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from airflow_omics._identity import Target
from airflow_omics._outcome import Tolerance, bad_so_far
from airflow_omics._waiting.log_lines import UNKNOWN_STATUS
from airflow_omics._waiting.wait import Ending, Wait
from airflow_omics.records import RunRecord

_LOOKS: Final = 2
"""Answers in a row that must say the same, as counts may step back."""

_RUNS: Final = "runSummary"
_SUBMISSIONS: Final = "submissionSummary"
_WORDS: Final = (
    ("done", ((_RUNS, "completedRunCount"),)),
    ("failed", ((_RUNS, "failedRunCount"),)),
    ("cancelled", ((_RUNS, "cancelledRunCount"),)),
    ("deleted", ((_RUNS, "deletedRunCount"),)),
    ("not started", ((_SUBMISSIONS, "failedStartSubmissionCount"),)),
    ("running", ((_RUNS, "startingRunCount"), (_RUNS, "runningRunCount"))),
    ("stopping", ((_RUNS, "stoppingRunCount"),)),
    ("waiting", ((_RUNS, "pendingRunCount"), (_SUBMISSIONS, "pendingStartSubmissionCount"))),
)
"""What a line says of the members, and the counts of GetBatch that it adds up for that."""


class BatchWait(Wait):
    """One wait on one batch.

    :param target: the batch.
    :param tolerance: how many of its runs may end badly.
    :param stop_when_exceeded: whether the wait ends as ``too_many_failures`` as soon as two answers in a row
        say that more have. Whoever asks for that confirms it by ListRuns, since the counts may be wrong.
    :param arguments: as for :class:`~airflow_omics._waiting.wait.Wait`.
    """

    __slots__ = ("_exceeded", "_stops", "_tolerance")

    def __init__(
        self,
        target: Target,
        *,
        tolerance: Tolerance | None = None,
        stop_when_exceeded: bool = False,
        **arguments: Any,
    ) -> None:
        super().__init__(target, **arguments)
        self._tolerance = tolerance or Tolerance()
        self._stops = stop_when_exceeded
        self._exceeded = 0

    def for_trigger(self) -> dict[str, Any]:
        """Return the wait as plain JSON, by the names that the constructors of triggers have."""
        return {
            **super().for_trigger(),
            **self._tolerance._asdict(),
            "stop_when_exceeded": self._stops,
        }

    def _went_on(self, record: RunRecord, now: float, tick: float) -> Ending | None:
        status = record["status"]
        before, self._status = self._status, status
        if self.lines.status_is_due(before, status, tick):
            known = status in self.target.resource.active
            began = self.started_at if self.known.created is None else self.known.created
            line = progress(record, self._tolerance, before=before, age=now - began, is_known=known)
            self.lines.add_line(logging.INFO if known else logging.WARNING, line)
        return self._stopped(record) if self._stops else None

    def _stopped(self, record: Mapping[str, Any]) -> Ending | None:
        """Return the ending of a batch of which too many runs have ended badly, if that is no mistake."""
        excess = _excess(record, self._tolerance)
        # One that is being cancelled already will end soon.
        is_exceeded = excess is not None and record["status"] != "STOPPING"
        self._exceeded = self._exceeded + 1 if is_exceeded else 0
        if self._exceeded < _LOOKS:
            return None
        message = self._about(f"by its counts, {excess}.")
        return Ending("too_many_failures", self.record, message)


def progress(
    record: Mapping[str, Any], tolerance: Tolerance, *, before: str | None, age: float, is_known: bool = True
) -> str:
    """Return one line that says how far a batch is. Counts that GetBatch left out are left out.

    :param tolerance: how many of its runs may end badly.
    :param before: the status before; None if it is not known.
    :param age: seconds since the batch was created.
    :param is_known: whether the status is one that this package knows.
    """
    status = record.get("status")
    text = f"Batch {record.get('id')} {status}"
    if before not in (None, status):
        text += f", was {before}"
    text += f", {_span(age)}"
    if not is_known:
        text += UNKNOWN_STATUS
    members = _members(record)
    if members:
        text += f": {members}"
    if used := _excess(record, tolerance) or _used(record, tolerance):
        text += f"; {used}"
    return f"{text}."


def _members(record: Mapping[str, Any]) -> str:
    counted = [(word, sum(_count(record, *place) for place in places)) for word, places in _WORDS]
    parts = ", ".join(f"{count:,} {word}" for word, count in counted if count)
    total = record.get("totalRuns")
    if not isinstance(total, int):
        return parts
    runs = f"{total:,} {'run' if total == 1 else 'runs'}"
    return f"{runs}: {parts}" if parts else runs


def _used(record: Mapping[str, Any], tolerance: Tolerance) -> str:
    """Return how much of what is tolerated is used up; empty if there is nothing to say of it."""
    bad, allowed = bad_so_far(record), _allowed(record, tolerance)
    return f"{bad:,} of {allowed:,} tolerated failures used" if bad and allowed else ""


def _excess(record: Mapping[str, Any], tolerance: Tolerance) -> str | None:
    """Return by how much the counts exceed what is tolerated; None if they don't, or nobody can know."""
    bad, allowed = bad_so_far(record), _allowed(record, tolerance)
    if allowed is None or bad <= allowed:
        return None
    many = "1 run has" if bad == 1 else f"{bad:,} runs have"
    return f"{many} ended badly, and {allowed:,} may" if allowed else f"{many} ended badly, and none may"


def _allowed(record: Mapping[str, Any], tolerance: Tolerance) -> int | None:
    """Return how many runs may end badly; None if that is a share of a total that is not known yet."""
    total = record.get("totalRuns")
    if isinstance(total, int):
        return tolerance.allowed(total)
    return tolerance.max_failures if tolerance.max_failure_ratio is None else None


def _count(record: Mapping[str, Any], summary: str, key: str) -> int:
    counts = record.get(summary)
    value = counts.get(key) if isinstance(counts, Mapping) else None
    return value if isinstance(value, int) else 0


def _span(seconds: float) -> str:
    """Return a span of time as people say it: ``40 s``, ``12 min``, ``2 h 05``."""
    seconds = max(0, int(seconds))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    return f"{seconds // 3600:,} h {seconds % 3600 // 60:02d}"
