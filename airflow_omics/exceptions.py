"""Every error that this package raises about a run or a batch, and the kinds of fault that may be behind one.

A DAG author's callback may rely on the classes and on their attributes.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar, cast

from airflow_omics._compat import AirflowException, AirflowFailException
from airflow_omics.records import BatchRecord, RunRecord

__all__ = [
    "FaultKind",
    "OmicsAccessError",
    "OmicsBatchCancelledError",
    "OmicsBatchDeletedError",
    "OmicsBatchError",
    "OmicsBatchFailedError",
    "OmicsBatchMembersFailedError",
    "OmicsBatchNotFoundError",
    "OmicsBatchTimeoutError",
    "OmicsError",
    "OmicsRequestError",
    "OmicsRunCancelledError",
    "OmicsRunDeletedError",
    "OmicsRunError",
    "OmicsRunFailedError",
    "OmicsRunNotFoundError",
    "OmicsRunTimeoutError",
]


class FaultKind(enum.Enum):
    """What a failed call means for the caller.

    ``TRANSIENT`` passes: throttling, an error inside the service, the network. ``CREDENTIALS`` may have
    been rotated. ``DENIED`` and ``REFUSED`` stay until a person acts. What ``NOT_FOUND`` means depends on
    what the caller knows of the run.
    """

    TRANSIENT = "transient"
    CREDENTIALS = "credentials"
    DENIED = "denied"
    REFUSED = "refused"
    NOT_FOUND = "not found"


class OmicsError(AirflowException):
    """Base of every error of this package.

    :param message: what happened and what to do.
    :param run_id: the HealthOmics run it is about.
    :param batch_id: the HealthOmics batch it is about.
    :param record: the last record known of the run or batch, if any.
    :param kind: the kind of fault behind it, if that is not the one its class stands for. An error of the
        kind ``DENIED`` or ``REFUSED`` is the same at each retry; another may be gone. None if no call failed.
    """

    kind: FaultKind | None = None

    def __init__(
        self,
        message: str,
        *,
        run_id: str | None = None,
        batch_id: str | None = None,
        record: RunRecord | None = None,
        kind: FaultKind | None = None,
    ) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.batch_id = batch_id
        self.record = record
        if kind is not None:
            self.kind = kind


class OmicsRunError(OmicsError):
    """A run ended, and not as the task wanted.

    ``run_id``, ``status``, ``failure_reason``, ``status_message`` and ``record`` say how. ``diagnosis``, a
    :class:`airflow_omics.diagnosis.Diagnosis`, says why, if that was looked into; then the error's text is
    the report without what programs printed. If a sensor raises it, it is also an ``AirflowFailException``: a
    run that has ended cannot change, so no retry helps.
    """

    def __init__(self, message: str, *, run_id: str | None = None, record: RunRecord | None = None) -> None:
        super().__init__(message, run_id=run_id, record=record)
        known: RunRecord = record or {}
        self.status: str | None = known.get("status")
        self.failure_reason: str | None = known.get("failureReason")
        self.status_message: str | None = known.get("statusMessage")
        self.diagnosis: Any = None


class OmicsRunFailedError(OmicsRunError):
    """The run ended as FAILED."""


class OmicsRunCancelledError(OmicsRunError):
    """The run ended as CANCELLED."""


class OmicsRunDeletedError(OmicsRunError):
    """The run was deleted, or its id belongs to another run now."""


class OmicsRunTimeoutError(OmicsError):
    """A run that the task started was still active at ``wait_timeout``."""


class OmicsRunNotFoundError(OmicsError):
    """HealthOmics does not know the run, and it was never seen: deleted, or never existed."""

    kind = FaultKind.NOT_FOUND


class OmicsBatchError(OmicsError):
    """A batch of runs ended, and not as the task wanted.

    ``batch_id``, ``status``, ``failure_reason`` and ``record`` say how. ``failures`` says why its runs ended
    badly, by reason: dicts with ``reason``, ``class``, ``owner``, ``count`` and ``examples``. If a sensor
    raises it, it is also an ``AirflowFailException``.
    """

    record: BatchRecord | None  # type: ignore[assignment]

    def __init__(
        self,
        message: str,
        *,
        batch_id: str | None = None,
        record: BatchRecord | None = None,
        failures: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(message, batch_id=batch_id)
        self.record = record
        known: BatchRecord = record or {}
        self.status: str | None = known.get("status")
        self.failure_reason: str | None = known.get("failureReason")
        self.failures: list[Mapping[str, Any]] = list(failures)


class OmicsBatchFailedError(OmicsBatchError):
    """HealthOmics could not start the batch, or not all of it: the batch itself is FAILED."""


class OmicsBatchCancelledError(OmicsBatchError):
    """The batch was cancelled."""


class OmicsBatchDeletedError(OmicsBatchError):
    """The batch or its runs were deleted, or its id belongs to another batch now."""


class OmicsBatchMembersFailedError(OmicsBatchError):
    """More runs of the batch ended badly than are tolerated. Its text is a report, by reason."""


class OmicsBatchTimeoutError(OmicsError):
    """A batch that the task started was still active at ``wait_timeout``."""


class OmicsBatchNotFoundError(OmicsError):
    """HealthOmics does not know the batch, and it was never seen: deleted, or never existed."""

    kind = FaultKind.NOT_FOUND


class OmicsAccessError(OmicsError):
    """AWS denied the call, or no credentials worked for five minutes; ``kind`` says which."""

    kind = FaultKind.DENIED


class OmicsRequestError(OmicsError):
    """A value of the request is wrong, found here or refused by AWS, or the account is full; see ``kind``."""

    kind = FaultKind.REFUSED


_Ended = TypeVar("_Ended", OmicsRunError, OmicsBatchError)


# Not for DAGs, but here: pickled errors name this function by its place.
def without_retry(error: _Ended) -> _Ended:
    """Return the same error as one that is also an ``AirflowFailException``, which Airflow never retries."""
    final: _Ended = _final_class(cast("Any", type(error)))(str(error))
    # The record may have been narrowed for the XCom; the error keeps the run's own reason and message.
    final.__dict__.update(error.__dict__)
    return final


@cache
def _final_class(error_class: Any) -> Any:
    def reduce(self: Any) -> Any:
        # The class is made here, so pickle could not find it by its name.
        error = error_class(str(self))
        error.__dict__.update(self.__dict__)
        return without_retry, (error,)

    members: dict[str, Any] = {
        "__module__": error_class.__module__,
        "__doc__": error_class.__doc__,
        "__reduce__": reduce,
    }
    return type(error_class.__name__, (error_class, AirflowFailException), members)
