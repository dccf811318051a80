"""A gate that waits in the triggerer for the run that the DAG run's conf names."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_omics.sensors import OmicsRunSensor

with DAG("gate_deferred", schedule=None):
    OmicsRunSensor(
        task_id="gate",
        run_id="{{ dag_run.conf['omics_run_id'] }}",
        deferrable=True,
        poke_interval=1,
        retries=3,
    )
