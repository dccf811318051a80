"""Tasks that start runs: every template field, parameters of each kind, and values that must not be shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.decorators import task

from airflow_omics.operators import OmicsStartRunOperator
from airflow_omics.sensors import OmicsRunSensor

LEAST: dict[str, Any] = {
    "workflow_id": "1234567",
    "role_arn": "arn:aws:iam::123456789012:role/omics-run",
    "output_uri": "s3://bucket/out",
    "poke_interval": 1,
}
# Only what the installed botocore knows can be given; this test is about a member that holds a secret.
POLICY = '{"Sid": "{{ dag_run.conf["patient"] }}"}'


def conf(name: str) -> str:
    return f"{{{{ dag_run.conf['{name}'] }}}}"


with DAG("start_templates", schedule=None) as start_templates:
    OmicsStartRunOperator(
        task_id="start",
        workflow_id=conf("workflow"),
        role_arn="arn:aws:iam::123456789012:role/" + conf("role"),
        output_uri="s3://bucket/" + conf("role"),
        parameters={"deep": [{"sample": conf("patient")}], "list": "cohort.json", "depth": 30},
        name="cohort-" + conf("role"),
        run_group_id=conf("workflow"),
        priority=conf("priority"),  # type: ignore[arg-type]
        storage_type=conf("storage"),
        storage_capacity=conf("priority"),  # type: ignore[arg-type]
        log_level=conf("level"),
        tags={"who": conf("patient")},
        aws_conn_id=conf("connection"),
        poke_interval=1,
    )

with DAG("start_from_upstream", schedule=None) as start_from_upstream:

    @task(show_return_value_in_logs=False)
    def sample(dag_run: Any = None) -> dict[str, Any]:
        return {"sample": dag_run.conf["patient"], "braces": "{{ not_rendered }}"}

    @task(show_return_value_in_logs=False)
    def lane(number: int) -> str:
        return f"s3://bucket/{number}.fastq"

    OmicsStartRunOperator(task_id="whole", **LEAST, parameters=sample())
    OmicsStartRunOperator(
        task_id="parts", **LEAST, parameters={"lanes": lane.expand(number=[1, 2, 3]), "plate": 7}
    )

with DAG("start_mapped", schedule=None) as start_mapped:

    @task(show_return_value_in_logs=False)
    def samples(dag_run: Any = None) -> list[dict[str, Any]]:
        return [{"sample": dag_run.conf["patient"], "lane": lane} for lane in (1, 2, 3)]

    OmicsStartRunOperator.partial(task_id="start", tags={"who": conf("patient")}, **LEAST).expand(
        parameters=samples()
    )

with DAG("start_from_file", schedule=None) as start_from_file:
    OmicsStartRunOperator(task_id="json", **LEAST, parameters="parameters/sample.json")
    OmicsStartRunOperator(task_id="yaml", **LEAST, parameters="parameters/" + conf("file"))

with DAG("start_with_policy", schedule=None) as start_with_policy:
    OmicsStartRunOperator(
        task_id="start",
        **LEAST,
        parameters={"sample": conf("patient")},
        start_run_kwargs={"sessionPolicy": POLICY},
        deferrable=True,
    )

with DAG("start_rerun", schedule=None) as start_rerun:
    OmicsStartRunOperator(
        task_id="start",
        **LEAST,
        parameters={"memory": 8},
        rerun_with={
            "OUT_OF_MEMORY_ERROR": {
                "storage_type": "STATIC",
                "storage_capacity": conf("big"),
                "parameters": {"memory": conf("big"), "who": conf("patient")},
            }
        },
    )

with DAG("start_mapped_text", schedule=None) as start_mapped_text:

    @task(show_return_value_in_logs=False)
    def texts() -> list[str]:
        return ["parameters/{{ 7 * 7 }}.json"]

    @task(show_return_value_in_logs=False)
    def records() -> list[dict[str, str]]:
        return [{"id": "{{ 6 * 7 }}", "parameters": "x"}]

    OmicsStartRunOperator.partial(task_id="start", **LEAST).expand(parameters=texts())
    OmicsStartRunOperator.partial(task_id="again", **LEAST).expand(rerun_of=records())
    OmicsRunSensor.partial(task_id="gate").expand(run_id=records())

with DAG("start_natively", schedule=None, render_template_as_native_obj=True) as start_natively:
    OmicsStartRunOperator(
        task_id="start",
        **LEAST,
        name="20260101",
        workflow_owner_id=conf("owner"),
        cache_id=conf("cache"),
        priority=conf("priority"),  # type: ignore[arg-type]
        parameters={"depth": conf("priority"), "nothing": conf("nothing")},
        tags={"plate": conf("plate"), "day": "20260101"},
        region_name=conf("nothing"),
        rerun_with={"OUT_OF_MEMORY_ERROR": {"cache_id": conf("cache"), "run_group_id": "0042"}},
    )
    OmicsStartRunOperator(
        task_id="whole",
        **LEAST,
        parameters="{{ dag_run.conf['sample'] }}",
        tags="{{ dag_run.conf['tags'] }}",
        name=conf("name"),
    )

assert (Path(__file__).parent / "parameters").is_dir()
