"""What the tests of batches share: batches to start, and what is shown of them."""

from __future__ import annotations

import json
from typing import Any

import botocore.session
import pytest

from .support import ROLE, aws

MODEL = botocore.session.Session().get_service_model("omics")
needs_batches = pytest.mark.skipif(
    "StartRunBatch" not in MODEL.operation_names, reason="this botocore has no batches"
)
# What the emulator does unless a test says otherwise.
CREATING, PENDING = 5, 30
VALIDATED = CREATING + PENDING
# Seconds of the life "completed" until each status.
STARTING, RUNNING, STOPPING, COMPLETED = 2, 562, 1042, 1202


def settings(count: int, **members: Any) -> list[dict[str, Any]]:
    """Return the settings of so many members, ``sample-1`` and so on."""
    return [{"runSettingId": f"sample-{number}", **members} for number in range(1, count + 1)]


def begin(client: Any, given: Any = 3, *, default: dict[str, Any] | None = None, **members: Any) -> Any:
    """Start a batch and return the answer.

    :param given: how many members, their settings, or the URI of a file of them.
    :param default: members of ``defaultRunSetting`` beside those that are needed; None takes one away.
    """
    common = {
        "workflowId": "1234567",
        "roleArn": ROLE,
        "outputUri": "s3://omics-outputs/runs",
        **(default or {}),
    }
    if isinstance(given, int):
        given = settings(given)
    kind = "s3UriSettings" if isinstance(given, str) else "inlineSettings"
    return client.start_run_batch(
        defaultRunSetting={name: value for name, value in common.items() if value is not None},
        batchRunSettings={kind: given},
        **members,
    )


def put(content: Any, key: str = "runs.json") -> str:
    """Put a file of settings into S3 and return its URI.

    :param content: bytes, or what is written as JSON.
    """
    s3 = aws("s3", "us-east-1")
    s3.create_bucket(Bucket="omics-settings")
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    s3.put_object(Bucket="omics-settings", Key=key, Body=body)
    return f"s3://omics-settings/{key}"


def shown(client: Any, batch: Any) -> Any:
    """Return what GetBatch shows."""
    record = client.get_batch(batchId=batch["id"])
    del record["ResponseMetadata"]
    return record


def status(client: Any, batch: Any) -> str:
    """Return the status of a batch."""
    return str(shown(client, batch)["status"])


def counts(client: Any, batch: Any) -> dict[str, int]:
    """Return the counts of a batch that are not 0, without the words that all of them have."""
    record = shown(client, batch)
    both = {**record.get("submissionSummary", {}), **record.get("runSummary", {})}
    return {
        name.removesuffix("Count").removesuffix("Submission").removesuffix("Run"): count
        for name, count in both.items()
        if count
    }


def members(client: Any, batch: Any, **filters: Any) -> list[dict[str, Any]]:
    """Return what ListRunsInBatch shows of every member."""
    pages = client.get_paginator("list_runs_in_batch").paginate(batchId=batch["id"], **filters)
    return [run for page in pages for run in page["runs"]]


def statuses(client: Any, batch: Any) -> dict[str, str | None]:
    """Return the submission status of every member that is shown."""
    return {run["runSettingId"]: run.get("submissionStatus") for run in members(client, batch)}


def runs(client: Any, batch: Any, **filters: Any) -> list[dict[str, Any]]:
    """Return what ListRuns shows of the runs of a batch."""
    pages = client.get_paginator("list_runs").paginate(batchId=batch["id"], **filters)
    return [run for page in pages for run in page["items"]]
