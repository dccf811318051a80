"""How a batch ended, whether that is tolerated, and why its members ended badly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from airflow_omics import _clock
from airflow_omics._batches.calls import BatchCalls
from airflow_omics._batches.failures import MOST_LOOKED_AT, Failures, failures_of
from airflow_omics._batches.members import NOT_STARTED, BatchMembers, Member
from airflow_omics._batches.report import report
from airflow_omics._compat import stats
from airflow_omics._identity import Target
from airflow_omics._outcome import Outcome, Tolerance
from airflow_omics._resource import BATCH
from airflow_omics.exceptions import OmicsError
from airflow_omics.records import ACTIVE_STATUSES, TERMINAL_BATCH_STATUSES, BatchRecord

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsHook

WITHIN: Final = 120.0
"""Seconds in which reasons are looked into."""

_OF_STATUS: Final = {
    "COMPLETED": "completed",
    "FAILED": "failed",
    "CANCELLED": "cancelled",
    "DELETED": "deleted",
    NOT_STARTED: "not_started",
}


class Judged(NamedTuple):
    """How a batch ended.

    :param record: GetBatch's record, with ``outcome``, and ``failures`` if any member ended badly and why
        was looked into.
    :param outcome: how many ended in which way. What is not known has ended in none, so that it counts
        among those that did not complete.
    :param failures: why, by reason; plain JSON, as the record has it.
    :param report: what a person reads about it; the text of an error.
    :param is_tolerated: whether no more ended badly than may. False if nothing is known of any member.
    """

    record: BatchRecord
    outcome: Outcome
    failures: list[dict[str, Any]]
    report: str
    is_tolerated: bool


def count_members(outcome: Outcome) -> None:
    """Send the metrics of a batch that a task has judged."""
    if outcome.completed:
        stats().incr("omics.batch.completed", outcome.completed)
    if outcome.bad:
        stats().incr("omics.batch.bad", outcome.bad)


def judged(
    record: BatchRecord,
    hook: OmicsHook,
    *,
    tolerance: Tolerance,
    diagnose: bool | str = True,
    log: Any,
    within: float = WITHIN,
    most: int | None = MOST_LOOKED_AT,
) -> Judged:
    """Return how a batch that has ended did so.

    If the batch's own counts do not add up, its members are listed, as long as that takes. What else is
    denied, or cannot be had, is a line of the report and never an error.

    :param record: GetBatch's record, of a batch that has ended.
    :param hook: makes the calls, within ``[omics] requests_per_second``.
    :param tolerance: how many members may end badly.
    :param diagnose: False looks into no reasons.
    :param log: takes a line now and then if it takes longer than ten seconds.
    :param within: seconds in which reasons are looked into.
    :param most: failed runs to read; None for all.
    :raises OmicsError: the batch is PROCESSED, its counts do not add up, and its members can't be listed.
    """
    target = Target.parse(dict(record), BATCH)
    notes: list[str] = []
    outcome, is_known = Outcome.of_record(record), True
    if outcome is None:
        outcome, is_known = _listed(hook, target, record, log, notes)
    failures = Failures()
    if outcome.bad and diagnose:
        try:
            calls = BatchCalls(hook, target, log, until=_clock.monotonic() + within)
            failures = failures_of(BatchMembers(calls, record), outcome, most=most)
        except Exception as error:  # a mistake of ours, or of Airflow's configuration: the batch has ended
            log.warning("Why members of %s ended badly was not found out", target, exc_info=True)
            notes.append(f"Why they ended so: {type(error).__name__}: {error}")
    complete: dict[str, Any] = {**record, "outcome": outcome.to_plain()}
    if failures.reasons:
        complete["failures"] = failures.to_plain()
    return Judged(
        cast("BatchRecord", complete),
        outcome,
        failures.to_plain(),
        report(record, outcome if is_known else None, failures, tolerance, notes=notes),
        is_known and not tolerance.is_exceeded(outcome.bad, outcome.total),
    )


def with_outcome(record: BatchRecord) -> BatchRecord:
    """Return the record with the ``outcome`` that its own counts tell, if it has ended and they tell one."""
    ended = record.get("status") in TERMINAL_BATCH_STATUSES
    outcome = Outcome.of_record(record) if ended else None
    return record if outcome is None else {**record, "outcome": outcome.to_plain()}


def _listed(
    hook: OmicsHook, target: Target, record: BatchRecord, log: Any, notes: list[str]
) -> tuple[Outcome, bool]:
    """Return the outcome that the lists tell, and whether they tell anything.

    :param notes: takes what could not be had.
    """
    counts: Counter[str] = Counter()
    total = record.get("totalRuns")
    try:
        members = BatchMembers(BatchCalls(hook, target, log), record)
        for page in members.pages():
            counts.update(_ended_as(member, members.calls) for member in page)
    except OmicsError as error:
        if record.get("status") == "PROCESSED":
            raise  # then nothing else says how it ended, and a policy that lacks ListRuns hides no failure
        notes.append(f"How its runs ended, as its own counts do not add up: {error}")
        return _of_counts(record, total if isinstance(total, int) else 0), False
    found = sum(counts.values())
    total = max(total, found) if isinstance(total, int) else found
    counts[NOT_STARTED] += total - found  # no list has them: they were not tried
    ended = {name: counts[status] for status, name in _OF_STATUS.items()}
    if going_on := total - sum(ended.values()):
        notes.append(f"{going_on:,} runs of the batch have not ended.")
    return Outcome(total, **ended), total > 0


def _ended_as(member: Member, calls: BatchCalls) -> str:
    if member.status not in ACTIVE_STATUSES or member.run_id is None:
        return member.status
    # A list may lag, and the batch has ended: the run itself says how it did.
    run = calls.get_run(member.run_id)
    return "DELETED" if run is None else str(run.get("status"))


def _of_counts(record: Mapping[str, Any], total: int) -> Outcome:
    """Return what the batch's own counts tell, as far as they tell anything."""
    counts = record.get("runSummary")
    counts = counts if isinstance(counts, Mapping) else {}
    ended = {name: counts.get(f"{name}RunCount") for name in ("completed", "failed", "cancelled", "deleted")}
    return Outcome(total, **{name: number for name, number in ended.items() if isinstance(number, int)})
