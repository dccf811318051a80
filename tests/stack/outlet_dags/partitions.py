"""Mapped gates whose outlet has a partition for each run, and a DAG that each partition starts once."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Asset, PartitionedAssetTimetable, task

from airflow_omics.sensors import OmicsRunSensor

COHORT = Asset("cohort", uri="s3://results/cohort")

with DAG("partitions_made", schedule=None, is_paused_upon_creation=False):

    @task
    def runs(dag_run: Any = None) -> list[str]:
        return list(dag_run.conf["omics_run_ids"])

    OmicsRunSensor.partial(
        task_id="gate", outlets=[COHORT], partition_outlets_by="uuid", deferrable=True, poke_interval=1
    ).expand(run_id=runs())

with DAG("partition_used", schedule=PartitionedAssetTimetable(assets=COHORT), is_paused_upon_creation=False):

    @task
    def use(dag_run: Any = None, triggering_asset_events: Any = None) -> list[Any]:
        return [dag_run.partition_key, [event.extra for event in triggering_asset_events[COHORT]]]

    use()

with DAG("any_event_used", schedule=[COHORT], is_paused_upon_creation=False):

    @task
    def never() -> None:
        """Nobody comes here: no event of the asset is without a partition."""

    never()
