"""DAGs that events start: one that notes what came, a chain of two, and one for batches.

The queues are those that tests/support/queues_by_template.py has made before Airflow starts.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_omics.operators import OmicsListRunOutputsOperator
from airflow_omics.sensors import OmicsRunSensor
from airflow_omics.triggers import OmicsRunEventTrigger

QUEUES = json.loads((Path(os.environ["AIRFLOW_HOME"]) / "queues.json").read_text())
OFTEN: dict[str, Any] = {"catchup": False, "max_active_runs": 100}


def watched(name: str, **arguments: Any) -> list[Asset]:
    trigger = OmicsRunEventTrigger(QUEUES[name], **arguments)
    return [Asset(name, watchers=[AssetWatcher(name=name, trigger=trigger)])]


# What its DAG runs are for is what is looked at; Airflow needs no worker for the task.
with DAG("burst", schedule=watched("burst", workflow_id="1111111"), **OFTEN):
    EmptyOperator(task_id="nothing")

with DAG("batches", schedule=watched("batches", kind="batch"), **OFTEN):
    EmptyOperator(task_id="nothing")

COHORT = Asset("cohort", uri="s3://results/chain")

with DAG("ended", schedule=watched("chain", workflow_id="2222222"), **OFTEN):

    @task
    def run_of_the_event(triggering_asset_events: Any = None) -> Any:
        [[event]] = triggering_asset_events.values()
        [run] = event.extra["payload"]["runs"]
        return run

    run = run_of_the_event()
    outputs = OmicsListRunOutputsOperator(task_id="outputs", run_id=run)

    @task
    def measure(output: dict[str, Any]) -> str:
        return f"{output['uri']} {output['bytes']}"

    # The gate comes last: its outlet says that all is done, and what the run was.
    gate = OmicsRunSensor(task_id="gate", run_id=run, outlets=[COHORT])
    measure.expand(output=outputs.output) >> gate

with DAG("published", schedule=[COHORT], **OFTEN):

    @task
    def use(triggering_asset_events: Any = None) -> Any:
        return triggering_asset_events[COHORT][-1].extra

    use()
