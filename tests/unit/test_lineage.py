"""What a task tells OpenLineage of its run or batch: inputs, output, facets; and what it keeps back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from airflow.providers.openlineage.extractors import ExtractorManager
from airflow.utils.state import TaskInstanceState
from openlineage.client.serde import Serde

from airflow_omics._compat import AirflowTaskTimeout
from airflow_omics.hooks import OmicsHook
from airflow_omics.operators import OmicsGetBatchOperator, OmicsGetRunOperator
from airflow_omics.sensors import OmicsRunBatchSensor, OmicsRunSensor
from tests.support.batches import needs_batches, settings
from tests.support.batches import start_batch as a_batch
from tests.support.imports import REPOSITORY
from tests.support.sensors import ONE_ATTEMPT, TaskInstance, context_of
from tests.support.start_batches import StartBatch, cohort
from tests.support.start_operators import StartTask

try:
    from airflow.sdk import Asset
except ImportError:  # Airflow 2.11
    from airflow.datasets import Dataset as Asset

SCHEMA = json.loads((REPOSITORY / "docs/reference/schemas/omics-run-facet.json").read_text())
PARAMETERS = {"sample": "NA12878", "reads": ["s3://reads/a.fastq.gz", "s3://reads/deep/b 1.fastq.gz"]}
RUN_ARN = "arn:aws:omics:us-east-1:123456789012:run/1234567"
UUID = "11111111-2222-3333-4444-555555555555"
RECORD: dict[str, Any] = {
    "id": "1234567",
    "arn": RUN_ARN,
    "uuid": UUID,
    "status": "COMPLETED",
    "outputUri": "s3://bucket/cohort/",
    "resourceDigests": {"s3://reads/a.bam": "etag:0cc175b9-2"},
}


def told(task: Any, state: str = "success") -> Any:
    """Return what Airflow's provider makes of a task, as plain JSON."""
    of_provider = {
        "running": TaskInstanceState.RUNNING,
        "success": TaskInstanceState.SUCCESS,
        "failed": TaskInstanceState.FAILED,
    }
    made: Any = ExtractorManager
    lineage = made().extract_metadata(
        dagrun=SimpleNamespace(run_id="manual__1"),
        task=task,
        task_instance_state=of_provider[state],
        task_instance=SimpleNamespace(dag_id="dag", task_id=task.task_id),
    )
    names = ("inputs", "outputs", "run_facets", "job_facets")
    return json.loads(Serde.to_json({name: _plain(getattr(lineage, name)) for name in names}))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: Serde.to_dict(item) for name, item in value.items()}
    return [Serde.to_dict(item) for item in value]


def datasets(given: list[Any]) -> list[tuple[str, str, str | None]]:
    """Return namespace, name and version of each dataset."""
    return [
        (item["namespace"], item["name"], item["facets"].get("version", {}).get("datasetVersion"))
        for item in given
    ]


def facet(lineage: Any) -> dict[str, Any]:
    """Return the members of the facet, once it is valid against the schema that is published."""
    members: dict[str, Any] = lineage["run_facets"]["omics_run"]
    own = SCHEMA["$defs"]["OmicsRunFacet"]["allOf"][1]
    jsonschema.Draft202012Validator(own).validate(members)
    assert members["_schemaURL"] == f"{SCHEMA['$id']}#/$defs/OmicsRunFacet"
    assert set(members) - {"_producer", "_schemaURL"} <= set(own["properties"])
    return {name: value for name, value in members.items() if not name.startswith("_")}


def gate(record: Mapping[str, Any] | None = None, **arguments: Any) -> Any:
    """Return a sensor that has ended with a record."""
    task = OmicsRunSensor(**{"task_id": "gate", "run_id": "1234567", **arguments})
    if record is not None:
        task._note_published(record)
    return task


def end(task: Any) -> BaseException | None:
    """Execute a task, and return what it raised."""
    try:
        task.execute(context_of(TaskInstance()))
    except Exception as error:
        return error
    return None


def ended_run(omics: Any, life: str = "completed", **members: Any) -> str:
    [run_id] = omics.start_runs(1, life=life, **{"parameters": PARAMETERS, **members})
    omics.advance(24 * 3600)
    return str(run_id)


@pytest.fixture
def read(omics: Any, clock: Any) -> Callable[..., Any]:
    """Execute a sensor on an ended run, and return it and the run's record."""

    def execute(run_id: str, **arguments: Any) -> tuple[Any, Any]:
        get = OmicsGetRunOperator(task_id="get", run_id=run_id, botocore_config=ONE_ATTEMPT)
        record = get.execute(context_of(TaskInstance()))
        sensor = OmicsRunSensor(task_id="gate", run_id=run_id, botocore_config=ONE_ATTEMPT, **arguments)
        end(sensor)
        return sensor, record

    return execute


# -- a run ---------------------------------------------------------------------------------------------------


def test_a_run_that_completed_has_its_inputs_at_their_etags_and_its_output(omics: Any, read: Any) -> None:
    sensor, record = read(ended_run(omics))
    lineage = told(sensor)
    digests = record["resourceDigests"]
    assert datasets(lineage["inputs"]) == [
        ("s3://reads", "a.fastq.gz", digests["s3://reads/a.fastq.gz"].removeprefix("etag:")),
        ("s3://reads", "deep/b 1.fastq.gz", digests["s3://reads/deep/b 1.fastq.gz"].removeprefix("etag:")),
    ]
    [(namespace, name, version)] = datasets(lineage["outputs"])
    assert (f"{namespace}/{name}", version) == (record["outputUri"].rstrip("/"), record["uuid"])
    assert namespace.count("/") == 2
    query = lineage["run_facets"]["externalQuery"]
    assert (query["externalQueryId"], query["source"]) == (record["arn"], "awsomics")


def test_the_facet_has_what_the_record_says_of_the_run(omics: Any, read: Any) -> None:
    sensor, record = read(ended_run(omics, name="sample-7"))
    members = facet(told(sensor))
    images = {name: d for name, d in record["resourceDigests"].items() if "dkr.ecr" in name}
    assert images
    same = ("id", "uuid", "arn", "status", "name", "workflowId", "digest", "storageType")
    times = ("creationTime", "startTime", "stopTime")
    assert {name: members[name] for name in same + times} == {n: record[n] for n in same + times}
    assert members["runOutputUri"] == record["runOutputUri"]
    assert (members["kind"], members["images"], members["inputCount"]) == ("run", images, 2)
    assert members["runningSeconds"] > 0


def test_nothing_of_parameters_tags_or_roles_is_told(omics: Any, read: Any) -> None:
    marker = "patient-4711-marker"
    sensor, record = read(
        ended_run(omics, parameters={"who": marker}, tags={"who": marker}), record_fields=None
    )
    assert marker in json.dumps(record)
    assert marker not in json.dumps(told(sensor))
    assert record["roleArn"] not in json.dumps(told(sensor))


@pytest.mark.parametrize("life", ["failed-import-failed", "cancelled"])
def test_a_run_that_ended_badly_has_no_output_and_its_reason(omics: Any, read: Any, life: str) -> None:
    if life == "cancelled":
        [run_id] = omics.start_runs(1, life="running-forever", parameters=PARAMETERS)
        omics.advance(3600)
        omics.move(run_id, "CANCELLED")
    else:
        run_id = ended_run(omics, life)
    sensor, record = read(run_id)
    lineage = told(sensor, "failed")
    assert lineage["outputs"] == []
    assert facet(lineage).get("failureReason") == record.get("failureReason")
    assert facet(lineage)["status"] == record["status"] != "COMPLETED"


def test_a_failed_run_that_the_dag_waits_for_has_no_output_though_the_task_succeeds(
    omics: Any, read: Any
) -> None:
    sensor, record = read(ended_run(omics, "failed-import-failed"), success_statuses=("FAILED",))
    lineage = told(sensor)
    assert facet(lineage)["status"] == record["status"] == "FAILED"
    assert lineage["outputs"] == []


def test_a_completed_run_that_fails_the_task_has_no_output(omics: Any, read: Any) -> None:
    sensor, _ = read(ended_run(omics), success_statuses=("FAILED",))
    lineage = told(sensor, "failed")
    assert facet(lineage)["status"] == "COMPLETED"
    assert (lineage["outputs"], len(lineage["inputs"])) == ([], 2)


def test_record_fields_leave_out_of_lineage_what_they_leave_out_of_xcom(omics: Any, read: Any) -> None:
    run_id = ended_run(omics)
    sensor, _ = read(run_id, record_fields=["workflowId"])
    lineage = told(sensor)
    assert (lineage["inputs"], lineage["outputs"]) == ([], [])
    assert set(facet(lineage)) == {"kind", "id", "status", "workflowId"}
    assert "externalQuery" not in lineage["run_facets"]
    sensor, record = read(run_id, record_fields=["runOutputUri"])
    [(namespace, name, version)] = datasets(told(sensor)["outputs"])
    assert (f"{namespace}/{name}", version) == (record["outputUri"].rstrip("/"), None)


def test_a_get_operator_of_a_run_that_goes_on_has_no_output(omics: Any, clock: Any) -> None:
    [run_id] = omics.start_runs(1, life="running-forever", parameters=PARAMETERS)
    omics.advance(3600)
    task = OmicsGetRunOperator(task_id="get", run_id=run_id)
    end(task)
    lineage = told(task)
    assert (lineage["outputs"], facet(lineage)["status"]) == ([], "RUNNING")


def test_a_start_operator_tells_of_the_run_that_it_started(start_task: StartTask) -> None:
    task = start_task(parameters=PARAMETERS)
    record = task().result
    lineage = told(task.operator)
    assert datasets(lineage["outputs"]) == [("s3://bucket", "out", record["uuid"])]
    assert facet(lineage)["id"] == record["id"]
    assert len(lineage["inputs"]) == 2


def test_a_start_operator_that_does_not_wait_has_no_output(start_task: StartTask) -> None:
    task = start_task(parameters=PARAMETERS, wait_for_completion=False)
    record = task().result
    lineage = told(task.operator)
    assert (lineage["inputs"], lineage["outputs"]) == ([], [])
    assert (facet(lineage)["id"], facet(lineage)["status"]) == (record["id"], "PENDING")
    assert lineage["run_facets"]["externalQuery"]["externalQueryId"] == record["arn"]


def test_a_failed_start_operator_tells_of_its_run_also_if_nothing_is_pushed(
    start_task: StartTask, omics: Any
) -> None:
    omics.default_life = "failed-import-failed"
    task = start_task(do_xcom_push=False, parameters=PARAMETERS)
    assert task().kind == "OmicsRunFailedError"
    assert facet(told(task.operator, "failed"))["failureReason"] == "IMPORT_FAILED"


def _time_out() -> None:
    raise AirflowTaskTimeout("Timeout, PID: 1")


def test_a_gate_that_runs_into_its_execution_timeout_tells_of_the_run_as_last_seen(
    omics: Any, clock: Any
) -> None:
    [run_id] = omics.start_runs(1, life="running-forever", parameters=PARAMETERS)
    task = OmicsRunSensor(task_id="gate", run_id=run_id, record_fields=["uuid", "startTime"])
    clock.start()
    clock.at(3600, _time_out)
    with pytest.raises(AirflowTaskTimeout):
        task.execute(context_of(TaskInstance()))
    told_of = facet(told(task, "failed"))
    assert (told_of["id"], told_of["status"]) == (run_id, "RUNNING")
    assert {"uuid", "startTime"} <= set(told_of)
    assert "arn" not in told_of


def test_a_start_operator_that_runs_into_its_execution_timeout_tells_of_the_run_as_last_seen(
    start_task: StartTask, omics: Any, clock: Any
) -> None:
    omics.default_life = "running-forever"
    task = start_task(parameters=PARAMETERS, record_fields=["uuid"])
    clock.at(3600, _time_out)
    done = task()
    assert done.kind == "AirflowTaskTimeout"
    told_of = facet(told(task.operator, "failed"))
    assert (told_of["status"], set(told_of)) == ("RUNNING", {"kind", "id", "uuid", "status"})


def test_a_start_operator_that_is_timed_out_before_its_first_look_tells_of_the_run_that_it_started(
    start_task: StartTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = start_task(parameters=PARAMETERS)
    monkeypatch.setattr(OmicsHook, "get_run", lambda *_, **__: _time_out())
    assert task().kind == "AirflowTaskTimeout"
    assert facet(told(task.operator, "failed"))["status"] == "PENDING"


def test_a_start_operator_whose_look_fails_after_a_deferral_names_its_run(
    start_task: StartTask, omics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    omics.default_life = "running-forever"
    task = start_task(deferrable=True)
    event = {"outcome": "error", "record": None, "message": "denied", "error": "OmicsAccessError"}
    monkeypatch.setattr(task, "fire", lambda trigger: event)
    assert task().kind == "OmicsAccessError"
    assert {"id", "uuid", "arn"} <= set(facet(told(task.operator, "failed")))


# -- before the end ------------------------------------------------------------------------------------------


def test_at_the_start_only_what_was_given_is_told() -> None:
    given = {"id": "1234567", "uuid": UUID, "arn": RUN_ARN, "name": "sample-7"}
    lineage = told(gate(run_id=given), "running")
    assert facet(lineage) == {"kind": "run", "id": "1234567", "uuid": UUID, "arn": RUN_ARN}
    assert (lineage["inputs"], lineage["outputs"]) == ([], [])
    lineage = told(gate(run_id=given, record_fields=["status"]), "running")
    assert facet(lineage) == {"kind": "run", "id": "1234567"}


@pytest.mark.parametrize("state", ["running", "failed"])
def test_nothing_is_told_of_a_run_that_nobody_knows_yet(state: str) -> None:
    assert told(gate(run_id="{{ later }}"), state)["run_facets"] == {}


def test_a_failure_without_a_record_names_the_run_that_was_given() -> None:
    assert facet(told(gate(), "failed")) == {"kind": "run", "id": "1234567"}


# -- inlets and outlets --------------------------------------------------------------------------------------


def _file(uri: str) -> Any:
    from airflow.providers.common.compat.lineage.entities import File

    return File(url=uri)


def test_inlets_and_outlets_of_the_task_stay_beside_what_the_run_says() -> None:
    task = gate(RECORD, inlets=[_file("s3://panel/genes.bed")], outlets=[_file("s3://bucket/report")])
    lineage = told(task)
    assert datasets(lineage["inputs"]) == [
        ("s3://reads", "a.bam", "0cc175b9-2"),
        ("s3://panel", "genes.bed", None),
    ]
    assert datasets(lineage["outputs"]) == [("s3://bucket", "cohort", UUID), ("s3://bucket", "report", None)]


@pytest.mark.parametrize(
    ("asked", "outlet", "name"),
    [
        ("s3://bucket/cohort/", "s3://bucket/cohort", "cohort"),
        ("s3://bucket/cohort", "s3://bucket/cohort/", "cohort"),
        ("s3://bucket", "s3://bucket/", "/"),
    ],
)
def test_an_outlet_that_is_where_the_run_writes_is_one_output(asked: str, outlet: str, name: str) -> None:
    task = gate({**RECORD, "outputUri": asked}, outlets=[_file(outlet)])
    assert datasets(told(task)["outputs"]) == [("s3://bucket", name, UUID)]


def test_an_asset_that_is_where_the_run_writes_is_one_output() -> None:
    task = gate(RECORD, outlets=[Asset("s3://bucket/cohort")])
    assert datasets(told(task)["outputs"]) == [("s3://bucket", "cohort", UUID)]


def test_they_are_left_to_the_provider_if_the_run_says_nothing_of_data() -> None:
    """Else it would leave out what hooks have collected."""
    task = gate({"id": "1234567", "status": "COMPLETED"}, inlets=[_file("s3://panel/genes.bed")])
    lineage = task.get_openlineage_facets_on_complete(SimpleNamespace())
    assert (lineage.inputs, lineage.outputs) == ([], [])


def test_they_are_told_once_by_whatever_is_told_of_the_run() -> None:
    narrowed = {"id": "1234567", "status": "COMPLETED"}
    for state, record in (("running", None), ("success", narrowed), ("failed", RECORD)):
        lineage = told(
            gate(record, inlets=[_file("s3://panel/genes.bed")], outlets=[_file("s3://b/r")]), state
        )
        assert datasets(lineage["inputs"])[-1:] == [("s3://panel", "genes.bed", None)]
        assert datasets(lineage["outputs"]) == [("s3://b", "r", None)]


# -- batches -------------------------------------------------------------------------------------------------


@needs_batches
def test_a_batch_has_its_output_and_its_counts_and_no_member_s_inputs(omics: Any, clock: Any) -> None:
    record = a_batch(omics, settings([("completed", 3), ("failed-import-failed", 1)], parameters=PARAMETERS))
    sensor = OmicsRunBatchSensor(task_id="gate", batch_id=record["id"], max_failures=1, diagnose=False)
    assert end(sensor) is None
    lineage = told(sensor)
    assert lineage["inputs"] == []
    assert datasets(lineage["outputs"]) == [("s3://omics-outputs", "runs", record["uuid"])]
    members = facet(lineage)
    outcome = {"total": 4, "completed": 3, "failed": 1, "cancelled": 0, "deleted": 0, "notStarted": 0}
    assert (members["kind"], members["totalRuns"], members["outcome"]) == ("batch", 4, outcome)
    assert members["workflowId"] == record["defaultRunSetting"]["workflowId"]
    assert lineage["run_facets"]["externalQuery"]["externalQueryId"] == record["arn"]


@needs_batches
def test_a_batch_of_which_nothing_completed_has_no_output(omics: Any, clock: Any) -> None:
    record = a_batch(omics, settings([("failed-import-failed", 2)]))
    sensor = OmicsRunBatchSensor(task_id="gate", batch_id=record["id"], max_failures=2, diagnose=False)
    assert end(sensor) is None
    assert told(sensor)["outputs"] == []


@needs_batches
def test_record_fields_take_the_output_of_a_batch_with_its_default_setting(omics: Any, clock: Any) -> None:
    record = a_batch(omics, settings([("completed", 2)]))
    task = OmicsGetBatchOperator(task_id="get", batch_id=record["id"], record_fields=["outcome"])
    assert end(task) is None
    lineage = told(task)
    assert lineage["outputs"] == []
    assert set(facet(lineage)) == {"kind", "id", "status", "outcome"}


@needs_batches
def test_a_batch_whose_outcome_record_fields_leave_out_has_no_output(omics: Any, clock: Any) -> None:
    """Nothing says then that any of its runs completed."""
    record = a_batch(omics, settings([("failed-import-failed", 2)]))
    fields = ["uuid", "defaultRunSetting"]
    sensor = OmicsRunBatchSensor(
        task_id="gate", batch_id=record["id"], max_failures=2, record_fields=fields, diagnose=False
    )
    assert end(sensor) is None
    assert told(sensor)["outputs"] == []


@needs_batches
def test_the_operator_that_starts_a_batch_tells_of_it(start_batch: StartBatch) -> None:
    task = start_batch(run_settings=cohort(3))
    record = task().result
    lineage = told(task.operator)
    assert facet(lineage)["id"] == record["id"]
    assert facet(lineage)["outcome"]["completed"] == 3
    assert len(lineage["outputs"]) == 1


# -- the schema ----------------------------------------------------------------------------------------------


def test_the_schema_has_the_members_of_the_facet_and_no_others() -> None:
    import attr

    from airflow_omics._lineage.facets import COUNTS, OmicsRunFacet

    properties = SCHEMA["$defs"]["OmicsRunFacet"]["allOf"][1]["properties"]
    fields = [field.name for field in attr.fields(OmicsRunFacet) if not field.name.startswith("_")]
    assert fields == list(properties)
    assert list(properties["outcome"]["properties"]) == list(COUNTS)
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert all(member["description"] for member in properties.values())


def test_the_page_says_what_each_member_means_and_has_no_others() -> None:
    page = (REPOSITORY / "docs/use/lineage.md").read_text()
    table = page.partition("## The facet")[2].partition("## ")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    properties = SCHEMA["$defs"]["OmicsRunFacet"]["allOf"][1]["properties"]
    assert sorted(named) == sorted(properties)
    assert SCHEMA["$id"] in page
