"""Tasks of a run: ListRunTasks and GetRunTask.

https://docs.aws.amazon.com/omics/latest/api/API_GetRunTask.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_omics.emulator.lives.run import Run
from airflow_omics.emulator.lives.tasks import TaskState, tasks_of
from airflow_omics.emulator.service.common.paging import page
from airflow_omics.emulator.service.common.resource import Call, Resource
from airflow_omics.emulator.service.runs_record import to_millis
from airflow_omics.emulator.service.runs_state import KIND, runs_of
from airflow_omics.emulator.wire import names
from airflow_omics.emulator.wire.exceptions import not_found
from airflow_omics.emulator.wire.names import Place
from airflow_omics.emulator.world.shared import WORLD


def present_tasks(run: Run) -> Iterator[TaskState]:
    """Yield the tasks that a run has now, in order of creation."""
    return tasks_of(run, WORLD.clock.service(), WORLD.clock.reported)


def _list_run_tasks(call: Call) -> dict[str, Any]:
    run = runs_of(call.backend).get(call.members["id"])
    wanted = call.members.get("status")

    def after(position: int) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, task in enumerate(present_tasks(run), 1):
            if number > position and wanted in (None, task.status):
                yield number, _task_item(task)

    return page(call.members, after)


def _get_run_task(call: Call) -> dict[str, Any]:
    run = runs_of(call.backend).get(call.members["id"])
    for task in present_tasks(run):
        if task.id == call.members["taskId"]:
            return task_record(call.backend, run, task)
    raise not_found(f"Task {call.members['taskId']} of run {run.id}")


def _task_item(task: TaskState) -> dict[str, Any]:
    """Return a task's item in ListRunTasks."""
    script = task.script
    item: dict[str, Any] = {
        "taskId": task.id,
        "status": task.status,
        "name": script.name,
        "cpus": script.cpus,
        "memory": script.memory,
        "gpus": script.gpus,
        "uuid": task.uuid,
    }
    if script.cache_hit is not None:
        item["cacheHit"] = script.cache_hit
    if script.cache_s3_uri is not None:
        item["cacheS3Uri"] = script.cache_s3_uri
    if not script.cache_hit:
        item["instanceType"] = script.instance_type
    if task.created is not None:
        item["creationTime"] = task.created
    if task.started is not None:
        item["startTime"] = max(to_millis(task.started), task.created or 0.0)
    if task.stopped is not None:
        item["stopTime"] = max(to_millis(task.stopped), item.get("startTime", 0.0), task.created or 0.0)
    return item


def task_record(place: Place, run: Run, task: TaskState) -> dict[str, Any]:
    """Return GetRunTask's answer."""
    record = _task_item(task)
    script = task.script
    if run.members["logLevel"] != "OFF" and not script.cache_hit:
        record["logStream"] = names.log_stream_arn(place, f"run/{run.id}/task/{task.id}")
    if task.status == "FAILED":
        if script.failure_reason is not None:
            record["failureReason"] = script.failure_reason
        if script.status_message is not None:
            record["statusMessage"] = script.status_message
    image = names.image_uri(place, script.image)
    record["imageDetails"] = {"image": image, "imageDigest": names.sha256(image)}
    return record


# IAM asks for the run, also if a task is read.
RESOURCE = Resource(KIND, {"ListRunTasks": _list_run_tasks, "GetRunTask": _get_run_task})
