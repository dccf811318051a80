"""Faults on demand: errors, answers that never come, and lists that are wrong."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_omics.emulator.wire.exceptions import OmicsServiceError, service_error
from airflow_omics.emulator.world.numbers import is_number

LOG_OPERATIONS = ("DescribeLogStreams", "GetLogEvents")
"""Operations of CloudWatch Logs that can have a fault, if it is an error; moto answers them."""

PRICE_OPERATIONS = ("GetProducts",)
"""Operations of AWS Price List that can have such a fault."""
QUEUE_OPERATIONS = (
    "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch",
    "DeleteMessage",
    "DeleteMessageBatch",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ReceiveMessage",
    "SendMessage",
)
"""Operations of SQS that can have such a fault, if SQS has that error; moto answers them."""
ELSEWHERE = (*LOG_OPERATIONS, *PRICE_OPERATIONS, *QUEUE_OPERATIONS)
"""Operations of other services that can have a fault, if it is an error."""

_ERRORS: dict[str, tuple[str, str]] = {
    "throttle": ("ThrottlingException", "Rate exceeded"),
    "internal-error": ("InternalServerException", "An unexpected error occurred. Try again."),
    "timeout": ("RequestTimeoutException", "The request timed out."),
    "quota": ("ServiceQuotaExceededException", "The request exceeds a service quota."),
    "conflict": ("ConflictException", "The request conflicts with the state of the resource."),
    "validation": ("ValidationException", "The input fails to satisfy the constraints of the service."),
    "not-found": ("ResourceNotFoundException", "The resource was not found."),
    "access-denied": ("AccessDeniedException", ""),
    "expired-token": ("ExpiredTokenException", "The security token included in the request is expired"),
    "unrecognized-client": (
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    ),
}
# SQS has no error like these.
_NOT_OF_QUEUES = ("timeout", "quota", "conflict")
WIRE_FAULTS = ("hang", "drop", "lost-answer", "html")
"""Faults of the connection: no answer at all, or one that is not the service's."""
LIST_FAULTS = ("list-lags", "list-lies", "list-omits", "list-wrong-arn")
"""Faults of ListRuns that leave the answer well-formed and wrong."""
KINDS = (*_ERRORS, *WIRE_FAULTS, *LIST_FAULTS)
"""Every kind of fault."""
_OPTIONS: dict[str, dict[str, Any]] = {
    "hang": {"seconds": 3600.0},
    "lost-answer": {"seconds": 0.0},
    "html": {"status": 502},
    "list-lags": {"seconds": 30.0},
    "list-lies": {"status": "RUNNING"},
}
_LONGEST_SECONDS = 1_000_000_000
_NAMED = {code: kind for kind, (code, _) in _ERRORS.items()}


@dataclass
class Fault:
    """One fault that is in force."""

    id: str
    operation: str
    kind: str
    rate: float
    left: int | None
    run_id: str | None
    options: Mapping[str, Any] = field(default_factory=dict)
    used: int = 0

    def error(self, operation: str, arn: str, principal: str) -> OmicsServiceError:
        """Return the error answer of this fault."""
        return service_error(*error_text(self, f"omics:{operation}", arn, principal))


def error_text(fault: Fault, action: str, arn: str, principal: str) -> tuple[str, str]:
    """Return the error code and the message of a fault that is an error.

    :param action: the IAM action that is denied, if the fault is a denial.
    """
    code, message = _ERRORS[fault.kind]
    if fault.kind == "access-denied":
        message = (
            f"User: {principal} is not authorized to perform: {action} on resource: {arn} "
            f"because no identity-based policy allows the {action} action"
        )
    return code, str(fault.options.get("message", message))


class FaultBook:
    """The faults in force."""

    def __init__(self, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self.reset(seed)

    def reset(self, seed: int = 0) -> None:
        """Forget every fault, and begin again with chance and ids."""
        self._faults: list[Fault] = []
        self._random = random.Random(seed)
        self._ids = itertools.count(1)

    def clear(self) -> None:
        """Forget every fault."""
        with self._lock:
            self._faults = []

    def add(
        self,
        operation: str,
        kind: str,
        rate: float = 1.0,
        times: int | None = None,
        run_id: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> str:
        """Put a fault in force, and return its id; see :meth:`airflow_omics.emulator.Emulator.fault`.

        :param operation: the name of one that is emulated or in :data:`ELSEWHERE`, or ``*``.
        :raises ValueError: the fault makes no sense.
        """
        if not isinstance(kind, str):
            raise ValueError(f"fault kind is {kind!r}; the kinds are {', '.join(KINDS)}")
        kind = _NAMED.get(kind, kind)
        _check_kind(kind, operation)
        if not (is_number(rate) and 0 <= rate <= 1):
            raise ValueError(f"rate is {rate!r}; give a share of the calls between 0 and 1")
        if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
            raise ValueError(f"times is {times!r}; give a number of calls >= 1, or None for every call")
        options = dict(options or {})
        _check_options(kind, options)
        with self._lock:
            fault = Fault(
                f"fault-{next(self._ids)}",
                operation,
                kind,
                float(rate),
                times,
                None if run_id is None else str(run_id),
                {**_OPTIONS.get(kind, {}), **options},
            )
            self._faults.append(fault)
        return fault.id

    def pick(self, operation: str, run_id: str | None, *, named: bool = False) -> Fault | None:
        """Return the first error or wire fault that strikes this call, and count it.

        :param named: only a fault that names the operation: ``*`` is for those of HealthOmics.
        """
        with self._lock:
            for fault in self._faults:
                if fault.kind in LIST_FAULTS or fault.operation not in (operation, None if named else "*"):
                    continue
                if fault.run_id is not None and fault.run_id != run_id:
                    continue
                if self._strikes(fault):
                    return fault
        return None

    def pick_list(self) -> list[Fault]:
        """Return the faults that change this ListRuns answer, and count them."""
        with self._lock:
            return [fault for fault in self._faults if fault.kind in LIST_FAULTS and self._strikes(fault)]

    def _strikes(self, fault: Fault) -> bool:
        if fault.left == 0 or (fault.rate < 1 and self._random.random() >= fault.rate):
            return False
        if fault.left is not None:
            fault.left -= 1
        fault.used += 1
        return True


def _check_kind(kind: str, operation: str) -> None:
    if kind not in KINDS:
        raise ValueError(f"fault kind {kind!r} is unknown; the kinds are {', '.join(KINDS)}")
    if operation in ELSEWHERE:
        without = _NOT_OF_QUEUES if operation in QUEUE_OPERATIONS else ()
        possible = [error for error in _ERRORS if error not in without]
        if kind not in possible:
            raise ValueError(f"fault {kind!r} cannot strike {operation}; {', '.join(possible)} can")
    if kind in LIST_FAULTS and operation not in ("ListRuns", "*"):
        raise ValueError(f"fault {kind!r} is one of ListRuns, not of {operation}")


def _check_options(kind: str, options: Mapping[str, Any]) -> None:
    known = {*_OPTIONS.get(kind, ()), *(("message",) if kind in _ERRORS else ())}
    if unknown := sorted(set(options) - known):
        raise ValueError(
            f"fault {kind!r} has no option {unknown[0]!r}; it has {', '.join(sorted(known)) or 'none'}"
        )
    seconds = options.get("seconds", 0)
    if not (is_number(seconds) and 0 <= seconds <= _LONGEST_SECONDS):
        raise ValueError(
            f"fault {kind!r}: seconds is {seconds!r}; give a number from 0 to {_LONGEST_SECONDS}"
        )
