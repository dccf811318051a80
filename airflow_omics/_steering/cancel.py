"""The one place that cancels a run and confirms it, and what of that holds for a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_omics import _clock
from airflow_omics._faults import NOT_FOUND_GRACE, Fault
from airflow_omics._identity import Target
from airflow_omics._steering.change import Change, apply_change
from airflow_omics.exceptions import FaultKind
from airflow_omics.records import RunRecord

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsHook


class Cancellation(Change):
    """CancelRun, confirmed through STOPPING to the run's end.

    It is done however the run ends: a run that is COMPLETED or FAILED before the request reaches it needs no
    cancelling. CancelRun then answers ConflictException or ValidationException; AWS does not document which
    of them, so the run's own status decides.

    :param confirm: whether to go on reading until the run has ended; if not, it is read once after the
        request.
    :param arguments: as for :class:`~airflow_omics._steering.change.Change`.

    See https://docs.aws.amazon.com/omics/latest/dev/canceling-runs.html
    """

    operation = "CancelRun"
    method = "cancel_run"
    doing = "cancelling"

    def __init__(self, target: Target, *, confirm: bool = True, **arguments: Any) -> None:
        super().__init__(target, **arguments)
        self._confirm = confirm

    def accepted(self, now: float) -> None:
        """Note that HealthOmics has accepted the request."""
        super().accepted(now)
        if not self._confirm:
            self._pause = 0.0

    def _has_come_about(self, record: RunRecord) -> bool:
        return record.get("status") in self.target.resource.terminal or (self.asked and not self._confirm)

    def _never_seen(self, fault: Fault) -> None:
        message = f"deleted, or never existed in this account and Region ({fault.message})"
        self._fail(Fault(FaultKind.NOT_FOUND, message, fault.code))

    def _was_refused(self, refusal: Fault, record: RunRecord, now: float) -> None:
        if record.get("status") != "STOPPING":
            self._fail(refusal)
        elif self._confirm:
            self._go_on(now, self._poke_interval)  # it is ending by itself
        else:
            self.result = record


class BatchCancellation(Cancellation):
    """CancelRunBatch, confirmed through STOPPING to the batch's end.

    HealthOmics does not take it while a batch is CREATING, so that is waited for. A batch that is STOPPING is
    being cancelled already: it takes no second request. One that has ended is left alone.

    See https://docs.aws.amazon.com/omics/latest/api/API_CancelRunBatch.html
    """

    operation = "CancelRunBatch"
    method = "cancel_run_batch"

    def _has_come_about(self, record: RunRecord) -> bool:
        stops = record.get("status") == "STOPPING" and not self._confirm
        return stops or super()._has_come_about(record)

    def _must_wait(self, record: RunRecord) -> bool:
        return record.get("status") in ("CREATING", "STOPPING")


def cancel_run(
    make_hook: Callable[[], OmicsHook],
    target: Target,
    *,
    confirm: bool = True,
    within: float | None = 3600.0,
    poke_interval: float = 30.0,
    not_found_grace: float = NOT_FOUND_GRACE,
    log: Any,
    seen: Callable[[RunRecord], object] | None = None,
) -> RunRecord:
    """Cancel a run, and return its last record, however it ended.

    The run is read first. A run that has ended is left alone. A run that has our run's id but another
    ``uuid`` is never touched: ours is DELETED then. Transient errors are retried with jitter.

    :param make_hook: returns a hook.
    :param target: the run; with its ``uuid`` if that is known.
    :param confirm: whether to go on reading until the run has ended, usually a few minutes; if not, the
        record is read once after CancelRun was accepted.
    :param within: seconds for all of it; None for no limit.
    :param poke_interval: seconds between two looks.
    :param not_found_grace: seconds for which a run that was never read may be unknown. After them, a run
        whose ``uuid`` is known counts as DELETED.
    :param log: takes the log lines.
    :param seen: is called with each record read of the run itself.
    :raises OmicsRunNotFoundError: HealthOmics does not know the run, and its ``uuid`` is not known.
    :raises OmicsAccessError: AWS denied a call, or no credentials worked for five minutes.
    :raises OmicsRequestError: AWS refused to cancel a run that goes on, or answered about another account.
    :raises OmicsError: the run goes on after ``within``.

    See https://docs.aws.amazon.com/omics/latest/api/API_CancelRun.html
    """
    change = Cancellation(
        target,
        confirm=confirm,
        started_at=_clock.monotonic(),
        within=within,
        poke_interval=poke_interval,
        not_found_grace=not_found_grace,
    )
    return apply_change(change, make_hook, log=log, seen=seen)
