"""A cohort: a gate on the run of each sample, named by its sample, and a task once all have ended."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow.sdk import DAG, task

from airflow_omics.sensors import OmicsRunSensor

with DAG("cohort", schedule=None, params={"runs": []}, tags=["healthomics"]):

    @task
    def list_runs(params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the runs to wait for; a real pipeline would start them here."""
        return list((params or {})["runs"])

    gates = OmicsRunSensor.partial(
        task_id="gate",
        deferrable=True,
        end_from_trigger=True,
        map_index_template="{{ params.runs[ti.map_index].name }}",
    ).expand(run_id=list_runs())

    @task(trigger_rule="all_done")
    def collect(records: Iterable[dict[str, Any]]) -> list[str]:
        """Return the samples whose run has completed."""
        return [record["name"] for record in records if record["status"] == "COMPLETED"]

    collect(gates.output)
