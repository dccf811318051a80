"""Gathers what AWS knows of a run, within bounds, whatever happens.

Every call is one step that may fail by itself: its error becomes a note in the report. The steps, from the
first client on, are made in a thread: if an endpoint, or STS, does not answer, nobody waits longer than
``Limits.max_seconds``.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from airflow_omics import _clock
from airflow_omics.diagnosis.bounded import ends_within, may_read_connections
from airflow_omics.diagnosis.lines import clean_text
from airflow_omics.diagnosis.manifest import Manifest, read_manifest
from airflow_omics.diagnosis.model import Findings, Limits, Listed, TaskFinding, carried, stream_of
from airflow_omics.diagnosis.steps import OutOfTimeError, Steps
from airflow_omics.diagnosis.tasks import (
    as_item,
    attempts,
    first_findings,
    iso_time,
    name_of,
    started_order,
    timestamp,
)
from airflow_omics.records import ACTIVE_STATUSES, TERMINAL_STATUSES, RunRecord

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsHook

log = logging.getLogger(__name__)

MOST_FAILED: Final = 1000
"""Failed tasks that are listed, 100 a call."""

MOST_COMPLETED: Final = 1000
"""Completed tasks that are listed, to find failed tasks whose retry completed, and to count cached ones."""

_MOST_NAMED: Final = 5  # runs of a run group that are named

_MOST_ACTIVE: Final = 100  # tasks listed of each status of a run that goes on: one call

_NO_TASK_LOG: Final = "the task printed nothing, or logs were off"
_NO_ENGINE_LOG: Final = "the engine wrote nothing, or logs were off"
_MANIFEST_NOT_READ: Final = (
    "The run's manifest was not read: it is in CloudWatch Logs, and this task or [omics] log_tails "
    "says that no logs are read."
)
_NO_MANIFEST: Final = "There is no manifest of the run in CloudWatch Logs: logs were off, or it never ended."


def gather(hook: OmicsHook, record: RunRecord, limits: Limits, *, logs: bool = True) -> Findings:
    """Return what could be found out about a run within ``limits``; no error of AWS is raised.

    :param logs: whether CloudWatch Logs may be read.
    """
    search = _Search(hook, record, limits, logs)
    if not may_read_connections() and not search.read_connection():
        return search.findings(finished=True)
    name = f"omics-diagnosis-{record.get('id')}"
    return search.findings(finished=ends_within(search.deadline - _clock.monotonic(), search.run, name))


class _Search(Steps):
    def __init__(self, hook: OmicsHook, record: RunRecord, limits: Limits, logs: bool) -> None:
        super().__init__(hook, str(record.get("id")), limits, logs)
        self._record = record
        self._known = Findings(carried(record), logs=logs)
        self._created = timestamp(record.get("creationTime"))
        self._is_out_of_time = False

    def findings(self, finished: bool) -> Findings:
        """Return what is known by now."""
        notes = list(self._notes)
        if not finished or self._is_out_of_time:
            seconds = f"{self._limits.max_seconds:g}"
            notes.append(f"The search ended after {seconds} s, its limit; there may be more to find.")
        return dataclasses.replace(self._known, notes=tuple(notes), listed=dict(self._listed))

    def run(self) -> None:
        """Gather, step by step."""
        try:
            if self.open_clients():
                self._learn(region=self._hook.conn_region_name)
                self._gather()
        except OutOfTimeError:
            self._is_out_of_time = True
        except Exception as error:
            log.debug("a diagnosis failed", exc_info=error)
            self._note("The search ended early", error)

    def _gather(self) -> None:
        status = self._record.get("status")
        if "creationTime" not in self._record and status != "DELETED":
            self._complete_record()
        source = self._record.get("source")
        if status == "DELETED" or source == "manifest":
            self._gather_from_manifest(source == "manifest")
        elif status in ACTIVE_STATUSES:
            self._gather_active()
        elif status == "CANCELLED":
            self._find_unfinished(("CANCELLED",))
        else:
            self._gather_ended()

    def _complete_record(self) -> None:
        """Read the run again if the record was narrowed on its way here."""
        answer = self._try("The run could not be read", "GetRun", lambda: self._hook.get_run(self._run_id))
        uuid = self._record.get("uuid")
        if answer is None or (uuid and answer.get("uuid") != uuid):
            return
        self._record = cast("RunRecord", {**answer, **self._record})
        self._created = timestamp(self._record.get("creationTime"))
        self._learn(record=carried(self._record))

    # -- a run that ended ------------------------------------------------------------------------------------

    def _gather_ended(self) -> None:
        if self._never_ran:
            self._learn(failed_count=0, completed_count=0)
            self._read_engine_log()
            return
        failed, more = self._list_tasks("FAILED", MOST_FAILED)
        if failed is not None:
            failing, earlier = attempts(failed)
            self._learn_tasks(failing, earlier)
            self._learn(failed_more=more)
            self._look_into_completed(failing, earlier)
        if self._known.failed_count:
            self._look_into_tasks()
        else:
            self._read_engine_log()
        if self._record.get("failureReason") == "RUN_TIMED_OUT":
            self._find_unfinished(("CANCELLED",))
            self._read_run_group()

    def _look_into_completed(self, failing: list[dict[str, Any]], earlier: list[dict[str, Any]]) -> None:
        # An incomplete list does less harm than no time left for the logs.
        completed, more = self._list_tasks("COMPLETED", MOST_COMPLETED, share=1 / 3)
        if completed is None:
            return
        last_success: dict[str, str] = {}
        for task in completed:
            name, created = name_of(task), str(task.get("creationTime") or "")
            last_success[name] = max(created, last_success.get(name, ""))
        still: list[dict[str, Any]] = []
        made_good = list(earlier)
        for task in failing:
            again = last_success.get(name_of(task), "")
            (made_good if again > str(task.get("creationTime") or "") else still).append(task)
        self._learn_tasks(still, made_good)
        self._learn_completed(completed, more)

    def _look_into_tasks(self) -> None:
        for number, task in enumerate(self._known.failing):
            answer = self._try(
                f"Task {task.name} ({task.task_id}) could not be read",
                "GetRunTask",
                lambda task=task: self._hook.get_run_task(self._run_id, task.task_id),  # type: ignore[misc]
            )
            known = TaskFinding.of({**as_item(task), **(answer or {})})
            self._learn_task(number, known)
        self._read_task_logs()

    @property
    def _never_ran(self) -> bool:
        return "creationTime" in self._record and "startTime" not in self._record

    def _read_task_logs(self) -> None:
        for number, task in enumerate(self._known.failing):
            stream = task.log_stream or f"run/{self._run_id}/task/{task.task_id}"
            self._learn_task(number, dataclasses.replace(task, log_stream=stream))
            lines = self._read_log(f"The log of task {task.name} ({task.task_id})", stream, _NO_TASK_LOG)
            known = None if stream in self._missing else stream
            self._learn_task(number, dataclasses.replace(task, log_stream=known, log=lines))

    def _read_engine_log(self) -> None:
        location = self._record.get("logLocation") or {}
        stream = stream_of(str(location.get("engineLogStream", ""))) or f"run/{self._run_id}/engine"
        if self._never_ran and not self._may_read_logs:
            return
        # A run that ended before it was RUNNING is not expected to have one.
        missing = None if self._never_ran else _NO_ENGINE_LOG
        lines = self._read_log("The engine log", stream, missing)
        self._learn(engine_log=lines, engine_stream=None if stream in self._missing else stream)

    def _find_unfinished(self, statuses: Iterable[str]) -> None:
        found: list[dict[str, Any]] = []
        for status in statuses:
            found += self._list_tasks(status, _MOST_ACTIVE)[0] or []
        self._learn(unfinished=first_findings(sorted(found, key=started_order), self._limits))

    # -- a run that goes on ----------------------------------------------------------------------------------

    def _gather_active(self) -> None:
        self._find_since()
        if self._record.get("status") == "PENDING":
            self._read_run_group()
            return
        counts, under_way = {}, []
        for status in ("RUNNING", "STARTING", "PENDING", "FAILED", "COMPLETED"):
            tasks, more = self._list_tasks(status, _MOST_ACTIVE)
            if tasks is None:
                return
            if tasks:
                counts[status] = f"{len(tasks)}{' or more' if more else ''}"
            if status in ("RUNNING", "STARTING"):
                under_way += sorted(tasks, key=started_order)
        self._learn(counts=counts, unfinished=first_findings(under_way, self._limits))

    def _find_since(self) -> None:
        status = self._record.get("status")
        if status in ("PENDING", "RUNNING"):
            key = "creationTime" if status == "PENDING" else "startTime"
            self._learn(status_since=self._record.get(key))
            return
        events = self._try(
            f"Since when the run is {status} could not be read",
            "GetLogEvents",
            lambda: self._tail_events(f"run/{self._run_id}", 100),
        )
        for event in events or ():
            if f'"runStatus":"{status}"' in event["message"].replace(" ", ""):
                self._learn(status_since=iso_time(event.get("timestamp")))
                return

    def _read_run_group(self) -> None:
        group_id = self._record.get("runGroupId")
        if not group_id:
            return
        group = self._try(
            f"The limits of run group {group_id} could not be read",
            "GetRunGroup",
            lambda: self._hook.get_run_group(group_id),
        )
        self._learn(run_group=group)
        if self._record.get("status") != "PENDING":
            return
        active: list[str] = []
        for status in ("STARTING", "RUNNING", "STOPPING"):
            runs = self._try(
                f"The runs of run group {group_id} could not be counted",
                "ListRuns",
                lambda status=status: list(  # type: ignore[misc]
                    itertools.islice(self._hook.list_runs(status=status, run_group_id=group_id), 1000)
                ),
            )
            if runs is None:
                return
            active += [clean_text(run.get("id"), 32) for run in runs]
        self._learn(group_active=len(active), group_runs=tuple(active[:_MOST_NAMED]))

    # -- a run that HealthOmics has forgotten ----------------------------------------------------------------

    def _gather_from_manifest(self, rebuilt: bool) -> None:
        if not self._may_read_logs:
            self._notes.append(_MANIFEST_NOT_READ)
            return
        manifest = self._try(
            "The run's manifest could not be read",
            "GetLogEvents",
            self._manifest,
            lambda: None,
        )
        if manifest is None:
            if not self._notes:
                self._notes.append(_NO_MANIFEST)
            return
        if not rebuilt:
            self._learn(before=carried(manifest.record))
        if manifest.others:
            self._notes.append(
                f"{manifest.others} other run(s) had the id {self._run_id}; this is the newest of them."
            )
        for status in TERMINAL_STATUSES:
            of_status = (task for task in manifest.tasks if task.get("status") == status)
            self._listed[status] = Listed(tuple(of_status))
        failed = [dict(task) for task in self._listed["FAILED"].items]
        completed = self._listed["COMPLETED"].items
        failing, earlier = attempts(failed)
        done = {name_of(task) for task in completed}
        still = [task for task in failing if name_of(task) not in done]
        made_good = earlier + [task for task in failing if name_of(task) in done]
        self._created = timestamp(manifest.record.get("creationTime")) or self._created
        self._learn_tasks(still, made_good)
        self._learn_completed(completed, more=False)
        if still:
            self._read_task_logs()
        elif manifest.record.get("status") == "FAILED":
            self._read_engine_log()

    def _manifest(self) -> Manifest | None:
        if self._logs is None:
            return None
        return read_manifest(self._logs, self._run_id, self._record.get("uuid"))

    def _learn(self, **changes: Any) -> None:
        # One assignment: whoever takes the findings at the deadline sees the old ones or the new ones.
        self._known = dataclasses.replace(self._known, **changes)

    def _learn_tasks(self, failing: list[dict[str, Any]], retried: list[dict[str, Any]]) -> None:
        self._learn(
            failing=first_findings(failing, self._limits),
            failed_count=len(failing),
            retried=first_findings(retried, self._limits),
            retried_count=len(retried),
        )

    def _learn_completed(self, completed: Iterable[Mapping[str, Any]], more: bool) -> None:
        cached = [task.get("cacheHit") is True for task in completed]
        self._learn(completed_count=len(cached), cached_count=sum(cached), completed_more=more)

    def _learn_task(self, number: int, task: TaskFinding) -> None:
        failing = list(self._known.failing)
        failing[number] = task
        self._learn(failing=tuple(failing))
