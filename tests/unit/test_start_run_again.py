"""A run that ended, and a task that is retried, cleared or mapped: as many runs as are meant."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.sensors import Clock
from tests.support.start_operators import (
    ANSWERS,
    StartTask,
    Store,
    WorkerDied,
    die_at,
    started,
    store_of,
    tokens,
)

WAITS = pytest.mark.parametrize(
    "wait",
    [{}, {"deferrable": True}, {"wait_for_completion": False}],
    ids=["worker", "deferrable", "no-wait"],
)
STORED = pytest.mark.parametrize("stored", [False, True], ids=["no-store", "store"])


# -- retries -------------------------------------------------------------------------------------------------


@STORED
@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_a_retry_after_a_bad_end_starts_exactly_one_more(
    start_task: StartTask, omics: Any, clock: Clock, status: str, answer: str, stored: bool
) -> None:
    omics.default_life = "running-forever"
    omics.repeat_request_id(answer)
    task = start_task(store=store_of(stored))
    clock.at(100, lambda: omics.move(started(omics)[0], status))
    assert task().kind == {"FAILED": "OmicsRunFailedError", "CANCELLED": "OmicsRunCancelledError"}[status]
    omics.default_life = "completed"
    done = task()
    assert done.kind == "success"
    assert len(started(omics)) == len(tokens(omics)) == 2
    assert done.result["id"] == started(omics)[1]
    first, second = done.pushed["attempts"]
    assert (first["id"], first["status"]) == (started(omics)[0], status)
    assert second == {"id": started(omics)[1], "status": "COMPLETED"}


@STORED
def test_three_bad_ends_and_four_tries_are_four_runs(start_task: StartTask, omics: Any, stored: bool) -> None:
    omics.default_life = "failed-out-of-memory-error"
    task = start_task(store=store_of(stored))
    for _ in range(3):
        assert task().kind == "OmicsRunFailedError"
    omics.default_life = "completed"
    done = task()
    assert (done.kind, len(started(omics))) == ("success", 4)
    assert [end["id"] for end in done.pushed["attempts"]] == started(omics)


@STORED
def test_a_completed_run_is_returned_without_another(
    start_task: StartTask, omics: Any, clock: Clock, stored: bool
) -> None:
    omics.default_life = "completed"
    task = start_task(store=store_of(stored))
    die_at(clock, 200)
    task()
    omics.advance(100_000)
    done = task()
    assert (done.result["status"], done.result["id"]) == ("COMPLETED", started(omics)[0])
    assert omics.counts()["StartRun"] == 1
    assert "attempts" not in done.pushed


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_run_deleted_meanwhile_leads_to_exactly_one_more_where_it_is_remembered(
    start_task: StartTask, omics: Any, clock: Clock, answer: str
) -> None:
    omics.default_life = "completed"
    omics.repeat_request_id(answer)
    task = start_task(store=Store())
    die_at(clock, 200)
    task()
    [first] = started(omics)
    omics.vanish(first)
    done = task()
    assert done.kind == "success"
    assert started(omics) == [first, done.result["id"]]
    assert [end["status"] for end in done.pushed["attempts"]] == ["DELETED", "COMPLETED"]


def test_an_earlier_run_that_startrun_answers_with_and_nobody_knows_is_deleted(
    start_task: StartTask, omics: Any, clock: Clock
) -> None:
    omics.default_life = "completed"
    omics.repeat_request_id("earlier")
    task = start_task()
    die_at(clock, 200)
    task()
    [first] = started(omics)
    omics.vanish(first)
    done = task()
    assert done.kind == "success"
    assert started(omics) == [first, done.result["id"]]


def test_the_id_of_a_deleted_run_given_to_another_is_not_ours(
    start_task: StartTask, omics: Any, clock: Clock
) -> None:
    omics.default_life = "completed"
    task = start_task(store=Store())
    die_at(clock, 200)
    task()
    [first] = started(omics)
    other = omics.reuse_id(first, "running-forever")
    done = task()
    assert done.kind == "success"
    assert done.result["uuid"] != other
    assert omics.counts()["StartRun"] == 2


def test_a_failed_run_that_is_deleted_before_the_retry_counts_once(start_task: StartTask, omics: Any) -> None:
    omics.default_life = "failed-out-of-memory-error"
    task = start_task(store=Store())
    task()
    [first] = started(omics)
    omics.vanish(first)
    omics.default_life = "completed"
    done = task()
    assert [end["id"] for end in done.pushed["attempts"]] == started(omics)
    assert len(started(omics)) == 2


@WAITS
@STORED
@pytest.mark.parametrize(("ends_as", "runs"), [("CANCELLED", 2), ("FAILED", 2), ("COMPLETED", 1)])
def test_a_run_found_stopping_is_decided_by_its_end(
    start_task: StartTask,
    omics: Any,
    clock: Clock,
    ends_as: str,
    runs: int,
    wait: dict[str, Any],
    stored: bool,
) -> None:
    omics.default_life = "running-forever"
    task = start_task(store=store_of(stored), **wait)
    if wait.get("wait_for_completion", True):
        die_at(clock, 200)
    task()
    [first] = started(omics)
    omics.move(first, "STOPPING")
    omics.default_life = "completed"
    clock.start()
    clock.at(300, omics.move, first, ends_as)
    done = task()
    assert (done.kind, len(started(omics))) == ("success", runs)
    assert done.result["id"] == started(omics)[-1]
    assert clock.passed() >= 300


# -- clears --------------------------------------------------------------------------------------------------


@WAITS
@STORED
@pytest.mark.parametrize(("on_clear", "runs"), [("new", 2), ("reattach", 1)])
def test_a_cleared_task_starts_anew_or_takes_its_run_up_again(
    start_task: StartTask, omics: Any, on_clear: str, runs: int, stored: bool, wait: dict[str, Any]
) -> None:
    omics.default_life = "completed"
    task = start_task(store=store_of(stored), on_clear=on_clear, **wait)
    assert task().kind == "success"
    task.clear()
    done = task()
    assert (done.kind, len(started(omics))) == ("success", runs)
    assert done.result["id"] == started(omics)[-1]
    task.clear()
    assert task().kind == "success"
    assert len(started(omics)) == (3 if runs == 2 else 1)


@STORED
def test_a_retry_after_a_clear_takes_up_the_run_of_that_clear(
    start_task: StartTask, omics: Any, clock: Clock, stored: bool
) -> None:
    omics.default_life = "completed"
    task = start_task(store=store_of(stored))
    task()
    task.clear()
    die_at(clock, 200)
    assert isinstance(task().error, WorkerDied)
    done = task()
    assert started(omics)[1:] == [done.result["id"]]


@pytest.mark.parametrize(("cancel_on_kill", "first_ends"), [(True, "CANCELLED"), (False, "RUNNING")])
def test_the_run_that_a_cleared_task_was_waiting_for_is_cancelled(
    start_task: StartTask, omics: Any, clock: Clock, cancel_on_kill: bool, first_ends: str
) -> None:
    from tests.support.start_operators import read

    omics.default_life = "running-forever"
    task = start_task(store=Store(), cancel_on_kill=cancel_on_kill)
    die_at(clock, 3600)
    task()
    task.clear()
    omics.default_life = "completed"
    assert task().kind == "success"
    first, _ = started(omics)
    assert read(first)["status"] == first_ends


def test_a_run_that_nobody_was_waiting_for_is_not_cancelled_by_a_clear(
    start_task: StartTask, omics: Any
) -> None:
    omics.default_life = "running-forever"
    task = start_task(store=Store(), wait_for_completion=False)
    task()
    task.clear()
    task()
    assert len(started(omics)) == 2
    assert "CancelRun" not in omics.counts()


def test_clearing_a_running_task_is_a_retry_to_it(start_task: StartTask, omics: Any, clock: Clock) -> None:
    # Airflow leaves max_tries alone then; on_kill has cancelled the run, or else it is taken up again.
    omics.default_life = "completed"
    task = start_task(store=Store())
    die_at(clock, 200)
    task()
    assert task().kind == "success"
    assert len(started(omics)) == 1


# -- other tasks ---------------------------------------------------------------------------------------------


def test_other_tasks_have_other_tokens_and_names(start_task: StartTask, omics: Any, monkeypatch: Any) -> None:
    omics.default_life = "completed"
    others: list[dict[str, Any]] = [
        {},
        {"map_index": 0},
        {"map_index": 1},
        {"run_id": "backfill__2026-01-01"},
        {"dag_id": "another"},
    ]
    for other in others:
        assert start_task(**other)().kind == "success"
    monkeypatch.setenv("AIRFLOW__OMICS__DEPLOYMENT", "staging")
    assert start_task()().kind == "success"
    assert len(started(omics)) == len(tokens(omics)) == 6
    assert len({request["name"] for request in omics.requests("StartRun")}) == 6


def test_a_run_s_tags_identify_its_task(start_task: StartTask, omics: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("AIRFLOW__OMICS__DEPLOYMENT", "lab")
    omics.default_life = "completed"
    done = start_task(
        dag_id="cohort", map_index=7, run_id="manual__2026-01-01T00:00:00+00:00", tags={"a": "b"}
    )()
    [token] = tokens(omics)
    digest = done.result["tags"].pop("airflow-omics:request")
    assert re.fullmatch("[0-9a-f]{16}", digest)
    assert done.result["tags"] == {
        "a": "b",
        "airflow-omics:token": token,
        "airflow:dag_id": "cohort",
        "airflow:run_id": "manual__2026-01-01T00:00:00+00:00",
        "airflow:task_id": "start",
        "airflow:map_index": "7",
        "airflow:try_number": "1",
        "airflow:deployment": "lab",
    }
    assert re.fullmatch(r"cohort\.start\[7\]-[0-9a-f]{12}", done.result["name"])
