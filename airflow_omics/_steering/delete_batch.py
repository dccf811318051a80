"""The one place that deletes the runs of a batch, and the batch itself, and confirms it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from airflow_omics import _clock
from airflow_omics._batches.lists import ListRunsRefusedError
from airflow_omics._identity import Target
from airflow_omics._steering.change import apply_change
from airflow_omics._steering.delete import Deletion
from airflow_omics._steering.members import Members
from airflow_omics.records import BatchRecord, RunRecord

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsHook

_FOR_MEMBERS = ("RUNS_DELETE_FAILED", "FAILED")
"""The statuses of a batch that leaves runs behind which it cannot delete."""


class BatchRunsDeletion(Deletion):
    """DeleteRunBatch, confirmed through RUNS_DELETING. The batch's own record stays.

    It is done at RUNS_DELETED, and as far as the batch can do it at RUNS_DELETE_FAILED. HealthOmics does not
    take it for a batch that is FAILED.

    See https://docs.aws.amazon.com/omics/latest/api/API_DeleteRunBatch.html
    """

    operation = "DeleteRunBatch"
    method = "delete_run_batch"
    doing = "deleting the runs of"

    def _has_come_about(self, record: RunRecord) -> bool:
        status = record.get("status")
        return status in ("RUNS_DELETED", "FAILED", "DELETED") or (
            status == "RUNS_DELETE_FAILED" and self.asked
        )

    def _must_wait(self, record: RunRecord) -> bool:
        return record.get("status") == "RUNS_DELETING"


class BatchDeletion(Deletion):
    """DeleteBatch, confirmed until HealthOmics does not know the batch any more.

    See https://docs.aws.amazon.com/omics/latest/api/API_DeleteBatch.html
    """

    operation = "DeleteBatch"
    method = "delete_batch"

    def _must_wait(self, record: RunRecord) -> bool:
        return record.get("status") == "RUNS_DELETING"


def delete_run_batch(
    make_hook: Callable[[], OmicsHook],
    target: Target,
    *,
    runs: bool = True,
    batch: bool = False,
    within: float | None = 3600.0,
    poke_interval: float = 5.0,
    log: Any,
    seen: Callable[[BatchRecord], object] | None = None,
) -> BatchRecord:
    """Delete the runs of a batch, the batch itself, or both, and return the batch's last record.

    The runs that the batch could not delete, and those of a batch that is FAILED, are deleted one by one,
    within ``[omics] requests_per_second``. What is gone already is done.

    :param make_hook: returns a hook.
    :param target: the batch; with its ``uuid`` if that is known.
    :param runs: whether its runs are deleted.
    :param batch: whether the batch's own record is deleted, after the runs; then its ``status`` is DELETED.
    :param within: seconds for all of it; None for no limit.
    :param poke_interval: seconds between two looks.
    :param log: takes the log lines.
    :param seen: is called with each record read of the batch.
    :raises OmicsRequestError: the batch, or a run of it, has not ended, AWS refused it, or the answer is
        about another account.
    :raises OmicsAccessError: AWS denied a call, or no credentials worked for five minutes.
    :raises OmicsError: it is still there after ``within``.
    """
    deadline = float("inf") if within is None else _clock.monotonic() + within
    taken = cast("Callable[[RunRecord], object] | None", seen)

    def apply(deletion: type[Deletion]) -> BatchRecord:
        now = _clock.monotonic()
        change = deletion(
            target, started_at=now, within=max(0.0, deadline - now), poke_interval=poke_interval
        )
        return cast("BatchRecord", apply_change(change, make_hook, log=log, seen=taken))

    record: BatchRecord | None = None
    if runs:
        record = apply(BatchRunsDeletion)
        if record.get("status") in _FOR_MEMBERS:
            members = Members(make_hook, target, log, deadline)
            _delete_each(members, target, log)
            record = members.read_batch() or record
    if batch or record is None:
        record = apply(BatchDeletion)
    return record


def _delete_each(members: Members, target: Target, log: Any) -> None:
    number = 0
    try:
        for run_id in members.left():
            members.delete(run_id)
            number += 1
            members.say_progress(f"{number:,} runs deleted one by one")
    except ListRunsRefusedError as refused:
        raise refused.error from None
    if number:
        log.info("%s: %s runs that it could not delete were deleted one by one", target, f"{number:,}")
