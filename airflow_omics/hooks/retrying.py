"""Retries a call in a worker: which errors, for how long each kind, and when the connection is read again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_omics import _clock
from airflow_omics._faults import CREDENTIALS_GRACE, TRANSIENT_GRACE, Fault, backoff, fault_error
from airflow_omics._identity import Target
from airflow_omics.exceptions import FaultKind
from airflow_omics.hooks.faults import fault_of

if TYPE_CHECKING:
    from airflow_omics.hooks.named import NamedConnectionHook

T = TypeVar("T")


class Retries:
    """The retries of one call.

    Each kind of error that may pass has its own time, which counts from the first error of that kind:

    - throttling: ``throttled`` seconds. Only an answer restarts this time.
    - other transient errors: ``transient`` seconds. Throttling restarts this time, since it shows that the
      service can be reached.
    - credentials that do not work, or a connection that Airflow cannot read: ``CREDENTIALS_GRACE``. An error
      of another kind restarts this time. Each retry after such an error reads the connection again.

    The pause between two tries grows, with jitter. Every other error is final.

    :param hook: returns the hook that makes the call, or None before there is one.
    :param log: takes a warning at the 1st, 2nd, 4th, 8th, ... error.
    :param target: the run or batch that the call is about, for logs and errors; None for none.
    :param transient: seconds for which transient errors other than throttling are tolerated.
    :param throttled: the same for throttling; None for ``transient``.
    :param keeps_transient: whether the last transient error is raised as it came. Airflow retries the task,
        and people know botocore's text. If not, it is raised as an ``OmicsError``.
    :param until: when nothing is retried any more, in seconds of ``_clock.monotonic``.
    """

    def __init__(
        self,
        hook: Callable[[], NamedConnectionHook | None],
        log: Any,
        *,
        target: Target | None = None,
        transient: float = TRANSIENT_GRACE,
        throttled: float | None = None,
        keeps_transient: bool = False,
        until: float = float("inf"),
    ) -> None:
        self._hook = hook
        self._log = log
        self._target = target
        self._transient = transient
        self._throttled = transient if throttled is None else throttled
        self._keeps_transient = keeps_transient
        self._until = until
        self.answered()

    def call(self, call: Callable[[], T]) -> T:
        """Return what ``call`` returns, tried again as long as its errors are tolerated.

        :raises OmicsRunNotFoundError: HealthOmics does not know the run (OmicsBatchNotFoundError: the batch).
        :raises OmicsAccessError: AWS denied the call, or no credentials worked for five minutes.
        :raises OmicsRequestError: AWS refused a value.
        :raises OmicsError: transient errors lasted too long, unless ``keeps_transient`` is set.
        """
        while True:
            try:
                return call()
            except Exception as error:
                fault = fault_of(error, self._hook())
                if fault is None:
                    raise
                self.wait(fault, error)

    def wait(self, fault: Fault, error: Exception) -> None:
        """Sleep before the next try, or raise if the fault is final or has lasted too long.

        It is for a caller that does more than sleep between two tries.

        :param error: what the call raised.
        """
        if not self._tolerates(fault):
            if self._keeps_transient and fault.kind is FaultKind.TRANSIENT:
                raise error
            raise fault_error(fault, self._target) from error
        if fault.kind is FaultKind.CREDENTIALS and (hook := self._hook()) is not None:
            hook.forget()
        self._failures += 1
        if self._failures.bit_count() == 1:
            about = "" if self._target is None else f"{self._target}: "
            self._log.warning("%strying again: %s", about, fault.message)
        _clock.sleep(min(backoff(self._failures), max(0.0, self._until - _clock.monotonic())))

    def answered(self) -> None:
        """Note that AWS has answered: earlier errors do not count any more."""
        self._failures = 0
        # When the first error of each kind came.
        self._throttled_at: float | None = None
        self._failed_at: float | None = None
        self._lost_at: float | None = None

    def _tolerates(self, fault: Fault) -> bool:
        now = _clock.monotonic()
        if now >= self._until:
            return False
        if fault.kind is FaultKind.CREDENTIALS:
            self._lost_at = now if self._lost_at is None else self._lost_at
            return now - self._lost_at < CREDENTIALS_GRACE
        self._lost_at = None
        if fault.kind is not FaultKind.TRANSIENT:
            return False
        if fault.throttled:
            self._failed_at = None
            self._throttled_at = now if self._throttled_at is None else self._throttled_at
            return now - self._throttled_at < self._throttled
        self._failed_at = now if self._failed_at is None else self._failed_at
        return now - self._failed_at < self._transient


def with_retries(
    call: Callable[[], T],
    *,
    hook: NamedConnectionHook,
    target: Target,
    transient: float = TRANSIENT_GRACE,
    log: Any,
) -> T:
    """Return what ``call`` returns; see :class:`Retries`. The last transient error is raised as it came.

    :param call: a call to HealthOmics.
    :param hook: makes the call.
    :param target: the run or batch it is about.
    :param transient: seconds for which transient errors are tolerated; 0 leaves them to Airflow.
    :param log: takes a warning now and then.
    """
    retries = Retries(lambda: hook, log, target=target, transient=transient, keeps_transient=True)
    return retries.call(call)
