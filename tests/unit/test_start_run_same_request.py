"""A run is recognised by its task; whether it is what the task asks for now is another question."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.sensors import Clock
from tests.support.start_operators import ANSWERS, StartTask, Store, WorkerDied, die_at, started

# Of Airflow they need what every other test of a start needs.
pytestmark = pytest.mark.any_airflow
WAITS = pytest.mark.parametrize(
    "wait",
    [{}, {"deferrable": True}, {"wait_for_completion": False}],
    ids=["worker", "deferrable", "no-wait"],
)


@WAITS
@pytest.mark.parametrize("answer", ["earlier", "conflict", "validation"])
@pytest.mark.parametrize("listed", [True, False], ids=["listruns", "listruns-denied"])
def test_a_dag_run_made_again_with_other_parameters_does_not_get_the_record_of_the_first(
    start_task: StartTask, omics: Any, answer: str, listed: bool, wait: dict[str, Any]
) -> None:
    omics.default_life = "completed"
    omics.repeat_request_id(answer)
    task = start_task(**wait)
    assert task(parameters={"sample": "patient-1"}).kind == "success"
    omics.advance(86400)
    task.make_dag_run_again()
    if not listed:
        omics.fault("ListRuns", "access-denied")
    done = task(parameters={"sample": "patient-2"}, output_uri="s3://bucket/other")
    assert done.kind == "OmicsRequestError"
    if listed or answer == "earlier":
        [run_id] = started(omics)
        said = str(done.error)
        assert said.startswith(
            f"HealthOmics run {run_id} was started for this task by an earlier DAG run of the same id"
        )
        assert "(it differs in outputUri, parameters)" in said
        assert "patient" not in said
        assert "other" not in said.replace("otherwise", "")


@pytest.mark.parametrize("answer", ["earlier", "conflict", "validation"])
def test_under_a_shared_name_it_is_refused_as_well(start_task: StartTask, omics: Any, answer: str) -> None:
    """Its first try looks for no run of the name: StartRun's answer leads to the one of before."""
    omics.default_life = "completed"
    omics.repeat_request_id(answer)
    task = start_task(name="cohort", name_suffix=False, wait_for_completion=False)
    task(parameters={"sample": "1"})
    omics.advance(150)
    task.make_dag_run_again()
    done = task(parameters={"sample": "2"})
    assert done.kind == "OmicsRequestError"
    assert "(it differs in parameters)" in str(done.error)


def test_clearing_that_task_starts_its_own_run(start_task: StartTask, omics: Any) -> None:
    omics.default_life = "completed"
    task = start_task()
    task(parameters={"sample": "1"})
    omics.advance(86400)
    task.make_dag_run_again()
    assert task(parameters={"sample": "2"}).kind == "OmicsRequestError"
    task.clear()
    done = task(parameters={"sample": "2"})
    assert (done.kind, len(started(omics))) == ("success", 2)
    assert done.result["parameters"] == {"sample": "2"}


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_dag_run_made_again_as_it_was_takes_its_run_up(
    start_task: StartTask, omics: Any, answer: str, output: Any
) -> None:
    omics.default_life = "completed"
    omics.repeat_request_id(answer)
    task = start_task(parameters={"sample": "1"}, tags={"project": "x"})
    first = task().result["id"]
    omics.advance(86400)
    task.make_dag_run_again()
    output()
    assert task().result["id"] == first
    assert "a different request" not in output()


def test_a_run_of_before_that_ended_badly_is_no_reason_to_refuse(start_task: StartTask, omics: Any) -> None:
    omics.default_life = "failed-service-error"
    task = start_task()
    task(parameters={"sample": "1"})
    omics.advance(86400)
    task.make_dag_run_again()
    omics.default_life = "completed"
    assert task(parameters={"sample": "2"}).result["parameters"] == {"sample": "2"}


@pytest.mark.parametrize("stored", [False, True], ids=["no-store", "store"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_a_retry_that_would_ask_otherwise_waits_on_and_says_in_what_it_differs(
    start_task: StartTask, omics: Any, clock: Clock, output: Any, answer: str, stored: bool
) -> None:
    """A parameter that is a time differs from try to try, and nobody means a second run."""
    omics.default_life = "completed"
    omics.repeat_request_id(answer)
    task = start_task(store=Store() if stored else None)
    die_at(clock, 200)
    task(parameters={"at": "12:00 patient-1"}, priority=1)
    output()
    done = task(parameters={"at": "12:05 patient-1"}, priority=2)
    assert (done.kind, [done.result["id"]]) == ("success", started(omics))
    said = output()
    assert "was started with a different request (it differs in parameters, priority)" in said
    assert "patient-1" not in said


def test_a_mapped_task_that_reattaches_says_that_its_list_came_back_in_another_order(
    start_task: StartTask, omics: Any, output: Any
) -> None:
    omics.default_life = "completed"
    task = start_task(on_clear="reattach", map_index=0)
    task(parameters={"sample": "1"})
    omics.advance(86400)
    task.clear_dag_run()
    output()
    done = task(parameters={"sample": "2"})
    assert done.result["parameters"] == {"sample": "1"}
    assert "was started with a different request (it differs in parameters)" in output()


def test_a_rerun_found_again_is_not_said_to_differ(
    start_task: StartTask, omics: Any, clock: Clock, output: Any
) -> None:
    omics.default_life = "failed-out-of-memory-error"
    task = start_task(rerun_with={"OUT_OF_MEMORY_ERROR": {"storage_type": "DYNAMIC"}})

    def mend() -> None:
        omics.default_life = "completed"
        die_at(clock, 600)

    clock.at(30, mend)
    assert isinstance(task().error, WorkerDied)
    output()
    assert task().kind == "success"
    assert "a different request" not in output()


def test_a_run_without_our_digest_is_not_judged(
    start_task: StartTask, omics: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch, output: Any
) -> None:
    from airflow_omics.hooks import OmicsHook

    start_run = OmicsHook.start_run

    def without_digest(self: Any, request: Any) -> Any:
        tags = {key: value for key, value in request["tags"].items() if key != "airflow-omics:request"}
        return start_run(self, {**request, "tags": tags})

    monkeypatch.setattr(OmicsHook, "start_run", without_digest)
    omics.default_life = "completed"
    task = start_task()
    die_at(clock, 200)
    task(parameters={"sample": "1"})
    output()
    assert task(parameters={"sample": "2"}).kind == "success"
    assert "a different request" not in output()


@pytest.mark.parametrize("clear_number", [1, None])
def test_a_run_of_before_the_whole_dag_run_was_cleared_is_taken_up_again_where_that_is_asked_for(
    start_task: StartTask, omics: Any, clear_number: int | None
) -> None:
    omics.default_life = "completed"
    task = start_task(on_clear="reattach")
    first = task(parameters={"sample": "1"}).result["id"]
    omics.advance(86400)
    task.clear_dag_run()
    task.dag_run.clear_number = clear_number
    assert task(parameters={"sample": "2"}).result["id"] == first
