"""Reads, cancels, lists the tasks of, and deletes one run, and gates on another as a mapped task."""

from __future__ import annotations

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2.11
    from airflow import DAG

from airflow_omics.operators import (
    OmicsCancelRunOperator,
    OmicsDeleteRunOperator,
    OmicsGetRunOperator,
    OmicsListRunTasksOperator,
)
from airflow_omics.sensors import OmicsRunSensor

with DAG("steering", schedule=None, params={"omics_run_id": ""}) as steering:
    read = OmicsGetRunOperator(task_id="read", run_id="{{ params.omics_run_id }}")
    cancel = OmicsCancelRunOperator(task_id="cancel", run_id=read.output, poke_interval=0.1)
    tasks = OmicsListRunTasksOperator(
        task_id="tasks", run_id=cancel.output, statuses=["CANCELLED"], details=True
    )
    delete = OmicsDeleteRunOperator(task_id="delete", run_id=read.output, do_xcom_push=False)
    tasks >> delete

with DAG("mapped_links", schedule=None, params={"first": "", "second": ""}) as mapped_links:
    OmicsRunSensor.partial(task_id="gate", mode="reschedule", poke_interval=0.1).expand(
        run_id=["{{ params.first }}", "{{ params.second }}"]
    )
