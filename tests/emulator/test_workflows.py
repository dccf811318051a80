"""Workflows: from CreateWorkflow on, with the definitions that they have or lack."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
import requests
from botocore.config import Config

from airflow_omics.emulator import Emulator, EmulatorServer

from .support import aws, refused, zipped

HERE = "arn:aws:omics:us-west-2:123456789012:"
WDL = "version 1.0\nworkflow w {\n  input {\n    File reads\n    Int n = 2\n  }\n}\n"
ZIP = zipped({"main.wdl": WDL})


@pytest.fixture(autouse=True)
def _frozen(emulator: Emulator) -> None:
    emulator.freeze()


def create(client: Any, **members: Any) -> Any:
    if not {"definitionUri", "definitionRepository"} & set(members):
        members = {"definitionZip": ZIP, **members}
    return client.create_workflow(**members)["id"]


def ended(client: Any, emulator: Emulator, **members: Any) -> Any:
    """Create a workflow and return what GetWorkflow says once it is CREATING no more."""
    workflow_id = create(client, **members)
    emulator.advance(2)
    return client.get_workflow(id=workflow_id)


def knows(client: Any, operation: str, member: str) -> bool:
    return member in client.meta.service_model.operation_model(operation).input_shape.members


def test_a_workflow_is_creating_and_then_active(client: Any, emulator: Emulator) -> None:
    made = client.create_workflow(name="align", definitionZip=ZIP, tags={"team": "7"})
    assert made["arn"] == f"{HERE}workflow/{made['id']}"
    assert (len(made["id"]), made["status"], made["tags"]) == (7, "CREATING", {"team": "7"})
    emulator.advance(1.9)
    early = client.get_workflow(id=made["id"])
    assert early["status"] == "CREATING"
    assert not {"engine", "main", "digest", "parameterTemplate", "statusMessage"} & set(early)
    emulator.advance(0.2)
    workflow = client.get_workflow(id=made["id"])
    assert workflow["status"] == "ACTIVE"
    assert (workflow["engine"], workflow["main"], workflow["type"]) == ("WDL", "main.wdl", "PRIVATE")
    assert workflow["digest"] == "sha256:" + hashlib.sha256(ZIP).hexdigest()
    assert (workflow["name"], workflow["tags"]) == ("align", {"team": "7"})
    assert workflow["creationTime"].timestamp() == pytest.approx(emulator.now() - 2.1, abs=0.01)
    assert workflow.get("uuid") == made.get("uuid")
    assert client.get_waiter("workflow_active").wait(id=made["id"]) is None


def test_everything_that_was_given_is_shown(client: Any, emulator: Emulator) -> None:
    given = {
        "name": "align",
        "description": "Aligns reads",
        "engine": "WDL",
        "main": "main.wdl",
        "parameterTemplate": {"reads": {"description": "FASTQ", "optional": True}},
        "storageCapacity": 2400,
        "accelerators": "GPU",
    }
    if knows(client, "CreateWorkflow", "storageType"):
        given["storageType"] = "STATIC"
    for workflow in (
        client.get_workflow(id=create(client, **given)),
        ended(client, emulator, **given),
    ):
        assert {name: workflow.get(name) for name in given} == given


def test_what_was_not_given_is_not_shown(client: Any, emulator: Emulator) -> None:
    workflow = ended(client, emulator, definitionZip=zipped({"main.nf": "workflow {}"}))
    absent = {"name", "description", "storageType", "storageCapacity", "accelerators", "parameterTemplate"}
    assert not (absent | {"readme", "definition", "metadata", "statusMessage"}) & set(workflow)


@pytest.mark.parametrize(
    ("files", "given", "engine", "main"),
    [
        ({"main.wdl": WDL}, {}, "WDL", "main.wdl"),
        ({"main.nf": ""}, {}, "NEXTFLOW", "main.nf"),
        ({"main.cwl": ""}, {}, "CWL", "main.cwl"),
        ({"align.wdl": WDL, "README.md": ""}, {}, "WDL", "align.wdl"),
        ({"main.wdl": WDL, "tasks.wdl": WDL}, {}, "WDL", "main.wdl"),
        ({"w/main.nf": "", "w/modules/main.nf": ""}, {}, "NEXTFLOW", "w/main.nf"),
        ({"a.wdl": WDL, "b.wdl": WDL}, {"main": "b.wdl"}, "WDL", "b.wdl"),
        ({"a.wdl": WDL}, {"main": "./a.wdl"}, "WDL", "a.wdl"),
        ({"a.wdl": WDL, "b.nf": ""}, {"engine": "NEXTFLOW"}, "NEXTFLOW", "b.nf"),
        ({"a.WDL": WDL}, {"engine": "WDL_LENIENT"}, "WDL_LENIENT", "a.WDL"),
        ({"a.txt": WDL}, {"main": "a.txt", "engine": "WDL"}, "WDL", "a.txt"),
        ({"__MACOSX/main.wdl": "", "a.wdl": WDL}, {}, "WDL", "a.wdl"),
    ],
)
def test_engine_and_main_are_found(
    files: dict[str, str], given: dict[str, Any], engine: str, main: str, emulator: Emulator
) -> None:
    client = aws()
    if engine not in client.meta.service_model.shape_for("WorkflowEngine").enum:
        pytest.skip("this botocore does not know the engine")
    workflow = ended(client, emulator, definitionZip=zipped(files), **given)
    assert (workflow["status"], workflow["engine"], workflow["main"]) == ("ACTIVE", engine, main)


@pytest.mark.parametrize(
    ("content", "given", "says"),
    [
        (b"PK", {}, "Invalid zip file"),
        (WDL.encode(), {}, "Invalid zip file"),
        (ZIP[:40], {}, "Invalid zip file"),
        (ZIP.replace(b"File reads", b"File weeds"), {}, "Invalid zip file"),
        # A version of zip to come, a place before the beginning, and a way to pack that nobody has.
        (ZIP.replace(b"PK\x01\x02\x14\x03\x14", b"PK\x01\x02\x14\x03\xc0"), {}, "Invalid zip file"),
        (ZIP[:-6] + b"\xff\xff\xff\x00\x00\x00", {}, "Invalid zip file"),
        (ZIP.replace(b"\x00\x00\x00\x00!\x00", b"\x63\x00\x00\x00!\x00"), {}, "Invalid zip file"),
        (ZIP, {"main": "other.wdl"}, "Main file other.wdl is not in the definition"),
        (
            ZIP,
            {"main": "main.wdl", "engine": "CWL"},
            "Main file main.wdl is written in WDL, and the engine is CWL",
        ),
        (
            ZIP,
            {"engine": "CWL"},
            "The main file of the definition cannot be found among 1 files: give main, a file of CWL",
        ),
        (
            zipped({"a.wdl": WDL, "b.wdl": WDL}),
            {},
            "The main file of the definition cannot be found among 2 files: give main",
        ),
        (
            zipped({"main.wdl": WDL, "main.nf": ""}),
            {},
            "The main file of the definition cannot be found among 2 files: give main",
        ),
        (zipped({}), {}, "The main file of the definition cannot be found among 0 files: give main"),
        (zipped({"a.txt": ""}), {"main": "a.txt"}, "The engine of main file a.txt is unknown: give engine"),
    ],
)
def test_a_definition_with_a_mistake_fails(
    content: bytes, given: dict[str, Any], says: str, client: Any, emulator: Emulator
) -> None:
    workflow_id = create(client, definitionZip=content, **given)
    early = client.get_workflow(id=workflow_id)
    assert (early["status"], "statusMessage" in early) == ("CREATING", False)
    emulator.advance(2)
    workflow = client.get_workflow(id=workflow_id)
    assert (workflow["status"], workflow["statusMessage"]) == ("FAILED", says)
    assert "digest" not in workflow
    assert {name: workflow.get(name) for name in given} == given


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (WDL, {"reads": {"optional": False}, "n": {"optional": True}}),
        ("workflow w {\n}\n", None),
        ("task t {\n  input {\n    File f\n  }\n}\n", None),
        ("workflow w {\n  call t {\n    input:\n      f = 1\n  }\n  call u { input { File x } }\n}\n", None),
        (
            'version 1.0\n# workflow x {\nworkflow w {\n  meta { a: "b {" }\n'
            "  input {\n    File? maybe # File not\n"
            '    Array[Array[File]+]+ many\n    Map[String, Int] map = {\n      "a": 1,\n    }\n'
            '    String s = "File x = 1"\n    Object? o\n    MyStruct it\n  }\n  File late = "x"\n}\n',
            {
                "maybe": {"optional": True},
                "many": {"optional": False},
                "map": {"optional": True},
                "s": {"optional": True},
                "o": {"optional": True},
                "it": {"optional": False},
            },
        ),
    ],
)
def test_the_inputs_of_wdl_are_its_parameter_template(
    text: str, expected: dict[str, Any] | None, client: Any, emulator: Emulator
) -> None:
    workflow = ended(client, emulator, definitionZip=zipped({"main.wdl": text}))
    assert (workflow["status"], workflow.get("parameterTemplate")) == ("ACTIVE", expected)


class TestFromS3:
    """A definition in the emulator's own S3."""

    @pytest.fixture
    def uri(self, emulator: Emulator) -> str:
        s3 = aws("s3")
        s3.create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
        s3.put_object(Bucket="mine", Key="some/w.zip", Body=ZIP)
        s3.put_object(Bucket="mine", Key="README.md", Body=b"# From S3")
        return "s3://mine/some/w.zip"

    def test_it_is_read(self, uri: str, client: Any, emulator: Emulator) -> None:
        workflow = ended(client, emulator, definitionUri=uri)
        assert (workflow["status"], workflow["main"]) == ("ACTIVE", "main.wdl")
        assert workflow["digest"] == "sha256:" + hashlib.sha256(ZIP).hexdigest()

    @pytest.mark.parametrize("uri_of_none", ["s3://mine/some/other.zip", "s3://nobodys/some/w.zip"])
    def test_one_that_is_not_there_fails(
        self, uri_of_none: str, uri: str, client: Any, emulator: Emulator
    ) -> None:
        workflow = ended(client, emulator, definitionUri=uri_of_none)
        expected = f"Definition {uri_of_none} cannot be read from S3"
        assert (workflow["status"], workflow["statusMessage"]) == ("FAILED", expected)

    def test_its_bucket_must_be_the_owner_s(self, uri: str, client: Any, emulator: Emulator) -> None:
        if not knows(client, "CreateWorkflow", "workflowBucketOwnerId"):
            pytest.skip("this botocore does not know workflowBucketOwnerId")
        for owner, status in (("123456789012", "ACTIVE"), ("210987654321", "FAILED")):
            workflow = ended(client, emulator, definitionUri=uri, workflowBucketOwnerId=owner)
            assert workflow["status"] == status

    @pytest.mark.parametrize("wrong", ["https://mine/w.zip", "s3://mine", "s3://mine/", "s3://m/w.zip"])
    def test_what_is_no_uri_of_an_object_is_refused(self, wrong: str, client: Any) -> None:
        expected = f"definitionUri {wrong!r} is not the S3 URI of an object"
        assert refused(client.create_workflow, definitionUri=wrong) == ("ValidationException", 400, expected)

    def test_a_readme_is_kept(self, uri: str, client: Any, emulator: Emulator) -> None:
        if not knows(client, "CreateWorkflow", "readmeUri"):
            pytest.skip("this botocore does not know readmeUri")
        workflow = ended(client, emulator, definitionUri=uri, readmeUri="s3://mine/README.md")
        assert requests.get(workflow["readme"], timeout=10).text == "# From S3"
        workflow = ended(client, emulator, definitionUri=uri, readmeUri="s3://mine/none.md")
        assert "readme" not in workflow


def test_a_readme_is_kept_and_changed(client: Any, emulator: Emulator) -> None:
    if not knows(client, "CreateWorkflow", "readmeMarkdown"):
        pytest.skip("this botocore does not know readmeMarkdown")
    workflow = ended(client, emulator, readmeMarkdown="# Align")
    assert requests.get(workflow["readme"], timeout=10).text == "# Align"
    client.update_workflow(id=workflow["id"], readmeMarkdown="# Align again")
    assert requests.get(workflow["readme"], timeout=10).text == "# Align again"
    bare = ended(client, emulator)
    client.update_workflow(id=bare["id"], readmeMarkdown="# New")
    assert requests.get(client.get_workflow(id=bare["id"])["readme"], timeout=10).text == "# New"
    says = "give one of readmeMarkdown, readmeUri, readmePath, not readmeMarkdown and readmePath"
    call = {"definitionZip": ZIP, "readmeMarkdown": "a", "readmePath": "b.md"}
    assert refused(client.create_workflow, **call) == ("ValidationException", 400, says)


def test_a_repository_cannot_be_reached(client: Any, emulator: Emulator) -> None:
    if not knows(client, "CreateWorkflow", "definitionRepository"):
        pytest.skip("this botocore does not know definitionRepository")
    repository = {
        "connectionArn": "arn:aws:codeconnections:us-west-2:123456789012:connection/x",
        "fullRepositoryId": "nf-core/demo",
        "sourceReference": {"type": "TAG", "value": "1.0"},
        "excludeFilePatterns": ["*.md"],
    }
    workflow = ended(client, emulator, definitionRepository=repository)
    assert workflow["status"] == "FAILED"
    assert workflow["statusMessage"].startswith("Repository nf-core/demo cannot be reached: ")
    del repository["excludeFilePatterns"]
    assert workflow["definitionRepositoryDetails"] == repository
    unchecked = aws(config=Config(parameter_validation=False))
    del repository["connectionArn"]
    _, _, message = refused(unchecked.create_workflow, definitionRepository=repository, requestId="1")
    assert "Value null at 'definitionRepository.connectionArn' failed to satisfy" in message
    repository["connectionArn"] = "arn:aws:x:y:123456789012:z"
    code, _, message = refused(client.create_workflow, definitionRepository=repository, definitionZip=ZIP)
    assert (code, message.endswith("not definitionZip and definitionRepository")) == (
        "ValidationException",
        True,
    )


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({}, "give one of definitionZip, definitionUri, definitionRepository, not none of them"),
        (
            {"definitionZip": ZIP, "definitionUri": "s3://mine/w.zip"},
            "definitionUri, definitionRepository, not definitionZip and definitionUri",
        ),
        ({"definitionZip": ZIP, "parameterTemplate": ["reads"]}, "'parameterTemplate' failed to satisfy"),
        (
            {"definitionZip": ZIP, "parameterTemplate": {"reads": "FASTQ"}},
            "at 'parameterTemplate.reads.member' failed to satisfy constraint: Member must be of type struc",
        ),
        (
            {"definitionZip": ZIP, "parameterTemplate": {"reads": {"description": "d" * 257}}},
            "at 'parameterTemplate.reads.member.description' failed to satisfy constraint: Member must have",
        ),
        (
            {"definitionZip": ZIP, "parameterTemplate": {"reads": {"optional": "no"}}},
            "'parameterTemplate.reads.member.optional' failed to satisfy constraint: Member must be of type",
        ),
        ({"definitionZip": ZIP, "parameterTemplate": {}}, "greater than or equal to 1"),
        ({"definitionZip": ZIP, "name": "n" * 129}, "at 'name' failed to satisfy constraint"),
        ({"definitionZip": ZIP, "engine": "SNAKEMAKE"}, "enum value set: [WDL, NEXTFLOW, CWL"),
        ({"definitionZip": ZIP, "storageCapacity": 100_001}, "less than or equal to 100000"),
        ({"definitionZip": ZIP, "tags": {"aws:x": "y"}}, "reserved for AWS"),
    ],
)
def test_what_can_be_seen_at_once_is_refused(members: dict[str, Any], says: str, emulator: Emulator) -> None:
    client = aws(config=Config(retries={"total_max_attempts": 1}))
    body = json.dumps({"requestId": "1", **members}, default=lambda content: b64encode(content).decode())
    # botocore itself would refuse some, and could not write others.
    client.meta.events.register(
        "before-call.omics.CreateWorkflow", lambda params, **_: params.update(body=body.encode())
    )
    code, status, message = refused(client.create_workflow)
    assert (code, status) == ("ValidationException", 400)
    assert says in message
    assert client.list_workflows()["items"] == []


def test_a_zip_that_is_not_base64_is_refused(client: Any) -> None:
    client.meta.events.register(
        "before-call.omics.CreateWorkflow",
        lambda params, **_: params.update(body=b'{"requestId": "1", "definitionZip": "no base64!"}'),
    )
    says = "Value at 'definitionZip' is not base64"
    assert refused(client.create_workflow, definitionZip=ZIP) == ("SerializationException", 400, says)


@pytest.mark.parametrize("of", ["workflow", "run"])
def test_the_definition_can_be_fetched(of: str, server: EmulatorServer, connect: Callable[..., Any]) -> None:
    client = connect()
    content = zipped({"align.wdl": WDL, "tasks/sort.wdl": WDL})
    workflow_id = create(client, definitionZip=content, main="align.wdl")
    server.control.freeze()
    server.control.advance(2)
    if of == "workflow":
        assert "definition" not in client.get_workflow(id=workflow_id)
        url = client.get_workflow(id=workflow_id, export=["DEFINITION"])["definition"]
    else:
        run = client.start_run(
            workflowId=workflow_id, roleArn="arn:aws:iam::123456789012:role/x", outputUri="s3://bucket/x"
        )
        client.delete_workflow(id=workflow_id)
        url = client.get_run(id=run["id"], export=["DEFINITION"])["definition"]
    assert url.startswith(f"{server.endpoint_url}/")
    assert len(url) <= 256
    with urllib.request.urlopen(url, timeout=10) as response:
        assert response.read() == content


def test_the_definition_can_be_fetched_in_process(client: Any, emulator: Emulator) -> None:
    url = client.get_workflow(id=create(client), export=["DEFINITION"])["definition"]
    assert url.split("/")[2].endswith(".s3.us-west-2.amazonaws.com")
    assert len(url) <= 256
    assert requests.get(url, timeout=10).content == ZIP


def test_workflows_are_listed_by_name_and_page(client: Any, emulator: Emulator) -> None:
    ids = [create(client, name=f"w{number % 2}") for number in range(5)]
    emulator.advance(2)
    items = client.list_workflows()["items"]
    assert [item["id"] for item in items] == ids
    assert {item["type"] for item in items} == {"PRIVATE"}
    assert {item["digest"] for item in items} == {"sha256:" + hashlib.sha256(ZIP).hexdigest()}
    assert set(items[0]) == {"arn", "id", "name", "status", "type", "digest", "creationTime"}
    found = client.list_workflows(name="w1", type="PRIVATE")["items"]
    assert [item["id"] for item in found] == [ids[1], ids[3]]
    assert client.list_workflows(name="w")["items"] == []
    pages = client.get_paginator("list_workflows").paginate(PaginationConfig={"PageSize": 2})
    assert [[item["id"] for item in page["items"]] for page in pages] == [ids[:2], ids[2:4], ids[4:]]
    first = client.list_workflows(maxResults=1)
    client.delete_workflow(id=ids[0])
    rest = client.list_workflows(startingToken=first["nextToken"])["items"]
    assert [item["id"] for item in rest] == ids[1:]


def test_a_workflow_can_be_changed(client: Any, emulator: Emulator) -> None:
    workflow = ended(client, emulator, name="old", description="Old")
    assert client.update_workflow(id=workflow["id"], name="new")["ResponseMetadata"]["HTTPStatusCode"] == 202
    after = client.get_workflow(id=workflow["id"])
    assert (after["name"], after["description"]) == ("new", "Old")
    assert client.list_workflows(name="new")["items"][0]["id"] == workflow["id"]
    if knows(client, "UpdateWorkflow", "storageType"):
        client.update_workflow(id=workflow["id"], storageType="STATIC", storageCapacity=100)
        after = client.get_workflow(id=workflow["id"])
        assert (after["storageType"], after["storageCapacity"]) == ("STATIC", 100)
    assert after["digest"] == workflow["digest"]


def test_a_workflow_that_is_deleted_is_gone(client: Any) -> None:
    workflow_id = create(client)
    assert client.delete_workflow(id=workflow_id)["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert client.list_workflows()["items"] == []
    says = ("ResourceNotFoundException", 404, f"Workflow {workflow_id} not found")
    for call in (client.get_workflow, client.delete_workflow, client.update_workflow):
        assert refused(call, id=workflow_id) == says
    arn = f"{HERE}workflow/{workflow_id}"
    assert refused(client.list_tags_for_resource, resourceArn=arn) == says


def test_workflows_have_tags(client: Any) -> None:
    made = client.create_workflow(definitionZip=ZIP, tags={"a": "b"})
    client.tag_resource(resourceArn=made["arn"], tags={"c": "d"})
    assert client.get_workflow(id=made["id"])["tags"] == {"a": "b", "c": "d"}
    client.untag_resource(resourceArn=made["arn"], tagKeys=["a"])
    assert client.list_tags_for_resource(resourceArn=made["arn"])["tags"] == {"c": "d"}


def test_a_repeated_request_id_makes_one(client: Any, emulator: Emulator) -> None:
    first = client.create_workflow(definitionZip=ZIP, requestId="once")
    emulator.advance(2)
    again = client.create_workflow(definitionZip=ZIP, requestId="once")
    assert (again["id"], again["status"]) == (first["id"], "ACTIVE")
    assert len(client.list_workflows()["items"]) == 1
    emulator.repeat_request_id("conflict")
    code, _, message = refused(client.create_workflow, definitionZip=ZIP, requestId="once")
    assert (code, message) == ("ConflictException", "A workflow with requestId once already exists")


def test_workflows_are_of_an_account_and_region(connect: Callable[..., Any]) -> None:
    client = connect()
    workflow_id = create(client)
    assert refused(connect(region_name="us-east-1").get_workflow, id=workflow_id)[:2] == (
        "ResourceNotFoundException",
        404,
    )


def test_a_shared_workflow_is_read_by_its_owner_s_id(
    server: EmulatorServer, connect: Callable[..., Any]
) -> None:
    server.control.workflow("77", name="theirs", account_id="210987654321", region_name="us-west-2")
    client = connect()
    shared = {"id": "77", "workflowOwnerId": "210987654321"}
    assert refused(client.get_workflow, id="77")[:2] == ("ResourceNotFoundException", 404)
    workflow = client.get_workflow(**shared)
    assert workflow["arn"] == "arn:aws:omics:us-west-2:210987654321:workflow/77"
    code, _, message = refused(client.get_workflow, **shared, export=["DEFINITION"])
    assert (code, message) == (
        "ValidationException",
        "Workflow 77 is shared, and its definition cannot be exported",
    )


class TestReady2Run:
    """Workflows of AWS's own; those of the emulator are made up, and say so."""

    def test_they_are_listed_if_they_are_asked_for(self, client: Any) -> None:
        create(client, name="mine")
        items = client.list_workflows(type="READY2RUN")["items"]
        assert {item["arn"] for item in items} == {
            f"arn:aws:omics:us-west-2::workflow/{number}" for number in (7330987, 7709200, 9500764)
        }
        assert {item["type"] for item in items} == {"READY2RUN"}
        assert all("Emulated" in item["name"] for item in items)
        assert [item["name"] for item in client.list_workflows()["items"]] == ["mine"]
        pages = client.get_paginator("list_workflows").paginate(
            type="READY2RUN", PaginationConfig={"PageSize": 2}
        )
        assert [len(page["items"]) for page in pages] == [2, 1]
        [one] = client.list_workflows(type="READY2RUN", name="Emulated germline calling")["items"]
        assert one["id"] == "7330987"

    def test_one_is_found_by_its_type(self, client: Any) -> None:
        workflow = client.get_workflow(id="7330987", type="READY2RUN")
        assert (workflow["status"], workflow["type"], workflow["engine"]) == ("ACTIVE", "READY2RUN", "WDL")
        assert workflow["description"].startswith("Made up by the emulator")
        assert "definition" not in client.get_workflow(id="7330987", type="READY2RUN", export=["DEFINITION"])
        says = ("ResourceNotFoundException", 404, "Workflow 7330987 not found")
        assert refused(client.get_workflow, id="7330987") == says
        assert refused(client.get_workflow, id="7330987", type="PRIVATE") == says
        mine = create(client)
        assert refused(client.get_workflow, id=mine, type="READY2RUN")[0] == "ResourceNotFoundException"
        assert refused(client.delete_workflow, id="7330987") == says


class TestControls:
    """What a test can say of workflows without a request."""

    @pytest.mark.parametrize("failure", [None, "The registry is closed."])
    def test_creation(self, failure: str | None, client: Any, emulator: Emulator) -> None:
        before = create(client)
        emulator.creation("workflow", 600, failure)
        workflow_id = create(client)
        emulator.advance(599)
        assert client.get_workflow(id=before)["status"] == "ACTIVE"
        assert client.get_workflow(id=workflow_id)["status"] == "CREATING"
        emulator.advance(1)
        workflow = client.get_workflow(id=workflow_id)
        assert workflow["status"] == ("ACTIVE" if failure is None else "FAILED")
        assert workflow.get("statusMessage") == failure
        emulator.reset()
        emulator.freeze()
        assert ended(client, emulator)["status"] == "ACTIVE"

    def test_a_mistake_in_the_definition_comes_first(self, client: Any, emulator: Emulator) -> None:
        emulator.creation("workflow", 0, "The registry is closed.")
        workflow_id = create(client, definitionZip=b"PK")
        assert client.get_workflow(id=workflow_id)["statusMessage"] == "Invalid zip file"

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("run", 2), "kind is 'run'; give one of workflow, configuration"),
            ((["workflow"], 2), r"kind is \['workflow'\]; give one of workflow, configuration"),
            (("workflow", -1), "seconds is -1; give a number from 0 to 86400"),
            (("workflow", 86_401), "seconds is 86401; give a number from 0 to 86400"),
            (("workflow", float("nan")), "seconds is nan; give a number from 0 to 86400"),
            (("workflow", "2"), "seconds is '2'; give a number from 0 to 86400"),
            (("workflow", 2, ""), "failure is ''; give a sentence, or None for no failure"),
            (("workflow", 2, True), "failure is True; give a sentence, or None for no failure"),
        ],
    )
    def test_a_wrong_creation_is_refused(
        self, arguments: tuple[Any, ...], says: str, emulator: Emulator
    ) -> None:
        with pytest.raises(ValueError, match=f"^{says}$"):
            emulator.creation(*arguments)

    @pytest.mark.parametrize(
        ("engine", "main"),
        [("WDL", "main.wdl"), ("NEXTFLOW", "main.nf"), ("CWL", "main.cwl"), ("WDL_LENIENT", "main.wdl")],
    )
    def test_a_workflow_without_a_request(
        self, engine: str, main: str, client: Any, emulator: Emulator
    ) -> None:
        template = {"reads": {"description": "FASTQ"}}
        emulator.creation("workflow", 600, "Not for those that are made by a control.")
        emulator.workflow(
            "1234567", name="made", engine=engine, parameter_template=template, region_name="us-west-2"
        )
        workflow = client.get_workflow(id="1234567", export=["DEFINITION"])
        assert (workflow["status"], workflow["name"]) == ("ACTIVE", "made")
        assert (workflow["engine"], workflow["main"]) == (engine, main)
        assert workflow["parameterTemplate"] == template
        content = requests.get(workflow["definition"], timeout=10).content
        assert workflow["digest"] == "sha256:" + hashlib.sha256(content).hexdigest()

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            ({"workflow_id": "align"}, "workflow_id is 'align'; ids of workflows are up to 18 digits"),
            ({"workflow_id": "1" * 19}, "ids of workflows are up to 18 digits, such as '1234567'"),
            ({"engine": "SNAKEMAKE"}, "engine is 'SNAKEMAKE'; give one of WDL, NEXTFLOW, CWL, WDL_LENIENT"),
            ({"parameter_template": ["reads"]}, r"parameter_template is \['reads'\]; give a dict such as"),
            (
                {"parameter_template": {"reads": "x"}},
                "parameter_template is {'reads': 'x'}; give a dict such as",
            ),
            ({"versions": "1.0.0"}, r"versions is '1.0.0'; give a list of names such as \['1.0.0'\]"),
            ({"versions": ["a b"]}, r"versions is \['a b'\]; give a list of names such as \['1.0.0'\]"),
            ({"versions": 1}, r"versions is 1; give a list of names such as \['1.0.0'\]"),
            ({"name": 7}, "name is 7; give a text of 1 to 128 characters"),
        ],
    )
    def test_a_wrong_workflow_is_refused(
        self, arguments: dict[str, Any], says: str, emulator: Emulator
    ) -> None:
        with pytest.raises(ValueError, match=says):
            emulator.workflow(**{"workflow_id": "1234567", **arguments})


def test_a_denial_names_the_workflow(client: Any, emulator: Emulator) -> None:
    emulator.fault("GetWorkflow", "access-denied")
    code, _, message = refused(client.get_workflow, id="77")
    assert code == "AccessDeniedException"
    assert f"omics:GetWorkflow on resource: {HERE}workflow/77 " in message
