"""The deferred half of the sensor of a batch."""

from __future__ import annotations

from typing import Any, Unpack, cast

from airflow_omics._identity import Target
from airflow_omics._outcome import Outcome, Tolerance
from airflow_omics._resource import BATCH
from airflow_omics._waiting.batch import BatchWait
from airflow_omics.records import DELETED_BATCH_STATUSES, RunRecord
from airflow_omics.triggers.waiting import WaitArguments, WaitEvent, WaitingTrigger


class OmicsRunBatchEvent(WaitEvent):
    """How a wait for a batch ended: ``{"outcome": ..., "record": ..., "message": ...}``.

    ``outcome`` is ``terminal``, ``timeout`` or ``error``, and ``too_many_failures`` if that was asked for. As
    for a run, an event prints no more of the record than the batch's id and status.
    """


class OmicsRunBatchTrigger(WaitingTrigger):
    """Wait in the triggerer for a HealthOmics batch of runs to end, and fire one event that says how.

    All waits on one batch share one GetBatch an interval, whatever the number of its runs. Which of them
    ended badly, and whether that is tolerated, a worker finds out.

    :param batch_id: the batch: an id, an ARN, or those of ``{"id", "uuid", "arn"}`` that are known.
    :param max_failures: how many of its runs may end badly.
    :param max_failure_ratio: which share of them may, from 0 to 1; None for no such limit.
    :param stop_when_exceeded: whether the wait ends as ``too_many_failures`` as soon as GetBatch's counts say
        twice in a row that more have. They may lag and step back: whoever asks for it confirms it.
    :param arguments: as for :class:`~airflow_omics.triggers.OmicsRunTrigger`, without ``export``. With
        ``success_statuses``, the trigger ends the task only if every run completed.

    See https://docs.aws.amazon.com/omics/latest/dev/workflows-batch.html
    """

    resource = BATCH
    event_class = OmicsRunBatchEvent
    _class_path = "airflow_omics.triggers.OmicsRunBatchTrigger"
    _own_arguments = ("max_failures", "max_failure_ratio", "stop_when_exceeded")

    def __init__(
        self,
        batch_id: Any,
        *,
        max_failures: int = 0,
        max_failure_ratio: float | None = None,
        stop_when_exceeded: bool = False,
        **arguments: Unpack[WaitArguments],
    ) -> None:
        super().__init__(**arguments)
        self.batch_id = batch_id
        self.max_failures = max_failures
        self.max_failure_ratio = max_failure_ratio
        self.stop_when_exceeded = stop_when_exceeded

    def _wait(self, target: Target, **arguments: Any) -> BatchWait:
        return BatchWait(
            target,
            tolerance=Tolerance(self.max_failures, self.max_failure_ratio),
            stop_when_exceeded=self.stop_when_exceeded,
            **arguments,
        )

    def _result(self, record: RunRecord) -> RunRecord | None:
        """Return the record with its outcome if every run completed: otherwise the runs must be listed."""
        if record["status"] in DELETED_BATCH_STATUSES:
            return record
        outcome = Outcome.of_record(record)
        if outcome is None or outcome.bad:
            return None
        return cast("RunRecord", {**record, "outcome": outcome.to_plain()})
