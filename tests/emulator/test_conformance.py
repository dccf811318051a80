"""Every answer against botocore's model of the service and against recorded public samples."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import botocore.session
import pytest

from airflow_omics.emulator import LIVES, EmulatorServer

from .batches import needs_batches
from .support import ROLE, sample, signed, zipped

MODEL = botocore.session.Session().get_service_model("omics")
# What the service writes, as the AWS CLI's older examples show it: UTC, and 0, 3 or 6 decimals.
WIRE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6})?Z")
# What this botocore knows of GetRun's answer; the oldest supported one lacks a few members.
RECORD = set(MODEL.operation_model("GetRun").output_shape.members)
TYPES = {"string": str, "integer": int, "boolean": bool, "map": dict, "list": list}

# Members that the service has learnt since the samples were recorded.
SINCE_2022 = {"storageType", "workflowName", "workflowVersionName", "batchId"}
SINCE_2023 = {
    "uuid",
    "runOutputUri",
    "logLevel",
    "logLocation",
    "retentionMode",
    "storageType",
    "workflowUuid",
    "resourceDigests",
}


def hold(shape: Any, value: Any, where: str) -> None:
    """Hold a JSON value against a shape of the model."""
    kind = shape.type_name
    if kind == "structure" and not getattr(shape, "is_document_type", False):
        assert isinstance(value, dict), where
        unknown = set(value) - set(shape.members)
        assert not unknown, f"{where} has members the model lacks: {unknown}"
        for name, inner in value.items():
            assert inner is not None, f"{where}.{name} is null; the service leaves members out"
            hold(shape.members[name], inner, f"{where}.{name}")
    elif kind == "timestamp":
        assert WIRE_TIME.fullmatch(value), f"{where}: {value}"
    elif kind == "list":
        for number, inner in enumerate(value):
            hold(shape.member, inner, f"{where}[{number}]")
    elif not getattr(shape, "is_document_type", False):
        assert isinstance(value, TYPES[kind]), f"{where}: {value!r} is no {kind}"
        pattern = shape.metadata.get("pattern", "\\p{")
        # Python has no Unicode classes; the patterns with them let any text through that matters here.
        assert "\\p{" in pattern or re.fullmatch(pattern, value), f"{where}: {value!r}"


class Wire:
    """Raw HTTP to a server, each answer held against the model."""

    def __init__(self, server: EmulatorServer) -> None:
        self.url = server.endpoint_url

    def call(self, operation: str, path: str, body: dict[str, Any] | None = None) -> Any:
        model = MODEL.operation_model(operation)
        data = None if body is None else json.dumps(body).encode()
        with signed(self.url + path, method=model.http["method"], body=data) as response:
            assert response.status == model.http["responseCode"]
            text = response.read()
        if model.output_shape is None or response.status == 204:
            assert text == b""
            return None
        answer = json.loads(text)
        hold(model.output_shape, answer, operation)
        return answer

    def start(self, **members: Any) -> Any:
        return self.call(
            "StartRun",
            "/run",
            {
                "workflowId": "1234567",
                "roleArn": ROLE,
                "outputUri": "s3://omics-outputs/runs",
                "requestId": "one",
                **members,
            },
        )


@pytest.fixture
def wire(server: EmulatorServer) -> Wire:
    server.control.freeze()
    return Wire(server)


@pytest.mark.parametrize("life", sorted(LIVES))
def test_every_answer_of_every_life_fits_the_model(life: str, wire: Wire, server: EmulatorServer) -> None:
    run = wire.start(
        tags={"airflow-omics:life": life}, parameters={"reads": "s3://reads/a.fastq", "n": [1, None]}
    )
    for seconds in (0, 5, 600, 100, 150, 300, 300, 600):
        server.control.advance(seconds)
        for item in wire.call("ListRuns", "/run")["items"]:
            if item["status"] in ("VANISHED", "REUSED"):
                pytest.fail("a word of the script reached the wire")
            wire.call("GetRun", f"/run/{item['id']}?export=DEFINITION")
            for task in wire.call("ListRunTasks", f"/run/{run['id']}/task")["items"]:
                wire.call("GetRunTask", f"/run/{run['id']}/task/{task['taskId']}")


def test_cancel_and_delete_answer_202_with_nothing(wire: Wire, server: EmulatorServer) -> None:
    run = wire.start()
    assert wire.call("CancelRun", f"/run/{run['id']}/cancel", {}) is None
    server.control.advance(60)
    assert wire.call("DeleteRun", f"/run/{run['id']}") is None


WHOLE = {
    "description": "Whole",
    "parameterTemplate": {"reads": {"description": "FASTQ", "optional": False}, "n": {"optional": True}},
    "storageCapacity": 100,
    "accelerators": "GPU",
    "tags": {"a": "b"},
    "requestId": "whole",
    # An older botocore ignores these.
    "storageType": "STATIC",
    "readmeMarkdown": "# Whole",
    "containerRegistryMap": {"imageMappings": [{"sourceImage": "a", "destinationImage": "b"}]},
}
BARE = {"requestId": "bare"}
REPOSITORY = {
    "requestId": "repository",
    "readmePath": "readme/README.md",
    "definitionRepository": {"connectionArn": "arn:aws:x:y:123456789012:z", "fullRepositoryId": "a/b"},
    "definitionUri": "s3://nobodys/definition.zip",
}


def definition(members: dict[str, Any]) -> dict[str, Any]:
    """Return the members of CreateWorkflow with a definition of a workflow with inputs."""
    known = MODEL.operation_model("CreateWorkflow").input_shape.members
    if members is REPOSITORY:
        unknown = "definitionUri" if "definitionRepository" in known else "definitionRepository"
        return {name: value for name, value in members.items() if name != unknown}
    content = zipped({"main.wdl": "version 1.0\nworkflow w {\n  input {\n    File reads\n  }\n}\n"})
    return {"definitionZip": base64.b64encode(content).decode(), **members}


@pytest.mark.parametrize("members", [WHOLE, BARE, REPOSITORY])
def test_every_answer_about_workflows_fits_the_model(
    members: dict[str, Any], wire: Wire, server: EmulatorServer
) -> None:
    made = wire.call("CreateWorkflow", "/workflow", definition(members))
    for seconds in (0, 3):
        server.control.advance(seconds)
        wire.call("GetWorkflow", f"/workflow/{made['id']}?export=DEFINITION")
        assert len(wire.call("ListWorkflows", "/workflow")["items"]) == 1
    tags = f"/tags/{quote(made['arn'], safe='')}"
    assert wire.call("TagResource", tags, {"tags": {"c": "d"}}) is None
    assert wire.call("UntagResource", f"{tags}?tagKeys=a") is None
    assert wire.call("ListTagsForResource", tags) == {"tags": {"c": "d"}}
    assert wire.call("UpdateWorkflow", f"/workflow/{made['id']}", {"name": "new"}) is None
    assert wire.call("DeleteWorkflow", f"/workflow/{made['id']}") is None


@pytest.mark.skipif(
    "CreateWorkflowVersion" not in MODEL.operation_names, reason="this botocore knows no versions"
)
@pytest.mark.parametrize("members", [WHOLE, BARE, REPOSITORY])
def test_every_answer_about_versions_fits_the_model(
    members: dict[str, Any], wire: Wire, server: EmulatorServer
) -> None:
    server.control.workflow("77", region_name="us-west-2")
    path = "/workflow/77/version"
    wire.call("CreateWorkflowVersion", path, {**definition(members), "versionName": "1"})
    for seconds in (0, 3):
        server.control.advance(seconds)
        wire.call("GetWorkflowVersion", f"{path}/1?export=DEFINITION")
        assert len(wire.call("ListWorkflowVersions", path)["items"]) == 1
    assert wire.call("UpdateWorkflowVersion", f"{path}/1", {"description": "New"}) is None
    assert wire.call("DeleteWorkflowVersion", f"{path}/1") is None


def test_every_answer_about_ready2run_workflows_fits_the_model(wire: Wire) -> None:
    for item in wire.call("ListWorkflows", "/workflow?type=READY2RUN")["items"]:
        wire.call("GetWorkflow", f"/workflow/{item['id']}?type=READY2RUN&export=DEFINITION")


@pytest.mark.skipif(
    "CreateConfiguration" not in MODEL.operation_names, reason="this botocore knows no configurations"
)
def test_every_answer_about_configurations_fits_the_model(wire: Wire, server: EmulatorServer) -> None:
    vpc = {"vpcConfig": {"securityGroupIds": ["sg-0"], "subnetIds": ["subnet-0a"]}}
    call = {"name": "lab", "runConfigurations": vpc, "requestId": "1"}
    wire.call("CreateConfiguration", "/configuration", call)
    server.control.workflow("1234567", region_name="us-west-2")
    for seconds in (0, 10):
        server.control.advance(seconds)
        wire.call("GetConfiguration", "/configuration/lab")
        wire.call("ListConfigurations", "/configuration")
    run = wire.start(configurationName="lab", networkingMode="VPC")
    wire.call("GetRun", f"/run/{run['id']}?export=DEFINITION")
    assert wire.call("DeleteConfiguration", "/configuration/lab") is None
    assert wire.call("GetConfiguration", "/configuration/lab")["status"] == "DELETING"


def test_every_answer_about_run_groups_fits_the_model(wire: Wire) -> None:
    limits = {"maxRuns": 1, "maxCpus": 2, "maxGpus": 3, "maxDuration": 4}
    group = wire.call(
        "CreateRunGroup", "/runGroup", {"requestId": "1", "name": "a", "tags": {"b": "c"}, **limits}
    )
    wire.call("CreateRunGroup", "/runGroup", {"requestId": "2"})
    path = f"/runGroup/{group['id']}"
    answer = wire.call("GetRunGroup", path)
    assert set(answer) == set(MODEL.operation_model("GetRunGroup").output_shape.members)
    first, second = wire.call("ListRunGroups", "/runGroup")["items"]
    assert set(first) == set(answer) - {"tags"}
    assert set(second) == {"arn", "id", "creationTime"}
    assert "nextToken" in wire.call("ListRunGroups", "/runGroup?maxResults=1")
    assert wire.call("UpdateRunGroup", path, {"maxRuns": 2}) is None
    assert wire.call("DeleteRunGroup", path) is None


def test_every_answer_about_run_caches_fits_the_model(wire: Wire, server: EmulatorServer) -> None:
    given = {"requestId": "1", "cacheS3Location": "s3://omics-cache", "cacheBehavior": "CACHE_ALWAYS"}
    cache = wire.call(
        "CreateRunCache", "/runCache", {**given, "name": "a", "description": "b", "tags": {"c": "d"}}
    )
    wire.call("CreateRunCache", "/runCache", {"requestId": "2", "cacheS3Location": "s3://omics-cache/x"})
    path = f"/runCache/{cache['id']}"
    answer = wire.call("GetRunCache", path)
    assert set(answer) == set(MODEL.operation_model("GetRunCache").output_shape.members)
    first, second = wire.call("ListRunCaches", "/runCache")["items"]
    assert (
        set(second)
        == set(first) - {"name"}
        == set(answer)
        - {
            "name",
            "tags",
            "description",
            "cacheBucketOwnerId",
        }
    )
    assert wire.call("UpdateRunCache", path, {"cacheBehavior": "CACHE_ON_FAILURE"}) is None
    for request_id in ("3", "4"):
        run = wire.start(requestId=request_id, cacheId=cache["id"], cacheBehavior="CACHE_ALWAYS")
        server.control.advance(86_400)
        wire.call("GetRun", f"/run/{run['id']}")
        for task in wire.call("ListRunTasks", f"/run/{run['id']}/task")["items"]:
            assert task["cacheHit"] is (request_id == "4")
            wire.call("GetRunTask", f"/run/{run['id']}/task/{task['taskId']}")
    assert wire.call("DeleteRunCache", path) is None


def test_start_run_has_the_members_of_the_recorded_sample(wire: Wire) -> None:
    recorded = sample("cli_start_run.json")
    answer = wire.start(
        cacheId="1234567", cacheBehavior="CACHE_ALWAYS", outputUri="s3://demo-bucket/results/"
    )
    assert set(answer) == set(recorded)
    assert (answer["status"], answer["tags"]) == ("PENDING", {})
    assert re.fullmatch(r"\d{7}", answer["id"])
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", answer["uuid"])
    assert answer["arn"] == f"arn:aws:omics:us-west-2:123456789012:run/{answer['id']}"
    assert answer["runOutputUri"] == f"s3://demo-bucket/results/{answer['id']}"


def test_a_completed_run_has_the_members_of_the_recorded_record(wire: Wire, server: EmulatorServer) -> None:
    recorded = sample("get_run_completed.json")
    given = {
        name: recorded[name]
        for name in ("workflowId", "workflowVersionName", "name", "runGroupId", "outputUri")
    }
    run = wire.start(**given, roleArn=recorded["roleArn"], tags={"airflow-omics:life": "completed-on-gpu"})
    server.control.advance(3600)
    answer = wire.call("GetRun", f"/run/{run['id']}")
    assert set(recorded) & RECORD <= set(answer)
    assert set(answer) - set(recorded) == (SINCE_2023 - {"uuid"}) & RECORD
    for name in (*(set(given) & RECORD), "roleArn", "status", "workflowType", "accelerators"):
        assert answer[name] == recorded[name], name
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", answer["digest"])
    assert re.fullmatch(r"arn:aws:sts::123456789012:assumed-role/[^/]+/[^/]+", answer["startedBy"])


def test_a_completed_run_has_the_members_of_the_other_recorded_record(
    wire: Wire, server: EmulatorServer
) -> None:
    recorded = sample("sample_get_run_2023.json")
    run = wire.start(name="test 20230424-101437", parameters={"sentieon_docker": "an image"})
    server.control.advance(3600)
    answer = wire.call("GetRun", f"/run/{run['id']}")
    assert set(recorded) <= set(answer)
    assert set(answer) - set(recorded) == (SINCE_2023 - {"resourceDigests"}) & RECORD
    digests = answer["resourceDigests"]
    assert digests
    for image, digest in digests.items():
        assert re.fullmatch(r"123456789012\.dkr\.ecr\.us-west-2\.amazonaws\.com/[a-z]+:\w+", image)
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest)


def decimals(text: str) -> int:
    """Return how many decimals a time has, in the CLI's old notation or its new one."""
    fraction = re.search(r"\.(\d+)", text)
    digits = fraction[1] if fraction else ""
    return len(digits.removesuffix("000") if "+" in text else digits)


def test_times_have_the_precision_of_the_recorded_ones(wire: Wire, server: EmulatorServer) -> None:
    recorded = sample("get_run_completed.json")
    run = wire.start()
    server.control.advance(3600)
    answer = wire.call("GetRun", f"/run/{run['id']}")
    for name in ("creationTime", "startTime", "stopTime"):
        # One moment in a thousand happens to need fewer decimals.
        assert decimals(answer[name]) <= decimals(recorded[name]), name
    listed = sample("cli_list_runs.json")["items"][0]
    item = wire.call("ListRuns", "/run")["items"][0]
    for name in ("creationTime", "startTime", "stopTime"):
        assert decimals(item[name]) <= decimals(listed[name]), name
        assert WIRE_TIME.fullmatch(listed[name]), "the pattern of this test is the one of the recorded sample"


def test_list_runs_has_the_members_of_the_recorded_items(wire: Wire, server: EmulatorServer) -> None:
    completed, failed, starting = sample("cli_list_runs.json")["items"]
    given = {"name": "cram-to-bam", "storageType": "STATIC", "storageCapacity": 10, "priority": 1}
    wire.start(requestId="1", **given)
    wire.start(requestId="2", **given, tags={"airflow-omics:life": "failed-service-error"})
    server.control.advance(3600)
    wire.start(requestId="3", name="cram-to-bam")
    server.control.advance(10)
    items = wire.call("ListRuns", "/run")["items"]
    for item, recorded in zip(items, (completed, failed, starting), strict=True):
        assert set(recorded) <= set(item)
        assert set(item) - set(recorded) <= SINCE_2022
        assert item["status"] == recorded["status"]
        for name in set(given) & set(recorded):
            assert item[name] == recorded[name]


def test_list_run_tasks_has_the_members_of_the_recorded_items(wire: Wire, server: EmulatorServer) -> None:
    recorded = sample("cli_list_run_tasks.json")["items"][0]
    run = wire.start()
    server.control.advance(3600)
    for item in wire.call("ListRunTasks", f"/run/{run['id']}/task")["items"]:
        assert set(recorded) <= set(item)
        assert set(item) - set(recorded) <= {"gpus", "instanceType", "uuid"}
        for name in ("creationTime", "startTime", "stopTime"):
            assert decimals(item[name]) <= decimals(recorded[name]), name
            assert WIRE_TIME.fullmatch(item[name])


def test_get_run_task_has_the_members_of_the_recorded_task(wire: Wire, server: EmulatorServer) -> None:
    recorded = sample("cli_get_run_task.json")
    run = wire.start()
    server.control.advance(3600)
    task_id = wire.call("ListRunTasks", f"/run/{run['id']}/task")["items"][0]["taskId"]
    answer = wire.call("GetRunTask", f"/run/{run['id']}/task/{task_id}")
    assert set(recorded) <= set(answer)
    assert set(answer) - set(recorded) <= {"uuid", "imageDetails"}
    here = recorded["logStream"].replace("6096280", run["id"]).replace("6657068", task_id)
    assert answer["logStream"] == here
    assert re.fullmatch(r"\d{7}", task_id)


@needs_batches
def test_every_answer_about_a_batch_fits_the_model(wire: Wire, server: EmulatorServer) -> None:
    server.control.batches(fail={"b": "ThrottlingException"}, untried="listed")
    request = {
        "batchName": "cohort",
        "defaultRunSetting": {
            "workflowId": "1234567",
            "roleArn": ROLE,
            "outputUri": "s3://omics-outputs/runs",
            "parameters": {"n": [1, None]},
            "runTags": {"cohort": "7"},
        },
        "batchRunSettings": {"inlineSettings": [{"runSettingId": setting_id} for setting_id in "abc"]},
    }
    batch = wire.call("StartRunBatch", "/runBatch", {**request, "requestId": "one"})
    other = wire.call("StartRunBatch", "/runBatch", {**request, "requestId": "two", "tags": {"a": "b"}})
    for seconds in (0, 6, 30, 1, 2, 600):
        server.control.advance(seconds)
        wire.call("GetBatch", f"/runBatch/{batch['id']}")
        wire.call("ListBatch", "/runBatch?maxItems=1")
        wire.call("ListRunsInBatch", f"/runBatch/{batch['id']}/run")
        wire.call("ListRuns", f"/run?batchId={batch['id']}")
    assert wire.call("CancelRunBatch", "/runBatch/cancel", {"batchId": other["id"]}) == {}
    server.control.advance(3600)
    assert wire.call("GetBatch", f"/runBatch/{batch['id']}")["status"] == "PROCESSED"
    assert wire.call("DeleteRunBatch", "/runBatch/delete", {"batchId": batch["id"]}) == {}
    server.control.advance(60)
    wire.call("ListRunsInBatch", f"/runBatch/{batch['id']}/run")
    assert wire.call("DeleteBatch", f"/runBatch/{batch['id']}") is None


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("throttle", "ThrottlingException", 429),
        ("internal-error", "InternalServerException", 500),
        ("timeout", "RequestTimeoutException", 408),
        ("quota", "ServiceQuotaExceededException", 402),
        ("conflict", "ConflictException", 409),
        ("validation", "ValidationException", 400),
        ("not-found", "ResourceNotFoundException", 404),
        ("access-denied", "AccessDeniedException", 403),
    ],
)
def test_errors_have_the_http_status_of_the_model(
    kind: str, code: str, status: int, server: EmulatorServer, connect: Callable[..., Any]
) -> None:
    declared = next(shape for shape in MODEL.error_shapes if shape.name == code)
    assert declared.metadata["error"]["httpStatusCode"] == status
    server.control.fault("GetRun", kind)
    client = connect()
    with pytest.raises(getattr(client.exceptions, code)) as caught:
        client.get_run(id="1234567")
    metadata = caught.value.response["ResponseMetadata"]
    assert metadata["HTTPStatusCode"] == status
    assert metadata["HTTPHeaders"]["x-amzn-errortype"] == code
    assert re.fullmatch(r"[0-9a-f-]{36}", metadata["RequestId"])
