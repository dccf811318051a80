"""What a failed call to AWS means, and the errors that it and a run that ended badly become."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple, cast

from airflow_omics._compat import AirflowFailException
from airflow_omics.exceptions import (
    FaultKind,
    OmicsAccessError,
    OmicsError,
    OmicsRequestError,
    OmicsRunCancelledError,
    OmicsRunDeletedError,
    OmicsRunError,
    OmicsRunFailedError,
    OmicsRunNotFoundError,
)
from airflow_omics.records import RunRecord, sentence


class Fault(NamedTuple):
    """One call to AWS that failed.

    :param kind: what that means.
    :param message: what AWS or the network said, with the operation and, where AWS gave one, the
        request id.
    :param code: AWS's error code, such as ``ThrottlingException``, or the name of the network error.
    :param throttled: whether AWS asked for fewer calls.
    :param no_connection: whether no connection could be made, so that nothing has answered at all.
    :param doubt: why the answer may be about another account than the run's; empty where it counts.
    """

    kind: FaultKind
    message: str
    code: str = ""
    throttled: bool = False
    no_connection: bool = False
    doubt: str = ""


_ERROR_OF_KIND: dict[FaultKind, type[OmicsError]] = {
    FaultKind.CREDENTIALS: OmicsAccessError,
    FaultKind.DENIED: OmicsAccessError,
    FaultKind.REFUSED: OmicsRequestError,
    FaultKind.NOT_FOUND: OmicsRunNotFoundError,
}


def fault_error(fault: Fault, run_id: str, record: RunRecord | None = None) -> OmicsError:
    """Return the error to raise for a call that failed.

    :param run_id: the run that was asked for.
    :param record: the last record known of it, if any.
    """
    error_class = _ERROR_OF_KIND.get(fault.kind, OmicsError)
    message = f"HealthOmics run {run_id}: {fault.message}"
    return error_class(message, run_id=run_id, record=record, kind=fault.kind)


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
