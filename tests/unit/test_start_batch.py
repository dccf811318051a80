"""A batch of runs as one task: started once, judged by a tolerance, and run again where it failed."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_omics.exceptions import OmicsBatchMembersFailedError
from tests.support.start_batches import (
    StartBatch,
    batches,
    cohort,
    objects,
    omics_client,
    runs_by_sample,
)

FAILS = "failed-out-of-memory-error"


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferrable"])
def test_three_samples_are_three_runs_of_one_batch(start_batch: StartBatch, deferrable: bool) -> None:
    done = start_batch(deferrable=deferrable)()
    assert done.kind == "success", done.error
    [batch] = batches()
    record = done.result
    assert (record["id"], record["status"], record["totalRuns"]) == (batch["id"], "PROCESSED", 3)
    assert record["outcome"] == {
        "total": 3,
        "completed": 3,
        "failed": 0,
        "cancelled": 0,
        "deleted": 0,
        "notStarted": 0,
    }
    assert "failures" not in record
    assert {m["runSettingId"]: m["status"] for m in record["members"]} == {
        "s1": "COMPLETED",
        "s2": "COMPLETED",
        "s3": "COMPLETED",
    }
    named = {item["id"]: item["name"] for item in omics_client().list_runs(batchId=batch["id"])["items"]}
    assert {m["runId"]: m["runSettingId"] for m in record["members"]} == named


def test_too_many_failures_fail_the_task_with_a_report(start_batch: StartBatch) -> None:
    done = start_batch(run_settings=cohort(4, {2: FAILS}))()
    assert isinstance(done.error, OmicsBatchMembersFailedError)
    assert "1 of 4 runs did not complete" in str(done.error)
    assert done.pushed["return_value"]["outcome"]["failed"] == 1
    [row] = done.error.failures
    assert (row["reason"], row["count"], row["examples"][0]["runSettingId"]) == (
        "OUT_OF_MEMORY_ERROR",
        1,
        "s2",
    )


@pytest.mark.parametrize(
    "tolerance",
    [{"max_failures": 1}, {"max_failure_ratio": 0.25}, {"max_failures": 9, "max_failure_ratio": 0.3}],
)
def test_what_is_tolerated_is_listed(start_batch: StartBatch, tolerance: Any) -> None:
    done = start_batch(run_settings=cohort(4, {2: FAILS}), **tolerance)()
    assert done.kind == "success"
    assert done.result["outcome"]["completed"] == 3
    assert done.result["failures"][0]["count"] == 1


def test_a_rerun_within_a_try_has_only_what_failed(start_batch: StartBatch, omics: Any) -> None:
    omics.default_life = "completed"
    done = start_batch(run_settings=cohort(5, {2: FAILS, 4: FAILS}), rerun_failed=1)()
    assert runs_by_sample() == {"s1": 1, "s2": 2, "s3": 1, "s4": 2, "s5": 1}
    assert isinstance(done.error, OmicsBatchMembersFailedError)
    assert done.pushed["return_value"]["outcome"]["failed"] == 2
    assert len(done.pushed["return_value"]["batches"]) == 2


def test_large_settings_and_members_are_in_s3(start_batch: StartBatch, omics: Any) -> None:
    omics.batches(starts_per_second=50)
    done = start_batch(run_settings=cohort(150))()
    assert done.kind == "success", done.error
    [settings] = [
        content for key, content in objects().items() if isinstance(content, list) and "name" in content[0]
    ]
    assert len(settings) == 150
    uri = done.result["membersUri"]
    members = objects()[uri.removeprefix("s3://omics-outputs/")]
    assert len(members) == 150
    assert {member["status"] for member in members} == {"COMPLETED"}
    assert "members" not in done.result


@pytest.mark.parametrize("broken", [False, True], ids=["", "metrics-fail"])
def test_the_metrics_count_the_members(
    start_batch: StartBatch, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    sent: list[tuple[Any, ...]] = []

    class Stats:
        def incr(self, *arguments: Any) -> None:
            if broken:
                raise ConnectionError("statsd is gone")
            sent.append(arguments)

    monkeypatch.setattr("airflow_omics._compat._airflow_stats", Stats)
    done = start_batch(run_settings=cohort(4, {2: FAILS}), max_failures=1)()
    assert done.kind == "success"
    assert sent == ([] if broken else [("omics.batch.completed", 3), ("omics.batch.bad",)])
