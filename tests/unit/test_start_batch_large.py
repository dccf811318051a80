"""A thousand samples that fail for five reasons, settings that change under a batch, and counts that lie."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from airflow_omics.exceptions import OmicsBatchFailedError, OmicsBatchMembersFailedError
from airflow_omics.hooks import OmicsHook
from tests.support.sensors import Clock
from tests.support.start_batches import (
    BUCKET,
    StartBatch,
    batches,
    cohort,
    die_once,
    members_of,
    objects,
    omics_client,
    runs_by_sample,
    s3,
)
from tests.support.start_operators import Store, WorkerDied

pytestmark = pytest.mark.any_airflow
PASSES = ("failed-service-error", "failed-out-of-memory-error", "failed-instance-reservation-failed")
STAYS = ("failed-ecr-permission-error", "failed-assume-role-failed")
# Each for ten samples: 10, 110, ... ; 20, 120, ...
LIVES = {
    number: life
    for position, life in enumerate((*PASSES, *STAYS), 1)
    for number in range(10 * position, 1000, 100)
}
MAY_PASS = {f"s{number}" for number, life in LIVES.items() if life in PASSES}


def test_of_a_thousand_only_those_run_again_whose_failure_may_pass_and_each_once(
    start_batch: StartBatch, omics: Any
) -> None:
    omics.batches(starts_per_second=50)
    done = start_batch(run_settings=cohort(1000, LIVES), rerun_failed=1, retries=0)()
    assert isinstance(done.error, OmicsBatchMembersFailedError)
    first, second = batches()
    assert (first["totalRuns"], second["totalRuns"]) == (1000, 30)
    assert members_of(second) == MAY_PASS
    assert len(omics.requests("StartRunBatch")) == 2
    runs = runs_by_sample()
    assert runs == {f"s{number}": 1 + (f"s{number}" in MAY_PASS) for number in range(1, 1001)}
    record = done.pushed["return_value"]
    assert (record["outcome"]["total"], record["outcome"]["completed"], record["outcome"]["failed"]) == (
        1000,
        950,
        50,
    )
    assert [row["count"] for row in record["failures"]] == [10] * 5
    members = objects()[record["membersUri"].removeprefix(f"s3://{BUCKET}/")]
    assert Counter(member["status"] for member in members) == {"COMPLETED": 950, "FAILED": 50}
    assert len({member["runSettingId"] for member in members}) == 1000


# -- a settings file that changes ----------------------------------------------------------------------------


def test_a_settings_file_that_was_changed_fails_its_batch_and_a_retry_starts_what_is_left(
    start_batch: StartBatch, omics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    omics.batches(starts_per_second=50)
    task = start_batch(run_settings=cohort(120), retries=1, store=Store())
    start = OmicsHook.start_run_batch

    def changed_after(self: Any, request: Any) -> Any:
        answer = start(self, request)
        key = request["batchRunSettings"]["s3UriSettings"].removeprefix(f"s3://{BUCKET}/")
        body = s3().get_object(Bucket=BUCKET, Key=key)["Body"].read()
        s3().put_object(Bucket=BUCKET, Key=key, Body=body + b" ")
        monkeypatch.setattr(OmicsHook, "start_run_batch", start)
        return answer

    monkeypatch.setattr(OmicsHook, "start_run_batch", changed_after)
    first = task()
    assert isinstance(first.error, OmicsBatchFailedError)
    assert "s3UriConfigs have changed since calling StartRunBatch" in str(first.error)
    assert not runs_by_sample()
    second = task()
    assert second.kind == "success", second.error
    assert set(runs_by_sample().values()) == {1}
    assert second.result["outcome"]["completed"] == 120
    assert len(batches()) == 2


def test_a_retry_after_a_death_before_the_call_takes_the_file_as_it_is(
    start_batch: StartBatch, omics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    omics.batches(starts_per_second=50)
    task = start_batch(run_settings=cohort(120), retries=1)
    die_once(monkeypatch, "before", omics)
    assert isinstance(task().error, WorkerDied)
    [key] = objects()
    body = s3().get_object(Bucket=BUCKET, Key=key)["Body"].read() + b"\n"
    s3().put_object(Bucket=BUCKET, Key=key, Body=body)  # another ETag, the same entries
    assert task().kind == "success"
    assert s3().get_object(Bucket=BUCKET, Key=key)["Body"].read() == body


# -- counts that lag and step back ---------------------------------------------------------------------------


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferrable"])
@pytest.mark.parametrize("lag", [0, 600])
def test_the_rest_is_cancelled_once_however_the_counts_lag_and_step_back(
    start_batch: StartBatch, omics: Any, monkeypatch: pytest.MonkeyPatch, lag: float, deferrable: bool
) -> None:
    omics.batches(counts_lag=lag)
    read, looks = OmicsHook.get_batch, Counter[str]()

    def steps_back(self: Any, batch_id: str) -> Any:
        record: Any = read(self, batch_id)
        counts = record.get("runSummary", {})
        looks["failed"] += counts.get("failedRunCount", 0) > 1
        if record["status"] == "INPROGRESS" and looks["failed"] % 3 == 1:
            return {**record, "runSummary": {**counts, "failedRunCount": 0}}
        return record

    monkeypatch.setattr(OmicsHook, "get_batch", steps_back)
    lives = {1: PASSES[0], 2: PASSES[0], **dict.fromkeys(range(3, 8), "running-forever")}
    done = start_batch(
        run_settings=cohort(7, lives), max_failures=1, on_too_many_failures="cancel", deferrable=deferrable
    )()
    assert isinstance(done.error, OmicsBatchMembersFailedError)
    outcome = done.pushed["return_value"]["outcome"]
    assert (outcome["total"], outcome["failed"], outcome["cancelled"]) == (7, 2, 5)
    assert len(omics.requests("CancelRunBatch")) == 1
    assert set(runs_by_sample().values()) == {1}


def test_a_batch_that_somebody_cancelled_already_is_not_cancelled_again(
    start_batch: StartBatch, omics: Any, clock: Clock
) -> None:
    lives = {1: PASSES[0], 2: "running-forever"}
    clock.at(1500, lambda: omics_client().cancel_run_batch(batchId=batches()[0]["id"]))
    start_batch(run_settings=cohort(2, lives), on_too_many_failures="cancel")()
    assert len(omics.requests("CancelRunBatch")) == 1
