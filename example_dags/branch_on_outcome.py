"""Go one way when a HealthOmics run has completed, and another when it has not.

Naming every terminal status in ``success_statuses`` lets the gate succeed however the run ended; the
branch reads the ending from the record. Trigger it with ``{"omics_run_id": "1234567"}``.
"""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.decorators import task

from airflow_omics.sensors import OmicsRunSensor

with DAG("branch_on_outcome", schedule=None, params={"omics_run_id": ""}, tags=["healthomics"]):
    gate = OmicsRunSensor(
        task_id="gate",
        run_id="{{ params.omics_run_id }}",
        success_statuses=("COMPLETED", "FAILED", "CANCELLED", "DELETED"),
        deferrable=True,
    )

    @task.branch
    def choose(record: dict[str, Any]) -> str:
        """Name the task that goes on."""
        return "publish" if record["status"] == "COMPLETED" else "explain"

    @task
    def publish(record: dict[str, Any]) -> str:
        """Return where the results are."""
        return str(record["runOutputUri"])

    @task
    def explain(record: dict[str, Any]) -> str:
        """Return why there are no results; ``failureReason`` is there for failed runs alone."""
        return f"run {record['id']} is {record['status']}: {record.get('failureReason', 'no reason given')}"

    choose(gate.output) >> [publish(gate.output), explain(gate.output)]
