"""Batches for the tests of what waits for them: to start, and to lead to an end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import boto3
from botocore.config import Config

from airflow_omics.emulator import LIFE_TAG

VALIDATED = 35
"""Seconds of service time until the first member is submitted; then one follows each second."""


def client(endpoint_url: str | None = None) -> Any:
    """Return a client of the emulator of this process, or of a server."""
    config = Config(inject_host_prefix=endpoint_url is None, retries={"total_max_attempts": 1})
    return boto3.client(
        "omics",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        endpoint_url=endpoint_url,
        config=config,
    )


def start_batch(
    omics: Any,
    count: int = 3,
    *,
    endpoint_url: str | None = None,
    life: str = "running-forever",
    default: dict[str, Any] | None = None,
    **members: Any,
) -> str:
    """Start a batch of so many members, ``sample-1`` and so on; return its id.

    :param omics: the emulator's control.
    :param life: of each member.
    :param default: more members of ``defaultRunSetting``.
    :param members: more members of StartRunBatch.
    """
    started = client(endpoint_url).start_run_batch(
        defaultRunSetting={
            "workflowId": "1234567",
            "roleArn": "arn:aws:iam::123456789012:role/omics-run",
            "outputUri": "s3://omics-outputs/runs",
            "runTags": {LIFE_TAG: life},
            **(default or {}),
        },
        batchRunSettings={
            "inlineSettings": [{"runSettingId": f"sample-{number}"} for number in range(1, count + 1)]
        },
        **members,
    )
    return str(started["id"])


def going_batch(omics: Any, count: int = 3, **members: Any) -> str:
    """Start a batch whose members are RUNNING and stay so until they are moved; the clock must be frozen."""
    batch_id = start_batch(omics, count, **members)
    omics.advance(VALIDATED + count + 3600)
    return batch_id


def runs_of(batch_id: str, endpoint_url: str | None = None) -> list[str]:
    """Return the ids of the runs of a batch, in order."""
    pages = client(endpoint_url).get_paginator("list_runs_in_batch").paginate(batchId=batch_id)
    return [run["runId"] for page in pages for run in page["runs"] if "runId" in run]


def end_runs(omics: Any, batch_id: str, statuses: Sequence[str], endpoint_url: str | None = None) -> None:
    """Lead each run of a batch to its status; the batch is PROCESSED once all of them have ended."""
    for run_id, status in zip(runs_of(batch_id, endpoint_url), statuses, strict=True):
        if status == "DELETED":
            omics.move(run_id, "COMPLETED")
        omics.move(run_id, status)
