"""The example DAGs that start batches, executed by real Airflow against the emulator."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from airflow_omics.emulator import Emulator, EmulatorServer
from tests.support.batch_waits import client
from tests.support.dag_test.process import EXAMPLE_DAGS, AirflowProcess, DagRunReport

QUICK = 1_000_000
"""Seconds of service time a second, with which a batch is over by the time it is looked at."""
CONF = {
    "workflow_id": "1234567",
    "role_arn": "arn:aws:iam::123456789012:role/omics-run",
    "output_uri": "s3://results/cohort",
}
SHEET = EXAMPLE_DAGS / "cohort.csv"
DENIED = ["AccessDeniedException", "The role is not authorized to perform: omics:StartRun"]


@pytest.fixture
def runs(server: EmulatorServer) -> Callable[[], list[dict[str, Any]]]:
    """Return the record of every run, the first started first."""

    def read() -> list[dict[str, Any]]:
        omics = client(server.endpoint_url)
        items = [item for page in omics.get_paginator("list_runs").paginate() for item in page["items"]]
        return [omics.get_run(id=item["id"]) for item in sorted(items, key=lambda item: item["creationTime"])]

    return read


def run_sheet(airflow: AirflowProcess, emulator: Emulator, **rules: Any) -> DagRunReport:
    emulator.set_pace(QUICK)
    emulator.batches(**rules)
    return airflow.run(EXAMPLE_DAGS / "cohort_from_a_sample_sheet.py", CONF)


def test_each_row_of_the_sheet_is_a_run(
    airflow: AirflowProcess, emulator: Emulator, runs: Callable[[], list[dict[str, Any]]]
) -> None:
    report = run_sheet(airflow, emulator)
    assert report.states == {"cohort": "success", "list_failures": "success"}
    with SHEET.open() as lines:
        rows = list(csv.DictReader(lines))
    assert {run["name"]: run["parameters"] for run in runs()} == {
        row["sample"]: {"reference": "GRCh38", "reads": row["reads"], "depth": int(row["depth"])}
        for row in rows
    }
    assert report.results["cohort"]["outcome"]["completed"] == len(rows) == 20
    assert report.results["list_failures"] == []
    # What is in the sheet is shown nowhere; that the sheet is used, is.
    shown = f"{report.log} {report.rendered} {report.results}"
    assert "s3://cohort-reads" not in shown
    assert "SampleSheet('cohort.csv'" in report.rendered_fields["cohort"]["run_settings"]


def test_a_sample_that_failed_is_tolerated_and_listed(
    airflow: AirflowProcess, emulator: Emulator, runs: Callable[[], list[dict[str, Any]]]
) -> None:
    report = run_sheet(airflow, emulator, fail={"NA19240": DENIED})
    assert report.states == {"cohort": "success", "list_failures": "success"}
    [line] = report.results["list_failures"]
    assert line == "1 AccessDeniedException (platform): NA19240"
    assert Counter(run["name"] for run in runs()).most_common(1)[0][1] == 1


def test_more_than_one_sample_in_twenty_fails_the_cohort(airflow: AirflowProcess, emulator: Emulator) -> None:
    report = run_sheet(airflow, emulator, fail={"NA19240": DENIED, "HG00512": DENIED})
    assert report.states == {"cohort": "failed", "list_failures": "upstream_failed"}
    assert "2 of 20 runs did not complete; 1 of 20 may end badly." in report.log


def test_samples_whose_failure_may_pass_are_run_once_more(
    airflow: AirflowProcess, emulator: Emulator, runs: Callable[[], list[dict[str, Any]]]
) -> None:
    throttled = dict.fromkeys(("NA19240", "HG00512"), "ThrottlingException")
    report = run_sheet(airflow, emulator, fail={"NA12878": DENIED, **throttled})
    assert report.states == {"cohort": "failed", "list_failures": "upstream_failed"}
    first, again = emulator.requests("StartRunBatch")
    assert (first["status"], again["status"]) == (201, 201)
    assert report.results["cohort"]["outcome"]["notStarted"] == 3
    assert len(runs()) == 17  # those three have had none, in either batch


def test_each_sample_that_completed_is_mapped_over(airflow: AirflowProcess, emulator: Emulator) -> None:
    emulator.set_pace(QUICK)
    emulator.batches(fail={"NA12891": DENIED})
    samples = ["NA12878", "NA12891", "NA12892"]
    report = airflow.run(EXAMPLE_DAGS / "batch_then_map.py", {**CONF, "samples": samples})
    assert report.states == {
        "list_samples": "success",
        "batch": "success",
        "completed": "success",
        "use[0]": "success",
        "use[1]": "success",
    }
    members = {member["runSettingId"]: member for member in report.results["batch"]["members"]}
    assert members["NA12891"]["status"] == "NOT_STARTED"
    assert {report.results["use[0]"], report.results["use[1]"]} == {
        f"{sample}: s3://results/cohort/{members[sample]['runId']}/out" for sample in ("NA12878", "NA12892")
    }


def test_nothing_is_mapped_if_too_many_failed(airflow: AirflowProcess, emulator: Emulator) -> None:
    emulator.set_pace(QUICK)
    emulator.batches(fail={"NA12878": DENIED})
    report = airflow.run(EXAMPLE_DAGS / "batch_then_map.py", {**CONF, "samples": ["NA12878"]})
    assert report.state == "failed"
    assert report.states["batch"] == "failed"
    assert report.states["completed"] == "upstream_failed"
