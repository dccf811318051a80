"""The ten-minute line of a wait in a worker, and the tasks that are listed for it."""

from __future__ import annotations

import itertools
import logging
import re
import threading
from typing import Any

import pytest

from airflow_omics._identity import Target
from airflow_omics._monitoring.task_table import RunTask, TaskTable
from airflow_omics._waiting.wait import Wait
from airflow_omics.emulator import Life, Stage, Task
from airflow_omics.hooks import OmicsHook
from tests.support.fixtures import Output
from tests.support.sensors import Clock, Gate, TaskInstance, context_of
from tests.support.start_operators import StartTask

pytestmark = pytest.mark.any_airflow

HOUR = 3600.0
STAYS = (Stage("PENDING", 5), Stage("STARTING", 55), Stage("RUNNING"))


@pytest.fixture(autouse=True)
def _without_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lists that are counted here are those of the log, and not the one at the end for the pages."""
    monkeypatch.setattr("airflow_omics._task.snapshots.are_wanted", lambda: False)


def running(omics: Any, *tasks: Task, seconds: float = 0.0) -> str:
    """Start a run that has been RUNNING for so many seconds, and stays so until it is moved."""
    omics.add_life(Life("busy", (Stage("PENDING", 1), Stage("RUNNING")), "Stays RUNNING.", tasks=tasks))
    [run_id] = omics.start_runs(1, life="busy")
    omics.advance(1 + seconds)
    return str(run_id)


def said(output: Output, part: str = " tasks done|task done") -> list[str]:
    """Return the lines of the log that say how far the run is."""
    found = re.findall(r"HealthOmics run \d+[ :].*", output())
    return [line.partition(" [airflow")[0] for line in found if re.search(part, line)]


def listed(omics: Any) -> int:
    return int(omics.counts().get("ListRunTasks", 0))


TWO = (Task("Align", at=60, stages=STAYS), Task("Index", at=0))


def test_the_ten_minute_line_has_the_tasks(poke_gate: Gate, omics: Any, clock: Clock, output: Output) -> None:
    run_id = running(omics, *TWO)
    clock.at(3700, omics.move, run_id, "COMPLETED")
    assert poke_gate(run_id=run_id, timeout=2 * HOUR).kind == "success"
    lines = said(output)
    # The first look says the status alone.
    assert [line.partition(":")[0].partition(" is ")[2] for line in lines] == [
        f"RUNNING {words}" for words in ("10 min", "20 min", "30 min", "40 min", "50 min", "1 h")
    ]
    assert lines[1] == f"HealthOmics run {run_id} is RUNNING 20 min: 1 task done, 1 running (Align 18 min)"
    assert listed(omics) == 6


@pytest.mark.parametrize("ahead", [-HOUR, HOUR])
def test_a_worker_s_clock_that_is_wrong_changes_no_duration(
    poke_gate: Gate, omics: Any, clock: Clock, output: Output, ahead: float
) -> None:
    clock.ahead = ahead
    run_id = running(omics, *TWO)
    clock.at(700, omics.move, run_id, "COMPLETED")
    poke_gate(run_id=run_id)
    [line] = said(output)
    assert line.endswith(" is RUNNING 10 min: 1 task done, 1 running (Align 8 min)")


def test_no_slot_has_two_lines(poke_gate: Gate, omics: Any, clock: Clock, output: Output) -> None:
    run_id = running(omics, *TWO)
    clock.at(3700, omics.move, run_id, "COMPLETED")
    poke_gate(run_id=run_id, timeout=2 * HOUR)
    assert len(said(output, f"run {run_id} is RUNNING")) == 7  # the first look's, and six


def test_in_reschedule_mode_tasks_are_listed_every_ten_minutes_as_well(
    reschedule_gate: Gate, omics: Any, clock: Clock, output: Output
) -> None:
    run_id = running(omics, *TWO)
    clock.at(3700, omics.move, run_id, "COMPLETED")
    reschedule_gate(run_id=run_id, timeout=2 * HOUR)
    lines = said(output)
    assert listed(omics) == len(lines) == 6
    assert [re.findall(r"RUNNING (.*?):", line)[0] for line in lines][::5] == ["10 min", "1 h"]


@pytest.mark.parametrize(("interval", "number"), [(25, 5), (601, 5), (1000, 3)])
def test_reschedule_mode_lists_once_in_ten_minutes_whatever_the_interval(
    reschedule_gate: Gate, omics: Any, clock: Clock, interval: float, number: int
) -> None:
    run_id = running(omics, *TWO)
    clock.at(3500, omics.move, run_id, "COMPLETED")
    reschedule_gate(run_id=run_id, timeout=2 * HOUR, poke_interval=interval)
    assert listed(omics) == number


def test_a_scheduler_that_is_late_makes_no_list_twice(
    reschedule_gate: Gate, omics: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = running(omics, *TWO)
    clock.at(7000, omics.move, run_id, "COMPLETED")
    sleep, late = clock.sleep, iter([0, 7, 31, 2, 59] * 100)
    monkeypatch.setattr(clock, "sleep", lambda seconds: sleep(seconds + next(late)))
    reschedule_gate(run_id=run_id, timeout=2 * HOUR)
    times = [request["time"] for request in omics.requests("ListRunTasks")]
    assert 5 <= len(times) <= 11


def test_looks_that_become_rare_in_reschedule_mode_list_the_tasks_nevertheless(
    reschedule_gate: Gate, omics: Any, clock: Clock, output: Output
) -> None:
    run_id = running(omics, *TWO)
    clock.at(30 * HOUR, omics.move, run_id, "COMPLETED")
    arguments = {"timeout": 100 * HOUR, "exponential_backoff": True}
    end = reschedule_gate(run_id=run_id, stuck_after=4 * HOUR, **arguments)
    rare = [pause for pause in end.pauses[:-1] if pause > 600]
    assert len(rare) >= 3
    # Airflow's jitter is another each time. No look lists twice, and none does in the first ten minutes.
    late = [at for at in itertools.accumulate(end.pauses[:-1]) if at >= 600]
    assert len(rare) <= listed(omics) <= len(late)
    assert 1 <= len(said(output, "nothing has moved")) <= 2


def test_looks_that_become_no_rarer_in_reschedule_mode_list_the_tasks_every_ten_minutes(
    reschedule_gate: Gate, omics: Any, clock: Clock
) -> None:
    run_id = running(omics, *TWO)
    clock.at(3650, omics.move, run_id, "COMPLETED")
    reschedule_gate(run_id=run_id, timeout=2 * HOUR, exponential_backoff=True, max_wait=60)
    assert 5 <= listed(omics) <= 7


@pytest.mark.parametrize("life", ["pending-forever", "starting-forever"])
def test_a_run_that_has_no_tasks_yet_is_not_asked_for_them(
    gate: Gate, omics: Any, clock: Clock, output: Output, life: str
) -> None:
    [run_id] = omics.start_runs(1, life=life)
    gate(run_id=run_id, timeout=HOUR)
    assert listed(omics) == 0
    assert said(output) == []


def test_the_tasks_of_a_run_that_stops_are_said(
    poke_gate: Gate, omics: Any, clock: Clock, output: Output
) -> None:
    run_id = running(omics, *TWO)
    clock.at(300, omics.move, run_id, "STOPPING")
    clock.at(1000, omics.move, run_id, "COMPLETED")
    poke_gate(run_id=run_id)
    [line] = said(output)
    assert re.search(r"is STOPPING \(\d+ s since the first look\): .*1 task done", line)


def test_progress_off_lists_nothing(
    gate: Gate, omics: Any, clock: Clock, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__OMICS__PROGRESS", "False")
    run_id = running(omics, *TWO)
    gate(run_id=run_id, timeout=HOUR, stuck_after=60)
    assert listed(omics) == 0
    lines = said(output, "is RUNNING")
    assert lines
    assert all("since the first look)" in line or "timeout" in line for line in lines)


@pytest.mark.parametrize("fault", ["access-denied", "internal-error", "expired-token"])
def test_tasks_that_cannot_be_listed_change_nothing(
    poke_gate: Gate, omics: Any, clock: Clock, output: Output, fault: str
) -> None:
    run_id = running(omics, *TWO)
    omics.fault("ListRunTasks", fault)
    clock.at(5000, omics.move, run_id, "COMPLETED")
    end = poke_gate(run_id=run_id, timeout=3 * HOUR)
    assert (end.kind, end.looks) == ("success", 85)
    assert listed(omics) == 2  # the second, after an hour
    text = output()
    assert "is RUNNING (600 s since the first look)" in text
    assert "[warning" not in re.sub(r".*outside of the Task Runner.*", "", text)


def test_the_line_has_the_tasks_again_once_they_can_be_listed(
    poke_gate: Gate, omics: Any, clock: Clock, output: Output
) -> None:
    run_id = running(omics, *TWO)
    omics.fault("ListRunTasks", "access-denied")
    clock.at(700, omics.clear_faults)
    clock.at(5500, omics.move, run_id, "COMPLETED")
    poke_gate(run_id=run_id, timeout=3 * HOUR)
    assert listed(omics) == 1 + 3  # again from 4,200 s on
    assert len(said(output)) == 3


def test_a_list_that_hangs_holds_the_wait_up_for_seconds_alone(
    poke_gate: Gate, omics: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_omics._waiting.task_lister.MOST_SECONDS", 0.2)
    go_on = threading.Event()

    class Pages:
        is_over = False

        def next_page(self) -> Any:
            go_on.wait(30)
            return []

    monkeypatch.setattr(OmicsHook, "list_run_tasks", lambda self, run_id: Pages())
    run_id = running(omics, *TWO)
    clock.at(1000, omics.move, run_id, "COMPLETED")
    assert poke_gate(run_id=run_id).kind == "success"
    go_on.set()


def test_so_many_pages_are_read_and_no_more(
    poke_gate: Gate, omics: Any, clock: Clock, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_omics._waiting.task_lister.MOST_PAGES", 2)
    run_id = running(omics, *(Task(f"Part-{i}") for i in range(250)), seconds=HOUR)
    clock.at(700, omics.move, run_id, "COMPLETED")
    poke_gate(run_id=run_id)
    assert listed(omics) == 2
    [line] = said(output)
    assert line.endswith(": 200 tasks done, more not listed")


def test_another_run_s_tasks_are_not_listed(poke_gate: Gate, omics: Any, clock: Clock) -> None:
    run_id = running(omics, *TWO)
    clock.at(590, omics.reuse_id, run_id)
    assert poke_gate(run_id=run_id).kind == "OmicsRunDeletedError"
    assert listed(omics) == 0


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_start_has_the_line(
    start_task: StartTask, omics: Any, clock: Clock, output: Output, deferrable: bool
) -> None:
    omics.add_life(Life("busy", (Stage("RUNNING", 1500), Stage("COMPLETED")), "Is busy.", tasks=TWO))
    omics.default_life = "busy"
    assert start_task(deferrable=deferrable)().kind == "success"
    assert len(said(output)) == 2


def test_a_gate_that_defers_lists_nothing_before(omics: Any, clock: Clock) -> None:
    from airflow_omics.sensors import OmicsRunSensor
    from tests.support.start_operators import TaskDeferred

    run_id = running(omics, *TWO, seconds=HOUR)
    with pytest.raises(TaskDeferred):
        OmicsRunSensor(task_id="gate", run_id=run_id, deferrable=True).execute(context_of(TaskInstance()))
    assert listed(omics) == 0


def test_poke_looks_once_and_lists_nothing(poke_gate: Gate, omics: Any, clock: Clock) -> None:
    run_id = running(omics, *TWO, seconds=HOUR)
    assert poke_gate.sensor(run_id=run_id).poke(context_of(TaskInstance())).is_done is False
    assert listed(omics) == 0


# -- how the list and the line meet --------------------------------------------------------------------------


def lines_of(wait: Wait) -> list[str]:
    return [line for _, line in wait.lines.take()]


def waiting() -> Wait:
    wait = Wait(Target.parse("1234567"), started_at=0.0, timeout_at=10.0**10)
    assert wait.answered(record(), 0.0) is None
    assert lines_of(wait) == ["HealthOmics run 1234567 is RUNNING (0 s since the first look)"]
    return wait


def record() -> Any:
    started = {"creationTime": "1970-01-01T00:00:00Z", "startTime": "1970-01-01T00:00:00Z"}
    return {"id": "1234567", "status": "RUNNING", **started}


def table(seen: float) -> TaskTable:
    return TaskTable(seen, (RunTask("1", "Align", "RUNNING", created=0.0, started=0.0),))


def test_a_list_makes_no_line_by_itself() -> None:
    wait = waiting()
    wait.tasks_listed(table(100.0), 100.0)
    assert not wait.lines.are_due
    wait.answered(record(), 599.0)
    assert not wait.lines.are_due
    wait.answered(record(), 600.0)
    assert lines_of(wait) == [
        "HealthOmics run 1234567 is RUNNING 10 min: no task done, 1 running (Align 2 min)"
    ]


def test_a_list_that_comes_after_the_line_waits_for_the_next() -> None:
    wait = waiting()
    wait.answered(record(), 600.0)
    assert lines_of(wait) == ["HealthOmics run 1234567 is RUNNING (600 s since the first look)"]
    wait.tasks_listed(table(601.0), 601.0)
    wait.answered(record(), 1100.0)
    assert not wait.lines.are_due
    wait.answered(record(), 1200.0)
    assert lines_of(wait) == [
        "HealthOmics run 1234567 is RUNNING 20 min: no task done, 1 running (Align 10 min)"
    ]


def test_a_list_that_comes_while_the_line_waits_for_its_turn_is_in_it() -> None:
    wait = waiting()
    wait.answered(record(), 600.0)
    wait.tasks_listed(table(601.0), 601.0)
    assert lines_of(wait) == [
        "HealthOmics run 1234567 is RUNNING 10 min: no task done, 1 running (Align 10 min)"
    ]


def test_a_run_that_lists_show_has_the_line_as_well() -> None:
    wait = waiting()
    wait.tasks_listed(table(100.0), 100.0)
    wait.listed("RUNNING", 600.0)
    [line] = lines_of(wait)
    assert "is RUNNING 10 min: no task done" in line


@pytest.mark.parametrize(("jump", "skew"), [(7200.0, 0.0), (-7200.0, 0.0), (0.0, 5000.0), (3000.0, -3000.0)])
def test_clocks_that_are_set_or_differ_change_no_duration(jump: float, skew: float) -> None:
    at = 10_000.0 - skew
    wait = Wait(Target.parse("1234567"), started_at=at, timeout_at=10.0**10)
    started = {"creationTime": "1970-01-01T02:46:40Z", "startTime": "1970-01-01T02:46:40Z"}
    answer: Any = {"id": "1234567", "status": "RUNNING", **started}
    wait.answered(answer, at, 50.0, clock_skew=skew)
    wait.lines.take()
    wait.answered(answer, at + 600.0 + jump, 650.0, clock_skew=skew - jump)
    wait.tasks_listed(table(10_600.0), at + 600.0 + jump, 650.0)
    [line] = lines_of(wait)
    assert " is RUNNING 10 min: " in line


def test_a_mistake_in_the_words_leaves_the_plain_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "airflow_omics")
    wait = waiting()
    wait.tasks_listed(table(100.0), 100.0)
    wait.answered(record(), 600.0)
    monkeypatch.setattr("airflow_omics._waiting.wait.with_tasks", None)
    assert lines_of(wait) == ["HealthOmics run 1234567 is RUNNING (600 s since the first look)"]
    assert "A line is shorter than it could be" in caplog.text


def test_an_unknown_status_is_still_a_warning() -> None:
    wait = waiting()
    wait.tasks_listed(table(100.0), 100.0)
    wait.answered({**record(), "status": "PAUSED"}, 600.0)
    [(level, line)] = wait.lines.take()
    assert level == logging.WARNING
    assert "is PAUSED, was RUNNING, a status this version of airflow-omics does not know" in line
    assert "Align" not in line
