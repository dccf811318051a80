"""How the matrix divides the tests: each part is run once, and never two Airflows side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import matrix
from scripts.matrix import LANES, ROWS, Part, Queue, Row

REPOSITORY = Path(__file__).resolve().parents[2]


FIRST, SECOND = LANES


def taken_by(queue: Queue, lane: tuple[str, ...]) -> list[tuple[str, Part]]:
    """Return what a lane runs if it has the queue for itself."""
    found = []
    while taken := queue.take(lane):
        found.append((taken[0].name, taken[1]))
    return found


def test_every_part_of_every_row_is_run_once() -> None:
    queue = Queue([Row(name) for name in ROWS])
    taken = [(row, part.name) for lane in reversed(LANES) for row, part in taken_by(queue, lane)]
    assert sorted(taken) == sorted((name, part.name) for name in ROWS for part in Row(name).parts)


def test_only_one_lane_starts_airflows() -> None:
    assert [lane for lane in LANES if "airflow" in lane] == [FIRST]
    for name in ROWS:
        assert [part.name for part in Row(name).parts if part.kind == "airflow"] == ["end-to-end"]


def test_two_lanes_begin_with_different_rows() -> None:
    queue = Queue([Row(name) for name in ("lowest", "3.0", "3.3-py3.13")])
    began = [queue.take(lane) for lane in (FIRST, SECOND)]
    assert [taken and taken[0].name for taken in began] == ["lowest", "3.3-py3.13"]


def test_who_starts_airflows_helps_when_none_is_left_to_start() -> None:
    taken = taken_by(Queue([Row("2.11"), Row("3.0")]), FIRST)
    assert [(row, part.name) for row, part in taken] == [
        ("2.11", "end-to-end"),
        ("3.0", "end-to-end"),
        ("3.0", "task-runner"),
        ("3.0", "unit"),
        ("2.11", "task-runner"),
    ]


def unit_tests(row: str) -> list[str]:
    return [path for part in Row(row).parts for path in part.tests if path.startswith("tests/unit")]


def test_the_ends_of_airflow_3_and_each_python_have_all_unit_tests_and_what_is_between_some() -> None:
    everything = {row for row in ROWS if unit_tests(row) == ["tests/unit"]}
    assert everything == {"lowest", "3.0", "3.3", "3.3-py3.13"}
    between = {row for row in ROWS if unit_tests(row) and row not in everything}
    assert between == {"3.1", "3.2", "3.1-py3.13", "3.2-py3.13"}


@pytest.mark.parametrize("row", ROWS)
def test_what_a_row_tests_is_there(row: str) -> None:
    paths = [path for part in Row(row).parts for path in part.tests if path.startswith("tests/")]
    assert [path for path in paths if not (REPOSITORY / path).exists()] == []
    assert (REPOSITORY / "constraints" / f"{ROWS[row][0]}.txt").exists()


GOT = {
    "airflow": "3.0.6",
    "apache-airflow": "3.0.6",
    "apache-airflow-providers-amazon": "9.8.0",
    "aiobotocore": "2.22.0",
    "botocore": "1.37.3",
}


def test_a_row_with_another_version_than_pinned_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "pins", lambda name: {**GOT, "botocore": "1.38.0"})
    assert matrix.check_versions("3.0", "airflow-3.0", GOT) == "botocore 1.37.3 instead of 1.38.0"


def test_a_row_of_another_airflow_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "pins", lambda name: GOT)
    assert matrix.check_versions("3.0", "airflow-3.0", GOT) == ""
    assert matrix.check_versions("3.1", "airflow-3.1", GOT) == "Airflow says that it is 3.0.6"
