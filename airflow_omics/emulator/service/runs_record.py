"""What the service shows of runs: dicts in the API's own terms, times as seconds since the epoch.

A member is present only if the service would have it. What the installed botocore does not know is left out
later, when the answer is written.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from airflow_omics.emulator.lives.run import Entry, Run
from airflow_omics.emulator.lives.script import TERMINAL
from airflow_omics.emulator.service.configurations import VPC_ID
from airflow_omics.emulator.service.runs_uses import input_uris, uses_of
from airflow_omics.emulator.wire import names
from airflow_omics.emulator.wire.model import service_model
from airflow_omics.emulator.wire.names import Place

# What GetRun shows of storageCapacity depends on the run, and not on what was given alone.
_NOT_AS_GIVEN = frozenset({"storageCapacity"})
_LISTED = ["workflowId", "batchId", "name", "priority", "storageType", "workflowVersionName"]


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


def to_millis(moment: float) -> float:
    """Return a moment cut down to milliseconds.

    In every recorded answer ``startTime`` has milliseconds, ``creationTime`` and ``stopTime`` microseconds.
    """
    return math.floor(moment * 1000) / 1000


def _times(run: Run, entry: Entry) -> dict[str, float]:
    times = {"creationTime": run.created.reported}
    started, ended = run.entered("RUNNING"), run.ended
    if started is not None and started.service <= entry.service:
        times["startTime"] = max(to_millis(started.reported), run.created.reported)
    if ended is not None and ended.service <= entry.service:
        times["stopTime"] = max(ended.reported, times.get("startTime", 0.0))
    return times


def _storage_capacity(run: Run, ended: bool) -> dict[str, int]:
    if run.members.get("storageType") == "DYNAMIC":
        return {"storageCapacity": run.life.storage_gib} if ended and run.life.storage_gib else {}
    return {"storageCapacity": run.members["storageCapacity"]} if "storageCapacity" in run.members else {}


def _configuration(place: Place, run: Run) -> dict[str, Any]:
    name = run.members.get("configurationName")
    if name is None:
        return {}
    made = uses_of(run).configuration
    arn = names.arn(place, "configuration", name)
    uuid = names.stable_uuid(place, "configuration", name) if made is None else made.uuid
    return {"configuration": {"name": name, "arn": arn, "uuid": uuid}}


def _vpc_config(place: Place, run: Run) -> dict[str, Any]:
    made = uses_of(run).configuration
    if made is not None:
        return made.vpc_config(place.account_id)
    return {
        "securityGroupIds": ["sg-0123456789abcdef0"],
        "subnetIds": ["subnet-0123456789abcdef0"],
        "vpcId": VPC_ID,
    }


def started_run(place: Place, run: Run) -> dict[str, Any]:
    """Return StartRun's answer."""
    answer = {
        "arn": run.arn,
        "id": run.id,
        "status": run.status,
        "tags": run.members["tags"],
        "uuid": run.uuid,
        "runOutputUri": output_uri(run),
        **_configuration(place, run),
    }
    if "networkingMode" in run.members:
        answer["networkingMode"] = run.members["networkingMode"]
    return answer


def resource_digests(place: Place, run: Run) -> dict[str, str]:
    """Return the digests of inputs and images, as the service records them when it imports.

    An input that is in the emulator's S3 when the run starts has its ETag; that of another is made up.
    """
    digests: dict[str, str] = {}
    for uri in input_uris(run.members.get("parameters")):
        digests[uri] = f"etag:{run.inputs[uri]}" if uri in run.inputs else names.etag(uri)
    for task in run.life.tasks:
        image = names.image_uri(place, task.image)
        digests[image] = names.sha256(image)
    return digests


def workflow_digest(run: Run) -> str:
    """Return the digest of the workflow's definition; a stand-in for one that nobody made here."""
    defined = uses_of(run).defined
    digest = None if defined is None else defined.definition.digest
    return digest or names.sha256(f"workflow/{run.members['workflowId']}")


def workflow_name(run: Run) -> str | None:
    """Return the name of a run's workflow, if it has one; a stand-in for one that nobody made here."""
    workflow = uses_of(run).workflow
    return f"workflow-{run.members['workflowId']}" if workflow is None else workflow.name


def _workflow_uuid(place: Place, run: Run) -> str:
    workflow = uses_of(run).workflow
    return (
        names.stable_uuid(place, "workflow", run.members["workflowId"]) if workflow is None else workflow.uuid
    )


def run_record(place: Place, run: Run) -> dict[str, Any]:
    """Return GetRun's answer, without the definition that it exports on request."""
    members, status = run.members, run.status
    record: dict[str, Any] = {
        "arn": run.arn,
        "id": run.id,
        "uuid": run.uuid,
        "status": status,
        "runOutputUri": output_uri(run),
        "digest": workflow_digest(run),
        "startedBy": names.principal(place),
        "workflowUuid": _workflow_uuid(place, run),
        **{name: value for name, value in members.items() if name in _as_given()},
        **_times(run, run.history[-1]),
        **_storage_capacity(run, run.ended is not None),
        **_configuration(place, run),
    }
    if members.get("networkingMode") == "VPC":
        record["vpcConfig"] = _vpc_config(place, run)
    if version := (members.get("engineSettings") or {}).get("engineVersion"):
        record["engineVersion"] = version
    if run.entered("RUNNING") is not None and (digests := resource_digests(place, run)):
        record["resourceDigests"] = digests
    defined = uses_of(run).defined
    if run.life.uses_gpu or (defined is not None and defined.members.get("accelerators")):
        record["accelerators"] = "GPU"
    if members["logLevel"] != "OFF":
        record["logLocation"] = {
            "engineLogStream": names.log_stream_arn(place, f"run/{run.id}/engine"),
            "runLogStream": names.log_stream_arn(place, f"run/{run.id}"),
        }
    if status == "FAILED" and run.reason is not None:
        record["failureReason"] = run.reason
    if status in TERMINAL and run.says is not None:
        record["statusMessage"] = run.says
    return record


def run_item(run: Run, entry: Entry) -> dict[str, Any]:
    """Return a run's item in ListRuns, as it was at ``entry``."""
    members = run.members
    ended, name = run.ended, workflow_name(run)
    return {
        "arn": run.arn,
        "id": run.id,
        "status": entry.status,
        **({} if name is None else {"workflowName": name}),
        **{name: members[name] for name in _LISTED if name in members},
        **_times(run, entry),
        **_storage_capacity(run, ended is not None and ended.service <= entry.service),
    }
