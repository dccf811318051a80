"""Change the runs of a batch one by one: those that the batch itself could not change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from airflow_omics import _clock
from airflow_omics._batches.calls import BatchCalls
from airflow_omics._batches.lists import BatchLists, text
from airflow_omics._batches.seen import Seen
from airflow_omics._identity import Target
from airflow_omics._steering.cancel import Cancellation
from airflow_omics._steering.change import Change, apply_change
from airflow_omics._steering.delete import Deletion
from airflow_omics.exceptions import OmicsBatchNotFoundError
from airflow_omics.records import ACTIVE_STATUSES, BatchRecord, RunRecord

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsHook


class _OfBatch(Change):
    """A change of a run that is a member of a batch: a run of another batch, or of none, is never touched.

    :param batch_id: the batch.
    """

    def __init__(self, target: Target, *, batch_id: str, **arguments: Any) -> None:
        super().__init__(target, **arguments)
        self._batch_id = batch_id

    def answered(self, record: RunRecord, now: float) -> None:
        """Take GetRun's answer."""
        if record.get("batchId") in (None, self._batch_id):
            super().answered(record, now)
        else:
            self._gone("its id belongs to a run of another batch now")

    def _never_seen(self, fault: Any) -> None:
        self._gone("HealthOmics does not know it any more")  # the batch's lists have named it


class _Cancellation(_OfBatch, Cancellation):
    """CancelRun of a member."""


class _Deletion(_OfBatch, Deletion):
    """DeleteRun of a member."""


class Members:
    """The runs of one batch, to be changed one by one within the rate.

    :param make_hook: returns a hook.
    :param batch: the batch.
    :param log: takes the log lines.
    :param deadline: until when, in seconds of ``_clock.monotonic``.
    """

    def __init__(self, make_hook: Callable[[], OmicsHook], batch: Target, log: Any, deadline: float) -> None:
        self._make_hook = make_hook
        self._log = log
        self._deadline = deadline
        self._calls = BatchCalls(make_hook(), batch, log)
        self._lists = BatchLists(self._calls, is_named=False)

    def going_on(self) -> Iterator[str]:
        """Yield the ids of runs that go on, as ListRuns and ListRunsInBatch have them.

        :raises OmicsError: they could not be listed.
        """
        seen = Seen()
        for items in self._lists.members("CANCEL_FAILED"):
            run_ids = (text(item.get("runId")) for item in items)
            yield from (run_id for run_id in run_ids if run_id is not None and seen.add(run_id))
        for status in ACTIVE_STATUSES:
            for page in self._lists.runs(status, seen):
                yield from (str(member.run_id) for member in page)

    def left(self) -> Iterator[str]:
        """Yield the ids of runs that are there.

        :raises OmicsError: they could not be listed.
        """
        for page in self._lists.runs():
            yield from (str(member.run_id) for member in page)

    def cancel(self, run_id: str) -> RunRecord:
        """Cancel one, and return its record right after the request; one that has ended is left alone.

        :raises OmicsError: it could not be cancelled.
        """
        return self._apply(_Cancellation, run_id, confirm=False)

    def delete(self, run_id: str) -> RunRecord:
        """Delete one, and return its last record.

        :raises OmicsError: it could not be deleted.
        """
        return self._apply(_Deletion, run_id)

    def status(self, run_id: str) -> str:
        """Return the status of one; DELETED if it is gone.

        :raises OmicsError: it could not be read.
        """
        record = self._calls.get_run(run_id)
        return "DELETED" if record is None else str(record.get("status"))

    def read_batch(self) -> BatchRecord | None:
        """Return the batch's record as it is now, or None if the batch is gone.

        :raises OmicsError: it could not be read.
        """
        batch = self._calls.batch
        try:
            return self._calls.call(lambda: self._calls.hook.get_batch(batch.id))
        except OmicsBatchNotFoundError:
            return None

    def say_progress(self, text: str) -> None:
        """Log what has been done so far, if nothing was said for a while."""
        self._calls.say_progress(text)

    def _apply(self, change: type[_OfBatch], run_id: str, **arguments: Any) -> RunRecord:
        now = _clock.monotonic()
        within = max(0.0, self._deadline - now)
        made = change(
            Target(run_id), batch_id=self._calls.batch.id, started_at=now, within=within, **arguments
        )
        return apply_change(made, self._make_hook, log=self._log, turn=self._calls.take_turn)
