"""What each task tells OpenLineage in each mode, sent by a real Airflow, and what no event may hold."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

try:
    from airflow.sdk import Asset
except ImportError:  # Airflow 2.11
    from airflow.datasets import Dataset as Asset

from airflow_omics.emulator import Emulator, EmulatorServer
from tests.support.dag_test.process import FOREVER, AirflowProcess, DagRunReport
from tests.support.lineage import Collected, Event, kinds, places
from tests.support.lineage_modes import (
    GATES,
    INPUT,
    LINEAGE,
    MODES,
    PARAMETERS,
    RUNS_OUTLETS,
    Mode,
    airflow_of,
    execute,
)
from tests.support.lineage_schema import faults_of

MARKER = "hush"
"""What is in everything that is given to a run and must not be shown."""
INPUTS = {"inputs.*.name"}
"""Where alone it may be in an event: an input's name is the key of an object in S3."""
FAILED = "failed-run-task-failed"
PRINTED = ("Using GATK jar", "ERROR: ")
"""What the programs of such a run have printed."""


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Collected:
    return Collected(tmp_path_factory.mktemp("lineage") / "events")


@pytest.fixture(scope="module")
def airflow(
    server: EmulatorServer, tmp_path_factory: pytest.TempPathFactory, collected: Collected
) -> Iterator[AirflowProcess]:
    home = tmp_path_factory.mktemp("airflow") / "home"
    with airflow_of(home, server, collected.environment) as process:
        yield process


@pytest.fixture
def omics(emulator: Emulator, collected: Collected) -> Emulator:
    collected.pass_over()
    return emulator


def datasets(event: Event, member: str) -> list[tuple[str, str, str]]:
    return [
        (one["namespace"], one["name"], one["facets"]["version"]["datasetVersion"]) for one in event[member]
    ]


def facets(event: Event) -> dict[str, Any]:
    found: dict[str, Any] = event["run"]["facets"]
    return found


def last(events: list[Event]) -> Event:
    return [event for event in events if event["eventType"] != "START"][-1]


def record_of(report: DagRunReport, task_id: str) -> dict[str, Any]:
    record: dict[str, Any] = report.results[task_id]
    return record


def assert_tells(event: Event, record: dict[str, Any]) -> None:
    """Assert that an event of a task says which run or batch it was about, and how that was."""
    told = facets(event)["omics_run"]
    for name in ("id", "uuid", "arn", "status", "workflowId", "runOutputUri", "failureReason", "batchId"):
        assert told.get(name) == record.get(name), name
    assert facets(event)["externalQuery"]["externalQueryId"] == record["arn"]
    assert facets(event)["externalQuery"]["source"] == "awsomics"
    if "resourceDigests" in record:
        etag = record["resourceDigests"][INPUT].removeprefix("etag:")  # S3 itself knows it without the word
        assert datasets(event, "inputs") == [("s3://reads", "hush-input/1.fastq.gz", etag)]


# What is told depends on the mode. That Airflow's listener asks for it is tried on each Airflow, in these.
ON_EACH_AIRFLOW = {
    "gate_poke_plain-completed",
    "gate_deferrable_plain-failed-run-task-failed",
    "start_deferred",
}


def mode_on_airflow(mode: Mode) -> Any:
    marks = () if str(mode) in ON_EACH_AIRFLOW else pytest.mark.any_airflow
    return pytest.param(mode, id=str(mode), marks=marks)


@pytest.mark.parametrize("mode", [mode_on_airflow(mode) for mode in MODES])
def test_each_mode_tells_what_it_must_and_nothing_else(
    airflow: AirflowProcess, omics: Emulator, collected: Collected, mode: Mode
) -> None:
    report = execute(airflow, omics, mode)
    for task_id, told in mode.told.items():
        assert kinds(collected.of(f"{mode.dag_id}.{task_id}")) == told, task_id
        states = {state for name, state in report.states.items() if name.partition("[")[0] == task_id}
        assert states == {mode.states.get(task_id, "success")}
    events = collected.events()
    assert [(kinds([event]), found) for event in events if (found := faults_of(event))] == []
    assert set().union(*(places(event, MARKER) for event in events)) <= INPUTS
    rendered = [row for row in report.rendered if row["task_id"] in mode.told]  # not what others are passed
    for text in (report.log, airflow.written(), str(rendered)):
        assert [line for line in text.splitlines() if MARKER in line] == []


@pytest.mark.any_airflow
@pytest.mark.parametrize("name", ["poke", "deferrable"])
def test_a_gate_tells_which_files_its_run_has_read_and_where_it_wrote(
    airflow: AirflowProcess, omics: Emulator, collected: Collected, name: str
) -> None:
    [run_id] = omics.start_runs(1, "completed", parameters=PARAMETERS, outputUri="s3://results/cohort")
    omics.advance(FOREVER)
    report = airflow.run(GATES, {"omics_run_id": run_id}, dag_id=f"gate_{name}_plain")
    record = record_of(report, "gate")
    event = last(collected.of(f"gate_{name}_plain.gate"))
    assert_tells(event, record)
    assert datasets(event, "outputs") == [("s3://results", "cohort", record["uuid"])]
    assert facets(event)["omics_run"]["images"] == {
        name: digest for name, digest in record["resourceDigests"].items() if name != INPUT
    }


@pytest.mark.any_airflow
@pytest.mark.parametrize("way", ["waiting", "deferred"])
def test_a_start_tells_what_its_run_was(
    airflow: AirflowProcess, omics: Emulator, collected: Collected, way: str
) -> None:
    [mode] = [mode for mode in MODES if mode.dag_id == f"start_{way}" and not mode.child]
    report = execute(airflow, omics, mode)
    for task_id in ("start", "read"):
        event = last(collected.of(f"start_{way}.{task_id}"))
        record = record_of(report, task_id)
        assert_tells(event, record)
        assert datasets(event, "outputs") == [("s3://bucket", "out", record["uuid"])]


@pytest.mark.any_airflow
def test_a_start_that_does_not_wait_tells_which_run_it_is_and_claims_no_output(
    airflow: AirflowProcess, omics: Emulator, collected: Collected
) -> None:
    [mode] = [mode for mode in MODES if mode.dag_id == "start_returning"]
    report = execute(airflow, omics, mode)
    for task_id in ("start", "read"):
        event = last(collected.of(f"start_returning.{task_id}"))
        assert facets(event)["externalQuery"]["externalQueryId"] == record_of(report, task_id)["arn"]
        assert (event["inputs"], event["outputs"]) == ([], [])


@pytest.mark.any_airflow
@pytest.mark.parametrize(("name", "life"), [("poke", "cancelled"), ("deferrable", FAILED)])
def test_a_failed_gate_tells_the_reason_and_claims_no_output(
    airflow: AirflowProcess, omics: Emulator, collected: Collected, name: str, life: str
) -> None:
    [run_id] = omics.start_runs(1, life, parameters=PARAMETERS)
    omics.advance(FOREVER)
    report = airflow.run(GATES, {"omics_run_id": run_id}, dag_id=f"gate_{name}_plain")
    [event] = [event for event in collected.of(f"gate_{name}_plain.gate") if event["eventType"] == "FAIL"]
    assert_tells(event, record_of(report, "gate"))
    assert event["outputs"] == []
    expected = "RUN_TASK_FAILED" if life == FAILED else None
    assert facets(event)["omics_run"].get("failureReason") == expected


@pytest.mark.any_airflow
@pytest.mark.parametrize(("name", "log_tails"), [("poke", "True"), ("deferrable", "True"), ("poke", "False")])
def test_no_event_has_what_the_programs_of_a_run_printed(
    airflow: AirflowProcess, omics: Emulator, collected: Collected, name: str, log_tails: str
) -> None:
    [run_id] = omics.start_runs(1, FAILED, logs=True, parameters=PARAMETERS)
    omics.advance(FOREVER)
    settings = {"AIRFLOW__OMICS__LOG_TAILS": log_tails}
    report = airflow.run(GATES, {"omics_run_id": run_id}, dag_id=f"gate_{name}_plain", environment=settings)
    assert report.states["gate"] == "failed"
    # The task's own log is where they belong.
    assert all((text in report.log) == (log_tails == "True") for text in PRINTED)
    found = [text for text in PRINTED for event in collected.events() if places(event, text)]
    assert found == []


@pytest.mark.any_airflow
def test_record_fields_apply_to_inputs_and_output(
    airflow: AirflowProcess, omics: Emulator, collected: Collected
) -> None:
    [run_id] = omics.start_runs(1, "completed", parameters=PARAMETERS)
    omics.advance(FOREVER)
    airflow.run(LINEAGE, {"omics_run_id": run_id}, dag_id="gate_without_inputs")
    event = last(collected.of("gate_without_inputs.gate"))
    assert event["inputs"] == []
    assert len(event["outputs"]) == 1
    airflow.run(GATES, {"omics_run_id": run_id}, dag_id="gate_poke_narrow")
    event = last(collected.of("gate_poke_narrow.gate"))
    assert (event["inputs"], event["outputs"]) == ([], [])
    assert "externalQuery" not in facets(event)
    told = {name: value for name, value in facets(event)["omics_run"].items() if not name.startswith("_")}
    assert told == {"kind": "run", "id": run_id, "status": "COMPLETED"}


@pytest.mark.any_airflow
def test_the_name_of_a_run_is_where_the_docs_say(
    airflow: AirflowProcess, omics: Emulator, collected: Collected
) -> None:
    [ended] = omics.start_runs(1, "completed", name="name-of-patient")
    [failed] = omics.start_runs(1, FAILED, name="name-of-patient")
    omics.advance(FOREVER)

    def found(dag_id: str, run_id: str) -> set[str]:
        collected.pass_over()
        airflow.run(GATES, {"omics_run_id": run_id}, dag_id=dag_id)
        return set().union(*(places(event, "name-of-patient") for event in collected.of(f"{dag_id}.gate")))

    assert found("gate_poke_plain", ended) == {"run.facets.omics_run.name"}
    assert found("gate_poke_narrow", ended) == set()
    of_the_error = {"run.facets.errorMessage.message", "run.facets.errorMessage.stackTrace"}
    assert found("gate_poke_plain", failed) == {"run.facets.omics_run.name", *of_the_error}


@pytest.mark.skipif(not RUNS_OUTLETS, reason="this Airflow's dag.test() runs no task with an outlet")
def test_inlets_and_outlets_of_the_task_stay_beside_what_its_run_read_and_wrote(
    airflow: AirflowProcess, omics: Emulator, collected: Collected
) -> None:
    [run_id] = omics.start_runs(1, "completed", parameters=PARAMETERS, outputUri="s3://results/cohort")
    omics.advance(FOREVER)
    airflow.run(LINEAGE, {"omics_run_id": run_id}, dag_id="gate_with_outlets")
    event = last(collected.of("gate_with_outlets.gate"))
    names = {
        member: [(one["namespace"], one["name"]) for one in event[member]] for member in ("inputs", "outputs")
    }
    assert names == {
        "inputs": [("s3://reads", "hush-input/1.fastq.gz"), *converted("s3://lab/sheet.csv")],
        "outputs": [("s3://results", "cohort"), *converted("s3://bucket/out")],
    }


def converted(uri: str) -> list[tuple[str, str]]:
    """Return what Airflow itself makes of an inlet or outlet: the oldest provider makes nothing."""
    from airflow.providers.openlineage.extractors import ExtractorManager

    manager: Any = ExtractorManager
    dataset = manager.convert_to_ol_dataset(Asset(uri))
    return [(dataset.namespace, dataset.name)] if dataset else []


@pytest.mark.parametrize(
    ("life", "end", "state"),
    [
        ("completed", "COMPLETE", "success"),
        pytest.param(FAILED, "FAIL", "failed", marks=pytest.mark.any_airflow),
        pytest.param("cancelled", "ABORT", "failed", marks=pytest.mark.any_airflow),
    ],
)
def test_lineage_run_tells_of_the_run_itself_with_its_own_times(
    airflow: AirflowProcess, omics: Emulator, collected: Collected, life: str, end: str, state: str
) -> None:
    [mode] = [mode for mode in MODES if mode.child and mode.dag_id == "gate_poke_plain" and mode.life == life]
    report = execute(airflow, omics, mode)
    assert report.states["gate"] == state
    record = record_of(report, "gate")
    [start, stop] = collected.of(f"workflow/{record['workflowId']}")
    [*_, task] = collected.of("gate_poke_plain.gate")
    assert kinds([start, stop]) == ["START", end]
    assert {event["run"]["runId"] for event in (start, stop)} == {record["uuid"]}
    times = [record.get("startTime") or record["creationTime"], record["stopTime"]]
    assert [moment(event["eventTime"]) for event in (start, stop)] == [moment(time) for time in times]
    for event in (start, stop):
        parent = facets(event)["parent"]
        assert parent["run"]["runId"] == task["run"]["runId"]
        assert (parent["job"]["namespace"], parent["job"]["name"]) == ("default", "gate_poke_plain.gate")
        assert parent["root"]["run"]["runId"] == facets(task)["parent"]["run"]["runId"]
        assert facets(event)["externalQuery"]["externalQueryId"] == record["arn"]
    assert_tells(stop, record)
    # What a run has come to is not known when it starts.
    assert "status" not in facets(start)["omics_run"]
    assert (start["outputs"], len(stop["outputs"])) == ([], life == "completed")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.any_airflow
def test_a_task_that_is_told_of_twice_is_one_run(
    airflow: AirflowProcess, omics: Emulator, collected: Collected
) -> None:
    [mode] = [mode for mode in MODES if mode.dag_id == "start_deferred" and not mode.child]
    execute(airflow, omics, mode)
    events = collected.of("start_deferred.start")
    assert len({event["run"]["runId"] for event in events}) == 1
    # A start is told of before the task has begun, and before it goes on: it cannot say yet which run it is.
    assert [bool(facets(event).get("omics_run")) for event in events] == [False, False, True]
