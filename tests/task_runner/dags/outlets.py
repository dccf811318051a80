"""Tasks with outlets, of each kind and in each mode: ``outlets_<what>``."""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk import DAG, Asset, AssetAlias, task
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.datasets import Dataset, DatasetAlias
    from airflow.decorators import task

    AssetAlias = DatasetAlias

    def Asset(name: str, uri: str) -> Any:
        """A dataset has no name."""
        return Dataset(uri)


from airflow_omics.operators import OmicsGetRunOperator, OmicsStartRunBatchOperator, OmicsStartRunOperator
from airflow_omics.sensors import OmicsRunSensor

RUN: dict[str, Any] = {"run_id": "{{ params.omics_run_id }}", "poke_interval": 0.1}
START: dict[str, Any] = {
    "workflow_id": "1234567",
    "role_arn": "arn:aws:iam::123456789012:role/omics-run",
    "poke_interval": 1,
}
GATES: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke"},
    "reschedule": {"mode": "reschedule"},
    "deferrable": {"deferrable": True},
    # Only a worker fills the events of outlets, so both have no effect, with a warning.
    "from_trigger": {"start_from_trigger": True, "end_from_trigger": True},
    "skip": {"skip_statuses": ("CANCELLED",)},
    "narrow": {"record_fields": ("uuid", "name")},
    "fields": {"asset_fields": ("workflowId", "omics_id")},
}


def asset(name: str) -> Any:
    return Asset(name, uri=f"s3://bucket/{name}")


def gates(dag_id: str) -> DAG:
    return DAG(dag_id, schedule=None, params={"omics_run_id": ""})


for setting, arguments in GATES.items():
    with gates(f"outlets_{setting}") as dag:
        OmicsRunSensor(task_id="gate", outlets=[asset(setting)], **RUN, **arguments)
    globals()[dag.dag_id] = dag

with gates("outlets_many") as many:
    OmicsRunSensor(task_id="gate", outlets=[asset("one"), asset("two"), {"no": "asset"}], **RUN)

with gates("outlets_alias") as alias:
    OmicsRunSensor(task_id="gate", outlets=[AssetAlias("found-out-later")], **RUN)

with DAG("outlets_mapped", schedule=None, params={"omics_run_ids": []}) as mapped:

    @task
    def runs(params: Any = None) -> list[str]:
        return list(params["omics_run_ids"])

    OmicsRunSensor.partial(
        task_id="gate", poke_interval=0.1, partition_outlets_by="uuid", outlets=[asset("mapped")]
    ).expand(run_id=runs())

with DAG("outlets_start", schedule=None) as start:
    OmicsStartRunOperator(
        task_id="wait", output_uri="s3://bucket/started", outlets=[asset("started")], **START
    )
    OmicsStartRunOperator(
        task_id="leave",
        output_uri="s3://bucket/started",
        outlets=[asset("left"), AssetAlias("left-later")],
        wait_for_completion=False,
        **START,
    )

with DAG("outlets_batch", schedule=None) as batch:
    OmicsStartRunBatchOperator(
        task_id="cohort",
        output_uri="s3://bucket/cohort",
        run_settings={"s1": {"patient": "MARKER"}, "s2": {"patient": "MARKER"}},
        outlets=[asset("cohort")],
        **START,
    )

with gates("outlets_get") as get:
    OmicsGetRunOperator(
        task_id="get", run_id=RUN["run_id"], outlets=[asset("read"), AssetAlias("read-later")]
    )
