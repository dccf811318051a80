"""Wait for a run, list what it left in S3, and do something for each file.

``outputs`` fails if the run left no file that ``pattern`` matches, or an empty one, so nothing downstream
works on half a result. Trigger it with ``{"omics_run_id": "1234567", "pattern": "out/**/*.vcf"}``.
"""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.decorators import task

from airflow_omics.operators import OmicsListRunOutputsOperator
from airflow_omics.sensors import OmicsRunSensor

PARAMS = {"omics_run_id": "", "pattern": "*.vcf"}

with DAG("map_over_outputs", schedule=None, params=PARAMS, tags=["healthomics"]):
    gate = OmicsRunSensor(task_id="gate", run_id="{{ params.omics_run_id }}", deferrable=True)
    outputs = OmicsListRunOutputsOperator(
        task_id="outputs", run_id=gate.output, pattern="{{ params.pattern }}"
    )

    @task
    def use(output: dict[str, Any]) -> str:
        """Return what a mapped task knows of its file."""
        return f"{output['uri']} has {output['bytes']} bytes"

    use.expand(output=outputs.output)
