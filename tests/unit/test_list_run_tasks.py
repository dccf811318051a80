"""OmicsListRunTasksOperator returns the tasks of a run, all pages, as plain records."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_omics.emulator import Life, Stage, Task
from airflow_omics.exceptions import (
    OmicsAccessError,
    OmicsRequestError,
    OmicsRunDeletedError,
    OmicsRunNotFoundError,
)
from airflow_omics.hooks import OmicsHook
from airflow_omics.operators import OmicsListRunTasksOperator
from tests.support.sensors import ONE_ATTEMPT, Clock, TaskInstance, context_of

pytestmark = pytest.mark.usefixtures("clock")


def ended_run(omics: Any, life: str) -> str:
    [run_id] = omics.start_runs(1, life)
    omics.advance(100_000)
    return str(run_id)


def run_with(omics: Any, count: int) -> str:
    stages = (Stage("RUNNING", 7200), Stage("COMPLETED"))
    tasks = tuple(Task(f"Shard-{number}", at=1) for number in range(count))
    omics.add_life(Life("many-tasks", stages=stages, tasks=tasks))
    return ended_run(omics, "many-tasks")


def list_tasks(**arguments: Any) -> Any:
    task = OmicsListRunTasksOperator(**{"task_id": "tasks", "botocore_config": ONE_ATTEMPT, **arguments})
    return task.execute(context_of(TaskInstance()))


def test_every_task_is_a_plain_record_in_the_api_s_own_names(omics: Any) -> None:
    tasks = list_tasks(run_id=ended_run(omics, "failed-out-of-memory-error"))
    assert [task["status"] for task in tasks] == ["COMPLETED", "FAILED"]
    assert {"taskId", "name", "cpus", "memory", "creationTime", "startTime", "stopTime"} <= set(tasks[0])
    assert tasks[0]["creationTime"].endswith("+00:00")
    assert json.loads(json.dumps(tasks)) == tasks


def test_all_pages_are_listed(omics: Any) -> None:
    run_id = run_with(omics, 250)
    tasks = list_tasks(run_id=run_id)
    assert {task["name"] for task in tasks} == {f"Shard-{number}" for number in range(250)}
    assert len(tasks) == 250
    assert omics.counts() == {"GetRun": 1, "ListRunTasks": 3}


def test_a_run_without_tasks_gives_an_empty_list(omics: Any) -> None:
    assert list_tasks(run_id=ended_run(omics, "failed-before-first-task")) == []


def test_one_status_is_asked_of_the_service(omics: Any) -> None:
    run_id = ended_run(omics, "completed-with-retried-task")
    tasks = list_tasks(run_id=run_id, statuses=["FAILED"])
    assert [task["status"] for task in tasks] == ["FAILED"]
    assert omics.requests("ListRunTasks")[0]["query"]["status"] == "FAILED"


def test_several_statuses_take_one_listing(omics: Any) -> None:
    run_id = ended_run(omics, "failed-out-of-memory-error")
    assert len(list_tasks(run_id=run_id, statuses={"FAILED", "COMPLETED"})) == 2
    assert list_tasks(run_id=run_id, statuses={"CANCELLED", "RUNNING"}) == []
    assert omics.counts()["ListRunTasks"] == 2


def test_details_say_why_a_task_failed(omics: Any) -> None:
    run_id = ended_run(omics, "failed-out-of-memory-error")
    [listed] = list_tasks(run_id=run_id, statuses=["FAILED"])
    [detailed] = list_tasks(run_id=run_id, statuses=["FAILED"], details=True)
    assert "failureReason" not in listed
    assert detailed["failureReason"] == "OUT_OF_MEMORY_ERROR"
    assert detailed["logStream"].endswith(f":log-stream:run/{run_id}/task/{detailed['taskId']}")
    assert detailed.items() >= listed.items()
    assert omics.counts()["GetRunTask"] == 1


def test_details_are_read_at_five_a_second(omics: Any, clock: Clock) -> None:
    run_id = run_with(omics, 21)
    clock.start()
    assert len(list_tasks(run_id=run_id, details=True)) == 21
    assert clock.passed() == pytest.approx(4, abs=0.1)


def test_task_fields_narrow_the_records(omics: Any) -> None:
    run_id = ended_run(omics, "failed-out-of-memory-error")
    [task] = list_tasks(run_id=run_id, statuses=["FAILED"], details=True, task_fields=["failureReason"])
    assert set(task) == {"taskId", "status", "failureReason"}


def test_max_tasks_ends_the_listing_and_says_so(omics: Any, output: Callable[[], str]) -> None:
    assert len(list_tasks(run_id=run_with(omics, 250), max_tasks=120)) == 120
    assert omics.counts()["ListRunTasks"] == 2
    assert "more tasks than max_tasks, 120" in output()


def test_as_many_tasks_as_max_tasks_are_no_news(omics: Any, output: Callable[[], str]) -> None:
    assert len(list_tasks(run_id=run_with(omics, 3), max_tasks=3)) == 3
    assert "max_tasks" not in output()


# -- which run, and what can go wrong ------------------------------------------------------------------------


def test_an_unknown_run_is_an_error(omics: Any) -> None:
    with pytest.raises(OmicsRunNotFoundError, match="9999999") as caught:
        list_tasks(run_id="9999999")
    assert isinstance(caught.value.__cause__, ClientError)


def test_another_run_s_tasks_are_not_passed_off_as_ours(omics: Any, run_id: str) -> None:
    ours = OmicsHook(aws_conn_id="aws_default").get_run(run_id)
    omics.reuse_id(run_id, "running-forever")
    with pytest.raises(OmicsRunDeletedError, match="belongs to another run now"):
        list_tasks(run_id=ours)
    assert "ListRunTasks" not in omics.counts()


def test_an_answer_from_another_account_is_refused(omics: Any, run_id: str) -> None:
    with pytest.raises(OmicsRequestError, match="999999999999"):
        list_tasks(run_id=f"arn:aws:omics:us-east-1:999999999999:run/{run_id}")


@pytest.mark.parametrize("kind", ["throttle", "internal-error", "timeout", "quota", "drop", "hang", "html"])
@pytest.mark.parametrize("operation", ["GetRun", "ListRunTasks", "GetRunTask"])
def test_transient_errors_are_retried(omics: Any, operation: str, kind: str) -> None:
    run_id = ended_run(omics, "failed-out-of-memory-error")
    omics.fault(operation, kind, times=3)
    assert len(list_tasks(run_id=run_id, details=True)) == 2


def test_an_error_on_a_later_page_repeats_no_task(omics: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = run_with(omics, 250)
    really, calls = OmicsHook.list_run_tasks, []

    def struck_once(hook: OmicsHook, run_id: str, *, status: str | None = None) -> Any:
        calls.append(run_id)
        for number, task in enumerate(really(hook, run_id, status=status)):
            if number == 150 and len(calls) == 1:
                raise ConnectionResetError("in the middle of the second page")
            yield task

    monkeypatch.setattr(OmicsHook, "list_run_tasks", struck_once)
    tasks = list_tasks(run_id=run_id)
    assert len({task["taskId"] for task in tasks}) == len(tasks) == 250


def test_transient_errors_that_never_stop_are_left_to_airflow_s_retries(omics: Any, clock: Clock) -> None:
    run_id = ended_run(omics, "completed")
    omics.fault("ListRunTasks", "throttle")
    clock.start()
    with pytest.raises(ClientError, match="ThrottlingException"):
        list_tasks(run_id=run_id)
    assert 300 <= clock.passed() <= 360


@pytest.mark.parametrize("operation", ["GetRun", "ListRunTasks", "GetRunTask"])
def test_a_denial_names_the_iam_action(omics: Any, operation: str) -> None:
    run_id = ended_run(omics, "completed")
    omics.fault(operation, "access-denied")
    with pytest.raises(OmicsAccessError, match=f"Allow omics:{operation}"):
        list_tasks(run_id=run_id, details=True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"statuses": "FAILED"}, "statuses is 'FAILED'; it takes a collection"),
        ({"statuses": ["DELETED"]}, "statuses holds 'DELETED'; a task's status is one of PENDING"),
        ({"statuses": ()}, "statuses is empty"),
        ({"task_fields": "name"}, "task_fields is 'name'; it takes a collection"),
        ({"max_tasks": 0}, "max_tasks is 0; it takes a number of tasks"),
        ({"max_tasks": "5"}, "max_tasks is '5'; it takes a number of tasks"),
    ],
    ids=str,
)
def test_a_wrong_argument_is_refused_while_parsing(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        OmicsListRunTasksOperator(task_id="tasks", run_id="1234567", **arguments)
