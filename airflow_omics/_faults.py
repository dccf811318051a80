"""One call to AWS that failed: what that means, and the error that it becomes."""

from __future__ import annotations

from typing import NamedTuple

from airflow_omics.exceptions import (
    FaultKind,
    OmicsAccessError,
    OmicsError,
    OmicsRequestError,
    OmicsRunNotFoundError,
)
from airflow_omics.records import RunRecord


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
