"""What a run's parameters hold reaches no log and no rendered field."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_omics.emulator import Emulator
from tests.support.batches import KNOWS_BATCHES
from tests.support.dag_test.process import CASE_DAGS, FOREVER, AirflowProcess, DagRunReport

MARKER = "patient-8c1f1f0e"
RECORDS = CASE_DAGS / "records.py"


def identity(record: dict[str, Any]) -> dict[str, str]:
    return {"id": record["id"], "uuid": record["uuid"], "arn": record["arn"]}


def assert_not_logged(airflow: AirflowProcess, report: DagRunReport) -> None:
    for text in (report.log, airflow.written()):
        assert [line for line in text.splitlines() if MARKER in line] == []


def assert_nowhere(airflow: AirflowProcess, report: DagRunReport) -> None:
    assert_not_logged(airflow, report)
    assert MARKER not in str(report.rendered)


def test_record_given_to_a_gate_is_rendered_as_its_identity(
    airflow: AirflowProcess, emulator: Emulator
) -> None:
    [run_id] = emulator.start_runs(1, "completed", parameters={"patient": MARKER}, tags={"who": MARKER})
    emulator.advance(FOREVER)
    report = airflow.run(RECORDS, {"omics_run_id": run_id}, dag_id="record_to_gate")
    assert report.states == {"start": "success", "gate": "success"}
    assert report.results["start"]["parameters"] == {"patient": MARKER}
    assert report.rendered_fields["gate"]["run_id"] == identity(report.results["start"])
    assert_nowhere(airflow, report)


def test_records_given_to_mapped_gates_are_rendered_as_their_identities(
    airflow: AirflowProcess, emulator: Emulator
) -> None:
    first, second = emulator.start_runs(2, "completed", parameters={"patient": MARKER})
    emulator.advance(FOREVER)
    report = airflow.run(RECORDS, {"first": first, "second": second}, dag_id="records_to_gates")
    assert report.state == "success"
    for index, run_id in enumerate((first, second)):
        assert report.results[f"gate[{index}]"]["id"] == run_id
        assert report.rendered_fields[f"gate[{index}]"]["run_id"] == identity(
            report.results[f"start[{index}]"]
        )
    assert_nowhere(airflow, report)


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferrable"])
def test_failed_gate_does_not_show_the_parameters(
    airflow: AirflowProcess, emulator: Emulator, mode: str
) -> None:
    [run_id] = emulator.start_runs(1, "failed-run-task-failed", parameters={"patient": MARKER})
    emulator.advance(FOREVER)
    report = airflow.run(CASE_DAGS / "gates.py", {"omics_run_id": run_id}, dag_id=f"gate_{mode}_plain")
    assert report.states["gate"] == "failed"
    assert report.results["gate"]["parameters"] == {"patient": MARKER}
    # The next task is an ordinary TaskFlow one: Airflow renders what is passed to it, which is the record.
    assert MARKER not in str(report.rendered_fields["gate"])
    assert_not_logged(airflow, report)


@pytest.mark.parametrize("life", ["completed", "failed-out-of-memory-error"])
def test_what_a_batch_is_asked_with_is_shown_nowhere(
    airflow: AirflowProcess, emulator: Emulator, life: str
) -> None:
    emulator.set_pace(20_000)
    emulator.default_life = life
    report = airflow.run(CASE_DAGS / "start_batches.py", {"patient": MARKER}, dag_id="batch_to_gate")
    if not KNOWS_BATCHES:
        assert report.states["start"] == "failed"
        assert_not_logged(airflow, report)
        return
    assert report.states == {"samples": "success", "start": "success", "gate": "success"}
    record = report.results["start"]
    assert record["outcome"]["total"] == 3
    assert_nowhere(airflow, report)
    hidden = ("run_settings", "parameters", "run_tags", "tags", "start_run_kwargs", "rerun_with")
    assert all("not shown" in str(report.rendered_fields["start"][name]) for name in hidden)
    assert report.rendered_fields["start"]["run_settings"] == "a dict of 3, not shown"
    assert report.rendered_fields["gate"]["batch_id"] == identity(record)
    # What GetBatch says of all runs, and the batch's own tags, are in the record; nothing else is.
    contract = ("defaultRunSetting", "tags")
    for row in report.xcoms:
        if row["task_id"] != "samples":
            assert MARKER not in str({k: v for k, v in dict(row["value"]).items() if k not in contract})
