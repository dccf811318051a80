"""Every error that this package raises about a run, and the fault that a call to HealthOmics can have.

A DAG author's callback may rely on the classes and on their attributes.
"""

from __future__ import annotations

import enum
from functools import cache
from typing import Any, cast

from airflow_omics._compat import AirflowException, AirflowFailException
from airflow_omics.records import RunRecord, sentence


class FaultKind(enum.Enum):
    """What a failed call means for whoever waits.

    ``TRANSIENT`` passes: throttling, an error inside the service, the network. ``CREDENTIALS`` may have
    been rotated. ``DENIED`` and ``REFUSED`` stay until a person acts. ``NOT_FOUND`` is for the
    one who asked to judge.
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
    :param record: the last run record known, if any.
    :param kind: the kind of fault behind it, if that is not the one its class stands for. An error of the
        kind ``DENIED`` or ``REFUSED`` is the same at each retry; another may be gone. None if no call failed.
    """

    kind: FaultKind | None = None

    def __init__(
        self,
        message: str,
        *,
        run_id: str | None = None,
        record: RunRecord | None = None,
        kind: FaultKind | None = None,
    ) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.record = record
        if kind is not None:
            self.kind = kind


class OmicsRunError(OmicsError):
    """A run ended, and not as the task wanted.

    ``run_id``, ``status``, ``failure_reason``, ``status_message`` and ``record`` tell how. ``diagnosis``, a
    :class:`airflow_omics.diagnosis.Diagnosis`, tells why, where that was looked into; then the error's text
    is the report, but for what programs printed. Raised by a sensor it is an ``AirflowFailException`` too: a
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


class OmicsAccessError(OmicsError):
    """AWS denied the call, or no credentials worked for five minutes; ``kind`` says which."""

    kind = FaultKind.DENIED


class OmicsRequestError(OmicsError):
    """A value of the request is wrong, found here or refused by AWS, or the account is full; see ``kind``."""

    kind = FaultKind.REFUSED


_ERROR_OF_STATUS: dict[str, type[OmicsRunError]] = {
    "FAILED": OmicsRunFailedError,
    "CANCELLED": OmicsRunCancelledError,
    "DELETED": OmicsRunDeletedError,
}


def run_error(record: RunRecord, message: str | None = None) -> OmicsRunError:
    """Return the error for a run that ended badly, by the record's status.

    :param message: what to say instead of how the run is described.
    """
    error_class = _ERROR_OF_STATUS.get(record.get("status", ""), OmicsRunError)
    return error_class(message or sentence(record), run_id=record.get("id"), record=record)


def without_retry(error: OmicsRunError) -> OmicsRunError:
    """Return the same error as one that is an ``AirflowFailException`` too, which Airflow never retries."""
    final_class: type[OmicsRunError] = _final_class(cast("Any", type(error)))
    final = final_class(str(error), run_id=error.run_id, record=error.record)
    # The record may have been narrowed for the XCom; what the run said of itself stays with the error.
    final.__dict__.update(error.__dict__)
    return final


@cache
def _final_class(error_class: Any) -> Any:
    def reduce(self: OmicsRunError) -> Any:
        # The class has no name of its own by which pickle could find it.
        error = error_class(str(self))
        error.__dict__.update(self.__dict__)
        return without_retry, (error,)

    members: dict[str, Any] = {
        "__module__": error_class.__module__,
        "__doc__": error_class.__doc__,
        "__reduce__": reduce,
    }
    return type(error_class.__name__, (error_class, AirflowFailException), members)
