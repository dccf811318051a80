"""How the matrix divides the tests: each part once, and never two Airflows side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import matrix
from scripts.matrix import ROWS, Queue, Row

REPOSITORY = Path(__file__).resolve().parents[2]


def test_every_part_of_every_row_is_taken_once_by_either_of_the_two() -> None:
    rows = [Row(name) for name in ROWS]
    queue = Queue(rows)
    taken = []
    while part := queue.take(first=False) or queue.take(first=True):
        taken.append((part[0].name, part[1].name))
    assert sorted(taken) == sorted((row.name, part.name) for row in rows for part in row.parts)


def test_the_second_of_the_two_never_starts_an_airflow() -> None:
    queue = Queue([Row(name) for name in ROWS])
    second = []
    while part := queue.take(first=False):
        second.append(part[1])
    assert not [part for part in second if part.alone]
    assert len(second) == sum(not part.alone for name in ROWS for part in Row(name).parts)


def test_the_two_begin_with_different_rows() -> None:
    queue = Queue([Row(name) for name in ("lowest", "3.0", "3.3-py3.13")])
    first, second = queue.take(first=True), queue.take(first=False)
    assert first
    assert second
    assert (first[0].name, second[0].name) == ("lowest", "3.3-py3.13")


def test_the_first_helps_when_no_airflow_is_left_to_start() -> None:
    queue = Queue([Row("3.0")])
    names = []
    while part := queue.take(first=True):
        names.append(part[1].name)
    assert names == ["end-to-end", "unit", "task-runner"]


@pytest.mark.parametrize("row", ROWS)
def test_what_a_row_tests_is_there(row: str) -> None:
    paths = [part.tests[0] for part in Row(row).parts]
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
