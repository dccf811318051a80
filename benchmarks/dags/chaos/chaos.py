"""The DAGs of benchmarks/chaos.py: a cohort of gates, and a cohort of starts."""

from __future__ import annotations

import datetime
from typing import Any

from airflow.sdk import DAG, task

from airflow_omics.operators import OmicsStartRunOperator
from airflow_omics.sensors import OmicsRunSensor

# A worker that is killed takes a try with it.
TRIES: dict[str, Any] = {"retries": 5, "retry_delay": datetime.timedelta(seconds=5)}

with DAG("gates", schedule=None, params={"omics_run_ids": []}, max_active_tasks=1000):

    @task(**TRIES)
    def list_runs(params: dict[str, Any] | None = None) -> list[str]:
        """Return the runs to wait for."""
        return list((params or {})["omics_run_ids"])

    OmicsRunSensor.partial(task_id="gate", deferrable=True, poke_interval=10, **TRIES).expand(
        run_id=list_runs()
    )

with DAG("starts", schedule=None, params={"samples": []}, max_active_tasks=1000):

    @task(**TRIES)
    def list_parameters(params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the parameters of each run."""
        return [{"sample": sample} for sample in (params or {})["samples"]]

    OmicsStartRunOperator.partial(
        task_id="start",
        workflow_id="1234567",
        role_arn="arn:aws:iam::123456789012:role/omics-run",
        output_uri="s3://results/cohort",
        deferrable=True,
        poke_interval=10,
        **TRIES,
    ).expand(parameters=list_parameters())
