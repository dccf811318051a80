"""A deferred gate on a real scheduler and triggerer, against the emulator over HTTP.

Airflow is asked through its REST API, as a user's browser would.
"""

from __future__ import annotations

from airflow_omics.emulator import EmulatorClient
from scripts.stack import Stack
from tests.support.pipeline import Pipeline

MARKER = "patient-4711-of-ward-9"


def test_a_gate_logs_what_its_run_does_and_nothing_of_what_it_computes(
    stack: Stack, omics: EmulatorClient
) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever", parameters={"sample": MARKER})
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
    assert record["parameters"] == {"sample": MARKER}
    written = [path for path in stack.folder.rglob("*.log") if path.name != "emulator.log"]
    assert any("task_id=gate" in str(path) for path in written)
    assert [path for path in written if MARKER in path.read_text(errors="replace")] == []
