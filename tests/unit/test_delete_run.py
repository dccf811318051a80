"""OmicsDeleteRunOperator removes a run's metadata, sees it gone, and touches no other run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_omics.exceptions import OmicsAccessError, OmicsError, OmicsRequestError
from airflow_omics.hooks import OmicsHook
from airflow_omics.operators import OmicsDeleteRunOperator
from tests.support.sensors import ONE_ATTEMPT, Clock, TaskInstance, context_of, new_run

ENDED = ("COMPLETED", "FAILED", "CANCELLED")


pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def ended(omics: Any, run_id: str) -> str:
    omics.move(run_id, "COMPLETED")
    return run_id


def delete(**arguments: Any) -> Any:
    task = OmicsDeleteRunOperator(**{"task_id": "delete", "botocore_config": ONE_ATTEMPT, **arguments})
    return task.execute(context_of(TaskInstance()))


def read(run_id: str) -> Any:
    return OmicsHook(aws_conn_id="aws_default").get_run(run_id)


def is_known(run_id: str) -> bool:
    try:
        read(run_id)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return False
    return True


@pytest.mark.parametrize("status", ENDED)
def test_an_ended_run_is_deleted_and_its_last_record_returned(omics: Any, run_id: str, status: str) -> None:
    omics.move(run_id, status)
    last = read(run_id)
    assert delete(run_id=run_id) == {**last, "status": "DELETED"}
    assert not is_known(run_id)


def test_it_reads_asks_and_reads(omics: Any, ended: str) -> None:
    delete(run_id=ended)
    operations = [request["operation"] for request in omics.requests()]
    assert operations == ["GetRun", "DeleteRun", "GetRun"]


@pytest.mark.parametrize("status", ["PENDING", "STARTING", "RUNNING", "STOPPING"])
def test_an_active_run_is_refused_without_a_request(omics: Any, status: str) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    omics.move(run_id, status)
    with pytest.raises(OmicsRequestError, match=f"{run_id}.* is {status}; only a run that has ended"):
        delete(run_id=run_id)
    assert omics.counts() == {"GetRun": 1}


def test_what_aws_refuses_comes_back_as_aws_said_it(omics: Any, ended: str) -> None:
    omics.fault("DeleteRun", "validation", message="FAILED runs stay")
    with pytest.raises(OmicsRequestError, match=r"DeleteRun: .*FAILED runs stay \(request id"):
        delete(run_id=ended)
    assert is_known(ended)


@pytest.mark.parametrize("given", ["id", "arn", "record"])
def test_deleting_a_run_that_is_gone_succeeds(omics: Any, ended: str, given: str) -> None:
    record = read(ended)
    run_id = {"id": ended, "arn": record["arn"], "record": record}[given]
    delete(run_id=run_id)
    again = delete(run_id=run_id)
    assert (again["id"], again["status"]) == (ended, "DELETED")
    assert len(omics.requests("DeleteRun")) == 1


def test_the_log_warns_of_an_id_that_may_never_have_existed(omics: Any, output: Callable[[], str]) -> None:
    assert delete(run_id="9999999") == {"id": "9999999", "status": "DELETED"}
    assert "nothing to delete, or not in this account and Region" in output()


def test_deleting_a_run_shown_as_deleted_succeeds(omics: Any, ended: str) -> None:
    omics.move(ended, "DELETED")
    assert delete(run_id=ended)["status"] == "DELETED"
    assert "DeleteRun" not in omics.counts()


def test_another_run_under_our_id_is_never_deleted(omics: Any, ended: str) -> None:
    ours = read(ended)
    uuid = omics.reuse_id(ended, "completed-quickly")
    omics.advance(600)
    assert delete(run_id=ours)["uuid"] == ours["uuid"]
    assert "DeleteRun" not in omics.counts()
    assert read(ended)["uuid"] == uuid


def test_an_id_reused_after_transient_errors_is_not_asked_again(omics: Any, ended: str, clock: Clock) -> None:
    omics.fault("DeleteRun", "throttle", times=1)
    clock.start()
    clock.at(0.1, omics.reuse_id, ended, "completed-quickly")
    assert delete(run_id=ended)["status"] == "DELETED"
    assert len(omics.requests("DeleteRun")) == 1
    assert is_known(ended)


@pytest.mark.parametrize(
    "kind", ["throttle", "internal-error", "timeout", "quota", "conflict", "drop", "hang"]
)
@pytest.mark.parametrize("operation", ["GetRun", "DeleteRun", "*"])
def test_transient_errors_are_retried(omics: Any, ended: str, operation: str, kind: str) -> None:
    omics.fault(operation, kind, times=3)
    assert delete(run_id=ended)["status"] == "DELETED"
    assert not is_known(ended)


def test_a_lost_answer_is_no_error_when_the_run_is_gone(
    omics: Any, ended: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = OmicsHook.delete_run

    def answer_lost(hook: OmicsHook, run_id: str) -> None:
        really(hook, run_id)
        raise ConnectionResetError("the answer is lost")

    monkeypatch.setattr(OmicsHook, "delete_run", answer_lost)
    assert delete(run_id=ended)["status"] == "DELETED"


def test_a_run_that_is_still_shown_for_a_while_is_waited_for(
    omics: Any, ended: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OmicsHook, "delete_run", lambda hook, run_id: None)
    clock.start()
    clock.at(22, omics.vanish, ended)
    assert delete(run_id=ended)["status"] == "DELETED"
    assert 22 <= clock.passed() <= 27


def test_a_run_that_stays_is_an_error_that_says_so(
    omics: Any, ended: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OmicsHook, "delete_run", lambda hook, run_id: None)
    with pytest.raises(OmicsError, match=r"is COMPLETED after 60 s.*DeleteRun was accepted"):
        delete(run_id=ended, wait_timeout=60)


def test_a_denial_after_the_deletion_means_that_the_run_is_gone(omics: Any, ended: str) -> None:
    """A policy scoped by tag denies a run that has no tags any more."""
    really = OmicsHook.delete_run
    with pytest.MonkeyPatch.context() as patch:

        def delete_then_deny(hook: OmicsHook, run_id: str) -> None:
            really(hook, run_id)
            omics.fault("GetRun", "access-denied")

        patch.setattr(OmicsHook, "delete_run", delete_then_deny)
        assert delete(run_id=ended)["status"] == "DELETED"


@pytest.mark.parametrize("operation", ["GetRun", "DeleteRun"])
def test_a_denial_names_the_iam_action(omics: Any, ended: str, operation: str) -> None:
    omics.fault(operation, "access-denied")
    with pytest.raises(OmicsAccessError, match=f"Allow omics:{operation}"):
        delete(run_id=ended)


def test_record_fields_narrow_the_record(omics: Any, ended: str) -> None:
    record = delete(run_id=ended, record_fields=["workflowId"])
    assert record == {"id": ended, "status": "DELETED", "workflowId": "1234567"}


def test_no_log_and_no_rendered_field_holds_private_data(omics: Any, output: Callable[[], str]) -> None:
    run_id = new_run(omics, parameters={"sample": "PATIENT-4711"}, tags={"patient": "PATIENT-4711"})
    omics.move(run_id, "COMPLETED")
    task = OmicsDeleteRunOperator(task_id="delete", run_id=read(run_id))
    task.execute(context_of(TaskInstance()))
    assert "PATIENT-4711" not in output()
    assert "PATIENT-4711" not in repr([getattr(task, name) for name in task.template_fields])
