"""Deferred gates on a real scheduler and triggerer, against the emulator over HTTP.

Airflow is asked through its REST API, as a user's browser would.
"""

from __future__ import annotations

import pytest

from airflow_omics.emulator import EmulatorClient
from scripts.stack import Stack
from tests.stack.pipeline import Pipeline

MARKER = "patient-4711-of-ward-9"
# Processes that a test started belong to one worker of pytest-xdist.
pytestmark = pytest.mark.xdist_group("stack")


def start(omics: EmulatorClient) -> str:
    [run_id] = omics.start_runs(1, life="pending-forever", parameters={"sample": MARKER})
    return run_id


def test_a_deferred_gate_hands_its_record_on_as_a_dict(stack: Stack, omics: EmulatorClient) -> None:
    run_id = start(omics)
    pipeline = Pipeline(stack, "gate_and_use_record", {"omics_run_id": run_id})
    pipeline.until_deferred()
    omics.move(run_id, "RUNNING")
    stack.wait_for("the triggerer's line", lambda: "is RUNNING, was PENDING" in pipeline.log("gate"), 60)
    omics.move(run_id, "COMPLETED")
    assert pipeline.until_ended() == {"gate": "success", "find_outputs": "success"}
    record = pipeline.xcom("gate")
    assert record["id"] == run_id
    assert record["status"] == "COMPLETED"
    assert pipeline.xcom("find_outputs") == f"{record['runOutputUri']}/out"


def test_a_run_that_fails_fails_its_deferred_gate_at_once(stack: Stack, omics: EmulatorClient) -> None:
    run_id = start(omics)
    pipeline = Pipeline(stack, "gate_allowed_to_fail", {"omics_run_id": run_id})
    pipeline.until_deferred()
    omics.move(run_id, "FAILED", "OUT_OF_MEMORY_ERROR", "A task ran out of memory.")
    assert pipeline.until_ended() == {"gate": "failed", "report": "success"}
    gate = next(task for task in pipeline.tasks() if task["task_id"] == "gate")
    # The run ends within seconds of the deferral, while Airflow may not have heard that the worker that
    # deferred has ended (https://github.com/apache/airflow/issues/72716); tries are left, and none is spent.
    assert (gate["try_number"], gate["max_tries"]) == (1, 3)
    assert pipeline.xcom("gate")["failureReason"] == "OUT_OF_MEMORY_ERROR"
    assert pipeline.xcom("report") == f"{run_id} FAILED OUT_OF_MEMORY_ERROR"
    assert "A task ran out of memory." in pipeline.log("gate")


def test_mapped_gates_each_wait_for_their_own_run(stack: Stack, omics: EmulatorClient) -> None:
    run_ids = [start(omics) for _ in range(5)]
    pipeline = Pipeline(stack, "many_runs_mapped", {"omics_run_ids": run_ids})
    pipeline.until_deferred(5)
    for run_id in run_ids:
        omics.move(run_id, "COMPLETED")
    assert set(pipeline.until_ended().values()) == {"success"}
    assert [pipeline.xcom(f"gate[{index}]")["id"] for index in range(5)] == run_ids
    # As a set: PostgreSQL does not keep the order of a dict's keys.
    assert set(pipeline.xcom("collect")) == set(run_ids)


def test_no_log_of_a_task_or_of_airflow_holds_the_parameters(stack: Stack, omics: EmulatorClient) -> None:
    run_id = start(omics)
    pipeline = Pipeline(stack, "gate_and_use_record", {"omics_run_id": run_id})
    pipeline.until_deferred()
    omics.move(run_id, "COMPLETED")
    pipeline.until_ended()
    assert pipeline.xcom("gate")["parameters"] == {"sample": MARKER}
    written = [path for path in stack.folder.rglob("*.log") if path.name != "emulator.log"]
    assert any("task_id=gate" in str(path) for path in written)
    assert [path for path in written if MARKER in path.read_text(errors="replace")] == []
