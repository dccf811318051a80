"""OmicsDeleteRunBatchOperator deletes the runs of a batch, the batch itself, or both, as often as asked."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_omics.exceptions import OmicsAccessError, OmicsError, OmicsRequestError
from airflow_omics.hooks import OmicsHook
from airflow_omics.operators import OmicsDeleteRunBatchOperator
from tests.support.batches import counting, needs_batches, read, settings, start_batch
from tests.support.fixtures import Output
from tests.support.sensors import ONE_ATTEMPT, TaskInstance, context_of

# Of Airflow they need what every other test of an operator needs.
pytestmark = [needs_batches, pytest.mark.any_airflow, pytest.mark.usefixtures("clock")]

OTHER_UUID = "11111111-2222-3333-4444-555555555555"


def delete(**arguments: Any) -> Any:
    task = OmicsDeleteRunBatchOperator(**{"task_id": "delete", "botocore_config": ONE_ATTEMPT, **arguments})
    return task.execute(context_of(TaskInstance()))


def batch(omics: Any, count: int = 4, **options: Any) -> Any:
    return start_batch(omics, settings([("completed", count)]), **options)


def runs_of(record: Any) -> list[str]:
    return [run["id"] for run in OmicsHook().list_runs(batch_id=record["id"])]


def is_known(record: Any) -> bool:
    return record["id"] in [each["id"] for each in OmicsHook().list_batches()]


def test_the_runs_are_deleted_and_the_batch_stays(omics: Any) -> None:
    record = batch(omics)
    deleted = delete(batch_id=record)
    assert (deleted["id"], deleted["status"]) == (record["id"], "RUNS_DELETED")
    assert runs_of(record) == []
    assert read(record["id"])["status"] == "RUNS_DELETED"


def test_the_batch_goes_after_its_runs(omics: Any) -> None:
    record = batch(omics)
    requests = counting(omics)
    deleted = delete(batch_id=record, batch=True)
    assert (deleted["id"], deleted["status"]) == (record["id"], "DELETED")
    assert (requests()["DeleteRunBatch"], requests()["DeleteBatch"]) == (1, 1)
    assert not is_known(record)
    assert runs_of(record) == []


def test_the_batch_alone_leaves_its_runs(omics: Any) -> None:
    record = batch(omics)
    assert delete(batch_id=record, runs=False, batch=True)["status"] == "DELETED"
    assert not is_known(record)
    assert len(runs_of(record)) == 4


def test_a_second_time_finds_nothing_left_to_do(omics: Any, output: Output) -> None:
    record = batch(omics)
    delete(batch_id=record)
    requests = counting(omics)
    assert delete(batch_id=record)["status"] == "RUNS_DELETED"
    assert requests() == {"GetBatch": 1}
    delete(batch_id=record, batch=True)
    assert delete(batch_id=record, batch=True)["status"] == "DELETED"
    assert delete(batch_id=record["id"], batch=True)["status"] == "DELETED"
    assert "nothing to delete, or not in this account and Region" in output()


def test_a_deletion_that_is_under_way_is_waited_for(omics: Any) -> None:
    record = batch(omics)
    OmicsHook().delete_run_batch(record["id"])
    requests = counting(omics)
    assert delete(batch_id=record)["status"] == "RUNS_DELETED"
    assert "DeleteRunBatch" not in requests()


@pytest.mark.parametrize("refusal", ["conflict", "validation"])
def test_a_batch_whose_runs_are_being_deleted_is_deleted_afterwards(omics: Any, refusal: str) -> None:
    record = batch(omics, refusal=refusal)
    OmicsHook().delete_run_batch(record["id"])
    assert delete(batch_id=record, runs=False, batch=True)["status"] == "DELETED"


def test_runs_that_the_batch_could_not_delete_are_deleted_one_by_one(omics: Any, output: Output) -> None:
    record = batch(omics, 6, delete_failures=["sample-2", "sample-5"])
    requests = counting(omics)
    deleted = delete(batch_id=record)
    assert deleted["status"] == "RUNS_DELETE_FAILED"
    assert deleted["runSummary"]["deletedRunCount"] == 6
    assert runs_of(record) == []
    assert requests()["DeleteRun"] == 2
    assert "2 runs that it could not delete were deleted one by one" in output()
    assert delete(batch_id=record, batch=True)["status"] == "DELETED"


def test_a_batch_that_could_not_delete_some_is_asked_again_first(omics: Any) -> None:
    record = batch(omics, 6, delete_failures=["sample-2", "sample-5"])
    OmicsHook().delete_run_batch(record["id"])
    omics.advance(100)
    assert read(record["id"])["status"] == "RUNS_DELETE_FAILED"
    omics.batches(delete_failures=0)
    requests = counting(omics)
    assert delete(batch_id=record)["status"] == "RUNS_DELETED"
    assert "DeleteRun" not in requests()


def test_the_runs_of_a_failed_batch_are_deleted_one_by_one(omics: Any) -> None:
    record = batch(omics, 6, fails_after=3)
    assert record["status"] == "FAILED"
    requests = counting(omics)
    assert delete(batch_id=record, batch=True)["status"] == "DELETED"
    assert runs_of(record) == []
    assert requests()["DeleteRun"] == 3
    assert "DeleteRunBatch" not in requests()


def test_a_run_of_a_failed_batch_that_goes_on_is_refused(omics: Any) -> None:
    record = start_batch(omics, settings([("running-forever", 4)]), fails_after=2, seconds=1000)
    with pytest.raises(OmicsRequestError, match="only a run that has ended can be deleted"):
        delete(batch_id=record)


@pytest.mark.parametrize("seconds", [1, 20, 38, 200])
def test_a_batch_that_goes_on_is_refused_without_a_request(omics: Any, seconds: float) -> None:
    record = start_batch(omics, settings([("running-forever", 9)]), seconds=seconds, starts_per_second=1)
    requests = counting(omics)
    for what in ({}, {"runs": False, "batch": True}):
        with pytest.raises(OmicsRequestError, match="only a batch that has ended can be deleted"):
            delete(batch_id=record, **what)
    assert set(requests()) == {"GetBatch"}


def test_another_batch_under_the_id_is_never_deleted(omics: Any) -> None:
    record = batch(omics)
    assert delete(batch_id={**record, "uuid": OTHER_UUID}, batch=True)["status"] == "DELETED"
    assert is_known(record)
    assert len(runs_of(record)) == 4


@pytest.mark.parametrize("operation", ["DeleteRunBatch", "DeleteBatch"])
def test_a_denied_call_names_the_action(omics: Any, operation: str) -> None:
    record = batch(omics)
    omics.fault(operation, "access-denied")
    with pytest.raises(OmicsAccessError, match=f"Allow omics:{operation}"):
        delete(batch_id=record, batch=True)


@pytest.mark.parametrize("kind", ["throttle", "internal-error", "lost-answer"])
def test_transient_errors_are_retried(omics: Any, kind: str) -> None:
    record = batch(omics)
    for operation in ("DeleteRunBatch", "DeleteBatch"):
        omics.fault(operation, kind, times=2)
    assert delete(batch_id=record, batch=True)["status"] == "DELETED"


def test_a_deletion_that_never_ends_is_an_error_that_a_retry_goes_on_from(omics: Any) -> None:
    record = batch(omics)
    omics.move_batch(record["id"], "RUNS_DELETING")
    with pytest.raises(OmicsError, match="is RUNS_DELETING after 300 s of deleting the runs of it"):
        delete(batch_id=record, wait_timeout=300)
    omics.move_batch(record["id"], "RUNS_DELETED")
    assert delete(batch_id=record)["status"] == "RUNS_DELETED"


def test_nothing_to_delete_is_refused_while_parsing() -> None:
    with pytest.raises(ValueError, match="runs and batch are both False"):
        OmicsDeleteRunBatchOperator(task_id="delete", batch_id="7", runs=False)
    with pytest.raises(ValueError, match="batch is 'yes'; it takes True or False"):
        OmicsDeleteRunBatchOperator(task_id="delete", batch_id="7", batch="yes")  # type: ignore[arg-type]
