"""Start a DAG when HealthOmics runs end, whoever started them, and do something for each of them.

HealthOmics tells EventBridge of each run that ends, and a rule of yours puts that into a queue: deploy
docs/use/events.yaml, and put the queue's URL below. The DAG comes paused, as the queue is not there yet. One
DAG run has all runs that ended within the trigger's ``spacing`` of ten seconds.

An event may come twice, after a triggerer was killed also in another DAG run. So ``list_runs`` leaves each
run in once, and ``use`` should do the same thing if it does it again.

Airflow 2.11 starts no DAG by an event. There, and for runs whose events were lost, trigger it with
``{"runs": ["arn:aws:omics:us-east-1:123456789012:run/1234567"]}``.
"""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk import DAG, Asset, AssetWatcher, task
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.decorators import task

    AssetWatcher = None

from airflow_omics.operators import OmicsGetRunOperator
from airflow_omics.triggers import OmicsRunEventTrigger

# The output QueueUrl of the stack.
QUEUE_URL = "https://sqs.us-east-1.amazonaws.com/123456789012/healthomics-ended"

schedule = None
if AssetWatcher:
    trigger = OmicsRunEventTrigger(QUEUE_URL, statuses=["COMPLETED"])
    schedule = [Asset("healthomics_ended", watchers=[AssetWatcher(name="queue", trigger=trigger)])]

with DAG(
    "start_on_events",
    schedule=schedule,
    params={"runs": []},
    is_paused_upon_creation=True,
    # Airflow up to 3.3.2 leaves events behind that come while as many DAG runs as this go on.
    max_active_runs=100,
    tags=["healthomics"],
):

    @task
    def list_runs(params: dict[str, Any] | None = None, triggering_asset_events: Any = None) -> list[Any]:
        """Return the runs of all events that this DAG run is for, each once."""
        found = {}
        for events in (triggering_asset_events or {}).values():
            for event in events:
                for run in event.extra["payload"]["runs"]:
                    found[run.get("uuid", run["arn"])] = run
        return [*(params or {})["runs"], *found.values()]

    # An event may be old, and says little. GetRun has the truth, and all of it.
    record = OmicsGetRunOperator.partial(task_id="record").expand(run_id=list_runs())

    @task
    def use(record: dict[str, Any]) -> str:
        """Return where a run put its files."""
        return f"{record['id']}: {record['runOutputUri']}/out"

    use.expand(record=record.output)
