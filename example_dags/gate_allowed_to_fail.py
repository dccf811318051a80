"""Report on a HealthOmics run whether or not it went well.

The gate fails with the run, so that the grid shows it red, and ``report`` runs all the same. It still
finds the run's record: the gate leaves it in XCom before it fails. There is no record when the run could
not be read at all. Trigger it with ``{"omics_run_id": "1234567"}``.
"""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.decorators import task

from airflow_omics.sensors import OmicsRunSensor

with DAG("gate_allowed_to_fail", schedule=None, params={"omics_run_id": ""}, tags=["healthomics"]):
    gate = OmicsRunSensor(task_id="gate", run_id="{{ params.omics_run_id }}", deferrable=True)

    @task(trigger_rule="all_done")
    def report(record: dict[str, Any] | None) -> str:
        """Return one line for a report."""
        if record is None:
            return "the run could not be read; the gate's log says why"
        return " ".join([record["id"], record["status"], *filter(None, [record.get("failureReason")])])

    report(gate.output)
