"""`make demo COHORT=...` of a small cohort, in a pipe: it compares what comes of it itself."""

from __future__ import annotations

import os
import subprocess
import sys

from scripts.stack.cohort import SMALLEST
from scripts.stack.stack import REPOSITORY

stack = None
"""This module needs no Airflow of the session: the demo brings its own."""


def test_a_small_cohort_is_shown_from_the_sheet_to_the_result() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.demo_cohort", "--cohort", str(SMALLEST)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f": {SMALLEST} runs\n" in done.stdout
    assert ": 3 runs again, whose failure may pass\n" in done.stdout
    assert "38 completed, 2 did not, and 2 may: the task is a success" in done.stdout
    assert "\033" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) < 120


def test_a_cohort_that_is_too_small_is_refused_before_anything_starts() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.demo_cohort", "--cohort", "7"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "COHORT is 7; give a number of samples from 40 to 1,000" in done.stderr
