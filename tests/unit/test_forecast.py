"""When a run should end by the runs before it, and which tasks are attempts of one."""

from __future__ import annotations

import pytest

from airflow_omics._monitoring.attempts import attempts_of
from airflow_omics._monitoring.forecast import forecast
from airflow_omics._monitoring.task_table import RunTask, TaskTable, epoch

pytestmark = pytest.mark.any_airflow


def test_without_an_earlier_run_nothing_is_said() -> None:
    assert forecast((), 10) is None


@pytest.mark.parametrize(
    ("ran", "left", "longer"),
    [
        (0, 300, 4),
        (100, 300, 3),
        (250, 250, 2),
        (399, 101, 2),
        (400, 200, 1),
        (599, 1, 1),
        (600, None, 0),
        (900, None, 0),
    ],
)
def test_what_is_left_is_the_median_of_those_that_took_longer(
    ran: float, left: float | None, longer: int
) -> None:
    found = forecast((400, 100, 600, 200), ran)
    assert found is not None
    assert found == (4, 100, 600, left, longer)


def task(
    id: str, status: str, created: float | None, stopped: float | None = None, name: str = "Align"
) -> RunTask:
    return RunTask(id, name, status, created, created, stopped)


def numbers(*tasks: RunTask) -> list[tuple[int, int]]:
    return [(one.number, one.of) for one in attempts_of(tasks)]


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        ([], []),
        ([task("1", "FAILED", 0, 5), task("2", "COMPLETED", 5, 9)], [(1, 2), (2, 2)]),
        (
            [task("1", "FAILED", 0, 5), task("2", "FAILED", 6, 7), task("3", "RUNNING", 8)],
            [(1, 3), (2, 3), (3, 3)],
        ),
        # Of one name, and none is a retry: one had not failed, the other was made before it had.
        ([task("1", "COMPLETED", 0, 5), task("2", "RUNNING", 6)], [(1, 1), (1, 1)]),
        ([task("1", "FAILED", 0, 5), task("2", "RUNNING", 4)], [(1, 1), (1, 1)]),
        # Two that failed beside each other, each with a retry of its own.
        (
            [
                task("1", "FAILED", 0, 5),
                task("2", "FAILED", 0, 9),
                task("3", "RUNNING", 6),
                task("4", "RUNNING", 9),
            ],
            [(1, 2), (1, 2), (2, 2), (2, 2)],
        ),
        ([task("1", "FAILED", 0, 5), task("2", "COMPLETED", 6, 7, "Sort")], [(1, 1), (1, 1)]),
        ([task("1", "FAILED", 0, None), task("2", "RUNNING", 3)], [(1, 2), (2, 2)]),
    ],
)
def test_an_attempt_is_made_after_one_of_its_name_failed(
    tasks: list[RunTask], expected: list[tuple[int, int]]
) -> None:
    assert numbers(*tasks) == expected


def test_only_an_attempt_that_another_one_followed_says_so() -> None:
    first, second = attempts_of([task("1", "FAILED", 0, 5), task("2", "FAILED", 6, 7)])
    assert (first.was_followed, second.was_followed) == (True, False)


@pytest.mark.parametrize(
    ("fields", "row", "expected"),
    [
        (["id", "created"], ["1", float("nan")], None),
        (["id", "created"], ["1", 10**400], None),
        (["id", "created"], ["1", -1e14], None),
        (["id", "created"], ["1", True], None),
        (["id", "created"], ["1", 60], 1_768_478_460.0),
    ],
)
def test_a_time_of_a_task_is_one_that_a_calendar_has(
    fields: list[str], row: list[object], expected: object
) -> None:
    noon = "2026-01-15T12:00:00+00:00"
    table = TaskTable.of_plain({"seen": noon, "from": noon, "fields": fields, "tasks": [row]})
    assert table is not None
    assert table.tasks[0].created == expected


@pytest.mark.parametrize("fields", [[[]], [None], "id", None, [{}]])
def test_a_table_without_names_of_its_fields_is_none(fields: object) -> None:
    assert TaskTable.of_plain({"seen": "2026-01-15T12:00:00Z", "fields": fields, "tasks": [["1"]]}) is None


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00", "9999-12-31T23:59:59-23:59", "no time", None, 7])
def test_a_time_of_no_use_is_none(text: object) -> None:
    assert epoch(text) is None
