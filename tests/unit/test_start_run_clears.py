"""A start that is cleared, or whose retries are edited: the earlier run is ended, not taken up again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.sensors import Clock
from tests.support.start_operators import (
    ANSWERS,
    StartTask,
    Store,
    WorkerDied,
    die_at,
    read,
    started,
    store_of,
)

# Of Airflow they need what every other test of a start needs.
pytestmark = pytest.mark.any_airflow
STORED = pytest.mark.parametrize("stored", [False, True], ids=["no-store", "store"])


def cancelled(omics: Any) -> list[str]:
    """Return the ids that CancelRun was called for."""
    return [str(request["run_id"]) for request in omics.requests("CancelRun")]


# -- editing retries -----------------------------------------------------------------------------------------


@STORED
@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("retries", [0, 1, 2, 5, 9])
def test_editing_retries_between_two_tries_is_no_clear(
    start_task: StartTask, omics: Any, clock: Clock, retries: int, answer: str, stored: bool
) -> None:
    omics.default_life = "completed"
    omics.repeat_request_id(answer)
    task = start_task(store=store_of(stored), retries=3)
    die_at(clock, 200)
    task()
    task.retries = retries
    done = task()
    assert (done.kind, [done.result["id"]]) == ("success", started(omics))


@STORED
@pytest.mark.parametrize("retries", [0, 1, 3, 4, 9])
def test_a_try_after_a_clear_starts_anew_whatever_retries_has_become(
    start_task: StartTask, omics: Any, clock: Clock, retries: int, stored: bool
) -> None:
    """Raised after a clear, it took up the earlier run; lowered, two were active."""
    omics.default_life = "completed"
    task = start_task(store=store_of(stored), retries=3)
    assert task().kind == "success"
    task.clear()
    die_at(clock, 200)
    assert isinstance(task().error, WorkerDied)
    task.retries = retries
    done = task()
    first, second = started(omics)
    assert (done.result["id"], done.result["status"]) == (second, "COMPLETED")
    assert first != second


@STORED
def test_a_try_without_a_known_clear_counts_as_a_retry(
    start_task: StartTask, omics: Any, stored: bool
) -> None:
    """Lowered by as much as there were tries, and cleared, max_tries is what it was: 0 + 3, now 1 + 2."""
    omics.default_life = "completed"
    task = start_task(store=store_of(stored), retries=3)
    task()
    task.retries = 2
    task.clear()
    task()
    assert len(started(omics)) == 1


@pytest.mark.parametrize(("stored", "runs"), [(True, 3), (False, 2)], ids=["store", "no-store"])
def test_an_epoch_is_never_used_twice_if_there_is_a_store(
    start_task: StartTask, omics: Any, stored: bool, runs: int
) -> None:
    omics.default_life = "completed"
    task = start_task(store=store_of(stored), retries=4)
    task()  # max_tries 4
    task.retries = 2
    task.clear()
    task()  # 3
    task.retries = 2
    task.clear()
    task()  # 4 again
    assert len(started(omics)) == runs


# -- a run that goes on though its task has failed -----------------------------------------------------------


def fail_at_timeout(start_task: StartTask, omics: Any, clock: Clock, **arguments: Any) -> Any:
    task = start_task(wait_timeout=3600, **arguments)
    assert task().kind == "OmicsRunTimeoutError"
    return task


def fail_without_credentials(start_task: StartTask, omics: Any, clock: Clock, **arguments: Any) -> Any:
    task = start_task(**arguments)
    clock.at(3000, omics.fault, "GetRun", "expired-token")
    assert task().kind == "OmicsAccessError"
    omics.clear_faults()
    return task


def fail_denied(start_task: StartTask, omics: Any, clock: Clock, **arguments: Any) -> Any:
    task = start_task(**arguments)
    clock.at(3000, omics.fault, "GetRun", "access-denied")
    assert task().kind == "OmicsAccessError"
    omics.clear_faults()
    return task


FAILURES = pytest.mark.parametrize("fail", [fail_at_timeout, fail_without_credentials, fail_denied])


@STORED
@FAILURES
@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferrable"])
def test_clearing_a_start_whose_run_went_on_cancels_that_run_before_another_is_started(
    start_task: StartTask, omics: Any, clock: Clock, fail: Any, stored: bool, deferrable: bool
) -> None:
    omics.default_life = "running-forever"
    task = fail(start_task, omics, clock, store=store_of(stored), deferrable=deferrable)
    [first] = started(omics)
    assert read(first)["status"] == "RUNNING"
    task.clear()
    omics.default_life = "completed"
    order = len(omics.requests())
    done = task()
    assert (done.kind, done.result["id"]) == ("success", started(omics)[1])
    calls = [r["operation"] for r in omics.requests()[order:] if r["operation"] in ("CancelRun", "StartRun")]
    assert calls == ["CancelRun", "StartRun"]
    assert cancelled(omics) == [first]


@STORED
@FAILURES
def test_a_retry_of_a_start_whose_run_went_on_waits_on_for_it(
    start_task: StartTask, omics: Any, clock: Clock, fail: Any, stored: bool
) -> None:
    omics.default_life = "running-forever"
    task = fail(start_task, omics, clock, store=store_of(stored))
    [first] = started(omics)
    omics.move(first, "COMPLETED")
    assert task().result["id"] == first
    assert "CancelRun" not in omics.counts()


@STORED
def test_where_nothing_may_be_cancelled_the_run_of_before_is_named(
    start_task: StartTask, omics: Any, clock: Clock, output: Any, stored: bool
) -> None:
    omics.default_life = "running-forever"
    task = fail_at_timeout(start_task, omics, clock, store=store_of(stored), cancel_on_kill=False)
    [first] = started(omics)
    task.clear()
    omics.default_life = "completed"
    output()
    assert task().kind == "success"
    assert f"HealthOmics run {first}, which it waited for, is not cancelled" in output()
    assert "CancelRun" not in omics.counts()


@STORED
@pytest.mark.parametrize("fault", ["access-denied", "validation"])
def test_a_run_of_before_that_aws_does_not_let_us_cancel_is_named(
    start_task: StartTask, omics: Any, clock: Clock, output: Any, stored: bool, fault: str
) -> None:
    omics.default_life = "running-forever"
    task = fail_at_timeout(start_task, omics, clock, store=store_of(stored))
    [first] = started(omics)
    task.clear()
    omics.default_life = "completed"
    omics.fault("CancelRun", fault)
    output()
    assert task().kind == "success"
    assert len(started(omics)) == 2
    assert f"The earlier HealthOmics run {first} may go on beside it, and cost" in output()


@STORED
def test_throttled_for_long_the_run_of_before_is_cancelled_and_never_runs_beside_the_new_one(
    start_task: StartTask, omics: Any, clock: Clock, stored: bool
) -> None:
    omics.default_life = "running-forever"
    task = fail_at_timeout(start_task, omics, clock, store=store_of(stored))
    [first] = started(omics)
    task.clear()
    omics.default_life = "completed"
    omics.fault("CancelRun", "throttle", times=8)
    assert task().kind == "success"
    assert len(started(omics)) == 2
    assert read(first)["status"] == "CANCELLED"


@STORED
def test_what_never_lets_up_starts_no_second_run_and_the_next_try_begins_with_the_first_again(
    start_task: StartTask, omics: Any, clock: Clock, stored: bool
) -> None:
    omics.default_life = "running-forever"
    task = fail_at_timeout(start_task, omics, clock, store=store_of(stored))
    [first] = started(omics)
    task.clear()
    omics.default_life = "completed"
    omics.fault("CancelRun", "internal-error")
    assert task().kind == "OmicsError"
    assert started(omics) == [first]
    omics.clear_faults()
    assert task().kind == "success"
    assert (len(started(omics)), read(first)["status"]) == (2, "CANCELLED")


@STORED
@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED"])
def test_a_run_of_before_that_has_ended_meanwhile_is_left_alone(
    start_task: StartTask, omics: Any, clock: Clock, stored: bool, status: str
) -> None:
    omics.default_life = "running-forever"
    task = fail_at_timeout(start_task, omics, clock, store=store_of(stored))
    omics.move(started(omics)[0], status)
    task.clear()
    omics.default_life = "completed"
    assert task().kind == "success"
    assert (len(started(omics)), "CancelRun" in omics.counts()) == (2, False)


def test_a_run_of_before_that_is_gone_is_no_reason_to_fail(
    start_task: StartTask, omics: Any, clock: Clock
) -> None:
    omics.default_life = "running-forever"
    task = fail_at_timeout(start_task, omics, clock, store=Store())
    omics.vanish(started(omics)[0])
    task.clear()
    omics.default_life = "completed"
    assert task().kind == "success"


def test_reattaching_after_a_timeout_takes_the_run_up_again(
    start_task: StartTask, omics: Any, clock: Clock
) -> None:
    omics.default_life = "running-forever"
    task = fail_at_timeout(start_task, omics, clock, store=Store(), on_clear="reattach")
    [first] = started(omics)
    omics.move(first, "COMPLETED")
    task.clear()
    assert task().result["id"] == first
    assert "CancelRun" not in omics.counts()


def test_a_run_that_does_not_fit_this_tasks_history_is_named_and_not_cancelled(
    start_task: StartTask, omics: Any, output: Any
) -> None:
    """Two Airflows with DAGs of the same ids and no ``[omics] deployment``: it may be the other's."""
    omics.default_life = "running-forever"
    start_task(retries=7, wait_for_completion=False)()
    [other] = started(omics)
    omics.default_life = "failed-service-error"
    task = start_task(retries=1)
    assert task().kind == "OmicsRunFailedError"
    output()
    omics.default_life = "completed"
    assert task().kind == "success"
    assert f"HealthOmics run {other}, which this task started before, goes on beside the new one." in output()
    assert "CancelRun" not in omics.counts()


@FAILURES
def test_what_is_remembered_is_ended_also_where_runs_may_not_be_listed(
    start_task: StartTask, omics: Any, clock: Clock, fail: Any
) -> None:
    omics.default_life = "running-forever"
    omics.fault("ListRuns", "access-denied")
    task = fail(start_task, omics, clock, store=Store())
    [first] = started(omics)
    task.clear()
    omics.default_life = "completed"
    assert task().kind == "success"
    assert (len(started(omics)), cancelled(omics)) == (2, [first])


def test_a_run_that_is_known_to_have_ended_is_not_asked_for_again(
    start_task: StartTask, omics: Any, clock: Clock, output: Any
) -> None:
    omics.default_life = "running-forever"
    task = fail_at_timeout(start_task, omics, clock, store=Store(), on_timeout="cancel")
    [first] = started(omics)
    assert read(first)["status"] == "CANCELLED"
    task.clear()
    omics.default_life = "completed"
    output()
    assert task().kind == "success"
    task.clear()
    assert task().kind == "success"
    assert "The task was cleared" not in output()


@STORED
@pytest.mark.parametrize(("on_clear", "runs"), [("new", 2), ("reattach", 1)])
def test_a_task_that_is_cleared_while_it_resumes_does_as_on_clear_says(
    start_task: StartTask, omics: Any, on_clear: str, runs: int, stored: bool
) -> None:
    """Airflow keeps what a running task was resumed with when it is cleared, and hands it to the next try."""
    omics.default_life = "completed"
    task = start_task(store=store_of(stored), deferrable=True, on_clear=on_clear)
    assert task().kind == "success"
    task.clear()
    done = task.resume_again()
    assert (done.kind, done.result["id"]) == ("success", started(omics)[-1])
    assert len(started(omics)) == runs
