"""Starts batches of runs in the emulator, by what becomes of their members."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import boto3
import botocore.session
import pytest

from airflow_omics._batches.members import NAMED_TAG
from airflow_omics.emulator import LIFE_TAG
from airflow_omics.hooks import OmicsHook

KNOWS_BATCHES = "StartRunBatch" in botocore.session.Session().get_service_model("omics").operation_names
"""Whether the installed botocore knows batches. Where it does not, no ``test_*_batch.py`` is collected."""

needs_batches = pytest.mark.skipif(not KNOWS_BATCHES, reason="this botocore has no batches")
ROLE = "arn:aws:iam::123456789012:role/omics-run"
ENDED = 200_000
"""Seconds after which every member of a batch of these tests has ended."""


def settings(lives: Sequence[tuple[str, int]], **members: Any) -> list[dict[str, Any]]:
    """Return the settings of members by life: ``sample-1`` and so on, in this order.

    :param lives: each life, and how many members have it.
    :param members: what each setting has besides.
    """
    flat = [life for life, count in lives for _ in range(count)]
    return [
        {"runSettingId": f"sample-{number}", "runTags": {LIFE_TAG: life}, **members}
        for number, life in enumerate(flat, 1)
    ]


def start_batch(
    omics: Any, given: Sequence[dict[str, Any]], *, named: bool = True, seconds: float = ENDED, **rules: Any
) -> dict[str, Any]:
    """Start a batch, let time pass, and return its record.

    :param omics: the emulator's control.
    :param given: the settings of its members.
    :param named: whether each run has the name of its setting, and the batch the tag that says so.
    :param seconds: how much time passes.
    :param rules: how it behaves, as ``Emulator.batches`` takes them.
    """
    omics.batches(**{"starts_per_second": 1000.0, **rules})
    if named:
        given = [{"name": setting["runSettingId"], **setting} for setting in given]
    default = {"workflowId": "1234567", "roleArn": ROLE, "outputUri": "s3://omics-outputs/runs"}
    answer = OmicsHook().start_run_batch(
        {
            "requestId": f"token-{omics.now()}",
            "batchName": "cohort",
            "defaultRunSetting": default,
            "batchRunSettings": _how(given),
            "tags": {NAMED_TAG: "0" * 64} if named else {},
        }
    )
    omics.advance(seconds)
    return dict(read(answer["id"]))


def _how(given: Sequence[dict[str, Any]]) -> dict[str, Any]:
    if len(given) <= 100:
        return {"inlineSettings": list(given)}
    s3 = boto3.client("s3", "us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing")
    s3.create_bucket(Bucket="omics-settings")
    s3.put_object(Bucket="omics-settings", Key="runs.json", Body=json.dumps(given).encode())
    return {"s3UriSettings": "s3://omics-settings/runs.json"}


def read(batch_id: str) -> Any:
    """Return GetBatch's record."""
    return OmicsHook().get_batch(batch_id)


def flat(pages: Iterator[list[Any]]) -> list[Any]:
    """Return the members of all pages."""
    return [member for page in pages for member in page]


def counting(omics: Any) -> Callable[[], dict[str, int]]:
    """Return a function that says which requests were made since now, by operation."""
    before = Counter(omics.counts())
    return lambda: dict(Counter(omics.counts()) - before)
