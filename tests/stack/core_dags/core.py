"""Gates and a start for every Airflow that is supported, with a task behind each gate that says what it got.

Each gate waits for the run that the DAG run's conf has under the gate's name.
"""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.decorators import task

from airflow_omics.operators import OmicsStartRunOperator
from airflow_omics.sensors import OmicsRunSensor

GATES: dict[str, dict[str, Any]] = {
    "completed": {},
    "failed": {},
    "failed_softly": {"soft_fail": True},
    "skipped": {"skip_statuses": ["CANCELLED"]},
    "without_a_worker": {"start_from_trigger": True, "end_from_trigger": True},
    "survivor": {},
}


@task(trigger_rule="all_done", retries=0)
def describe(record: Any) -> str:
    return f"a {type(record).__name__} {record['status']}"


@task(retries=0)
def list_runs(dag_run: Any = None) -> Any:
    return dag_run.conf["mapped"]


with DAG("core", schedule=None):
    for name, arguments in GATES.items():
        gate = OmicsRunSensor(
            task_id=name, run_id=f"{{{{ dag_run.conf['{name}'] }}}}", deferrable=True, **arguments
        )
        describe.override(task_id=f"after_{name}")(gate.output)
    OmicsRunSensor.partial(task_id="mapped", deferrable=True).expand(run_id=list_runs())
    OmicsStartRunOperator(
        task_id="start",
        workflow_id="1234567",
        role_arn="arn:aws:iam::123456789012:role/omics-run",
        output_uri="s3://results/cohort",
        parameters={"sample": "NA12878"},
        deferrable=True,
    )
