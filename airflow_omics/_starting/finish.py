"""How a task that started something goes on when that ends: success, another start, or an error."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from airflow_omics._compat import AirflowTaskTimeout, Context
from airflow_omics._connection import AwsArguments
from airflow_omics._faults import named
from airflow_omics._identity import Target
from airflow_omics._resource import Resource
from airflow_omics._starting.attempt import Attempt
from airflow_omics._starting.canceller import CONFIRM_WITHIN, Canceller
from airflow_omics._starting.memory import Memory
from airflow_omics._waiting.ending import error_of
from airflow_omics._waiting.wait import LAST_LOOK_FAILED, Ending
from airflow_omics.exceptions import OmicsError
from airflow_omics.records import RunRecord, narrow


class Finish(ABC):
    """The end of one try of a start operator. What differs between runs and batches is in the subclasses.

    :param operator: the operator.
    :param context: the task's context.
    :param memory: what is kept from one try to the next.
    :param canceller: cancels runs.
    :param arguments: returns how AWS is reached.
    """

    _resource: Resource
    _timeout_error: type[OmicsError]
    """The error for what was still active at ``wait_timeout``."""
    _rerun: str
    """A sentence for the log, if another is started within the try."""

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

    @abstractmethod
    def has_ended_well(self, record: RunRecord) -> bool:
        """Return whether the record is of a run that has ended as the task wants."""

    @abstractmethod
    def succeeded(self, record: RunRecord) -> RunRecord:
        """Return what the task returns, and note that nobody waits any more."""

    def noted_of(self, record: RunRecord) -> dict[str, Any]:
        """Return what is noted of a run that ended badly, besides its id and how it ended."""
        return {}

    @abstractmethod
    def _is_rerun(self, record: RunRecord) -> bool:
        """Return whether a run that ended badly is run again within this try."""

    @abstractmethod
    def _failure_of(self, ending: Ending, record: RunRecord, target: Target | None) -> Exception:
        """Return the error for a run that ended badly."""

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
        in_time = record is not None and self.has_ended_well(record)
        if record is None or (ending.outcome != "terminal" and not in_time):
            self._push(record)
            if record is not None and record.get("status") in self._resource.terminal:
                self._memory.note_wait_over()  # else the run may go on, and a clear must find it
            raise self._error_of(ending, target)
        if in_time:
            self._log.info("%s", ending.message)
            return self.succeeded(record)
        self._memory.note_end(attempt, record, self.noted_of(record))
        if was_stopping:
            self._log.info(
                "%s It was stopping when this try found it: a new %s is started.",
                ending.message,
                self._resource.noun,
            )
            return None
        if self._is_rerun(record):
            self._log.info("%s %s", ending.message, self._rerun)
            return None
        self._push(record)
        self._memory.note_wait_over()
        raise self._failure_of(ending, record, target)

    def timed_out(self, ending: Ending, target: Target, argument: str | None) -> Ending:
        """Do as ``on_timeout`` says; return what the task ends with, the last record in it.

        :param argument: which argument of the operator set the deadline, if the ending does not say another.
        """
        self._timeout_argument = ending.argument or argument
        record = ending.record
        if ending.argument is None:
            ending = ending._replace(message=self._at_deadline(ending, target))
            text = ending.message
        else:
            text = self._waiting_for(ending, target)  # a run that is cancelled waits for nothing any more
        if self._operator.on_timeout == "cancel":
            self._log.info("%s It is cancelled.", ending.message)
            cancelled = self._canceller.cancel(target, confirm=True, within=CONFIRM_WITHIN)
            record = cancelled or record
            gap = "\n\n" if "\n" in text else " "
            text += f"{gap}{self._resource.sentence(record)}" if record else ""
        return ending._replace(record=record, message=text)

    def _at_deadline(self, ending: Ending, target: Target) -> str:
        record, resource = ending.record, self._resource
        _, failed, why = ending.message.partition(LAST_LOOK_FAILED)
        if record is None:
            state = f"{target} could not be read"
        elif failed:
            state = f"{resource.describe(record, last_seen=True)}; it could not be read"
        else:
            state = resource.describe(record)
        return f"{state} at the task's {self._timeout_argument}.{failed}{why}"

    def _waiting_for(self, ending: Ending, target: Target) -> str:
        """Return the text of the error for what has not begun in time."""
        return ending.message

    def _error_of(self, ending: Ending, target: Target | None) -> Exception | AirflowTaskTimeout:
        if ending.outcome == "timeout" and self._timeout_argument == "execution_timeout":
            error: Any = AirflowTaskTimeout(ending.message)
            error.record = ending.record  # as the errors of the other timeouts have it
            return error  # type: ignore[no-any-return]
        make: Any = self._timeout_error
        return error_of(
            ending,
            ending.record,
            target.id if target else None,
            timeout=lambda said: make(said, **named(target), record=ending.record),
        )

    def _push(self, record: RunRecord | None) -> None:
        if record is None:
            return
        narrowed = narrow(record, self._operator.record_fields)
        self._operator._note_published(narrowed)
        if self._operator.do_xcom_push:
            self._ti.xcom_push(key="return_value", value=narrowed)
