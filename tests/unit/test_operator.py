"""OmicsGetRunOperator reads one run and does not judge it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_omics._compat import AirflowFailException
from airflow_omics.exceptions import (
    OmicsAccessError,
    OmicsError,
    OmicsRequestError,
    OmicsRunNotFoundError,
)
from airflow_omics.operators import OmicsGetRunOperator
from tests.support.sensors import ONE_ATTEMPT, TaskInstance, context_of, new_run

OTHER_UUID = "11111111-2222-3333-4444-555555555555"


def get_run(**arguments: Any) -> Any:
    task = OmicsGetRunOperator(**{"task_id": "read", "botocore_config": ONE_ATTEMPT, **arguments})
    return task.execute(context_of(TaskInstance()))


def test_the_record_is_the_return_value(omics: Any, run_id: str) -> None:
    record = get_run(run_id=run_id)
    assert record["id"] == run_id
    assert record["status"] == "RUNNING"
    assert record["arn"] == f"arn:aws:omics:us-east-1:123456789012:run/{run_id}"
    assert "ResponseMetadata" not in record
    assert json.loads(json.dumps(record)) == record


def test_it_takes_one_call(omics: Any, run_id: str) -> None:
    get_run(run_id=run_id)
    assert omics.counts() == {"GetRun": 1}


@pytest.mark.parametrize("status", ["PENDING", "STARTING", "RUNNING", "STOPPING", "PAUSED"])
def test_an_active_run_is_an_answer(omics: Any, status: str) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    omics.move(run_id, status)
    assert get_run(run_id=run_id)["status"] == status


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED", "DELETED"])
def test_a_run_that_ended_is_an_answer_however_it_ended(omics: Any, run_id: str, status: str) -> None:
    omics.move(run_id, "COMPLETED" if status == "DELETED" else status)
    omics.move(run_id, status)
    assert get_run(run_id=run_id)["status"] == status


def test_a_failed_run_s_record_says_why(omics: Any, run_id: str) -> None:
    omics.move(run_id, "FAILED", "RUN_TASK_FAILED", "Task X failed.")
    record = get_run(run_id=run_id)
    assert (record["failureReason"], record["statusMessage"]) == ("RUN_TASK_FAILED", "Task X failed.")


def test_a_run_that_has_not_started_has_no_start_time(omics: Any) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    record = get_run(run_id=run_id)
    assert "startTime" not in record
    assert "stopTime" not in record
    assert record["creationTime"].endswith("+00:00")


def test_record_fields_narrow_the_record(omics: Any, run_id: str) -> None:
    record = get_run(run_id=run_id, record_fields=["runOutputUri", "stopTime"])
    assert record == {
        "id": run_id,
        "status": "RUNNING",
        "runOutputUri": f"s3://airflow-omics-emulator/runs/{run_id}",
    }


def test_export_adds_the_definition(omics: Any, run_id: str) -> None:
    assert get_run(run_id=run_id, export=["DEFINITION"])["definition"].startswith("https://")
    assert omics.requests("GetRun")[0]["query"] == {"export": "DEFINITION"}


def test_without_export_there_is_no_definition(omics: Any, run_id: str) -> None:
    assert "definition" not in get_run(run_id=run_id)


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("access-denied", OmicsAccessError),
        ("expired-token", OmicsAccessError),
        ("unrecognized-client", OmicsAccessError),
        ("validation", OmicsRequestError),
        ("not-found", OmicsRunNotFoundError),
    ],
)
def test_what_cannot_be_read_is_an_error_that_names_the_run(
    omics: Any, run_id: str, kind: str, error: type[OmicsError]
) -> None:
    omics.fault("GetRun", kind)
    with pytest.raises(error, match=run_id) as caught:
        get_run(run_id=run_id)
    assert caught.value.run_id == run_id
    assert isinstance(caught.value.__cause__, ClientError)


def test_a_denial_names_the_iam_action(omics: Any, run_id: str) -> None:
    omics.fault("GetRun", "access-denied")
    with pytest.raises(OmicsAccessError, match="omics:GetRun"):
        get_run(run_id=run_id)


@pytest.mark.parametrize("kind", ["throttle", "internal-error", "timeout", "conflict", "quota"])
def test_transient_errors_are_left_to_airflow_s_retries(omics: Any, run_id: str, kind: str) -> None:
    omics.fault("GetRun", kind)
    with pytest.raises(ClientError) as caught:
        get_run(run_id=run_id)
    assert not isinstance(caught.value, AirflowFailException)


def test_botocore_s_own_retries_outlast_a_gust(
    omics: Any, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    omics.fault("GetRun", "internal-error", times=2)
    assert get_run(run_id=run_id, botocore_config=None)["id"] == run_id
    assert omics.counts() == {"GetRun": 3}


def test_an_answer_from_another_account_is_refused(omics: Any, run_id: str) -> None:
    with pytest.raises(OmicsRequestError, match="999999999999"):
        get_run(run_id=f"arn:aws:omics:us-east-1:999999999999:run/{run_id}")


def test_an_arn_s_region_is_where_the_call_goes(omics: Any) -> None:
    run_id = new_run(omics, region_name="eu-west-1")
    assert get_run(run_id=f"arn:aws:omics:eu-west-1:123456789012:run/{run_id}")["id"] == run_id


def test_a_whole_record_is_taken(omics: Any, run_id: str) -> None:
    assert get_run(run_id=get_run(run_id=run_id))["id"] == run_id


def test_another_run_under_our_id_is_not_passed_off_as_ours(omics: Any, run_id: str) -> None:
    """The uuid is the identity: another run under our id means ours is DELETED."""
    try:
        record = get_run(run_id={"id": run_id, "uuid": OTHER_UUID})
    except OmicsError:
        return
    assert (record["uuid"], record["status"]) == (OTHER_UUID, "DELETED")
