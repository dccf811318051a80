"""Gates on Airflow's own task runner: the state of the task, and what is in XCom for the next one."""

from __future__ import annotations

import threading

import pytest

from airflow_omics.emulator import Emulator
from tests.support.dag_test.process import CASE_DAGS, FOREVER, AirflowProcess, DagRunReport

GATES = CASE_DAGS / "gates.py"
FAILED, CANCELLED, COMPLETED = "failed-run-task-failed", "cancelled", "completed"
MODES = ("poke", "reschedule", "deferrable", "from_trigger")


def run(airflow: AirflowProcess, dag_id: str, run_id: str) -> DagRunReport:
    return airflow.run(GATES, {"omics_run_id": run_id}, dag_id=dag_id)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("setting", "life", "state", "status"),
    [
        ("plain", COMPLETED, "success", "COMPLETED"),
        ("plain", FAILED, "failed", "FAILED"),
        ("plain", CANCELLED, "failed", "CANCELLED"),
        ("soft_fail", FAILED, "skipped", "FAILED"),
        ("skip", CANCELLED, "skipped", "CANCELLED"),
        ("skip", FAILED, "failed", "FAILED"),
    ],
)
def test_however_a_gate_ends_the_next_task_gets_the_record(
    airflow: AirflowProcess, emulator: Emulator, mode: str, setting: str, life: str, state: str, status: str
) -> None:
    [run_id] = emulator.start_runs(1, life)
    emulator.advance(FOREVER)
    report = run(airflow, f"gate_{mode}_{setting}", run_id)
    assert report.states == {"gate": state, "receive": "success"}
    assert (report.results["gate"]["id"], report.results["gate"]["status"]) == (run_id, status)
    assert report.results["receive"] == ["dict", status]


@pytest.mark.parametrize("mode", MODES)
def test_gate_looks_until_the_run_has_ended(airflow: AirflowProcess, emulator: Emulator, mode: str) -> None:
    [run_id] = emulator.start_runs(1, COMPLETED)

    def end_the_run_after_the_first_look() -> None:
        emulator.wait_for("GetRun", 1, timeout=60)
        emulator.advance(FOREVER)

    service = threading.Thread(target=end_the_run_after_the_first_look)
    service.start()
    report = run(airflow, f"gate_{mode}_plain", run_id)
    service.join()
    assert report.states == {"gate": "success", "receive": "success"}
    assert report.tries["gate"] == 1
    assert emulator.counts()["GetRun"] >= 2


@pytest.mark.parametrize("mode", MODES)
def test_failed_run_is_not_retried(airflow: AirflowProcess, emulator: Emulator, mode: str) -> None:
    [run_id] = emulator.start_runs(1, FAILED)
    emulator.advance(FOREVER)
    report = run(airflow, f"gate_{mode}_retries", run_id)
    assert report.states["gate"] == "failed"
    assert report.tries["gate"] == 1
    assert emulator.counts()["GetRun"] == 1


@pytest.mark.parametrize("mode", MODES)
def test_record_of_a_failed_gate_is_narrowed_as_well(
    airflow: AirflowProcess, emulator: Emulator, mode: str
) -> None:
    [run_id] = emulator.start_runs(1, FAILED, parameters={"sample": "NA12878"})
    emulator.advance(FOREVER)
    report = run(airflow, f"gate_{mode}_narrow", run_id)
    assert report.results["gate"] == {
        "id": run_id,
        "status": "FAILED",
        "failureReason": "RUN_TASK_FAILED",
    }


@pytest.mark.parametrize("mode", MODES)
def test_gate_without_access_fails_and_leaves_nothing(
    airflow: AirflowProcess, emulator: Emulator, mode: str
) -> None:
    [run_id] = emulator.start_runs(1, COMPLETED)
    emulator.fault("GetRun", "AccessDeniedException")
    report = run(airflow, f"gate_{mode}_soft_fail", run_id)
    assert report.states == {"gate": "failed", "receive": "success"}
    assert "gate" not in report.results
    assert report.results["receive"] == ["NoneType"]
