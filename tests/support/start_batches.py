"""Drives an OmicsStartRunBatchOperator through tries, clears and worker deaths, on a clock turned by hand."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from airflow_omics._connection import AwsArguments
from airflow_omics._identity import Target
from airflow_omics._outcome import Tolerance
from airflow_omics._resource import BATCH
from airflow_omics._waiting.batch import BatchWait
from airflow_omics._waiting.ending import ending_to_event
from airflow_omics._waiting.poller import Poller
from airflow_omics.emulator import LIFE_TAG
from airflow_omics.hooks import OmicsHook
from airflow_omics.operators import OmicsStartRunBatchOperator
from tests.support.sensors import ONE_ATTEMPT
from tests.support.start_operators import ROLE, Task, WorkerDied

BUCKET = "omics-outputs"
OUTPUT = f"s3://{BUCKET}/runs"


class BatchTask(Task):
    """One task instance that starts a batch; see :class:`Task`."""

    def make(self, **arguments: Any) -> Any:
        return make(**{"retries": self.retries, **self.arguments, **arguments})

    def fire(self, trigger: Any) -> dict[str, Any]:
        """Return the event that the trigger would fire, through JSON; its looks are made by the clock."""
        path, arguments = trigger.serialize()
        assert path == "airflow_omics.triggers.OmicsStartedRunBatchTrigger"
        a = json.loads(json.dumps(arguments))
        wait = BatchWait(
            Target.parse(a["batch_id"], BATCH),
            started_at=a["started_at"],
            timeout_at=a["timeout_at"],
            terminal_statuses=a["terminal_statuses"],
            created=a["created"],
            status=a["status"],
            tolerance=Tolerance(a["max_failures"], a["max_failure_ratio"]),
            stop_when_exceeded=a["stop_when_exceeded"],
        )
        aws = AwsArguments(a["aws_conn_id"], a["region_name"], a["verify"], a["botocore_config"])
        poller = Poller(wait, lambda: OmicsHook.of(aws), None, logging.getLogger("triggerer"))
        while (ending := poller.look()) is None:
            self.clock.sleep(wait.pause(a["poke_interval"], self.clock.time()))
        event: dict[str, Any] = json.loads(json.dumps(ending_to_event(ending, a["record_fields"])))
        return event


StartBatch = Callable[..., BatchTask]
"""Makes a task of the test's emulator and clock: ``start_batch(store=Store(), retries=2, **arguments)``."""


def make(**arguments: Any) -> OmicsStartRunBatchOperator:
    """Return an operator with the least arguments, and those given."""
    least = {
        "task_id": "start",
        "workflow_id": "1234567",
        "role_arn": ROLE,
        "output_uri": OUTPUT,
        "run_settings": cohort(3),
        "botocore_config": ONE_ATTEMPT,
    }
    return OmicsStartRunBatchOperator(**{**least, **arguments})


def cohort(count: int, lives: dict[int, str] | None = None, **members: Any) -> list[dict[str, Any]]:
    """Return the settings of so many samples: ``s1``, ``s2``, ...

    :param lives: the life of a sample's run, by its number; all others complete.
    :param members: what each entry has besides.
    """
    return [
        {
            "runSettingId": f"s{number}",
            "runTags": {LIFE_TAG: (lives or {}).get(number, "completed")},
            **members,
        }
        for number in range(1, count + 1)
    ]


def make_bucket() -> None:
    """Make the bucket of the outputs, as the emulator's S3 has none."""
    s3().create_bucket(Bucket=BUCKET)


def s3() -> Any:
    """Return a client of the emulator's S3."""
    return boto3.client(
        "s3", region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )


def omics_client() -> Any:
    """Return a client of the emulator."""
    return boto3.client(
        "omics", region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )


def objects() -> dict[str, Any]:
    """Return every JSON file in the bucket, by its key."""
    client = s3()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    listed = [item for page in pages for item in page.get("Contents", [])]
    return {
        item["Key"]: json.loads(client.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read())
        for item in listed
        if item["Key"].endswith(".json") and "airflow-omics" in item["Key"]
    }


def batches() -> list[dict[str, Any]]:
    """Return the record of every batch there is, the first started first."""
    client = omics_client()
    items = client.list_batch()["items"]
    records = [client.get_batch(batchId=item["id"]) for item in items]
    return sorted(records, key=lambda record: (record["creationTime"], record["id"]))


def runs_by_sample() -> Counter[str]:
    """Return how many runs each sample has had, in all batches."""
    pages = omics_client().get_paginator("list_runs").paginate()
    return Counter(item["name"] for page in pages for item in page["items"])


def members_of(batch: Any) -> set[str]:
    """Return the runSettingIds of a batch."""
    client = omics_client()
    pages = client.get_paginator("list_runs_in_batch").paginate(batchId=batch["id"])
    return {run["runSettingId"] for page in pages for run in page["runs"]}


def die_once(
    monkeypatch: pytest.MonkeyPatch, moment: str, omics: Any, error: BaseException | None = None
) -> None:
    """Let the worker die at one moment, once: ``before`` StartRunBatch, ``unanswered``, or ``answered``.

    :param error: raised instead, if the worker lives and only its call fails.
    """
    start, read = OmicsHook.start_run_batch, OmicsHook.get_batch
    left = [error or WorkerDied()]

    def starting(self: Any, request: Any) -> Any:
        if moment == "before" and left:
            raise left.pop()
        answer = start(self, request)
        if moment == "unanswered" and left:
            raise left.pop()
        return answer

    def reading(self: Any, *args: Any) -> Any:
        if moment == "answered" and left and omics.counts().get("StartRunBatch"):
            raise left.pop()
        return read(self, *args)

    monkeypatch.setattr(OmicsHook, "start_run_batch", starting)
    monkeypatch.setattr(OmicsHook, "get_batch", reading)
