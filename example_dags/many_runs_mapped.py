"""Wait for as many HealthOmics runs as there are samples, through dynamic task mapping.

Each run gets its own mapped gate, and ``collect`` receives their records in the order of the ids.
Reschedule mode gives the worker slot back between two looks. Trigger it with
``{"omics_run_ids": ["1234567", "7654321"]}``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.decorators import task

from airflow_omics.sensors import OmicsRunSensor

with DAG("many_runs_mapped", schedule=None, params={"omics_run_ids": []}, tags=["healthomics"]):

    @task
    def list_runs(params: dict[str, Any] | None = None) -> list[str]:
        """Return the ids to wait for; a real pipeline would start the runs here."""
        return list((params or {})["omics_run_ids"])

    gates = OmicsRunSensor.partial(task_id="gate", mode="reschedule").expand(run_id=list_runs())

    @task
    def collect(records: Iterable[dict[str, Any]]) -> dict[str, str]:
        """Return where each run put its files."""
        return {record["id"]: record["runOutputUri"] for record in records}

    collect(gates.output)
