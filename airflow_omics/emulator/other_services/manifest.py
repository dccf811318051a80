"""The run manifest: the JSON lines in the stream ``manifest/run/<id>/<uuid>`` once a run has ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from airflow_omics.emulator.lives.run import Run
from airflow_omics.emulator.lives.tasks import TaskState
from airflow_omics.emulator.service import run_tasks, runs_definition, runs_record
from airflow_omics.emulator.wire import names
from airflow_omics.emulator.wire.codec import timestamp
from airflow_omics.emulator.wire.names import Place

VCPUS = {
    "large": 2,
    "xlarge": 4,
    "2xlarge": 8,
    "4xlarge": 16,
    "8xlarge": 32,
    "12xlarge": 48,
    "16xlarge": 64,
    "24xlarge": 96,
    "32xlarge": 128,
    "48xlarge": 192,
}
"""vCPUs of an instance, by its size."""
_GIB_PER_VCPU = {"c": 2, "m": 4, "r": 8}


def manifest_lines(place: Place, run: Run) -> Iterator[str]:
    """Yield the manifest of a run that has ended: the run first, then each task."""
    yield _line(_run(place, run))
    for task in run_tasks.present_tasks(run):
        yield _line(_task(place, run, task))


def _line(value: dict[str, Any]) -> str:
    return json.dumps(
        {key: inner for key, inner in value.items() if inner is not None}, separators=(",", ":")
    )


def _time(moment: float | None) -> str | None:
    # The manifest has milliseconds, the API microseconds.
    return None if moment is None else timestamp(int(moment * 1000) / 1000)


def _run(place: Place, run: Run) -> dict[str, Any]:
    record = runs_record.run_record(place, run)
    started, stopped = record.get("startTime"), record.get("stopTime")
    seconds = None if started is None or stopped is None else round(stopped - started, 3)
    # The run may be DELETED or gone by now; the manifest says how it ended.
    status = run.ended.status if run.ended is not None else run.status
    gib = float(record.get("storageCapacity", 1200))
    engine, main = runs_definition.source(run)
    as_is = [
        "arn",
        "uuid",
        "digest",
        "name",
        "outputUri",
        "parameters",
        "resourceDigests",
        "roleArn",
        "startedBy",
        "storageType",
        "storageCapacity",
        "workflowType",
        "priority",
        "retentionMode",
        "logLevel",
        "workflowOwnerId",
    ]
    return {
        **{name: record.get(name) for name in as_is},
        "status": status,
        "failureReason": run.reason if status == "FAILED" else None,
        "statusMessage": run.says,
        "creationTime": _time(record["creationTime"]),
        "startTime": _time(started),
        "stopTime": _time(stopped),
        **_references(place, run),
        "engine": engine,
        "main": main,
        "metrics": None
        if seconds is None
        else {
            "runningSeconds": seconds,
            "storageAverageGiB": 12.5,
            "storageMaximumGiB": gib if run.reason == "FILE_SYSTEM_OUT_OF_SPACE" else 16.25,
            "storageReservedGiB": gib,
        },
    }


def _references(place: Place, run: Run) -> dict[str, Any]:
    """Return what the manifest names by ARN and the API by id."""
    members = run.members
    # A workflow of the service's own has no account; a shared one has its owner's.
    owner = "" if members["workflowType"] == "READY2RUN" else members.get("workflowOwnerId")
    workflow = names.arn(place, "workflow", members["workflowId"], account_id=owner)
    version = members.get("workflowVersionName")
    given = {"run": "runId", "runGroup": "runGroupId", "runCache": "cacheId"}
    return {
        "workflow": workflow,
        "workflowVersion": None if version is None else f"{workflow}/version/{version}",
        "runCacheBehavior": members.get("cacheBehavior"),
        **{kind: names.arn(place, kind, members[name]) for kind, name in given.items() if name in members},
    }


def _memory(task: TaskState, reserved: int) -> tuple[float, float]:
    """Return the average and the most of a task's memory, in GiB: all that there is if it ran out of it."""
    if task.status == "FAILED" and task.script.failure_reason == "OUT_OF_MEMORY_ERROR":
        return round(reserved * 0.8, 6), float(reserved)
    return round(task.script.memory * 0.4, 6), round(task.script.memory * 0.7, 6)


def instance_size(instance_type: str) -> tuple[int, int]:
    """Return vCPUs and GiB of an instance type such as ``omics.m.2xlarge``."""
    _, family, size = [*instance_type.split("."), "", ""][:3]
    vcpus = VCPUS.get(size, 2)
    return vcpus, vcpus * _GIB_PER_VCPU.get(family, 4)


def _task(place: Place, run: Run, task: TaskState) -> dict[str, Any]:
    record = run_tasks.task_record(place, run, task)
    started, stopped = record.get("startTime"), record.get("stopTime")
    vcpus, gib = instance_size(task.script.instance_type)
    metrics = None
    if started is not None and stopped is not None:
        average, most = _memory(task, gib)
        metrics = {
            "cpusAverage": round(task.script.cpus * 0.6, 6),
            "cpusMaximum": round(task.script.cpus * 0.95, 6),
            "cpusReserved": vcpus,
            "gpusReserved": task.script.gpus,
            "memoryAverageGiB": average,
            "memoryMaximumGiB": most,
            "memoryReservedGiB": gib,
            "runningSeconds": round(stopped - started, 3),
        }
    return {
        "arn": names.arn(place, "task", task.id),
        "name": record["name"],
        "run": run.arn,
        "uuid": task.uuid,
        "status": task.status,
        "cpus": float(task.script.cpus),
        "memory": float(task.script.memory),
        "gpus": float(task.script.gpus),
        **record["imageDetails"],
        "instanceType": record.get("instanceType"),
        "cacheHit": record.get("cacheHit"),
        "creationTime": _time(task.created),
        "startTime": _time(started),
        "stopTime": _time(stopped),
        "failureReason": record.get("failureReason"),
        "statusMessage": record.get("statusMessage"),
        "metrics": metrics,
    }
