"""One sample: a gate on its run, and a task that uses the outputs."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

from airflow_omics.sensors import OmicsRunSensor

with DAG("germline", schedule=None, params={"omics_run_id": ""}, tags=["healthomics"]):
    gate = OmicsRunSensor(task_id="gate", run_id="{{ params.omics_run_id }}", deferrable=True)

    @task
    def publish(record: dict[str, Any]) -> str:
        """Return where the outputs are."""
        return f"{record['runOutputUri']}/out"

    publish(gate.output)
