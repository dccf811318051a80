"""Versions of workflows, each with a definition of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
import requests
from botocore.config import Config

from airflow_omics.emulator import Emulator, EmulatorServer

from .support import aws, refused, zipped

MODEL = botocore.session.Session().get_service_model("omics")
pytestmark = pytest.mark.skipif(
    "CreateWorkflowVersion" not in MODEL.operation_names, reason="this botocore knows no versions"
)
HERE = "arn:aws:omics:us-west-2:123456789012:"
ZIP = zipped({"main.wdl": "version 1.0\nworkflow w {\n  input {\n    File reads\n  }\n}\n"})


@pytest.fixture(autouse=True)
def _frozen(emulator: Emulator) -> None:
    emulator.freeze()


@pytest.fixture
def workflow_id(client: Any) -> str:
    return str(client.create_workflow(name="align", definitionZip=ZIP, storageCapacity=100)["id"])


def create(client: Any, workflow_id: str, name: str = "1.0.0", **members: Any) -> Any:
    if "definitionUri" not in members:
        members = {"definitionZip": ZIP, **members}
    return client.create_workflow_version(workflowId=workflow_id, versionName=name, **members)


def test_a_version_is_creating_and_then_active(client: Any, emulator: Emulator, workflow_id: str) -> None:
    content = zipped({"main.nf": "workflow {}"})
    made = create(client, workflow_id, definitionZip=content, description="First", tags={"a": "b"})
    del made["ResponseMetadata"]
    assert made == {
        "arn": f"{HERE}workflow/{workflow_id}/version/1.0.0",
        "workflowId": workflow_id,
        "versionName": "1.0.0",
        "status": "CREATING",
        "tags": {"a": "b"},
        "uuid": made["uuid"],
    }
    emulator.advance(2)
    version = client.get_workflow_version(workflowId=workflow_id, versionName="1.0.0", export=["DEFINITION"])
    assert requests.get(version.pop("definition"), timeout=10).content == content
    assert version.pop("creationTime").timestamp() == pytest.approx(emulator.now() - 2, abs=0.01)
    del version["ResponseMetadata"]
    # It inherits nothing from its workflow.
    assert version == {
        **made,
        "status": "ACTIVE",
        "description": "First",
        "digest": "sha256:" + hashlib.sha256(content).hexdigest(),
        "engine": "NEXTFLOW",
        "main": "main.nf",
        "type": "PRIVATE",
    }


def test_a_version_with_a_mistake_fails(client: Any, emulator: Emulator, workflow_id: str) -> None:
    create(client, workflow_id, definitionZip=b"PK")
    create(client, workflow_id, "2", definitionUri="s3://nobodys/w.zip")
    emulator.advance(2)
    for name, says in (
        ("1.0.0", "Invalid zip file"),
        ("2", "Definition s3://nobodys/w.zip cannot be read from S3"),
    ):
        version = client.get_workflow_version(workflowId=workflow_id, versionName=name)
        assert (version["status"], version["statusMessage"]) == ("FAILED", says)
    assert client.get_workflow(id=workflow_id)["status"] == "ACTIVE"


def test_a_version_is_made_once(client: Any, emulator: Emulator, workflow_id: str) -> None:
    create(client, workflow_id, requestId="once")
    assert create(client, workflow_id, requestId="once")["versionName"] == "1.0.0"
    says = f"Workflow {workflow_id} has a version 1.0.0 already"
    call = {"workflowId": workflow_id, "versionName": "1.0.0", "definitionZip": ZIP}
    assert refused(client.create_workflow_version, **call) == ("ConflictException", 409, says)
    other = client.create_workflow(definitionZip=ZIP)["id"]
    assert create(client, other)["versionName"] == "1.0.0"


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({}, "give one of definitionZip, definitionUri, definitionRepository, not none of them"),
        ({"definitionZip": ZIP, "definitionUri": "s3://mine/w.zip"}, "definitionZip and definitionUri"),
        ({"definitionZip": ZIP, "versionName": "-1"}, "'versionName' failed to satisfy constraint"),
        ({"definitionZip": ZIP, "versionName": "v" * 65}, "length less than or equal to 64"),
    ],
)
def test_what_can_be_seen_at_once_is_refused(
    members: dict[str, Any], says: str, workflow_id: str, client: Any
) -> None:
    unchecked = aws(config=Config(parameter_validation=False))
    call = {"workflowId": workflow_id, "versionName": "1", "requestId": "1", **members}
    code, status, message = refused(unchecked.create_workflow_version, **call)
    assert (code, status, says in message) == ("ValidationException", 400, True)
    assert client.list_workflow_versions(workflowId=workflow_id)["items"] == []


def test_versions_are_listed_by_page(client: Any, emulator: Emulator, workflow_id: str) -> None:
    for name in ("1", "2", "3"):
        create(client, workflow_id, name, description=f"Number {name}")
    create(client, client.create_workflow(definitionZip=ZIP)["id"], "elsewhere")
    emulator.advance(2)
    [first, *_] = items = client.list_workflow_versions(workflowId=workflow_id)["items"]
    assert [item["versionName"] for item in items] == ["1", "2", "3"]
    assert {name: first[name] for name in ("arn", "workflowId", "description", "status", "type")} == {
        "arn": f"{HERE}workflow/{workflow_id}/version/1",
        "workflowId": workflow_id,
        "description": "Number 1",
        "status": "ACTIVE",
        "type": "PRIVATE",
    }
    pages = client.get_paginator("list_workflow_versions").paginate(
        workflowId=workflow_id, PaginationConfig={"PageSize": 2}
    )
    assert [[item["versionName"] for item in page["items"]] for page in pages] == [["1", "2"], ["3"]]


def test_a_version_can_be_changed(client: Any, workflow_id: str) -> None:
    create(client, workflow_id, description="Old")
    one = {"workflowId": workflow_id, "versionName": "1.0.0"}
    answer = client.update_workflow_version(**one, description="New", storageType="STATIC", storageCapacity=7)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    version = client.get_workflow_version(**one)
    assert (version["description"], version["storageType"], version["storageCapacity"]) == (
        "New",
        "STATIC",
        7,
    )
    assert client.get_workflow(id=workflow_id)["storageCapacity"] == 100


def test_a_version_that_is_deleted_is_gone(client: Any, workflow_id: str) -> None:
    create(client, workflow_id)
    one = {"workflowId": workflow_id, "versionName": "1.0.0"}
    assert client.delete_workflow_version(**one)["ResponseMetadata"]["HTTPStatusCode"] == 202
    says = ("ResourceNotFoundException", 404, f"Version of workflow {workflow_id} 1.0.0 not found")
    for call in (client.get_workflow_version, client.delete_workflow_version, client.update_workflow_version):
        assert refused(call, **one) == says
    assert client.list_workflow_versions(workflowId=workflow_id)["items"] == []
    assert client.get_workflow(id=workflow_id)["id"] == workflow_id
    assert create(client, workflow_id)["status"] == "CREATING"


def test_versions_go_with_their_workflow(client: Any, workflow_id: str) -> None:
    create(client, workflow_id)
    client.delete_workflow(id=workflow_id)
    says = ("ResourceNotFoundException", 404, f"Workflow {workflow_id} not found")
    one = {"workflowId": workflow_id, "versionName": "1.0.0"}
    for call in (client.get_workflow_version, client.delete_workflow_version, client.update_workflow_version):
        assert refused(call, **one) == says
    assert refused(client.list_workflow_versions, workflowId=workflow_id) == says
    assert refused(client.create_workflow_version, **one, definitionZip=ZIP) == says


def test_versions_have_tags_of_their_own(client: Any, workflow_id: str) -> None:
    made = create(client, workflow_id, tags={"a": "b"})
    client.tag_resource(resourceArn=made["arn"], tags={"c": "d"})
    assert client.list_tags_for_resource(resourceArn=made["arn"])["tags"] == {"a": "b", "c": "d"}
    assert client.get_workflow(id=workflow_id)["tags"] == {}
    code, status, _ = refused(client.list_tags_for_resource, resourceArn=made["arn"] + "x")
    assert (code, status) == ("ResourceNotFoundException", 404)
    code, status, _ = refused(
        client.list_tags_for_resource, resourceArn=f"{HERE}workflow/{workflow_id}/version/"
    )
    assert (code, status) == ("ResourceNotFoundException", 404)


def test_the_versions_of_a_workflow_that_a_test_made(client: Any, emulator: Emulator) -> None:
    emulator.workflow("77", name="made", versions=["1", "2"], region_name="us-west-2")
    items = client.list_workflow_versions(workflowId="77")["items"]
    assert [(item["versionName"], item["status"]) for item in items] == [("1", "ACTIVE"), ("2", "ACTIVE")]
    emulator.workflow("77", versions=["3"], region_name="us-west-2")
    items = client.list_workflow_versions(workflowId="77")["items"]
    assert [item["versionName"] for item in items] == ["3"]


def test_a_ready2run_workflow_has_no_versions(client: Any) -> None:
    ready = {"workflowId": "7330987", "type": "READY2RUN"}
    assert client.list_workflow_versions(**ready)["items"] == []
    code, status, message = refused(client.get_workflow_version, **ready, versionName="1")
    assert (code, status) == ("ResourceNotFoundException", 404)
    assert message == "Version of workflow 7330987 1 not found"
    assert refused(client.list_workflow_versions, workflowId="7330987")[1] == 404


def test_the_versions_of_a_shared_workflow(server: EmulatorServer, connect: Callable[..., Any]) -> None:
    server.control.workflow("77", versions=["1"], account_id="210987654321", region_name="us-west-2")
    shared = {"workflowId": "77", "workflowOwnerId": "210987654321"}
    client = connect()
    assert [item["versionName"] for item in client.list_workflow_versions(**shared)["items"]] == ["1"]
    assert client.get_workflow_version(**shared, versionName="1")["arn"] == (
        "arn:aws:omics:us-west-2:210987654321:workflow/77/version/1"
    )
    assert refused(client.list_workflow_versions, workflowId="77")[1] == 404


def test_a_denial_names_the_version(client: Any, emulator: Emulator) -> None:
    emulator.fault("GetWorkflowVersion", "access-denied")
    code, _, message = refused(client.get_workflow_version, workflowId="77", versionName="1.0")
    assert code == "AccessDeniedException"
    assert f"omics:GetWorkflowVersion on resource: {HERE}workflow/77/version/1.0 " in message
