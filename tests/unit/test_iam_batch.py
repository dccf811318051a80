"""What waits for batches and starts them runs with the IAM actions of the table, and with no others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_omics._iam import policy
from airflow_omics.exceptions import OmicsAccessError, OmicsBatchMembersFailedError
from airflow_omics.sensors import OmicsRunBatchSensor
from tests.support.batch_waits import end_runs, going_batch
from tests.support.iam import OPTIONAL, REQUIRED, Asked, allow_only, denial
from tests.support.sensors import ONE_ATTEMPT, Clock, TaskInstance, context_of
from tests.support.start_batches import BUCKET, StartBatch, cohort, s3

pytestmark = pytest.mark.any_airflow

NAME = "OmicsRunBatchSensor"


@pytest.fixture
def batch_id(omics: Any, clock: Clock) -> str:
    """A batch of which one run of three has failed."""
    started = going_batch(omics)
    end_runs(omics, started, ["COMPLETED", "FAILED", "COMPLETED"])
    return started


def wait(batch_id: str, max_failures: int = 1) -> Any:
    sensor = OmicsRunBatchSensor(
        task_id="gate", batch_id=batch_id, max_failures=max_failures, botocore_config=ONE_ATTEMPT
    )
    return sensor.execute(context_of(TaskInstance()))


def test_the_required_action_is_enough(omics: Any, batch_id: str) -> None:
    allow_only(omics, REQUIRED[NAME])
    assert wait(batch_id)["outcome"]["failed"] == 1


def test_every_action_of_the_table_is_asked_for_and_no_other(omics: Any, batch_id: str, asked: Asked) -> None:
    omics.batches(run_summary=False)
    asked.actions.clear()
    allow_only(omics, {*REQUIRED[NAME], *OPTIONAL[NAME]})
    assert wait(batch_id)["outcome"]["failed"] == 1
    assert asked.actions == {*REQUIRED[NAME], *OPTIONAL[NAME]}


def test_without_the_required_action_a_gate_fails_and_names_it(omics: Any, batch_id: str) -> None:
    allow_only(omics, OPTIONAL[NAME])
    with pytest.raises(OmicsAccessError, match="Allow omics:GetBatch to the caller"):
        wait(batch_id)


@pytest.mark.parametrize("action", OPTIONAL[NAME])
def test_without_an_optional_action_the_error_names_it(omics: Any, batch_id: str, action: str) -> None:
    omics.batches(run_summary=False)
    allow_only(omics, {*REQUIRED[NAME], *OPTIONAL[NAME]} - {action})
    # Without counts, only the lists say how the runs ended.
    error = OmicsBatchMembersFailedError if action == "omics:GetRun" else OmicsAccessError
    with pytest.raises(error, match=f"Allow {action} to the caller"):
        wait(batch_id, max_failures=0)


# -- the operator that starts a batch ------------------------------------------------------------------------

START = "OmicsStartRunBatchOperator"
OF_OMICS = [action for action in OPTIONAL[START] if action.startswith("omics:")]


def start_everything(start_batch: StartBatch, omics: Any) -> str:
    """Use each action: a small batch that is retried, a large one, a file in S3, a failure, and a timeout."""
    s3().put_object(Bucket=BUCKET, Key="cohort.json", Body=json.dumps(cohort(1)).encode())
    slow = start_batch(poke_interval=60, wait_timeout=120)
    errors = [slow().error, slow(wait_timeout=None).error]
    errors.append(start_batch(run_id="large", run_settings=cohort(101))().error)
    errors.append(start_batch(run_id="s3", run_settings=f"s3://{BUCKET}/cohort.json")().error)
    lives = {1: "failed-out-of-memory-error"}
    errors.append(start_batch(run_id="failed", run_settings=cohort(2, lives), max_failures=1)().error)
    omics.batches(cancel_failures=["s1"])
    forever = cohort(2, {1: "running-forever", 2: "running-forever"})
    stops = start_batch(run_id="cancel", run_settings=forever, wait_timeout=900, on_timeout="cancel")
    errors.append(stops().error)
    return "\n".join(str(error) for error in errors if error is not None)


def test_a_batch_is_started_and_awaited_with_the_required_actions(
    start_batch: StartBatch, omics: Any
) -> None:
    allow_only(omics, REQUIRED[START])
    done = start_batch()()
    assert done.kind == "success", done.error
    assert "members" not in done.result


@pytest.mark.parametrize("action", REQUIRED[START])
def test_without_a_required_action_no_batch_is_started_or_awaited(
    start_batch: StartBatch, omics: Any, action: str
) -> None:
    allow_only(omics, {*REQUIRED[START], *OPTIONAL[START]} - {action})
    if action == "omics:StartRun":  # weighed with StartRunBatch, as AWS does
        resource = "arn:aws:omics:us-east-1:123456789012:run/*"
        omics.fault("StartRunBatch", "access-denied", message=denial(action, resource))
    done = start_batch()()
    assert isinstance(done.error, OmicsAccessError)
    assert f"Allow {action} to the caller" in str(done.error)


def test_a_start_asks_for_every_action_of_the_table_and_no_other(
    start_batch: StartBatch, omics: Any, asked: Asked
) -> None:
    asked.actions.clear()
    start_everything(start_batch, omics)
    assert asked.actions - {"s3:CreateBucket"} == {*REQUIRED[START], *OPTIONAL[START]}


@pytest.mark.parametrize("action", OF_OMICS)
def test_without_an_optional_action_a_start_does_its_work_and_names_it(
    start_batch: StartBatch, omics: Any, output: Any, action: str
) -> None:
    allow_only(omics, {*REQUIRED[START], *OPTIONAL[START]} - {action})
    said = start_everything(start_batch, omics) + output()
    assert f"Allow {action} to the caller" in said


def test_a_policy_for_batches_tags_both_batches_and_runs() -> None:
    [tags] = [
        statement["Resource"]
        for statement in policy(REQUIRED[START], region="eu-west-1", account="111122223333")["Statement"]
        if "omics:TagResource" in statement["Action"]
    ]
    assert tags == [
        "arn:aws:omics:eu-west-1:111122223333:run/*",
        "arn:aws:omics:eu-west-1:111122223333:runBatch/*",
    ]
