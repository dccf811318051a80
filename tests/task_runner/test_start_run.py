"""Real Airflow renders what a start operator is given, and shows none of what may hold patient data."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_omics.emulator import Emulator
from tests.support.dag_test.process import CASE_DAGS, AirflowProcess, DagRunReport

MARKER = "patient-1f8e77ab"
STARTS = CASE_DAGS / "starts.py"


@pytest.fixture
def omics(emulator: Emulator) -> Emulator:
    """The emulator, in which a run has ended before the first look at it."""
    emulator.default_life = "completed"
    emulator.set_pace(20_000)
    return emulator


def run(airflow: AirflowProcess, dag_id: str, **conf: Any) -> DagRunReport:
    report = airflow.run(STARTS, {"patient": MARKER, **conf}, dag_id=dag_id)
    assert report.state == "success", report.states
    return report


def assert_marker_is_not_shown(airflow: AirflowProcess, report: DagRunReport, *task_ids: str) -> None:
    for text in (report.log, airflow.written()):
        assert [line for line in text.splitlines() if MARKER in line] == []
    for task_id in task_ids:
        assert MARKER not in str(report.rendered_fields[task_id])


def test_every_field_is_rendered(airflow: AirflowProcess, omics: Emulator) -> None:
    report = run(
        airflow,
        "start_templates",
        workflow="7654321",
        role="lab",
        priority=1200,
        storage="STATIC",
        level="ERROR",
        connection="aws_default",
    )
    record = report.results["start"]
    wanted = {
        "workflowId": "7654321",
        "roleArn": "arn:aws:iam::123456789012:role/lab",
        "outputUri": "s3://bucket/lab",
        "parameters": {"deep": [{"sample": MARKER}], "list": "cohort.json", "depth": 30},
        "runGroupId": "7654321",
        "priority": 1200,
        "storageType": "STATIC",
        "storageCapacity": 1200,
        "logLevel": "ERROR",
        "status": "COMPLETED",
    }
    assert {name: record[name] for name in wanted} == wanted
    assert record["name"].startswith("cohort-lab-")
    assert record["tags"]["who"] == MARKER
    assert_marker_is_not_shown(airflow, report, "start")
    assert report.rendered_fields["start"]["parameters"] == "deep, list, depth (values are not shown)"
    assert report.rendered_fields["start"]["tags"] == "who (values are not shown)"
    assert report.rendered_fields["start"]["role_arn"] == "arn:aws:iam::123456789012:role/lab"


def test_an_upstream_tasks_output_is_taken_as_it_is(airflow: AirflowProcess, omics: Emulator) -> None:
    report = run(airflow, "start_from_upstream")
    assert report.results["whole"]["parameters"] == {"sample": MARKER, "braces": "{{ not_rendered }}"}
    lanes = [f"s3://bucket/{number}.fastq" for number in (1, 2, 3)]
    assert report.results["parts"]["parameters"] == {"lanes": lanes, "plate": 7}
    assert len({request["run_id"] for request in omics.requests("StartRun")}) == 2
    assert_marker_is_not_shown(airflow, report, "whole", "parts")


def test_mapped_tasks_start_a_run_each_and_show_no_parameters(
    airflow: AirflowProcess, omics: Emulator
) -> None:
    report = run(airflow, "start_mapped")
    records = [report.results[f"start[{index}]"] for index in range(3)]
    assert [record["parameters"]["lane"] for record in records] == [1, 2, 3]
    assert len({record["id"] for record in records}) == 3
    assert [record["tags"]["airflow:map_index"] for record in records] == ["0", "1", "2"]
    assert_marker_is_not_shown(airflow, report, *(f"start[{index}]" for index in range(3)))


def test_parameters_are_read_from_a_file_beside_the_dag(airflow: AirflowProcess, omics: Emulator) -> None:
    report = run(airflow, "start_from_file", file="other.yaml")
    assert report.results["json"]["parameters"] == {"sample": "NA12878", "depth": 30}
    assert report.results["yaml"]["parameters"] == {"sample": "NA12891", "depth": 40}
    assert report.rendered_fields["yaml"]["parameters"] == "parameters/other.yaml"


def test_a_session_policy_is_shown_nowhere(airflow: AirflowProcess, omics: Emulator) -> None:
    # An older botocore knows no sessionPolicy: then the task fails, and still shows nothing of it.
    report = airflow.run(STARTS, {"patient": MARKER}, dag_id="start_with_policy")
    assert_marker_is_not_shown(airflow, report, "start")
    assert report.rendered_fields["start"]["start_run_kwargs"] == "sessionPolicy (values are not shown)"


def test_the_settings_of_a_rerun_are_rendered_and_hidden(airflow: AirflowProcess, omics: Emulator) -> None:
    omics.default_life = "failed-out-of-memory-error"
    report = airflow.run(STARTS, {"patient": MARKER, "big": 2400}, dag_id="start_rerun")
    record = report.results["start"]
    assert (record["storageType"], record["storageCapacity"]) == ("STATIC", 2400)
    assert record["parameters"] == {"memory": "2400", "who": MARKER}
    assert len(omics.requests("StartRun")) == 2
    assert_marker_is_not_shown(airflow, report, "start")
    assert report.rendered_fields["start"]["rerun_with"] == "OUT_OF_MEMORY_ERROR (values are not shown)"


def test_text_of_an_upstream_task_is_no_template_in_a_mapped_task(
    airflow: AirflowProcess, omics: Emulator
) -> None:
    """Whoever writes a sample's sheet could have a connection's password rendered."""
    report = airflow.run(STARTS, {}, dag_id="start_mapped_text")
    for task in ("start", "again", "gate"):
        assert report.states[f"{task}[0]"] == "failed"
    assert omics.requests("StartRun") == omics.requests("GetRun") == []
    assert "parameters holds a template that was not rendered" in report.log
    assert "49" not in str(report.rendered_fields["start[0]"])
    for task, field in (("again", "rerun_of"), ("gate", "run_id")):
        assert report.rendered_fields[f"{task}[0]"][field] == {"id": "{{ 6 * 7 }}"}


def test_text_stays_text_if_a_dag_renders_natively(airflow: AirflowProcess, omics: Emulator) -> None:
    conf = {
        "owner": "123456789012",
        "cache": "0012345",
        "priority": "30",
        "nothing": None,
        "plate": "7",
        "name": "2.0",
        "sample": {"sample": "NA12878"},
        "tags": {"plate": "8"},
    }
    omics.default_life = "failed-out-of-memory-error"
    report = airflow.run(STARTS, conf, dag_id="start_natively")
    record = report.results["start"]
    assert record["name"].startswith("20260101-")
    assert (record["runGroupId"], record["cacheId"]) == ("0042", "0012345")
    assert record["parameters"] == {"depth": 30, "nothing": None}
    assert (record["tags"]["plate"], record["tags"]["day"]) == ("7", "20260101")
    assert report.results["whole"]["name"].startswith("2.0-")
    assert report.results["whole"]["parameters"] == {"sample": "NA12878"}
    assert report.results["whole"]["tags"]["plate"] == "8"
