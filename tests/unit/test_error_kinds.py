"""Each error says what kind of fault is behind it, since a retry may help one of a class and not another."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from airflow_omics._compat import AirflowFailException
from airflow_omics._faults import run_error
from airflow_omics._waiting.ending import ending_from_event, ending_to_event
from airflow_omics._waiting.wait import Ending
from airflow_omics.exceptions import (
    FaultKind,
    OmicsAccessError,
    OmicsError,
    OmicsRequestError,
    OmicsRunError,
    OmicsRunFailedError,
    OmicsRunNotFoundError,
    without_retry,
)
from airflow_omics.operators import OmicsCancelRunOperator, OmicsGetRunOperator
from airflow_omics.sensors import OmicsRunSensor
from tests.support.sensors import ONE_ATTEMPT, Gate, TaskInstance, context_of, new_run
from tests.support.start_operators import StartTask

KINDS = pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("expired-token", FaultKind.CREDENTIALS),
        ("access-denied", FaultKind.DENIED),
        ("validation", FaultKind.REFUSED),
    ],
)


@KINDS
def test_a_gate_s_error_has_the_kind_of_what_it_met(gate: Gate, fault: str, kind: FaultKind) -> None:
    run_id = new_run(gate.omics)
    gate.omics.fault("GetRun", fault)
    error = gate(run_id=run_id).error
    assert isinstance(error, OmicsError)
    assert error.kind is kind


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        (Ending("error", None, "m", "OmicsAccessError", FaultKind.CREDENTIALS), FaultKind.CREDENTIALS),
        (Ending("error", None, "m", "OmicsAccessError"), FaultKind.DENIED),
        (Ending("error", None, "m", "OmicsRequestError"), FaultKind.REFUSED),
        (Ending("error", None, "m", "OmicsRunNotFoundError"), FaultKind.NOT_FOUND),
    ],
)
def test_the_kind_comes_through_a_trigger_s_event(ending: Ending, kind: FaultKind) -> None:
    event = json.loads(json.dumps(ending_to_event(ending, None)))
    sensor = OmicsRunSensor(task_id="gate", run_id="1234567", deferrable=True)
    with pytest.raises(OmicsError) as caught:
        sensor.execute_complete(context_of(TaskInstance()), event)
    assert caught.value.kind is kind


@pytest.mark.parametrize("kind", [None, "a kind of tomorrow", 7])
def test_an_event_with_a_kind_that_nobody_knows_is_read_without_it(kind: Any) -> None:
    event = {"outcome": "error", "error": "OmicsAccessError", "record": None, "message": "m", "kind": kind}
    assert ending_from_event(event) == Ending("error", None, "m", "OmicsAccessError")


@pytest.mark.parametrize(
    ("fault", "error_class", "kind"),
    [
        ("expired-token", OmicsAccessError, FaultKind.CREDENTIALS),
        ("access-denied", OmicsAccessError, FaultKind.DENIED),
        ("validation", OmicsRequestError, FaultKind.REFUSED),
        ("not-found", OmicsRequestError, FaultKind.REFUSED),
        ("quota", OmicsRequestError, FaultKind.TRANSIENT),
        ("conflict", OmicsRequestError, FaultKind.TRANSIENT),
        ("internal-error", OmicsError, FaultKind.TRANSIENT),
    ],
)
def test_a_start_s_error_has_the_kind_of_what_it_met(
    start_task: StartTask, omics: Any, fault: str, error_class: type[OmicsError], kind: FaultKind
) -> None:
    omics.fault("StartRun", fault)
    error = start_task()().error
    assert type(error) is error_class
    assert error.kind is kind


@pytest.mark.parametrize("operator", [OmicsGetRunOperator, OmicsCancelRunOperator])
@KINDS
@pytest.mark.usefixtures("clock")
def test_an_operator_s_error_has_the_kind_of_what_it_met(
    omics: Any, operator: Any, fault: str, kind: FaultKind
) -> None:
    run_id = new_run(omics)
    for operation in ("GetRun", "CancelRun"):
        omics.fault(operation, fault)
    task = operator(task_id="task", run_id=run_id, botocore_config=ONE_ATTEMPT)
    with pytest.raises(OmicsError) as caught:
        task.execute(context_of(TaskInstance()))
    assert caught.value.kind is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OmicsError("m"), None),
        (OmicsAccessError("m"), FaultKind.DENIED),
        (OmicsAccessError("m", kind=FaultKind.CREDENTIALS), FaultKind.CREDENTIALS),
        (OmicsRequestError("m"), FaultKind.REFUSED),
        (OmicsRunNotFoundError("m"), FaultKind.NOT_FOUND),
    ],
)
def test_an_error_keeps_its_kind_and_its_run_when_it_is_pickled(
    error: OmicsError, kind: FaultKind | None
) -> None:
    error.run_id = "1234567"
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), again.kind, again.run_id) == ("m", kind, "1234567")


def test_an_error_without_retry_can_be_pickled() -> None:
    error = without_retry(run_error({"id": "1234567", "status": "FAILED", "failureReason": "EXPORT_FAILED"}))
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert isinstance(again, OmicsRunError)
    assert (str(again), again.failure_reason) == (str(error), "EXPORT_FAILED")


def test_an_error_without_retry_that_0_1_0_pickled_can_be_read() -> None:
    pickled = (
        b"cairflow_omics.exceptions\nwithout_retry\np0\n"
        b"(cairflow_omics.exceptions\nOmicsRunFailedError\np1\n"
        b"(VHealthOmics run 1234567 is FAILED: EXPORT_FAILED.\np2\ntp3\nRp4\n"
        b"(dp5\nVrun_id\np6\nV1234567\np7\nsVfailure_reason\np8\nVEXPORT_FAILED\np9\nsbtp10\nRp11\n."
    )
    again = pickle.loads(pickled)
    assert isinstance(again, OmicsRunFailedError)
    assert isinstance(again, AirflowFailException)
    assert (str(again), again.run_id, again.failure_reason) == (
        "HealthOmics run 1234567 is FAILED: EXPORT_FAILED.",
        "1234567",
        "EXPORT_FAILED",
    )


@pytest.mark.parametrize("event", [None, {}, {"outcome": "nonsense"}, "terminal", ["terminal"]])
def test_an_event_that_is_none_of_ours_is_said_to_be_none(event: object) -> None:
    with pytest.raises(OmicsError, match="The trigger fired no event that says how the wait ended"):
        ending_from_event(event)
