"""Bad input fails in one sentence, naming argument, value and what is taken, before any call to AWS."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2.11
    from airflow import DAG

from airflow_omics._compat import AirflowSkipException
from airflow_omics.exceptions import OmicsRequestError
from airflow_omics.operators import (
    OmicsCancelRunOperator,
    OmicsDeleteRunOperator,
    OmicsDiagnoseRunOperator,
    OmicsEstimateRunCostOperator,
    OmicsGetRunOperator,
    OmicsListRunTasksOperator,
)
from airflow_omics.sensors import OmicsRunSensor
from tests.support.sensors import Gate, TaskInstance, context_of

TASKS = [OmicsRunSensor, OmicsGetRunOperator]
both = pytest.mark.parametrize("task", TASKS, ids=["sensor", "operator"])


def sensor(**arguments: Any) -> OmicsRunSensor:
    return OmicsRunSensor(**{"task_id": "gate", "run_id": "1234567", **arguments})


def refusal(make: Callable[[], Any]) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (every caller looks at the text)
        make()
    message = str(caught.value)
    assert "\n" not in message
    return message


# -- statuses ---------------------------------------------------------------------------------------------

NAMES = ["success_statuses", "skip_statuses"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("status", ["PENDING", "STARTING", "RUNNING", "STOPPING"])
def test_an_active_status_is_no_end(name: str, status: str) -> None:
    message = refusal(lambda: sensor(**{name: ["FAILED", status]}))
    assert message.startswith(f"{name} holds '{status}'")
    assert "COMPLETED, FAILED, CANCELLED, DELETED" in message


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "value",
    ["COMPLETED", "", "FAILED,CANCELLED", None, 3, iter(["FAILED"])],
    ids=["text", "empty text", "a list in text", "None", "a number", "an iterator"],
)
def test_statuses_are_a_collection(name: str, value: Any) -> None:
    message = refusal(lambda: sensor(**{name: value}))
    assert message.startswith(f"{name} is ")
    assert "collection" in message
    assert repr(value) in message


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("status", ["completed", "", None, 3, b"FAILED", "Failed"], ids=str)
def test_a_status_is_upper_case_text(name: str, status: Any) -> None:
    message = refusal(lambda: sensor(**{name: [status]}))
    assert message.startswith(f"{name} holds {status!r}")
    assert "'COMPLETED'" in message


@pytest.mark.parametrize("name", NAMES)
def test_an_active_status_in_lower_case_is_no_end_either(name: str) -> None:
    assert refusal(lambda: sensor(**{name: ["running"]})).startswith(f"{name} holds 'running'")


def test_no_success_status_at_all_is_refused() -> None:
    assert "success_statuses is empty" in refusal(lambda: sensor(success_statuses=[]))


def test_a_status_in_both_sets_is_refused() -> None:
    message = refusal(lambda: sensor(skip_statuses=["FAILED", "COMPLETED"]))
    for part in ("COMPLETED", "success_statuses", "skip_statuses"):
        assert part in message
    assert "FAILED" not in message


@pytest.mark.parametrize("value", [["COMPLETED", "FAILED"], ("COMPLETED",), {"COMPLETED"}, frozenset(["X"])])
def test_any_collection_of_statuses_is_taken(value: Any) -> None:
    assert set(sensor(success_statuses=value).success_statuses) == set(value)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("status", "meant"),
    [
        ("CANCELED", "CANCELLED"),
        ("COMPLETED ", "COMPLETED"),
        ("\tFAILED", "FAILED"),
        ("COMPLETE", "COMPLETED"),
        ("DELETD", "DELETED"),
    ],
)
def test_a_misspelt_status_is_refused_with_the_one_that_is_meant(name: str, status: str, meant: str) -> None:
    message = refusal(lambda: sensor(**{name: [status]}))
    assert message.startswith(f"{name} holds {status!r}")
    assert f"did you mean {meant!r}?" in message


@pytest.mark.parametrize("status", [" NEW", "NEW\n"])
def test_a_new_status_has_no_spaces_around_it_either(status: str) -> None:
    assert "did you mean 'NEW'?" in refusal(lambda: sensor(skip_statuses=[status]))


def test_a_status_that_nobody_knows_yet_may_be_named() -> None:
    assert sensor(skip_statuses=["ARCHIVED"]).skip_statuses == ("ARCHIVED",)


# -- names of members -------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("name", ["record_fields", "export"])
@pytest.mark.parametrize("value", ["DEFINITION", b"x", 5, [1], [None], {"a": 1}], ids=str)
def test_names_are_a_collection_of_text(task: Any, name: str, value: Any) -> None:
    message = refusal(lambda: task(task_id="t", run_id="1234567", **{name: value}))
    assert message.startswith(f"{name} is {value!r}; it takes a collection of names")


FIELDS: list[tuple[Any, str]] = [
    (OmicsRunSensor, "record_fields"),
    (OmicsGetRunOperator, "record_fields"),
    (OmicsCancelRunOperator, "record_fields"),
    (OmicsDeleteRunOperator, "record_fields"),
    (OmicsListRunTasksOperator, "task_fields"),
]


@pytest.mark.parametrize(("task", "name"), FIELDS)
def test_a_member_s_name_has_no_underscore(task: Any, name: str) -> None:
    message = refusal(lambda: task(task_id="t", run_id="1234567", **{name: ["status", "run_output_uri"]}))
    assert message == (
        f"{name} holds 'run_output_uri', and no member's name has an underscore; did you mean 'runOutputUri'?"
    )


@pytest.mark.parametrize(("task", "name"), FIELDS)
def test_a_member_that_nobody_knows_yet_may_be_named(task: Any, name: str) -> None:
    assert getattr(task(task_id="t", run_id="1234567", **{name: ["brandNew"]}), name) == ("brandNew",)


# -- switches -----------------------------------------------------------------------------------------------


SWITCHES: list[tuple[Any, str]] = [
    *((OmicsRunSensor, name) for name in ("deferrable", "start_from_trigger", "end_from_trigger")),
    (OmicsDiagnoseRunOperator, "logs"),
    (OmicsEstimateRunCostOperator, "rightsize"),
    (OmicsCancelRunOperator, "wait_for_completion"),
    (OmicsListRunTasksOperator, "details"),
]


@pytest.mark.parametrize(("task", "name"), SWITCHES)
@pytest.mark.parametrize("value", ["no", "", 0, 1], ids=repr)
def test_a_switch_takes_true_or_false(task: Any, name: str, value: Any) -> None:
    message = refusal(lambda: task(task_id="t", run_id="1234567", **{name: value}))
    assert message == f"{name} is {value!r}; it takes True or False."


# -- intervals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["poke_interval", "timeout", "max_wait"])
@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-60, ["-60"]),
        (-0.5, ["-0.5"]),
        (datetime.timedelta(seconds=-60), ["-60", "-1 day, 23:59:00", "days=-1"]),
        ("60", ["'60'"]),
    ],
    ids=str,
)
def test_a_negative_interval_is_refused(name: str, value: Any, shown: list[str]) -> None:
    message = refusal(lambda: sensor(**{name: value}))
    assert name in message
    assert any(part in message for part in shown)
    assert "second" in message or "number" in message


@pytest.mark.parametrize("name", ["poke_interval", "timeout", "max_wait"])
@pytest.mark.parametrize("value", [float("inf"), float("nan"), float("-inf")], ids=str)
def test_an_interval_is_finite(name: str, value: float) -> None:
    assert refusal(lambda: sensor(**{name: value})) == (
        f"{name} is {value}; it takes seconds, zero or more, as a finite number or a timedelta."
    )


@pytest.mark.parametrize("task", [OmicsCancelRunOperator, OmicsDeleteRunOperator])
@pytest.mark.parametrize("name", ["poke_interval", "wait_timeout"])
@pytest.mark.parametrize("value", [float("inf"), float("nan")], ids=str)
def test_an_operator_s_interval_is_finite(task: Any, name: str, value: float) -> None:
    message = refusal(lambda: task(task_id="t", run_id="1234567", **{name: value}))
    assert message.startswith(f"{name} is {value}; it takes seconds")


@pytest.mark.parametrize("name", ["poke_interval", "timeout", "max_wait"])
@pytest.mark.parametrize("value", [1e300, 10**400, datetime.timedelta.max], ids=["float", "int", "timedelta"])
def test_an_interval_ends_within_a_hundred_years(name: str, value: Any) -> None:
    assert refusal(lambda: sensor(**{name: value})) == (
        f"{name} is {value!r}; it takes at most 3155760000 seconds, 100 years."
    )


@pytest.mark.parametrize("name", ["poke_interval", "timeout", "max_wait"])
def test_an_interval_of_default_args_is_checked(name: str) -> None:
    """Airflow would meet it in its scheduler, which can't compute such a date."""
    with DAG("a_dag", schedule=None, default_args={name: 1e12}):
        message = refusal(sensor)
    assert message.startswith(f"{name} is ")
    assert message.endswith("; it takes at most 3155760000 seconds, 100 years.")


@pytest.mark.parametrize("value", [30, 30.5, datetime.timedelta(seconds=30)], ids=str)
def test_intervals_are_seconds_or_a_timedelta(value: Any) -> None:
    assert sensor(poke_interval=value).poke_interval in (30.0, 30.5)


def test_soft_fail_and_never_fail_exclude_each_other() -> None:
    message = refusal(lambda: sensor(soft_fail=True, never_fail=True))
    assert "soft_fail" in message
    assert "never_fail" in message


# -- AWS arguments -------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    "value", ["read_timeout=20", 20, ["read_timeout"], object()], ids=lambda v: type(v).__name__
)
def test_botocore_config_is_a_dict(task: Any, value: Any) -> None:
    message = refusal(lambda: task(task_id="t", run_id="1234567", botocore_config=value))
    assert message.startswith(f"botocore_config is a {type(value).__name__}; it takes a dict")


@both
def test_botocore_config_is_not_botocore_s_own_config(task: Any) -> None:
    from botocore.config import Config

    message = refusal(lambda: task(task_id="t", run_id="1234567", botocore_config=Config(read_timeout=20)))
    assert "botocore_config is a Config" in message
    assert "{'read_timeout': 20}" in message


@both
@pytest.mark.parametrize("value", [object(), {1, 2}, b"x"], ids=lambda v: type(v).__name__)
def test_botocore_config_holds_plain_values(task: Any, value: Any) -> None:
    message = refusal(lambda: task(task_id="t", run_id="1234567", botocore_config={"proxies": value}))
    assert message.startswith("botocore_config holds a value that is not plain JSON")


@both
def test_an_unknown_argument_is_refused(task: Any) -> None:
    with pytest.raises(Exception, match="no_such_argument"):
        task(task_id="t", run_id="1234567", no_such_argument=1)


# -- at run time ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("poke_flag", [{}, {"soft_fail": True}, {"silent_fail": True}])
def test_a_connection_without_a_region_says_which_setting_to_add(
    gate: Gate, run_id: str, connect: Callable[..., None], poke_flag: dict[str, bool]
) -> None:
    connect()
    end = gate(run_id=run_id, **poke_flag)
    assert isinstance(end.error, OmicsRequestError)
    assert "region_name" in str(end.error)
    assert '{"region_name": "us-east-1"}' in str(end.error)
    assert end.looks == 0


def test_an_operator_without_a_region_says_which_setting_to_add(
    omics: Any, run_id: str, connect: Callable[..., None]
) -> None:
    connect()
    with pytest.raises(OmicsRequestError, match="add region_name to the connection's extra"):
        OmicsGetRunOperator(task_id="t", run_id=run_id).execute(context_of(TaskInstance()))
    assert omics.counts() == {}


def test_an_arn_s_region_is_enough(gate: Gate, run_id: str, connect: Callable[..., None]) -> None:
    connect()
    gate.omics.move(run_id, "COMPLETED")
    assert gate(run_id=f"arn:aws:omics:us-east-1:123456789012:run/{run_id}").kind == "success"


@pytest.mark.parametrize("value", [None, "manual__2026-01-01"], ids=str)
def test_never_fail_skips_if_the_rendered_run_id_is_wrong(gate: Gate, value: Any) -> None:
    made = gate.sensor(run_id="{{ params.run }}", never_fail=True)
    made.run_id = value
    with pytest.raises(AirflowSkipException, match="never_fail"):
        made.execute(context_of(TaskInstance()))


RENDERED_ANEW = [None, "manual__2026-01-01", "7654321"]


@pytest.mark.parametrize("value", RENDERED_ANEW, ids=str)
def test_an_end_that_the_triggerer_saw_stands_whatever_the_run_id_renders_to_by_then(value: Any) -> None:
    resumed = sensor(run_id="{{ params.run }}", deferrable=True)
    resumed.run_id = value
    record = {"id": "1234567", "status": "COMPLETED"}
    event = {"outcome": "terminal", "record": record, "message": "It is COMPLETED."}
    assert resumed.execute_complete(context_of(TaskInstance()), event) == record


@pytest.mark.parametrize("value", RENDERED_ANEW, ids=str)
def test_never_fail_skips_if_the_trigger_found_the_run_id_wrong(value: Any) -> None:
    resumed = sensor(run_id="{{ params.run }}", deferrable=True, never_fail=True)
    resumed.run_id = value
    event = {"outcome": "error", "error": "OmicsRequestError", "record": None, "message": "run_id is None"}
    with pytest.raises(AirflowSkipException, match="run_id is None"):
        resumed.execute_complete(context_of(TaskInstance()), event)
    with pytest.raises(AirflowSkipException, match="deferred beyond the sensor's timeout"):
        resumed.resume_execution("__fail__", {"error": "Trigger timeout"}, context_of(TaskInstance()))


@pytest.mark.parametrize("flag", ["soft_fail", "silent_fail"])
def test_no_other_flag_hides_a_wrong_run_id(gate: Gate, flag: str) -> None:
    made = gate.sensor(run_id="{{ params.run }}", **{flag: True})
    made.run_id = None
    with pytest.raises(OmicsRequestError, match="None comes from an upstream task that pushed nothing"):
        made.execute(context_of(TaskInstance()))
