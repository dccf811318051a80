"""The one place that deletes a run's metadata and confirms it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_omics import _clock
from airflow_omics._faults import Fault
from airflow_omics._identity import Target
from airflow_omics._steering.change import Change, apply_change
from airflow_omics.records import RunRecord

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsHook


class Deletion(Change):
    """DeleteRun, confirmed until HealthOmics does not know the run any more, or calls it DELETED.

    A run that is unknown from the start counts as deleted. If that were an error, the retry of a task whose
    worker died after DeleteRun could never succeed.

    See https://docs.aws.amazon.com/omics/latest/api/API_DeleteRun.html
    """

    operation = "DeleteRun"
    method = "delete_run"
    doing = "deleting"

    def accepted(self, now: float) -> None:
        """Note that HealthOmics has accepted the request; the run is gone soon, so look soon."""
        super().accepted(now)
        self._pause = min(1.0, self._poke_interval)

    def _has_come_about(self, record: RunRecord) -> bool:
        return record.get("status") == "DELETED"

    def _objection(self, record: RunRecord) -> str | None:
        if record.get("status") not in self.target.resource.active:
            return None
        noun = self.target.resource.noun
        return f"only a {noun} that has ended can be deleted: cancel it, or wait for it, first."

    def _never_seen(self, fault: Fault) -> None:
        self.lines.add(
            logging.WARNING, f"nothing to delete, or not in this account and Region: {fault.message}"
        )
        self._gone("HealthOmics does not know it")

    def _denied(self, fault: Fault) -> None:
        if self.asked:
            # A policy scoped by tag denies a run that is gone, and this one was readable.
            self._gone(f"it cannot be read any more ({fault.message})")
        else:
            super()._denied(fault)


def delete_run(
    make_hook: Callable[[], OmicsHook],
    target: Target,
    *,
    within: float | None = 600.0,
    poke_interval: float = 5.0,
    log: Any,
    seen: Callable[[RunRecord], object] | None = None,
) -> RunRecord:
    """Delete a run's metadata, and return its last record with ``status`` set to DELETED.

    The run is read first. A run that has not ended is refused without a DeleteRun. A run that has our run's
    id but another ``uuid`` is never touched: ours is DELETED then. Transient errors are retried with jitter.

    :param make_hook: returns a hook.
    :param target: the run; with its ``uuid`` if that is known.
    :param within: seconds for all of it; None for no limit.
    :param poke_interval: seconds between two looks.
    :param log: takes the log lines.
    :param seen: is called with each record read of the run itself.
    :raises OmicsRequestError: the run has not ended, AWS refused it, or the answer is about another account.
    :raises OmicsAccessError: AWS denied a call, or no credentials worked for five minutes.
    :raises OmicsError: the run is still there after ``within``.
    """
    change = Deletion(target, started_at=_clock.monotonic(), within=within, poke_interval=poke_interval)
    return apply_change(change, make_hook, log=log, seen=seen)
