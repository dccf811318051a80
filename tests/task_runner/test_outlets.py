"""Real Airflow stores the events of outlets, and they say what is known of the run or batch."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_omics._compat import has_partitions
from airflow_omics.emulator import Emulator
from tests.support.batches import needs_batches
from tests.support.dag_test.process import CASE_DAGS, FOREVER, AirflowProcess, DagRunReport

OUTLETS = CASE_DAGS / "outlets.py"
MARKER = "MARKER"


@pytest.fixture(scope="module")
def airflow(airflow: AirflowProcess) -> AirflowProcess:
    """The Airflow of all tests of this folder, which now knows the assets."""
    airflow.register(OUTLETS)
    return airflow


def run(airflow: AirflowProcess, what: str, **conf: Any) -> DagRunReport:
    return airflow.run(OUTLETS, conf, dag_id=f"outlets_{what}")


def ended(omics: Emulator, life: str = "completed", folder: str = "poke", count: int = 1) -> list[str]:
    """Start runs that tell of a patient, and let them end."""
    run_ids = omics.start_runs(
        count,
        life,
        outputUri=f"s3://bucket/{folder}",
        parameters={"patient": MARKER},
        tags={"patient": MARKER},
        workflowId="7654321",
        name="trio",
    )
    omics.advance(FOREVER)
    return run_ids


def assert_no_patient(report: DagRunReport) -> None:
    assert MARKER not in str(report.asset_events)


@pytest.mark.parametrize(
    "mode",
    [
        pytest.param("poke", marks=pytest.mark.any_airflow),
        pytest.param("reschedule", marks=pytest.mark.any_airflow),
        "deferrable",
        pytest.param("from_trigger", marks=pytest.mark.any_airflow),
    ],
)
def test_event_says_what_is_public_of_the_run(airflow: AirflowProcess, emulator: Emulator, mode: str) -> None:
    [run_id] = ended(emulator, folder=mode)
    report = run(airflow, mode, omics_run_id=run_id)
    assert report.states == {"gate": "success"}
    extra = report.events["gate", f"s3://bucket/{mode}"]
    record = report.results["gate"]
    same = ("uuid", "arn", "workflowId", "digest", "startTime", "stopTime")
    assert extra == {
        "omics_id": run_id,
        "status": "COMPLETED",
        "name": "trio",
        "runOutputUri": f"s3://bucket/{mode}/{run_id}",
        **{name: record[name] for name in same},
    }
    assert "not to the outlet" not in report.log
    assert_no_patient(report)


@pytest.mark.any_airflow
def test_record_fields_hold_for_events_as_well(airflow: AirflowProcess, emulator: Emulator) -> None:
    [run_id] = ended(emulator)
    report = run(airflow, "narrow", omics_run_id=run_id)
    uuid = report.results["gate"]["uuid"]
    assert report.events == {
        ("gate", "s3://bucket/narrow"): {
            "omics_id": run_id,
            "status": "COMPLETED",
            "name": "trio",
            "uuid": uuid,
        }
    }


@pytest.mark.any_airflow
def test_event_has_the_fields_asked_for(airflow: AirflowProcess, emulator: Emulator) -> None:
    [run_id] = ended(emulator, folder="fields")
    report = run(airflow, "fields", omics_run_id=run_id)
    assert report.events == {("gate", "s3://bucket/fields"): {"workflowId": "7654321", "omics_id": run_id}}


@pytest.mark.any_airflow
def test_each_asset_among_outlets_gets_the_same(airflow: AirflowProcess, emulator: Emulator) -> None:
    [run_id] = ended(emulator, folder="one")
    report = run(airflow, "many", omics_run_id=run_id)
    assert report.states == {"gate": "success"}
    assert report.events["gate", "s3://bucket/one"]["omics_id"] == run_id
    assert report.events["gate", "s3://bucket/two"] == report.events["gate", "s3://bucket/one"]
    # The run writes where the first is, and not where the second is.
    [line] = [line for line in report.log.splitlines() if "and not to the outlet" in line]
    assert f"writes to s3://bucket/one/{run_id}" in line
    assert "outlet s3://bucket/two" in line


@pytest.mark.parametrize(("life", "state"), [("cancelled", "skipped"), ("failed-service-error", "failed")])
def test_no_event_unless_the_task_succeeds(
    airflow: AirflowProcess, emulator: Emulator, life: str, state: str
) -> None:
    [run_id] = ended(emulator, life)
    report = run(airflow, "skip", omics_run_id=run_id)
    assert report.states == {"gate": state}
    assert report.asset_events == []


def test_alias_gets_an_event_for_the_folder_of_the_runs(airflow: AirflowProcess, emulator: Emulator) -> None:
    [run_id] = ended(emulator, folder="anywhere")
    report = run(airflow, "alias", omics_run_id=run_id)
    assert report.states == {"gate": "success"}
    [event] = report.asset_events
    assert event["uri"] == "s3://bucket/anywhere"
    assert event["extra"]["runOutputUri"] == f"s3://bucket/anywhere/{run_id}"


def test_mapped_gates_leave_an_event_each_by_partition(airflow: AirflowProcess, emulator: Emulator) -> None:
    run_ids = ended(emulator, folder="mapped", count=3)
    report = run(airflow, "mapped", omics_run_ids=run_ids)
    assert report.state == "success"
    assert {row["extra"]["omics_id"] for row in report.asset_events} == set(run_ids)
    partitions = [row["partition"] for row in report.asset_events]
    uuids = [row["extra"]["uuid"] for row in report.asset_events]
    assert partitions == (uuids if has_partitions() else [None] * 3)
    assert len(set(uuids)) == 3


@pytest.mark.any_airflow
def test_start_that_waits_tells_of_the_end_and_one_that_does_not_of_the_start(
    airflow: AirflowProcess, emulator: Emulator
) -> None:
    emulator.default_life = "completed"
    emulator.set_pace(20_000)
    report = run(airflow, "start")
    assert report.states == {"wait": "success", "leave": "success"}
    waited = report.events["wait", "s3://bucket/started"]
    assert (waited["status"], waited["omics_id"]) == ("COMPLETED", report.results["wait"]["id"])
    left = report.events["leave", "s3://bucket/left"]
    assert (left["status"], left["omics_id"]) == ("PENDING", report.results["leave"]["id"])
    assert "stopTime" not in left
    # Nothing is there yet that an alias could stand for.
    assert len(report.asset_events) == 2


@pytest.mark.any_airflow
@needs_batches
def test_batch_tells_how_its_runs_ended(airflow: AirflowProcess, emulator: Emulator) -> None:
    emulator.default_life = "completed"
    emulator.set_pace(20_000)
    report = run(airflow, "batch")
    assert report.states == {"cohort": "success"}
    record = report.results["cohort"]
    extra = report.events["cohort", "s3://bucket/cohort"]
    counts = {"completed": 2, "failed": 0, "cancelled": 0, "deleted": 0, "notStarted": 0}
    assert extra == {
        "omics_id": record["id"],
        "status": "PROCESSED",
        "totalRuns": 2,
        **counts,
        **{name: record[name] for name in ("uuid", "arn", "name", "creationTime", "processedTime")},
    }
    assert "not to the outlet" not in report.log
    assert_no_patient(report)


@pytest.mark.any_airflow
def test_read_tells_what_it_has_read(airflow: AirflowProcess, emulator: Emulator) -> None:
    [run_id] = emulator.start_runs(1, "running-forever", outputUri="s3://bucket/read")
    emulator.advance(FOREVER)
    report = run(airflow, "get", omics_run_id=run_id)
    [event] = report.asset_events
    assert (event["uri"], event["extra"]["status"]) == ("s3://bucket/read", "RUNNING")
