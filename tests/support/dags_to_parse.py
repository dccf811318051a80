"""A DAG file with the gates and starts that people write, for the test that Airflow takes it as it is."""

from __future__ import annotations

import inspect
import itertools
from typing import Any

try:
    from airflow.sdk import DAG, TaskGroup, task, task_group
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.decorators import task, task_group
    from airflow.utils.task_group import TaskGroup

from airflow_omics.operators import OmicsCancelRunOperator, OmicsGetRunOperator, OmicsStartRunOperator
from airflow_omics.sensors import OmicsRunSensor

FLAGS = ("start_from_trigger", "end_from_trigger", "soft_fail", "deferrable")
RUN = "{{ params.omics_run_id }}"
START: dict[str, Any] = {
    "workflow_id": "1234567",
    "role_arn": "arn:aws:iam::123456789012:role/omics-run",
    "output_uri": "s3://bucket/out",
    "parameters": {"sample": "NA12878"},
}
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "native": {"render_template_as_native_obj": True},
    "fails_fast": {"fail_fast" if "fail_fast" in inspect.signature(DAG).parameters else "fail_stop": True},
    "in_pools": {"default_args": {"pool": "runs", "queue": "aws", "owner": "lab", "retries": 3}},
    "undefined": {"jinja_environment_kwargs": {"trim_blocks": True}},
}


@task
def give() -> list[str]:
    return ["1234567"]


for dag_id, settings in SETTINGS.items():
    with DAG(dag_id, schedule=None, params={"omics_run_id": "1234567"}, **settings):
        for values in itertools.product([False, True], repeat=len(FLAGS)):
            flags = dict(zip(FLAGS, values, strict=True))
            name = "_".join(flag for flag, value in flags.items() if value) or "none"
            OmicsRunSensor(task_id=f"gate_{name}", run_id=RUN, **flags)
            OmicsRunSensor.partial(task_id=f"gates_{name}", **flags).expand(
                run_id=give.override(task_id=f"give_{name}")()
            )
        start = OmicsStartRunOperator(
            task_id="start", **START, rerun_with={"X": {"priority": 7}}, deferrable=True
        )
        starts = OmicsStartRunOperator.partial(task_id="starts", **START).expand(
            tags=[{"a": "b"}, {"a": "c"}]
        )
        OmicsRunSensor(task_id="gate_of_start", run_id=start.output, end_from_trigger=True)
        with TaskGroup("group"):
            OmicsRunSensor.partial(task_id="gates", end_from_trigger=True).expand(run_id=starts.output)

        @task_group
        def one(run_id: str) -> None:
            OmicsRunSensor(task_id="gate", run_id=run_id, start_from_trigger=True, end_from_trigger=True)

        one.expand(run_id=["1", "2"])

        before = OmicsGetRunOperator(task_id="before", run_id=RUN).as_setup()
        after = OmicsCancelRunOperator(task_id="after", run_id=RUN).as_teardown(setups=before)
        before >> OmicsRunSensor(task_id="between", run_id=RUN, end_from_trigger=True) >> after
