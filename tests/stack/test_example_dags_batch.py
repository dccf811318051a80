"""The example DAGs that start batches on a real Airflow, from their trigger to their end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_omics.emulator import EmulatorClient
from scripts.stack import Stack
from scripts.stack.show import aws_client
from tests.support.pipeline import Pipeline

CONF = {
    "workflow_id": "1234567",
    "role_arn": "arn:aws:iam::123456789012:role/omics-run",
    "output_uri": "s3://results",
}


@pytest.fixture
def service(stack: Stack, omics: EmulatorClient) -> Iterator[Batches]:
    life = omics.default_life
    omics.default_life = "running-forever"
    omics.batches(creating_seconds=0, pending_seconds=0, starts_per_second=100)
    yield Batches(stack, omics)
    omics.default_life = life


class Batches:
    """HealthOmics, where the runs of batches go on until a test ends them."""

    def __init__(self, stack: Stack, omics: EmulatorClient) -> None:
        self._stack = stack
        self._omics = omics
        self._client = aws_client(stack)
        self._before = self._ids()

    def started(self, count: int) -> dict[str, str]:
        """Wait until a DAG has started a batch of ``count`` runs; return the run of each sample."""

        def runs() -> dict[str, str]:
            pages = self._client.get_paginator("list_runs").paginate
            found = [page["items"] for new in self._ids() - self._before for page in pages(batchId=new)]
            return {run["name"]: run["id"] for items in found for run in items}

        self._stack.wait_for("the DAG's batch", lambda: len(runs()) == count, 120)
        return runs()

    def end(self, runs: dict[str, str], **failed: str) -> None:
        """Let runs complete, but for those of samples that fail for a reason."""
        for sample, run_id in runs.items():
            reason = failed.get(sample)
            self._omics.move(run_id, "FAILED" if reason else "COMPLETED", reason)

    def _ids(self) -> set[str]:
        return {item["id"] for item in self._client.list_batch()["items"]}


def test_a_cohort_goes_on_without_the_sample_that_failed(stack: Stack, service: Batches) -> None:
    pipeline = Pipeline(stack, "cohort_from_a_sample_sheet", CONF)
    runs = service.started(20)
    pipeline.until_deferred()
    service.end(runs, NA19240="OUT_OF_MEMORY_ERROR")
    assert pipeline.until_ended() == {"cohort": "success", "list_failures": "success"}
    record = pipeline.xcom("cohort")
    assert record["outcome"]["completed"] == 19
    assert {member["runSettingId"]: member["runId"] for member in record["members"]} == runs
    log = pipeline.log("cohort")
    assert "1 of 20 runs did not complete; 1 of 20 may end badly." in log
    assert f"such as NA19240 (run {runs['NA19240']})" in log
    assert pipeline.xcom("list_failures") == ["1 OUT_OF_MEMORY_ERROR (pipeline author): NA19240"]


def test_what_completed_in_a_batch_is_mapped_over(stack: Stack, service: Batches) -> None:
    samples = ["NA12878", "NA12891", "NA12892"]
    pipeline = Pipeline(stack, "batch_then_map", {**CONF, "samples": samples})
    runs = service.started(3)
    pipeline.until_deferred()
    service.end(runs, NA12891="INPUT_URI_NOT_FOUND")
    assert pipeline.until_ended() == {
        "list_samples": "success",
        "batch": "success",
        "completed": "success",
        "use[0]": "success",
        "use[1]": "success",
    }
    assert {pipeline.xcom("use[0]"), pipeline.xcom("use[1]")} == {
        f"{sample}: s3://results/{runs[sample]}/out" for sample in ("NA12878", "NA12892")
    }
