"""What a run's tasks show together: which of them failed for good, which were tried again, in what order."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from airflow_omics.diagnosis.model import Limits, TaskFinding
from airflow_omics.records import parse_time


def attempts(tasks: Iterable[dict[str, Any]] | None) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the last attempt of each task, the earliest to fail first, and the attempts before those.

    Each retry of a task is a task of its own, of the same name.
    """
    last: dict[str, dict[str, Any]] = {}
    earlier = []
    for task in sorted(tasks or (), key=lambda task: str(task.get("creationTime") or "")):
        name = name_of(task)
        if name in last:
            earlier.append(last[name])
        last[name] = task
    return sorted(last.values(), key=_failed_order), earlier


def name_of(task: Mapping[str, Any]) -> str:
    """Return what the attempts of one task have in common: their name; without one, the task's own id."""
    return str(task.get("name") or task.get("taskId") or task.get("arn"))


def first_findings(tasks: Iterable[Mapping[str, Any]], limits: Limits) -> tuple[TaskFinding, ...]:
    """Return as many tasks as a diagnosis looks into."""
    return tuple(TaskFinding.of(task) for task in itertools.islice(tasks, limits.max_tasks))


def as_item(task: TaskFinding) -> dict[str, Any]:
    """Return a task as an item of ListRunTasks again, for what GetRunTask could not add."""
    return {
        "taskId": task.task_id,
        "name": task.name,
        "status": task.status,
        "instanceType": task.instance_type,
        "cpus": task.cpus,
        "memory": task.memory,
        "gpus": task.gpus,
        "creationTime": task.created,
        "startTime": task.started,
        "stopTime": task.stopped,
    }


def started_order(task: Mapping[str, Any]) -> str:
    """Order tasks by their start; those that have no time come last."""
    return str(task.get("startTime") or task.get("creationTime") or "9")


def _failed_order(task: Mapping[str, Any]) -> tuple[str, str]:
    return str(task.get("stopTime") or "9"), started_order(task)


def timestamp(text: Any) -> float | None:
    """Return a record's time in seconds since the epoch; None if it is not a time."""
    try:
        return parse_time(text).timestamp() if isinstance(text, str) else None
    except ValueError:
        return None


def iso_time(milliseconds: Any) -> str | None:
    """Return a log event's time in a record's form; None if it is not a time."""
    if not isinstance(milliseconds, int | float):
        return None
    return datetime.datetime.fromtimestamp(milliseconds / 1000, tz=datetime.UTC).isoformat()
