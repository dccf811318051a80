"""OmicsGetBatchOperator reads one batch, and its outcome if its counts tell one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_omics.exceptions import (
    OmicsAccessError,
    OmicsBatchDeletedError,
    OmicsBatchNotFoundError,
    OmicsRequestError,
)
from airflow_omics.operators import OmicsGetBatchOperator
from tests.support.batches import counting, needs_batches, settings, start_batch
from tests.support.sensors import ONE_ATTEMPT, TaskInstance, context_of

# Of Airflow they need what every other test of an operator needs.
pytestmark = [needs_batches, pytest.mark.any_airflow, pytest.mark.usefixtures("clock")]

OTHER_UUID = "11111111-2222-3333-4444-555555555555"


def get(**arguments: Any) -> Any:
    task = OmicsGetBatchOperator(**{"task_id": "get", "botocore_config": ONE_ATTEMPT, **arguments})
    return task.execute(context_of(TaskInstance()))


def batch(omics: Any, **options: Any) -> Any:
    lives = [("completed", 3), ("failed-import-failed", 1)]
    return start_batch(omics, settings(lives), **options)


def test_the_record_is_that_of_getbatch_with_its_outcome(omics: Any) -> None:
    record = batch(omics)
    requests = counting(omics)
    outcome = {"total": 4, "completed": 3, "failed": 1, "cancelled": 0, "deleted": 0, "notStarted": 0}
    assert get(batch_id=record["id"]) == {**record, "outcome": outcome}
    assert requests() == {"GetBatch": 1}


def test_a_batch_may_be_given_as_id_arn_or_record(omics: Any) -> None:
    record = batch(omics)
    for given in (record["id"], int(record["id"]), record["arn"], record):
        got = get(batch_id=given)
        assert got["uuid"] == record["uuid"]
        assert json.loads(json.dumps(got)) == got


def test_a_failed_batch_is_an_answer(omics: Any) -> None:
    record = batch(omics, fails_after=0)
    assert get(batch_id=record["id"])["status"] == "FAILED"


def test_a_batch_that_goes_on_has_no_outcome(omics: Any) -> None:
    record = batch(omics, seconds=100)
    got = get(batch_id=record["id"])
    assert got["status"] == "INPROGRESS"
    assert "outcome" not in got


def test_fields_narrow_the_record(omics: Any) -> None:
    record = batch(omics)
    got = get(batch_id=record["id"], record_fields=["outcome"])
    assert set(got) == {"id", "status", "outcome"}


def test_a_batch_that_nobody_knows_is_not_found(omics: Any) -> None:
    with pytest.raises(OmicsBatchNotFoundError, match="HealthOmics batch 4711: GetBatch") as caught:
        get(batch_id="4711")
    assert caught.value.batch_id == "4711"


def test_another_batch_under_the_id_of_a_record_is_not_returned(omics: Any) -> None:
    record = batch(omics)
    with pytest.raises(OmicsBatchDeletedError, match="its id belongs to another batch now") as caught:
        get(batch_id={**record, "uuid": OTHER_UUID})
    assert (caught.value.batch_id, caught.value.status) == (record["id"], "DELETED")


def test_a_denied_call_names_the_action(omics: Any) -> None:
    record = batch(omics)
    omics.fault("GetBatch", "access-denied")
    with pytest.raises(OmicsAccessError, match="Allow omics:GetBatch to the caller"):
        get(batch_id=record["id"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("arn:aws:omics:us-east-1:123456789012:run/1234567", "This ARN is not a batch's"),
        ("manual__2026-01-01", "This is Airflow's own run_id"),
        (None, "None comes from an upstream task that pushed nothing"),
        (["1", "2"], r"For several batches map the task: .expand\(batch_id="),
    ],
)
def test_what_is_no_batch_is_refused_while_parsing(given: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        OmicsGetBatchOperator(task_id="get", batch_id=given)


def test_an_arn_of_another_region_is_refused(omics: Any) -> None:
    with pytest.raises(ValueError, match="leave region_name out, or give the batch's own Region"):
        OmicsGetBatchOperator(
            task_id="get", batch_id="arn:aws:omics:eu-west-1:123456789012:runBatch/7", region_name="us-east-1"
        )


def test_a_record_is_cut_to_what_identifies_the_batch() -> None:
    record = {"id": "7", "uuid": OTHER_UUID, "defaultRunSetting": {"parameters": {"patient": "P-4711"}}}
    task = OmicsGetBatchOperator(task_id="get", batch_id=record)
    assert task.batch_id == {"id": "7", "uuid": OTHER_UUID}
    task = OmicsGetBatchOperator(task_id="get", batch_id="{{ 7 }}")
    task.render_template_fields({})
    assert task.batch_id == "7"


def test_a_value_that_a_template_gave_is_checked_when_it_runs(omics: Any) -> None:
    task = OmicsGetBatchOperator(task_id="get", batch_id="{{ 'seven' }}")
    task.render_template_fields({})
    with pytest.raises(OmicsRequestError, match="batch_id is 'seven'; it takes a HealthOmics batch id"):
        task.execute(context_of(TaskInstance()))
