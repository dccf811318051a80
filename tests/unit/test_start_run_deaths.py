"""A worker dies on its way to a run: however StartRun answers a repeated token, there is one run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.sensors import Clock
from tests.support.start_operators import (
    ANSWERS,
    StartTask,
    Store,
    WorkerDied,
    die_once,
    read,
    started,
    tokens,
)

# Of Airflow they need what every other test of a start needs.
pytestmark = pytest.mark.any_airflow
MOMENTS = ("before", "unanswered", "answered", "waiting")


def die(moment: str, monkeypatch: pytest.MonkeyPatch, omics: Any, clock: Clock) -> None:
    if moment == "waiting":

        def vanish() -> None:
            raise WorkerDied

        clock.at(130, vanish)
    else:
        die_once(monkeypatch, moment, omics)


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferrable"])
@pytest.mark.parametrize("stored", [False, True], ids=["no-store", "store"])
@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_retry_after_the_workers_death_takes_up_the_one_run(
    start_task: StartTask,
    omics: Any,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
    answer: str,
    stored: bool,
    deferrable: bool,
) -> None:
    omics.default_life = "completed"
    omics.repeat_request_id(answer)
    task = start_task(store=Store() if stored else None, deferrable=deferrable)
    die(moment, monkeypatch, omics, clock)
    assert isinstance(task().error, WorkerDied)
    assert len(started(omics)) == (0 if moment == "before" else 1)
    omics.advance(300)
    retried = task()
    assert retried.kind == "success"
    [run_id] = started(omics)
    assert len(tokens(omics)) == 1
    assert (retried.result["id"], retried.result["status"]) == (run_id, "COMPLETED")
    assert retried.result["uuid"] == read(run_id)["uuid"]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("fault", ["drop", "internal-error", "html"])
def test_a_call_that_never_arrives_is_repeated_with_the_same_token(
    start_task: StartTask, omics: Any, answer: str, fault: str
) -> None:
    omics.default_life = "completed"
    omics.repeat_request_id(answer)
    omics.fault("StartRun", fault, times=2)
    assert start_task()().kind == "success"
    assert (len(started(omics)), len(tokens(omics))) == (1, 1)


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_lost_on_its_way_is_no_reason_for_a_second_run(
    start_task: StartTask, omics: Any, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    omics.default_life = "completed"
    omics.repeat_request_id(answer)
    die_once(monkeypatch, "unanswered", omics, ConnectionResetError("the connection is gone"))
    done = start_task()()
    assert done.kind == "success"
    assert [done.result["id"]] == started(omics)
    assert omics.counts()["StartRun"] == 1


@pytest.mark.parametrize("answer", ["earlier", "conflict", "validation"])
def test_a_list_that_lags_leads_to_no_second_run(
    start_task: StartTask, omics: Any, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    omics.default_life = "completed"
    omics.repeat_request_id(answer)
    omics.fault("ListRuns", "list-lags", seconds=30)
    task = start_task()
    die_once(monkeypatch, "unanswered", omics)
    task()
    done = task()
    while done.kind != "success":  # the retries that Airflow makes
        assert task.try_number <= task.max_tries, done.error
        omics.advance(300)
        done = task()
    assert [done.result["id"]] == started(omics)


@pytest.mark.parametrize("fault", ["throttle", "internal-error", "drop", "html"])
def test_a_list_that_fails_for_a_while_leads_to_no_second_run(
    start_task: StartTask, omics: Any, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    omics.default_life = "completed"
    omics.repeat_request_id("forgotten")
    task = start_task()
    die_once(monkeypatch, "unanswered", omics)
    task()
    omics.fault("ListRuns", fault, times=5)
    done = task()
    assert done.kind == "success"
    assert [done.result["id"]] == started(omics)


def test_a_list_that_fails_for_long_fails_the_try_and_starts_nothing(
    start_task: StartTask, omics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    omics.repeat_request_id("forgotten")
    task = start_task()
    die_once(monkeypatch, "unanswered", omics)
    task()
    omics.fault("ListRuns", "internal-error")
    done = task()
    assert done.kind == "OmicsError"
    assert "ListRuns: InternalServerException" in str(done.error)
    assert omics.counts()["StartRun"] == 1


@pytest.mark.parametrize(
    ("answer", "moment", "stored", "ends", "runs"),
    [
        # Only the token prevents it, if AWS remembers it and returns the run.
        ("earlier", "unanswered", False, "success", 1),
        ("earlier", "waiting", False, "success", 1),
        # The run cannot be found again, and a second one is not started: the try fails and says why.
        ("conflict", "unanswered", False, "OmicsRequestError", 1),
        ("conflict", "waiting", False, "OmicsRequestError", 1),
        ("validation", "unanswered", False, "OmicsRequestError", 1),
        ("validation", "waiting", False, "OmicsRequestError", 1),
        # What is not promised without omics:ListRuns.
        ("forgotten", "unanswered", False, "success", 2),
        ("forgotten", "waiting", False, "success", 2),
        # With Airflow 3.3's store, all that was answered is found again.
        ("earlier", "answered", True, "success", 1),
        ("conflict", "answered", True, "success", 1),
        ("validation", "answered", True, "success", 1),
        ("forgotten", "answered", True, "success", 1),
        ("forgotten", "waiting", True, "success", 1),
    ],
)
def test_without_listruns_the_token_alone_guards(
    start_task: StartTask,
    omics: Any,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    output: Any,
    answer: str,
    moment: str,
    stored: bool,
    ends: str,
    runs: int,
) -> None:
    omics.default_life = "completed"
    omics.repeat_request_id(answer)
    omics.fault("ListRuns", "access-denied")
    task = start_task(store=Store() if stored else None)
    die(moment, monkeypatch, omics, clock)
    task()
    omics.advance(60)
    done = task()
    assert (done.kind, len(started(omics))) == (ends, runs), done.error
    if not stored:
        assert "only StartRun's token prevents a second one" in output()
    if answer == "conflict" and not stored:
        assert "allow omics:ListRuns" in str(done.error)


def test_a_run_that_getrun_does_not_know_yet_is_not_taken_for_deleted(
    start_task: StartTask, omics: Any, clock: Clock
) -> None:
    omics.default_life = "completed"
    task = start_task(store=Store())
    die("waiting", None, omics, clock)  # type: ignore[arg-type]
    task()
    omics.fault("GetRun", "not-found", times=3)
    done = task()
    assert done.kind == "success"
    assert [done.result["id"]] == started(omics)


def test_a_foreign_run_of_the_same_name_is_left_alone(start_task: StartTask, omics: Any) -> None:
    foreign = omics.start_runs(30, "running-forever", name="cohort")
    omics.default_life = "completed"
    task = start_task(name="cohort", name_suffix=False)
    done = task()
    assert done.kind == "success"
    assert done.result["name"] == "cohort"
    assert started(omics) == [done.result["id"]]
    assert done.result["id"] not in foreign


@pytest.mark.parametrize("older", [True, False], ids=["before-ours", "after-ours"])
def test_among_many_runs_of_one_name_the_own_one_is_found(
    start_task: StartTask, omics: Any, clock: Clock, older: bool
) -> None:
    omics.default_life = "completed"
    omics.repeat_request_id("forgotten")
    if older:
        omics.start_runs(30, "completed", name="cohort")
    task = start_task(name="cohort", name_suffix=False)
    die("waiting", None, omics, clock)  # type: ignore[arg-type]
    task()
    if not older:
        omics.start_runs(30, "running-forever", name="cohort")
    done = task()
    assert done.kind == "success"
    assert [done.result["id"]] == started(omics)


def test_a_token_that_another_airflow_uses_is_an_error_and_no_run_of_ours(
    start_task: StartTask, omics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    [other] = omics.start_runs(1, "completed", tags={"airflow-omics:token": "another"})
    from airflow_omics.hooks import OmicsHook

    monkeypatch.setattr(OmicsHook, "start_run", lambda self, request: read(other))
    done = start_task()()
    assert done.kind == "OmicsRequestError"
    assert "Set [omics] deployment if several Airflows share an AWS account" in str(done.error)
