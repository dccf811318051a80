"""Gates that begin or end in the triggerer, each with a task downstream that says what it was handed."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Asset, task

from airflow_omics.sensors import OmicsRunSensor

BOTH: dict[str, Any] = {"start_from_trigger": True, "end_from_trigger": True}
FROM_CONF = "{{ dag_run.conf['omics_run_id'] }}"


@task(trigger_rule="all_done", retries=0)
def describe(record: Any) -> str:
    if record is None:
        return "nothing"
    return f"a {type(record).__name__} {record['status']}"


@task(retries=0)
def give(name: str = "omics_run_id", dag_run: Any = None) -> Any:
    return dag_run.conf[name]


def gate_of(dag_id: str, run_id: Any = FROM_CONF, **arguments: Any) -> None:
    with DAG(dag_id, schedule=None, params={"omics_run_id": "", "aws_conn_id": "aws_default"}):
        given = give()
        run_id = given if run_id is give else run_id
        gate = OmicsRunSensor(task_id="gate", run_id=run_id, **{**BOTH, **arguments})
        given >> gate
        describe(gate.output)


gate_of("both")
gate_of("by_params", "{{ params.omics_run_id }}", aws_conn_id="{{ params.aws_conn_id }}")
gate_of("by_variable", "{{ var.value.omics_run_id }}", region_name="{{ var.json.place.region }}")
gate_of("by_date", "{{ dag_run.conf[ds] if ds in ts and logical_date and data_interval_start else run_id }}")
gate_of("by_record", {"id": "{{ params.omics_run_id }}"}, botocore_config={"read_timeout": 20})
gate_of("start_only", end_from_trigger=False)
gate_of("end_only", start_from_trigger=False)
gate_of("skipping", skip_statuses=["CANCELLED"])
gate_of("narrow", record_fields=["uuid"])
gate_of("pushing_nothing", do_xcom_push=False)
gate_of("times_out", timeout=20)
gate_of("failing")
gate_of("failing_softly", soft_fail=True)
gate_of("by_upstream", give)
gate_of("by_upstream_in_a_template", "{{ ti.xcom_pull(task_ids='give')['id'] }}")
gate_of("with_outlets", outlets=[Asset("finished_runs")])

with DAG("mapped", schedule=None):
    gates = OmicsRunSensor.partial(task_id="gate", **BOTH).expand(run_id=give("omics_run_ids"))
    describe.expand(record=gates.output)
