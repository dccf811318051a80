"""Which run is ours: run ids are reused, so a wait must notice when another run answers under our id."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_omics._faults import Fault
from airflow_omics._identity import Target
from airflow_omics._waiting.wait import Wait
from airflow_omics.exceptions import (
    FaultKind,
    OmicsAccessError,
    OmicsRequestError,
    OmicsRunDeletedError,
    OmicsRunNotFoundError,
)
from airflow_omics.sensors import OmicsRunSensor
from tests.support.sensors import Gate, TaskInstance, context_of, new_run

pytestmark = pytest.mark.any_airflow

OTHER_UUID = "11111111-2222-3333-4444-555555555555"


def record_of(gate: Gate, run_id: str) -> Any:
    """The record as a StartRun task would hand it on."""
    from airflow_omics.hooks import OmicsHook

    return OmicsHook(aws_conn_id="aws_default").get_run(run_id)


# -- the uuid that was given ------------------------------------------------------------------------------


def test_a_record_s_uuid_that_answers_is_our_run(gate: Gate, run_id: str) -> None:
    given = record_of(gate, run_id)
    gate.omics.move(run_id, "COMPLETED")
    assert gate(run_id=given).kind == "success"


def test_another_uuid_than_the_record_s_means_our_run_was_deleted(gate: Gate, run_id: str) -> None:
    gate.omics.move(run_id, "COMPLETED")  # the other run is even a success
    end = gate(run_id={"id": run_id, "uuid": OTHER_UUID})
    assert isinstance(end.error, OmicsRunDeletedError)
    assert end.xcom == {"id": run_id, "uuid": OTHER_UUID, "status": "DELETED"}
    assert end.looks == 1


def test_an_id_reused_before_the_first_look_is_recognised_by_the_record(gate: Gate, run_id: str) -> None:
    given = record_of(gate, run_id)
    gate.omics.reuse_id(run_id, life="completed-quickly")
    gate.omics.advance(3600)
    assert isinstance(gate(run_id=given).error, OmicsRunDeletedError)


def test_a_run_identified_by_its_record_may_be_skipped_when_deleted(gate: Gate, run_id: str) -> None:
    given = record_of(gate, run_id)
    gate.omics.reuse_id(run_id)
    assert gate(run_id=given, skip_statuses=["DELETED"]).kind == "AirflowSkipException"


# -- the uuid that this process has seen -------------------------------------------------------------------


def test_an_id_reused_while_waiting_ends_as_deleted_with_the_last_record(poke_gate: Gate) -> None:
    run_id = new_run(poke_gate.omics, name="ours")
    ours = record_of(poke_gate, run_id)["uuid"]
    poke_gate.clock.at(90, poke_gate.omics.reuse_id, run_id, life="completed-quickly")

    end = poke_gate(run_id=run_id, poke_interval=300)

    assert isinstance(end.error, OmicsRunDeletedError)
    assert end.error.status == "DELETED"
    assert end.looks == 2
    assert end.xcom["status"] == "DELETED"
    assert end.xcom["uuid"] == ours
    assert end.xcom["name"] == "ours"


def test_an_id_reused_soon_after_the_first_look_is_noticed_by_its_uuid(poke_gate: Gate, run_id: str) -> None:
    poke_gate.clock.at(1, poke_gate.omics.reuse_id, run_id, life="completed-quickly")
    assert isinstance(poke_gate(run_id=run_id, poke_interval=10).error, OmicsRunDeletedError)


def test_the_error_says_why_the_run_counts_as_deleted(poke_gate: Gate, run_id: str) -> None:
    poke_gate.clock.at(90, poke_gate.omics.reuse_id, run_id)
    assert "its id belongs to another run now" in str(poke_gate(run_id=run_id).error)


# -- no memory: creationTime -----------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [0, 3600, -3600], ids=["same clock", "worker ahead", "worker behind"])
def test_without_memory_a_run_created_after_the_first_look_is_another(
    reschedule_gate: Gate, run_id: str, ahead: float
) -> None:
    reschedule_gate.clock.ahead = ahead
    reschedule_gate.clock.at(300, reschedule_gate.omics.reuse_id, run_id, life="completed-quickly")
    end = reschedule_gate(run_id=run_id)
    assert isinstance(end.error, OmicsRunDeletedError)
    assert end.xcom == {"id": run_id, "status": "DELETED"}


@pytest.mark.parametrize("ahead", [0, 3600, -3600], ids=["same clock", "worker ahead", "worker behind"])
def test_a_run_created_just_before_the_first_look_is_ours(gate: Gate, ahead: float) -> None:
    gate.clock.ahead = ahead
    [run_id] = gate.omics.start_runs(1, life="completed-quickly")
    gate.omics.advance(2)
    end = gate(run_id=run_id)
    assert end.kind == "success"


def test_a_run_that_is_ours_stays_ours_over_many_reschedules(reschedule_gate: Gate, run_id: str) -> None:
    reschedule_gate.clock.at(1700, reschedule_gate.omics.move, run_id, "COMPLETED")
    assert reschedule_gate(run_id=run_id).kind == "success"


# -- account, Region and id of the answer -----------------------------------------------------------------


@pytest.mark.parametrize("flag", [{}, {"soft_fail": True}, {"silent_fail": True}])
def test_an_answer_from_another_account_is_refused(gate: Gate, run_id: str, flag: dict[str, bool]) -> None:
    gate.omics.move(run_id, "COMPLETED")
    end = gate(run_id=f"arn:aws:omics:us-east-1:999999999999:run/{run_id}", **flag)
    assert isinstance(end.error, OmicsRequestError)
    assert "999999999999" in str(end.error)
    assert "123456789012" in str(end.error)
    assert end.xcom is None


def wait_on(value: Any, started_at: float = 1_000_000.0) -> Wait:
    return Wait(Target.parse(value), started_at=started_at, timeout_at=started_at + 86400)


ARN = "arn:aws:omics:us-east-1:123456789012:run/1234567"


@pytest.mark.parametrize(
    ("answer_id", "answer_arn"),
    [
        ("7654321", ARN),
        ("1234567", "arn:aws:omics:us-east-1:123456789012:run/7654321"),
        ("1234567", "arn:aws:omics:us-east-1:999999999999:run/1234567"),
        ("1234567", "arn:aws:omics:eu-west-1:123456789012:run/1234567"),
        ("1234567", "arn:aws:omics:us-east-1:123456789012:workflow/1234567"),
        ("1234567", "not an arn"),
    ],
)
@pytest.mark.parametrize("given", [ARN, {"id": "1234567", "arn": ARN, "uuid": OTHER_UUID}])
def test_an_answer_about_another_run_ends_the_wait(given: Any, answer_id: str, answer_arn: str) -> None:
    answer: Any = {"id": answer_id, "arn": answer_arn, "uuid": OTHER_UUID, "status": "COMPLETED"}
    ending = wait_on(given).answered(answer, 1_000_001.0)
    assert ending is not None
    assert (ending.outcome, ending.error) == ("error", "OmicsRequestError")


def test_an_answer_without_an_arn_is_taken_by_its_id() -> None:
    ending = wait_on(ARN).answered({"id": "1234567", "status": "COMPLETED"}, 1_000_001.0)
    assert ending is not None
    assert ending.outcome == "terminal"


def test_without_a_uuid_in_the_answers_another_creation_time_is_another_run() -> None:
    wait = wait_on("1234567")
    first: Any = {"id": "1234567", "status": "RUNNING", "creationTime": "1970-01-12T13:00:00+00:00"}
    assert wait.answered(first, 1_000_000.0) is None
    ending = wait.answered({**first, "creationTime": "1970-01-12T13:40:00+00:00"}, 1_000_600.0)
    assert ending is not None
    assert ending.record == {**first, "status": "DELETED"}


# -- Region -----------------------------------------------------------------------------------------------


def test_an_arn_s_region_is_where_the_call_goes(gate: Gate) -> None:
    run_id = new_run(gate.omics, region_name="eu-west-1")
    gate.omics.move(run_id, "COMPLETED")
    end = gate(run_id=f"arn:aws:omics:eu-west-1:123456789012:run/{run_id}")
    assert end.kind == "success"
    assert {request["region_name"] for request in gate.omics.requests("GetRun")} == {"eu-west-1"}


def test_a_record_s_arn_also_gives_the_region(gate: Gate) -> None:
    run_id = new_run(gate.omics, region_name="eu-west-1")
    gate.omics.move(run_id, "COMPLETED")
    end = gate(run_id={"id": run_id, "arn": f"arn:aws:omics:eu-west-1:123456789012:run/{run_id}"})
    assert end.kind == "success"


def test_region_name_overrides_the_connection_s(gate: Gate) -> None:
    run_id = new_run(gate.omics, region_name="eu-west-1")
    gate.omics.move(run_id, "COMPLETED")
    assert gate(run_id=run_id, region_name="eu-west-1").kind == "success"


def test_a_region_that_contradicts_the_arn_is_refused_while_parsing() -> None:
    with pytest.raises(ValueError, match="'eu-west-1', but run_id names a run in 'us-east-1'"):
        OmicsRunSensor(task_id="gate", run_id=ARN, region_name="eu-west-1")


def test_a_rendered_region_that_contradicts_the_arn_is_refused_without_a_call(gate: Gate) -> None:
    sensor = gate.sensor(run_id=ARN, region_name="{{ var.value.region }}")
    sensor.region_name = "eu-west-1"
    with pytest.raises(OmicsRequestError, match="but run_id names a run in 'us-east-1'"):
        sensor.execute(context_of(TaskInstance()))
    assert gate.omics.counts() == {}


# -- not found ----------------------------------------------------------------------------------------------


def test_a_run_may_be_unknown_for_two_minutes(gate: Gate, run_id: str) -> None:
    gate.omics.fault("GetRun", "not-found", run_id=run_id)
    gate.clock.at(115, gate.omics.clear_faults)
    gate.clock.at(115, gate.omics.move, run_id, "COMPLETED")
    assert gate(run_id=run_id, poke_interval=30).kind == "success"


def test_a_run_unknown_for_two_minutes_is_not_found(gate: Gate) -> None:
    end = gate(run_id="7654321", poke_interval=30)
    assert isinstance(end.error, OmicsRunNotFoundError)
    assert "deleted, or never existed in this account and Region" in str(end.error)
    assert end.after == pytest.approx(120, abs=1)
    assert end.xcom is None


def test_a_timeout_within_the_grace_wins(gate: Gate) -> None:
    end = gate(run_id="7654321", timeout=90)
    assert end.kind == "AirflowSensorTimeout"


def test_a_run_once_seen_and_then_gone_is_deleted(poke_gate: Gate, run_id: str) -> None:
    poke_gate.clock.at(400, poke_gate.omics.vanish, run_id)
    end = poke_gate(run_id=run_id)
    assert isinstance(end.error, OmicsRunDeletedError)
    assert end.xcom["status"] == "DELETED"
    assert end.xcom["workflowId"] == "1234567"
    assert end.after == pytest.approx(420, abs=1)


def test_a_run_gone_within_the_grace_is_deleted_after_it(poke_gate: Gate, run_id: str) -> None:
    poke_gate.clock.at(10, poke_gate.omics.vanish, run_id)
    end = poke_gate(run_id=run_id, poke_interval=15)
    assert isinstance(end.error, OmicsRunDeletedError)
    assert end.after == pytest.approx(120, abs=1)


def test_a_deleted_run_is_skipped_where_deleted_is_a_skip_status(poke_gate: Gate, run_id: str) -> None:
    poke_gate.clock.at(400, poke_gate.omics.vanish, run_id)
    end = poke_gate(run_id=run_id, skip_statuses=["DELETED"])
    assert end.kind == "AirflowSkipException"
    assert end.xcom["status"] == "DELETED"


def test_without_memory_a_run_gone_is_not_found(reschedule_gate: Gate, run_id: str) -> None:
    reschedule_gate.clock.at(400, reschedule_gate.omics.vanish, run_id)
    error = reschedule_gate(run_id=run_id).error
    assert isinstance(error, OmicsRunNotFoundError)
    assert "deleted, or never existed" in str(error)


def test_a_run_never_seen_is_not_found_also_when_a_record_named_it(poke_gate: Gate, run_id: str) -> None:
    """A record identifies the run; it does not prove that this account and Region know it.

    Were it DELETED, soft_fail would skip a whole cohort whose connection leads to the wrong Region.
    """
    given = {"id": run_id, "uuid": record_of(poke_gate, run_id)["uuid"]}
    end = poke_gate(run_id=given, region_name="eu-west-1", soft_fail=True)
    assert isinstance(end.error, OmicsRunNotFoundError)
    assert end.xcom is None


def test_transient_errors_do_not_end_the_grace_early(gate: Gate, run_id: str) -> None:
    gate.omics.fault("GetRun", "internal-error", times=1)
    gate.omics.fault("GetRun", "not-found", times=1)
    gate.clock.at(110, gate.omics.move, run_id, "COMPLETED")
    assert gate(run_id=run_id).kind == "success"


# -- access denied --------------------------------------------------------------------------------------


def test_access_denied_at_the_first_look_ends_at_once(gate: Gate, run_id: str) -> None:
    gate.omics.fault("GetRun", "access-denied")
    end = gate(run_id=run_id)
    assert isinstance(end.error, OmicsAccessError)
    assert "omics:GetRun" in str(end.error)
    assert end.looks == 1


@pytest.mark.parametrize("poke_interval", [10, 600])
def test_access_denied_to_a_run_once_readable_gets_a_second_look_after_a_minute(
    gate: Gate, run_id: str, poke_interval: int
) -> None:
    gate.clock.at(1, gate.omics.fault, "GetRun", "access-denied", times=1)
    gate.clock.at(poke_interval + 30, gate.omics.move, run_id, "COMPLETED")
    end = gate(run_id=run_id, poke_interval=poke_interval)
    assert end.kind == "success"
    assert end.looks == 3
    assert end.after == pytest.approx(poke_interval + 60, abs=1)


def test_access_denied_twice_ends_the_wait(gate: Gate, run_id: str) -> None:
    gate.clock.at(1, gate.omics.fault, "GetRun", "access-denied")
    end = gate(run_id=run_id, poke_interval=600)
    assert isinstance(end.error, OmicsAccessError)
    assert end.looks == 3
    assert end.after == pytest.approx(660, abs=1)


def test_access_denied_after_being_seen_leaves_the_last_record(poke_gate: Gate, run_id: str) -> None:
    poke_gate.clock.at(1, poke_gate.omics.fault, "GetRun", "access-denied")
    end = poke_gate(run_id=run_id)
    assert end.xcom["status"] == "RUNNING"


def test_each_denial_has_a_second_look_of_its_own() -> None:
    denied = Fault(FaultKind.DENIED, "GetRun: AccessDeniedException: no", "AccessDeniedException")
    seen: Any = {"id": "1234567", "uuid": OTHER_UUID, "status": "RUNNING"}
    wait = wait_on("1234567", 0.0)
    assert wait.answered(seen, 0.0) is None
    assert wait.failed(denied, 100.0) is None
    assert wait.answered(seen, 160.0) is None
    assert wait.failed(denied, 5000.0) is None
    ending = wait.failed(denied, 5060.0)
    assert ending is not None
    assert ending.error == "OmicsAccessError"
