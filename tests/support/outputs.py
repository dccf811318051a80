"""Lays out what runs leave in S3, and lists it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import boto3

from airflow_omics.operators import OmicsListRunOutputsOperator
from tests.support.sensors import ONE_ATTEMPT, TaskInstance, context_of

BUCKET = "results"
ROOT = f"s3://{BUCKET}/cohort"


def s3() -> Any:
    """Return a client of the emulator's S3."""
    return boto3.client("s3", "us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing")


def completed_run(omics: Any, files: Mapping[str, int | bytes], summary: Any = None, **members: Any) -> str:
    """Return the id of a run that is COMPLETED and has left these files.

    :param files: path below its folder, and the content or how many bytes.
    :param summary: what ``logs/outputs.json`` holds, with ``{root}`` for the run's folder; none if None.
    """
    [run_id] = omics.start_runs(1, "completed", **{"outputUri": ROOT, **members})
    omics.advance(20_000)
    leave(run_id, files, summary)
    return str(run_id)


def leave(run_id: str, files: Mapping[str, int | bytes], summary: Any = None) -> None:
    """Put files into a run's folder."""
    client = s3()
    client.create_bucket(Bucket=BUCKET)
    if summary is not None:
        text = summary if isinstance(summary, str) else json.dumps(summary)
        files = {**files, "logs/outputs.json": text.replace("{root}", f"{ROOT}/{run_id}").encode()}
    for path, content in files.items():
        body = b"x" * content if isinstance(content, int) else content
        client.put_object(Bucket=BUCKET, Key=f"cohort/{run_id}/{path}", Body=body)


def make(**arguments: Any) -> OmicsListRunOutputsOperator:
    return OmicsListRunOutputsOperator(**{"task_id": "list", "botocore_config": ONE_ATTEMPT, **arguments})


def list_outputs(**arguments: Any) -> Any:
    """Return what the task leaves in XCom."""
    result = make(**arguments).execute(context_of(TaskInstance()))
    assert json.loads(json.dumps(result)) == result
    return result


def paths(outputs: list[dict[str, Any]]) -> list[str]:
    """Return where outputs are, below their run's folder."""
    return [output["uri"].removeprefix(f"{ROOT}/{output['run_id']}/") for output in outputs]


def names(outputs: list[dict[str, Any]]) -> dict[str, str]:
    """Return the names of the outputs that have one, by their path."""
    return {
        path: output["name"] for path, output in zip(paths(outputs), outputs, strict=True) if "name" in output
    }
