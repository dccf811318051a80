"""Gates that are given whole records: one, and one for each of several."""

from __future__ import annotations

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2.11
    from airflow import DAG

from airflow_omics.operators import OmicsGetRunOperator
from airflow_omics.sensors import OmicsRunSensor

with DAG("record_to_gate", schedule=None, params={"omics_run_id": ""}) as record_to_gate:
    start = OmicsGetRunOperator(task_id="start", run_id="{{ params.omics_run_id }}")
    OmicsRunSensor(task_id="gate", run_id=start.output)

with DAG("records_to_gates", schedule=None, params={"first": "", "second": ""}) as records_to_gates:
    starts = OmicsGetRunOperator.partial(task_id="start").expand(
        run_id=["{{ params.first }}", "{{ params.second }}"]
    )
    OmicsRunSensor.partial(task_id="gate").expand(run_id=starts.output)
