"""The members of a batch, as a stream of pages: which sample, which run, and how it stands.

No operation says all of that. ListRuns of the batch has each run's id, name and status. ListRunsInBatch has
each member's runSettingId, its run and its submission, and no status of the run. So:

- if each run is named by its runSettingId, as this package names those that it starts: ListRuns, and
  ListRunsInBatch for those alone whose submission failed;
- if not, both whole, joined by the run's id;
- if both together show fewer members than there are: what else ListRunsInBatch has. Its runs were removed, or
  ListRuns lags, and GetRun says which. A member that no list has was not tried;
- if ListRuns does not take a batch's id: ListRunsInBatch, and a GetRun for each run.

The memory that it takes is that of a page, and 16 to 48 bytes for each run, so that none is shown twice; for
a join about 100 bytes for each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from airflow_omics._batches.calls import BatchCalls
from airflow_omics._batches.lists import (
    NOT_STARTED,
    BatchLists,
    Item,
    ListRunsRefusedError,
    Member,
    Page,
    is_new,
    text,
    without_run,
)
from airflow_omics._batches.seen import Seen, key_of
from airflow_omics.records import TERMINAL_BATCH_STATUSES

__all__ = ["NAMED_TAG", "NOT_STARTED", "BatchMembers", "Member", "Page"]

NAMED_TAG: Final = "airflow-omics:settings-sha256"
"""The tag of a batch whose runs are named by their runSettingIds, since this package wrote the settings."""

_MOST_CONFIRMED: Final = 200
"""How often GetRun has to confirm that a run which ListRuns lacks is gone, until ListRuns is believed."""

_SHOWN: Final = ""  # in the place of a status


class BatchMembers:
    """Lists the members of one batch.

    :param calls: makes the calls.
    :param record: the batch's record: its ``status``, ``totalRuns`` and ``tags`` are used.
    :param named: whether each run is named by its runSettingId; None if the batch's tags say it.
    """

    def __init__(self, calls: BatchCalls, record: Mapping[str, Any], *, named: bool | None = None) -> None:
        self.calls = calls
        self.record = record
        self.lists = BatchLists(
            calls, is_named=NAMED_TAG in (record.get("tags") or {}) if named is None else named
        )
        self._gone = 0

    @property
    def total(self) -> int | None:
        """How many members there are, if that is known."""
        total = self.record.get("totalRuns")
        return total if isinstance(total, int) else None

    def pages(self, statuses: Collection[str] | None = None) -> Iterator[Page]:
        """Yield the members, page by page, each once. Those that no list has are not among them.

        :param statuses: only members in one of these: statuses of runs, and ``NOT_STARTED``.
        :raises OmicsError: a page could not be had; it is an OmicsAccessError if a list is denied.
        """
        shown = 0
        for page in self._pages(statuses):
            shown += len(page)
            self.calls.say_progress(f"{shown:,} members listed")
            yield page if statuses is None else [member for member in page if member.status in statuses]

    def _pages(self, statuses: Collection[str] | None) -> Iterator[Page]:
        if statuses is not None and set(statuses) <= {NOT_STARTED}:
            # Once a batch is PROCESSED, each member was tried.
            is_tried = self.record.get("status") == "PROCESSED"
            yield from self.lists.not_submitted() if is_tried else self._runless()
            return
        try:
            yield from self._named(statuses) if self.lists.is_named else self._joined(statuses)
        except ListRunsRefusedError as refused:
            self.calls.log.warning(
                "%s: ListRuns does not list its runs, so each is read by a GetRun of its own: %s",
                self.calls.batch,
                refused.error,
            )
            yield from self._read_one_by_one()

    def _runless(self) -> Iterator[Page]:
        shown: set[str] = set()
        for items in self.lists.members():
            yield [without_run(item) for item in items if not item.get("runId") and is_new(item, shown)]

    # -- runs that are named by their members ----------------------------------------------------------------

    def _named(self, statuses: Collection[str] | None) -> Iterator[Page]:
        seen, shown = Seen(), 0
        for page in self.lists.runs(_only_status(statuses), seen):
            shown += len(page)
            yield page
        if not _wants_rest(statuses):
            return
        if self.total is not None:
            for page in self.lists.not_submitted():
                shown += len(page)
                yield page
            if shown >= self.total:
                return
        yield from self._rest(seen, with_failed=self.total is None)

    def _rest(self, seen: Seen, *, with_failed: bool) -> Iterator[Page]:
        """Yield the members of ListRunsInBatch that have not been shown."""
        shown: set[str] = set()
        for items in self.lists.members():
            page = []
            for item in items:
                run_id = text(item.get("runId"))
                if run_id is None:
                    is_wanted = with_failed or item.get("submissionStatus") != "FAILED"
                    if is_wanted and is_new(item, shown):
                        page.append(without_run(item))
                elif seen.add(run_id):
                    page.append(self._missing(item, run_id))
            yield page

    # -- runs of any name ------------------------------------------------------------------------------------

    def _joined(self, statuses: Collection[str] | None) -> Iterator[Page]:
        status_of: dict[int | str, str] = {}
        texts: dict[str, str] = {}  # one for each status, however many runs are in it
        for page in self.lists.runs(_only_status(statuses)):
            status_of.update((key_of(str(m.run_id)), texts.setdefault(m.status, m.status)) for m in page)
            self.calls.say_progress(f"{len(status_of):,} runs listed")
        if _wants_rest(statuses) or 100 * len(status_of) > (self.total or 0):
            yield from self._looked_up(status_of, statuses)
            return
        # A request for each of them is cheaper than all pages.
        for key, status in status_of.items():
            yield [Member(self.lists.setting_id(str(key)), str(key), status)]

    def _looked_up(self, status_of: dict[int | str, str], statuses: Collection[str] | None) -> Iterator[Page]:
        shown: set[str] = set()
        for items in self.lists.members():
            page = []
            for item in items:
                run_id = text(item.get("runId"))
                if run_id is None:
                    if is_new(item, shown):
                        page.append(without_run(item))
                    continue
                key = key_of(run_id)
                status, status_of[key] = status_of.get(key), _SHOWN
                if status:
                    page.append(Member(text(item.get("runSettingId")), run_id, status))
                elif status is None and _wants_rest(statuses):
                    page.append(self._missing(item, run_id))
            yield page
        # Runs that ListRunsInBatch lacks, as it may lag: nobody can say for which member they are.
        yield [Member(None, str(key), status) for key, status in status_of.items() if status != _SHOWN]

    # -- runs that ListRuns does not have --------------------------------------------------------------------

    def _read_one_by_one(self) -> Iterator[Page]:
        shown: set[str] = set()
        for items in self.lists.members():
            for item in items:
                if is_new(item, shown):
                    run_id = text(item.get("runId"))
                    yield [without_run(item) if run_id is None else self._read(item, run_id)]

    def _missing(self, item: Item, run_id: str) -> Member:
        """Return a member whose run ListRuns has not shown, although it has been started."""
        goes_on = self.record.get("status") not in TERMINAL_BATCH_STATUSES
        is_in_doubt = self._gone < _MOST_CONFIRMED and item.get("submissionStatus") != "DELETE_SUCCESS"
        if goes_on or is_in_doubt:
            return self._read(item, run_id)
        return Member(text(item.get("runSettingId")), run_id, "DELETED")

    def _read(self, item: Item, run_id: str) -> Member:
        record = self.calls.get_run(run_id)
        self._gone += record is None
        setting_id = text(item.get("runSettingId"))
        if record is None:
            return Member(setting_id, run_id, "DELETED")
        return Member(setting_id, run_id, str(record.get("status"))).with_reason_of(record)


def _only_status(statuses: Collection[str] | None) -> str | None:
    """Return the status that ListRuns is to filter by: for several, one list shows each run once."""
    if statuses is None or _wants_rest(statuses) or len(statuses) != 1:
        return None
    return next(iter(statuses))


def _wants_rest(statuses: Collection[str] | None) -> bool:
    """Return whether members that ListRuns does not have are wanted."""
    return statuses is None or not {NOT_STARTED, "DELETED"}.isdisjoint(statuses)
