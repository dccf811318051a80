"""What a trigger brings into the triggerer, and what its event brings back."""

from __future__ import annotations

import inspect
import json
import logging
import time
from typing import Any

import pytest

from airflow_omics.emulator import Emulator
from airflow_omics.sensors import OmicsRunSensor
from airflow_omics.triggers import OmicsRunBatchTrigger, OmicsRunEvent, OmicsRunTrigger
from airflow_omics.triggers.waiting import WaitingTrigger
from tests.support.sensors import TaskInstance, context_of
from tests.support.triggers import fire, read, round_trip, run_loop

try:
    from airflow.sdk.exceptions import TaskDeferred
except ImportError:  # before Airflow 3.2
    from airflow.exceptions import TaskDeferred

UUID = "96c57683-74bf-9d6d-ae7e-f09b097db14a"
ARN = "arn:aws:omics:eu-west-1:123456789012:run/1234567"

# One value for each argument of the trigger, none of them its default.
VALUES: dict[str, Any] = {
    "run_id": {"id": "1234567", "uuid": UUID, "arn": ARN},
    "started_at": 1767225600.25,
    "timeout_at": 1767229200.5,
    "timeout": 7200.5,
    "hold_until": 1767225610.5,
    "created": 1767225000.123,
    "status": "RUNNING",
    "terminal_statuses": ["ARCHIVED", "FAILED"],
    "success_statuses": ["ARCHIVED"],
    "skip_statuses": ["FAILED"],
    "push_record": False,
    "poke_interval": 30.0,
    "export": ["DEFINITION"],
    "start_timeout": 5400.5,
    "stuck_after": 7200.5,
    "record_fields": ["runOutputUri"],
    "aws_conn_id": "aws_genomics",
    "region_name": "eu-west-1",
    "verify": "/etc/ssl/ca.pem",
    "botocore_config": {"read_timeout": 20, "retries": {"total_max_attempts": 2}},
}
OF_RUNS = ("run_id", "export", "start_timeout", "stuck_after")
BATCH_VALUES: dict[str, Any] = {
    **{name: value for name, value in VALUES.items() if name not in OF_RUNS},
    "batch_id": {"id": "1234567", "uuid": UUID, "arn": ARN.replace(":run/", ":runBatch/")},
    "max_failures": 50,
    "max_failure_ratio": 0.05,
    "stop_when_exceeded": True,
}
VALUES_OF: dict[Any, dict[str, Any]] = {OmicsRunTrigger: VALUES, OmicsRunBatchTrigger: BATCH_VALUES}
MARKER = "patient-4711-marker"


def parameters_of(trigger_class: Any) -> dict[str, Any]:
    """Return the parameters of a trigger's constructor, and those that all waits have."""
    both = (inspect.signature(trigger_class), inspect.signature(WaitingTrigger))
    return {name: p for of in both for name, p in of.parameters.items() if p.kind is not p.VAR_KEYWORD}


@pytest.mark.parametrize("trigger_class", VALUES_OF)
def test_every_argument_has_a_value_here(trigger_class: Any) -> None:
    assert set(parameters_of(trigger_class)) == set(VALUES_OF[trigger_class])


@pytest.mark.parametrize(
    ("trigger_class", "name"), [(of, name) for of, values in VALUES_OF.items() for name in values]
)
def test_each_argument_round_trips(trigger_class: Any, name: str) -> None:
    value = VALUES_OF[trigger_class][name]
    trigger = round_trip(trigger_class(**{trigger_class.resource.argument: "1234567", name: value}))
    assert trigger.serialize()[1][name] == value
    assert getattr(trigger, name) == value


@pytest.mark.parametrize("trigger_class", VALUES_OF)
def test_all_arguments_round_trip_together(trigger_class: Any) -> None:
    path, kwargs = round_trip(trigger_class(**VALUES_OF[trigger_class])).serialize()
    assert path == f"airflow_omics.triggers.{trigger_class.__name__}"
    assert kwargs == VALUES_OF[trigger_class]


@pytest.mark.parametrize("trigger_class", VALUES_OF)
def test_no_argument_is_as_it_is_left_out(trigger_class: Any) -> None:
    defaults, values = parameters_of(trigger_class), VALUES_OF[trigger_class]
    assert [name for name in values if values[name] == defaults[name].default] == []


@pytest.mark.parametrize("trigger_class", VALUES_OF)
def test_an_argument_that_nobody_knows_is_refused(trigger_class: Any) -> None:
    with pytest.raises(TypeError, match="batch_size"):
        trigger_class("1234567", batch_size=7)


@pytest.mark.parametrize("collection", [("ARCHIVED",), {"ARCHIVED"}, frozenset({"ARCHIVED"})])
def test_a_collection_is_carried_as_plain_json(collection: Any) -> None:
    trigger = OmicsRunTrigger(
        "1234567", terminal_statuses=collection, export=collection, record_fields=collection
    )
    kwargs = json.loads(json.dumps(trigger.serialize()[1]))
    assert kwargs["terminal_statuses"] == kwargs["export"] == kwargs["record_fields"] == ["ARCHIVED"]


def test_airflow_takes_the_arguments_as_they_are() -> None:
    """Airflow stores them with a serializer of its own, which must bring back what it was given."""
    from airflow.models.trigger import Trigger

    path, kwargs = OmicsRunTrigger(**VALUES).serialize()
    assert Trigger(classpath=path, kwargs=kwargs).kwargs == VALUES


def test_a_deadline_left_out_is_seven_days_after_the_start_and_stays() -> None:
    before = time.time()
    trigger = OmicsRunTrigger("1234567")
    assert before <= trigger.started_at <= time.time()
    assert trigger.timeout_at - trigger.started_at == 604800.0
    assert round_trip(trigger).timeout_at == trigger.timeout_at


def test_a_timeout_is_carried_without_a_start_or_a_deadline() -> None:
    """They are not known when a DAG file is parsed, and must not be made up once more by each triggerer."""
    kwargs = round_trip(OmicsRunTrigger("1234567", timeout=1800.0)).serialize()[1]
    assert (kwargs["timeout"], kwargs["started_at"], kwargs["timeout_at"]) == (1800.0, None, None)


def deferred(omics: Emulator, **arguments: Any) -> Any:
    with pytest.raises(TaskDeferred) as caught:
        OmicsRunSensor(task_id="gate", deferrable=True, **arguments).execute(context_of(TaskInstance()))
    return caught.value


def test_the_sensor_carries_everything_it_was_given_and_has_learnt(
    omics: Emulator, server: Any, connect: Any
) -> None:
    connect("aws_genomics", region_name="eu-west-1")
    [run_id] = omics.start_runs(1, life="pending-forever", region_name="us-west-2", parameters={"x": MARKER})
    config = {"read_timeout": 20, "retries": {"total_max_attempts": 1}}
    before = time.time()
    deferral = deferred(
        omics,
        run_id=f"arn:aws:omics:us-west-2:123456789012:run/{run_id}",
        success_statuses=["COMPLETED", "ARCHIVED"],
        skip_statuses=["CANCELLED"],
        export=["DEFINITION"],
        record_fields=["uuid"],
        poke_interval=45,
        timeout=1800,
        aws_conn_id="aws_genomics",
        verify=False,
        botocore_config=config,
    )
    _, kwargs = deferral.trigger.serialize()
    given = {
        "aws_conn_id": "aws_genomics",
        "region_name": "us-west-2",
        "verify": False,
        "botocore_config": config,
        "terminal_statuses": ["COMPLETED", "ARCHIVED", "CANCELLED"],
        "success_statuses": [],
        "skip_statuses": [],
        "export": ["DEFINITION"],
        "record_fields": ["uuid"],
        "poke_interval": 45,
    }
    assert {name: kwargs[name] for name in given} == given
    assert set(kwargs["run_id"]) == {"id", "uuid", "arn"}
    assert kwargs["run_id"]["id"] == run_id
    assert kwargs["run_id"]["arn"] == f"arn:aws:omics:us-west-2:123456789012:run/{run_id}"
    assert len(kwargs["run_id"]["uuid"]) == 36
    assert before <= kwargs["started_at"] <= time.time()
    assert kwargs["timeout_at"] == kwargs["started_at"] + 1800
    assert before - 60 <= kwargs["created"] <= time.time()
    assert MARKER not in json.dumps(kwargs)
    # Airflow's own timeout comes after the trigger's, which alone can look once more.
    assert deferral.timeout.total_seconds() > 1800


def test_a_record_given_as_run_id_is_cut_down_to_its_identity(omics: Emulator, server: Any) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever", parameters={"sample": MARKER}, tags={"t": MARKER})
    record = read(server, run_id)
    assert MARKER in json.dumps(record)
    kwargs = deferred(omics, run_id=record).trigger.serialize()[1]
    assert kwargs["run_id"] == {"id": run_id, "uuid": record["uuid"], "arn": record["arn"]}


def test_a_run_that_the_sensor_could_not_see_is_carried_by_its_id(omics: Emulator) -> None:
    [run_id] = omics.start_runs(1)
    omics.fault("GetRun", "internal-error")
    config = {"retries": {"total_max_attempts": 1}}
    kwargs = deferred(omics, run_id=int(run_id), botocore_config=config).trigger.serialize()[1]
    assert kwargs["run_id"] == {"id": run_id}
    assert kwargs["created"] is None


EVENT = {
    "outcome": "terminal",
    "record": {"id": "1234567", "status": "FAILED", "parameters": {"sample": MARKER}, "name": MARKER},
    "message": MARKER,
}


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r}".format, "%s".__mod__])
def test_an_event_is_printed_as_outcome_id_and_status_alone(show: Any) -> None:
    shown = show(OmicsRunEvent(EVENT))
    assert shown == "OmicsRunEvent(outcome='terminal', id='1234567', status='FAILED')"


@pytest.mark.parametrize("record", [None, {}])
def test_an_event_without_a_record_is_printed_as_well(record: Any) -> None:
    event = OmicsRunEvent({"outcome": "error", "record": record, "message": MARKER})
    assert repr(event) == "OmicsRunEvent(outcome='error', id=None, status=None)"


def test_an_event_reaches_airflow_whole() -> None:
    """Airflow 3's triggerer hands its events on through a pydantic model."""
    try:
        from airflow.triggers.base import DiscrimatedTriggerEvent
    except ImportError:  # Airflow 2.11 hands the payload itself to its database
        handed_on = json.loads(json.dumps(OmicsRunEvent(EVENT).payload))
    else:
        from pydantic import TypeAdapter

        adapter: Any = TypeAdapter(DiscrimatedTriggerEvent)
        handed_on = adapter.validate_python(adapter.dump_python(OmicsRunEvent(EVENT), mode="json")).payload
    assert handed_on == EVENT


@pytest.mark.parametrize("outcome", ["COMPLETED", "FAILED", "timeout"])
def test_no_log_at_info_holds_what_may_be_a_patient_s(
    outcome: str, omics: Emulator, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    members = {"parameters": {"sample": MARKER}, "tags": {"patient": MARKER}, "sessionPolicy": MARKER}
    [run_id] = omics.start_runs(1, life="pending-forever", **members)
    at = time.time() + (0.5 if outcome == "timeout" else 60.0)
    if outcome != "timeout":
        omics.move(run_id, outcome)
    event = run_loop(lambda: fire(OmicsRunTrigger(run_id, timeout_at=at, poke_interval=0.5)))
    assert event["record"]["parameters"] == {"sample": MARKER}
    logging.getLogger("airflow.triggerer").info("fired %s", OmicsRunEvent(event))
    output = "\n".join((*capfd.readouterr(), caplog.text))
    assert "OmicsRunEvent(" in output
    assert MARKER not in output
    assert MARKER not in event["message"]


def test_record_fields_are_applied_before_the_record_leaves_the_triggerer(omics: Emulator) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever", parameters={"sample": MARKER}, name="cohort-7")
    omics.move(run_id, "FAILED", "RUN_TASK_FAILED", "Task X failed.")
    event = run_loop(lambda: fire(OmicsRunTrigger(run_id, record_fields=["runOutputUri"])))
    # What an error and the extra links on the worker need comes along: the sensor takes it off before XCom.
    assert set(event["record"]) == {
        "runOutputUri",
        *("id", "uuid", "arn", "status", "name", "workflowId", "failureReason", "statusMessage"),
        *("logLevel", "logLocation"),
    }
    assert MARKER not in json.dumps(event)
