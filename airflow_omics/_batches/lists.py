"""What each list says of a batch's members: ListRuns of their runs, ListRunsInBatch of their submission."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from airflow_omics._batches.calls import BatchCalls
from airflow_omics._batches.seen import Seen
from airflow_omics.exceptions import FaultKind, OmicsError

NOT_STARTED: Final = "NOT_STARTED"
"""The status of a member for which no run was started."""

Item = Mapping[str, Any]


class Member(NamedTuple):
    """One member of a batch.

    :param setting_id: its ``runSettingId``; None if that was not looked up.
    :param run_id: the id of its run; None if none was started.
    :param status: the status of its run; ``DELETED`` for a run that is gone, ``NOT_STARTED`` without a run.
    :param reason: why: the run's ``failureReason`` if GetRun was asked, or ``submissionFailureReason``.
    :param message: what AWS said about it.
    """

    setting_id: str | None
    run_id: str | None
    status: str
    reason: str | None = None
    message: str | None = None

    def with_reason_of(self, record: Mapping[str, Any]) -> Member:
        """Return the member with the reason that its run's record says."""
        reason, message = text(record.get("failureReason")), text(record.get("statusMessage"))
        return self._replace(status=str(record.get("status")), reason=reason, message=message)


Page = list[Member]


class ListRunsRefusedError(Exception):
    """ListRuns does not take a batch's id."""

    def __init__(self, error: OmicsError) -> None:
        super().__init__(str(error))
        self.error = error


class BatchLists:
    """Makes the lists of one batch.

    :param calls: makes the calls.
    :param is_named: whether each run is named by its runSettingId.
    """

    def __init__(self, calls: BatchCalls, *, is_named: bool) -> None:
        self.calls = calls
        self.is_named = is_named
        self._takes_two_filters = True

    def runs(self, status: str | None = None, seen: Seen | None = None) -> Iterator[Page]:
        """Yield the runs of the batch, page by page, each once, as ListRuns has them.

        :param status: only runs in this status; it is filtered here if ListRuns does not take it.
        :param seen: the runs that were shown before; those that are shown now are added.
        :raises ListRunsRefusedError: ListRuns does not take the batch's id.
        :raises OmicsError: a page could not be had.
        """
        seen = Seen() if seen is None else seen
        batch_id = self.calls.batch.id
        for items in self._run_items(status):
            page = []
            for item in items:
                # A list may ignore its filters.
                if item.get("batchId") not in (None, batch_id) or status not in (None, item.get("status")):
                    continue
                run_id = str(item.get("id"))
                if seen.add(run_id):
                    name = text(item.get("name")) if self.is_named else None
                    page.append(Member(name, run_id, str(item.get("status"))))
            yield page

    def members(self, submission_status: str | None = None) -> Iterator[list[dict[str, Any]]]:
        """Yield ListRunsInBatch, page by page, as it is.

        :param submission_status: only members in this one.
        :raises OmicsError: a page could not be had.
        """
        listing = self.calls.hook.list_runs_in_batch(self.calls.batch.id, submission_status=submission_status)
        for items in self.calls.pages(listing):
            # A list may ignore its filters.
            yield [i for i in items if submission_status in (None, i.get("submissionStatus"))]

    def not_submitted(self) -> Iterator[Page]:
        """Yield the members whose submission failed, page by page, each once.

        :raises OmicsError: a page could not be had.
        """
        shown: set[str] = set()
        for items in self.members("FAILED"):
            yield [without_run(item) for item in items if is_new(item, shown)]

    def setting_id(self, run_id: str) -> str | None:
        """Return the runSettingId of a run, or None if ListRunsInBatch does not say it.

        :raises OmicsError: it could not be asked for.
        """
        listing = self.calls.hook.list_runs_in_batch(self.calls.batch.id, run_id=run_id)
        for items in self.calls.pages(listing):
            for item in items:
                if item.get("runId") == run_id:
                    return text(item.get("runSettingId"))
        return None

    def _run_items(self, status: str | None) -> Iterator[list[dict[str, Any]]]:
        asked = status if self._takes_two_filters else None
        listing = self.calls.hook.list_runs(batch_id=self.calls.batch.id, status=asked)
        has_begun = False
        try:
            for page in self.calls.pages(listing):
                has_begun = True
                yield page
        except OmicsError as error:
            # AWS says ListRuns; a botocore without batches does not come so far.
            if has_begun or error.kind is not FaultKind.REFUSED or "ListRuns" not in str(error):
                raise
            if asked is None:
                raise ListRunsRefusedError(error) from None
            self._takes_two_filters = False
            yield from self._run_items(status)


def without_run(item: Item) -> Member:
    """Return a member of ListRunsInBatch that has no run."""
    return Member(
        text(item.get("runSettingId")),
        None,
        NOT_STARTED,
        text(item.get("submissionFailureReason")),
        text(item.get("submissionFailureMessage")),
    )


def is_new(item: Item, shown: set[str]) -> bool:
    """Note a member by its runSettingId; return whether it is new."""
    setting_id = str(item.get("runSettingId"))
    if setting_id in shown:
        return False
    shown.add(setting_id)
    return True


def text(value: Any) -> str | None:
    """Return a member of an answer if it is a text that says something."""
    return value if isinstance(value, str) and value else None
