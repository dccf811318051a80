"""Run a HealthOmics run again from a run cache, and report how many of its tasks came from there.

Trigger it with ``{"omics_run_id": "1234567", "cache_id": "7654321", "role_arn":
"arn:aws:iam::123456789012:role/omics-run", "output_uri": "s3://bucket/folder"}``. A run that fails because
its storage is full is run once more with storage that grows; the cache keeps what it had finished.
"""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.decorators import task

from airflow_omics.operators import OmicsListRunTasksOperator, OmicsStartRunOperator

PARAMS = {"omics_run_id": "", "cache_id": "", "role_arn": "", "output_uri": ""}

with DAG("rerun_with_a_cache", schedule=None, params=PARAMS, tags=["healthomics"]):
    rerun = OmicsStartRunOperator(
        task_id="rerun",
        rerun_of="{{ params.omics_run_id }}",
        role_arn="{{ params.role_arn }}",
        output_uri="{{ params.output_uri }}",
        cache_id="{{ params.cache_id }}",
        cache_behavior="CACHE_ALWAYS",
        rerun_with={"FILE_SYSTEM_OUT_OF_SPACE": {"storage_type": "DYNAMIC"}},
        deferrable=True,
    )
    tasks = OmicsListRunTasksOperator(task_id="tasks", run_id=rerun.output)

    @task
    def count_cached(tasks: list[dict[str, Any]]) -> str:
        """Return how many tasks were taken from the cache."""
        return f"{sum(bool(task.get('cacheHit')) for task in tasks)} of {len(tasks)}"

    count_cached(tasks.output)
