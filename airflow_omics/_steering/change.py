"""Ask HealthOmics to change a run or batch, and confirm that it did: what cancelling and deleting share.

:class:`Change` decides what each answer or failed call means. It makes no call, reads no clock and never
sleeps, so that a worker (:func:`apply_change`) and an event loop can both drive it: make the call that
``step`` names, hand over its answer or fault, and unless there is a ``result`` or an ``error``, go on after
``pause``.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_omics import _clock
from airflow_omics._faults import CREDENTIALS_GRACE, Fault, backoff, fault_error, named
from airflow_omics._identity import KnownResource, Target
from airflow_omics._waiting.log_lines import LogLines
from airflow_omics._waiting.poller import until_over
from airflow_omics.exceptions import FaultKind, OmicsError, OmicsRequestError
from airflow_omics.records import RunRecord

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsHook


class Change:
    """One change of one run or batch: which, how long to try, and the result so far.

    It is read before each request to change it, so that another run which has our run's id is never touched.

    :param target: the run or batch; with its ``uuid``, if that is known.
    :param started_at: now, in seconds on any clock; all other times are on the same clock.
    :param within: seconds for all of it; None for no limit.
    :param poke_interval: seconds between two looks while the change is under way.
    :param not_found_grace: seconds for which a run may be unknown, as a run that has just started may be.
    """

    operation: ClassVar[str]
    """The operation that asks for the change, as AWS calls it."""
    method: ClassVar[str]
    """The same, as a method of the hook and of the async client; it takes the id."""
    doing: ClassVar[str]
    """What is being done, for logs and errors."""

    def __init__(
        self,
        target: Target,
        *,
        started_at: float,
        within: float | None = None,
        poke_interval: float = 30.0,
        not_found_grace: float = 0.0,
    ) -> None:
        self.known = KnownResource(target)
        """What is known of the run."""
        self.lines = LogLines(target)
        """The log lines that are due."""
        self.step: Literal["read", "ask"] = "read"
        """The call to make next: the one that reads, or the one that asks."""
        self.asked = False
        """Whether HealthOmics has accepted the request."""
        self.result: RunRecord | None = None
        """The last record, once the change is made."""
        self.error: OmicsError | None = None
        """Why it cannot be done."""
        self._started_at = started_at
        self._deadline = float("inf") if within is None else started_at + within
        self._poke_interval = poke_interval
        self._not_found_grace = not_found_grace
        self._pause = 0.0
        self._failures = 0
        self._refusal: Fault | None = None
        self._last_fault: Fault | None = None
        self._credentials_lost_at: float | None = None

    @property
    def target(self) -> Target:
        """The run, as it was given."""
        return self.known.target

    @property
    def record(self) -> RunRecord | None:
        """The run as last read."""
        return self.known.record

    @property
    def wants_fresh_client(self) -> bool:
        """Whether the next call should read the connection again: credentials failed, or are another's."""
        return self._credentials_lost_at is not None

    @property
    def is_known(self) -> bool:
        """Whether somebody has read the run before, so that "not found" would mean that it was deleted."""
        return self.record is not None or self.asked or self.target.uuid is not None

    # -- the answer or fault of a call -----------------------------------------------------------------------

    def answered(self, record: RunRecord, now: float) -> None:
        """Take GetRun's answer."""
        verdict, why = self.known.judge(record)
        if verdict == "elsewhere":
            self.failed(Fault(FaultKind.CREDENTIALS, why), now)
            return
        self._credentials_lost_at = None
        if verdict == "contradiction":
            self.error = OmicsRequestError(why, **self._named)
            return
        if verdict == "another":
            self._gone(why)
            return
        self.known.note(record)
        if self.asked:
            self._failures, self._last_fault = 0, None
        if self._has_come_about(record):
            self.result = record
        elif self.asked or self._must_wait(record):
            self._go_on(now, self._poke_interval)
        elif objection := self._objection(record):
            message = f"{self._described(record)}; {objection}"
            self.error = OmicsRequestError(message, **self._named, record=record)
        elif self._refusal is not None:
            self._was_refused(self._refusal, record, now)
        else:
            self.step, self._pause = "ask", 0.0

    def accepted(self, now: float) -> None:
        """Note that HealthOmics has accepted the request."""
        self.asked = True
        self._failures, self._credentials_lost_at, self._last_fault = 0, None, None
        self.lines.add(logging.INFO, f"{self.operation} was accepted")
        self._go_on(now, self._poke_interval)

    def failed(self, fault: Fault, now: float) -> None:
        """Take a call that failed; after each the run is read again, since it may have taken effect."""
        self._last_fault = fault
        if fault.kind is FaultKind.NOT_FOUND and self.step == "read":
            self._not_found(fault, now)
        elif fault.kind is FaultKind.REFUSED and self.step == "ask":
            # Perhaps the run has ended or is gone since it was read: the next look decides.
            self._refusal = fault
            self._try_again(now)
        elif fault.kind is FaultKind.DENIED:
            self._denied(fault)
        elif fault.kind is FaultKind.REFUSED:
            self._fail(fault)
        elif fault.kind is FaultKind.CREDENTIALS:
            self._without_credentials(fault, now)
        else:
            self._credentials_lost_at = None
            self._try_again(now)

    def pause(self, now: float, rand: Callable[[], float] = random.random) -> float:
        """Return the seconds until the next call, never past the deadline.

        :param rand: a random number in [0, 1).
        """
        seconds = backoff(self._failures, rand) if self._failures and self.step == "read" else self._pause
        return max(0.0, min(seconds, self._deadline - now))

    # -- what cancelling and deleting judge differently ------------------------------------------------------

    def _has_come_about(self, record: RunRecord) -> bool:
        """Return whether the change is made."""
        raise NotImplementedError

    def _objection(self, record: RunRecord) -> str | None:
        """Return why the change must not even be asked for, or None."""
        return None

    def _must_wait(self, record: RunRecord) -> bool:
        """Return whether the change cannot be asked for now: it is under way already, or comes too early."""
        return False

    def _never_seen(self, fault: Fault) -> None:
        """Note that HealthOmics does not know it, and nobody has read it before."""
        raise NotImplementedError

    def _denied(self, fault: Fault) -> None:
        self._fail(fault)

    def _was_refused(self, refusal: Fault, record: RunRecord, now: float) -> None:
        self._fail(refusal)

    # -- the rest --------------------------------------------------------------------------------------------

    def _not_found(self, fault: Fault, now: float) -> None:
        self._credentials_lost_at = None
        if self.record is not None or self.asked:
            self._gone("HealthOmics does not know it any more")
        elif now - self._started_at < self._not_found_grace:
            self.lines.add(logging.INFO, "HealthOmics does not know it yet")
            self._failures = 0
            left = self._started_at + self._not_found_grace - now
            self._go_on(now, min(self._poke_interval, left))
        elif self.target.uuid:
            self._gone("HealthOmics does not know it any more")
        else:
            self._never_seen(fault)

    def _gone(self, why: str) -> None:
        self.lines.add(logging.INFO, f"deleted: {why}")
        self.result = self.known.deleted()

    def _without_credentials(self, fault: Fault, now: float) -> None:
        if self._credentials_lost_at is None:
            self._credentials_lost_at = now
        if now - self._credentials_lost_at >= CREDENTIALS_GRACE:
            self._fail(fault)
        else:
            self._try_again(now)

    def _try_again(self, now: float) -> None:
        self._failures += 1
        if (
            self._failures.bit_count() == 1 and self._last_fault is not None
        ):  # the 1st, 2nd, 4th, ... in a row
            self.lines.add(logging.WARNING, f"still {self.doing} it: {self._last_fault.message}")
        self._go_on(now, self._poke_interval)

    def _go_on(self, now: float, pause: float) -> None:
        self.step, self._pause = "read", pause
        if now < self._deadline:
            return
        state = self._described(self.record) if self.record else f"{self.target} was never read"
        accepted = f"{self.operation} was {'accepted' if self.asked else 'never accepted'}"
        message = f"{state} after {now - self._started_at:.0f} s of {self.doing} it; {accepted}."
        if self._last_fault is not None:
            message += f" The last call failed: {self._last_fault.message}"
        self.error = OmicsError(message, **self._named, record=self.record)

    @property
    def _named(self) -> dict[str, Any]:
        return dict(named(self.target))

    def _described(self, record: RunRecord) -> str:
        return self.target.resource.describe(record)

    def _fail(self, fault: Fault) -> None:
        self.error = fault_error(fault, self.target, self.record)


def judged(fault: Fault) -> Fault:
    """Return the fault; if its answer may be about another account, as one of lost credentials."""
    if not fault.doubt:
        return fault
    return fault._replace(kind=FaultKind.CREDENTIALS, message=f"{fault.message}; {fault.doubt}")


class _Worker:
    """Makes the calls that a change needs, in this thread.

    :param change: what to ask; its times are those of ``_clock.monotonic``.
    :param make_hook: makes a hook; called again after credentials failed, to read the connection again.
    :param log: takes the log lines.
    :param seen: is called with each record read of the run itself.
    :param turn: waits until the next call may be made.
    """

    def __init__(
        self,
        change: Change,
        make_hook: Callable[[], OmicsHook],
        log: Any,
        seen: Callable[[RunRecord], object] | None,
        turn: Callable[[], object],
    ) -> None:
        self._turn = turn
        self._change = change
        self._make_hook = make_hook
        self._log = log
        self._seen = seen
        self._hook: OmicsHook | None = None
        self._replaces = False

    def step(self) -> RunRecord | None:
        """Make the next call; return the run's last record once the change is made."""
        change, cause = self._change, None
        try:
            self._call()
        except Exception as error:
            cause = error
            self._failed(error)
        if change.wants_fresh_client:
            # What made a new client necessary may have changed whose it is.
            self._hook, self._replaces = None, self._replaces or self._hook is not None
        change.lines.write(self._log)
        if change.error is not None:
            raise change.error from cause
        return change.result

    def pause(self) -> None:
        """Sleep until the next call is due."""
        _clock.sleep(self._change.pause(_clock.monotonic()))

    def _call(self) -> None:
        self._turn()
        change, hook = self._change, self._hook
        if hook is None:
            hook = self._hook = self._make_hook()
            hook.replaces = self._replaces
        if change.step == "read":
            record: RunRecord = getattr(hook, change.target.resource.method)(change.target.id)
            change.answered(record, _clock.monotonic())
            if self._seen is not None and change.record is record:
                self._seen(record)
        else:
            getattr(hook, change.method)(change.target.id)
            change.accepted(_clock.monotonic())

    def _failed(self, error: Exception) -> None:
        from airflow_omics.hooks.faults import fault_of, weighed

        fault = fault_of(error, self._hook)
        if fault is None:
            raise error
        if self._hook is not None and self._change.is_known:
            fault = judged(weighed(fault, self._hook, self._change.known.home))
        self._change.failed(fault, _clock.monotonic())


def apply_change(
    change: Change,
    make_hook: Callable[[], OmicsHook],
    *,
    log: Any,
    seen: Callable[[RunRecord], object] | None = None,
    turn: Callable[[], object] = lambda: None,
) -> RunRecord:
    """Make the calls that a change needs, in this thread, and return the run's last record.

    :param change: what to ask; its times are those of ``_clock.monotonic``.
    :param make_hook: makes a hook; called again after credentials failed, to read the connection again.
    :param log: takes the log lines.
    :param seen: is called with each record read of the run itself.
    :param turn: waits until the next call may be made.
    :raises OmicsError: why it could not be done.
    """
    worker = _Worker(change, make_hook, log, seen, turn)
    return until_over(worker.step, worker.pause)
