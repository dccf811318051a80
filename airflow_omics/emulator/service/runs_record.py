"""What the service shows of runs and tasks: dicts in the API's own terms, times as seconds since the epoch.

A member is present only when the service would have it. What the installed botocore does not know is left out
later, by
:mod:`airflow_omics.emulator.wire.codec`.
"""

from __future__ import annotations

import hashlib
import math
import uuid as uuids
from functools import cache
from typing import Any

from airflow_omics.emulator.lives.run import Entry, Run, TaskState
from airflow_omics.emulator.lives.script import TERMINAL
from airflow_omics.emulator.service.backend import OmicsBackend
from airflow_omics.emulator.wire.codec import service_model

LOG_GROUP = "/aws/omics/WorkflowLog"
_NAMESPACE = uuids.UUID("6f1a4f3c-7f0e-4d27-9d8a-4b9b7d4f2f10")
# What GetRun shows of storageCapacity depends on the run, and not on what was given alone.
_NOT_AS_GIVEN = frozenset({"storageCapacity"})
_LISTED = ["workflowId", "batchId", "name", "priority", "storageType", "workflowVersionName"]


def stable_uuid(backend: OmicsBackend, what: str) -> str:
    """Return the UUID of a thing the emulator does not store, the same at every look."""
    return str(uuids.uuid5(_NAMESPACE, backend.arn_prefix + what))


def output_uri(run: Run) -> str:
    """Return ``runOutputUri``: below ``outputUri`` by the run's id, unless StartRun asked for no prefix."""
    given = str(run.members["outputUri"]).rstrip("/")
    return given if run.members.get("outputUriPrefixMode") == "NONE_WITH_OVERWRITE" else f"{given}/{run.id}"


@cache
def _as_given() -> frozenset[str]:
    """Return what GetRun shows as StartRun had it: every member that the installed botocore has in both."""
    model = service_model()
    asked = set(model.operation_model("StartRun").input_shape.members)
    shown = set(model.operation_model("GetRun").output_shape.members)
    return frozenset(asked & shown | {"batchId"}) - _NOT_AS_GIVEN


def _millis(moment: float) -> float:
    # startTime has milliseconds in every recorded answer, creationTime and stopTime have microseconds.
    return math.floor(moment * 1000) / 1000


def _times(run: Run, entry: Entry) -> dict[str, float]:
    times = {"creationTime": run.created.reported}
    started, ended = run.entered("RUNNING"), run.ended
    if started is not None and started.service <= entry.service:
        times["startTime"] = max(_millis(started.reported), run.created.reported)
    if ended is not None and ended.service <= entry.service:
        times["stopTime"] = max(ended.reported, times.get("startTime", 0.0))
    return times


def _storage_capacity(run: Run, ended: bool) -> dict[str, int]:
    if run.members.get("storageType") == "DYNAMIC":
        return {"storageCapacity": run.life.storage_gib} if ended and run.life.storage_gib else {}
    return {"storageCapacity": run.members["storageCapacity"]} if "storageCapacity" in run.members else {}


def _configuration(backend: OmicsBackend, run: Run) -> dict[str, Any]:
    name = run.members.get("configurationName")
    if name is None:
        return {}
    arn = f"{backend.arn_prefix}configuration/{name}"
    return {
        "configuration": {"name": name, "arn": arn, "uuid": stable_uuid(backend, f"configuration/{name}")}
    }


def started_run(backend: OmicsBackend, run: Run) -> dict[str, Any]:
    """Return StartRun's answer."""
    answer = {
        "arn": run.arn,
        "id": run.id,
        "status": run.status,
        "tags": run.members["tags"],
        "uuid": run.uuid,
        "runOutputUri": output_uri(run),
        **_configuration(backend, run),
    }
    if "networkingMode" in run.members:
        answer["networkingMode"] = run.members["networkingMode"]
    return answer


def resource_digests(backend: OmicsBackend, run: Run) -> dict[str, str]:
    """Return the digests of inputs and images, as the service records them when it imports."""
    digests: dict[str, str] = {}

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)
        elif isinstance(value, str) and value.startswith("s3://") and not value.endswith("/"):
            digests[value] = "etag:" + hashlib.md5(value.encode(), usedforsecurity=False).hexdigest()

    walk(run.members.get("parameters"))
    for task in run.life.tasks:
        image = image_of(backend, task.image)
        digests[image] = image_digest(image)
    return digests


def image_of(backend: OmicsBackend, image: str) -> str:
    """Return an image URI with the account's own registry filled in."""
    return image.replace("{registry}", f"{backend.account_id}.dkr.ecr.{backend.region_name}.amazonaws.com")


def image_digest(image: str) -> str:
    """Return the digest of an image."""
    return "sha256:" + hashlib.sha256(image.encode()).hexdigest()


def workflow_digest(run: Run) -> str:
    """Return the digest of the workflow's definition."""
    return "sha256:" + hashlib.sha256(f"workflow/{run.members['workflowId']}".encode()).hexdigest()


def started_by(backend: OmicsBackend) -> str:
    """Return the principal that every run of the emulator was started by."""
    return f"arn:{backend.partition}:sts::{backend.account_id}:assumed-role/Emulator/session"


def log_stream_arn(backend: OmicsBackend, stream: str) -> str:
    """Return the ARN of a log stream of the workflow log group."""
    return (
        f"arn:{backend.partition}:logs:{backend.region_name}:{backend.account_id}:log-group:{LOG_GROUP}"
        f":log-stream:{stream}"
    )


def run_record(backend: OmicsBackend, run: Run) -> dict[str, Any]:
    """Return GetRun's answer, without the definition that it exports on request."""
    members, status = run.members, run.status
    record: dict[str, Any] = {
        "arn": run.arn,
        "id": run.id,
        "uuid": run.uuid,
        "status": status,
        "runOutputUri": output_uri(run),
        "digest": workflow_digest(run),
        "startedBy": started_by(backend),
        "workflowUuid": stable_uuid(backend, f"workflow/{members['workflowId']}"),
        **{name: value for name, value in members.items() if name in _as_given()},
        **_times(run, run.history[-1]),
        **_storage_capacity(run, run.ended is not None),
        **_configuration(backend, run),
    }
    if members.get("networkingMode") == "VPC":
        record["vpcConfig"] = {
            "securityGroupIds": ["sg-0123456789abcdef0"],
            "subnetIds": ["subnet-0123456789abcdef0"],
            "vpcId": "vpc-0123456789abcdef0",
        }
    if version := (members.get("engineSettings") or {}).get("engineVersion"):
        record["engineVersion"] = version
    if run.entered("RUNNING") is not None and (digests := resource_digests(backend, run)):
        record["resourceDigests"] = digests
    if run.life.uses_gpu:
        record["accelerators"] = "GPU"
    if members["logLevel"] != "OFF":
        record["logLocation"] = {
            "engineLogStream": log_stream_arn(backend, f"run/{run.id}/engine"),
            "runLogStream": log_stream_arn(backend, f"run/{run.id}"),
        }
    if status == "FAILED" and run.reason is not None:
        record["failureReason"] = run.reason
    if status in TERMINAL and run.says is not None:
        record["statusMessage"] = run.says
    return record


def run_item(backend: OmicsBackend, run: Run, entry: Entry) -> dict[str, Any]:
    """Return a run's item in ListRuns, as it was at ``entry``."""
    members = run.members
    ended = run.ended
    return {
        "arn": run.arn,
        "id": run.id,
        "status": entry.status,
        "workflowName": f"workflow-{members['workflowId']}",
        **{name: members[name] for name in _LISTED if name in members},
        **_times(run, entry),
        **_storage_capacity(run, ended is not None and ended.service <= entry.service),
    }


def task_item(task: TaskState) -> dict[str, Any]:
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
        item["startTime"] = max(_millis(task.started), task.created or 0.0)
    if task.stopped is not None:
        item["stopTime"] = max(_millis(task.stopped), item.get("startTime", 0.0), task.created or 0.0)
    return item


def task_record(backend: OmicsBackend, run: Run, task: TaskState) -> dict[str, Any]:
    """Return GetRunTask's answer."""
    record = task_item(task)
    script = task.script
    if run.members["logLevel"] != "OFF" and not script.cache_hit:
        record["logStream"] = log_stream_arn(backend, f"run/{run.id}/task/{task.id}")
    if task.status == "FAILED":
        if script.failure_reason is not None:
            record["failureReason"] = script.failure_reason
        if script.status_message is not None:
            record["statusMessage"] = script.status_message
    image = image_of(backend, script.image)
    record["imageDetails"] = {"image": image, "imageDigest": image_digest(image)}
    return record
