"""What a diagnosis holds: the run, what its failure means, the tasks that matter, and the report."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, NamedTuple

from airflow_omics.diagnosis.lines import clean_text
from airflow_omics.failures import LOOK_INSIDE, Failure, classify
from airflow_omics.records import ACTIVE_STATUSES, RunRecord, parse_time

RUN_KEYS: Final = (
    "id",
    "uuid",
    "arn",
    "name",
    "status",
    "workflowId",
    "workflowType",
    "workflowVersionName",
    "runGroupId",
    "failureReason",
    "statusMessage",
    "creationTime",
    "startTime",
    "stopTime",
    "startedBy",
    "storageType",
    "storageCapacity",
    "source",
)
"""The members of a record that a diagnosis carries; parameters and tags are never among them."""

_EXIT: Final = re.compile(
    r"\bexit(?:ed)?(?:\s++(?:with|code|status|was|of|non-?zero))*+\s*+[:=]?\s*+\(?(\d{1,3})\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Limits:
    """What bounds a diagnosis.

    :param max_tasks: failing tasks that are looked into.
    :param max_lines: lines of each log.
    :param max_seconds: seconds in all.
    """

    max_tasks: int = 5
    max_lines: int = 20
    max_seconds: float = 30.0


class Listed(NamedTuple):
    """The tasks of a run in one status.

    :param items: as ListRunTasks has them, or the manifest.
    :param more: whether there may be more of them.
    """

    items: tuple[Mapping[str, Any], ...]
    more: bool = False


@dataclass(frozen=True)
class TaskFinding:
    """One task of the run, as far as it is known.

    :param failure: what its reason means; None for a task that did not fail.
    :param exit_code: its exit code, if its status message names one: the API has no member for it.
    :param log: the last lines of its log; None if it was not read.
    """

    task_id: str
    name: str
    status: str
    failure: Failure | None = None
    status_message: str | None = None
    exit_code: int | None = None
    image: str | None = None
    instance_type: str | None = None
    cpus: float | None = None
    memory: float | None = None
    gpus: float | None = None
    cached: bool = False
    created: str | None = None
    started: str | None = None
    stopped: str | None = None
    log_stream: str | None = None
    log: tuple[str, ...] | None = None

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> TaskFinding:
        """Return what is known from an item of ListRunTasks, GetRunTask's answer or a manifest's line."""
        message = answer.get("statusMessage")
        failed = answer.get("status") == "FAILED"
        details = answer.get("imageDetails")
        image = details.get("image") if isinstance(details, Mapping) else answer.get("image")
        exit_code = _EXIT.search(message) if isinstance(message, str) else None
        stream = answer.get("logStream")
        return cls(
            task_id=str(answer.get("taskId") or str(answer.get("arn", "")).rpartition("/")[2] or "?"),
            name=clean_text(answer.get("name") or "unnamed", 128),
            status=clean_text(answer.get("status") or "unknown", 64),
            failure=classify({**answer, "status": None}) if failed else None,
            status_message=clean_text(message) if message else None,
            exit_code=int(exit_code[1]) if exit_code else None,
            image=clean_text(image) if image else None,
            instance_type=_text(answer.get("instanceType")),
            cpus=_number(answer.get("cpus")),
            memory=_number(answer.get("memory")),
            gpus=_number(answer.get("gpus")),
            cached=answer.get("cacheHit") is True,
            created=_text(answer.get("creationTime")),
            started=_text(answer.get("startTime")),
            stopped=_text(answer.get("stopTime")),
            log_stream=stream_of(stream) if isinstance(stream, str) else None,
        )

    @property
    def seconds(self) -> float | None:
        """Seconds for which it ran, if its times are known."""
        return seconds_between(self.started, self.stopped)


@dataclass(frozen=True)
class Findings:
    """What was gathered about a run.

    :param record: the run's record, as far as :data:`RUN_KEYS` name it.
    :param failing: failed tasks that were looked into, the earliest first.
    :param failed_count: failed tasks in all, without attempts that were followed by another; None if they
        could not be listed.
    :param failed_more: whether there may be more of them than were counted.
    :param retried: failed attempts after which another attempt of the same task was made, some of them.
    :param retried_count: those attempts in all.
    :param unfinished: tasks that were under way when the run ended, or are now, some of them.
    :param counts: tasks in each status, for a run that goes on.
    :param completed_count: completed tasks that were seen; None if they were not listed.
    :param cached_count: those of them that the run cache answered.
    :param completed_more: whether there may be more of them.
    :param engine_log: the last lines of the engine log; None if it was not read.
    :param engine_stream: that log's stream.
    :param run_group: GetRunGroup's answer.
    :param group_active: runs of the group that are past PENDING.
    :param group_runs: the ids of some of them.
    :param status_since: since when the run is in its status, if that is known.
    :param before: the record from the manifest of a run that HealthOmics has forgotten.
    :param notes: what could not be found out, and why; one line each.
    :param region: the Region of the calls; None if no call could be made.
    :param logs: whether logs might be read.
    :param listed: every task that was listed, by status. It is in no report and in no XCom.
    """

    record: RunRecord
    failing: tuple[TaskFinding, ...] = ()
    failed_count: int | None = None
    failed_more: bool = False
    retried: tuple[TaskFinding, ...] = ()
    retried_count: int = 0
    unfinished: tuple[TaskFinding, ...] = ()
    counts: Mapping[str, str] = field(default_factory=dict)
    completed_count: int | None = None
    cached_count: int = 0
    completed_more: bool = False
    engine_log: tuple[str, ...] | None = None
    engine_stream: str | None = None
    run_group: Mapping[str, Any] | None = None
    group_active: int | None = None
    group_runs: tuple[str, ...] = ()
    status_since: str | None = None
    before: RunRecord | None = None
    notes: tuple[str, ...] = ()
    region: str | None = None
    logs: bool = True
    listed: Mapping[str, Listed] = field(default_factory=dict, repr=False, compare=False)

    @property
    def failure(self) -> Failure | None:
        """What the run's own reason means; None while the run goes on."""
        return None if self.record.get("status") in ACTIVE_STATUSES else classify(self.record)

    @property
    def cause(self) -> Failure | None:
        """The best known reason: the failing tasks' one if the run's own only points at them."""
        own = self.failure
        if own is None or own.failure_class != LOOK_INSIDE:
            return own
        reasons = {task.failure for task in self.failing if task.failure is not None}
        known = [failure for failure in reasons if failure.failure_class != LOOK_INSIDE]
        return known[0] if len(reasons) == len(known) == 1 else own


@dataclass(frozen=True)
class Diagnosis:
    """Why a run ended as it did, or what it waits for.

    :param findings: what was gathered.
    :param text: the report, for people.
    :param links: pages of the AWS console, by what they show.
    :param commands: ``aws`` commands that show more.
    :param error_text: the report without what programs printed, for the task's error: an error's text goes
        to places where nobody expects patient data, such as lineage events.
    :param log_tails: what programs printed, as lines for the task's log; ``error_text`` does not have them.
    """

    findings: Findings
    text: str
    links: Mapping[str, str]
    commands: tuple[str, ...]
    error_text: str
    log_tails: tuple[str, ...] = ()

    @property
    def failure(self) -> Failure | None:
        """What the run's failure means, by its own reason or, if that says little, by its tasks'.

        None while the run goes on.
        """
        return self.findings.cause

    def to_plain(self) -> dict[str, Any]:
        """Return the diagnosis as plain JSON, as it is in XCom under ``diagnosis``."""
        found = self.findings
        cause = self.failure
        return {
            "run": dict(found.record),
            "reason": cause.reason if cause else None,
            "class": cause.failure_class if cause else None,
            "owner": cause.owner if cause else None,
            "meaning": cause.meaning if cause else None,
            "advice": cause.advice if cause else None,
            "tasks": [_plain_task(task) for task in found.failing],
            "failed_tasks": found.failed_count,
            "retried_tasks": [_plain_task(task) for task in found.retried],
            "unfinished_tasks": [_plain_task(task) for task in found.unfinished],
            "completed_tasks": found.completed_count,
            "cached_tasks": found.cached_count,
            "engine_log": None if found.engine_log is None else list(found.engine_log),
            "manifest": None if found.before is None else dict(found.before),
            "notes": list(found.notes),
            "links": dict(self.links),
            "commands": list(self.commands),
            "headline": self.text.partition("\n")[0],
            "text": self.text,
        }


def carried(record: Mapping[str, Any]) -> RunRecord:
    """Return the members of a record that a diagnosis may carry, with their texts made readable."""
    kept: Any = {}
    for key in RUN_KEYS:
        value = record.get(key)
        if value is not None:
            kept[key] = clean_text(value) if isinstance(value, str) else value
    return kept  # type: ignore[no-any-return]


def seconds_between(start: str | None, stop: str | None) -> float | None:
    """Return the seconds between two times of a record; None if one is missing or is not a time."""
    if not start or not stop:
        return None
    try:
        return max(0.0, (parse_time(stop) - parse_time(start)).total_seconds())
    except ValueError:
        return None


def stream_of(arn: str) -> str | None:
    """Return the log stream that an ARN names, ``run/1234567/engine``."""
    return arn.partition(":log-stream:")[2] or None


def _plain_task(task: TaskFinding) -> dict[str, Any]:
    plain = asdict(task)
    failure = task.failure
    plain["failure"] = None if failure is None else failure._asdict()
    plain["log"] = None if task.log is None else list(task.log)
    return plain


def _text(value: Any) -> str | None:
    return clean_text(value, 128) if isinstance(value, str) and value else None


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
