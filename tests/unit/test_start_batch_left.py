"""What a batch has left behind that failed, or whose record is gone: no member is lost or run twice."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.sensors import Clock
from tests.support.start_batches import StartBatch, batches, cohort, members_of, runs_by_sample
from tests.support.start_operators import Store, WorkerDied, die_at, store_of

pytestmark = pytest.mark.any_airflow
ALL_COMPLETED = {"total": 3, "completed": 3, "failed": 0, "cancelled": 0, "deleted": 0, "notStarted": 0}
ONCE_EACH = {"s1": 1, "s2": 1, "s3": 1}


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferrable"])
@pytest.mark.parametrize("stored", [False, True], ids=["no-store", "store"])
def test_runs_that_a_failed_batch_left_behind_are_waited_for(
    start_batch: StartBatch, omics: Any, stored: bool, deferrable: bool
) -> None:
    omics.batches(fails_after=3)
    task = start_batch(store=store_of(stored), retries=1, deferrable=deferrable)
    assert task().kind == "OmicsBatchFailedError"
    omics.batches(fails_after=None)
    second = task()
    assert second.kind == "success", second.error
    assert (second.result["id"], second.result["status"]) == (batches()[0]["id"], "FAILED")
    assert second.result["outcome"] == ALL_COMPLETED
    assert {member["runSettingId"] for member in second.result["members"]} == set(ONCE_EACH)
    assert runs_by_sample() == ONCE_EACH
    assert len(omics.requests("StartRunBatch")) == 1


def test_runs_that_were_left_behind_are_not_waited_for_beyond_the_timeout(
    start_batch: StartBatch, omics: Any
) -> None:
    omics.batches(fails_after=1)
    task = start_batch(run_settings=cohort(1, {1: "running-forever"}), retries=1, wait_timeout=3600)
    task()
    assert task().kind == "OmicsBatchMembersFailedError"
    assert len(omics.requests("StartRunBatch")) == 1


def test_a_deleted_batch_whose_runs_all_completed_is_a_success(
    start_batch: StartBatch, omics: Any, clock: Clock
) -> None:
    task = start_batch(store=Store(), retries=1)
    die_at(clock, 130)
    assert isinstance(task().error, WorkerDied)
    [batch] = batches()
    omics.advance(4000)
    omics.move_batch(batch["id"], "VANISHED")
    second = task()
    assert second.kind == "success", second.error
    assert (second.result["id"], second.result["outcome"]) == (batch["id"], ALL_COMPLETED)
    assert runs_by_sample() == ONCE_EACH
    assert len(omics.requests("StartRunBatch")) == 1


@pytest.mark.parametrize("is_seen", [True, False], ids=["seen", "unseen"])
def test_members_that_a_deleted_batch_never_started_are_started(
    start_batch: StartBatch, omics: Any, clock: Clock, is_seen: bool
) -> None:
    omics.batches(fails_after=2)
    task = start_batch(store=Store(), run_settings=cohort(5), retries=1)
    if not is_seen:
        die_at(clock, 30)
    task()
    [batch] = batches()
    omics.batches(fails_after=None)
    omics.advance(4000)
    omics.move_batch(batch["id"], "VANISHED")
    second = task()
    assert second.kind == "success", second.error
    [followed] = batches()
    assert members_of(followed) == {"s3", "s4", "s5"}
    assert runs_by_sample() == {f"s{number}": 1 for number in range(1, 6)}
    assert second.result["outcome"] == {**ALL_COMPLETED, "total": 5, "completed": 5}


def test_runs_of_the_batch_that_has_the_id_now_are_not_taken_for_those_of_the_task(
    start_batch: StartBatch, omics: Any, clock: Clock
) -> None:
    omics.batches(fails_after=2)
    task = start_batch(store=Store(), run_settings=cohort(3), retries=1)
    task()
    [batch] = batches()
    omics.batches(fails_after=None)
    omics.advance(4000)
    omics.move_batch(batch["id"], "REUSED")  # another batch, of the same samples
    omics.advance(4000)
    assert runs_by_sample() == {"s1": 2, "s2": 2, "s3": 1}
    second = task()
    assert second.kind == "success", second.error
    assert runs_by_sample() == {"s1": 2, "s2": 2, "s3": 2}
    assert second.result["outcome"] == ALL_COMPLETED
