"""Every run that a task has had is looked for before one is started: deleted ones, later ones, old ones."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from airflow_omics.hooks import OmicsHook
from tests.support.sensors import Clock
from tests.support.start_operators import (
    ANSWERS,
    StartTask,
    Store,
    WorkerDied,
    die_at,
    die_once,
    read,
    started,
    store_of,
    tokens,
)

# Of Airflow they need what every other test of a start needs.
pytestmark = pytest.mark.any_airflow
STORED = pytest.mark.parametrize("stored", [False, True], ids=["no-store", "store"])


def fail_and_begin_again(task: Any, omics: Any, clock: Clock, failures: int = 1) -> list[str]:
    """Let runs of a task fail, and its worker die while the next one runs; return all their ids."""
    omics.default_life = "failed-out-of-memory-error"
    for _ in range(failures):
        assert task().kind == "OmicsRunFailedError"
    omics.default_life = "completed"
    die_at(clock, 200)
    assert isinstance(task().error, WorkerDied)
    return started(omics)


# -- earlier runs that are gone ------------------------------------------------------------------------------


@STORED
@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("gone", [(0,), (1,), (0, 1)], ids=["first", "second", "both"])
def test_deleted_runs_of_before_do_not_hide_the_one_that_goes_on(
    start_task: StartTask, omics: Any, clock: Clock, answer: str, stored: bool, gone: tuple[int, ...]
) -> None:
    omics.repeat_request_id(answer)
    task = start_task(store=store_of(stored))
    runs = fail_and_begin_again(task, omics, clock, failures=2)
    for number in gone:
        omics.vanish(runs[number])
    done = task()
    assert (done.kind, done.result["id"]) == ("success", runs[2])
    assert started(omics) == runs


@pytest.mark.parametrize("answer", ANSWERS)
def test_where_the_last_run_is_gone_one_more_is_started(
    start_task: StartTask, omics: Any, clock: Clock, answer: str
) -> None:
    omics.repeat_request_id(answer)
    task = start_task(store=Store())
    runs = fail_and_begin_again(task, omics, clock)
    omics.vanish(runs[1])
    done = task()
    assert (done.kind, len(started(omics))) == ("success", 3)


def test_one_listing_finds_every_run_of_a_task(start_task: StartTask, omics: Any, clock: Clock) -> None:
    task = start_task(retries=9)
    runs = fail_and_begin_again(task, omics, clock, failures=5)
    listings = omics.counts()["ListRuns"]
    done = task()
    assert (done.result["id"], omics.counts()["ListRuns"] - listings) == (runs[5], 1)
    assert [end["id"] for end in done.pushed["attempts"]] == runs


def test_an_earlier_failed_run_that_startrun_answers_with_is_not_taken_for_new(
    start_task: StartTask, omics: Any
) -> None:
    """If runs may not be listed, only StartRun's answer shows that this token has had its run."""
    omics.repeat_request_id("earlier")
    omics.fault("ListRuns", "access-denied")
    omics.default_life = "failed-out-of-memory-error"
    task = start_task()
    assert task().kind == "OmicsRunFailedError"
    omics.default_life = "completed"
    done = task()
    assert (done.kind, len(started(omics)), len(tokens(omics))) == ("success", 2, 2)
    assert [end["status"] for end in done.pushed["attempts"]] == ["FAILED", "COMPLETED"]


@pytest.mark.parametrize("seconds", [20, 600])
def test_an_earlier_run_that_startrun_answers_with_is_not_new_however_young(
    start_task: StartTask, omics: Any, clock: Clock, seconds: float
) -> None:
    omics.repeat_request_id("earlier")
    omics.fault("ListRuns", "access-denied")
    omics.default_life = "running-forever"
    task = start_task(poke_interval=5)
    clock.at(seconds - 5, lambda: omics.move(started(omics)[0], "FAILED"))
    assert task().kind == "OmicsRunFailedError"
    assert clock.passed() < seconds + 10
    omics.default_life = "completed"
    assert task().kind == "success"
    assert len(started(omics)) == 2


def test_an_attempt_is_written_down_before_its_run_is_asked_for(
    start_task: StartTask, omics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, noted = Store(), []
    start_run = OmicsHook.start_run

    def starting(self: Any, request: Any) -> Any:
        noted.append((store.get("omics_started_run")["token"], request["requestId"]))
        return start_run(self, request)

    monkeypatch.setattr(OmicsHook, "start_run", starting)
    omics.default_life = "completed"
    start_task(store=store)()
    [(written, asked)] = noted
    assert written == asked


# -- names that are not the task's own -----------------------------------------------------------------------


def test_old_runs_of_a_shared_name_cost_a_start_no_call(start_task: StartTask, omics: Any) -> None:
    omics.start_runs(400, "completed", name="cohort")
    omics.advance(86400)
    omics.default_life = "completed"
    done = start_task(name="cohort", name_suffix=False, wait_for_completion=False)()
    assert done.kind == "success"
    assert (omics.counts().get("ListRuns", 0), omics.counts()["GetRun"]) == (0, 1)


def test_a_retry_reads_no_run_of_a_shared_name_from_before_its_dag_run(
    start_task: StartTask, omics: Any, clock: Clock
) -> None:
    omics.start_runs(400, "completed", name="cohort")
    omics.advance(86400)
    omics.default_life = "completed"
    omics.repeat_request_id("forgotten")
    task = start_task(name="cohort", name_suffix=False)
    die_at(clock, 200)
    task()
    reads = omics.counts()["GetRun"]
    die_at(clock, 0.5)
    task()
    assert omics.counts()["GetRun"] - reads <= 2
    assert task().result["id"] == started(omics)[0]


def test_the_runs_of_a_shared_name_are_read_at_a_pace(
    start_task: StartTask, omics: Any, clock: Clock
) -> None:
    omics.default_life = "completed"
    omics.repeat_request_id("forgotten")
    task = start_task(name="cohort", name_suffix=False)
    die_at(clock, 200)
    task()
    omics.start_runs(40, "running-forever", name="cohort")  # of this DAG run's other tasks
    done = task()
    assert done.result["id"] == started(omics)[0]
    assert clock.pauses[:40] == [0.2] * 40


@pytest.mark.parametrize("answer", ["conflict", "validation"])
def test_a_token_that_startrun_has_seen_is_looked_for_among_all_runs_of_a_shared_name(
    start_task: StartTask, omics: Any, clock: Clock, answer: str
) -> None:
    """A DAG run that was deleted and made again: its task's first try finds the token in use."""
    omics.repeat_request_id(answer)
    omics.default_life = "completed"
    task = start_task(name="cohort", name_suffix=False)
    first = task().result["id"]
    omics.advance(86400)
    task.make_dag_run_again()
    assert task().result["id"] == first


def test_a_rerun_under_another_name_is_found_again(
    start_task: StartTask, omics: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    omics.repeat_request_id("forgotten")
    omics.default_life = "failed-out-of-memory-error"
    task = start_task(name="small", rerun_with={"OUT_OF_MEMORY_ERROR": {"name": "large"}})

    def mend() -> None:
        omics.default_life = "completed"
        die_once(monkeypatch, "unanswered", omics)

    clock.at(30, mend)
    task()
    assert len(started(omics)) == 2
    done = task()
    assert [done.result["id"]] == started(omics)[1:]


# -- runs that version 0.1.0 started -------------------------------------------------------------------------


def of_0_1(epoch: int, generation: int) -> tuple[str, str]:
    """Return the token and the name that version 0.1.0 gave a run of ``start_task()``'s task."""
    parts = ["dag", "manual__1", "start", -1, "", epoch, generation]
    token = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
    return token, f"dag.start-{token[:12]}"


def start_of_0_1(omics: Any, life: str, epoch: int = 0, generation: int = 0) -> str:
    token, name = of_0_1(epoch, generation)
    tags = {
        "airflow-omics:token": token,
        "airflow:dag_id": "dag",
        "airflow:run_id": "manual__1",
        "airflow:task_id": "start",
        "airflow:map_index": "-1",
        "airflow:try_number": "1",
    }
    [run_id] = omics.start_runs(1, life, name=name, tags=tags)
    return str(run_id)


@pytest.mark.parametrize("cleared", [0, 2])
@pytest.mark.parametrize("failed", [0, 1])
def test_a_retry_after_an_upgrade_takes_up_the_run_of_0_1(
    start_task: StartTask, omics: Any, failed: int, cleared: int
) -> None:
    for generation in range(failed):
        start_of_0_1(omics, "failed-service-error", cleared, generation)
    omics.advance(86400)
    run_id = start_of_0_1(omics, "completed", cleared, failed)
    task = start_task(retries=3)
    task.try_number, task.max_tries = 1 + cleared + failed, 3 + cleared
    done = task()
    assert (done.kind, done.result["id"]) == ("success", run_id)
    assert "StartRun" not in omics.counts()


def test_a_task_deferred_by_0_1_resumes_with_its_deadline(
    start_task: StartTask, omics: Any, clock: Clock
) -> None:
    run_id = start_of_0_1(omics, "running-forever")
    omics.advance(3600)
    record = read(run_id)
    task = start_task(wait_timeout=7200)
    operator = task.make()
    waited = {
        "epoch": 0,
        "generation": 0,
        "was_stopping": False,
        "deadline": clock.time() - 1,
        "deadline_is": "wait_timeout",
        "memory": {"epoch": 0, "max_tries": 3, "token": of_0_1(0, 0)[0], "generation": 0, "waiting": True,
                   **{key: record[key] for key in ("id", "uuid", "arn")}},
    }  # fmt: skip
    event = {"outcome": "timeout", "record": dict(record), "message": "still RUNNING"}
    from tests.support.start_operators import TaskInstance

    task.try_number = 1
    with pytest.raises(Exception, match=r"is RUNNING at the task's wait_timeout\.") as ended:
        operator.execute_complete(task.context(TaskInstance(task)), event=event, waited=waited)
    assert type(ended.value).__name__ == "OmicsRunTimeoutError"
