"""What `make up` opens on, as the local HealthOmics has it, before an Airflow sees it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import boto3
import pytest

from airflow_omics.emulator import mock_omics
from scripts.stack.scene_runs import HOURS, Run, SceneRuns

pytestmark = pytest.mark.any_airflow

SHOWN = {"COMPLETED": 86, "RUNNING": 36, "PENDING": 15, "FAILED": 8, "STARTING": 3, "CANCELLED": 2}


class Played(NamedTuple):
    """The runs, and a client of where they are."""

    runs: SceneRuns
    client: Any

    def record(self, run: Run) -> dict[str, Any]:
        record: dict[str, Any] = self.client.get_run(id=run.id)
        return record


@pytest.fixture(scope="module")
def played() -> Iterator[Played]:
    with mock_omics() as emulator:
        emulator.turn_back(HOURS * 3600)
        runs = SceneRuns(emulator, 150)
        runs.play()
        yield Played(runs, boto3.client("omics", region_name="us-east-1"))


def test_the_cohort_is_in_all_states_and_its_runs_are_as_they_are_announced(played: Played) -> None:
    records = [played.record(run) for run in played.runs.cohort]
    assert Counter(record["status"] for record in records) == SHOWN == played.runs.statuses
    reasons = Counter(record["failureReason"] for record in records if "failureReason" in record)
    assert reasons == {"OUT_OF_MEMORY_ERROR": 4, "INPUT_URI_NOT_FOUND": 2, "SERVICE_ERROR": 2}


def test_one_run_goes_on_one_failed_and_three_are_there_to_compare_with(played: Played) -> None:
    runs = played.runs
    assert [played.record(run)["status"] for run in runs.running] == ["RUNNING"]
    assert [played.record(run)["failureReason"] for run in runs.failed] == ["OUT_OF_MEMORY_ERROR"]
    assert [played.record(run)["status"] for run in runs.finished] == ["COMPLETED"] * 3


def test_the_run_that_failed_has_one_task_that_did_which_says_why(played: Played) -> None:
    [run] = played.runs.failed
    [task] = played.client.list_run_tasks(id=run.id, status="FAILED")["items"]
    record = played.client.get_run_task(id=run.id, taskId=task["taskId"])
    assert (record["name"], record["failureReason"]) == ("call_variants_3", "OUT_OF_MEMORY_ERROR")
    assert record["statusMessage"] == "The task ran out of memory (exit code 137)."


def test_the_run_that_goes_on_has_tasks_in_all_states(played: Played) -> None:
    [run] = played.runs.running
    tasks = played.client.list_run_tasks(id=run.id)["items"]
    states = Counter(task["status"] for task in tasks)
    assert states == {"COMPLETED": 7, "FAILED": 1, "RUNNING": 3, "PENDING": 2}
    assert [task["name"] for task in tasks if task.get("cacheHit")] == ["fastqc", "trim_adapters"]
    # One that failed was attempted again.
    assert [task["status"] for task in tasks if task["name"] == "call_variants_2"] == ["FAILED", "RUNNING"]


def test_hours_have_passed_by_now(played: Played) -> None:
    records = [played.record(run) for run in (*played.runs.cohort, *played.runs.running)]
    moments = [
        record[name].timestamp()
        for record in records
        for name in ("creationTime", "startTime", "stopTime")
        if name in record
    ]
    assert max(moments) <= time.time()
    assert min(moments) == pytest.approx(time.time() - HOURS * 3600, abs=60)
