"""``stuck_after``: a warning once, in words, when nothing has moved in a run for long."""

from __future__ import annotations

import datetime
import logging
import re
from typing import Any

import pytest

from airflow_omics._identity import Target
from airflow_omics._monitoring.task_table import RunTask, TaskTable
from airflow_omics._waiting.batch import BatchWait
from airflow_omics._waiting.wait import Wait
from airflow_omics.emulator import Life, Stage, Task
from tests.support.fixtures import Output
from tests.support.sensors import Clock, Gate
from tests.support.start_operators import StartTask

pytestmark = pytest.mark.any_airflow

HOUR = 3600.0
STAYS = (Stage("PENDING", 5), Stage("STARTING", 55), Stage("RUNNING"))


def running(omics: Any, *tasks: Task) -> str:
    omics.add_life(Life("busy", (Stage("PENDING", 1), Stage("RUNNING")), "Stays RUNNING.", tasks=tasks))
    [run_id] = omics.start_runs(1, life="busy")
    omics.advance(1)
    return str(run_id)


def warned(output: Output) -> list[str]:
    return [
        line.partition(" [airflow")[0]
        for line in re.findall(r"HealthOmics run .*nothing has moved.*", output())
    ]


@pytest.mark.parametrize("stuck_after", [HOUR, datetime.timedelta(hours=1)])
def test_a_run_in_which_nothing_moves_is_warned_of_once(
    gate: Gate, omics: Any, clock: Clock, output: Output, stuck_after: Any
) -> None:
    run_id = running(omics, Task("Align", stages=STAYS))
    clock.at(3 * HOUR, omics.move, run_id, "COMPLETED")
    end = gate(run_id=run_id, timeout=4 * HOUR, poke_interval=200, stuck_after=stuck_after)
    assert end.kind == "success"
    [line] = warned(output)
    assert line.startswith(
        f"HealthOmics run {run_id}: nothing has moved for 1 h 9 min (stuck_after is 1 h): no task was made, "
        "started or stopped. Active: Align 1 h 9 min. To see more: aws omics list-run-tasks --id "
    )


def test_a_run_in_which_something_moves_is_not_warned_of(
    gate: Gate, omics: Any, clock: Clock, output: Output
) -> None:
    tasks = (Task("Align", stages=STAYS), *(Task("Call", at=at) for at in range(0, 10800, 3000)))
    run_id = running(omics, *tasks)
    clock.at(3 * HOUR, omics.move, run_id, "COMPLETED")
    gate(run_id=run_id, timeout=4 * HOUR, poke_interval=200, stuck_after=HOUR)
    assert warned(output) == []


def test_it_is_off_if_it_is_not_given(poke_gate: Gate, omics: Any, clock: Clock, output: Output) -> None:
    run_id = running(omics, Task("Align", stages=STAYS))
    clock.at(100 * HOUR, omics.move, run_id, "COMPLETED")
    poke_gate(run_id=run_id, timeout=1000 * HOUR, poke_interval=HOUR)
    assert warned(output) == []


def test_a_run_whose_tasks_are_not_known_is_not_warned_of(
    gate: Gate, omics: Any, clock: Clock, output: Output
) -> None:
    omics.fault("ListRunTasks", "access-denied")
    run_id = running(omics, Task("Align", stages=STAYS))
    clock.at(2 * HOUR, omics.move, run_id, "COMPLETED")
    assert gate(run_id=run_id, timeout=4 * HOUR, poke_interval=200, stuck_after=HOUR).kind == "success"
    assert warned(output) == []


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_start_warns_as_well(start_task: StartTask, omics: Any, output: Output, deferrable: bool) -> None:
    stages = (Stage("RUNNING", 2 * HOUR), Stage("COMPLETED"))
    omics.add_life(Life("busy", stages, "Is busy.", tasks=(Task("Align", stages=STAYS),)))
    omics.default_life = "busy"
    assert start_task(deferrable=deferrable, stuck_after=HOUR)().kind == "success"
    assert len(warned(output)) == 1


# -- one wait ------------------------------------------------------------------------------------------------


def waiting(stuck_after: float | None = HOUR, status: str = "RUNNING") -> Wait:
    wait = Wait(Target.parse("1234567"), started_at=0.0, timeout_at=10.0**10, stuck_after=stuck_after)
    started = {"creationTime": "1970-01-01T00:00:00Z", "startTime": "1970-01-01T00:00:00Z"}
    record: Any = {"id": "1234567", "status": status, **started}
    assert wait.answered(record, 0.0) is None
    wait.lines.take()
    return wait


def list_tasks(wait: Wait, now: float, *tasks: RunTask, **others: Any) -> list[tuple[int, str]]:
    """Let the wait note its run's tasks; return the lines that are due."""
    wait.tasks_listed(TaskTable(now, tasks), now, **others)
    return list(wait.lines.take())


def task(started: float, stopped: float | None = None) -> RunTask:
    return RunTask("1", "Align", "RUNNING" if stopped is None else "COMPLETED", started, started, stopped)


def test_the_wait_says_since_when_and_takes_it_back_when_something_moves() -> None:
    wait = waiting()
    assert list_tasks(wait, 100.0 + 3599, task(100.0)) == []
    assert wait.stuck_since is None
    [(level, _)] = list_tasks(wait, 100.0 + 3600, task(100.0))
    assert level == logging.WARNING
    assert wait.stuck_since == 100.0
    assert list_tasks(wait, 100.0 + 4200, task(100.0)) == []
    assert wait.stuck_since == 100.0
    assert list_tasks(wait, 100.0 + 4800, task(100.0), task(4500.0)) == [
        (logging.INFO, "HealthOmics run 1234567: moves again, after 1 h 20 min in which nothing had moved")
    ]
    assert wait.stuck_since is None
    assert list_tasks(wait, 100.0 + 5400, task(100.0), task(4500.0)) == []


def test_the_warning_comes_once_in_a_wait() -> None:
    wait = waiting()
    assert len(list_tasks(wait, 4000.0, task(100.0))) == 1
    assert len(list_tasks(wait, 4600.0, task(4500.0))) == 1  # it moves again
    assert list_tasks(wait, 9000.0, task(4500.0)) == []
    assert wait.stuck_since == 4500.0


def test_a_run_without_a_task_counts_from_its_start() -> None:
    wait = waiting()
    [(_, line)] = list_tasks(wait, 4000.0)
    assert "No task was made yet" in line
    assert wait.stuck_since == 0.0


def test_nothing_is_said_while_all_is_well(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "airflow_omics")
    assert list_tasks(waiting(), 200.0, task(100.0)) == []
    assert caplog.text == ""


def test_a_task_that_stopped_is_a_movement() -> None:
    wait = waiting()
    assert list_tasks(wait, 4000.0, task(100.0, stopped=3000.0)) == []


def test_without_stuck_after_nothing_is_said() -> None:
    wait = waiting(stuck_after=None)
    assert list_tasks(wait, 10.0**6, task(100.0)) == []
    assert wait.stuck_since is None
    assert wait.tasks is not None


def test_a_wait_that_has_read_nothing_says_nothing() -> None:
    wait = Wait(Target.parse("1234567"), started_at=0.0, timeout_at=10.0**10, stuck_after=HOUR)
    assert list_tasks(wait, 10.0**6, task(100.0)) == []


def test_a_process_that_follows_another_warns_in_the_first_period_alone() -> None:
    """In reschedule mode each look is a process of its own."""
    assert len(list_tasks(waiting(), 100.0 + 3600, task(100.0), period=660.0)) == 1
    assert len(list_tasks(waiting(), 100.0 + 4259, task(100.0), period=660.0)) == 1
    later = waiting()
    assert list_tasks(later, 100.0 + 4260, task(100.0), period=660.0) == []
    assert later.stuck_since == 100.0


def test_a_mistake_in_the_words_ends_no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_omics._waiting.standstill.stuck_in_words", None)
    wait = waiting()
    assert list_tasks(wait, 4000.0, task(100.0)) == []
    assert wait.tasks is not None


def test_a_batch_has_none() -> None:
    from airflow_omics._resource import BATCH

    wait = BatchWait(Target.parse("1234567", BATCH), started_at=0.0, timeout_at=10.0**10)
    assert (wait.stuck_since, wait.deadline) == (None, 10.0**10)


def test_a_list_that_was_cut_says_nothing_of_what_moves() -> None:
    """The newest tasks of a run with more than a thousand may be on the pages that were not read."""
    wait = waiting()
    wait.tasks_listed(TaskTable(100.0 + 2 * HOUR, (task(100.0),), more=True), 100.0 + 2 * HOUR)
    assert list(wait.lines.take()) == []
    assert wait.stuck_since is None
