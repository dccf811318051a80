"""Never twice for a member: deaths, lost answers, clears, batches that ended early, and reruns."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from airflow_omics.exceptions import (
    OmicsBatchCancelledError,
    OmicsBatchDeletedError,
    OmicsBatchFailedError,
    OmicsBatchMembersFailedError,
    OmicsRequestError,
)
from tests.support.sensors import Clock
from tests.support.start_batches import (
    BUCKET,
    StartBatch,
    batches,
    cohort,
    die_once,
    members_of,
    objects,
    omics_client,
    runs_by_sample,
    s3,
)
from tests.support.start_operators import ANSWERS, Store, WorkerDied

pytestmark = pytest.mark.any_airflow
FAILS = "failed-out-of-memory-error"  # may pass with other settings
STAYS = "failed-ecr-permission-error"  # fails again until somebody changes something
ONCE_EACH = {"s1": 1, "s2": 1, "s3": 1}


def completed(record: Any) -> int:
    return int(record["outcome"]["completed"])


# -- a worker dies -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferrable"])
@pytest.mark.parametrize("stored", [False, True], ids=["no-store", "store"])
@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("moment", ["before", "unanswered", "answered", "waiting"])
def test_a_retry_after_the_workers_death_takes_up_the_one_batch(
    start_batch: StartBatch,
    omics: Any,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
    answer: str,
    stored: bool,
    deferrable: bool,
) -> None:
    omics.repeat_request_id(answer)
    task = start_batch(store=Store() if stored else None, deferrable=deferrable)
    if moment == "waiting":

        def vanish() -> None:
            raise WorkerDied

        clock.at(130, vanish)
    else:
        die_once(monkeypatch, moment, omics)
    assert isinstance(task().error, WorkerDied)
    assert len(batches()) == (0 if moment == "before" else 1)
    omics.advance(300)
    retried = task()
    assert retried.kind == "success", retried.error
    [batch] = batches()
    assert (retried.result["id"], completed(retried.result)) == (batch["id"], 3)
    assert runs_by_sample() == ONCE_EACH


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_lost_on_its_way_is_no_reason_for_a_second_batch(
    start_batch: StartBatch, omics: Any, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    omics.repeat_request_id(answer)
    die_once(monkeypatch, "unanswered", omics, ConnectionResetError("the connection is gone"))
    done = start_batch()()
    assert done.kind == "success"
    assert runs_by_sample() == ONCE_EACH


def test_a_death_while_the_settings_are_written_leaves_one_file(
    start_batch: StartBatch, omics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    omics.batches(starts_per_second=50)
    die_once(monkeypatch, "before", omics)
    task = start_batch(run_settings=cohort(120))
    assert isinstance(task().error, WorkerDied)
    [(key, written)] = objects().items()
    changed = s3().head_object(Bucket=BUCKET, Key=key)["LastModified"]
    omics.advance(60)
    assert task().kind == "success"
    assert s3().head_object(Bucket=BUCKET, Key=key)["LastModified"] == changed
    assert len(written) == 120


# -- a batch ended early -----------------------------------------------------------------------------------


def test_a_batch_that_failed_after_some_members_is_followed_by_one_of_the_others(
    start_batch: StartBatch, omics: Any
) -> None:
    omics.batches(fails_after=2)
    task = start_batch(run_settings=cohort(5), retries=1)
    first = task()
    assert isinstance(first.error, OmicsBatchFailedError)
    omics.batches(fails_after=None)
    second = task()
    assert second.kind == "success", second.error
    failed, followed = batches()
    assert members_of(followed) == {"s3", "s4", "s5"}
    assert runs_by_sample() == {f"s{number}": 1 for number in range(1, 6)}
    assert second.result["outcome"] == {
        "total": 5,
        "completed": 5,
        "failed": 0,
        "cancelled": 0,
        "deleted": 0,
        "notStarted": 0,
    }
    assert second.result["batches"] == [failed["id"], followed["id"]]
    assert len(second.result["members"]) == 5


def test_a_batch_that_was_cancelled_is_followed_by_one_of_what_did_not_complete(
    start_batch: StartBatch, omics: Any, clock: Clock
) -> None:
    lives = {1: "completed", 2: "running-forever", 3: "running-forever"}
    task = start_batch(run_settings=cohort(3, lives), retries=1)
    clock.at(3000, lambda: omics_client().cancel_run_batch(batchId=batches()[0]["id"]))
    assert isinstance(task().error, OmicsBatchCancelledError)
    task.arguments["run_settings"] = cohort(3)
    second = task()
    assert second.kind == "success", second.error
    assert runs_by_sample() == {"s1": 1, "s2": 2, "s3": 2}


def test_a_batch_whose_record_was_deleted_is_followed_by_one_of_what_did_not_complete(
    start_batch: StartBatch, omics: Any, clock: Clock
) -> None:
    task = start_batch(retries=1, run_settings=cohort(3, {3: FAILS}))
    clock.at(130, lambda: omics.move_batch(batches()[0]["id"], "VANISHED"))
    assert isinstance(task().error, OmicsBatchDeletedError)
    omics.advance(4000)
    task.arguments["run_settings"] = cohort(3)
    second = task()
    assert second.kind == "success", second.error
    assert runs_by_sample() == {"s1": 1, "s2": 1, "s3": 2}
    assert completed(second.result) == 3


# -- retries and reruns ------------------------------------------------------------------------------------


def test_a_retry_runs_again_only_what_may_pass(start_batch: StartBatch) -> None:
    task = start_batch(run_settings=cohort(5, {2: FAILS, 4: STAYS}), retries=1, max_failures=1)
    first = task()
    assert isinstance(first.error, OmicsBatchMembersFailedError)
    task.arguments["run_settings"] = cohort(5, {4: STAYS})  # what was missing is there now
    second = task()
    assert second.kind == "success", second.error
    assert runs_by_sample() == {"s1": 1, "s2": 2, "s3": 1, "s4": 1, "s5": 1}
    assert second.result["outcome"]["failed"] == 1
    assert [row["examples"][0]["runSettingId"] for row in second.result["failures"]] == ["s4"]


def test_what_would_fail_again_is_not_retried(start_batch: StartBatch) -> None:
    done = start_batch(run_settings=cohort(3, {2: STAYS}))()
    assert "AirflowFailException" in [base.__name__ for base in type(done.error).__mro__]
    may_pass = start_batch(run_id="other", run_settings=cohort(3, {2: FAILS}))()
    assert "AirflowFailException" not in [base.__name__ for base in type(may_pass.error).__mro__]


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferrable"])
def test_reruns_with_other_settings_are_batches_of_their_own(
    start_batch: StartBatch, deferrable: bool
) -> None:
    done = start_batch(
        run_settings=cohort(6, {2: FAILS, 4: "failed-service-error", 5: STAYS}),
        rerun_failed=1,
        rerun_with={"OUT_OF_MEMORY_ERROR": {"storage_type": "DYNAMIC"}},
        deferrable=deferrable,
    )()
    assert isinstance(done.error, OmicsBatchMembersFailedError)
    assert runs_by_sample() == {"s1": 1, "s2": 2, "s3": 1, "s4": 2, "s5": 1, "s6": 1}
    first, plain, changed = batches()
    assert (members_of(plain), members_of(changed)) == ({"s4"}, {"s2"})
    assert [b["defaultRunSetting"].get("storageType") for b in (first, plain, changed)] == [
        None,
        None,
        "DYNAMIC",
    ]


@pytest.mark.parametrize("life", [FAILS, STAYS], ids=["run-again", "left"])
def test_where_members_may_be_run_again_the_reason_of_each_run_is_read_once(
    start_batch: StartBatch, omics: Any, life: str
) -> None:
    done = start_batch(run_settings=cohort(5, {2: life, 4: life}), rerun_failed=1)()
    assert isinstance(done.error, OmicsBatchMembersFailedError)
    [row] = done.error.failures
    assert (row["count"], [e["runSettingId"] for e in row["examples"]]) == (2, ["s2", "s4"])
    failed = {(m["runSettingId"], m["status"]) for m in done.pushed["return_value"]["members"]}
    assert failed >= {("s2", "FAILED"), ("s4", "FAILED")}
    read = Counter(request["run_id"] for request in omics.requests("GetRun"))
    assert (len(read), set(read.values())) == (4 if life == FAILS else 2, {1})


def test_what_is_tolerated_has_its_reasons_where_members_may_be_run_again(
    start_batch: StartBatch,
) -> None:
    done = start_batch(run_settings=cohort(4, {2: FAILS}), rerun_failed=1, max_failures=1)()
    assert done.kind == "success", done.error
    assert runs_by_sample() == {"s1": 1, "s2": 1, "s3": 1, "s4": 1}
    assert [row["reason"] for row in done.result["failures"]] == ["OUT_OF_MEMORY_ERROR"]


@pytest.mark.parametrize("stored", [False, True], ids=["no-store", "store"])
def test_a_death_amid_a_rerun_starts_nothing_twice(
    start_batch: StartBatch, omics: Any, clock: Clock, stored: bool
) -> None:
    def vanish() -> None:
        raise WorkerDied

    task = start_batch(
        store=Store() if stored else None, run_settings=cohort(3, {2: FAILS}), rerun_failed=1, retries=3
    )
    clock.at(1900, vanish)
    first = task()
    assert isinstance(first.error, WorkerDied)
    assert runs_by_sample() == {"s1": 1, "s2": 2, "s3": 1}
    task()
    assert runs_by_sample()["s1"] == runs_by_sample()["s3"] == 1
    tokens = [request["request_id"] for request in omics.requests("StartRunBatch")]
    assert max(Counter(tokens).values()) == 1


# -- clears ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", [False, True], ids=["no-store", "store"])
def test_a_cleared_task_runs_only_what_did_not_complete(start_batch: StartBatch, stored: bool) -> None:
    task = start_batch(store=Store() if stored else None, run_settings=cohort(4, {2: STAYS}), max_failures=1)
    assert task().kind == "success"
    task.clear()
    task.arguments["run_settings"] = cohort(4)
    again = task()
    assert again.kind == "success", again.error
    assert runs_by_sample() == {"s1": 1, "s2": 2, "s3": 1, "s4": 1}
    assert completed(again.result) == 4


def test_a_task_that_is_cleared_while_its_batch_goes_on_waits_for_it(
    start_batch: StartBatch, clock: Clock
) -> None:
    def vanish() -> None:
        raise WorkerDied

    task = start_batch(run_settings=cohort(3, {2: FAILS}), max_failures=1)
    clock.at(130, vanish)
    task()
    task.clear()
    again = task()
    assert again.kind == "success", again.error
    assert runs_by_sample() == ONCE_EACH


def test_a_cleared_task_whose_members_all_completed_starts_nothing(start_batch: StartBatch) -> None:
    task = start_batch()
    assert task().kind == "success"
    task.clear()
    assert task().kind == "success"
    assert runs_by_sample() == ONCE_EACH


def test_a_sample_that_was_added_before_the_clear_is_run(start_batch: StartBatch) -> None:
    task = start_batch(run_settings=cohort(3, {2: FAILS}), max_failures=1)
    assert task().kind == "success"
    task.clear()
    task.arguments["run_settings"] = cohort(4)
    again = task()
    assert again.kind == "success", again.error
    assert runs_by_sample() == {"s1": 1, "s2": 2, "s3": 1, "s4": 1}
    assert again.result["outcome"]["total"] == 4


def test_on_clear_new_starts_all_members_anew(start_batch: StartBatch) -> None:
    task = start_batch(on_clear="new")
    assert task().kind == "success"
    task.clear()
    assert task().kind == "success"
    assert runs_by_sample() == {"s1": 2, "s2": 2, "s3": 2}


def test_on_clear_reattach_judges_the_batch_again(start_batch: StartBatch) -> None:
    task = start_batch(on_clear="reattach", run_settings=cohort(3, {2: STAYS}), max_failures=1)
    first = task()
    task.clear()
    again = task()
    assert (again.kind, again.result["id"]) == ("success", first.result["id"])
    assert runs_by_sample() == ONCE_EACH


def test_a_task_that_is_cleared_while_a_worker_resumes_it_is_a_try_of_its_own(
    start_batch: StartBatch,
) -> None:
    task = start_batch(run_settings=cohort(3, {2: FAILS}), max_failures=1, deferrable=True)
    assert task().kind == "success"
    task.clear()
    task.arguments["run_settings"] = cohort(3)
    again = task.resume_again()
    assert again.kind == "success", again.error
    assert runs_by_sample() == {"s1": 1, "s2": 2, "s3": 1}


# -- cancelling at the tolerance ---------------------------------------------------------------------------


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferrable"])
def test_the_rest_is_cancelled_once_it_is_certain(
    start_batch: StartBatch, omics: Any, deferrable: bool
) -> None:
    lives = {1: FAILS, 2: FAILS, 3: "running-forever", 4: "running-forever"}
    done = start_batch(
        run_settings=cohort(4, lives), max_failures=1, on_too_many_failures="cancel", deferrable=deferrable
    )()
    assert isinstance(done.error, OmicsBatchMembersFailedError)
    outcome = done.pushed["return_value"]["outcome"]
    assert (outcome["failed"], outcome["cancelled"]) == (2, 2)
    assert len(omics.requests("CancelRunBatch")) == 1


def test_counts_that_say_too_much_cancel_nothing(
    start_batch: StartBatch, omics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_omics.hooks import OmicsHook

    read = OmicsHook.get_batch

    def wrong(self: Any, batch_id: str) -> Any:
        record = read(self, batch_id)
        if record["status"] == "INPROGRESS":
            return {**record, "runSummary": {**record.get("runSummary", {}), "failedRunCount": 3}}
        return record

    monkeypatch.setattr(OmicsHook, "get_batch", wrong)
    done = start_batch(on_too_many_failures="cancel")()
    assert done.kind == "success"
    assert not omics.requests("CancelRunBatch")


# -- the settings ------------------------------------------------------------------------------------------


def test_a_file_in_s3_is_handed_on_as_it_is_and_a_rerun_takes_from_it(start_batch: StartBatch) -> None:
    body = json.dumps(cohort(4, {2: FAILS})).encode()
    s3().put_object(Bucket=BUCKET, Key="mine/cohort.json", Body=body)
    done = start_batch(run_settings=f"s3://{BUCKET}/mine/cohort.json", rerun_failed=1)()
    assert isinstance(done.error, OmicsBatchMembersFailedError)
    first, second = batches()
    assert members_of(first) == {"s1", "s2", "s3", "s4"}
    assert members_of(second) == {"s2"}
    assert s3().get_object(Bucket=BUCKET, Key="mine/cohort.json")["Body"].read() == body


def test_settings_that_changed_before_a_retry_are_said_and_the_batch_is_kept(
    start_batch: StartBatch, clock: Clock, output: Any
) -> None:
    def vanish() -> None:
        raise WorkerDied

    task = start_batch()
    clock.at(130, vanish)
    task()
    task.arguments["run_settings"] = cohort(3, priority=5)
    output()
    assert task().kind == "success"
    assert "its run_settings have changed since it was started" in output()
    assert runs_by_sample() == ONCE_EACH


def test_a_batch_of_an_earlier_dag_run_with_other_settings_is_refused(
    start_batch: StartBatch, omics: Any
) -> None:
    task = start_batch()
    assert task().kind == "success"
    omics.advance(86400)
    task.make_dag_run_again()
    task.arguments["run_settings"] = cohort(3, priority=5)
    done = task()
    assert isinstance(done.error, OmicsRequestError)
    assert "by an earlier DAG run of the same id" in str(done.error)


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferrable"])
def test_a_batch_that_outlives_the_wait_is_left_or_cancelled(
    start_batch: StartBatch, omics: Any, deferrable: bool
) -> None:
    lives = {1: "running-forever"}
    arguments: dict[str, Any] = {
        "run_settings": cohort(1, lives),
        "wait_timeout": 3600,
        "deferrable": deferrable,
    }
    left = start_batch(**arguments)()
    assert left.kind == "OmicsBatchTimeoutError"
    assert not omics.requests("CancelRunBatch")
    cancelled = start_batch(run_id="other", on_timeout="cancel", **arguments)()
    assert cancelled.kind == "OmicsBatchTimeoutError"
    assert [batch["status"] for batch in batches()] == ["INPROGRESS", "CANCELLED"]
