"""What became of the members of a task's batches: of all of them together, since a batch may follow another.

The first batch has all members. Each that follows has those alone that did not complete in the ones before,
and whatever a member did last is how it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from airflow_omics._batches.calls import BatchCalls
from airflow_omics._batches.failures import MOST_EXAMPLES, Failures, Reason, explained, failure_of
from airflow_omics._batches.judge import Judged
from airflow_omics._batches.members import NOT_STARTED, BatchMembers, Member
from airflow_omics._batches.report import report
from airflow_omics._identity import Target
from airflow_omics._outcome import Outcome, Tolerance
from airflow_omics._resource import BATCH
from airflow_omics.exceptions import (
    OmicsBatchDeletedError,
    OmicsBatchNotFoundError,
    OmicsError,
    without_retry,
)
from airflow_omics.failures import CHANGE, NOT_SUBMITTED, Failure
from airflow_omics.records import IDENTITY_KEYS, TERMINAL_STATUSES, BatchRecord, parse_time

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsHook


@dataclass
class Cohort:
    """The members of a task's batches, as far as the batches show them.

    :ivar members: how each ended last, by its runSettingId.
    :ivar batches: the batch in which it was last, by its runSettingId.
    :ivar tries: in how many of the batches of this try each was.
    :ivar total: members of the first batch, if that is known.
    """

    members: dict[str, Member] = field(default_factory=dict)
    batches: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)
    total: int | None = None

    def keep(self, asked: Collection[str]) -> None:
        """Forget members that ``run_settings`` do not have any more, and note how many they have.

        :param asked: the ids of those that they have.
        """
        wanted = set(asked)
        for setting_id in self.members.keys() - wanted:
            del self.members[setting_id]
        self.total = len(wanted)

    @property
    def active(self) -> list[Member]:
        """Members whose runs go on; a run in a status that nobody knows may go on."""
        return [member for member in self.members.values() if not _has_ended(member)]

    @property
    def outcome(self) -> Outcome:
        """How many ended in which way; a member that no batch shows was not started."""
        counts = dict.fromkeys((*TERMINAL_STATUSES, NOT_STARTED), 0)
        for member in self.members.values():
            if member.status in counts:
                counts[member.status] += 1
        total = max(self.total or 0, len(self.members))
        counts[NOT_STARTED] += total - len(self.members)
        completed, failed, cancelled, deleted = (counts[status] for status in TERMINAL_STATUSES)
        return Outcome(total, completed, failed, cancelled, deleted, counts[NOT_STARTED])


class CohortHasEndedWellError(Exception):
    """Nothing is left to start: enough members have completed, in batches that did not end well themselves.

    :ivar record: what is known of the last batch, with the ``outcome`` of all members.
    """

    def __init__(self, record: Any) -> None:
        super().__init__(f"nothing is left to start after batch {record.get('id')}")
        self.record = record


class Rest(NamedTuple):
    """What a next batch is to be started for.

    :param left_out: ids of the members that it must not have.
    :param number: how many members it would have.
    :param changes: arguments to change for them.
    :param only: ids of the members that it has; None for all that are not left out, also those that no batch
        has shown.
    """

    left_out: frozenset[str]
    number: int
    changes: tuple[Mapping[str, Any], ...] = ()
    only: frozenset[str] | None = None

    def wants(self, setting_id: str) -> bool:
        """Return whether the next batch has a member."""
        return setting_id not in self.left_out if self.only is None else setting_id in self.only

    def __repr__(self) -> str:
        return f"Rest(number={self.number})"  # what is changed may be patient data


class CohortReader:
    """Reads what became of the members of a task's batches.

    :param hook_of: returns the hook for the calls.
    :param log: the task's logger.
    """

    def __init__(self, hook_of: Callable[[], OmicsHook], log: Any) -> None:
        self._hook_of = hook_of
        self._log = log

    def record_of(self, batch: Mapping[str, Any]) -> BatchRecord | None:
        """Return the record of a batch as it is now, or None if it was deleted.

        :raises OmicsError: it could not be read.
        """
        return self._record_of(batch, BatchCalls(self._hook_of(), _target_of(batch), self._log))[0]

    def read(self, batches: Iterable[Mapping[str, Any]], *, first_of_try: int) -> Cohort:
        """Return what became of the members.

        :param batches: the batches in their order, each with ``id``, maybe ``uuid``, and ``generation``.
        :param first_of_try: the first generation of this try.
        :raises OmicsError: a batch could not be read.
        """
        cohort = Cohort()
        for position, batch in enumerate(batches):
            calls = BatchCalls(self._hook_of(), _target_of(batch), self._log)
            record, reused_at = self._record_of(batch, calls)
            if not position:  # each that follows has a part of its members
                cohort.total = (batch if record is None else record).get("totalRuns")
            pages = (
                _runs_of_deleted(batch, calls, reused_at)
                if record is None
                else BatchMembers(calls, record).pages()
            )
            for page in pages:
                for member in page:
                    if member.setting_id is None:
                        raise OmicsError(
                            f"{calls.batch}: ListRunsInBatch does not say yet for which member run "
                            f"{member.run_id} is, so that no member is started again; retry later.",
                            batch_id=calls.batch.id,
                        )
                    cohort.members[member.setting_id] = member
                    cohort.batches[member.setting_id] = batch
                    if batch["generation"] >= first_of_try:
                        cohort.tries[member.setting_id] = cohort.tries.get(member.setting_id, 0) + 1
        return cohort

    def add_reasons(self, cohort: Cohort) -> None:
        """Read why each run that failed did so, within the rate; one that is gone is DELETED.

        :raises OmicsError: a run could not be read.
        """
        failed: dict[str, list[Member]] = {}
        for setting_id, member in cohort.members.items():
            if member.status == "FAILED":
                failed.setdefault(str(cohort.batches[setting_id]["id"]), []).append(member)
        for members in failed.values():
            batch = cohort.batches[str(members[0].setting_id)]
            calls = BatchCalls(self._hook_of(), _target_of(batch), self._log)
            for member in explained(calls, members):
                cohort.members[str(member.setting_id)] = member

    def _record_of(
        self, batch: Mapping[str, Any], calls: BatchCalls
    ) -> tuple[BatchRecord | None, str | None]:
        """Return the record of a batch, or None if it was deleted; and since when its id is another's."""
        try:
            record = calls.call(lambda: calls.hook.get_batch(calls.batch.id))
        except OmicsBatchNotFoundError:
            return None, None
        if batch.get("uuid") in (None, record.get("uuid")):
            return record, None
        return None, record.get("creationTime")


def _runs_of_deleted(
    batch: Mapping[str, Any], calls: BatchCalls, reused_at: str | None
) -> Iterator[list[Member]]:
    """Yield the runs of a batch that was deleted: they are there, and cost if they are started again.

    A list of a batch's runs may not be had without the batch, so all runs of the account are listed.

    :param reused_at: when its id became another batch's; None if it did not. Later runs are of that one.
    :raises OmicsBatchDeletedError: its runs do not have the names of its members.
    """
    if not batch.get("named"):
        raise without_retry(
            OmicsBatchDeletedError(
                f"{calls.batch} was deleted, and which members its runs were for can't be found out; give "
                "run_settings of what is left to a new task, or clear this one with on_clear='new'.",
                batch_id=calls.batch.id,
            )
        )
    for items in calls.pages(calls.hook.list_runs()):
        calls.say_progress("looking for its runs among all runs")
        yield [
            Member(str(item["name"]), str(item["id"]), str(item.get("status")))
            for item in items
            if item.get("batchId") == calls.batch.id and item.get("name") and _is_before(item, reused_at)
        ]


def _is_before(item: Mapping[str, Any], moment: str | None) -> bool:
    return moment is None or parse_time(str(item["creationTime"])) < parse_time(moment)


def judged_among(record: Mapping[str, Any], cohort: Cohort, tolerance: Tolerance) -> Judged:
    """Return how the members of several batches ended, as ``judge.judged`` does for those of one.

    :param record: of the last batch.
    :param cohort: with the reasons of those that failed.
    """
    outcome = cohort.outcome
    by_failure: dict[Failure, list[Member]] = {}
    for member in cohort.members.values():
        if member.status != "COMPLETED" and _has_ended(member):
            by_failure.setdefault(failure_of(member), []).append(member)
    if untried := outcome.total - len(cohort.members):
        by_failure.setdefault(NOT_SUBMITTED, []).extend([Member(None, None, NOT_STARTED)] * untried)
    by_count = sorted(by_failure.items(), key=lambda item: -len(item[1]))
    reasons = (
        Reason(failure, len(members), tuple(m for m in members[:MOST_EXAMPLES] if m.setting_id is not None))
        for failure, members in by_count
    )
    failures = Failures(tuple(reasons))
    complete: dict[str, Any] = {**record, "outcome": outcome.to_plain()}
    if failures.reasons:
        complete["failures"] = failures.to_plain()
    return Judged(
        cast("BatchRecord", complete),
        outcome,
        failures.to_plain(),
        report(record, outcome, failures, tolerance),
        not cohort.active and not tolerance.is_exceeded(outcome.bad, outcome.total),
    )


def rest_of(
    cohort: Cohort,
    *,
    retry_by_class: Mapping[str, bool],
    rerun_with: Mapping[str, Mapping[str, Any]],
    may_run: Callable[[str], bool] = lambda setting_id: True,
    everything: bool = False,
) -> Rest:
    """Return what a next batch is to be started for: members of one set of changed arguments.

    Members whose failure may pass come first, and then those of ``rerun_with``, reason by reason, in batches
    of their own: what they change may be the same for all runs of a batch.

    :param cohort: with the reasons of those that failed.
    :param retry_by_class: whether a member whose failure is of a class is run again; by default of every
        class but ``change``.
    :param rerun_with: changed arguments, by failureReason.
    :param may_run: returns whether a member may be run once more in this try.
    :param everything: whether each that did not complete is run again, whatever its failure.
    """
    groups: dict[str | None, set[str]] = {None: set(), **{reason: set() for reason in rerun_with}}
    for setting_id, member in cohort.members.items():
        # A run that was deleted may have completed: nobody wants to pay it twice.
        if member.status in ("COMPLETED", "DELETED") or not _has_ended(member) or not may_run(setting_id):
            continue
        if member.reason in rerun_with:
            groups[member.reason].add(setting_id)
        elif everything or _passes(member, retry_by_class):
            groups[None].add(setting_id)
    # Those that no batch shows were never tried.
    untried = max(0, (cohort.total or 0) - len(cohort.members))
    for reason, wanted in groups.items():
        number = len(wanted) + (untried if reason is None else 0)
        if number:
            left_out = frozenset(cohort.members.keys() - wanted)
            if reason is not None:
                return Rest(left_out, number, (rerun_with[reason],), frozenset(wanted))
            return Rest(left_out, number)
    return Rest(frozenset(cohort.members), 0)


def may_pass(reason: str | None, failure_class: str, retry_by_class: Mapping[str, bool]) -> bool:
    """Return whether a member that ended for a reason may complete when it is run again.

    :param failure_class: of the reason.
    :param retry_by_class: as for :func:`rest_of`.
    """
    if reason in ("CANCELLED", "DELETED"):
        return reason == "CANCELLED"
    return retry_by_class.get(failure_class, failure_class != CHANGE)


def _has_ended(member: Member) -> bool:
    return member.status in (*TERMINAL_STATUSES, NOT_STARTED)


def _passes(member: Member, retry_by_class: Mapping[str, bool]) -> bool:
    failure = failure_of(member)
    return may_pass(failure.reason, failure.failure_class, retry_by_class)


def _target_of(batch: Mapping[str, Any]) -> Target:
    return Target.parse({key: batch.get(key) for key in IDENTITY_KEYS}, BATCH)
