"""Every example DAG, executed by real Airflow against the emulator."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_omics.emulator import Emulator, Life, Stage, Task
from tests.support.batches import KNOWS_BATCHES
from tests.support.dag_test.process import EXAMPLE_DAGS, FOREVER, REPOSITORY, AirflowProcess

EXECUTED = {
    "gate_and_use_record",
    "branch_on_outcome",
    "gate_allowed_to_fail",
    "many_runs_mapped",
    "start_gate_use",
    "cohort_under_a_pool",
    "rerun_with_a_cache",
    "cohort_from_a_sample_sheet",
    "batch_then_map",
    "cost_after_the_run",
    "start_on_events",
    "map_over_outputs",
}
QUICK = 1_000_000
"""Seconds of service time a second, with which a run is over by the time it is looked at."""
ROLE = "arn:aws:iam::123456789012:role/omics-run"


def test_every_example_is_executed_by_a_test() -> None:
    assert {path.stem for path in EXAMPLE_DAGS.glob("*.py")} == EXECUTED


def test_gate_hands_the_record_to_the_next_task(airflow: AirflowProcess, emulator: Emulator) -> None:
    [run_id] = emulator.start_runs(1, "completed", outputUri="s3://results/cohort")
    emulator.advance(FOREVER)
    report = airflow.run(EXAMPLE_DAGS / "gate_and_use_record.py", {"omics_run_id": run_id})
    assert report.state == "success"
    assert report.states == {"gate": "success", "find_outputs": "success"}
    record = report.results["gate"]
    assert (record["id"], record["status"]) == (run_id, "COMPLETED")
    assert record["arn"] == f"arn:aws:omics:us-east-1:123456789012:run/{run_id}"
    assert report.results["find_outputs"] == f"s3://results/cohort/{run_id}/out"


def test_gate_on_a_failed_run_stops_the_pipeline(airflow: AirflowProcess, emulator: Emulator) -> None:
    [run_id] = emulator.start_runs(1, "failed-run-task-failed")
    emulator.advance(FOREVER)
    report = airflow.run(EXAMPLE_DAGS / "gate_and_use_record.py", {"omics_run_id": run_id})
    assert report.state == "failed"
    assert report.states == {"gate": "failed", "find_outputs": "upstream_failed"}
    assert report.results["gate"]["failureReason"] == "RUN_TASK_FAILED"


def test_the_dag_of_the_readme_works_as_printed(
    airflow: AirflowProcess, emulator: Emulator, dag_file: Callable[[str, str], Path]
) -> None:
    [run_id] = emulator.start_runs(1, "completed", outputUri="s3://results/cohort")
    emulator.advance(FOREVER)
    printed = (REPOSITORY / "README.md").read_text().split("```python\n")[1].split("```")[0]
    assert len(printed.strip().splitlines()) <= 20
    if importlib.util.find_spec("airflow.sdk") is None:  # as the README says for Airflow 2.11
        printed = printed.replace("from airflow.sdk import", "from airflow.decorators import")
    # The driver finds a DAG by a name of its module.
    path = dag_file("after_the_run", printed + "\ndag_of_the_readme = after_the_run()\n")
    report = airflow.run(path, {"run_id": run_id})
    assert report.states == {"gate": "success", "report": "success"}
    assert f"COMPLETED s3://results/cohort/{run_id}" in report.log


@pytest.fixture
def dag_file(airflow: AirflowProcess) -> Callable[[str, str], Path]:
    def write(name: str, text: str) -> Path:
        path = airflow.home / "dags" / f"{name}.py"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize(
    ("life", "taken", "left", "reported"),
    [
        ("completed", "publish", "explain", "s3://airflow-omics-emulator/runs/{id}"),
        ("failed-run-task-failed", "explain", "publish", "run {id} is FAILED: RUN_TASK_FAILED"),
        ("cancelled", "explain", "publish", "run {id} is CANCELLED: no reason given"),
        ("deleted", "explain", "publish", "run {id} is DELETED: no reason given"),
    ],
)
def test_branch_follows_the_outcome(
    airflow: AirflowProcess, emulator: Emulator, life: str, taken: str, left: str, reported: str
) -> None:
    [run_id] = emulator.start_runs(1, life)
    emulator.advance(FOREVER)
    report = airflow.run(EXAMPLE_DAGS / "branch_on_outcome.py", {"omics_run_id": run_id})
    assert report.state == "success"
    assert report.states == {"gate": "success", "choose": "success", taken: "success", left: "skipped"}
    assert report.results[taken] == reported.format(id=run_id)


def test_failed_gate_still_hands_its_record_on(airflow: AirflowProcess, emulator: Emulator) -> None:
    [run_id] = emulator.start_runs(1, "failed-run-task-failed")
    emulator.advance(FOREVER)
    report = airflow.run(EXAMPLE_DAGS / "gate_allowed_to_fail.py", {"omics_run_id": run_id})
    assert report.states == {"gate": "failed", "report": "success"}
    assert report.results["report"] == f"{run_id} FAILED RUN_TASK_FAILED"


def test_gate_that_could_not_read_the_run_hands_on_nothing(
    airflow: AirflowProcess, emulator: Emulator
) -> None:
    [run_id] = emulator.start_runs(1)
    emulator.fault("GetRun", "AccessDeniedException")
    report = airflow.run(EXAMPLE_DAGS / "gate_allowed_to_fail.py", {"omics_run_id": run_id})
    assert report.states == {"gate": "failed", "report": "success"}
    assert report.results["report"] == "the run could not be read; the gate's log says why"


def test_many_runs_are_awaited_each_by_its_own_gate(airflow: AirflowProcess, emulator: Emulator) -> None:
    run_ids = emulator.start_runs(3, "completed", outputUri="s3://results")
    emulator.advance(FOREVER)
    report = airflow.run(EXAMPLE_DAGS / "many_runs_mapped.py", {"omics_run_ids": run_ids})
    assert report.state == "success"
    assert [report.results[f"gate[{index}]"]["id"] for index in range(3)] == run_ids
    assert report.results["collect"] == {run_id: f"s3://results/{run_id}" for run_id in run_ids}


def test_a_run_is_started_gated_and_used(airflow: AirflowProcess, emulator: Emulator) -> None:
    emulator.set_pace(QUICK)
    conf = {
        "workflow_id": "1234567",
        "role_arn": ROLE,
        "output_uri": "s3://results/one",
        "sample": "NA12878",
    }
    report = airflow.run(EXAMPLE_DAGS / "start_gate_use.py", conf)
    assert report.states == {"start": "success", "gate": "success", "use": "success"}
    [run_id] = started_runs(emulator)
    assert report.results["start"]["id"] == run_id
    assert report.results["gate"]["status"] == "COMPLETED"
    assert report.results["gate"]["parameters"] == {"sample": "NA12878"}
    assert report.results["use"] == f"s3://results/one/{run_id}/out"


def test_a_cohort_is_started_and_gated_sample_by_sample(airflow: AirflowProcess, emulator: Emulator) -> None:
    emulator.set_pace(QUICK)
    conf = {
        "workflow_id": "1234567",
        "role_arn": ROLE,
        "output_uri": "s3://results/cohort",
        "samples": ["NA12878", "NA12891", "NA12892"],
    }
    report = airflow.run(EXAMPLE_DAGS / "cohort_under_a_pool.py", conf)
    assert report.state == "success"
    run_ids = started_runs(emulator)
    assert len(run_ids) == 3
    gates = [report.results[f"gate[{index}]"] for index in range(3)]
    assert [gate["parameters"]["sample"] for gate in gates] == conf["samples"]
    assert {gate["id"] for gate in gates} == set(run_ids)
    outputs = [f"s3://results/cohort/{gate['id']}" for gate in gates]
    finished = dict(zip(conf["samples"], outputs, strict=True))
    assert report.results["collect"] == {"finished": finished, "failed": {}}


def test_a_sample_that_cannot_be_started_holds_up_no_other(
    airflow: AirflowProcess, emulator: Emulator, dag_file: Callable[[str, str], Path]
) -> None:
    emulator.set_pace(QUICK)
    emulator.fault("StartRun", "validation", times=1)
    conf = {
        "workflow_id": "1234567",
        "role_arn": ROLE,
        "output_uri": "s3://results/cohort",
        "samples": ["NA12878", "NA12891"],
    }
    example = (EXAMPLE_DAGS / "cohort_under_a_pool.py").read_text()
    assert "retries=2," in example  # which would start it after all
    report = airflow.run(dag_file("cohort_under_a_pool", example.replace("retries=2,", "retries=0,")), conf)
    assert report.state == "success"
    [run_id] = started_runs(emulator)
    [lost] = [index for index in (0, 1) if report.states[f"start[{index}]"] == "failed"]
    assert report.states == {
        "list_parameters": "success",
        f"start[{lost}]": "failed",
        f"start[{1 - lost}]": "success",
        "gate[0]": "success",
        "collect": "success",
    }
    finished = {conf["samples"][1 - lost]: f"s3://results/cohort/{run_id}"}
    assert report.results["collect"] == {"finished": finished, "failed": {}}


def test_a_run_is_run_again_from_a_cache(airflow: AirflowProcess, emulator: Emulator) -> None:
    emulator.set_pace(QUICK)
    [run_id] = emulator.start_runs(1, "completed", workflowId="1234567")
    emulator.default_life = "completed-with-cached-tasks"
    conf = {
        "omics_run_id": run_id,
        "cache_id": "7654321",
        "role_arn": ROLE,
        "output_uri": "s3://results/again",
    }
    report = airflow.run(EXAMPLE_DAGS / "rerun_with_a_cache.py", conf)
    assert report.states == {"rerun": "success", "tasks": "success", "count_cached": "success"}
    [again] = started_runs(emulator)
    record = report.results["rerun"]
    assert (record["id"], record["runId"], record["cacheId"]) == (again, run_id, "7654321")
    assert report.results["count_cached"] == "2 of 2"


def test_runs_whose_events_were_lost_are_given_by_hand(airflow: AirflowProcess, emulator: Emulator) -> None:
    """As Airflow 2.11 does always; how events start it is in tests/stack/test_events.py."""
    run_ids = emulator.start_runs(2, "completed", outputUri="s3://results")
    emulator.advance(FOREVER)
    arns = [f"arn:aws:omics:us-east-1:123456789012:run/{run_id}" for run_id in run_ids]
    report = airflow.run(EXAMPLE_DAGS / "start_on_events.py", {"runs": arns})
    assert report.state == "success"
    assert report.results["list_runs"] == arns
    assert [report.results[f"use[{index}]"] for index in range(2)] == [
        f"{run_id}: s3://results/{run_id}/out" for run_id in run_ids
    ]


HALF_AN_HOUR = (Stage("RUNNING", 1800), Stage("COMPLETED"))


def test_a_run_that_has_ended_says_what_it_cost(airflow: AirflowProcess, emulator: Emulator) -> None:
    align = Task("Align", stages=HALF_AN_HOUR, cpus=2, memory=8, instance_type="omics.m.4xlarge")
    bad = Task("Call", stages=(Stage("RUNNING", 900), Stage("FAILED")), cpus=1, instance_type="omics.c.large")
    stages = (Stage("PENDING", 1), Stage("RUNNING", 3600), Stage("FAILED"))
    emulator.add_life(Life("dear", stages=stages, tasks=(align, bad), failure_reason="RUN_TASK_FAILED"))
    [run_id] = emulator.start_runs(1, "dear", logs=True, storageType="STATIC", storageCapacity=1200)
    emulator.advance(FOREVER)
    report = airflow.run(EXAMPLE_DAGS / "cost_after_the_run.py", {"omics_run_id": run_id})
    assert report.states == {"gate": "failed", "cost": "success", "report": "success"}
    cost = report.results["cost"]
    assert (cost["usage"], cost["complete"]) == ("manifest", True)
    # Half an hour of omics.m.4xlarge, a quarter of omics.c.large, an hour of 1,200 GiB.
    assert cost["compute"] == pytest.approx(1.0368 / 2 + 0.11475 / 4, abs=1e-4)
    assert cost["storage"] == pytest.approx(0.0001918 * 1200, rel=0.01)
    total, *advice = report.results["report"]
    assert total == f"run {run_id} is FAILED: {cost['total']:.4f} USD"
    assert advice == ["Align: omics.c.xlarge would do, not omics.m.4xlarge"]


def test_each_output_of_a_run_has_a_task_of_its_own(airflow: AirflowProcess, emulator: Emulator) -> None:
    files = {"out/a.vcf": "12", "out/deep/b.vcf": "123", "out/c.bam": "1"}
    emulator.add_life(Life("leaves", stages=(Stage("PENDING", 1), Stage("COMPLETED")), outputs=files))
    [run_id] = emulator.start_runs(1, "leaves", logs=True, outputUri="s3://results/cohort")
    emulator.advance(FOREVER)
    report = airflow.run(EXAMPLE_DAGS / "map_over_outputs.py", {"omics_run_id": run_id})
    assert report.states == dict.fromkeys(("gate", "outputs", "use[0]", "use[1]"), "success")
    assert [report.results[f"use[{index}]"] for index in (0, 1)] == [
        f"s3://results/cohort/{run_id}/out/a.vcf has 2 bytes",
        f"s3://results/cohort/{run_id}/out/deep/b.vcf has 3 bytes",
    ]


def test_a_run_without_the_output_that_is_asked_for_stops_the_pipeline(
    airflow: AirflowProcess, emulator: Emulator
) -> None:
    [run_id] = emulator.start_runs(1, "completed", logs=True, outputUri="s3://results/cohort")
    emulator.advance(FOREVER)
    conf = {"omics_run_id": run_id, "pattern": "out/*.bcf"}
    report = airflow.run(EXAMPLE_DAGS / "map_over_outputs.py", conf)
    assert report.states == {"gate": "success", "outputs": "failed", "use": "upstream_failed"}
    assert f"no output matches 'out/*.bcf' in s3://results/cohort/{run_id}/" in report.log


# What they do is in test_example_dags_batch.py; here, that the oldest AWS libraries know no batches.
@pytest.mark.parametrize(
    ("name", "task"), [("cohort_from_a_sample_sheet", "cohort"), ("batch_then_map", "batch")]
)
def test_a_batch_is_started_or_says_what_it_needs(
    airflow: AirflowProcess, emulator: Emulator, name: str, task: str
) -> None:
    emulator.set_pace(QUICK)
    conf = {
        "workflow_id": "1234567",
        "role_arn": ROLE,
        "output_uri": "s3://results/cohort",
        "samples": ["NA12878"],
    }
    report = airflow.run(EXAMPLE_DAGS / f"{name}.py", conf)
    assert report.states[task] == ("success" if KNOWS_BATCHES else "failed")
    assert ("Batches of runs need botocore 1.42.74" in report.log) is not KNOWS_BATCHES


def started_runs(emulator: Emulator) -> list[str]:
    """Return the ids of the runs that StartRun answered with, in their order."""
    answers = [request for request in emulator.requests("StartRun") if request["status"] == 201]
    return [request["run_id"] for request in answers]
