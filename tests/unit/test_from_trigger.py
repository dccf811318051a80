"""What begins or ends in the triggerer, and what uses a worker instead, with one warning."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jinja2
import pytest
from airflow.triggers.base import BaseTrigger

from airflow_omics.sensors import OmicsRunBatchSensor, OmicsRunSensor
from airflow_omics.triggers import OmicsRunBatchTrigger, OmicsRunTrigger

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2.11
    from airflow import DAG

try:
    import airflow.sdk  # noqa: F401
except ImportError:
    CAN_END = False
else:
    CAN_END = True
CAN_START = hasattr(BaseTrigger, "render_template_fields")

ARN = "arn:aws:omics:eu-west-1:123456789012:run/1234567"
MARKER = "patient-4711-marker"
BOTH = {"start_from_trigger": True, "end_from_trigger": True}


def made(**arguments: Any) -> tuple[OmicsRunSensor, list[str]]:
    """Return a sensor in a DAG, and what was warned of while it was made."""
    with warnings.catch_warnings(record=True) as caught, DAG("a_dag", schedule=None):
        warnings.simplefilter("always")
        sensor = OmicsRunSensor(**{"task_id": "gate", "run_id": "1234567", **arguments})
    return sensor, [str(w.message) for w in caught if issubclass(w.category, UserWarning)]


@pytest.fixture
def an_airflow_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decide as on the newest Airflow, whichever this is."""
    monkeypatch.setattr(BaseTrigger, "render_template_fields", lambda *args: None, raising=False)
    find_spec = importlib_find_spec()
    monkeypatch.setattr(
        "airflow_omics._task.from_trigger.importlib.util.find_spec",
        lambda name, *args: find_spec("json" if name == "airflow.sdk" else name, *args),
    )


def importlib_find_spec() -> Callable[..., Any]:
    import importlib.util

    return importlib.util.find_spec


def test_neither_is_the_default() -> None:
    sensor, warned = made()
    assert (sensor.start_from_trigger, sensor.end_from_trigger, sensor.deferrable) == (False, False, False)
    assert sensor.start_trigger_args is None
    assert warned == []


def test_the_class_starts_nothing_from_a_trigger() -> None:
    """Airflow builds the trigger of a mapped task from its class."""
    assert OmicsRunSensor.start_from_trigger is False
    assert OmicsRunSensor.start_trigger_args is None


@pytest.mark.parametrize("flag", BOTH)
def test_either_implies_deferrable(flag: str) -> None:
    assert made(**{flag: True})[0].deferrable is True


def test_an_airflow_that_cannot_says_so_once_and_defers_from_a_worker() -> None:
    sensor, warned = made(**BOTH)
    assert (sensor.start_from_trigger, sensor.end_from_trigger) == (CAN_START, CAN_END)
    assert len(warned) == (0 if CAN_START and CAN_END else 1)
    reason = "start_from_trigger has no effect because it needs Airflow 3.3 or newer"
    assert [message for message in warned if reason not in message] == []
    assert sensor.deferrable is True


def test_a_warning_names_the_line_of_the_dag_file() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        OmicsRunSensor(task_id="gate", run_id="1234567", deferrable=False, **BOTH)
    assert [w.filename for w in caught if issubclass(w.category, UserWarning)] == [__file__]


def test_a_warning_about_a_batch_names_the_line_of_the_dag_file() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        OmicsRunBatchSensor(task_id="gate", batch_id="7123456", deferrable=False, **BOTH)
    assert [w.filename for w in caught if issubclass(w.category, UserWarning)] == [__file__]


@pytest.mark.usefixtures("an_airflow_that_can")
def test_a_batch_begins_in_the_triggerer_with_what_its_sensor_was_given() -> None:
    record = {"id": "7123456", "arn": ARN.replace(":run/1234567", ":runBatch/7123456"), "name": MARKER}
    sensor = OmicsRunBatchSensor(
        task_id="gate",
        batch_id=record,
        max_failures=50,
        max_failure_ratio=0.05,
        success_statuses=("PROCESSED", "ARCHIVED"),
        record_fields=["outcome"],
        timeout=1800,
        start_from_trigger=True,
    )
    start: Any = sensor.start_trigger_args
    assert start.trigger_cls == "airflow_omics.triggers.OmicsRunBatchTrigger"
    assert start.next_method == "execute_complete"
    assert start.trigger_kwargs == {
        "batch_id": {"id": "7123456", "arn": record["arn"]},
        "timeout": 1800,
        "terminal_statuses": ["PROCESSED", "ARCHIVED"],
        "push_record": True,
        "poke_interval": 60,
        "record_fields": ["outcome"],
        "max_failures": 50,
        "max_failure_ratio": 0.05,
        "aws_conn_id": "aws_default",
    }
    assert MARKER not in str(start.trigger_kwargs)
    OmicsRunBatchTrigger(**start.trigger_kwargs)


RESOLVED = [
    1234567,
    "1234567",
    ARN,
    {"id": "1234567", "arn": ARN},
    "{{ params.omics_run_id }}",
    "{{ dag_run.conf['omics_run_id'] }}",
    "{{ var.value.omics_run_id }}",
    "{{ params[ds] | default(var.json.runs[ts_nodash]) }}",
    "{% set runs = dag_run.conf %}{{ runs['omics_run_id'] | trim }}",
    {"id": "{{ params.omics_run_id }}"},
]


@pytest.mark.usefixtures("an_airflow_that_can")
@pytest.mark.parametrize("run_id", RESOLVED, ids=str)
def test_what_a_triggerer_resolves_begins_there(run_id: Any) -> None:
    sensor, warned = made(run_id=run_id, **BOTH)
    assert (sensor.start_from_trigger, sensor.end_from_trigger) == (True, True)
    assert warned == []


UNRESOLVED = {
    "{{ ti.xcom_pull(task_ids='start')['id'] }}": "run_id is a template that names ti, ",
    "{{ task_instance.xcom_pull('start') }}": "run_id is a template that names task_instance, ",
    "{% if params.x %}{{ ti.xcom_pull('start') }}{% endif %}": "run_id is a template that names ti, ",
    "{{ my_macro(params.x) }}": "run_id is a template that names my_macro, ",
    "{{ macros.datetime.now() }}": "run_id is a template that names macros, ",
    "{{ conn.aws.host }}": "run_id is a template that names conn, ",
    "{{ params.x | my_filter }}": "run_id is a template that Jinja cannot read by itself (",
    "{% include 'run_id.txt' %}": "run_id is a template that includes another, ",
    "{{ params.x": "run_id is a template that Jinja cannot read by itself (",
}


@pytest.mark.usefixtures("an_airflow_that_can")
@pytest.mark.parametrize("run_id", UNRESOLVED)
@pytest.mark.parametrize(
    "within", [lambda text: text, lambda text: {"id": text}], ids=["alone", "in a record"]
)
def test_what_a_triggerer_cannot_resolve_defers_from_a_worker(run_id: str, within: Any) -> None:
    sensor, warned = made(run_id=within(run_id), **BOTH)
    assert (sensor.start_from_trigger, sensor.end_from_trigger) == (False, True)
    assert sensor.start_trigger_args is None
    assert sensor.deferrable is True
    [warning] = warned
    assert warning.startswith("Task 'gate' uses a worker: start_from_trigger has no effect because ")
    assert UNRESOLVED[run_id] in warning


@pytest.mark.usefixtures("an_airflow_that_can")
def test_the_output_of_an_upstream_task_defers_from_a_worker() -> None:
    with DAG("a_dag", schedule=None):
        output = OmicsRunSensor(task_id="start", run_id="1").output
        for number, run_id in enumerate((output, output["id"])):
            with pytest.warns(
                UserWarning, match="run_id is an upstream task's output, which only a worker can"
            ):
                sensor = OmicsRunSensor(task_id=f"gate_{number}", run_id=run_id, start_from_trigger=True)
            assert not sensor.start_from_trigger


@pytest.mark.usefixtures("an_airflow_that_can")
@pytest.mark.parametrize("name", ["aws_conn_id", "region_name", "verify"])
def test_an_aws_argument_is_judged_like_the_run(name: str) -> None:
    assert made(**{name: "{{ params.of_aws }}"}, **BOTH)[1] == []
    sensor, [warning] = made(**{name: "{{ ti.xcom_pull('x') }}"}, **BOTH)
    assert not sensor.start_from_trigger
    assert f"{name} is a template that names ti, which only a worker can resolve." in warning


ONLY_WORKERS_START = {
    "execution_timeout": datetime.timedelta(hours=1),
    "inlets": ["s3://bucket/key"],
    "outlets": ["s3://bucket/key"],
}


@pytest.mark.usefixtures("an_airflow_that_can")
@pytest.mark.parametrize("name", ONLY_WORKERS_START)
def test_a_start_that_airflow_would_get_wrong_goes_to_a_worker(name: str) -> None:
    sensor, [warning] = made(**{name: ONLY_WORKERS_START[name]}, start_from_trigger=True)
    assert not sensor.start_from_trigger
    assert name in warning


@pytest.mark.usefixtures("an_airflow_that_can")
def test_native_rendering_goes_to_a_worker() -> None:
    with (
        DAG("a_dag", schedule=None, render_template_as_native_obj=True),
        pytest.warns(UserWarning, match="native"),
    ):
        sensor = OmicsRunSensor(task_id="gate", run_id="1234567", start_from_trigger=True)
    assert not sensor.start_from_trigger


@pytest.mark.usefixtures("an_airflow_that_can")
@pytest.mark.parametrize(
    "setting",
    [{"template_undefined": jinja2.Undefined}, {"jinja_environment_kwargs": {"trim_blocks": True}}],
    ids=lambda setting: next(iter(setting)),
)
def test_what_a_dag_says_of_its_templates_goes_to_a_worker(setting: dict[str, Any]) -> None:
    name = next(iter(setting))
    with DAG("a_dag", schedule=None, **setting), pytest.warns(UserWarning, match=f"its DAG has {name}"):
        sensor = OmicsRunSensor(task_id="gate", run_id="1234567", start_from_trigger=True)
    assert not sensor.start_from_trigger


@pytest.mark.skipif(not CAN_START, reason="only Airflow 3.3 renders a trigger's arguments")
def test_a_name_that_is_missing_is_an_error_in_the_triggerer() -> None:
    """As no text it would be no connection, and boto3 would look for credentials of its own."""
    sensor, _ = made(aws_conn_id="{{ params.of_aws }}", start_from_trigger=True)
    assert sensor.start_trigger_args is not None
    trigger = OmicsRunTrigger(**(sensor.start_trigger_args.trigger_kwargs or {}))
    trigger.template_fields = ("aws_conn_id",)
    with pytest.raises(jinja2.UndefinedError, match="'dict object' has no attribute 'of_aws'"):
        trigger.render_template_fields({"params": {"another": "aws_lab"}})


@pytest.mark.usefixtures("an_airflow_that_can")
def test_triggerers_with_queues_go_by_way_of_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__TRIGGERER__QUEUES_ENABLED", "True")
    sensor, [warning] = made(start_from_trigger=True)
    assert not sensor.start_from_trigger
    assert "queues_enabled" in warning


def called(*args: Any) -> None:
    raise AssertionError("called while parsing")


ONLY_WORKERS_END: dict[str, Any] = {
    "on_success_callback": called,
    "on_skipped_callback": called,
    "post_execute": called,
    "outlets": ["s3://bucket/key"],
    "multiple_outputs": True,
}


@pytest.mark.usefixtures("an_airflow_that_can")
@pytest.mark.parametrize("name", [n for n in ONLY_WORKERS_END if CAN_END or n != "multiple_outputs"])
def test_an_end_that_would_lose_something_goes_to_a_worker(name: str) -> None:
    sensor, [warning] = made(**{name: ONLY_WORKERS_END[name]}, end_from_trigger=True)
    assert not sensor.end_from_trigger
    assert f"end_from_trigger has no effect because it has {name}, which only a worker handles" in warning


@pytest.mark.usefixtures("an_airflow_that_can")
@pytest.mark.parametrize("name", ["pre_execute", "on_execute_callback"])
def test_what_comes_before_a_task_needs_a_worker_at_one_of_its_ends(name: str) -> None:
    sensor, [warning] = made(**{name: called}, **BOTH)
    assert (sensor.start_from_trigger, sensor.end_from_trigger) == (True, False)
    assert f"it has {name}, which" in warning
    assert made(**{name: called}, end_from_trigger=True)[1] == []


@pytest.mark.usefixtures("an_airflow_that_can")
def test_failure_callbacks_are_no_obstacle_since_every_failure_goes_to_a_worker() -> None:
    assert made(on_failure_callback=called, on_retry_callback=called, **BOTH)[1] == []


@pytest.fixture
def a_listener() -> Iterator[None]:
    """A plugin's listener, as OpenLineage registers one."""
    from airflow.listeners.listener import get_listener_manager

    manager, listener = get_listener_manager(), types.ModuleType("a_listener")
    assert not manager.has_listeners
    manager.add_listener(listener)
    yield
    manager.pm.unregister(listener)


@pytest.mark.usefixtures("an_airflow_that_can", "a_listener")
def test_an_end_that_airflow_would_refuse_goes_to_a_worker() -> None:
    """Airflow refuses the whole DAG file: whatever else is in it would be gone as well."""
    sensor, [warning] = made(**BOTH)
    assert (sensor.start_from_trigger, sensor.end_from_trigger, sensor.deferrable) == (True, False, True)
    assert warning == (
        "Task 'gate' uses a worker: end_from_trigger has no effect because a plugin has a listener, which "
        "Airflow calls only in a worker."
    )


@pytest.mark.usefixtures("an_airflow_that_can")
def test_only_a_task_that_would_end_there_asks_for_listeners(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which loads the plugins, once a process."""
    monkeypatch.setattr("airflow_omics._task.from_trigger.has_listeners", called)
    assert made()[1] == made(start_from_trigger=True)[1] == []
    made(end_from_trigger=True, outlets=["s3://bucket/key"])
    with pytest.raises(AssertionError, match="called while parsing"):
        made(end_from_trigger=True)


@pytest.mark.usefixtures("an_airflow_that_can")
@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_deferrable_false_is_respected(mode: str) -> None:
    sensor, [warning] = made(deferrable=False, mode=mode, **BOTH)
    assert (sensor.start_from_trigger, sensor.end_from_trigger, sensor.deferrable) == (False, False, False)
    assert warning == (
        "Task 'gate' uses a worker: start_from_trigger has no effect because deferrable=False is given; "
        "end_from_trigger has no effect because deferrable=False is given."
    )


@pytest.mark.usefixtures("an_airflow_that_can")
def test_the_trigger_gets_everything_that_it_needs() -> None:
    sensor, _ = made(
        run_id={"id": "{{ params.omics_run_id }}", "parameters": {"sample": MARKER}},
        success_statuses=["COMPLETED", "ARCHIVED"],
        skip_statuses=["CANCELLED"],
        export=["DEFINITION"],
        record_fields=["uuid"],
        timeout=datetime.timedelta(hours=2),
        do_xcom_push=False,
        aws_conn_id="aws_genomics",
        region_name="{{ var.value.region }}",
        verify=False,
        botocore_config={"read_timeout": 20},
        **BOTH,
    )
    sensor.poke_interval = 45.0  # as a cluster policy would
    arguments = sensor.start_trigger_args
    assert arguments is not None
    assert arguments.trigger_cls == "airflow_omics.triggers.OmicsRunTrigger"
    assert arguments.next_method == "execute_complete"
    assert arguments.timeout == datetime.timedelta(seconds=7800)
    assert arguments.trigger_kwargs == {
        "run_id": {"id": "{{ params.omics_run_id }}"},
        "timeout": 7200.0,
        "terminal_statuses": ["COMPLETED", "ARCHIVED", "CANCELLED"],
        "success_statuses": ["COMPLETED", "ARCHIVED"],
        "skip_statuses": ["CANCELLED"],
        "push_record": False,
        "poke_interval": 45.0,
        "export": ["DEFINITION"],
        "record_fields": ["uuid"],
        "aws_conn_id": "aws_genomics",
        "region_name": "{{ var.value.region }}",
        "verify": False,
        "botocore_config": {"read_timeout": 20},
    }
    assert json.loads(json.dumps(arguments.trigger_kwargs)) == arguments.trigger_kwargs
    OmicsRunTrigger(**arguments.trigger_kwargs)


@pytest.mark.usefixtures("an_airflow_that_can")
def test_a_task_that_only_begins_in_the_triggerer_is_ended_by_a_worker() -> None:
    arguments = made(start_from_trigger=True)[0].start_trigger_args
    assert arguments is not None
    assert arguments.trigger_kwargs is not None
    trigger = OmicsRunTrigger(**arguments.trigger_kwargs)
    assert trigger.success_statuses == trigger.skip_statuses == []


@pytest.mark.usefixtures("an_airflow_that_can")
@pytest.mark.parametrize("aws_conn_id", ["aws_default", None])
def test_what_a_trigger_takes_for_granted_is_not_stored_in_the_dag(aws_conn_id: str | None) -> None:
    """A triggerer reads a copy of the DAG for each gate in it."""
    arguments = made(start_from_trigger=True, aws_conn_id=aws_conn_id)[0].start_trigger_args
    assert arguments is not None
    assert arguments.trigger_kwargs is not None
    assert sorted(arguments.trigger_kwargs) == [
        "aws_conn_id",
        "poke_interval",
        "push_record",
        "run_id",
        "terminal_statuses",
        "timeout",
    ]
    trigger = OmicsRunTrigger(**arguments.trigger_kwargs)
    assert trigger.aws_conn_id == aws_conn_id
    assert (trigger.region_name, trigger.verify, trigger.botocore_config) == (None, None, None)
    assert (trigger.export, trigger.record_fields) == (None, None)


def test_a_mapped_gate_is_built_without_a_trigger() -> None:
    with DAG("a_dag", schedule=None):
        mapped = OmicsRunSensor.partial(task_id="gate", **BOTH).expand(run_id=["1", "2"])
        operator = mapped.operator if hasattr(mapped, "operator") else mapped
    assert operator.start_trigger_args is None


SERIALIZE = """
import json
from datetime import datetime
try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
try:
    from airflow.serialization.serialized_objects import DagSerialization as Serialized
except ImportError:
    from airflow.serialization.serialized_objects import SerializedDAG as Serialized
from airflow_omics.sensors import OmicsRunSensor
both = {"start_from_trigger": True, "end_from_trigger": True}
with DAG("a_dag", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    OmicsRunSensor(task_id="gate", run_id="{{ params.x }}", **both)
    OmicsRunSensor.partial(task_id="mapped", **both).expand(run_id=["1", "2"])
data = json.loads(json.dumps(Serialized.to_dict(dag)))
read = Serialized.from_dict(data)
found = {}
for name in ("gate", "mapped"):
    args = read.get_task(name).start_trigger_args
    found[name] = args if args is None else args.trigger_cls
print("found:", json.dumps(found))
"""


def test_a_dag_with_such_gates_goes_through_airflow_s_serialization(tmp_path: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SERIALIZE],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = json.loads(done.stdout.rpartition("found: ")[2])
    assert found == {"gate": "airflow_omics.triggers.OmicsRunTrigger" if CAN_START else None, "mapped": None}
