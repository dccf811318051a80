"""Start a HealthOmics run, hold the pipeline until it has ended, and use what its record says.

Trigger it with ``{"workflow_id": "1234567", "role_arn": "arn:aws:iam::123456789012:role/omics-run",
"output_uri": "s3://bucket/folder", "sample": "NA12878"}``. Retrying or losing ``start`` never starts a second
run; clearing it does, and leaves the first one going: nobody waits for it in ``start``.
"""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.decorators import task

from airflow_omics.operators import OmicsStartRunOperator
from airflow_omics.sensors import OmicsRunSensor

PARAMS = {"workflow_id": "", "role_arn": "", "output_uri": "", "sample": ""}

with DAG("start_gate_use", schedule=None, params=PARAMS, tags=["healthomics"]):
    start = OmicsStartRunOperator(
        task_id="start",
        workflow_id="{{ params.workflow_id }}",
        role_arn="{{ params.role_arn }}",
        output_uri="{{ params.output_uri }}",
        parameters={"sample": "{{ params.sample }}"},
        wait_for_completion=False,
    )
    gate = OmicsRunSensor(task_id="gate", run_id=start.output, deferrable=True)

    @task
    def use(record: dict[str, Any]) -> str:
        """Return where HealthOmics put the run's files."""
        return f"{record['runOutputUri']}/out"

    use(gate.output)
