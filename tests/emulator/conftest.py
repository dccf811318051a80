"""Fixtures of the emulator's tests: in process, and over HTTP on a free port of this machine."""

from __future__ import annotations

import functools
import json
import pathlib
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
from botocore.exceptions import ClientError

from airflow_omics.emulator import LIFE_TAG, Emulator, EmulatorServer, mock_omics

#: Whether this botocore reads ``AWS_DISABLE_HOST_PREFIX_INJECTION``; the oldest supported one does not.
KNOWS_HOST_PREFIX_VARIABLE = "inject_host_prefix" in BOTOCORE_DEFAUT_SESSION_VARIABLES
DATA = pathlib.Path(__file__).parent / "data"
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


@pytest.fixture(autouse=True)
def _no_other_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_OMICS", "AWS_PROFILE", "MOTO_ACCOUNT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """The emulator in process."""
    with mock_omics() as control:
        yield control


@pytest.fixture
def client(emulator: Emulator) -> Any:
    """A client inside the mock, that does not retry."""
    return aws(config=Config(retries={"total_max_attempts": 1}))


@pytest.fixture
def server() -> Iterator[EmulatorServer]:
    """The emulator over HTTP."""
    with EmulatorServer() as running:
        yield running


@pytest.fixture
def connect(server: EmulatorServer) -> Callable[..., Any]:
    """Make a client of any service that speaks to the server."""

    def make(service: str = "omics", region_name: str = "us-west-2", **options: Any) -> Any:
        config = Config(
            **{
                "inject_host_prefix": False,
                "retries": {"total_max_attempts": 1},
                "read_timeout": 10,
                **options,
            }
        )
        return aws(service, region_name, endpoint_url=server.endpoint_url, config=config)

    return make


def signed(url: str, *, method: str = "GET", body: bytes | None = None, region: str = "us-west-2") -> Any:
    """Send a request that is signed for HealthOmics, past botocore, and return the open response."""
    scope = f"AWS4-HMAC-SHA256 Credential=testing/20260101/{region}/omics/aws4_request, Signature=0"
    request = urllib.request.Request(url, data=body, method=method, headers={"Authorization": scope})
    return urllib.request.urlopen(request, timeout=10)
