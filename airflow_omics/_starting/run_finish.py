"""How the task that started a run goes on when the run ends: success, another run, or an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_omics._identity import Target
from airflow_omics._resource import RUN
from airflow_omics._starting.arguments import settings_of_reruns
from airflow_omics._starting.finish import Finish
from airflow_omics._task.explain import explain
from airflow_omics._waiting.ending import error_of
from airflow_omics._waiting.wait import Ending
from airflow_omics.exceptions import OmicsRunError, OmicsRunTimeoutError, without_retry
from airflow_omics.records import RunRecord, narrow

if TYPE_CHECKING:
    from airflow_omics.diagnosis import Diagnosis


class RunFinish(Finish):
    """The end of one try of ``OmicsStartRunOperator``."""

    _resource = RUN
    _timeout_error = OmicsRunTimeoutError
    _rerun = "It is run again with other settings."

    def has_ended_well(self, record: RunRecord) -> bool:
        """Return whether the record is of a run that has ended as the task wants."""
        return record.get("status") in self._operator.success_statuses

    def succeeded(self, record: RunRecord) -> RunRecord:
        """Return what the task returns, and note that nobody waits for the run any more."""
        self._memory.note_wait_over()
        self._push_attempts(record)
        return narrow(record, self._operator.record_fields)

    def _failure_of(self, ending: Ending, record: RunRecord, target: Target | None) -> Exception:
        from airflow_omics.failures import CHANGE, classify

        operator, diagnosis = self._operator, self._explained(ending, record, target)
        error = error_of(ending, narrow(record, operator.record_fields), record.get("id"), diagnosis)
        failure_class = classify(record).failure_class
        retry = (operator.retry_by_class or {}).get(failure_class, failure_class != CHANGE)
        return without_retry(error) if isinstance(error, OmicsRunError) and not retry else error

    def _waiting_for(self, ending: Ending, target: Target) -> str:
        diagnosis = self._explained(ending, ending.record or {}, target)
        return diagnosis.error_text if diagnosis else ending.message

    def _explained(self, ending: Ending, record: RunRecord, target: Target | None) -> Diagnosis | None:
        if not self._operator.diagnose:
            return None
        region = target.region if target else None
        return explain(
            self._operator,
            record,
            ending.message,
            self._context,
            lambda: self._arguments().in_region(region),
        )

    def _is_rerun(self, record: RunRecord) -> bool:
        reruns = settings_of_reruns(self._operator)
        reason = record.get("failureReason")
        if record.get("status") != "FAILED" or reason not in reruns:
            return False
        most: int = self._operator.max_reruns
        return len(self.changes()) <= most

    def changes(self) -> list[Mapping[str, Any]]:
        """Return the changed settings to which the runs that ended so far lead, in their order."""
        reruns = settings_of_reruns(self._operator)
        reasons = [
            str(end.get("failureReason")) for end in self._memory.ends if end.get("status") == "FAILED"
        ]
        return [reruns[reason] for reason in reasons if reason in reruns]

    def _push(self, record: RunRecord | None) -> None:
        super()._push(record)
        if record is not None and self._operator.do_xcom_push:
            self._push_attempts(record)

    def _push_attempts(self, last: RunRecord) -> None:
        ends = [end for end in self._memory.ends if end.get("id") != last.get("id")]
        if ends and self._operator.do_xcom_push:
            own = {key: last[key] for key in ("id", "status", "failureReason") if last.get(key)}
            self._ti.xcom_push(key="attempts", value=[*ends, own])
