"""What the emulator's tests share: clients of any service, runs to start, refusals to expect."""

from __future__ import annotations

import functools
import io
import json
import pathlib
import urllib.request
import zipfile
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
from botocore.exceptions import ClientError

from airflow_omics.emulator import LIFE_TAG

# Whether this botocore reads ``AWS_DISABLE_HOST_PREFIX_INJECTION``; the oldest supported one does not.
KNOWS_HOST_PREFIX_VARIABLE = "inject_host_prefix" in BOTOCORE_DEFAUT_SESSION_VARIABLES
DATA = pathlib.Path(__file__).parents[1] / "data" / "healthomics"
ROLE = "arn:aws:iam::123456789012:role/OmicsRole"
KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


@functools.cache
def _session() -> boto3.Session:
    # One session keeps the service models that it has read, which is most of what a client costs.
    return boto3.Session(**KEYS)


def aws(service: str = "omics", region_name: str = "us-west-2", **options: Any) -> Any:
    """Return a client of a service."""
    return _session().client(service, region_name=region_name, **options)


def sample(name: str) -> Any:
    """Return a recorded sample."""
    return json.loads((DATA / name).read_text())


def start(client: Any, life: str | None = None, **members: Any) -> dict[str, Any]:
    """Start a run of a life and return StartRun's answer."""
    members = {"workflowId": "1234567", "roleArn": ROLE, "outputUri": "s3://omics-outputs/runs", **members}
    if life is not None:
        members["tags"] = {**members.get("tags", {}), LIFE_TAG: life}
    return client.start_run(**members)


def zipped(files: dict[str, str]) -> bytes:
    """Return a zip of text files, by path."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            # A file without a date has that of 1980, and so the zip is the same each time.
            archive.writestr(zipfile.ZipInfo(name), text)
    return content.getvalue()


def said(call: Callable[..., Any], **members: Any) -> str:
    """Call an operation, and return what its error says; nothing if it has none."""
    try:
        call(**members)
    except ClientError as error:
        return str(error)
    return ""


def refused(call: Callable[..., Any], **members: Any) -> tuple[str, int, str]:
    """Call an operation that must be refused; return error code, HTTP status and message."""
    with pytest.raises(ClientError) as caught:
        call(**members)
    answer = caught.value.response
    return (
        answer["Error"]["Code"],
        answer["ResponseMetadata"]["HTTPStatusCode"],
        answer["Error"]["Message"],
    )


def signed(url: str, *, method: str = "GET", body: bytes | None = None, region: str = "us-west-2") -> Any:
    """Send a request that is signed for HealthOmics, past botocore, and return the open response."""
    scope = f"AWS4-HMAC-SHA256 Credential=testing/20260101/{region}/omics/aws4_request, Signature=0"
    request = urllib.request.Request(url, data=body, method=method, headers={"Authorization": scope})
    return urllib.request.urlopen(request, timeout=10)
