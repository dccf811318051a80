"""OmicsCancelRunOperator ends a run, confirms it, and touches no other."""

from __future__ import annotations

import datetime
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_omics.exceptions import (
    OmicsAccessError,
    OmicsError,
    OmicsRequestError,
    OmicsRunNotFoundError,
)
from airflow_omics.hooks import OmicsHook
from airflow_omics.operators import OmicsCancelRunOperator
from tests.support.sensors import ONE_ATTEMPT, Clock, TaskInstance, context_of, new_run

OTHER_UUID = "11111111-2222-3333-4444-555555555555"


pytestmark = pytest.mark.usefixtures("clock")


def cancel(**arguments: Any) -> Any:
    task = OmicsCancelRunOperator(**{"task_id": "cancel", "botocore_config": ONE_ATTEMPT, **arguments})
    return task.execute(context_of(TaskInstance()))


def read(run_id: str) -> Any:
    return OmicsHook(aws_conn_id="aws_default").get_run(run_id)


def statuses_of(requests: list[dict[str, Any]]) -> list[str]:
    return [request["operation"] for request in requests]


def test_a_running_run_is_cancelled_and_its_record_returned(omics: Any, run_id: str) -> None:
    record = cancel(run_id=run_id)
    assert (record["id"], record["status"]) == (run_id, "CANCELLED")
    assert read(run_id)["status"] == "CANCELLED"
    assert json.loads(json.dumps(record)) == record


@pytest.mark.parametrize("status", ["PENDING", "STARTING", "RUNNING", "PAUSED"])
def test_it_is_cancelled_from_wherever_it_is(omics: Any, status: str) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    omics.move(run_id, status)
    assert cancel(run_id=run_id)["status"] == "CANCELLED"


def test_the_run_is_read_before_it_is_asked_and_asked_once(omics: Any, run_id: str) -> None:
    cancel(run_id=run_id)
    operations = statuses_of(omics.requests())
    assert operations[:2] == ["GetRun", "CancelRun"]
    assert set(operations[2:]) == {"GetRun"}


def test_it_looks_at_the_poke_interval_until_the_run_has_stopped(omics: Any, clock: Clock) -> None:
    [run_id] = omics.start_runs(1, life="running-forever")
    omics.advance(3600)
    clock.at(0.5, omics.move, run_id, "STOPPING")
    clock.at(95, omics.move, run_id, "CANCELLED")
    clock.start()
    assert cancel(run_id=run_id, poke_interval=datetime.timedelta(seconds=30))["status"] == "CANCELLED"
    assert [round(pause) for pause in clock.pauses if pause] == [30, 30, 30, 30]


def test_without_waiting_the_record_is_the_one_right_after_the_request(omics: Any, run_id: str) -> None:
    record = cancel(run_id=run_id, wait_for_completion=False)
    assert record["status"] == "STOPPING"
    assert omics.counts() == {"GetRun": 2, "CancelRun": 1}


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED"])
def test_a_run_that_has_ended_is_left_alone(omics: Any, run_id: str, status: str) -> None:
    omics.move(run_id, status)
    assert cancel(run_id=run_id)["status"] == status
    assert omics.counts() == {"GetRun": 1}


def test_a_second_cancel_finds_nothing_left_to_do(omics: Any, run_id: str) -> None:
    first = cancel(run_id=run_id)
    assert cancel(run_id=run_id) == first
    assert omics.counts()["CancelRun"] == 1


@pytest.mark.parametrize("answer", ["conflict", "validation"])
@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED"])
def test_a_run_that_ends_before_the_request_reaches_it_is_returned_as_it_ended(
    omics: Any, run_id: str, monkeypatch: pytest.MonkeyPatch, answer: str, status: str
) -> None:
    omics.cancel_ended_run(answer)
    really = OmicsHook.cancel_run

    def too_late(hook: OmicsHook, run_id: str) -> None:
        omics.move(run_id, status)
        really(hook, run_id)

    monkeypatch.setattr(OmicsHook, "cancel_run", too_late)
    assert cancel(run_id=run_id)["status"] == status
    assert [request["status"] for request in omics.requests("CancelRun")] == [
        {"conflict": 409, "validation": 400}[answer]
    ]


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED"])
def test_a_run_that_ends_otherwise_while_it_stops_is_returned_as_it_ended(
    omics: Any, run_id: str, clock: Clock, status: str
) -> None:
    clock.start()
    clock.at(1, omics.move, run_id, status)
    assert cancel(run_id=run_id)["status"] == status


def test_a_run_that_vanishes_while_it_stops_is_deleted(omics: Any, run_id: str, clock: Clock) -> None:
    clock.start()
    clock.at(1, omics.vanish, run_id)
    record = cancel(run_id=run_id)
    assert (record["id"], record["status"], record["workflowId"]) == (run_id, "DELETED", "1234567")


# -- identity ------------------------------------------------------------------------------------------------


def test_another_run_under_our_id_is_never_cancelled(omics: Any, run_id: str) -> None:
    ours = read(run_id)
    omics.reuse_id(run_id, "running-forever")
    record = cancel(run_id=ours)
    assert record == {"id": run_id, "uuid": ours["uuid"], "arn": ours["arn"], "status": "DELETED"}
    assert "CancelRun" not in omics.counts()


def test_a_run_whose_id_is_reused_after_transient_errors_is_not_asked_again(
    omics: Any, run_id: str, clock: Clock
) -> None:
    ours = read(run_id)
    omics.fault("CancelRun", "throttle", times=1)
    clock.start()
    clock.at(0.1, omics.reuse_id, run_id, "running-forever")
    record = cancel(run_id=run_id)
    assert (record["uuid"], record["status"]) == (ours["uuid"], "DELETED")
    assert len(omics.requests("CancelRun")) == 1
    assert read(run_id)["status"] != "STOPPING"


def test_a_record_s_run_that_is_gone_is_deleted(omics: Any, run_id: str) -> None:
    ours = read(run_id)
    omics.vanish(run_id)
    assert cancel(run_id=ours)["status"] == "DELETED"
    assert "CancelRun" not in omics.counts()


def test_an_id_that_nobody_knows_is_an_error_after_two_minutes(omics: Any, clock: Clock) -> None:
    clock.start()
    with pytest.raises(OmicsRunNotFoundError, match=r"9999999.*deleted, or never existed") as caught:
        cancel(run_id="9999999")
    assert caught.value.run_id == "9999999"
    assert isinstance(caught.value.__cause__, ClientError)
    assert 120 <= clock.passed() < 130


@pytest.mark.parametrize("with_record", [True, False])
def test_a_run_that_is_not_readable_yet_is_cancelled_as_soon_as_it_is(
    omics: Any, run_id: str, with_record: bool
) -> None:
    """Taken for gone, a run that has just been started would go on, and cost."""
    ours = read(run_id)
    omics.fault("GetRun", "not-found", times=2)
    assert cancel(run_id=ours if with_record else run_id)["status"] == "CANCELLED"


def test_an_answer_from_another_account_is_refused(omics: Any, run_id: str) -> None:
    with pytest.raises(OmicsRequestError, match="999999999999"):
        cancel(run_id=f"arn:aws:omics:us-east-1:999999999999:run/{run_id}")
    assert "CancelRun" not in omics.counts()


# -- transient errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["throttle", "internal-error", "timeout", "quota", "conflict", "drop", "hang", "html"]
)
@pytest.mark.parametrize("operation", ["GetRun", "CancelRun", "*"])
def test_transient_errors_are_retried(omics: Any, run_id: str, operation: str, kind: str) -> None:
    omics.fault(operation, kind, times=3)
    assert cancel(run_id=run_id)["status"] == "CANCELLED"


def test_pauses_between_transient_errors_grow_with_jitter(omics: Any, run_id: str, clock: Clock) -> None:
    omics.fault("CancelRun", "throttle", times=9)
    clock.start()
    cancel(run_id=run_id)
    pauses = [pause for pause in clock.pauses if pause][:9]
    for pause, longest in zip(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60], strict=True):
        assert longest / 2 <= pause <= longest


@pytest.mark.parametrize("kind", ["expired-token", "unrecognized-client"])
def test_credentials_that_are_rotated_are_outlasted(omics: Any, run_id: str, kind: str) -> None:
    omics.fault("*", kind, times=4)
    assert cancel(run_id=run_id)["status"] == "CANCELLED"


def test_credentials_that_stay_dead_are_an_error_after_five_minutes(
    omics: Any, run_id: str, clock: Clock
) -> None:
    omics.fault("*", "expired-token")
    clock.start()
    with pytest.raises(OmicsAccessError, match=run_id):
        cancel(run_id=run_id)
    assert 300 <= clock.passed() <= 360


@pytest.mark.parametrize("operation", ["GetRun", "CancelRun"])
def test_a_denial_names_the_iam_action(omics: Any, run_id: str, operation: str) -> None:
    omics.fault(operation, "access-denied")
    with pytest.raises(OmicsAccessError, match=f"Allow omics:{operation}"):
        cancel(run_id=run_id)


def test_a_refusal_of_a_run_that_goes_on_comes_back_as_aws_said_it(omics: Any, run_id: str) -> None:
    omics.fault("CancelRun", "validation", message="No cancelling on Sundays")
    with pytest.raises(
        OmicsRequestError, match=r"CancelRun: .*No cancelling on Sundays \(request id"
    ) as caught:
        cancel(run_id=run_id)
    assert caught.value.record is not None
    assert caught.value.record["status"] == "RUNNING"


def test_a_refusal_of_a_run_that_is_stopping_is_waited_out(omics: Any, run_id: str, clock: Clock) -> None:
    omics.move(run_id, "STOPPING")
    omics.fault("CancelRun", "validation")
    clock.start()
    clock.at(200, omics.move, run_id, "COMPLETED")
    assert cancel(run_id=run_id)["status"] == "COMPLETED"
    assert len(omics.requests("CancelRun")) == 1


# -- time limits ---------------------------------------------------------------------------------------------


def test_a_run_that_never_stops_is_an_error_that_says_so(omics: Any, clock: Clock) -> None:
    [run_id] = omics.start_runs(1, life="stopping-forever")
    omics.advance(10_000)
    clock.start()
    with pytest.raises(OmicsError, match=r"is STOPPING after 100 s .* CancelRun was accepted") as caught:
        cancel(run_id=run_id, wait_timeout=100)
    assert 100 <= clock.passed() < 101
    assert caught.value.record is not None
    assert caught.value.record["status"] == "STOPPING"


def test_transient_errors_that_never_stop_are_an_error_with_what_it_was(omics: Any, run_id: str) -> None:
    omics.fault("*", "throttle")
    with pytest.raises(OmicsError, match=r"never read after.*never accepted.*ThrottlingException"):
        cancel(run_id=run_id, wait_timeout=100)


def test_transient_errors_that_stopped_are_not_reported_in_the_end(omics: Any, clock: Clock) -> None:
    [run_id] = omics.start_runs(1, life="stopping-forever")
    omics.advance(10_000)
    clock.start()
    clock.at(20, omics.fault, "GetRun", "throttle")
    clock.at(60, omics.clear_faults)
    with pytest.raises(OmicsError, match=r"is STOPPING after 200 s .* CancelRun was accepted\.$"):
        cancel(run_id=run_id, wait_timeout=200)


def test_without_a_timeout_it_waits_on(omics: Any, clock: Clock) -> None:
    [run_id] = omics.start_runs(1, life="stopping-forever")
    omics.advance(10_000)
    clock.start()
    clock.at(50_000, omics.move, run_id, "CANCELLED")
    assert cancel(run_id=run_id, wait_timeout=None)["status"] == "CANCELLED"


# -- arguments -----------------------------------------------------------------------------------------------


def test_record_fields_narrow_the_record(omics: Any, run_id: str) -> None:
    assert cancel(run_id=run_id, record_fields=["workflowId"]) == {
        "id": run_id,
        "status": "CANCELLED",
        "workflowId": "1234567",
    }


@pytest.mark.parametrize("name", ["poke_interval", "wait_timeout"])
@pytest.mark.parametrize("value", [-1, "60", True, datetime.timedelta(seconds=-1)])
def test_a_span_that_is_none_is_refused_while_parsing(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} is .*seconds, zero or more"):
        OmicsCancelRunOperator(task_id="cancel", run_id="1234567", **{name: value})


def test_an_interval_of_none_is_refused_while_parsing() -> None:
    nothing: Any = None
    with pytest.raises(ValueError, match=r"poke_interval is None; it takes seconds"):
        OmicsCancelRunOperator(task_id="cancel", run_id="1234567", poke_interval=nothing)


@pytest.mark.parametrize("run_id", [None, "", "manual__2026-01-01", {"id": None}])
def test_what_names_no_run_is_refused_while_parsing(run_id: Any) -> None:
    with pytest.raises(ValueError, match="run_id"):
        OmicsCancelRunOperator(task_id="cancel", run_id=run_id)


def test_an_arn_s_region_is_where_the_calls_go(omics: Any) -> None:
    run_id = new_run(omics, region_name="eu-west-1")
    assert cancel(run_id=f"arn:aws:omics:eu-west-1:123456789012:run/{run_id}")["status"] == "CANCELLED"


def test_no_log_and_no_rendered_field_holds_private_data(omics: Any, output: Callable[[], str]) -> None:
    run_id = new_run(omics, parameters={"sample": "PATIENT-4711"}, tags={"patient": "PATIENT-4711"})
    task = OmicsCancelRunOperator(task_id="cancel", run_id=read(run_id))
    task.execute(context_of(TaskInstance()))
    assert "PATIENT-4711" not in output()
    assert "PATIENT-4711" not in repr([getattr(task, name) for name in task.template_fields])


def test_a_log_that_fails_ends_no_change(omics: Any, run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(logging.Logger):
        def log(self, *args: Any, **kwargs: Any) -> None:
            raise OSError("no space left on device")

    monkeypatch.setattr(OmicsCancelRunOperator, "log", Broken("broken"))
    assert cancel(run_id=run_id)["status"] == "CANCELLED"
