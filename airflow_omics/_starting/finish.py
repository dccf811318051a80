"""How the task that started a run goes on when the run ends: success, another run, or an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_omics._compat import AirflowTaskTimeout, Context
from airflow_omics._connection import AwsArguments
from airflow_omics._identity import Target
from airflow_omics._starting.arguments import settings_of_reruns
from airflow_omics._starting.attempt import Attempt
from airflow_omics._starting.canceller import CONFIRM_WITHIN, Canceller
from airflow_omics._starting.memory import Memory
from airflow_omics._task.explain import explain
from airflow_omics._waiting.ending import error_of
from airflow_omics._waiting.wait import LAST_LOOK_FAILED, Ending
from airflow_omics.exceptions import OmicsRunError, OmicsRunTimeoutError, without_retry
from airflow_omics.records import TERMINAL_STATUSES, RunRecord, describe, narrow, sentence


class Finish:
    """The end of one try of a start operator.

    :param operator: the ``OmicsStartRunOperator``.
    :param context: the task's context.
    :param memory: what is kept from one try to the next.
    :param canceller: cancels runs.
    :param arguments: returns how AWS is reached.
    """

    def __init__(
        self,
        operator: Any,
        context: Context,
        memory: Memory,
        canceller: Canceller,
        arguments: Callable[[], AwsArguments],
    ) -> None:
        self._operator = operator
        self._log = operator.log
        self._context = context
        self._ti: Any = context["ti"]
        self._memory = memory
        self._canceller = canceller
        self._arguments = arguments
        self._timeout_argument: str | None = None

    def after_ending(
        self, ending: Ending, attempt: Attempt, target: Target | None, *, was_stopping: bool
    ) -> RunRecord | None:
        """Return the record if the task succeeds, None if another run is due, or raise.

        :param attempt: the attempt whose run has ended.
        :param target: the run.
        :param was_stopping: whether the run was stopping when this try found it.
        :raises OmicsError: the task fails.
        :raises AirflowTaskTimeout: it fails because of its ``execution_timeout``.
        """
        record = ending.record
        in_time = record is not None and record.get("status") in self._operator.success_statuses
        if record is None or (ending.outcome != "terminal" and not in_time):
            self._push(record)
            if record is not None and record.get("status") in TERMINAL_STATUSES:
                self._memory.note_wait_over()  # else the run may go on, and a clear must find it
            raise self._error_of(ending, target)
        if in_time:
            self._log.info("%s", ending.message)
            return self.succeeded(record)
        self._memory.note_end(attempt, record)
        if was_stopping:
            self._log.info("%s It was stopping when this try found it: a new run is started.", ending.message)
            return None
        if self._is_rerun(record):
            self._log.info("%s It is run again with other settings.", ending.message)
            return None
        self._push(record)
        self._memory.note_wait_over()
        raise self._failure_of(ending, record, target)

    def timed_out(self, ending: Ending, target: Target, argument: str | None) -> Ending:
        """Do as ``on_timeout`` says; return what the task ends with, the run's last record in it.

        :param argument: which argument of the operator set the deadline.
        """
        self._timeout_argument = argument
        record, run_id = ending.record, target.id
        _, failed, why = ending.message.partition(LAST_LOOK_FAILED)
        if record is None:
            state = f"HealthOmics run {run_id} could not be read"
        elif failed:
            state = f"{describe(record, last_seen=True)}; it could not be read"
        else:
            state = describe(record)
        message = f"{state} at the task's {argument}.{failed}{why}"
        if self._operator.on_timeout == "cancel":
            self._log.info("%s It is cancelled.", message)
            cancelled = self._canceller.cancel(target, confirm=True, within=CONFIRM_WITHIN)
            record = cancelled or record
            message += f" {sentence(record)}" if record else ""
        return ending._replace(record=record, message=message)

    def succeeded(self, record: RunRecord) -> RunRecord:
        """Return what the task returns, and note that nobody waits for the run any more."""
        self._memory.note_wait_over()
        self._push_attempts(record)
        return narrow(record, self._operator.record_fields)

    def _error_of(self, ending: Ending, target: Target | None) -> Exception | AirflowTaskTimeout:
        run_id = target.id if target else None
        if ending.outcome == "timeout" and self._timeout_argument == "execution_timeout":
            return AirflowTaskTimeout(ending.message)
        return error_of(
            ending,
            ending.record,
            run_id,
            timeout=lambda said: OmicsRunTimeoutError(said, run_id=run_id, record=ending.record),
        )

    def _failure_of(self, ending: Ending, record: RunRecord, target: Target | None) -> Exception:
        from airflow_omics.failures import CHANGE, classify

        operator, diagnosis = self._operator, None
        if operator.diagnose:
            region = target.region if target else None
            diagnosis = explain(
                operator, record, ending.message, self._context, lambda: self._arguments().in_region(region)
            )
        error = error_of(ending, narrow(record, operator.record_fields), record.get("id"), diagnosis)
        failure_class = classify(record).failure_class
        retry = (operator.retry_by_class or {}).get(failure_class, failure_class != CHANGE)
        return without_retry(error) if isinstance(error, OmicsRunError) and not retry else error

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
        if record is not None and self._operator.do_xcom_push:
            self._ti.xcom_push(key="return_value", value=narrow(record, self._operator.record_fields))
            self._push_attempts(record)

    def _push_attempts(self, last: RunRecord) -> None:
        ends = [end for end in self._memory.ends if end.get("id") != last.get("id")]
        if ends and self._operator.do_xcom_push:
            own = {key: last[key] for key in ("id", "status", "failureReason") if last.get(key)}
            self._ti.xcom_push(key="attempts", value=[*ends, own])
