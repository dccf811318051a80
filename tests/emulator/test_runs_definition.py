"""The definition that GetRun exports: a zip on the emulator's own S3."""

from __future__ import annotations

import io
import urllib.request
import zipfile
from collections.abc import Callable
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config

from airflow_omics.emulator import EmulatorServer, mock_omics

from .support import aws, start


def names(content: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def test_it_can_be_fetched_over_http(server: EmulatorServer, connect: Callable[..., Any]) -> None:
    client = connect()
    run = start(client)
    url = client.get_run(id=run["id"], export=["DEFINITION"])["definition"]
    assert url.startswith(f"{server.endpoint_url}/")
    # Twice, and by nobody who has keys, as a presigned URL can be.
    for _ in range(2):
        with urllib.request.urlopen(url, timeout=10) as response:
            assert response.status == 200
            assert names(response.read()) == ["main.wdl"]
    assert client.get_run(id=run["id"], export=["DEFINITION"])["definition"] == url
    assert "definition" not in client.get_run(id=run["id"])


def test_its_host_is_the_one_that_was_asked(server: EmulatorServer) -> None:
    here = server.endpoint_url.replace("127.0.0.1", "localhost")
    client = boto3.client(
        "omics",
        region_name="us-west-2",
        endpoint_url=here,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(inject_host_prefix=False),
    )
    url = client.get_run(id=start(client)["id"], export=["DEFINITION"])["definition"]
    assert url.startswith(f"{here}/")


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "cn-north-1"])
def test_it_is_there_in_every_region_and_account(
    region: str, server: EmulatorServer, connect: Callable[..., Any]
) -> None:
    partition = "aws-cn" if region.startswith("cn-") else "aws"
    role = f"arn:{partition}:iam::210987654321:role/x"
    keys = connect("sts", region).assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    other = boto3.client(
        "omics",
        region_name=region,
        endpoint_url=server.endpoint_url,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
        config=Config(inject_host_prefix=False),
    )
    for client in (other, connect(region_name=region)):
        url = client.get_run(id=start(client)["id"], export=["DEFINITION"])["definition"]
        with urllib.request.urlopen(url, timeout=10) as response:
            assert names(response.read()) == ["main.wdl"]


def test_it_can_be_fetched_in_process() -> None:
    with mock_omics():
        client = aws()
        url = client.get_run(id=start(client)["id"], export=["DEFINITION"])["definition"]
        assert url.split("/")[2].endswith(".s3.us-west-2.amazonaws.com")
        assert names(requests.get(url, timeout=10).content) == ["main.wdl"]


def test_a_run_with_settings_of_its_engine_is_nextflow_s(connect: Callable[..., Any]) -> None:
    client = connect()
    known = client.meta.service_model.operation_model("StartRun").input_shape.members
    given = {"engineSettings": {"engineVersion": "24.10.8"}} if "engineSettings" in known else {}
    url = client.get_run(id=start(client, **given)["id"], export=["DEFINITION"])["definition"]
    with urllib.request.urlopen(url, timeout=10) as response:
        assert names(response.read()) == (["main.nf"] if given else ["main.wdl"])


def test_the_definition_is_shown_when_it_is_asked_for(client: Any) -> None:
    run = start(client)
    assert "definition" in client.get_run(id=run["id"], export=["DEFINITION"])
