"""One DAG for each way in which a task tells OpenLineage of something, but for the gates of ``gates.py``.

What must not be shown has a marker that says where it was given. Nothing of it is in the DAG run's ``conf``,
nor in a function's text: both are in the events of Airflow's own.
"""

from __future__ import annotations

from typing import Any

import botocore.session

try:
    from airflow.sdk import DAG, Asset, task
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.datasets import Dataset as Asset
    from airflow.decorators import task

from airflow_omics.operators import (
    OmicsGetBatchOperator,
    OmicsGetRunOperator,
    OmicsStartRunBatchOperator,
    OmicsStartRunOperator,
)
from airflow_omics.sensors import OmicsRunBatchSensor, OmicsRunSensor

PARAMETERS = {"sample": "hush-parameter", "reads": ["s3://reads/hush-input/1.fastq.gz"]}
# Only what the installed botocore knows can be given; the oldest has nothing that may hold a secret.
KNOWN = botocore.session.Session().get_service_model("omics").operation_model("StartRun").input_shape.members
POLICY = {"sessionPolicy": '{"Version": "2012-10-17", "Sid": "hush-policy"}'}
LEAST: dict[str, Any] = {
    "workflow_id": "1234567",
    "role_arn": "arn:aws:iam::123456789012:role/omics-run",
    "output_uri": "s3://bucket/out",
    "tags": {"who": "hush-tag"},
    "rerun_with": {"OUT_OF_MEMORY_ERROR": {"parameters": {"sample": "hush-rerun"}}},
    "start_run_kwargs": POLICY if "sessionPolicy" in KNOWN else None,
    "poke_interval": 0.1,
}
WAYS: dict[str, dict[str, Any]] = {
    "waiting": {"deferrable": False},
    "deferred": {"deferrable": True},
    "returning": {"wait_for_completion": False},
}

for way, arguments in WAYS.items():
    with DAG(f"start_{way}", schedule=None) as dag:
        start = OmicsStartRunOperator(task_id="start", parameters=PARAMETERS, **LEAST, **arguments)
        OmicsGetRunOperator(task_id="read", run_id=start.output)
    globals()[dag.dag_id] = dag

with DAG("start_given", schedule=None) as start_given:

    @task(show_return_value_in_logs=False)
    def parameters() -> dict[str, Any]:
        return PARAMETERS

    OmicsStartRunOperator.partial(task_id="start", **LEAST).expand(parameters=[parameters()])

with DAG("gate_with_outlets", schedule=None, params={"omics_run_id": ""}) as gate_with_outlets:
    OmicsRunSensor(
        task_id="gate",
        run_id="{{ params.omics_run_id }}",
        poke_interval=0.1,
        inlets=[Asset("s3://lab/sheet.csv")],
        outlets=[Asset("s3://bucket/out")],
    )

with DAG("gate_without_inputs", schedule=None, params={"omics_run_id": ""}) as gate_without_inputs:
    OmicsRunSensor(
        task_id="gate",
        run_id="{{ params.omics_run_id }}",
        poke_interval=0.1,
        record_fields=("arn", "uuid", "name", "outputUri", "runOutputUri"),
    )

for way in ("waiting", "deferred"):
    with DAG(f"batch_{way}", schedule=None) as dag:

        @task(show_return_value_in_logs=False)
        def samples() -> dict[str, Any]:
            return {"s1": {"sample": "hush-setting"}, "s2": {"sample": "hush-setting"}}

        start = OmicsStartRunBatchOperator(
            task_id="start",
            run_settings=samples(),
            parameters=PARAMETERS,
            run_tags={"who": "hush-run-tag"},
            max_failures=2,
            **LEAST,
            **WAYS[way],
        )
        gate = OmicsRunBatchSensor(
            task_id="gate", batch_id=start.output, max_failures=2, poke_interval=0.1, **WAYS[way]
        )
        gate >> OmicsGetBatchOperator(task_id="read", batch_id=start.output)
    globals()[dag.dag_id] = dag

with DAG("batch_returning", schedule=None) as batch_returning:
    start = OmicsStartRunBatchOperator(
        task_id="start",
        run_settings=[{"runSettingId": "s1", "parameters": {"sample": "hush-setting"}}],
        **LEAST,
        wait_for_completion=False,
    )
    OmicsRunBatchSensor(
        task_id="gate", batch_id=start.output, mode="reschedule", max_failures=1, poke_interval=0.1
    )
