"""What a wait on a batch says of its counts, and when these end it early. They may lag, and step back."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from airflow_omics._faults import Fault
from airflow_omics._identity import Target
from airflow_omics._outcome import Tolerance
from airflow_omics._resource import BATCH
from airflow_omics._waiting.batch import BatchWait
from airflow_omics._waiting.wait import Ending
from airflow_omics.exceptions import FaultKind

pytestmark = pytest.mark.any_airflow

T0 = 1767225600.0
CREATED = "2026-01-01T00:00:00+00:00"
UUID = "96c57683-74bf-9d6d-ae7e-f09b097db14a"


def batch(status: str = "INPROGRESS", total: int | None = 1000, **counts: int) -> Any:
    """Return a record whose counts are those given by the words of GetBatch, the others 0."""
    record: dict[str, Any] = {"id": "7123456", "uuid": UUID, "status": status, "creationTime": CREATED}
    if total is None:
        return record
    not_started, unsent = counts.pop("not_started", 0), counts.pop("unsent", 0)
    return {
        **record,
        "totalRuns": total,
        "submissionSummary": {
            "failedStartSubmissionCount": not_started,
            "pendingStartSubmissionCount": unsent,
            "successfulStartSubmissionCount": total - unsent - not_started,
        },
        "runSummary": {
            f"{word}RunCount": counts.get(word, 0)
            for word in (
                *("pending", "starting", "running", "stopping"),
                *("completed", "failed", "cancelled", "deleted"),
            )
        },
    }


def wait(tolerance: Tolerance | None = None, *, stop: bool = False, **arguments: Any) -> BatchWait:
    given = {"started_at": T0, "timeout_at": T0 + 1e6, **arguments}
    return BatchWait(Target("7123456", resource=BATCH), tolerance=tolerance, stop_when_exceeded=stop, **given)


def line(record: Any, seconds: float, tolerance: Tolerance | None = None) -> tuple[int, str]:
    """Return the line that a first look gives, so many seconds after the batch was made."""
    waited = wait(tolerance)
    assert waited.answered(record, T0 + seconds) is None
    [said] = waited.lines.take()
    return said


def test_the_line_of_a_batch_in_progress() -> None:
    record = batch(completed=620, failed=14, not_started=6, running=290, starting=10, pending=50, unsent=10)
    level, said = line(record, 7519, Tolerance(50))
    assert level == logging.INFO
    assert said == (
        "Batch 7123456 INPROGRESS, 2 h 05: 1,000 runs: 620 done, 14 failed, 6 not started, 300 running, "
        "60 waiting; 20 of 50 tolerated failures used."
    )


LINES: dict[str, tuple[Any, float, Tolerance | None, str]] = {
    "nothing is known yet": (batch("CREATING", None), 4, None, "Batch 7123456 CREATING, 4 s."),
    "none was submitted yet": (
        batch("PENDING", unsent=1000),
        61,
        None,
        "Batch 7123456 PENDING, 1 min: 1,000 runs: 1,000 waiting.",
    ),
    "one run": (
        batch("SUBMITTING", 1, unsent=1),
        0,
        None,
        "Batch 7123456 SUBMITTING, 0 s: 1 run: 1 waiting.",
    ),
    "all counts are 0": (batch(total=3), 3599, None, "Batch 7123456 INPROGRESS, 59 min: 3 runs."),
    "cancelled": (
        batch("STOPPING", 5, stopping=2, cancelled=2, deleted=1),
        360000,
        Tolerance(5),
        "Batch 7123456 STOPPING, 100 h 00: 5 runs: 2 cancelled, 1 deleted, 2 stopping; "
        "3 of 5 tolerated failures used.",
    ),
    "none is tolerated": (
        batch(total=5, failed=1, running=4),
        60,
        None,
        "Batch 7123456 INPROGRESS, 1 min: 5 runs: 1 failed, 4 running; 1 run has ended badly, and none may.",
    ),
    "too many": (
        batch(failed=1051),
        60,
        Tolerance(0, 0.05),
        "Batch 7123456 INPROGRESS, 1 min: 1,000 runs: 1,051 failed; 1,051 runs have ended badly, and 50 may.",
    ),
    "a share of a total that is left out": (
        {**batch(failed=3, running=1), "totalRuns": None},
        60,
        Tolerance(0, 0.05),
        "Batch 7123456 INPROGRESS, 1 min: 3 failed, 1 running.",
    ),
    "no counts of runs": (
        {key: value for key, value in batch(not_started=2, unsent=7).items() if key != "runSummary"},
        60,
        Tolerance(9),
        "Batch 7123456 INPROGRESS, 1 min: 1,000 runs: 2 not started, 7 waiting; "
        "2 of 9 tolerated failures used.",
    ),
    "counts that are none": (
        {**batch(), "runSummary": None, "submissionSummary": ["?"]},
        60,
        None,
        "Batch 7123456 INPROGRESS, 1 min: 1,000 runs.",
    ),
}


@pytest.mark.parametrize("case", LINES)
def test_the_line_says_what_is_known(case: str) -> None:
    record, seconds, tolerance, expected = LINES[case]
    assert line(record, seconds, tolerance) == (logging.INFO, expected)


def test_a_status_that_nobody_knows_is_a_warning() -> None:
    level, said = line(batch("PAUSED", 3, pending=3), 60)
    assert level == logging.WARNING
    assert said == (
        "Batch 7123456 PAUSED, 1 min, a status this version of airflow-omics does not know; waiting on: "
        "3 runs: 3 waiting."
    )


def test_a_line_is_due_by_status_and_by_time_and_not_by_counts() -> None:
    waited, said = wait(), []
    looks = [
        (0, batch("SUBMITTING", 3, unsent=3)),
        (60, batch("INPROGRESS", 3, pending=3)),
        (120, batch("INPROGRESS", 3, completed=2, pending=1)),
        (600, batch("INPROGRESS", 3, pending=3)),  # stepped back
        (660, batch("INPROGRESS", 3, completed=1, pending=2)),
        (720, batch("STOPPING", 3, completed=1, stopping=2)),
    ]
    for seconds, record in looks:
        assert waited.answered(record, T0 + seconds) is None
        said.append([text for _, text in waited.lines.take()])
    assert said == [
        ["Batch 7123456 SUBMITTING, 0 s: 3 runs: 3 waiting."],
        ["Batch 7123456 INPROGRESS, was SUBMITTING, 1 min: 3 runs: 3 waiting."],
        [],
        [],
        ["Batch 7123456 INPROGRESS, 11 min: 3 runs: 1 done, 2 waiting."],
        ["Batch 7123456 STOPPING, was INPROGRESS, 12 min: 3 runs: 1 done, 2 stopping."],
    ]


def test_a_batch_without_a_creation_time_is_as_old_as_the_wait() -> None:
    record = batch(total=3)
    del record["creationTime"]
    assert line(record, 7200)[1] == "Batch 7123456 INPROGRESS, 2 h 00: 3 runs."


# -- the early end -------------------------------------------------------------------------------------------


def endings(waited: BatchWait, *records: Any) -> list[Ending | None]:
    return [waited.answered(record, T0 + 60 * number) for number, record in enumerate(records, 1)]


def test_two_answers_in_a_row_end_the_wait() -> None:
    waited = wait(Tolerance(2), stop=True)
    first, second = endings(waited, batch(failed=3), batch(failed=2, not_started=2))
    assert first is None
    assert second is not None
    assert (second.outcome, second.error, second.kind) == ("too_many_failures", None, None)
    assert second.record == batch(failed=2, not_started=2)
    assert second.message == ("HealthOmics batch 7123456: by its counts, 4 runs have ended badly, and 2 may.")


def test_counts_that_step_back_between_two_looks_end_nothing() -> None:
    waited = wait(Tolerance(2), stop=True)
    records = [batch(failed=failed) for failed in (3, 2, 3, 0, 3, 2)]
    assert endings(waited, *records) == [None] * 6
    assert [ending is not None for ending in endings(waited, batch(failed=3), batch(failed=3))] == [
        False,
        True,
    ]


def test_as_many_as_are_tolerated_end_nothing() -> None:
    assert endings(wait(Tolerance(3), stop=True), *[batch(failed=3)] * 3) == [None] * 3


def test_a_share_counts_of_the_total_and_not_before_it_is_known() -> None:
    unknown = {**batch(failed=60), "totalRuns": None}
    waited = wait(Tolerance(0, 0.05), stop=True)
    assert endings(waited, unknown, unknown, unknown, batch(failed=50), batch(failed=51)) == [None] * 5
    [ending] = endings(waited, batch(failed=51))
    assert ending is not None


def test_a_call_that_fails_between_two_answers_changes_nothing() -> None:
    waited = wait(stop=True)
    assert endings(waited, batch(failed=1)) == [None]
    assert waited.failed(Fault(FaultKind.TRANSIENT, "throttled"), T0 + 70) is None
    assert endings(waited, batch(failed=1))[0] is not None


@pytest.mark.parametrize("status", ["PROCESSED", "CANCELLED", "FAILED", "RUNS_DELETED"])
def test_a_status_that_ends_the_batch_goes_before(status: str) -> None:
    waited = wait(stop=True)
    _, ending = endings(waited, batch(failed=9), batch(status, failed=9))
    assert ending is not None
    assert ending.outcome == "terminal"


def test_a_batch_that_is_being_cancelled_is_waited_for() -> None:
    assert endings(wait(stop=True), *[batch("STOPPING", failed=9)] * 3) == [None] * 3


def test_nobody_who_does_not_ask_for_it_gets_it() -> None:
    assert endings(wait(), *[batch(failed=9)] * 4) == [None] * 4


def test_another_batch_s_counts_are_not_ours() -> None:
    waited = wait(stop=True)
    other = {**batch(failed=9), "uuid": "00000000-0000-4000-8000-000000000000"}
    _, ending = endings(waited, batch(failed=9), other)
    assert ending is not None
    assert (ending.outcome, (ending.record or {}).get("status")) == ("terminal", "DELETED")


def test_a_wait_is_handed_to_a_trigger_with_its_tolerance() -> None:
    waited = wait(Tolerance(50, 0.05), stop=True)
    waited.answered(batch(), T0 + 60)
    assert waited.for_trigger() == {
        "batch_id": {"id": "7123456", "uuid": UUID},
        "started_at": T0,
        "timeout_at": T0 + 1e6,
        "created": T0,
        "status": "INPROGRESS",
        "max_failures": 50,
        "max_failure_ratio": 0.05,
        "stop_when_exceeded": True,
    }
