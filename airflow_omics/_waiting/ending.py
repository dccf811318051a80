"""From the ending of a wait to success, skip or error: the one place that decides, for every mode.

Airflow's base sensor treats ``soft_fail``, ``never_fail``, ``silent_fail`` and timeouts differently in
each mode and version, so none of its code takes part in this.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, cast, get_args

from airflow_omics import exceptions
from airflow_omics._compat import AirflowSensorTimeout, AirflowSkipException
from airflow_omics._faults import batch_error, run_error
from airflow_omics._resource import BATCH, RUN, Resource
from airflow_omics._waiting.wait import Ending, Outcomes
from airflow_omics.records import COUNT_KEYS, ERROR_KEYS, LINK_KEYS, RunRecord, narrow

if TYPE_CHECKING:
    from airflow_omics.diagnosis import Diagnosis


class Explanation(Protocol):
    """Why a run or batch ended badly: a diagnosis of a run, or the report on a batch's runs."""

    @property
    def error_text(self) -> str:
        """The text of the error that fails the task."""


class EndPolicy(NamedTuple):
    """How the task ends for each ending of a wait.

    :param success_statuses: terminal statuses in which the task succeeds.
    :param skip_statuses: terminal statuses in which the task is skipped.
    :param soft_fail: skip if the run or batch ended badly or the sensor timed out, but not if it could not
        be read: a broken policy must not turn a cohort green.
    :param never_fail: skip whenever the task would fail.
    :param record_fields: the members of the record that reach XCom; None for all.
    """

    success_statuses: tuple[str, ...] = ("COMPLETED",)
    skip_statuses: tuple[str, ...] = ()
    soft_fail: bool = False
    never_fail: bool = False
    record_fields: tuple[str, ...] | None = None

    @property
    def named_statuses(self) -> tuple[str, ...]:
        """The statuses that the DAG names; they count as terminal, known or not."""
        return (*self.success_statuses, *self.skip_statuses)

    def state_of(self, ending: Ending) -> Literal["success", "skipped"] | None:
        """Return the task's state that the status of the run or batch asks for.

        :return: None for every other ending: the task fails, or is skipped instead of failing.
        """
        if ending.outcome != "terminal" or ending.record is None or ending.error is not None:
            return None
        status = ending.record.get("status")
        if status in self.success_statuses:
            return "success"
        return "skipped" if status in self.skip_statuses else None

    def end_task(
        self,
        ending: Ending,
        push: Callable[[RunRecord], Any],
        resource_id: str | None = None,
        explain: Callable[[Ending, bool], Explanation | None] | None = None,
        resource: Resource = RUN,
    ) -> RunRecord:
        """Return the record if the task succeeds, or raise what skips or fails it.

        :param ending: how the wait ended.
        :param push: puts a record into the task's ``return_value``; called before anything is raised, so
            that the record is there for downstream tasks and callbacks.
        :param resource_id: the run or batch that was waited for, for errors.
        :param explain: finds out why it ended badly, or what it waits for; its second argument says whether
            the task is skipped, so that no error will carry the report. None if nobody wants to know.
        :param resource: what was waited for.
        :raises AirflowSkipException: the task is skipped.
        :raises AirflowSensorTimeout: it was still active at the sensor's timeout.
        :raises OmicsError: it ended badly or could not be read.
        """
        record = ending.record
        narrowed = narrow(record, self.record_fields) if record is not None else None
        state = self.state_of(ending)
        if state == "success" and narrowed is not None:
            return narrowed
        if narrowed is not None:
            push(narrowed)
        if state == "skipped":
            raise AirflowSkipException(ending.message)
        skipped = self.never_fail or (self.soft_fail and ending.outcome != "error")
        wants_one = ending.outcome == "terminal" or ending.argument == "start_timeout"
        explanation = explain(ending, skipped) if explain and wants_one else None
        error = error_of(ending, narrowed, resource_id, explanation, resource=resource)
        if isinstance(error, exceptions.OmicsRunError | exceptions.OmicsBatchError):
            error = exceptions.without_retry(cast("exceptions.OmicsRunError", error))  # it cannot change
        if skipped:
            setting = "never_fail" if self.never_fail else "soft_fail"
            raise AirflowSkipException(f"Skipped, as {setting} is set: {ending.message}") from error
        raise error


def error_of(
    ending: Ending,
    record: RunRecord | None,
    resource_id: str | None,
    explanation: Explanation | None = None,
    *,
    timeout: Callable[[str], Exception] = AirflowSensorTimeout,
    resource: Resource = RUN,
) -> Exception:
    """Return the error with which the task fails after an ending.

    :param record: the record that the error carries, narrowed as the DAG wants it.
    :param resource_id: the run or batch that was waited for, if the record is not known.
    :param explanation: why it ended badly, or what it waits for, if that was looked into; its text becomes
        the error's.
    :param timeout: makes the error of a wait that reached its deadline.
    :param resource: what was waited for.
    """
    if ending.outcome == "timeout":
        return timeout(explanation.error_text if explanation else ending.message)
    if ending.outcome == "terminal":
        text = explanation.error_text if explanation else ending.message
        return _ended_badly(ending, record, text, explanation, resource)
    error_class: type[exceptions.OmicsError] = getattr(exceptions, ending.error or "OmicsError")
    which: dict[str, Any] = {resource.argument: resource_id}
    return error_class(ending.message, **which, record=record, kind=ending.kind)


def _ended_badly(
    ending: Ending,
    record: RunRecord | None,
    text: str,
    explanation: Explanation | None,
    resource: Resource,
) -> exceptions.OmicsError:
    error: exceptions.OmicsError
    if resource == BATCH:
        error = batch_error(ending.record or {}, text, name=ending.error)
    else:
        error = run_error(ending.record or {}, text)
        error.diagnosis = cast("Diagnosis | None", explanation)
    error.record = record
    return error


def ending_to_event(ending: Ending, record_fields: Collection[str] | None) -> dict[str, Any]:
    """Return an ending as the payload of a trigger's event, plain JSON.

    The record is narrowed here, before it leaves the triggerer. It keeps what the worker needs for an error,
    for the links and to judge a batch.
    """
    record = ending.record
    if record is not None and record_fields is not None:
        record = narrow(record, (*record_fields, *ERROR_KEYS, *LINK_KEYS, *COUNT_KEYS))
    event = {"outcome": ending.outcome, "record": record, "message": ending.message}
    if ending.error is not None:
        event["error"] = ending.error
    if ending.kind is not None:
        event["kind"] = ending.kind.value
    if ending.argument is not None:
        event["argument"] = ending.argument
    return event


def ending_from_event(event: Any) -> Ending:
    """Return the ending that a trigger's event holds.

    :raises OmicsError: it is not an event of this package's trigger.
    """
    if not isinstance(event, Mapping) or event.get("outcome") not in get_args(Outcomes):
        raise exceptions.OmicsError("The trigger fired no event that says how the wait ended.")
    kinds = {kind.value: kind for kind in exceptions.FaultKind}
    return Ending(
        event["outcome"],
        event.get("record"),
        str(event.get("message", "")),
        event.get("error"),
        kinds.get(str(event.get("kind"))),
        "start_timeout" if event.get("argument") == "start_timeout" else None,
    )
