"""What one wait knows of its run or batch, and what each answer or failed call means for it.

Poke mode, reschedule mode and the watcher in the triggerer all feed the same class, so that they cannot
come to different ends. It makes no call, reads no clock and never sleeps: times are handed in, in seconds.
``now`` is wall time, since the epoch, for deadlines. ``tick`` is on a clock that nobody sets, for how long
something has lasted.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Collection
from functools import cache, partial
from typing import Any, Final, Literal, NamedTuple

from airflow_omics._faults import CREDENTIALS_GRACE, NOT_FOUND_GRACE, Fault, backoff
from airflow_omics._identity import CHECK_PLACE, KnownResource, Target
from airflow_omics._monitoring.packed_table import unpacked
from airflow_omics._monitoring.progress_line import LONGEST_LINE, with_tasks
from airflow_omics._monitoring.task_table import TaskTable
from airflow_omics._resource import NotFoundName, Resource
from airflow_omics._waiting.log_lines import LogLines
from airflow_omics._waiting.standstill import Standstill
from airflow_omics._waiting.start_limit import BEFORE_RUNNING, StartLimit
from airflow_omics.exceptions import FaultKind
from airflow_omics.records import RunRecord

log = logging.getLogger(__name__)

DENIED_SECOND_LOOK: Final = 60.0
"""Seconds until the one more look at a run that was readable, and then denied."""

NEVER_REACHED_GRACE: Final = 3600.0
"""Seconds to tolerate that no connection can be made, if none ever was: a certificate or Region is wrong."""

LONGEST_BACKOFF: Final = 300.0
"""Seconds at most between two looks after transient errors, unless the poke interval itself is longer."""

LAST_LOOK_FAILED: Final = " The last look failed: "
"""What stands between a timeout's message and why the last GetRun failed.

``airflow_omics._starting.finish`` splits messages here, also those of events that an earlier version stored.
"""

# Clocks are compared through the Date header, which has whole seconds, and an id is never reused within
# a minute of its run's deletion in any account that has more than a handful of runs.
_CLOCK_MARGIN: Final = 60.0

Outcomes = Literal["terminal", "timeout", "error", "too_many_failures"]
ErrorName = Literal["OmicsAccessError", "OmicsRequestError", "OmicsBatchMembersFailedError"] | NotFoundName


class Ending(NamedTuple):
    """How a wait ended; ``airflow_omics._waiting.ending`` decides how the task ends then.

    :param outcome: ``terminal``, ``timeout`` or ``error``; and ``too_many_failures`` if the counts of a batch
        that goes on say that more of its runs have ended badly than are tolerated.
    :param record: the last record, if one is known.
    :param message: for logs and errors, one sentence.
    :param error: for ``error``, the name of the class in ``airflow_omics.exceptions``. For ``terminal``, the
        same if the task fails although it takes the status for a success.
    :param kind: for ``error``, the kind of fault behind it, if that is not the one its class stands for.
    :param argument: for ``timeout``, the argument that set the limit, if it is not the time that the whole
        wait may take.
    """

    outcome: Outcomes
    record: RunRecord | None
    message: str
    error: ErrorName | None = None
    kind: FaultKind | None = None
    argument: Literal["start_timeout"] | None = None


class Wait:
    """One wait: on which run or batch, which errors are still tolerated, and which log lines are due.

    :param target: the run or batch.
    :param started_at: when the sensor looked first, also if that was in another process.
    :param timeout_at: when the wait must end, after one final look.
    :param terminal_statuses: statuses that end the wait although this package does not know them.
    :param status: the run's status when another process last saw it; only a change of it is logged.
    :param looked_before: whether another process has looked and went on waiting, whatever it saw.
    :param created: when the run was made, by the service's clock, if that is known already.
    :param start_timeout: the seconds that the run may take from its creation until it is RUNNING.
    :param stuck_after: the seconds after which a warning says that nothing has moved in the run.
    """

    # A triggerer holds thousands of these.
    __slots__ = (
        "_began",
        "_credentials_lost_at",
        "_denied_at",
        "_last_fault",
        "_reached",
        "_seen",
        "_service_ahead",
        "_standstill",
        "_start_limit",
        "_status",
        "_tasks",
        "_terminal",
        "_transient_errors",
        "_unknown",
        "_unreached_at",
        "known",
        "lines",
        "started_at",
        "timeout_at",
    )

    def __init__(
        self,
        target: Target,
        *,
        started_at: float,
        timeout_at: float,
        terminal_statuses: Collection[str] = (),
        created: float | None = None,
        status: str | None = None,
        looked_before: bool = False,
        start_timeout: float | None = None,
        stuck_after: float | None = None,
    ) -> None:
        self.started_at = started_at
        self.timeout_at = timeout_at
        self._status = status
        self._seen = status is not None
        self.known = KnownResource(target, created=created, was_read=looked_before or self._seen)
        """What is known of the run."""
        self.lines = LogLines(target)
        """The log lines that are due."""
        self._tasks: TaskTable | bytes | None = None
        self._start_limit = None if start_timeout is None else StartLimit(start_timeout, created)
        self._standstill = None if stuck_after is None else Standstill(stuck_after)
        self._service_ahead: float | None = None  # seconds, of the service's clock ahead of tick
        self._terminal = _terminal_statuses(target.resource, tuple(terminal_statuses))
        self._credentials_lost_at: float | None = None
        self._denied_at: float | None = None
        self._unknown = False
        self._transient_errors = 0
        self._reached = self.known.was_read
        self._unreached_at: float | None = None
        self._last_fault: Fault | None = None
        self._began: float | None = None

    def answered(
        self,
        record: RunRecord,
        now: float,
        tick: float | None = None,
        *,
        clock_skew: float = 0.0,
        stands_in: bool = False,
    ) -> Ending | None:
        """Take GetRun's answer; return how the wait ended, or None to go on.

        :param record: the answer.
        :param now: when it came; ``tick`` likewise, which is ``now`` if it is left out.
        :param clock_skew: seconds by which the service's clock is ahead of ours.
        :param stands_in: whether it came through boto3's own chain of credentials, because the connection
            was not found.
        """
        tick = self._at(now, tick)
        self._reached, self._unreached_at = True, None
        self._note_look(now)
        ahead = now - tick + clock_skew
        verdict, why = self.known.judge(
            record, stands_in=stands_in, may_be_created_at=lambda made: self.may_be_created_at(made, ahead)
        )
        if verdict == "elsewhere":
            return self._without_credentials(Fault(FaultKind.CREDENTIALS, why), now, tick)
        if verdict == "contradiction":
            return Ending("error", self.record, why, "OmicsRequestError")
        if verdict == "another":
            return self._deleted(why)
        self._credentials_lost_at = self._denied_at = self._last_fault = None
        self._transient_errors, self._unknown = 0, False
        self.known.note(record)
        self._seen, self._service_ahead = True, ahead
        if self.is_over(record):
            return Ending("terminal", record, self._resource.sentence(record))
        ending = self._went_on(record, now, tick) or self._not_started(record, now, clock_skew)
        return ending or self.timed_out(now)

    def _went_on(self, record: RunRecord, now: float, tick: float) -> Ending | None:
        """Note a status in which nothing has ended; return what ends the wait nevertheless, or None."""
        self._note_status(record["status"], now, tick)
        return None

    def is_over(self, record: RunRecord) -> bool:
        """Return whether the record's status is one in which a run stays."""
        return record.get("status") in self._terminal

    def failed(self, fault: Fault, now: float, tick: float | None = None) -> Ending | None:
        """Take a call that failed; return how the wait ended, or None to go on.

        :param fault: what the call met.
        :param now: when that was; ``tick`` likewise, which is ``now`` if it is left out.
        """
        tick = self._at(now, tick)
        self._note_look(now)
        self._last_fault = fault
        if not fault.no_connection and fault.kind is not FaultKind.CREDENTIALS:
            self._reached, self._unreached_at = True, None
        if fault.kind is FaultKind.NOT_FOUND:
            return self._not_found(fault, now, tick)
        if fault.kind is FaultKind.CREDENTIALS:
            return self._without_credentials(fault, now, tick)
        if fault.kind is FaultKind.DENIED:
            return self._denied(fault, now, tick)
        if fault.kind is FaultKind.REFUSED:
            return Ending("error", self.record, self._about(fault.message), "OmicsRequestError")
        if fault.no_connection and (ending := self._unreached(fault, tick)):
            return ending
        self._transient_errors += 1
        self.lines.add_error("transient", f"still waiting: {fault.message}", tick)
        return self.timed_out(now)

    def timed_out(self, now: float) -> Ending | None:
        """Return the ending from ``timeout_at`` on, None before."""
        if now < self.timeout_at:
            return None
        waited = f"after {max(0.0, now - self.started_at):.0f} s"
        if not self._seen:
            message = self._about(f"never read {waited}, the sensor's timeout.")
        elif self.record is not None and self._last_fault is None:
            message = f"{self._resource.describe(self.record)} {waited}, the sensor's timeout."
        else:
            known: RunRecord = {"id": self.target.id, "status": str(self._status)}
            state = self._resource.describe(self.record or known, last_seen=True)
            message = f"{state}; it could not be read {waited}, the sensor's timeout."
        if self._last_fault is not None:
            message += LAST_LOOK_FAILED + self._last_fault.message
        return Ending("timeout", self.record, message)

    def _not_started(self, record: RunRecord, now: float, clock_skew: float) -> Ending | None:
        """Return the ending of a run that has taken longer to be RUNNING than ``start_timeout``."""
        message = self._start_limit and self._start_limit.judge(record, now, clock_skew)
        return Ending("timeout", record, message, argument="start_timeout") if message else None

    def _note_look(self, now: float) -> None:
        if self._start_limit is not None:
            self._start_limit.passed(now)

    @property
    def deadline(self) -> float:
        """When the next look is due at the latest, in wall time: one that may find a limit exceeded."""
        limit = self._start_limit
        if limit is None or limit.look_at is None or self._status not in (None, *BEFORE_RUNNING):
            return self.timeout_at
        return min(self.timeout_at, limit.look_at)

    def listed(self, status: str, now: float, tick: float | None = None) -> None:
        """Note that a list of active runs held the run, in ``status``; only a GetRun can end a wait."""
        self._reached, self._unreached_at = True, None
        self._note_status(status, now, self._at(now, tick))

    def tasks_listed(
        self, tasks: TaskTable, now: float, tick: float | None = None, *, period: float | None = None
    ) -> None:
        """Note the run's tasks, while it goes on; lines may be due after that.

        :param period: seconds in which a process before this one may have listed them last, if each look is
            a process of its own.
        """
        self._tasks = tasks
        if self._standstill is None or self.record is None or self._status is None:
            return
        try:
            periods = () if period is None else (period,)
            for level, text in self._standstill.judge(tasks, self.record, self._status, *periods):
                self.lines.add(level, text)
        except Exception as error:  # a mistake of ours, in what only informs
            log.debug("Whether anything moves in %s is not known", self.target, exc_info=error)

    @property
    def tasks(self) -> TaskTable | None:
        """The run's tasks, as they were listed last."""
        return unpacked(self._tasks) if isinstance(self._tasks, bytes) else self._tasks

    def keep_tasks(self, data: bytes) -> None:
        """Keep what :func:`packed` made of the run's tasks in their place: a process may have many waits."""
        self._tasks = data

    @property
    def stuck_since(self) -> float | None:
        """When something moved last in the run, if that is more than ``stuck_after`` ago; else None.

        In seconds since the epoch, by the service's clock.
        """
        return None if self._standstill is None else self._standstill.since

    def may_be_created_at(self, created: float, ahead: float | None = None) -> bool:
        """Return whether a run made at ``created``, by the service's clock, can be the one we were given.

        Whoever was given a run's id was given it after the run was made.

        :param ahead: seconds by which the service's clock is ahead of ``tick``; without it, the clocks are
            assumed to agree.
        """
        # Our wall clock may have been set since the first look.
        began = self.started_at if ahead is None or self._began is None else self._began + ahead
        return created <= began + _CLOCK_MARGIN

    def pause(self, interval: float, now: float, rand: Callable[[], float] = random.random) -> float:
        """Return the seconds until the next look, never past ``deadline``.

        :param interval: the sensor's poke interval, used as it is while calls succeed. With each transient
            error in a row the pause doubles, up to five minutes. It has jitter, so that sensors whose calls
            failed together do not all call again together.
        :param rand: a random number in [0, 1).
        """
        pause = interval
        if self._denied_at is not None:
            pause = DENIED_SECOND_LOOK
        elif self._transient_errors:
            # From half of it to all of it, and so never sooner than after a good answer.
            longest = max(2.0 * interval, LONGEST_BACKOFF)
            pause = backoff(self._transient_errors + 1, rand, first=max(interval, 1.0), longest=longest)
        return max(0.0, min(pause, self.deadline - now))

    @property
    def target(self) -> Target:
        """The run, as it was given."""
        return self.known.target

    @property
    def _resource(self) -> Resource:
        return self.target.resource

    @property
    def record(self) -> RunRecord | None:
        """The run's last record."""
        return self.known.record

    def for_trigger(self) -> dict[str, Any]:
        """Return the wait as plain JSON, by the names that the constructors of triggers have."""
        known: RunRecord = self.record or {}
        return {
            self._resource.argument: self.known.identity(),
            "started_at": self.started_at,
            "timeout_at": self.timeout_at,
            "created": self.known.created,
            "status": known.get("status"),
        }

    @property
    def needs_memory(self) -> bool:
        """Whether the next look must come from this process, which has begun to tolerate an error."""
        return self.wants_fresh_client or self._unreached_at is not None

    @property
    def wants_fresh_client(self) -> bool:
        """Whether the next look should read the connection again: credentials failed, or were denied."""
        return self._credentials_lost_at is not None or self._denied_at is not None

    def _at(self, now: float, tick: float | None) -> float:
        """Return the tick for ``now``; at the first call, begin to count by it."""
        if tick is None:
            tick = now
        if self._began is None:
            # Another machine's clock may have been ahead when it looked first. One that was behind counts as
            # an earlier look: the docs ask for clocks that agree within a minute.
            self._began = tick - max(0.0, now - self.started_at)
            self.lines.status_logged_at = self._began
        return tick

    def _deleted(self, why: str) -> Ending:
        self.known.record = self.known.deleted()
        return Ending("terminal", self.record, f"{self.target} was deleted: {why}.")

    def _not_found(self, fault: Fault, now: float, tick: float) -> Ending | None:
        self._transient_errors = 0
        if fault.doubt and self.known.was_read:
            return self._without_credentials(fault, now, tick)
        self._credentials_lost_at = None  # the service answered
        assert self._began is not None
        if tick - self._began < NOT_FOUND_GRACE:
            if not self._unknown:
                self._unknown = True
                self._say_unknown()
            return self.timed_out(now)
        if self._seen:
            return self._deleted("HealthOmics does not know it any more")
        message = self._about(f"deleted, or never existed in this account and Region ({fault.message})")
        return Ending("error", None, message, self._resource.not_found)

    def _say_unknown(self) -> None:
        text = "HealthOmics does not know it"
        if self._seen:
            text += f" any more; it was {self._status} when last seen"
        elif not self.known.was_read:  # another process that looked before may have read the run
            text += " yet"
        self.lines.add(logging.INFO, text)

    def _without_credentials(self, fault: Fault, now: float, tick: float) -> Ending | None:
        """Tolerate for a while that credentials don't work, or are those of another account."""
        self._last_fault = fault
        if self._credentials_lost_at is None:
            self._credentials_lost_at = tick
        if tick - self._credentials_lost_at < CREDENTIALS_GRACE:
            said = f"{fault.message}; {fault.doubt}" if fault.doubt else fault.message
            self.lines.add_error("credentials", f"trying fresh credentials: {said}", tick)
            return self.timed_out(now)
        if not fault.doubt:
            message = self._about(f"no credentials worked for 5 minutes: {fault.message}")
        elif fault.kind is FaultKind.NOT_FOUND and not self._seen:
            message = self._about(
                f"deleted, or never existed in this account and Region ({fault.message}); {fault.doubt}"
            )
            return Ending("error", None, message, self._resource.not_found, FaultKind.NOT_FOUND)
        else:
            message = self._about(
                f"for 5 minutes, nothing has shown that the answer is about the {self._resource.noun}'s own "
                f"account: {fault.message}; {fault.doubt}. {CHECK_PLACE}"
            )
        return Ending("error", self.record, message, "OmicsAccessError", FaultKind.CREDENTIALS)

    def _denied(self, fault: Fault, now: float, tick: float) -> Ending | None:
        if fault.doubt and self.known.was_read:
            return self._without_credentials(fault, now, tick)
        looked_again = self._denied_at is not None and tick - self._denied_at >= DENIED_SECOND_LOOK
        if looked_again or not self.known.was_read:
            noun = self._resource.noun
            hint = f" It was readable before; a policy scoped by tag answers so once the {noun} is deleted."
            message = self._about(fault.message + (hint if self._seen else ""))
            return Ending("error", self.record, message, "OmicsAccessError")
        if self._denied_at is None:
            self._denied_at = tick
            self.lines.add_error("denied", f"looking once more: {fault.message}", tick)
        return self.timed_out(now)

    def _unreached(self, fault: Fault, tick: float) -> Ending | None:
        """Tolerate for an hour that no connection can be made, if none ever was.

        In reschedule mode one process goes on looking meanwhile: if another follows it, something has
        answered.
        """
        if self._reached:
            return None
        if self._unreached_at is None:
            self._unreached_at = tick
        if tick - self._unreached_at < NEVER_REACHED_GRACE:
            return None
        message = self._about(
            f"no connection could be made for an hour, and none was ever made ({fault.message}). Check "
            "region_name (HealthOmics is not in every Region), endpoint_url, verify, and the network."
        )
        return Ending("error", None, message, "OmicsRequestError")

    def _note_status(self, status: str, now: float, tick: float) -> None:
        before, self._status = self._status, status
        waited = max(0.0, now - self.started_at)
        by_service = now if self._service_ahead is None else tick + self._service_ahead
        more = partial(self._with_tasks, status, before, by_service)
        self.lines.add_status(before, status, tick, waited, more)

    def _with_tasks(self, status: str, before: str | None, now: float, text: str, taken: int) -> str:
        """Return the text of a line about the status with the run's tasks, as they were listed last.

        :param taken: the length of what stands before the text.
        """
        return with_tasks(
            text,
            status=status,
            before=before,
            record=self.record or {},
            tasks=self.tasks,
            now=now,
            room=LONGEST_LINE - taken,
        )

    def _about(self, text: str) -> str:
        return self._resource.about(self.target.id, text)


@cache
def _terminal_statuses(resource: Resource, named: tuple[str, ...]) -> frozenset[str]:
    return frozenset((*resource.terminal, *named))
