"""Faults on demand and a real rate limit: what makes an emulated service as unkind as a real one."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from airflow_omics.emulator.wire.exceptions import OmicsServiceError, service_error

#: The operations that are emulated.
OPERATIONS = (
    "StartRun",
    "GetRun",
    "ListRuns",
    "CancelRun",
    "DeleteRun",
    "ListRunTasks",
    "GetRunTask",
    "GetRunGroup",
)
#: Operations of CloudWatch Logs that can have a fault, if it is an error; moto answers them.
LOG_OPERATIONS = ("DescribeLogStreams", "GetLogEvents")

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
#: Faults of the connection: no answer at all, or one that is not the service's.
WIRE_FAULTS = ("hang", "drop", "lost-answer", "html")
#: Faults of ListRuns that leave the answer well-formed and wrong.
LIST_FAULTS = ("list-lags", "list-lies", "list-omits", "list-wrong-arn")
#: Every kind of fault.
KINDS = (*_ERRORS, *WIRE_FAULTS, *LIST_FAULTS)
_OPTIONS: dict[str, dict[str, Any]] = {
    "hang": {"seconds": 3600.0},
    "lost-answer": {"seconds": 0.0},
    "html": {"status": 502},
    "list-lags": {"seconds": 30.0},
    "list-lies": {"status": "RUNNING"},
}
#: The most calls a second that can be a limit.
MOST_A_SECOND = 1_000_000
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

    :param action: the IAM action that is denied, where that is the fault.
    """
    code, message = _ERRORS[fault.kind]
    if fault.kind == "access-denied":
        message = (
            f"User: {principal} is not authorized to perform: {action} on resource: {arn} "
            f"because no identity-based policy allows the {action} action"
        )
    return code, str(fault.options.get("message", message))


class FaultBook:
    """The faults in force, and the limits."""

    def __init__(self, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self.reset(seed)

    def reset(self, seed: int = 0) -> None:
        """Forget every fault and limit."""
        self._faults: list[Fault] = []
        self._limits: dict[str, RateLimit] = {}
        self._random = random.Random(seed)
        self._ids = itertools.count(1)

    def clear(self) -> None:
        """Forget every fault, keeping the limits."""
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
        """Put a fault in force; see :meth:`airflow_omics.emulator.Emulator.fault`."""
        kind = _NAMED.get(kind, kind)
        if kind not in KINDS:
            raise ValueError(f"fault kind {kind!r} is unknown; the kinds are {', '.join(KINDS)}")
        if operation not in LOG_OPERATIONS:
            checked_operation(operation)
        elif kind not in _ERRORS:
            raise ValueError(f"fault {kind!r} cannot strike {operation}; {', '.join(_ERRORS)} can")
        if kind in LIST_FAULTS and operation not in ("ListRuns", "*"):
            raise ValueError(f"fault {kind!r} is one of ListRuns, not of {operation}")
        if not (_is_number(rate) and 0 <= rate <= 1):
            raise ValueError(f"rate is {rate!r}; give a share of the calls between 0 and 1")
        if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
            raise ValueError(f"times is {times!r}; give a number of calls >= 1, or None for every call")
        options = dict(options or {})
        known = {*_OPTIONS.get(kind, ()), *(("message",) if kind in _ERRORS else ())}
        if unknown := sorted(set(options) - known):
            raise ValueError(
                f"fault {kind!r} has no option {unknown[0]!r}; it has {', '.join(sorted(known)) or 'none'}"
            )
        seconds = options.get("seconds", 0)
        if not (_is_number(seconds) and 0 <= seconds <= _LONGEST_SECONDS):
            raise ValueError(
                f"fault {kind!r}: seconds is {seconds!r}; give a number from 0 to {_LONGEST_SECONDS}"
            )
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
        """Return the faults that bend this ListRuns answer, and count them."""
        with self._lock:
            return [fault for fault in self._faults if fault.kind in LIST_FAULTS and self._strikes(fault)]

    def _strikes(self, fault: Fault) -> bool:
        if fault.left == 0 or (fault.rate < 1 and self._random.random() >= fault.rate):
            return False
        if fault.left is not None:
            fault.left -= 1
        fault.used += 1
        return True

    def limit(self, operation: str, per_second: float | None) -> None:
        """Set or lift the rate limit of one operation, or of each (``*``)."""
        checked_operation(operation)
        if per_second is not None and not is_rate(per_second):
            raise ValueError(
                f"per_second is {per_second!r}; give a number above 0, up to {MOST_A_SECOND}, "
                "or None for no limit"
            )
        with self._lock:
            for name in OPERATIONS if operation == "*" else (operation,):
                if per_second is None:
                    self._limits.pop(name, None)
                else:
                    self._limits[name] = RateLimit(per_second)

    def exceeds(self, operation: str, scope: str) -> bool:
        """Count a call against its limit within an account and Region; return whether it is over."""
        limit = self._limits.get(operation)
        if limit is None:
            return False
        with self._lock:
            return not limit.take(scope)


class RateLimit:
    """At most ``per_second`` calls in any second of real time, for each account and Region."""

    def __init__(self, per_second: float) -> None:
        # A rate below one a second is one call in a longer window.
        self.calls = max(1, int(per_second))
        self.window = self.calls / per_second
        self._taken: dict[str, deque[float]] = {}

    def take(self, scope: str) -> bool:
        """Return whether a call fits in now."""
        now = time.monotonic()
        taken = self._taken.setdefault(scope, deque())
        while taken and taken[0] <= now - self.window:
            taken.popleft()
        if len(taken) >= self.calls:
            return False
        taken.append(now)
        return True


def is_rate(value: object) -> bool:
    """Return whether a value can be a limit, in calls a second."""
    return _is_number(value) and 0 < value <= MOST_A_SECOND


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def checked_operation(operation: str) -> str:
    """Return ``operation`` if it is emulated or ``*``.

    :raises ValueError: Naming those that are.
    """
    if operation != "*" and operation not in OPERATIONS:
        raise ValueError(
            f"operation {operation!r} is not emulated; give '*' or one of {', '.join(OPERATIONS)}"
        )
    return operation
