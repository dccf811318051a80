"""The one place that cancels a batch of runs and confirms it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from airflow_omics import _clock
from airflow_omics._batches.lists import ListRunsRefusedError
from airflow_omics._faults import NOT_FOUND_GRACE, named
from airflow_omics._identity import Target
from airflow_omics._outcome import going_on
from airflow_omics._steering.cancel import BatchCancellation
from airflow_omics._steering.change import apply_change
from airflow_omics._steering.members import Members
from airflow_omics.exceptions import OmicsError
from airflow_omics.records import ACTIVE_STATUSES, BatchRecord, RunRecord

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsHook


def cancel_run_batch(
    make_hook: Callable[[], OmicsHook],
    target: Target,
    *,
    confirm: bool = True,
    within: float | None = 3600.0,
    poke_interval: float = 30.0,
    not_found_grace: float = NOT_FOUND_GRACE,
    log: Any,
    seen: Callable[[BatchRecord], object] | None = None,
) -> BatchRecord:
    """Cancel a batch and every run of it that goes on, and return its last record, however it ended.

    The runs that the batch could not cancel, and those that a batch which is FAILED has left behind, are
    cancelled one by one, within ``[omics] requests_per_second``.

    :param make_hook: returns a hook.
    :param target: the batch; with its ``uuid`` if that is known.
    :param confirm: whether to wait until the batch and its runs have ended; if not, the record is the one
        right after the request, and only the runs of a batch that has ended are cancelled one by one.
    :param within: seconds for all of it; None for no limit.
    :param poke_interval: seconds between two looks.
    :param not_found_grace: seconds for which a batch that was never read may be unknown. After them, a batch
        whose ``uuid`` is known counts as DELETED.
    :param log: takes the log lines.
    :param seen: is called with each record read of the batch.
    :raises OmicsBatchNotFoundError: HealthOmics does not know the batch, and its ``uuid`` is not known.
    :raises OmicsAccessError: AWS denied a call, or no credentials worked for five minutes.
    :raises OmicsRequestError: AWS refused to cancel a batch that goes on, or answered about another account.
    :raises OmicsError: the batch, or a run of it, goes on after ``within``.

    See https://docs.aws.amazon.com/omics/latest/api/API_CancelRunBatch.html
    """
    began = _clock.monotonic()
    deadline = float("inf") if within is None else began + within
    change = BatchCancellation(
        target,
        confirm=confirm,
        started_at=began,
        within=within,
        poke_interval=poke_interval,
        not_found_grace=not_found_grace,
    )
    taken = cast("Callable[[RunRecord], object] | None", seen)
    record = cast("BatchRecord", apply_change(change, make_hook, log=log, seen=taken))
    if record.get("status") not in ("CANCELLED", "FAILED") or not _may_have_runs(record):
        return record
    members = Members(make_hook, target, log, deadline)
    asked = _cancel_each(members, record, target, log)
    if confirm:
        _wait_for(members, asked, deadline, poke_interval, target)
    if not asked:
        return record
    return members.read_batch() or record


def _may_have_runs(record: Mapping[str, Any]) -> bool:
    """Return whether a batch that has ended may have runs that go on, by its counts."""
    return "runSummary" not in record or going_on(record) > 0


def _cancel_each(members: Members, record: BatchRecord, target: Target, log: Any) -> list[str]:
    """Cancel what goes on, and return the ids of the runs that have not ended yet."""
    asked: list[str] = []
    number = 0
    try:
        for run_id in members.going_on():
            if members.cancel(run_id).get("status") in ACTIVE_STATUSES:
                asked.append(run_id)
            number += 1
            members.say_progress(f"{number:,} runs cancelled one by one")
    except ListRunsRefusedError as refused:
        raise refused.error from None
    if asked:
        why = "could not cancel" if record.get("status") == "CANCELLED" else "has left behind"
        log.info("%s: %s runs that it %s are cancelled one by one", target, f"{len(asked):,}", why)
    return asked


def _wait_for(
    members: Members, asked: list[str], deadline: float, poke_interval: float, target: Target
) -> None:
    left = asked
    while left := [run_id for run_id in left if members.status(run_id) in ACTIVE_STATUSES]:
        now = _clock.monotonic()
        if now >= deadline:
            raise OmicsError(
                f"{target} has ended, and {len(left):,} of its runs go on although CancelRun was accepted, "
                f"such as run {left[0]}.",
                **named(target),
            )
        _clock.sleep(min(poke_interval, deadline - now))
