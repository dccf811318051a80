"""Never twice, and never for nothing: histories in which batches, runs or settings are not as they were."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_omics.exceptions import (
    OmicsBatchDeletedError,
    OmicsBatchFailedError,
    OmicsBatchMembersFailedError,
    OmicsRequestError,
)
from airflow_omics.operators import OmicsDeleteRunBatchOperator
from tests.support.sensors import ONE_ATTEMPT, Clock, TaskInstance, context_of
from tests.support.start_batches import (
    BUCKET,
    StartBatch,
    batches,
    cohort,
    members_of,
    omics_client,
    runs_by_sample,
    s3,
)
from tests.support.start_operators import Store, WorkerDied, store_of

pytestmark = pytest.mark.any_airflow
FAILS = "failed-out-of-memory-error"
STAYS = "failed-ecr-permission-error"


def is_final(error: Any) -> bool:
    return "AirflowFailException" in [base.__name__ for base in type(error).__mro__]


def test_without_an_earlier_batch_nobody_knows_what_completed_in_it(
    start_batch: StartBatch, omics: Any
) -> None:
    task = start_batch(run_settings=cohort(3, {2: FAILS}), retries=3)
    task()
    task()
    before = runs_by_sample()
    omics.move_batch(batches()[0]["id"], "VANISHED")
    third = task()
    assert isinstance(third.error, OmicsBatchDeletedError)
    assert is_final(third.error)
    assert "An earlier batch of this task was deleted" in str(third.error)
    assert runs_by_sample() == before


@pytest.mark.parametrize("status", ["PAUSED", "UNKNOWN"])
def test_a_run_in_a_status_that_nobody_knows_is_not_started_again(
    start_batch: StartBatch, omics: Any, clock: Clock, status: str
) -> None:
    omics.batches(fails_after=2)
    lives = {1: "running-forever", 2: "running-forever"}
    task = start_batch(run_settings=cohort(3, lives), retries=1, wait_timeout=7200)
    assert isinstance(task().error, OmicsBatchFailedError)
    omics.batches(fails_after=None)
    for item in omics_client().list_runs(batchId=batches()[0]["id"])["items"]:
        omics.move(item["id"], status)
    task()
    assert runs_by_sample() == {"s1": 1, "s2": 1, "s3": 1}


def test_runs_that_were_deleted_after_they_completed_are_not_paid_twice(start_batch: StartBatch) -> None:
    task = start_batch()
    done = task()
    delete = OmicsDeleteRunBatchOperator(task_id="tidy", batch_id=done.result, botocore_config=ONE_ATTEMPT)
    delete.execute(context_of(TaskInstance()))
    task.clear()
    again = task()
    assert isinstance(again.error, OmicsBatchMembersFailedError)
    assert "it may have completed, so no retry runs it again" in str(again.error)
    assert len(batches()) == 1
    assert runs_by_sample() == {}


# -- a DAG run of the same id --------------------------------------------------------------------------------


def test_a_batch_that_another_dag_run_ended_badly_is_no_beginning_of_ours(
    start_batch: StartBatch, omics: Any
) -> None:
    task = start_batch(run_settings=cohort(3, {2: FAILS}), retries=0)
    task()
    omics.advance(86400)
    task.make_dag_run_again()
    done = task(parameters={"genome": "hg38"})
    assert isinstance(done.error, OmicsRequestError)
    assert "what all its runs have in common differ" in str(done.error)
    assert len(batches()) == 1


def test_a_file_in_s3_that_changed_is_said(
    start_batch: StartBatch, omics: Any, clock: Clock, output: Any
) -> None:
    def vanish() -> None:
        raise WorkerDied

    s3().put_object(Bucket=BUCKET, Key="cohort.json", Body=json.dumps(cohort(3)).encode())
    task = start_batch(run_settings=f"s3://{BUCKET}/cohort.json")
    clock.at(130, vanish)
    task()
    s3().put_object(Bucket=BUCKET, Key="cohort.json", Body=json.dumps(cohort(4)).encode())
    output()
    assert task().kind == "success"
    assert "the file of its run_settings have changed since it was started" in output()
    omics.advance(86400)
    task.make_dag_run_again()
    assert "the file of its run_settings differ" in str(task().error)


def test_a_cohort_of_two_references_is_said(start_batch: StartBatch, output: Any) -> None:
    task = start_batch(run_settings=cohort(3, {2: FAILS}), parameters={"genome": "hg19"}, max_failures=1)
    task()
    task.clear()
    output()
    task(parameters={"genome": "hg38"}, run_settings=cohort(3))
    assert "What it has done is kept." in output()


# -- samples that come and go --------------------------------------------------------------------------------


def test_a_sample_that_is_added_is_run_though_all_others_completed(start_batch: StartBatch) -> None:
    task = start_batch()
    task()
    task.clear()
    task.arguments["run_settings"] = cohort(5)
    again = task()
    assert again.kind == "success", again.error
    assert set(runs_by_sample().values()) == {1}
    assert again.result["outcome"]["total"] == 5


@pytest.mark.parametrize("stored", [False, True], ids=["no-store", "store"])
def test_a_sample_that_is_taken_out_does_not_count_any_more(start_batch: StartBatch, stored: bool) -> None:
    task = start_batch(store=store_of(stored), run_settings=cohort(3, {3: STAYS}))
    assert isinstance(task().error, OmicsBatchMembersFailedError)
    task.clear()
    task.arguments["run_settings"] = cohort(2)
    again = task()
    assert again.kind == "success", again.error
    assert runs_by_sample() == {"s1": 1, "s2": 1, "s3": 1}
    assert again.result["outcome"]["total"] == 2


def test_a_sample_that_is_added_does_not_get_the_changes_of_another(start_batch: StartBatch) -> None:
    task = start_batch(
        run_settings=cohort(3, {2: FAILS}),
        rerun_with={"OUT_OF_MEMORY_ERROR": {"storage_type": "DYNAMIC"}},
        retries=2,
    )
    task()
    task.arguments["run_settings"] = cohort(4)
    task()
    task()
    changed = [members_of(b) for b in batches() if b["defaultRunSetting"].get("storageType") == "DYNAMIC"]
    assert changed == [{"s2"}]


# -- what is left behind -------------------------------------------------------------------------------------


def test_a_cleared_start_ends_the_runs_that_a_failed_batch_left(start_batch: StartBatch, omics: Any) -> None:
    omics.batches(fails_after=2)
    forever = cohort(3, {1: "running-forever", 2: "running-forever"})
    task = start_batch(run_settings=forever, on_clear="new", retries=0)
    assert isinstance(task().error, OmicsBatchFailedError)
    omics.batches(fails_after=None)
    task.clear()
    task.arguments["run_settings"] = cohort(3)
    assert task().kind == "success"
    left = omics_client().list_runs(batchId=batches()[0]["id"])["items"]
    assert {run["status"] for run in left} <= {"STOPPING", "CANCELLED"}


@pytest.mark.parametrize("stored", [False, True], ids=["no-store", "store"])
def test_a_retry_that_can_start_nothing_leaves_the_result(
    start_batch: StartBatch, omics: Any, clock: Clock, stored: bool
) -> None:
    def vanish() -> None:
        raise WorkerDied

    task = start_batch(store=Store() if stored else None, run_settings=cohort(3, {2: STAYS}))
    clock.at(130, vanish)
    task()
    omics.advance(5000)
    retried = task()
    assert isinstance(retried.error, OmicsBatchMembersFailedError)
    assert is_final(retried.error)
    pushed = retried.pushed["return_value"]
    assert (pushed["totalRuns"], pushed["outcome"]["failed"], len(pushed["members"])) == (3, 1, 3)
    assert pushed["arn"].endswith(f":runBatch/{pushed['id']}")


def test_an_early_cancel_that_cannot_be_confirmed_is_tried_once(start_batch: StartBatch, omics: Any) -> None:
    omics.fault("ListRuns", "access-denied")
    lives = {1: FAILS, 2: "running-forever"}
    done = start_batch(
        run_settings=cohort(2, lives), on_too_many_failures="cancel", deferrable=True, wait_timeout=20_000
    )()
    assert done.kind == "OmicsBatchTimeoutError"
    assert len(done.triggers) == 2


def test_a_start_that_does_not_wait_returns_the_batch_as_it_is(start_batch: StartBatch, omics: Any) -> None:
    task = start_batch(wait_for_completion=False)
    assert "members" not in task().result
    omics.advance(5000)
    again = task()
    assert (again.kind, again.result["status"]) == ("success", "PROCESSED")
    assert "members" not in again.result


def test_members_that_no_list_has_are_named(start_batch: StartBatch, omics: Any) -> None:
    lives = dict.fromkeys(range(1, 31), "running-forever")
    lives[1] = FAILS
    omics.batches(starts_per_second=0.01)
    done = start_batch(
        run_settings=cohort(30, {**lives, 1: "failed-before-first-task"}),
        on_too_many_failures="cancel",
        poke_interval=60,
    )()
    assert isinstance(done.error, OmicsBatchMembersFailedError)
    members = done.pushed["return_value"]["members"]
    assert {member["runSettingId"] for member in members} == {f"s{number}" for number in range(1, 31)}
    assert sum(done.pushed["return_value"]["outcome"].values()) == 60
