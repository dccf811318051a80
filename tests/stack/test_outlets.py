"""Outlets with a partition for each run, on a real Airflow: what they start."""

from __future__ import annotations

import urllib.parse
from typing import Any

from airflow_omics.emulator import EmulatorClient
from scripts.stack import Stack
from tests.support.pipeline import Pipeline


def dag_runs(stack: Stack, dag_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stack.get(f"{stack.airflow.api}/dags/{dag_id}/dagRuns")["dag_runs"]
    return found


def returned(stack: Stack, dag_run: dict[str, Any]) -> list[Any]:
    path = f"{stack.airflow.api}/dags/partition_used/dagRuns/{urllib.parse.quote(dag_run['dag_run_id'])}"
    entry = f"{path}/taskInstances/use/xcomEntries/return_value?deserialize=true"
    value: list[Any] = stack.get(entry)["value"]
    return value


def test_three_mapped_gates_that_end_together_start_one_dag_run_for_each_run(
    stack: Stack, omics: EmulatorClient
) -> None:
    run_ids = omics.start_runs(3, "running-forever", outputUri="s3://results/cohort")
    pipeline = Pipeline(stack, "partitions_made", {"omics_run_ids": run_ids})
    pipeline.until_deferred(3)
    for run_id in run_ids:
        omics.move(run_id, "COMPLETED")
    pipeline.until_ended()
    uuids = [pipeline.xcom(f"gate[{index}]")["uuid"] for index in range(3)]

    def ended() -> bool:
        states = [dag_run["state"] for dag_run in dag_runs(stack, "partition_used")]
        return len(states) >= 3 and set(states) == {"success"}

    stack.wait_for("a DAG run for each run", ended, 60)
    given = dict(returned(stack, dag_run) for dag_run in dag_runs(stack, "partition_used"))
    assert sorted(given) == sorted(uuids)
    assert len(dag_runs(stack, "partition_used")) == 3
    assert {extra["uuid"]: extra["omics_id"] for [extra] in given.values()} == dict(
        zip(uuids, run_ids, strict=True)
    )
    assert all(extra["runOutputUri"].startswith("s3://results/cohort/") for [extra] in given.values())
    # The same scheduler has seen the same events, and none of them is for a DAG without partitions.
    assert dag_runs(stack, "any_event_used") == []
