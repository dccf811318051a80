"""What may hold patient data is hidden in what the DAG file gives, and not only once it is rendered.

A state that a person or the scheduler sets hands Airflow's listeners a task that nobody has rendered.
"""

from __future__ import annotations

import copy
import inspect
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_omics import operators, sensors
from airflow_omics.operators import OmicsStartRunOperator
from airflow_omics.sensors import OmicsRunSensor
from tests.support.start_batches import make as make_batch
from tests.support.start_operators import make

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2.11
    from airflow import DAG

TASKS = [
    getattr(module, name)
    for module in (operators, sensors)
    for name in module.__all__
    if name != "SampleSheet"
]
MARKER = "patient-4711-marker"
POLICY = json.dumps({"Version": "2012-10-17", "Sid": MARKER})
GIVEN: dict[str, Any] = {
    "parameters": {"sample": MARKER, "reads": [f"s3://bucket/{MARKER}.fastq.gz"]},
    "tags": {"who": MARKER},
    "start_run_kwargs": {"sessionPolicy": POLICY},
    "rerun_with": {"OUT_OF_MEMORY_ERROR": {"parameters": {"sample": MARKER}, "tags": {"who": MARKER}}},
}
SHOWN = {
    "parameters": "sample, reads (values are not shown)",
    "tags": "who (values are not shown)",
    "start_run_kwargs": "sessionPolicy (values are not shown)",
    "rerun_with": "OUT_OF_MEMORY_ERROR (values are not shown)",
}


COHORT: dict[str, Any] = {
    "run_settings": [{"runSettingId": "s1", "parameters": {"sample": MARKER}, "runTags": {"who": MARKER}}],
    "run_tags": {"who": MARKER},
    "rerun_with": {"OUT_OF_MEMORY_ERROR": {"parameters": {"sample": MARKER}, "run_tags": {"who": MARKER}}},
}
COHORT_SHOWN = {"run_settings": "a list, not shown", "run_tags": "who (values are not shown)"}


def sent(attributes: dict[str, Any]) -> str:
    """Return what a listener sends that sends all it can: JSON, and the class of everything else."""
    plain = {name: value for name, value in attributes.items() if name not in ("dag", "_dag", "task_group")}
    return json.dumps(plain, default=lambda value: f"<<{type(value).__name__}>>", skipkeys=True)


def rendered(operator: Any) -> Any:
    operator.render_template_fields({})
    return operator


@pytest.mark.parametrize("state", [lambda task: task, rendered], ids=["unrendered", "rendered"])
def test_no_attribute_of_a_task_holds_a_literal_in_the_open(state: Any) -> None:
    task = state(make(**GIVEN))
    attributes = vars(task) | {name: getattr(task, name) for name in (*task.template_fields, "parameters")}
    assert "OUT_OF" not in sent(attributes)
    assert MARKER not in sent(attributes)
    assert MARKER not in repr(task) + str(task) + repr(attributes)
    assert {name: str(getattr(task, name)) for name in SHOWN} == SHOWN


@pytest.mark.parametrize("state", [lambda task: task, rendered], ids=["unrendered", "rendered"])
def test_no_attribute_of_a_task_that_starts_a_batch_holds_a_literal_in_the_open(state: Any) -> None:
    task = state(make_batch(**{**GIVEN, **COHORT}))
    attributes = vars(task) | {name: getattr(task, name) for name in task.template_fields}
    assert MARKER not in sent(attributes)
    assert MARKER not in repr(task) + str(task) + repr(attributes)
    shown = {**SHOWN, **COHORT_SHOWN}
    assert {name: str(getattr(task, name)) for name in shown} == shown


PROXY = {"proxies": {"https": f"http://user:{MARKER}@proxy:3128"}}


@pytest.mark.parametrize("state", [lambda task: task, rendered], ids=["unrendered", "rendered"])
@pytest.mark.parametrize("task_class", TASKS)
def test_no_attribute_of_any_task_holds_a_proxy_s_password_in_the_open(task_class: Any, state: Any) -> None:
    least = {
        "run_id": "1234567",
        "batch_id": "1234567",
        "workflow_id": "1",
        "role_arn": "arn:aws:iam::123456789012:role/omics-run",
        "output_uri": "s3://bucket/out",
        "run_settings": [{"runSettingId": "s1"}],
    }
    names = inspect.signature(task_class.__init__).parameters
    given = {name: value for name, value in least.items() if name in names}
    if "run_id" in names:
        given.pop("batch_id", None)  # one operator takes either
    task = state(task_class(task_id="task", botocore_config=PROXY, **given))
    assert MARKER not in sent(vars(task)) + repr(vars(task))
    assert task.botocore_config == PROXY
    assert task._given_aws_arguments.botocore_config == PROXY


def test_a_subclass_and_a_policy_can_add_to_what_is_hidden() -> None:
    class Patient(OmicsRunSensor):
        def __init__(self, *, botocore_config: dict[str, Any] | None = None, **kwargs: Any) -> None:
            super().__init__(botocore_config={"read_timeout": 5, **(botocore_config or {})}, **kwargs)

    task = Patient(task_id="gate", run_id="1234567", botocore_config=PROXY)
    assert task.botocore_config == {"read_timeout": 5, **PROXY}
    task.botocore_config = {**(task.botocore_config or {}), "connect_timeout": 7}
    assert task._given_aws_arguments.botocore_config == {"read_timeout": 5, "connect_timeout": 7, **PROXY}
    assert MARKER not in sent(vars(task))
    with pytest.raises(TypeError):
        list(make_batch(**COHORT).run_settings)


def test_a_mapped_task_holds_no_proxy_s_password_in_the_open() -> None:
    with DAG("a_dag", schedule=None):
        output = OmicsRunSensor.partial(task_id="gate", botocore_config=PROXY).expand(run_id=["1", "2"])
    mapped: Any = getattr(output, "operator", output)
    assert MARKER not in sent(mapped.partial_kwargs) + repr(mapped.partial_kwargs)
    assert mapped.partial_kwargs["botocore_config"] == PROXY


def test_what_is_mapped_over_nothing_of_its_own_is_hidden_in_the_mapped_task() -> None:
    with DAG("a_dag", schedule=None):
        least = {"role_arn": "arn:aws:iam::123456789012:role/omics-run", "output_uri": "s3://bucket/out"}
        output = OmicsStartRunOperator.partial(task_id="start", **least, **GIVEN).expand(
            workflow_id=["1", "2"]
        )
    mapped: Any = getattr(output, "operator", output)
    assert MARKER not in sent(mapped.partial_kwargs) + repr(mapped.partial_kwargs)


def test_a_task_s_attributes_equal_what_it_was_given() -> None:
    """A test of a DAG, or a cluster policy, which assigns what it has changed."""
    task = make(**GIVEN)
    for name, value in GIVEN.items():
        assert getattr(task, name) == value
        assert getattr(task, name) != {"sample": "another"}
        assert getattr(task, name).value is value
    task.tags = {**task.tags.value, "cost": "lab-7"}
    assert task.tags == {"who": MARKER, "cost": "lab-7"}
    assert MARKER not in sent(vars(task))
    assert (make().parameters, make().tags) == (None, None)


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda task: pickle.loads(pickle.dumps(task))],
    ids=["copied", "deep", "pickled"],
)
def test_a_copy_of_a_task_holds_and_hides_the_same(copied: Any) -> None:
    task = copied(make(**GIVEN))
    assert {name: getattr(task, name) for name in GIVEN} == GIVEN
    assert MARKER not in sent(vars(task))


def test_an_upstream_task_is_found_in_what_is_hidden() -> None:
    with DAG("a_dag", schedule=None):
        first = make(task_id="first")
        later = make(
            task_id="later",
            parameters={"who": MARKER, "run": first.output["id"], "deep": [{"x": first.output}, MARKER]},
            tags={"run": first.output["id"]},
        )
        whole = make(task_id="whole", parameters=first.output)
        changed = make(task_id="changed", rerun_with={"X": {"parameters": {"run": first.output["id"]}}})
    for task in (later, whole, changed):
        assert task.upstream_task_ids == {"first"}
    assert MARKER not in sent(vars(later))


def test_a_template_that_cannot_be_rendered_is_logged_without_what_stands_beside_it(output: Any) -> None:
    with DAG("a_dag", schedule=None):
        task = make(parameters={"sample": MARKER, "depth": "{{ 1 / 0 }}"})
    with pytest.raises(ZeroDivisionError):
        task.render_template_fields({})
    logged = output()
    assert "Exception rendering Jinja template for task 'start', field 'parameters'" in logged
    assert MARKER not in logged


def test_what_is_rendered_is_not_rendered_again() -> None:
    """Or the text that a template became would be a template."""
    with DAG("a_dag", schedule=None, user_defined_macros={"text": "{{ 7 * 7 }}"}):
        task = make(parameters={"sample": "{{ text }}"}, tags={"who": "{{ text }}"})
    task.render_template_fields({})
    task.render_template_fields({})
    assert task.parameters == {"sample": "{{ 7 * 7 }}"}
    assert task.tags == {"who": "{{ 7 * 7 }}"}


SERIALIZE = """
import json, sys
from datetime import datetime
try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
try:
    from airflow.serialization.serialized_objects import DagSerialization as Serialized
except ImportError:
    from airflow.serialization.serialized_objects import SerializedDAG as Serialized
from airflow_omics.operators import OmicsStartRunBatchOperator, OmicsStartRunOperator
given = {"role_arn": "arn:aws:iam::123456789012:role/omics-run", "output_uri": "s3://bucket/out"}
given |= json.loads(sys.argv[1])
with DAG("a_dag", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    OmicsStartRunOperator(task_id="start", workflow_id="1", **given)
    OmicsStartRunOperator.partial(task_id="mapped", **given).expand(workflow_id=["1", "2"])
    cohort = {**given, **json.loads(sys.argv[2])}
    OmicsStartRunBatchOperator(task_id="batch", workflow_id="1", **cohort)
    OmicsStartRunBatchOperator.partial(task_id="batches", **cohort).expand(workflow_id=["1", "2"])
data = json.loads(json.dumps(Serialized.to_dict(dag)))
task = Serialized.from_dict(data).get_task("start")
kept = {name: getattr(task, name) for name in ("parameters", "tags", "start_run_kwargs", "rerun_with")}
batch = Serialized.from_dict(data).get_task("batch")
batch = {name: getattr(batch, name) for name in ("run_settings", "run_tags", *kept)}
print("kept:", json.dumps({"data": data, "kept": kept, "batch": batch}))
"""


def test_airflow_s_copy_of_a_dag_holds_no_literal(tmp_path: Path) -> None:
    """From it a webserver, an API server and a scheduler make the task that listeners get."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SERIALIZE, json.dumps(GIVEN), json.dumps(COHORT)],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    said = json.loads(done.stdout.rpartition("kept: ")[2])
    assert said["kept"] == SHOWN
    assert said["batch"] == {**SHOWN, **COHORT_SHOWN}
    assert "OUT_OF_MEMORY_ERROR (values are not shown)" in json.dumps(said["data"])
    assert MARKER not in json.dumps(said["data"])
