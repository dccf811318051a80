"""The tasks of a run, and the XCom ``omics_tasks`` that a task leaves of them: about 100 bytes a task."""

from __future__ import annotations

import datetime
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from airflow_omics.records import ACTIVE_STATUSES, parse_time

TASKS_KEY: Final = "omics_tasks"
"""The key of the XCom."""

MOST_TASKS: Final = 300
"""Tasks in one XCom."""

_LONGEST: Final = 80  # bytes of a text, such as a task's name
_CUT: Final = "..."  # in the middle of a name
_VERSION: Final = 1
_NO_ID: Final = "?"
_MOST: Final = 1e12  # more than any number of a task; JSON may hold NaN, and an int of a thousand digits
_NO_DATE: Final = 253_402_300_800
"""The year 10,000, which no datetime holds."""


class RunTask(NamedTuple):
    """One task of a run.

    :param id: its ``taskId``; a longer text than 80 bytes of JSON is cut, likewise of the others.
    :param name: its name, cut in its middle: its end says of which sample or shard it is.
    :param status: one of :data:`airflow_omics.records.TASK_STATUSES`, or a newer one.
    :param created: seconds since the epoch, in the service's clock; likewise ``started`` and ``stopped``.
        None if it has not come to that.
    :param instance: the instance type, ``omics.m.xlarge``.
    :param cpus: vCPUs that were asked for; likewise ``memory`` in GiB and ``gpus``.
    :param cached: whether the run cache answered it.
    """

    id: str
    name: str
    status: str
    created: float | None = None
    started: float | None = None
    stopped: float | None = None
    instance: str | None = None
    cpus: float | None = None
    memory: float | None = None
    gpus: float | None = None
    cached: bool = False

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> RunTask:
        """Return a task from an item of ListRunTasks, or from a line of a manifest.

        Times may be text, or as botocore returned them.

        https://docs.aws.amazon.com/omics/latest/api/API_TaskListItem.html
        """
        return cls(
            id=_text(item.get("taskId")) or _text(str(item.get("arn") or "").rpartition("/")[2]) or _NO_ID,
            name=_name(item.get("name")) or "unnamed",
            status=_text(item.get("status")) or "unknown",
            created=epoch(item.get("creationTime")),
            started=epoch(item.get("startTime")),
            stopped=epoch(item.get("stopTime")),
            instance=_text(item.get("instanceType")),
            cpus=_number(item.get("cpus")),
            memory=_number(item.get("memory")),
            gpus=_number(item.get("gpus")),
            cached=item.get("cacheHit") is True,
        )

    @property
    def is_active(self) -> bool:
        """Whether it goes on."""
        return self.status in ACTIVE_STATUSES


class TaskCounts(NamedTuple):
    """How many tasks a run has.

    :param by_status: by their status, those that are not zero.
    :param cached: how many of them the run cache answered.
    :param more: whether there may be others.
    """

    by_status: Mapping[str, int]
    cached: int
    more: bool = False


class TaskTable(NamedTuple):
    """The tasks of a run, as they were listed together.

    :param seen: when they were listed, in seconds since the epoch, in the service's clock.
    :param tasks: in the order in which they were made.
    :param left_out: tasks that the run has besides.
    :param more: whether it may have others that nobody counted: the listing was cut.
    :param all_counts: how many there are with those that are left out, if that is known.
    """

    seen: float
    tasks: tuple[RunTask, ...] = ()
    left_out: int = 0
    more: bool = False
    all_counts: TaskCounts | None = None

    @classmethod
    def of(cls, items: Iterable[Mapping[str, Any]], seen: float, *, more: bool = False) -> TaskTable:
        """Return the table of the items of ListRunTasks, all pages together.

        :param more: whether there may be pages that were not read.
        """
        tasks = list(map(RunTask.of, items))
        # Pages shift while tasks are made, so one task may be on two of them; the later page is newer.
        known = {task.id: task for task in tasks if task.id != _NO_ID}
        unknown = [task for task in tasks if task.id == _NO_ID]
        return cls(seen, tuple(sorted((*known.values(), *unknown), key=_order)), more=more)

    @property
    def counts(self) -> TaskCounts:
        """How many tasks are in which status; those that :meth:`cut` has left out count as well."""
        if self.all_counts is not None:
            return self.all_counts
        return TaskCounts(
            Counter(task.status for task in self.tasks),
            sum(task.cached and task.status == "COMPLETED" for task in self.tasks),
            more=self.more or self.left_out > 0,
        )

    def cut(self) -> TaskTable:
        """Return the table with no more than :data:`MOST_TASKS` tasks.

        Those that go on or failed stay first of all, and then the longest.
        """
        if len(self.tasks) <= MOST_TASKS:
            return self
        kept = sorted(sorted(self.tasks, key=_weight)[:MOST_TASKS], key=_order)
        left_out = self.left_out + len(self.tasks) - len(kept)
        return self._replace(tasks=tuple(kept), left_out=left_out, all_counts=self.counts)

    def to_plain(self) -> dict[str, Any]:
        """Return the XCom: plain JSON, each task a list in the order of ``fields``.

        Times are whole seconds after ``from``. It has no more tasks than :meth:`cut` leaves.
        """
        kept = self.cut()
        base = min((task.created for task in kept.tasks if task.created is not None), default=self.seen)
        return {
            "v": _VERSION,
            "seen": iso(self.seen),
            "from": iso(base),
            "fields": list(RunTask._fields),
            "tasks": [_row(task, int(base)) for task in kept.tasks],
            "left_out": kept.left_out,
            "more": self.more,
        }

    @classmethod
    def of_plain(cls, value: Any) -> TaskTable | None:
        """Return what :meth:`to_plain` returned; None if the value is something else.

        Whoever can write XComs of the task may have made it, so nothing in it is relied on.
        """
        if not isinstance(value, Mapping) or not isinstance(value.get("tasks"), list):
            return None
        seen, base, fields = epoch(value.get("seen")), epoch(value.get("from")), value.get("fields")
        if seen is None or not isinstance(fields, list) or not all(isinstance(name, str) for name in fields):
            return None
        rows = [dict(zip(fields, row, strict=False)) for row in value["tasks"] if isinstance(row, list)]
        tasks = tuple(_task(row, seen if base is None else base) for row in rows[:MOST_TASKS])
        left_out = _number(value.get("left_out")) or 0
        return cls(seen, tasks, max(0, int(left_out)), value.get("more") is True)


def epoch(value: Any) -> float | None:
    """Return a time of the API, a datetime or its text, in seconds since the epoch; None if it is none.

    A year before 1970, or one that a zone shifts past 9999, is none of the service's.
    """
    if isinstance(value, datetime.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=datetime.UTC)).timestamp()
    try:
        seconds = parse_time(value).timestamp() if isinstance(value, str) else -1.0
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds < _NO_DATE else None


def iso(seconds: float) -> str:
    """Return seconds since the epoch as ISO 8601 text in UTC, to the second."""
    return datetime.datetime.fromtimestamp(int(seconds), tz=datetime.UTC).isoformat()


def _order(task: RunTask) -> tuple[float, float, str]:
    late = float("inf")
    created = late if task.created is None else task.created
    return created, late if task.started is None else task.started, task.id


def _weight(task: RunTask) -> tuple[bool, float]:
    took = 0.0 if task.started is None or task.stopped is None else task.stopped - task.started
    return not (task.is_active or task.status == "FAILED"), -took


def _row(task: RunTask, base: int) -> list[Any]:
    row: list[Any] = list(task)
    for name in ("created", "started", "stopped"):
        at, moment = RunTask._fields.index(name), getattr(task, name)
        row[at] = None if moment is None else int(moment) - base
    return row


def _task(row: Mapping[str, Any], base: float) -> RunTask:
    def moment(name: str) -> float | None:
        after = _number(row.get(name))
        return None if after is None or not 0 <= base + after < _NO_DATE else base + after

    return RunTask(
        id=_text(row.get("id")) or _NO_ID,
        name=_text(row.get("name")) or "unnamed",
        status=_text(row.get("status")) or "unknown",
        created=moment("created"),
        started=moment("started"),
        stopped=moment("stopped"),
        instance=_text(row.get("instance")),
        cpus=_number(row.get("cpus")),
        memory=_number(row.get("memory")),
        gpus=_number(row.get("gpus")),
        cached=row.get("cached") is True,
    )


def clipped(text: str, most: int) -> str:
    """Return the beginning of a text that takes at most so many bytes of JSON, without its quotes.

    Airflow stores JSON in ASCII, so a character takes up to twelve of them.
    """
    kept = text[:most]
    while (over := len(json.dumps(kept)) - 2 - most) > 0:
        kept = kept[: -max(1, over // 12)]
    return kept


def _text(value: Any) -> str | None:
    return clipped(value, _LONGEST) if isinstance(value, str) and value else None


def _name(value: Any) -> str | None:
    """Return a name with its beginning and its end; two samples of one step are two names."""
    short = _text(value)
    if short is None or short == value:
        return short
    half = (_LONGEST - len(_CUT)) // 2
    return clipped(value, half) + _CUT + clipped(value[::-1], half)[::-1]


def _number(value: Any) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return value if -_MOST < value < _MOST else None
