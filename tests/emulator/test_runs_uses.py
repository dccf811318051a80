"""What runs know of their workflow: one that was made here, and one that nobody made."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import botocore.session
import pytest

from airflow_omics.emulator import Emulator
from airflow_omics.emulator.service import runs_uses
from airflow_omics.emulator.service.common.backend import backend_for

from .support import ROLE, aws, refused, start, zipped

MODEL = botocore.session.Session().get_service_model("omics")
HERE = "arn:aws:omics:us-west-2:123456789012:"
US_WEST = {"region_name": "us-west-2"}
WDL = "version 1.0\nworkflow w {\n  input {\n    File reads\n    File index\n    Int n = 2\n  }\n}\n"
has_versions = pytest.mark.skipif(
    "CreateWorkflowVersion" not in MODEL.operation_names, reason="this botocore knows no versions"
)


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


@pytest.fixture(autouse=True)
def _frozen(emulator: Emulator) -> None:
    emulator.freeze()
    emulator.creation("workflow", 0)


def create(client: Any, content: bytes | None = None, **members: Any) -> str:
    content = zipped({"align.wdl": WDL}) if content is None else content
    return str(client.create_workflow(**{"name": "align", "definitionZip": content, **members})["id"])


def manifest(emulator: Emulator, run: Any) -> Any:
    emulator.advance(86_400)
    stream = f"manifest/run/{run['id']}/{run['uuid']}"
    events = aws("logs").get_log_events(logGroupName="/aws/omics/WorkflowLog", logStreamName=stream)["events"]
    return json.loads(events[0]["message"])


def test_a_run_knows_its_workflow(client: Any, emulator: Emulator) -> None:
    content = zipped({"align.wdl": WDL})
    workflow = client.get_workflow(id=create(client, content, accelerators="GPU"))
    run = start(client, workflowId=workflow["id"])
    for _ in range(2):
        record = client.get_run(id=run["id"])
        assert record["digest"] == workflow["digest"] == digest(content)
        assert record["accelerators"] == "GPU"
        assert record.get("workflowUuid") == workflow.get("uuid")
        [item] = client.list_runs()["items"]
        assert item.get("workflowName", "align") == "align"
        # It still does when the workflow is deleted.
        if _ == 0:
            client.delete_workflow(id=workflow["id"])
    lines = manifest(emulator, run)
    assert (lines["engine"], lines["main"], lines["digest"]) == ("WDL", "align.wdl", digest(content))
    assert lines["workflow"] == f"{HERE}workflow/{workflow['id']}"


def test_a_run_keeps_the_workflow_that_it_was_started_with(client: Any, emulator: Emulator) -> None:
    before = start(client)
    emulator.workflow("1234567", name="made", **US_WEST)
    run = start(client)
    made = client.get_workflow(id="1234567")["digest"]
    emulator.workflow("1234567", name="other", engine="CWL", **US_WEST)
    other = client.get_workflow(id="1234567")["digest"]
    digests = [client.get_run(id=each["id"])["digest"] for each in (run, start(client), before)]
    assert digests[:2] == [made, other]
    assert len({made, other, digests[2]}) == 3


def test_the_name_of_a_workflow(client: Any, emulator: Emulator) -> None:
    if "workflowName" not in MODEL.shape_for("RunListItem").members:
        pytest.skip("this botocore does not know workflowName")
    emulator.workflow("77", **US_WEST)
    start(client, workflowId="77")
    start(client, workflowId="78")
    start(client, workflowId="7330987", workflowType="READY2RUN")
    workflow_id = create(client)
    start(client, workflowId=workflow_id)
    client.update_workflow(id=workflow_id, name="align-2")
    names = [item.get("workflowName") for item in client.list_runs()["items"]]
    assert names == [None, "workflow-78", "Emulated germline calling", "align-2"]


@has_versions
def test_a_run_knows_the_version_that_it_names(client: Any, emulator: Emulator) -> None:
    workflow_id = create(client)
    content = zipped({"main.nf": "workflow {}"})
    client.create_workflow_version(workflowId=workflow_id, versionName="2", definitionZip=content)
    run = start(client, workflowId=workflow_id, workflowVersionName="2")
    record = client.get_run(id=run["id"])
    assert (record["digest"], record["workflowVersionName"]) == (digest(content), "2")
    assert record["workflowUuid"] == client.get_workflow(id=workflow_id)["uuid"]
    [item] = client.list_runs()["items"]
    assert (item["workflowName"], item["workflowVersionName"]) == ("align", "2")
    client.delete_workflow(id=workflow_id)
    late = start(client, workflowId=workflow_id, workflowVersionName="2")
    assert client.get_run(id=late["id"])["digest"] != record["digest"]
    assert client.get_run(id=run["id"])["digest"] == record["digest"]
    lines = manifest(emulator, run)
    assert (lines["engine"], lines["main"]) == ("NEXTFLOW", "main.nf")
    assert lines["workflowVersion"] == f"{HERE}workflow/{workflow_id}/version/2"


@has_versions
def test_a_version_that_nobody_made(client: Any, emulator: Emulator) -> None:
    workflow_id = create(client)
    run = start(client, workflowId=workflow_id, workflowVersionName="9")
    assert client.get_run(id=run["id"])["workflowVersionName"] == "9"
    assert client.get_run(id=run["id"])["digest"] != client.get_workflow(id=workflow_id)["digest"]
    emulator.strict()
    says = ("ResourceNotFoundException", 404, f"Version of workflow {workflow_id} 9 not found")
    assert refused(start, client=client, workflowId=workflow_id, workflowVersionName="9") == says


def test_many_runs_at_once_know_it_as_well(client: Any, emulator: Emulator) -> None:
    workflow_id = create(client)
    run_id, _ = emulator.start_runs(2, workflowId=workflow_id, **US_WEST)
    assert client.get_run(id=run_id)["digest"] == client.get_workflow(id=workflow_id)["digest"]


def test_storage_is_the_workflow_s_unless_the_run_says_its_own(client: Any, emulator: Emulator) -> None:
    if "storageType" not in MODEL.operation_model("CreateWorkflow").input_shape.members:
        pytest.skip("this botocore does not know storageType")
    workflow_id = create(client, storageType="STATIC", storageCapacity=2400)

    def storage(**members: Any) -> tuple[Any, Any]:
        record = client.get_run(id=start(client, workflowId=workflow_id, **members)["id"])
        return record["storageType"], record.get("storageCapacity")

    assert storage() == ("STATIC", 2400)
    assert storage(storageCapacity=100) == ("STATIC", 100)
    assert storage(storageType="STATIC") == ("STATIC", 2400)
    assert storage(storageType="DYNAMIC") == ("DYNAMIC", None)
    record = client.get_run(id=start(client, workflowId=create(client))["id"])
    assert (record["storageType"], record.get("storageCapacity")) == ("DYNAMIC", None)


@pytest.mark.parametrize("strict", [False, True])
def test_a_run_needs_a_workflow_that_is_active(strict: bool, client: Any, emulator: Emulator) -> None:
    emulator.strict(strict)
    emulator.creation("workflow", 10, "The registry is closed.")
    workflow_id = create(client, parameterTemplate={"reads": {"optional": True}})
    for status in ("CREATING", "FAILED"):
        says = f"Workflow {workflow_id} is {status}; a run needs one that is ACTIVE"
        assert refused(start, client=client, workflowId=workflow_id) == ("ValidationException", 400, says)
        emulator.advance(10)
    assert client.list_runs()["items"] == []


class TestStrict:
    """What is refused if nobody made it."""

    def test_an_unknown_workflow(self, client: Any, emulator: Emulator) -> None:
        first = start(client)
        emulator.strict()
        says = ("ResourceNotFoundException", 404, "Workflow 1234567 not found")
        assert refused(start, client=client) == says
        assert refused(client.start_run, runId=first["id"], roleArn=ROLE, outputUri="s3://bucket/x") == says
        emulator.workflow("1234567", **US_WEST)
        assert start(client)["status"] == "PENDING"
        emulator.strict(False)
        assert start(client, workflowId="7654321")["status"] == "PENDING"

    def test_an_unknown_ready2run_workflow(self, client: Any, emulator: Emulator) -> None:
        emulator.strict()
        says = ("ResourceNotFoundException", 404, "Workflow 1234567 not found")
        emulator.workflow("1234567", **US_WEST)
        assert refused(start, client=client, workflowType="READY2RUN") == says
        assert refused(start, client=client, workflowId="7330987")[1] == 404
        run = start(
            client, workflowId="7330987", workflowType="READY2RUN", parameters={"inputFASTQ": "s3://a/b"}
        )
        assert client.get_run(id=run["id"])["workflowType"] == "READY2RUN"

    def test_a_shared_workflow(self, client: Any, emulator: Emulator) -> None:
        emulator.strict()
        emulator.workflow("77", account_id="210987654321", **US_WEST)
        assert refused(start, client=client, workflowId="77")[1] == 404
        assert start(client, workflowId="77", workflowOwnerId="210987654321")["status"] == "PENDING"

    def test_parameters_that_are_required(self, client: Any, emulator: Emulator) -> None:
        workflow_id = create(client)
        assert start(client, workflowId=workflow_id)["status"] == "PENDING"
        emulator.strict()
        code, status, message = refused(start, client=client, workflowId=workflow_id, parameters={"n": 1})
        assert (code, status) == ("ValidationException", 400)
        assert message == f"parameters lacks reads, index, which workflow {workflow_id} requires"
        given = {"reads": "s3://a/b", "index": None}
        assert start(client, workflowId=workflow_id, parameters=given)["status"] == "PENDING"
        template = {"cohort": {"description": "Its name"}, "dry": {"description": "", "optional": True}}
        workflow_id = create(client, parameterTemplate=template)
        assert "lacks cohort, which" in refused(start, client=client, workflowId=workflow_id)[2]
        assert start(client, workflowId=workflow_id, parameters={"cohort": "7"})["status"] == "PENDING"

    def test_parameters_in_s3_are_not_looked_at(self, client: Any, emulator: Emulator) -> None:
        emulator.strict()
        # Past the wire: an older botocore does not know parametersUri.
        given = {"workflowId": create(client), "workflowType": "PRIVATE", "parametersUri": "s3://in/p.json"}
        runs_uses.prepare(backend_for("123456789012", "us-west-2"), given)
