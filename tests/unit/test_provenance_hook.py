"""OmicsHook.provenance: what made a run's outputs, with what GetWorkflow says of its workflow."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from botocore.exceptions import ClientError

from airflow_omics.hooks import OmicsHook
from airflow_omics.provenance import Comparison, compare, provenance_of, to_json
from tests.support.batches import counting, needs_batches, settings, start_batch
from tests.support.start_operators import StartTask

pytestmark = pytest.mark.any_airflow

SCHEMAS = Path(__file__).parents[2] / "docs" / "reference" / "schemas"
VALIDATOR = jsonschema.Draft202012Validator(json.loads((SCHEMAS / "provenance-1.json").read_text()))
MARKER = "patient-4711-marker"
WORKFLOW = "7654321"
READS = "s3://bucket/reads.fastq.gz"

MEMBERS = OmicsHook.start_run_members("GetRunResponse")
reads_all = pytest.mark.skipif(
    not {"engineVersion", "networkingMode", "workflowVersionName", "workflowUuid"} <= set(MEMBERS),
    reason="this botocore does not read all of GetRun: see test_what_an_older_botocore_has_not_read...",
)


@pytest.fixture
def hook(omics: Any) -> OmicsHook:
    return OmicsHook(aws_conn_id="aws_default")


def completed(omics: Any, hook: OmicsHook, **members: Any) -> Any:
    given = {"workflowId": WORKFLOW, "parameters": {"reads": READS, "who": MARKER}, **members}
    [run_id] = omics.start_runs(1, life="completed", **given)
    omics.advance(20_000)
    return hook.get_run(run_id)


def made(hook: OmicsHook, record: Any, **arguments: Any) -> dict[str, Any]:
    manifest = hook.provenance(record, **arguments)
    VALIDATOR.validate(manifest)
    assert MARKER not in to_json(manifest)
    return manifest


@pytest.mark.parametrize("wrong", [None, "1234567", 7, {}])
def test_what_is_no_record_is_refused(hook: OmicsHook, wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"^record is a .*; it takes a run's record"):
        hook.provenance(wrong)


def test_a_batchs_record_is_refused_without_a_call(omics: Any, hook: OmicsHook) -> None:
    requests = counting(omics)
    with pytest.raises(ValueError, match=r"^record is a batch's; "):
        hook.provenance({"id": "7", "workflowId": WORKFLOW, "runSummary": {}})
    assert requests() == {}


@reads_all
def test_a_run_of_a_workflow(omics: Any, hook: OmicsHook) -> None:
    omics.workflow(WORKFLOW, engine="CWL")
    record = completed(omics, hook)
    requests = counting(omics)
    manifest = made(hook, record)
    assert requests() == {"GetWorkflow": 1}
    workflow = hook.get_workflow(WORKFLOW)
    assert manifest["madeBy"]["engine"] == {"name": "CWL", "main": workflow["main"]}
    assert manifest["madeBy"]["definition"] == {
        "digest": record["digest"],
        "workflowDigest": workflow["digest"],
    }
    assert manifest["madeBy"]["inputs"] == {READS: record["resourceDigests"][READS]}
    assert len(manifest["madeBy"]["images"]) == len(record["resourceDigests"]) - 1
    canonical = json.dumps({"reads": READS, "who": MARKER}, separators=(",", ":"))
    assert (
        manifest["madeBy"]["parametersDigest"] == "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()
    )
    assert (manifest["incomplete"], manifest["notes"]) == ([], [])


@reads_all
def test_a_run_of_a_version(omics: Any, hook: OmicsHook) -> None:
    omics.workflow(WORKFLOW, engine="WDL", versions=["v2"])
    record = completed(omics, hook, workflowVersionName="v2")
    requests = counting(omics)
    manifest = made(hook, record)
    assert requests() == {"GetWorkflowVersion": 1}
    assert manifest["madeBy"]["engine"]["name"] == "WDL"
    assert manifest["workflow"]["versionName"] == "v2"
    assert manifest["incomplete"] == []


@reads_all
def test_a_ready2run_workflow_is_asked_for_as_such(omics: Any, hook: OmicsHook) -> None:
    client = hook.conn
    listed = client.list_workflows(type="READY2RUN")["items"]
    record = completed(omics, hook, workflowId=listed[0]["id"], workflowType="READY2RUN")
    manifest = made(hook, record)
    [request] = omics.requests("GetWorkflow")
    assert request["query"]["type"] in ("READY2RUN", ["READY2RUN"])
    assert manifest["workflow"]["type"] == "READY2RUN"
    assert manifest["madeBy"]["engine"]["name"]


@reads_all
def test_a_shared_workflow_is_asked_for_with_its_owner(omics: Any, hook: OmicsHook) -> None:
    omics.workflow(WORKFLOW, engine="WDL", account_id="999999999999")
    record = completed(omics, hook, workflowOwnerId="999999999999")
    manifest = made(hook, record)
    assert manifest["workflow"]["ownerId"] == "999999999999"
    assert manifest["madeBy"]["engine"]["name"] == "WDL"


@reads_all
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("access-denied", "GetWorkflow was denied: "),
        ("not-found", "GetWorkflow found no such workflow: "),
        ("validation", "GetWorkflow was refused: "),
    ],
)
def test_a_workflow_that_is_not_to_be_had_is_left_out_and_named(
    omics: Any, hook: OmicsHook, fault: str, said: str
) -> None:
    omics.workflow(WORKFLOW)
    record = completed(omics, hook)
    omics.fault("GetWorkflow", fault)
    manifest = made(hook, record)
    assert "engine" not in manifest["madeBy"]
    assert manifest["incomplete"] == ["engine.main", "engine.name"]
    [note] = manifest["notes"]
    assert note.startswith(said)
    assert made(OmicsHook(), record) == manifest  # without a request id, that would be another each time


@reads_all
def test_a_deleted_workflow_leaves_what_the_run_knows(omics: Any, hook: OmicsHook) -> None:
    workflow_id = WORKFLOW
    omics.workflow(workflow_id)
    record = completed(omics, hook)
    before = made(hook, record)
    hook.conn.delete_workflow(id=workflow_id)
    after = made(OmicsHook(), record)
    assert after["madeBy"]["definition"] == {"digest": before["madeBy"]["definition"]["digest"]}
    assert after["notes"] == [
        "GetWorkflow found no such workflow: the engine, the main file and the workflow's own digest are "
        "left out."
    ]


@reads_all
@pytest.mark.parametrize("fault", ["throttle", "internal-error"])
def test_an_error_that_may_pass_is_raised_so_that_a_manifest_does_not_depend_on_it(
    omics: Any, hook: OmicsHook, fault: str
) -> None:
    omics.workflow(WORKFLOW)
    record = completed(omics, hook)
    omics.fault("GetWorkflow", fault)
    quick = OmicsHook(config={"retries": {"total_max_attempts": 1}})
    with pytest.raises(ClientError):
        quick.provenance(record)
    omics.clear_faults()
    assert made(quick, record) == made(hook, record)


def test_a_record_without_a_workflow_asks_for_none(omics: Any, hook: OmicsHook) -> None:
    record = completed(omics, hook)
    requests = counting(omics)
    manifest = made(hook, {key: record[key] for key in ("id", "status", "runOutputUri")})
    assert requests() == {}
    assert "workflow.id" in manifest["incomplete"]


def test_a_version_that_an_older_botocore_cannot_ask_for(omics: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = OmicsHook()
    record = {**completed(omics, hook), "workflowVersionName": "v2"}
    without(hook, monkeypatch, client=("get_workflow_version",))
    assert "The installed botocore does not know GetWorkflowVersion: " in made(hook, record)["notes"][0]


def test_what_an_older_botocore_has_not_read_is_not_taken_for_absent(
    omics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    omics.workflow(WORKFLOW)
    hook = OmicsHook()
    record = completed(omics, hook)
    newer = made(hook, record)
    members = ("engineVersion", "networkingMode", "workflowVersionName", "engineSettings", "workflowUuid")
    older_record = {key: value for key, value in record.items() if key not in members}
    without(hook, monkeypatch, get_run=members)
    requests = counting(omics)
    older = made(hook, older_record)
    assert requests() == {}
    assert older["incomplete"] == [
        "engine.main",
        "engine.name",
        "engine.settingsDigest",
        "engine.version",
        "networkingMode",
        "workflow.uuid",
        "workflow.versionName",
    ]
    assert older["notes"] == [
        "It is not known which version of its workflow the run had: the engine, the main file and the "
        "workflow's own digest are left out."
    ]
    other = {**older, "run": {**older["run"], "uuid": "another"}}
    assert compare(newer, other) == Comparison(
        False,
        {},
        ("engine.main", "engine.name", "engine.settingsDigest", "engine.version", "networkingMode"),
    )


def without(
    hook: OmicsHook,
    monkeypatch: pytest.MonkeyPatch,
    client: tuple[str, ...] = (),
    get_run: tuple[str, ...] = (),
) -> None:
    """Take methods from the hook's client, and members from what its model knows of GetRun."""
    for name in client:
        if hasattr(hook.conn, name):
            monkeypatch.delattr(type(hook.conn), name)
    members: dict[str, Any] = hook.conn.meta.service_model.operation_model("GetRun").output_shape.members
    for name in get_run:
        members.pop(name, None)


@reads_all
@needs_batches
def test_the_runs_of_a_batch_take_one_call_for_their_workflow(omics: Any, hook: OmicsHook) -> None:
    batch = start_batch(omics, settings([("completed", 3)]), seconds=20_000)
    records = [hook.get_run(item["id"]) for item in hook.list_runs(batch_id=batch["id"])]
    requests = counting(omics)
    manifests = [made(hook, record) for record in records]
    assert requests() == {"GetWorkflow": 1}
    assert {manifest["run"]["batchId"] for manifest in manifests} == {batch["id"]}
    assert len({manifest["run"]["uuid"] for manifest in manifests}) == 3


def test_the_task_that_started_the_run_and_the_one_that_asks(
    omics: Any, hook: OmicsHook, start_task: StartTask
) -> None:
    omics.default_life = "completed"
    task = start_task(tags={"who": MARKER}, parameters={"who": MARKER})
    done = task()
    assert done.error is None
    record = hook.get_run(done.result["id"])
    asking = {"dag_id": "d", "run_id": "r", "task_id": "list", "map_index": -1}
    manifest = made(hook, record, task=asking)
    tags = record["tags"]
    assert manifest["startedFor"] == {
        "dag_id": tags["airflow:dag_id"],
        "run_id": tags["airflow:run_id"],
        "task_id": tags["airflow:task_id"],
        "map_index": -1,
        "try_number": 1,
    }
    assert manifest["recordedBy"] == asking


@reads_all
def test_each_run_has_its_own_workflow_and_a_hook_that_forgets_asks_again(
    omics: Any, hook: OmicsHook
) -> None:
    omics.workflow(WORKFLOW, engine="CWL")
    omics.workflow("1111111", engine="WDL")
    records = [completed(omics, hook, workflowId=workflow) for workflow in (WORKFLOW, "1111111")]
    assert [made(hook, record)["madeBy"]["engine"]["name"] for record in records] == ["CWL", "WDL"]
    requests = counting(omics)
    hook.forget()
    made(hook, records[1])
    assert requests() == {"GetWorkflow": 1}


@reads_all
def test_a_run_again_with_the_same_is_the_same_and_with_other_reads_is_not(
    omics: Any, hook: OmicsHook
) -> None:
    omics.workflow(WORKFLOW)
    first, again = (made(hook, completed(omics, hook)) for _ in range(2))
    assert first["run"]["uuid"] != again["run"]["uuid"]
    assert compare(first, again) == Comparison(True, {}, ())
    other = made(hook, completed(omics, hook, parameters={"reads": "s3://bucket/b", "who": MARKER}))
    assert set(compare(first, other).differences) == {
        f"inputs {READS}",
        "inputs s3://bucket/b",
        "parametersDigest",
    }


@reads_all
def test_a_run_that_has_not_begun_has_no_inputs_yet(omics: Any, hook: OmicsHook) -> None:
    omics.workflow(WORKFLOW)
    [run_id] = omics.start_runs(1, life="completed", workflowId=WORKFLOW, parameters={"reads": READS})
    manifest = made(hook, hook.get_run(run_id))
    assert "inputs" not in manifest["madeBy"]
    assert manifest["incomplete"] == ["images", "inputs"]


def test_a_record_that_does_not_say_its_version_is_not_taken_for_one_without(
    omics: Any, hook: OmicsHook
) -> None:
    omics.workflow(WORKFLOW, engine="WDL", versions=["v2"])
    record = completed(omics, hook)
    narrowed = {key: record[key] for key in ("id", "status", "arn", "workflowId", "digest")}
    requests = counting(omics)
    manifest = made(hook, narrowed)
    assert requests() == {}
    assert "engine" not in manifest["madeBy"]
    assert manifest["notes"][0].startswith("It is not known which version of its workflow the run had: ")


def test_a_forgotten_run_s_manifest_of_cloudwatch_says_the_same(omics: Any, hook: OmicsHook) -> None:
    from airflow_omics.diagnosis.manifest import read_manifest
    from airflow_omics.hooks import OmicsLogsHook

    omics.workflow(WORKFLOW)
    [run_id] = omics.start_runs(
        1, life="completed", logs=True, workflowId=WORKFLOW, parameters={"reads": READS, "who": MARKER}
    )
    omics.advance(20_000)
    record = hook.get_run(run_id)
    found = read_manifest(OmicsLogsHook.beside(hook), run_id, record["uuid"])
    assert found is not None
    assert provenance_of(found.record)["madeBy"] == provenance_of(record)["madeBy"]
    kept = made(hook, found.record)
    assert compare(kept, made(hook, record)) == Comparison(True, {}, ())
