"""The calls that a starting task makes in its worker, and for how long each is repeated."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from airflow_omics import _clock
from airflow_omics._faults import Fault
from airflow_omics.exceptions import (
    FaultKind,
    OmicsAccessError,
    OmicsError,
    OmicsRequestError,
    OmicsRunNotFoundError,
)
from airflow_omics.hooks import fault_of
from airflow_omics.hooks.retrying import backoff

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsHook

THROTTLED_PATIENCE: Final = 7200.0
"""Seconds for which throttling is waited out: at the smallest default quota, 0.1 a second, 720 starts."""

PATIENCE: Final = 300.0
"""Seconds for which network errors, errors inside AWS and unusable credentials are waited out."""

_NEWS_EVERY: Final = 600.0
T = TypeVar("T")


class Calls:
    """A hook, made anew after its credentials failed, and the repetition of what it is asked for.

    :param make_hook: makes a hook.
    :param log: the task's logger.
    """

    def __init__(self, make_hook: Callable[[], OmicsHook], log: Any) -> None:
        self._make_hook = make_hook
        self._log = log
        self._hook: OmicsHook | None = None

    @property
    def hook(self) -> OmicsHook:
        """The hook that the calls are made with."""
        if self._hook is None:
            self._hook = self._make_hook()
        return self._hook

    @property
    def at_hand(self) -> OmicsHook | None:
        """The hook of the last call, if there is one."""
        return self._hook

    def repeat(self, call: Callable[[OmicsHook], T], operation: str) -> T:
        """Return what ``call`` returns, repeated while what it meets may pass.

        :param operation: as AWS calls it.
        :raises OmicsError: what it met does not pass, or did not within its time.
        """
        repetition = self.repetition(operation)
        while True:
            try:
                return call(self.hook)
            except Exception as error:
                fault = fault_of(error)
                if fault is None:
                    raise
                repetition.wait_out(fault, error)

    def repetition(self, operation: str) -> Repetition:
        """Return the repetition of one call, for a caller that has more to do between two tries."""
        return Repetition(operation, self._renew, self._log)

    def _renew(self) -> None:
        self._hook = None


class Repetition:
    """How long one call is repeated, and when that is said.

    :param renew: has the Airflow connection read anew.
    """

    def __init__(self, operation: str, renew: Callable[[], None], log: Any) -> None:
        self._operation = operation
        self._renew = renew
        self._log = log
        self._began = _clock.monotonic()
        self._tries = 0
        self._said_at = -math.inf

    def wait_out(self, fault: Fault, error: Exception) -> None:
        """Sleep before the next try, or raise if this fault does not pass or has lasted too long."""
        now = _clock.monotonic()
        passes = fault.kind in (FaultKind.TRANSIENT, FaultKind.CREDENTIALS)
        longest = THROTTLED_PATIENCE if fault.throttled else PATIENCE
        if not passes or now - self._began > longest:
            raise error_of(fault, self._operation) from error
        if now - self._said_at >= _NEWS_EVERY:
            self._said_at = now
            self._log.info("%s is repeated until it passes: %s", self._operation, fault.message)
        self._tries += 1
        _clock.sleep(backoff(self._tries))
        if fault.kind is FaultKind.CREDENTIALS:
            self._renew()


def error_of(fault: Fault, operation: str) -> OmicsError:
    """Return the error for a call that is not repeated any more."""
    classes: dict[FaultKind, type[OmicsError]] = {
        FaultKind.DENIED: OmicsAccessError,
        FaultKind.CREDENTIALS: OmicsAccessError,
        FaultKind.REFUSED: OmicsRequestError,
        FaultKind.NOT_FOUND: OmicsRunNotFoundError if operation == "GetRun" else OmicsRequestError,
    }
    error_class = classes.get(fault.kind, OmicsError)
    # What a request names is not there: the same request is refused again.
    refused = fault.kind is FaultKind.NOT_FOUND and error_class is OmicsRequestError
    return error_class(fault.message, kind=FaultKind.REFUSED if refused else fault.kind)


def kind_behind(error: BaseException) -> FaultKind | None:
    """Return the kind of fault that an error of ours was raised from, or None."""
    fault = fault_of(error.__cause__) if error.__cause__ else None
    return None if fault is None else fault.kind
