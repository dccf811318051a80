"""What a worker leaves in XCom of a run or batch, for people: ``omics_run`` and ``omics_tasks``.

Both are for the pages in Airflow's UI. They are stored whatever ``do_xcom_push`` says, which is about what a
task hands to others. Whatever goes wrong here is a debug line: the task waits and ends as it would have.
"""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from airflow_omics import _clock
from airflow_omics._compat import AirflowTaskTimeout, has_pages
from airflow_omics._monitoring.option import progress_is_on
from airflow_omics._monitoring.snapshot import RUN_KEY, batch_snapshot, run_snapshot
from airflow_omics._monitoring.task_table import TASKS_KEY, TaskTable, epoch
from airflow_omics._resource import RUN
from airflow_omics._task.ended_tasks import SECONDS, ended_tasks, has_tasks
from airflow_omics.exceptions import OmicsError
from airflow_omics.records import ACTIVE_STATUSES, RunRecord

if TYPE_CHECKING:
    from airflow_omics._waiting.wait import Wait
    from airflow_omics.diagnosis import Diagnosis
    from airflow_omics.failures import Failure
    from airflow_omics.hooks import OmicsHook

R = TypeVar("R")

log = logging.getLogger(__name__)

_ENDS = ("stopTime", "processedTime", "failedTime")


def are_wanted() -> bool:
    """Return whether tasks leave snapshots: this Airflow can show them, and ``[omics] progress`` is on."""
    return has_pages() and progress_is_on()


class Snapshots:
    """What one process of a task leaves of its run or batch. No method raises.

    :param task: the operator or sensor; its ``record_fields`` say what of a record may reach XCom.
    :param context: the task's context; without a task instance nothing is left.
    :param make_hook: makes a hook that reaches what a record is of, if none is at hand.
    """

    def __init__(
        self, task: Any, context: Mapping[str, Any], make_hook: Callable[[RunRecord], OmicsHook]
    ) -> None:
        self._ti: Any = context.get("ti") if are_wanted() else None
        self._resource = task.resource
        self._fields = task.record_fields
        self._execution_timeout = task.execution_timeout
        self._waits = getattr(task, "wait_for_completion", True)
        self._make_hook = make_hook
        self._began = _clock.monotonic()
        self._record: RunRecord | None = None
        self._hook: OmicsHook | None = None
        self._skew: float | None = None
        self._tasks: TaskTable | None = None
        self._stuck_since: float | None = None
        self._last: dict[str, Any] = {}

    def note(self, record: RunRecord | None, hook: OmicsHook | None = None) -> None:
        """Take a record that was read; nothing is left yet.

        :param record: None if nothing is known.
        :param hook: what read it, which knows the service's clock.
        """
        if record is None:
            return
        before, self._record = self._record, record
        if hook is not None:
            self._hook, self._skew = hook, hook.clock_skew
        if before is not None and before.get("id") != record.get("id"):
            self._safely(self._begin_anew)

    def looked(self, wait: Wait, hook: OmicsHook | None, *, is_over: bool) -> None:
        """Take what a look has found, and leave a snapshot if anything but the time has changed.

        :param wait: has the record and, if they were listed, the run's tasks; each table is left once.
        :param hook: what has looked.
        :param is_over: whether the wait is over, so that :meth:`around` leaves the snapshot.
        """
        self.note(wait.record, hook)
        if not is_over:
            self._stuck_since = wait.stuck_since
            self._safely(lambda: self._leave(wait.tasks))

    def around(self, end: Callable[[], R]) -> R:
        """Return what ``end`` returns or raise what it raises, and leave the last snapshot either way.

        :param end: ends the task: it returns the record, or raises an error that has the record and, if that
            was looked into, why it ended badly. A deferral leaves nothing.
        """
        try:
            record = end()
        except Exception as error:
            self._safely(functools.partial(self._leave_failed, error))
            raise
        except AirflowTaskTimeout as error:
            # Airflow's own comes at any moment, and leaves no time. Only that of a deferral has the record.
            if (ended := getattr(error, "record", None)) is not None:
                self._safely(functools.partial(self._leave_end, ended, None))
            raise
        self._safely(lambda: self._leave_end(record, None))
        return record

    # -- what is left ----------------------------------------------------------------------------------------

    def _leave(self, tasks: TaskTable | None) -> None:
        if self._record is None:
            return
        is_newer = tasks is not None and tasks is not self._tasks
        self._tasks = tasks or self._tasks
        self._push_snapshot(self._record)
        if is_newer and tasks is not None:
            self._push(TASKS_KEY, tasks.to_plain())

    def _leave_failed(self, error: Exception) -> None:
        # A task that is skipped instead of failing has the error as the cause.
        why = error if isinstance(error, OmicsError) else error.__cause__
        self._leave_end(getattr(why, "record", None), getattr(why, "diagnosis", None))

    def _leave_end(self, newer: Any, diagnosis: Diagnosis | None) -> None:
        record = self._latest(newer)
        if record is None:
            return
        listed = self._ended_tasks(record, diagnosis)
        self._tasks = listed or self._tasks
        self._push_snapshot(record, diagnosis.failure if diagnosis else None)
        if listed is not None:
            self._push(TASKS_KEY, listed.to_plain())

    def _latest(self, newer: Any) -> RunRecord | None:
        """Return the record with which the task ends; what it returns or raises may have been narrowed."""
        if not isinstance(newer, Mapping) or not newer.get("id"):
            return self._record
        known: Mapping[str, Any] = self._record or {}
        is_same = known.get("id") == newer["id"]
        return cast("RunRecord", {**(known if is_same else {}), **newer})

    def _ended_tasks(self, record: RunRecord, diagnosis: Diagnosis | None) -> TaskTable | None:
        """Return the tasks of a run that has ended; None if there are none, or they can't be listed."""
        known = diagnosis.findings.listed if diagnosis else None
        if self._resource != RUN or not self._waits or not self._has_time():
            return None
        if not has_tasks(record, is_explained=bool(known)):
            return None
        try:
            return ended_tasks(
                record,
                lambda: self._hook or self._make_hook(record),
                known,
                seen=self._moment(record),
            )
        except Exception:
            log.debug("The tasks of run %s could not be listed", record.get("id"), exc_info=True)
            return None

    def _has_time(self) -> bool:
        """Return whether ``execution_timeout`` leaves the time to list tasks."""
        if self._execution_timeout is None:
            return True
        left = self._execution_timeout.total_seconds() - (_clock.monotonic() - self._began)
        return bool(left > 2 * SECONDS)

    def _begin_anew(self) -> None:
        """Take another run or batch, which the task has started after the one before."""
        self._tasks, self._stuck_since, self._last = None, None, {}
        if self._resource == RUN and self._record is not None:
            self._push(TASKS_KEY, TaskTable(self._moment(self._record)).to_plain())

    def _push_snapshot(self, record: RunRecord, failure: Failure | None = None) -> None:
        seen = self._moment(record)
        if self._resource == RUN:
            snapshot = run_snapshot(
                record,
                seen,
                record_fields=self._fields,
                tasks=self._tasks,
                failure=failure,
                stuck_since=self._stuck_since if record.get("status") in ACTIVE_STATUSES else None,
            )
        else:
            snapshot = batch_snapshot(record, seen, record_fields=self._fields, reasons=_reasons(record))
        if (known := {**snapshot, "seen": None}) != self._last:
            self._push(RUN_KEY, snapshot)
            self._last = known

    def _moment(self, record: Mapping[str, Any]) -> float:
        """Return when a record was read, in the service's clock.

        If nothing was read here, only the trigger knows that clock. What has ended is as it was then.
        """
        if self._skew is None:
            for name in _ENDS:
                if (ended := epoch(record.get(name))) is not None:
                    return ended
        return _clock.time() + (self._skew or 0.0)

    def _push(self, key: str, value: dict[str, Any]) -> None:
        self._ti.xcom_push(key=key, value=value)

    def _safely(self, leave: Callable[[], object]) -> None:
        if self._ti is None:
            return
        try:
            leave()
        except Exception:  # XCom backends raise errors of any kind
            log.debug("No snapshot was left", exc_info=True)


def _reasons(record: Mapping[str, Any]) -> Counter[tuple[str, str]]:
    """Return why members of a batch ended badly, from its ``failures``."""
    reasons: Counter[tuple[str, str]] = Counter()
    for row in record.get("failures") or ():
        reasons[str(row["reason"]), str(row["owner"])] += row["count"]
    return reasons
