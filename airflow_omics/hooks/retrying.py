"""Retries transient errors in a worker: throttling, errors inside the service, the network, credentials."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from airflow_omics import _clock
from airflow_omics._faults import fault_error
from airflow_omics.exceptions import FaultKind

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsHook

LONGEST_BACKOFF: Final = 60.0
"""Seconds at most between two tries."""

CREDENTIALS_GRACE: Final = 300.0
"""Seconds for which credentials, or the Airflow connection, may be unusable."""

T = TypeVar("T")


def backoff(failures: int, rand: Callable[[], float] = random.random) -> float:
    """Return the seconds to wait after so many failures in a row, from half to all of 1, 2, 4, ... 60.

    :param failures: 1 or more.
    :param rand: a random number in [0, 1). Tasks that were thrown back together must not come back together.
    """
    grown: float = min(LONGEST_BACKOFF, 2.0 ** min(failures - 1, 10))
    return grown * (0.5 + rand() / 2)


def patiently(call: Callable[[], T], *, hook: OmicsHook, run_id: str, seconds: float, log: Any) -> T:
    """Return what ``call`` returns, retrying for a while after transient errors and lost credentials.

    Credentials that do not work, and a connection that Airflow cannot read, are tolerated for
    ``CREDENTIALS_GRACE``, whatever ``seconds`` is; each retry reads the connection anew.

    :param call: a call to HealthOmics.
    :param hook: makes the call.
    :param run_id: the run it is about, for logs and errors.
    :param seconds: for how long to tolerate transient errors; then the last is raised as it came.
    :param log: takes a line when errors set in.
    :raises OmicsRunNotFoundError: HealthOmics does not know the run.
    :raises OmicsAccessError: AWS denied the call, or no credentials worked for five minutes.
    :raises OmicsRequestError: AWS refused a value.
    """
    from airflow_omics.hooks import fault_of

    started_at, failures = _clock.monotonic(), 0
    lost_at: float | None = None
    while True:
        try:
            return call()
        except Exception as error:
            fault = fault_of(error, hook)
            if fault is None:
                raise
            now = _clock.monotonic()
            if fault.kind is FaultKind.CREDENTIALS:
                lost_at = now if lost_at is None else lost_at
                if now - lost_at >= CREDENTIALS_GRACE:
                    raise fault_error(fault, run_id) from error
                hook.forget()
            elif fault.kind is not FaultKind.TRANSIENT:
                raise fault_error(fault, run_id) from error
            elif now - started_at >= seconds:
                raise
            else:
                lost_at = None
            failures += 1
            if failures.bit_count() == 1:  # the 1st, 2nd, 4th, ... in a row
                log.warning("HealthOmics run %s: trying again: %s", run_id, fault.message)
        _clock.sleep(backoff(failures))
