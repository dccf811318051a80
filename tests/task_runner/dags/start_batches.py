"""A task that starts a batch from what another task gives, and a gate on it: nothing of it may be shown."""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.decorators import task

from airflow_omics.operators import OmicsStartRunBatchOperator
from airflow_omics.sensors import OmicsRunBatchSensor

PATIENT = "{{ dag_run.conf['patient'] }}"

with DAG("batch_to_gate", schedule=None) as batch_to_gate:

    @task(show_return_value_in_logs=False)
    def samples(dag_run: Any = None) -> dict[str, Any]:
        return {f"s{number}": {"sample": dag_run.conf["patient"]} for number in (1, 2, 3)}

    start = OmicsStartRunBatchOperator(
        task_id="start",
        workflow_id="1234567",
        role_arn="arn:aws:iam::123456789012:role/omics-run",
        output_uri="s3://bucket/out",
        run_settings=samples(),
        parameters={"cohort": PATIENT},
        run_tags={"cohort": PATIENT},
        tags={"who": PATIENT},
        start_run_kwargs={"sessionPolicy": '{"Sid": "{{ dag_run.conf["patient"] }}"}'},
        rerun_with={"OUT_OF_MEMORY_ERROR": {"parameters": {"cohort": PATIENT}}},
        max_failures=3,
        poke_interval=1,
    )
    OmicsRunBatchSensor(task_id="gate", batch_id=start.output, max_failures=3, poke_interval=1)
