"""Why members of a batch ended badly, by reason: what to change, and who can.

No list has a run's ``failureReason``, so each run that failed is read by a GetRun.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from airflow_omics._batches.calls import BatchCalls
from airflow_omics._batches.lists import NOT_STARTED, ListRunsRefusedError, Member
from airflow_omics._batches.members import BatchMembers
from airflow_omics._outcome import Outcome
from airflow_omics.exceptions import OmicsError
from airflow_omics.failures import (
    ENDINGS,
    NOT_LOOKED_AT,
    NOT_SUBMITTED,
    Failure,
    classify,
    classify_submission,
)

MOST_LOOKED_AT: Final = 200
"""Failed runs that are read, unless each one's reason is needed."""

MOST_EXAMPLES: Final = 3


class Reason(NamedTuple):
    """Members that ended badly for one reason.

    :param failure: what the reason means.
    :param number: how many there are.
    :param examples: up to three of them.
    """

    failure: Failure
    number: int
    examples: tuple[Member, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        """Return it as plain JSON, as the record's ``failures`` has it."""
        keys = ("runSettingId", "runId")
        return {
            "reason": self.failure.reason,
            "class": self.failure.failure_class,
            "owner": self.failure.owner,
            "count": self.number,
            "examples": [
                {key: value for key, value in zip(keys, member[:2], strict=True) if value is not None}
                for member in self.examples
            ],
        }


class Failures(NamedTuple):
    """Why members of a batch ended badly.

    :param reasons: the most frequent first; what was not looked at comes last.
    :param notes: what could not be found out, and why.
    """

    reasons: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()

    def to_plain(self) -> list[dict[str, Any]]:
        """Return the reasons as plain JSON."""
        return [reason.to_plain() for reason in self.reasons]


def failure_of(member: Member) -> Failure:
    """Return what it means that a member ended as it did: a row of ``airflow_omics.failures``."""
    if member.status == NOT_STARTED:
        return classify_submission(member.reason) if member.reason else NOT_SUBMITTED
    failure = classify({"status": member.status, "failureReason": member.reason})
    return failure._replace(reason=member.status) if failure is ENDINGS.get(member.status) else failure


def explained(calls: BatchCalls, members: Iterable[Member]) -> Iterator[Member]:
    """Yield the members, each that is FAILED with its reason and message, by a GetRun of its own.

    A run that is gone meanwhile is DELETED. It reads as many runs a second as the rate allows.

    :param calls: makes the calls; it logs how far it has come.
    :raises OmicsError: a run could not be read.
    """
    read = 0
    for member in members:
        if member.status != "FAILED" or member.run_id is None or member.reason is not None:
            yield member
            continue
        record = calls.get_run(member.run_id)
        read += 1
        calls.say_progress(f"the reasons of {read:,} failed runs read")
        yield member._replace(status="DELETED") if record is None else member.with_reason_of(record)


def failures_of(members: BatchMembers, outcome: Outcome, *, most: int | None = MOST_LOOKED_AT) -> Failures:
    """Return why members of a batch ended badly, by reason.

    What is denied, or cannot be had in the time of the calls, is a note and never an error; the members that
    it leaves without a reason are counted as not looked at.

    :param members: the batch's members.
    :param outcome: how many ended in which way.
    :param most: failed runs to read; None for all.
    """
    look = _Look(members)
    look.failed(outcome.failed, most)
    look.not_started(outcome.not_started)
    look.cancelled(outcome.cancelled)
    look.add(_ending("DELETED"), outcome.deleted)
    look.add(NOT_LOOKED_AT, outcome.bad - sum(outcome[2:]))
    return look.result()


def _ending(status: str) -> Failure:
    return failure_of(Member(None, None, status))


class _Look:
    """One look into a batch: counts its members by reason.

    :param members: the batch's members.
    """

    def __init__(self, members: BatchMembers) -> None:
        self._members = members
        self._calls = members.calls
        self._counts: dict[Failure, int] = {}
        self._examples: dict[Failure, list[Member]] = {}
        self._notes: dict[str, None] = {}

    def failed(self, expected: int, most: int | None) -> None:
        """Read failed runs, and count them by their reasons."""
        runs = itertools.islice(explained(self._calls, self._failed_runs()), most)
        counted, _ = self._count(runs, expected)
        self.add(NOT_LOOKED_AT, expected - counted)

    def not_started(self, expected: int) -> None:
        """Count the members without a run by the reasons of their submission's failure."""
        pages = self._members.lists.not_submitted()
        counted, is_all = self._count(itertools.chain.from_iterable(pages), expected)
        # A batch that is PROCESSED has tried each of its members.
        were_left = is_all and self._members.record.get("status") != "PROCESSED"
        self.add(NOT_SUBMITTED if were_left else NOT_LOOKED_AT, expected - counted)

    def cancelled(self, expected: int) -> None:
        """Count the runs that were cancelled; a few of them are looked up as examples."""
        failure = _ending("CANCELLED")
        self.add(failure, expected)
        if expected and not self._calls.is_late:
            with contextlib.suppress(OmicsError, ListRunsRefusedError):
                self._examples[failure] = next(self._members.lists.runs("CANCELLED"), [])[:MOST_EXAMPLES]

    def add(self, failure: Failure, count: int) -> None:
        """Count members that ended for one reason."""
        if count > 0:
            self._counts[failure] = self._counts.get(failure, 0) + count

    def result(self) -> Failures:
        """Return what was found out."""
        by_count = sorted(self._counts.items(), key=lambda item: (item[0] == NOT_LOOKED_AT, -item[1]))
        reasons = [Reason(failure, count, self._named_examples(failure)) for failure, count in by_count]
        if self._calls.is_late and NOT_LOOKED_AT in self._counts:
            self._notes["The time for looking into it was up."] = None
        return Failures(tuple(reasons), tuple(self._notes))

    def _failed_runs(self) -> Iterator[Member]:
        try:
            yield from itertools.chain.from_iterable(self._members.lists.runs("FAILED"))
        except ListRunsRefusedError:
            yield from itertools.chain.from_iterable(self._members.pages(("FAILED",)))

    def _count(self, members: Iterator[Member], expected: int) -> tuple[int, bool]:
        """Count members by reason; return how many there were, and whether these are all there are.

        :param expected: how many there are at most; nothing is asked if there are none.
        """
        counted = 0
        try:
            while counted < expected:
                if self._calls.is_late:
                    return counted, False
                member = next(members, None)
                if member is None:
                    break
                failure = failure_of(member)
                self.add(failure, 1)
                examples = self._examples.setdefault(failure, [])
                if len(examples) < MOST_EXAMPLES:
                    examples.append(member)
                counted += 1
        except OmicsError as error:
            self._notes[str(error)] = None
            return counted, False
        return counted, True

    def _named_examples(self, failure: Failure) -> tuple[Member, ...]:
        return tuple(self._with_setting_id(member) for member in self._examples.get(failure, ()))

    def _with_setting_id(self, member: Member) -> Member:
        if member.setting_id is not None or member.run_id is None or self._calls.is_late:
            return member
        with contextlib.suppress(OmicsError):
            return member._replace(setting_id=self._members.lists.setting_id(member.run_id))
        return member
