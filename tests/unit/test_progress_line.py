"""How far a run is, in words: made of a list of tasks alone."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_omics._monitoring.progress_line import (
    LONGEST_LINE,
    moves_again,
    newest_movement,
    stuck_in_words,
    with_tasks,
)
from airflow_omics._monitoring.task_table import RunTask, TaskTable

pytestmark = pytest.mark.any_airflow

BEGAN = 1768478400.0  # 2026-01-15T12:00:00Z
NOW = BEGAN + 6000
RECORD = {"id": "7261567", "status": "RUNNING", "startTime": "2026-01-15T12:00:00Z"}
PLAIN = "is RUNNING (6000 s since the first look)"


def tasks(status: str, number: int = 1, name: str = "Task", minutes: float = 10, **members: Any) -> list[Any]:
    started = NOW - minutes * 60
    over = {"stopped": NOW} if status in ("COMPLETED", "FAILED", "CANCELLED") else {}
    known = {"created": started - 60, "started": None if status == "PENDING" else started, **over, **members}
    return [RunTask(f"{name}-{i}", name, status, **known) for i in range(number)]


def line(found: list[Any], *, left_out: int = 0, seen: float = NOW, **changes: Any) -> str:
    given: dict[str, Any] = {
        "status": "RUNNING",
        "before": "RUNNING",
        "record": RECORD,
        "now": NOW,
        **changes,
    }
    return with_tasks(PLAIN, tasks=TaskTable(seen, tuple(found), left_out), **given)


MANY = [
    *tasks("COMPLETED", 49),
    *tasks("COMPLETED", 12, cached=True),
    *tasks("RUNNING", name="Sort", minutes=3),
    *tasks("RUNNING", name="Align", minutes=52),
    *tasks("RUNNING", name="Call", minutes=0.5),
    *tasks("PENDING"),
]


def test_the_line_says_what_is_done_what_runs_and_what_waits() -> None:
    assert line(MANY) == (
        "is RUNNING 1 h 40 min: 61 tasks done (12 from cache), "
        "3 running (Align 52 min, Sort 3 min, Call 30 s), 1 waiting"
    )


def test_at_most_three_names_are_said_the_longest_running_first() -> None:
    found = [*MANY, *tasks("RUNNING", 7, name="Index", minutes=1)]
    assert "10 running (Align 52 min, Sort 3 min, Index 1 min, ...)" in line(found)


def test_failed_tasks_are_named_as_failed() -> None:
    found = [*tasks("COMPLETED", 2), *tasks("FAILED", name="Call", minutes=5), *tasks("CANCELLED", 3)]
    assert line(found) == "is RUNNING 1 h 40 min: 2 tasks done, 1 failed (Call), 3 cancelled"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (tasks("COMPLETED"), "1 task done"),
        (tasks("COMPLETED", 1200), "1,200 tasks done"),
        (tasks("STARTING", 2), "no task done, 2 starting"),
        (tasks("STOPPING"), "no task done, 1 stopping"),
        (tasks("PAUSED", 2), "no task done, 2 in another status"),
        (tasks("RUNNING", cached=True), "no task done, 1 running (Task 10 min)"),
    ],
)
def test_each_state_has_its_word(found: list[Any], said: str) -> None:
    assert line(found) == f"is RUNNING 1 h 40 min: {said}"


def test_that_there_are_more_tasks_is_said() -> None:
    assert line(tasks("COMPLETED", 3), left_out=1).endswith(": 3 tasks done, more not listed")
    assert line(tasks("COMPLETED", 3), left_out=40).endswith(": 3 tasks done, more not listed")


@pytest.mark.parametrize("status", ["PENDING", "STARTING", "PAUSED"])
def test_a_run_that_has_no_tasks_yet_has_the_plain_line(status: str) -> None:
    assert line(MANY, status=status, before=status) == PLAIN


def test_without_tasks_the_line_is_plain() -> None:
    assert line([]) == PLAIN
    nothing = with_tasks(PLAIN, status="RUNNING", before="RUNNING", record=RECORD, tasks=None, now=NOW)
    assert nothing == PLAIN


def test_a_change_of_status_keeps_its_words() -> None:
    said = with_tasks(
        "is STOPPING, was RUNNING (60 s since the first look)",
        status="STOPPING",
        before="RUNNING",
        record=RECORD,
        tasks=TaskTable(NOW, tuple(tasks("COMPLETED", 6))),
        now=NOW,
    )
    assert said == "is STOPPING, was RUNNING (60 s since the first look): 6 tasks done"


def test_a_run_that_has_just_begun_to_run_says_what_it_was() -> None:
    assert line(tasks("COMPLETED"), before="STARTING") == f"{PLAIN}: 1 task done"


def test_a_run_whose_start_is_not_known_keeps_the_time_since_the_first_look() -> None:
    assert line(tasks("COMPLETED"), record={"id": "7261567"}) == f"{PLAIN}: 1 task done"


def test_tasks_that_were_listed_long_ago_say_so() -> None:
    assert line(tasks("COMPLETED"), seen=NOW - 600).endswith(": 1 task done")
    assert line(tasks("COMPLETED"), seen=NOW - 1500).endswith(": 1 task done (25 min ago)")


HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "two\nlines",
    "carriage\rreturn",
    "\N{RIGHT-TO-LEFT OVERRIDE}abc",
    "a" * 5000,
    "Geräte" * 20,
    "%s %(name)s {0}",
    "   ",
    "\x00",
    "password=hunter2secret",
]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("status", ["RUNNING", "FAILED"])
def test_a_hostile_name_stays_one_short_printable_line(name: str, status: str) -> None:
    said = line(tasks(status, 3, name=name))
    assert said.isprintable()
    assert len(said) < 180
    assert "hunter2secret" not in said


def test_a_name_without_anything_to_print_is_unnamed() -> None:
    assert "(unnamed 10 min)" in line(tasks("RUNNING", name="\x00"))


@pytest.mark.parametrize("number", [1, 99999])
def test_no_line_is_longer_than_it_may_be(number: int) -> None:
    kinds = ("COMPLETED", "FAILED", "CANCELLED", "RUNNING", "STARTING", "STOPPING", "PENDING", "PAUSED")
    found = [
        task for status in kinds for task in tasks(status, min(number, 1000), name="n" * 80, minutes=4000)
    ]
    about = "HealthOmics run 123456789012345678 "
    said = line(found, left_out=number, seen=NOW - 1500, room=LONGEST_LINE - len(about))
    assert len(about + said) < 300 + 1
    assert said.endswith("more not listed (25 min ago)")


def test_names_are_left_out_where_there_is_no_room_for_them() -> None:
    assert line(MANY, room=85).endswith("3 running, 1 waiting")
    assert line(MANY, room=95).endswith("3 running (Align 52 min, ...), 1 waiting")


# -- nothing moves -------------------------------------------------------------------------------------------


def moved(found: list[Any], record: Any = RECORD) -> float | None:
    return newest_movement(TaskTable(NOW, tuple(found)), record)


def test_the_newest_of_all_times_is_the_last_movement() -> None:
    assert moved([]) == BEGAN
    assert moved(tasks("RUNNING", minutes=10)) == NOW - 600
    assert moved(tasks("PENDING", minutes=10)) == NOW - 660  # when it was made
    assert moved([*tasks("RUNNING", minutes=10), *tasks("COMPLETED", minutes=90)]) == NOW
    assert moved([], {}) is None


def stuck(found: list[Any], record: Any = RECORD) -> str:
    table = TaskTable(NOW, tuple(found))
    return stuck_in_words(table, record, since=NOW - 4320, stuck_after=3600)


def test_the_warning_says_what_runs_for_how_long_and_where_to_look() -> None:
    record = {**RECORD, "arn": "arn:aws:omics:eu-west-1:123456789012:run/7261567"}
    said = stuck(
        [*tasks("RUNNING", name="Sort", minutes=72), *tasks("STARTING", name="Call", minutes=90)], record
    )
    assert said.startswith(
        "nothing has moved for 1 h 12 min (stuck_after is 1 h): no task was made, started or stopped. "
        "Active: Call 1 h 30 min, Sort 1 h 12 min. "
        "To see more: aws omics list-run-tasks --id 7261567 --region eu-west-1, and the run's log, https://"
    )
    assert said.isprintable()


def test_the_warning_says_that_tasks_wait_for_capacity() -> None:
    said = stuck(tasks("PENDING", name="Call", minutes=79))
    assert "Waiting to start: Call 1 h 20 min; there is no capacity, or the run is at its maximum of " in said
    assert "No task is active" not in said
    assert said.endswith("To see more: aws omics list-run-tasks --id 7261567")


def test_the_warning_says_that_no_task_is_active() -> None:
    assert "No task is active: files are imported or exported, or " in stuck(tasks("COMPLETED", 2))
    assert "No task was made yet: files are imported or exported, or " in stuck([])


def test_that_it_moves_again_is_said() -> None:
    assert moves_again(TaskTable(NOW), NOW - 4320) == (
        "moves again, after 1 h 12 min in which nothing had moved"
    )
