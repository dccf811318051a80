"""Hold a pipeline until a HealthOmics run has ended, then use what its record says.

Trigger it with ``{"omics_run_id": "1234567"}``. A run that ends in any other status than COMPLETED fails
``gate``, and nothing downstream runs.
"""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.decorators import task

from airflow_omics.sensors import OmicsRunSensor

with DAG("gate_and_use_record", schedule=None, params={"omics_run_id": ""}, tags=["healthomics"]):
    gate = OmicsRunSensor(task_id="gate", run_id="{{ params.omics_run_id }}", deferrable=True)

    @task
    def find_outputs(record: dict[str, Any]) -> str:
        """Return where HealthOmics put the run's files."""
        return f"{record['runOutputUri']}/out"

    find_outputs(gate.output)
