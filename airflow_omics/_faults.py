"""What a failed call to AWS means, for how long each kind of fault is tolerated, and which error it becomes.

It also makes the error of a run or batch that ended badly. Nothing of botocore is imported:
:mod:`airflow_omics.hooks.faults` turns its exceptions into faults.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, cast

from airflow_omics import exceptions
from airflow_omics._identity import Target
from airflow_omics._resource import BATCH
from airflow_omics.exceptions import (
    FaultKind,
    OmicsAccessError,
    OmicsBatchCancelledError,
    OmicsBatchDeletedError,
    OmicsBatchError,
    OmicsBatchFailedError,
    OmicsError,
    OmicsRequestError,
    OmicsRunCancelledError,
    OmicsRunDeletedError,
    OmicsRunError,
    OmicsRunFailedError,
)
from airflow_omics.records import DELETED_BATCH_STATUSES, BatchRecord, RunRecord, sentence

CREDENTIALS_GRACE: Final = 300.0
"""Seconds for which credentials, or the Airflow connection, may be unusable: a rotation takes less."""

NOT_FOUND_GRACE: Final = 120.0
"""Seconds for which a run may be unknown: AWS does not document how soon GetRun and ListRuns know a new run,
and a run that is wrongly assumed to be gone would go on, and cost."""

TRANSIENT_GRACE: Final = 300.0
"""Seconds for which a call in a worker is retried after errors in the network and inside AWS."""

THROTTLED_GRACE: Final = 7200.0
"""Seconds for which a start is retried while AWS throttles: at the smallest default quota, 0.1 a second, 720
starts."""

LONGEST_BACKOFF: Final = 60.0
"""Seconds at most between two tries of a call."""


class Fault(NamedTuple):
    """One call to AWS that failed.

    :param kind: what the failure means.
    :param message: what AWS or the network said, with the operation and, if AWS gave one, the
        request id.
    :param code: AWS's error code, such as ``ThrottlingException``, or the name of the network error.
    :param throttled: whether AWS asked for fewer calls.
    :param no_connection: whether no connection could be made, so that nothing has answered at all.
    :param doubt: why the answer may be about another account than the run's; empty if it counts.
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
}


def fault_error(fault: Fault, target: Target | None = None, record: RunRecord | None = None) -> OmicsError:
    """Return the error to raise for a call that failed.

    :param target: the run or batch that the call was about; None for a call about none, such as StartRun.
    :param record: the last record known of it, if any.
    """
    if target is None:
        if fault.kind is FaultKind.NOT_FOUND:
            # Something that the request names is missing: the same request is refused again.
            return OmicsRequestError(fault.message, kind=FaultKind.REFUSED)
        message = fault.message
    else:
        message = f"{target}: {fault.message}"
    error_class = _ERROR_OF_KIND.get(fault.kind, OmicsError)
    if fault.kind is FaultKind.NOT_FOUND and target is not None:
        error_class = getattr(exceptions, target.resource.not_found)
    return error_class(message, **named(target), record=record, kind=fault.kind)


def named(target: Target | None) -> dict[str, Any]:
    """Return the keyword argument by which an error names a run or batch."""
    return {} if target is None else {target.resource.argument: target.id}


def backoff(
    failures: int,
    rand: Callable[[], float] = random.random,
    *,
    first: float = 1.0,
    longest: float = LONGEST_BACKOFF,
) -> float:
    """Return the seconds to wait after so many failures in a row, from half to all of 1, 2, 4, ... 60.

    :param failures: 1 or more.
    :param rand: a random number in [0, 1). Tasks that were throttled together must not come back together.
    :param first: seconds at most after the first failure.
    :param longest: seconds at most after any.
    """
    grown: float = min(longest, first * 2.0 ** min(failures - 1, 10))
    return grown * (0.5 + rand() / 2)


_ERROR_OF_STATUS: dict[str, type[OmicsRunError]] = {
    "FAILED": OmicsRunFailedError,
    "CANCELLED": OmicsRunCancelledError,
    "DELETED": OmicsRunDeletedError,
}


def run_error(record: RunRecord, message: str | None = None) -> OmicsRunError:
    """Return the error for a run that ended badly, by the record's status.

    :param message: the error's text; if it is not given, a line that describes the run.
    """
    error_class = _ERROR_OF_STATUS.get(record.get("status", ""), OmicsRunError)
    return error_class(message or sentence(record), run_id=record.get("id"), record=record)


_ERROR_OF_BATCH_STATUS: dict[str, type[OmicsBatchError]] = {
    "FAILED": OmicsBatchFailedError,
    "CANCELLED": OmicsBatchCancelledError,
    **dict.fromkeys(DELETED_BATCH_STATUSES, OmicsBatchDeletedError),
}


def batch_error(
    record: Mapping[str, Any], message: str | None = None, *, name: str | None = None
) -> OmicsBatchError:
    """Return the error for a batch that did not end as the task wanted.

    :param record: the batch's record, with ``failures`` if these are known.
    :param message: the error's text; if it is not given, a line that describes the batch.
    :param name: the error's class, if the record's status does not say it.
    """
    error_class = _ERROR_OF_BATCH_STATUS.get(record.get("status", ""), OmicsBatchError)
    if name is not None:
        error_class = getattr(exceptions, name)
    return error_class(
        message or BATCH.sentence(record),
        batch_id=record.get("id"),
        record=cast("BatchRecord", record),
        failures=record.get("failures") or (),
    )


def ended_error(target: Target, record: RunRecord, message: str) -> OmicsRunError | OmicsBatchError:
    """Return the error for a run or batch that ended badly, by the record's status."""
    return batch_error(record, message) if target.resource == BATCH else run_error(record, message)
