"""What `make demo COHORT=200` plans and compares, and how it shows how far the runs are."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from scripts.stack import StackError
from scripts.stack.cohort import LARGEST, SMALLEST, Cohort
from scripts.stack.progress import LINE_EVERY, ProgressBar

SIZES = [SMALLEST, 57, 100, 200, 333, LARGEST]
HALF = {"done": 60, "failed": 20, "running": 20, "waiting": 100}


def result(cohort: Cohort) -> dict[str, Any]:
    """Return a result as it should be, counted from the troubles themselves."""
    failed = [
        sample for sample, trouble in cohort.troubles.items() if trouble.fails == 2 or not trouble.again
    ]
    reasons = {cohort.troubles[sample].reason for sample in failed}
    by_reason = {name: [each for each in failed if cohort.troubles[each].reason == name] for name in reasons}
    total = len(cohort.samples)
    return {
        "outcome": {
            "total": total,
            "completed": total - len(failed),
            "failed": len(failed),
            "cancelled": 0,
            "deleted": 0,
            "notStarted": 0,
        },
        "failures": [
            {"reason": name, "count": len(each), "examples": [{"runSettingId": each[0]}]}
            for name, each in by_reason.items()
        ],
    }


@pytest.mark.parametrize("size", SIZES)
def test_too_many_fail_at_first_and_few_enough_in_the_end(size: int) -> None:
    cohort = Cohort(size)
    again = {sample for sample, trouble in cohort.troubles.items() if trouble.again}
    failed = {sample for sample, trouble in cohort.troubles.items() if trouble.is_final}
    assert len(cohort.troubles) > size // 20 >= len(failed) > 0
    assert len({trouble.reason for trouble in cohort.troubles.values()}) == 4
    assert again - failed
    assert again & failed


def test_a_sheet_has_a_row_for_each_sample(tmp_path: Path) -> None:
    Cohort(40).write_sheet(tmp_path / "cohort.csv")
    header, *rows = (tmp_path / "cohort.csv").read_text().splitlines()
    assert header == (Path(__file__).parents[2] / "example_dags" / "cohort.csv").read_text().splitlines()[0]
    assert len(rows) == 40
    assert rows[6] == "S0007,s3://cohort-reads/S0007.fastq.gz,30"


def test_a_result_as_planned_passes() -> None:
    cohort = Cohort(200)
    cohort.check(result(cohort), 2_500)
    members = [
        {"runSettingId": s, "status": "FAILED" if s in cohort.that(is_final=True) else "COMPLETED"}
        for s in cohort.samples
    ]
    cohort.check_members(members)
    assert sum(cohort.runs.values()) == 200 + 10  # the two that could not be started had no first run


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda r: r["outcome"].update(completed=194, failed=6), "outcome is"),
        (lambda r: r["failures"].pop(), "failures is"),
        (lambda r: r["failures"][0].update(count=9), "failures is"),
        (lambda r: r["failures"][0].update(examples=[]), "the examples for"),
        (lambda r: r["failures"][0].update(examples=[{"runSettingId": "S0001"}]), "the examples for"),
        (lambda r: r.pop("outcome"), "outcome is"),
    ],
)
def test_whatever_is_off_in_the_result_ends_the_demo(wrong: Any, says: str) -> None:
    cohort = Cohort(200)
    record = result(cohort)
    wrong(record)
    with pytest.raises(StackError, match=says):
        cohort.check(record, 2_500)


def test_a_large_result_and_a_sample_that_is_missing_end_the_demo() -> None:
    cohort = Cohort(200)
    with pytest.raises(StackError, match="100,000 bytes"):
        cohort.check(result(cohort), 100_000)
    with pytest.raises(StackError, match="members is"):
        cohort.check_members([{"runSettingId": s, "status": "COMPLETED"} for s in cohort.samples[1:]])


# -- the bar -------------------------------------------------------------------------------------------------


def bar(is_terminal: bool) -> tuple[ProgressBar, io.StringIO, list[float]]:
    stream, now = io.StringIO(), [0.0]
    return (
        ProgressBar(200, lambda: "00:10", stream=stream, is_terminal=is_terminal, clock=lambda: now[0]),
        (stream),
        now,
    )


def test_a_terminal_shows_two_lines_that_are_drawn_again() -> None:
    progress, stream, _ = bar(is_terminal=True)
    progress.show("SUBMITTING", HALF, "task deferred")
    first = stream.getvalue()
    assert "  00:10  SUBMITTING   60 done   20 failed   20 running  100 waiting\n" in first
    assert f"         {'━' * 25}{'·' * 25}  task deferred\r\033[A" in first
    progress.show("INPROGRESS", {**HALF, "done": 160, "waiting": 0}, "task deferred")
    assert stream.getvalue().count("\n") == 2  # each goes back up
    assert "━" * 50 in stream.getvalue()
    progress.end()
    assert stream.getvalue().endswith("\n\n")


def test_a_file_gets_a_line_now_and_then_and_no_code() -> None:
    progress, stream, now = bar(is_terminal=False)
    progress.show("SUBMITTING", HALF, "task deferred")
    progress.show("SUBMITTING", {**HALF, "done": 61}, "task deferred")
    now[0] = LINE_EVERY
    progress.show("SUBMITTING", {**HALF, "done": 62}, "task deferred")
    progress.show("INPROGRESS", {**HALF, "done": 62}, "task deferred")  # at once
    assert "INPROGRESS" in stream.getvalue()
    now[0] = 3 * LINE_EVERY
    progress.show("INPROGRESS", {**HALF, "done": 62}, "task deferred")  # nothing new
    progress.end()
    lines = stream.getvalue().splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["00:10", "SUBMITTING", "60"],
        ["00:10", "SUBMITTING", "62"],
        ["00:10", "INPROGRESS", "62"],
    ]
    assert "\033" not in stream.getvalue()
