"""What a run has used of AWS, as HealthOmics bills it: from its manifest, or from its record and its tasks.

https://docs.aws.amazon.com/omics/latest/dev/workflows-pricing.html
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

from airflow_omics._monitoring.instance_hours import billed_seconds
from airflow_omics._monitoring.task_table import RunTask, clipped, epoch
from airflow_omics.records import TERMINAL_STATUSES

STATIC: Final = "STATIC"
DYNAMIC: Final = "DYNAMIC"

LEAST_STATIC: Final = 1200
"""GiB of the smallest STATIC storage; what is larger comes in multiples of :data:`STATIC_STEP`."""
STATIC_STEP: Final = 2400

# Longer than a table's, since its end says what is a shard; the service's own limit is 128 characters.
_LONGEST_NAME: Final = 512
_FREE_SCRATCH: Final = 16  # GiB of each task's own; what is asked for is rounded up to a multiple of it


class TaskUsage(NamedTuple):
    """What a task has used.

    :param task: the task.
    :param seconds: that are billed of it.
    :param scratch: GiB of scratch storage that are billed for those seconds; None if that is not known.
    :param cpus: the most vCPUs that it used at a time; None if that was not measured.
    :param memory: the same in GiB.
    :param gpus: that its instance has.
    :param ends: whether it is known when it ended, or it goes on.
    """

    task: RunTask
    seconds: float
    scratch: float | None = 0.0
    cpus: float | None = None
    memory: float | None = None
    gpus: float = 0.0
    ends: bool = True


class StorageUsage(NamedTuple):
    """What a run has used of its shared storage.

    :param kind: :data:`STATIC`, :data:`DYNAMIC`, a newer one, or None if it is not known.
    :param gib: GiB that are billed; None if that is not known.
    :param seconds: that are billed; None if that is not known.
    :param average: GiB in use on average, as the manifest says.
    :param most: GiB in use at most.
    :param why: why ``gib`` or ``seconds`` is not known.
    """

    kind: str | None
    gib: float | None
    seconds: float | None
    average: float | None = None
    most: float | None = None
    why: str = ""


class RunUsage(NamedTuple):
    """What a run has used.

    :param source: where it is from.
    :param seen: up to when it counts, in seconds since the epoch, in the service's clock.
    :param active: whether the run goes on.
    :param fixed_price: whether AWS bills the run at a fixed price, whatever it uses.
    :param engine: of its workflow, if that is known.
    """

    source: Literal["manifest", "tasks"]
    seen: float
    active: bool
    fixed_price: bool
    storage: StorageUsage
    tasks: tuple[TaskUsage, ...]
    engine: str | None = None


def usage_of_manifest(
    line: Mapping[str, Any], tasks: Iterable[Mapping[str, Any]], now: float, scratch_mode: Any = None
) -> RunUsage:
    """Return what a run has used, by the lines of its manifest.

    :param line: the run's own.
    :param tasks: those of its tasks.
    :param now: seconds since the epoch, in the service's clock.
    :param scratch_mode: the ``scratchStorageMode`` of GetRun's record, if it has one.
    """
    return _usage("manifest", line, tasks, now, line.get("scratchStorageMode") or scratch_mode)


def usage_of_tasks(record: Mapping[str, Any], tasks: Iterable[Mapping[str, Any]], now: float) -> RunUsage:
    """Return what a run has used, by its record and by the items of ListRunTasks."""
    return _usage("tasks", record, tasks, now, record.get("scratchStorageMode"))


def static_gib(capacity: float | None) -> int:
    """Return the GiB of STATIC storage that are billed for a capacity that was asked for.

    https://docs.aws.amazon.com/omics/latest/dev/workflows-run-types.html
    """
    if not capacity or capacity <= LEAST_STATIC:
        return LEAST_STATIC
    return math.ceil(capacity / STATIC_STEP) * STATIC_STEP


def _usage(
    source: Literal["manifest", "tasks"],
    run: Mapping[str, Any],
    tasks: Iterable[Mapping[str, Any]],
    now: float,
    scratch_mode: Any,
) -> RunUsage:
    stopped = epoch(run.get("stopTime"))
    active = stopped is None and run.get("status") not in TERMINAL_STATUSES
    until = now if active else stopped
    engine = run.get("engine")
    return RunUsage(
        source,
        now,
        active,
        run.get("workflowType") == "READY2RUN",
        _storage(source, run, epoch(run.get("startTime")), until),
        tuple(_task(item, until, scratch_mode == "LOCAL") for item in tasks),
        engine if isinstance(engine, str) else None,
    )


def _storage(source: str, run: Mapping[str, Any], started: float | None, until: float | None) -> StorageUsage:
    measured = _mapping(run.get("metrics"))
    average, most = _number(measured.get("storageAverageGiB")), _number(measured.get("storageMaximumGiB"))
    # StartRun without a storage type has STATIC storage; a type that is there and empty is not known.
    kind = run.get("storageType", STATIC)
    seconds = 0.0 if started is None else None if until is None else max(0.0, until - started)
    gib, why = None, ""
    if kind == STATIC:
        asked = _number(run.get("storageCapacity")) or _number(measured.get("storageReservedGiB"))
        gib = float(static_gib(asked))
    elif kind == DYNAMIC:
        gib = average
        if gib is None:
            why = "how much DYNAMIC storage was in use, only a run's manifest says"
            if source == "manifest":
                why = "the manifest does not say how much DYNAMIC storage was in use"
    else:
        why = "the run's storage type is not known"
    if seconds == 0.0:
        gib, why = gib or 0.0, ""
    elif seconds is None:
        why = why or "it is not known when the run ended"
    return StorageUsage(str(kind) if kind else None, gib, seconds, average, most, why)


def _task(item: Mapping[str, Any], until: float | None, local_scratch: bool) -> TaskUsage:
    arn = item.get("arn")
    named = {"taskId": arn.rpartition("/")[2]} if isinstance(arn, str) and "taskId" not in item else {}
    task, measured = RunTask.of({**item, **named}), _mapping(item.get("metrics"))
    if isinstance(name := item.get("name"), str) and name:
        task = task._replace(name=clipped(name, _LONGEST_NAME))
    seconds = billed_seconds(task, until if until is not None else task.started or 0.0)
    gpus = max(_number(measured.get("gpusReserved")) or 0.0, task.gpus or 0.0)
    return TaskUsage(
        task,
        seconds,
        _scratch(seconds, gpus, _number(measured.get("scratchStorageReservedGiB")), local_scratch),
        _number(measured.get("cpusMaximum")),
        _number(measured.get("memoryMaximumGiB")),
        gpus,
        not seconds or task.stopped is not None or (task.is_active and until is not None),
    )


def _scratch(seconds: float, gpus: float, reserved: float | None, local: bool) -> float | None:
    """Return the GiB of scratch storage that are billed: none of a GPU's own disk, nor of shared storage."""
    if not seconds or gpus:
        return 0.0
    if reserved is None:
        return None if local else 0.0
    return float(max(0, math.ceil(reserved / _FREE_SCRATCH) * _FREE_SCRATCH - _FREE_SCRATCH))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
