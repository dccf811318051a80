"""How the runs of a batch ended, in numbers, and how many may end badly."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_omics._outcome import Outcome, Tolerance, bad_so_far

# They are about values and files, and need nothing of Airflow that differs.
pytestmark = pytest.mark.any_airflow


def record(total: int | None = 10, *, not_started: int = 0, status: str = "PROCESSED", **runs: int) -> Any:
    counts = {f"{state}RunCount": number for state, number in runs.items()}
    submission = {"failedStartSubmissionCount": not_started}
    return {
        "status": status,
        "runSummary": counts,
        "submissionSummary": submission,
        **({} if total is None else {"totalRuns": total}),
    }


def test_the_counts_of_a_batch_that_is_processed_are_its_outcome() -> None:
    outcome = Outcome.of_record(record(completed=5, failed=2, cancelled=1, deleted=1, not_started=1))
    assert outcome == Outcome(10, 5, 2, 1, 1, 1)
    assert outcome.bad == 5
    assert outcome.to_plain() == {
        "total": 10,
        "completed": 5,
        "failed": 2,
        "cancelled": 1,
        "deleted": 1,
        "notStarted": 1,
    }


@pytest.mark.parametrize(
    "unusable",
    [
        record(completed=9),
        record(completed=9, running=1),
        record(completed=10, failed=1),
        record(None, completed=10),
        {"status": "PROCESSED", "totalRuns": 10},
        {"status": "PROCESSED", "totalRuns": "10", "runSummary": {"completedRunCount": 10}},
        record(completed=9, running=1, status="CANCELLED"),
        record(completed=11, status="CANCELLED"),
    ],
)
def test_counts_that_do_not_add_up_tell_no_outcome(unusable: Any) -> None:
    assert Outcome.of_record(unusable) is None


@pytest.mark.parametrize("status", ["CANCELLED", "FAILED"])
def test_what_a_batch_that_ended_early_did_not_come_to_is_not_started(status: str) -> None:
    assert Outcome.of_record(record(completed=4, cancelled=1, status=status)) == Outcome(10, 4, 0, 1, 0, 5)


@pytest.mark.parametrize(
    ("most", "ratio", "total", "allowed"),
    [
        (0, None, 100, 0),
        (3, None, 100, 3),
        (0, 0.1, 30, 3),
        (0, 0.29, 100, 29),
        (0, 0.05, 19, 0),
        (0, 1.0, 7, 7),
        (5, 0.1, 100, 5),
        (50, 0.1, 100, 10),
        (5, 0.0, 100, 0),
    ],
)
def test_more_than_either_limit_is_too_many(most: int, ratio: float | None, total: int, allowed: int) -> None:
    tolerance = Tolerance(most, ratio)
    assert not tolerance.is_exceeded(allowed, total)
    assert tolerance.is_exceeded(allowed + 1, total)
    assert tolerance.describe(total) == f"{allowed} of {total} may end badly"


def test_what_has_ended_badly_so_far_counts_submissions_that_failed() -> None:
    running = record(completed=1, failed=2, cancelled=1, deleted=1, running=3, not_started=2)
    assert bad_so_far(running) == 6
    assert bad_so_far({"status": "CREATING"}) == 0
