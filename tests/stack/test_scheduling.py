"""Tests that start an Airflow must not run beside each other: two cores hold one."""

from __future__ import annotations

import collections
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
# Says who would run a test, and runs none.
PLUGIN = """
import os

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    with open(os.environ["SHARED_OUT"], "a") as file:
        file.write(os.environ["PYTEST_XDIST_WORKER"] + " " + item.nodeid + chr(10))
    return True
"""


def test_each_folder_that_starts_an_airflow_stays_with_one_worker(tmp_path: Path) -> None:
    (tmp_path / "say_who.py").write_text(PLUGIN)
    out = tmp_path / "shared-out"
    folders = ("tests/stack", "tests/task_runner")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "say_who", "-p", "no:cacheprovider", "-n", "2", *folders],
        cwd=REPOSITORY,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path), "SHARED_OUT": str(out)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert out.exists(), done.stdout + done.stderr
    workers = collections.defaultdict(set)
    for line in out.read_text().splitlines():
        worker, _, test = line.partition(" ")
        workers[test.split("/")[1]].add(worker)
    # That all else is shared out is held by tests/scripts/test_sharing_out.py.
    assert {folder: len(found) for folder, found in workers.items()} == {"stack": 1, "task_runner": 1}
