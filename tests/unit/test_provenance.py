"""What made the outputs of a run, by its record alone; and how two runs differ in it."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from airflow_omics.diagnosis.manifest import record_of
from airflow_omics.provenance import Comparison, compare, parameters_digest, provenance_of, to_json
from airflow_omics.records import narrow

pytestmark = pytest.mark.any_airflow

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "reference" / "schemas" / "provenance-1.json").read_text()
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
MARKER = "patient-4711-marker"
READS, INDEX = "s3://bucket/sample-1.fastq.gz", "s3://bucket/reference.fasta"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/bwa:1"
RECORD: dict[str, Any] = {
    "arn": "arn:aws:omics:us-east-1:123456789012:run/1234567",
    "id": "1234567",
    "uuid": "96c57683-74bf-9d6d-ae7e-f09b097db14a",
    "status": "COMPLETED",
    "name": "sample-1",
    "workflowId": "7654321",
    "workflowUuid": "11111111-74bf-9d6d-ae7e-f09b097db14a",
    "workflowType": "PRIVATE",
    "workflowVersionName": "v2",
    "digest": "sha256:a",
    "roleArn": "arn:aws:iam::123456789012:role/omics-run",
    "startedBy": "arn:aws:sts::123456789012:assumed-role/airflow/session",
    "outputUri": "s3://bucket/out",
    "runOutputUri": "s3://bucket/out/1234567",
    "parameters": {"reads": READS, "who": MARKER, "depth": 30},
    "resourceDigests": {READS: "etag:1", INDEX: "etag:2", IMAGE: "sha256:3"},
    "creationTime": "2026-01-01T08:00:00+00:00",
    "startTime": "2026-01-01T08:10:00+00:00",
    "stopTime": "2026-01-01T10:00:00+00:00",
    "storageType": "STATIC",
    "storageCapacity": 1200,
    "cacheId": "42",
    "cacheBehavior": "CACHE_ALWAYS",
    "runGroupId": "7",
    "batchId": "8",
    "tags": {"who": MARKER, MARKER: "x"},
    "sessionPolicy": json.dumps({"Statement": MARKER}),
}
VERSION: dict[str, Any] = {
    "arn": "arn:aws:omics:us-east-1:123456789012:workflow/7654321/version/v2",
    "workflowId": "7654321",
    "versionName": "v2",
    "uuid": "22222222-74bf-9d6d-ae7e-f09b097db14a",
    "engine": "WDL",
    "main": "main.wdl",
    "digest": "sha256:a",
    "tags": {"who": MARKER},
    "parameterTemplate": {MARKER: {"optional": True}},
    "readme": f"https://example.org/{MARKER}?signature=secret",
    "definitionRepositoryDetails": {
        "connectionArn": "arn:aws:codeconnections:us-east-1:123456789012:connection/1",
        "fullRepositoryId": "lab/pipeline",
        "sourceReference": {"type": "COMMIT", "value": "0123abc"},
    },
}
OTHER_RUN = {"uuid": "33333333-74bf-9d6d-ae7e-f09b097db14a", "id": "1234568"}


def made(workflow: Mapping[str, Any] | None = VERSION, **members: Any) -> dict[str, Any]:
    """Return the manifest of RECORD with other members; None takes one away."""
    record = {key: value for key, value in {**RECORD, **members}.items() if value is not None}
    return valid(provenance_of(record, workflow=workflow))


def valid(manifest: dict[str, Any]) -> dict[str, Any]:
    VALIDATOR.validate(manifest)
    assert json.loads(to_json(manifest)) == manifest
    return manifest


# -- what is in it ----------------------------------------------------------------------------------------


def test_the_schema_is_one_and_has_the_name_that_manifests_name() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$id"] == made()["schema"] == "urn:airflow-omics:schema:provenance:1"


def test_the_whole_manifest_of_a_run_that_has_completed() -> None:
    digest = hashlib.sha256(f'{{"depth":30,"reads":"{READS}","who":"{MARKER}"}}'.encode()).hexdigest()
    assert made() == {
        "schema": "urn:airflow-omics:schema:provenance:1",
        "run": {
            "id": "1234567",
            "uuid": "96c57683-74bf-9d6d-ae7e-f09b097db14a",
            "arn": "arn:aws:omics:us-east-1:123456789012:run/1234567",
            "name": "sample-1",
            "status": "COMPLETED",
            "outputUri": "s3://bucket/out",
            "runOutputUri": "s3://bucket/out/1234567",
            "batchId": "8",
            "runGroupId": "7",
        },
        "madeBy": {
            "definition": {"digest": "sha256:a", "workflowDigest": "sha256:a"},
            "engine": {"name": "WDL", "main": "main.wdl"},
            "parametersDigest": f"sha256:{digest}",
            "inputs": {READS: "etag:1", INDEX: "etag:2"},
            "images": {IMAGE: "sha256:3"},
        },
        "workflow": {
            "id": "7654321",
            "uuid": "11111111-74bf-9d6d-ae7e-f09b097db14a",
            "type": "PRIVATE",
            "versionName": "v2",
            "repository": {"id": "lab/pipeline", "referenceType": "COMMIT", "reference": "0123abc"},
        },
        "times": {
            "creationTime": "2026-01-01T08:00:00+00:00",
            "startTime": "2026-01-01T08:10:00+00:00",
            "stopTime": "2026-01-01T10:00:00+00:00",
        },
        "who": {
            "startedBy": "arn:aws:sts::123456789012:assumed-role/airflow/session",
            "roleArn": "arn:aws:iam::123456789012:role/omics-run",
        },
        "storage": {"type": "STATIC", "capacity": 1200},
        "cache": {"id": "42", "behavior": "CACHE_ALWAYS"},
        "incomplete": [],
        "notes": [
            "The run used a run cache; results of tasks may be those of an earlier run on the same inputs."
        ],
    }


def test_nothing_of_parameters_tags_or_session_policy_is_in_it() -> None:
    tags = {
        **RECORD["tags"],
        "airflow-omics:token": "t",
        "airflow-omics:life": MARKER,
        "airflow:dag_id": "dag",
    }
    task = {"dag_id": "dag", "params": MARKER, "conf": {"who": MARKER}}
    record = {**RECORD, "tags": tags, "engineSettings": {"profile": MARKER}}
    manifest = valid(provenance_of(record, workflow=VERSION, task=task))
    assert MARKER not in to_json(manifest)
    assert "signature" not in to_json(manifest)


def test_the_same_record_gives_the_same_bytes_whatever_the_order_of_its_keys() -> None:
    turned = {key: RECORD[key] for key in reversed(RECORD)}
    turned["resourceDigests"] = dict(reversed(RECORD["resourceDigests"].items()))
    text = to_json(provenance_of(RECORD, workflow=VERSION))
    assert to_json(provenance_of(turned, workflow=VERSION)) == text
    assert text.endswith("}\n")
    assert text.splitlines()[1] == '  "cache": {'


def test_the_text_is_utf_8_that_people_can_read() -> None:
    assert '"name": "größe"' in to_json(made(name="größe"))
    halved = made(name="half \ud83d")
    assert json.loads(to_json(halved).encode())["run"]["name"] == "half \ud83d"


def test_the_task_of_a_start_operator_s_tags() -> None:
    tags = {
        "airflow-omics:token": "0123",
        "airflow-omics:request": "4567",
        "airflow:dag_id": "cohort",
        "airflow:run_id": "manual__1",
        "airflow:task_id": "start",
        "airflow:map_index": "-1",
        "airflow:try_number": "2",
        "airflow:deployment": "prod",
        "who": MARKER,
    }
    task = {
        "dag_id": "cohort",
        "run_id": "manual__1",
        "task_id": "start",
        "map_index": -1,
        "try_number": 2,
        "deployment": "prod",
    }
    assert made(tags=tags)["startedFor"] == task
    del tags["airflow-omics:token"]
    assert "startedFor" not in made(tags=tags)  # tags that somebody else has chosen


@pytest.mark.parametrize("wrong", ["1.5", "", "two", "1" * 10, None, [1], {"a": 1}, True])
def test_a_tag_that_is_no_number_is_left_out(wrong: Any) -> None:
    tags = {"airflow-omics:token": "0123", "airflow:dag_id": "cohort", "airflow:map_index": wrong}
    assert made(tags=tags)["startedFor"] == {"dag_id": "cohort"}


def test_the_task_that_asks() -> None:
    task = {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": 3, "logical_date": "x", "ti": object()}
    recorded = valid(provenance_of(RECORD, task=task))["recordedBy"]
    assert recorded == {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": 3}


# -- what is not known ------------------------------------------------------------------------------------


def test_without_the_workflow_engine_and_main_file_are_not_known() -> None:
    manifest = made(workflow=None)
    assert manifest["incomplete"] == ["engine.main", "engine.name"]
    assert manifest["madeBy"]["definition"] == {"digest": "sha256:a"}


@pytest.mark.parametrize(
    ("member", "path"),
    [
        ("uuid", "run.uuid"),
        ("runOutputUri", "run.runOutputUri"),
        ("parameters", "parametersDigest"),
        ("resourceDigests", "inputs"),
        ("resourceDigests", "images"),
        ("startedBy", "who.startedBy"),
        ("workflowUuid", "workflow.uuid"),
        ("startTime", "times.startTime"),
        ("stopTime", "times.stopTime"),
        ("tags", "startedFor"),
    ],
)
def test_what_a_record_lacks_is_named(member: str, path: str) -> None:
    assert path not in made()["incomplete"]
    assert path in made(**{member: None})["incomplete"]


def test_of_a_narrowed_record_nothing_is_guessed() -> None:
    record = narrow(RECORD, ["uuid", "runOutputUri"])  # type: ignore[type-var]
    manifest = valid(provenance_of(record))
    assert manifest["madeBy"] == {}
    assert manifest["incomplete"] == [
        "accelerators",
        "definition",
        "engine.main",
        "engine.name",
        "engine.settingsDigest",
        "engine.version",
        "images",
        "inputs",
        "networkingMode",
        "parametersDigest",
        "run.arn",
        "startedFor",
        "times.creationTime",
        "times.startTime",
        "times.stopTime",
        "who.roleArn",
        "who.startedBy",
        "workflow.id",
        "workflow.uuid",
        "workflow.versionName",
    ]
    assert set(manifest["incomplete"]) <= set(SCHEMA["properties"]["incomplete"]["items"]["enum"])


def test_what_botocore_was_too_old_to_read_is_not_known() -> None:
    unread = ["engineVersion", "workflowVersionName", "accelerators"]
    record = {**RECORD, "accelerators": "GPU"}
    del record["workflowVersionName"]
    manifest = valid(provenance_of(record, workflow=VERSION, unread=unread))
    assert manifest["incomplete"] == ["engine.version", "workflow.versionName"]


def test_a_run_that_goes_on_may_still_read_other_files() -> None:
    manifest = made(status="RUNNING", stopTime=None)
    assert manifest["madeBy"]["inputs"] == {READS: "etag:1", INDEX: "etag:2"}
    assert manifest["incomplete"] == ["images", "inputs"]
    assert any("was RUNNING when it was read" in note for note in manifest["notes"])


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED", "DELETED"])
def test_a_run_without_outputs_is_named(status: str) -> None:
    assert f"The run is {status}: it has no outputs, or not all." in made(status=status)["notes"]


def test_a_record_of_cloudwatch_s_manifest() -> None:
    line = {
        "arn": RECORD["arn"],
        "uuid": RECORD["uuid"],
        "status": "COMPLETED",
        "digest": "sha256:a",
        "workflow": "arn:aws:omics:us-east-1:123456789012:workflow/7654321",
        "outputUri": "s3://bucket/out",
        "parameters": RECORD["parameters"],
        "resourceDigests": RECORD["resourceDigests"],
        "roleArn": RECORD["roleArn"],
        "startedBy": RECORD["startedBy"],
        **{
            key: f"2026-01-01T08:00:0{n}.000Z"
            for n, key in enumerate(("creationTime", "startTime", "stopTime"))
        },
    }
    record = record_of(line)
    assert record is not None
    manifest = valid(provenance_of(record))
    assert manifest["run"]["source"] == "manifest"
    assert manifest["madeBy"] == made(None)["madeBy"]
    assert {"engine.version", "workflow.versionName", "run.runOutputUri"} <= set(manifest["incomplete"])
    assert any("CloudWatch" in note for note in manifest["notes"])


def test_only_nextflow_must_have_a_version() -> None:
    nextflow = {**VERSION, "engine": "NEXTFLOW"}
    assert "engine.version" in made(nextflow)["incomplete"]
    manifest = made(nextflow, engineVersion="25.10.0", engineSettings={"profile": "test"})
    assert manifest["incomplete"] == []
    assert manifest["madeBy"]["engine"] == {
        "name": "NEXTFLOW",
        "main": "main.wdl",
        "version": "25.10.0",
        "settingsDigest": "sha256:" + hashlib.sha256(b'{"profile":"test"}').hexdigest(),
    }


def test_a_run_with_a_network_may_have_read_anything() -> None:
    assert made(networkingMode="VPC")["madeBy"]["networkingMode"] == "VPC"
    assert any("network" in note for note in made(networkingMode="VPC")["notes"])
    assert not any("network" in note for note in made(networkingMode="RESTRICTED")["notes"])


def test_two_digests_of_one_definition_are_both_kept_and_named() -> None:
    manifest = made({**VERSION, "digest": "sha256:b"})
    assert manifest["madeBy"]["definition"] == {"digest": "sha256:a", "workflowDigest": "sha256:b"}
    assert "GetRun and GetWorkflow give two digests of the definition." in manifest["notes"]


@pytest.mark.parametrize(
    ("members", "word"),
    [
        ({"workflowId": "1"}, "id 1"),
        ({"versionName": "v3"}, "version v3"),
        ({"arn": "arn:aws:omics:us-west-2:123456789012:workflow/7654321/version/v2"}, "Region us-west-2"),
        ({"arn": "arn:aws:omics:us-east-1:999999999999:workflow/7654321/version/v2"}, "account 999999999999"),
    ],
)
def test_an_answer_about_another_workflow_is_left_out(members: dict[str, str], word: str) -> None:
    manifest = made({**VERSION, **members})
    assert "engine" not in manifest["madeBy"]
    assert "repository" not in manifest["workflow"]
    assert any(word in note and "is left out" in note for note in manifest["notes"])


def test_a_workflow_that_got_the_id_of_the_run_s_is_another() -> None:
    workflow = {"id": "7654321", "uuid": RECORD["workflowUuid"], "engine": "CWL", "main": "main.cwl"}
    assert made(workflow, workflowVersionName=None)["madeBy"]["engine"]["name"] == "CWL"
    other = made({**workflow, "uuid": OTHER_RUN["uuid"]}, workflowVersionName=None)
    assert "engine" not in other["madeBy"]


def test_a_shared_workflow_is_of_its_owner_s_account() -> None:
    arn = "arn:aws:omics:us-east-1:999999999999:workflow/7654321/version/v2"
    assert made({**VERSION, "arn": arn}, workflowOwnerId="999999999999")["madeBy"]["engine"]["name"] == "WDL"
    assert "engine" not in made(workflowOwnerId="999999999999")["madeBy"]


def test_the_arn_of_a_ready2run_workflow_names_no_account() -> None:
    arn = "arn:aws:omics:us-east-1::workflow/7654321"
    workflow = {"arn": arn, "id": "7654321", "engine": "WDL", "main": "main.wdl"}
    manifest = made(workflow, workflowType="READY2RUN", workflowVersionName=None)
    assert manifest["madeBy"]["engine"]["name"] == "WDL"


@pytest.mark.parametrize("wrong", [None, "1234567", 7, [], {}, {"id": None}, {"id": 7}])
def test_what_is_no_record_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"^record is a .*; it takes a run's record"):
        provenance_of(wrong)


@pytest.mark.parametrize(
    "batch", [{"arn": "arn:aws:omics:us-east-1:123456789012:runBatch/7"}, {"runSummary": {}}]
)
def test_a_batch_has_no_manifest_but_its_runs_do(batch: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="for each run"):
        provenance_of({"id": "7", **batch})


@pytest.mark.parametrize("wrong", [None, "text", 7, ["a"], {"a": None}])
@pytest.mark.parametrize("member", sorted(set(RECORD) - {"id", "arn"}))
def test_a_member_of_another_form_breaks_nothing(member: str, wrong: Any) -> None:
    valid(provenance_of({**RECORD, member: wrong}, workflow=VERSION))


# -- the digest of parameters -----------------------------------------------------------------------------

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(codec=None), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)
OBJECTS = st.dictionaries(TEXTS, JSON, max_size=5)


def reordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reordered(item) for key, item in reversed(value.items())}
    return [reordered(item) for item in value] if isinstance(value, list) else value


@given(OBJECTS)
def test_the_order_of_keys_does_not_matter(parameters: dict[str, Any]) -> None:
    digest = parameters_digest(parameters)
    assert parameters_digest(reordered(parameters)) == digest
    assert parameters_digest(json.loads(json.dumps(parameters))) == digest
    assert digest.startswith("sha256:")
    assert len(digest) == 7 + 64


@given(OBJECTS, OBJECTS)
def test_other_parameters_have_another_digest(one: dict[str, Any], other: dict[str, Any]) -> None:
    equal = parameters_digest(one) == parameters_digest(other)
    assert equal == (json.dumps(whole(one), sort_keys=True) == json.dumps(whole(other), sort_keys=True))


def whole(value: Any) -> Any:
    """Write whole numbers as text, so that 1 and 1.0 are the same and True is not."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value == int(value):
        return ["a whole number", str(int(value))]
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    return [whole(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("parameters", "canonical"),
    [
        ({}, b"{}"),
        ({"b": 1, "a": [2, 1]}, b'{"a":[2,1],"b":1}'),
        ({"n": 1.0}, b'{"n":1}'),
        ({"n": -0.0}, b'{"n":0}'),
        ({"n": 1e3}, b'{"n":1000}'),
        ({"n": 0.1}, b'{"n":0.1}'),
        ({"n": 1e-7}, b'{"n":1e-07}'),
        ({"n": 2**70}, b'{"n":1180591620717411303424}'),
        ({"n": None, "t": True}, b'{"n":null,"t":true}'),
        ({"\u00e9": "\U0001f9ec"}, b'{"\\u00e9":"\\ud83e\\uddec"}'),
        ({"e\u0301": 1}, b'{"e\\u0301":1}'),
        ({"\uffff": 1, "\U0001f9ec": 2}, b'{"\\uffff":1,"\\ud83e\\uddec":2}'),
        ({"half": "\ud83d"}, b'{"half":"\\ud83d"}'),
        ({"x": {"d": {"b": 1, "a": 1}}}, b'{"x":{"d":{"a":1,"b":1}}}'),
    ],
)
def test_canonical_json_is_as_the_documentation_says(parameters: Any, canonical: bytes) -> None:
    assert parameters_digest(parameters) == "sha256:" + hashlib.sha256(canonical).hexdigest()


# -- two runs ---------------------------------------------------------------------------------------------


def differing(change: Callable[[dict[str, Any]], Any], workflow: Mapping[str, Any] = VERSION) -> Comparison:
    """Compare RECORD's manifest with that of another run with a change; both ways agree."""
    record = copy.deepcopy({**RECORD, **OTHER_RUN})
    change(record)
    other = valid(provenance_of(record, workflow=workflow))
    return both_ways(made(), other)


def both_ways(one: dict[str, Any], other: dict[str, Any]) -> Comparison:
    there, back = compare(one, other), compare(other, one)
    assert back.differences == {name: (b, a) for name, (a, b) in there.differences.items()}
    assert (back.same, back.incomplete) == (there.same, there.incomplete)
    assert list(there.differences) == sorted(there.differences)
    return there


CIRCUMSTANCES = {
    "arn": "arn:aws:omics:us-east-1:123456789012:run/1234568",
    "name": "other",
    "workflowUuid": "44444444-74bf-9d6d-ae7e-f09b097db14a",
    "roleArn": "arn:aws:iam::123456789012:role/other",
    "startedBy": "other",
    "outputUri": "s3://other",
    "runOutputUri": "s3://other/1234568",
    "creationTime": "2027-01-01T08:00:00+00:00",
    "startTime": "2027-01-01T08:00:00+00:00",
    "stopTime": "2027-01-01T08:00:00+00:00",
    "storageType": "DYNAMIC",
    "storageCapacity": 4800,
    "scratchStorageMode": "LOCAL",
    "cacheId": None,
    "runGroupId": None,
    "batchId": None,
    "tags": {"other": "tag"},
    "networkingMode": "RESTRICTED",
}


@pytest.mark.parametrize("member", CIRCUMSTANCES)
def test_circumstances_make_no_difference(member: str) -> None:
    assert differing(lambda record: record.update({member: CIRCUMSTANCES[member]})) == Comparison(
        True, {}, ()
    )


MAKERS: dict[str, tuple[dict[str, Any], dict[str, tuple[Any, Any]]]] = {
    "digest": ({"digest": "sha256:b"}, {"definition.digest": ("sha256:a", "sha256:b")}),
    "networking": ({"networkingMode": "VPC"}, {"networkingMode": ("RESTRICTED", "VPC")}),
    "accelerators": ({"accelerators": "GPU"}, {"accelerators": (None, "GPU")}),
    "engine version": ({"engineVersion": "25.10.0"}, {"engine.version": (None, "25.10.0")}),
    "another etag": (
        {"resourceDigests": {**RECORD["resourceDigests"], READS: "etag:9"}},
        {f"inputs {READS}": ("etag:1", "etag:9")},
    ),
    "one input less, one more": (
        {"resourceDigests": {INDEX: "etag:2", IMAGE: "sha256:3", "omics://store/1": "etag:5"}},
        {f"inputs {READS}": ("etag:1", None), "inputs omics://store/1": (None, "etag:5")},
    ),
    "another image": (
        {"resourceDigests": {READS: "etag:1", INDEX: "etag:2", IMAGE: "sha256:4"}},
        {f"images {IMAGE}": ("sha256:3", "sha256:4")},
    ),
}


@pytest.mark.parametrize("case", MAKERS)
def test_what_made_the_outputs_makes_a_difference(case: str) -> None:
    members, differences = MAKERS[case]
    assert differing(lambda record: record.update(members)) == Comparison(False, differences, ())


def test_other_parameters_make_a_difference_and_do_not_show_it() -> None:
    found = differing(lambda record: record["parameters"].update(depth=31))
    assert list(found.differences) == ["parametersDigest"]
    assert MARKER not in repr(found)


@pytest.mark.parametrize(
    ("member", "value", "path"),
    [
        ("engine", "CWL", "engine.name"),
        ("main", "other.wdl", "engine.main"),
        ("digest", "sha256:b", "definition.workflowDigest"),
    ],
)
def test_another_workflow_makes_a_difference(member: str, value: str, path: str) -> None:
    found = differing(lambda record: None, {**VERSION, member: value})
    assert found == Comparison(False, {path: (VERSION[member], value)}, ())


def test_settings_of_the_engine_make_a_difference() -> None:
    assert list(differing(lambda record: record.update(engineSettings={"profile": "x"})).differences) == [
        "engine.settingsDigest"
    ]


@pytest.mark.parametrize(
    ("member", "incomplete"),
    [
        ("parameters", ("parametersDigest",)),
        ("resourceDigests", ("images", "inputs")),
        ("roleArn", ("accelerators", "engine.settingsDigest", "engine.version", "networkingMode")),
    ],
)
def test_what_is_not_known_of_one_is_neither_same_nor_different(
    member: str, incomplete: tuple[str, ...]
) -> None:
    assert differing(lambda record: record.pop(member)) == Comparison(False, {}, incomplete)


def test_a_definition_without_any_digest_in_common_is_not_known_to_be_the_same() -> None:
    other = made(workflow={**VERSION, "digest": None}, digest=None, **OTHER_RUN)
    assert both_ways(made(), other) == Comparison(False, {}, ("definition",))
    by_workflow = made(digest=None, **OTHER_RUN)
    assert both_ways(made(), by_workflow) == Comparison(True, {}, ())


def test_the_inputs_that_both_know_are_compared_even_if_one_does_not_know_all() -> None:
    digests = {READS: "etag:9"}
    other = made(status="RUNNING", stopTime=None, resourceDigests=digests, **OTHER_RUN)
    assert both_ways(made(), other) == Comparison(
        False, {f"inputs {READS}": ("etag:1", "etag:9")}, ("images", "inputs")
    )


def test_one_workflow_has_one_engine_and_main_file() -> None:
    one, other = made(None), made(None, **OTHER_RUN)
    assert both_ways(one, other) == Comparison(True, {}, ())
    for members in (
        {"workflowVersionName": "v3"},
        {"workflowUuid": OTHER_RUN["uuid"]},
        {"workflowUuid": None},
    ):
        other = made(None, **OTHER_RUN, **members)
        assert both_ways(one, other) == Comparison(False, {}, ("engine.main", "engine.name"))


def test_two_runs_whose_version_is_not_known_may_have_two_engines() -> None:
    record = {key: value for key, value in RECORD.items() if key != "workflowVersionName"}
    one, other = (
        valid(provenance_of({**record, **members}, unread=["workflowVersionName"]))
        for members in ({}, OTHER_RUN)
    )
    assert both_ways(one, other) == Comparison(False, {}, ("engine.main", "engine.name"))


def test_two_runs_without_a_uuid_are_not_taken_for_one() -> None:
    one = made(uuid=None, parameters=None)
    assert both_ways(one, one) == Comparison(False, {}, ("parametersDigest",))


def test_two_manifests_of_one_run_are_the_same_if_nothing_differs() -> None:
    narrowed = valid(provenance_of({"id": "1234567", "uuid": RECORD["uuid"], "status": "RUNNING"}))
    assert both_ways(made(), narrowed) == Comparison(True, {}, ())


@pytest.mark.parametrize(
    "wrong", [None, "{}", {}, {"schema": "urn:airflow-omics:schema:provenance:2", "madeBy": {}}, RECORD]
)
def test_what_is_no_manifest_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"^one is no manifest"):
        compare(wrong, made())
    with pytest.raises(ValueError, match=r"^other is no manifest"):
        compare(made(), wrong)


URIS = st.sampled_from([READS, INDEX, IMAGE, "omics://store/1", "s3://bucket/other"])
RECORDS = st.fixed_dictionaries(
    {"id": st.just("1")},
    optional={
        **{key: st.just(value) for key, value in RECORD.items() if key not in ("id", "parameters", "uuid")},
        "uuid": st.uuids().map(str),
        "status": st.sampled_from(["PENDING", "RUNNING", "COMPLETED", "FAILED", "NEW"]),
        "digest": st.sampled_from(["sha256:a", "sha256:b"]),
        "parameters": OBJECTS,
        "engineSettings": OBJECTS,
        "engineVersion": st.sampled_from(["24.10.8", "25.10.0"]),
        "networkingMode": st.sampled_from(["RESTRICTED", "VPC"]),
        "resourceDigests": st.dictionaries(URIS, st.sampled_from(["etag:1", "sha256:3"])),
        "tags": st.dictionaries(TEXTS, TEXTS, max_size=3),
    },
)
WORKFLOWS = st.none() | st.fixed_dictionaries(
    {},
    optional={"engine": st.sampled_from(["WDL", "NEXTFLOW"]), "main": TEXTS, "digest": st.just("sha256:a")},
)


@given(RECORDS, WORKFLOWS, RECORDS, WORKFLOWS)
def test_of_any_records_a_manifest_is_valid_and_compare_is_symmetric_and_reflexive(
    first: dict[str, Any], its: Any, second: dict[str, Any], others: Any
) -> None:
    one = valid(provenance_of(first, workflow=its))
    other = valid(provenance_of(second, workflow=others))
    both_ways(one, other)
    itself = compare(one, json.loads(to_json(one)))
    assert itself.differences == {}
    assert itself.same == (not itself.incomplete)
    if "uuid" in first:
        assert itself == Comparison(True, {}, ())


@given(OBJECTS, st.dictionaries(TEXTS, TEXTS, max_size=3))
def test_whatever_the_form_of_parameters_and_tags_their_values_never_appear(
    parameters: dict[str, Any], tags: dict[str, str]
) -> None:
    assume("airflow-omics:token" not in tags)
    marked = {"airflow-omics:token": "t", **{key: f"{MARKER}{value}" for key, value in tags.items()}}
    inside = {"a": [parameters, {MARKER: MARKER}], **parameters}
    manifest = valid(provenance_of({**RECORD, "parameters": inside, "tags": marked}, workflow=VERSION))
    assert MARKER not in to_json(manifest)
