"""Which operations there are, and what a client gets that asks for another one."""

from __future__ import annotations

import contextlib
import json
import pathlib
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import boto3
import botocore.session
import pytest
from botocore import xform_name
from botocore.config import Config

from airflow_omics.emulator import EmulatorClient, EmulatorServer, service
from airflow_omics.emulator.service.operations import OPERATIONS

from .shapes import made_up
from .support import refused, signed, start

MODEL = botocore.session.Session().get_service_model("omics")
ARN = "arn:aws:s3:us-west-2:123456789012:accesspoint/3264444"


def members(operation: str) -> dict[str, Any]:
    shape = MODEL.operation_model(operation).input_shape
    return made_up(shape) if shape is not None else {}


def test_every_operation_of_the_model_is_served_or_says_its_own_name(
    server: EmulatorServer, connect: Callable[..., Any]
) -> None:
    client = connect()
    refusals = (client.exceptions.ResourceNotFoundException, client.exceptions.ValidationException)
    for operation in MODEL.operation_names:
        call = getattr(client, xform_name(operation))
        if operation in OPERATIONS:
            # Nothing has been started: what is served may know no run of the made-up id.
            with contextlib.suppress(*refusals):
                call(**members(operation))
            continue
        code, status, message = refused(call, **members(operation))
        assert (operation, code, status) == (operation, "NotImplemented", 501)
        assert message == f"{operation} is not emulated; {', '.join(OPERATIONS)} are"
    assert server.control.counts() == dict.fromkeys(MODEL.operation_names, 1)


@pytest.mark.parametrize("arn", [ARN, "arn:aws:s3:us-west-2:1:made/up/with%2Fmore?and#all", "a b/%"])
@pytest.mark.parametrize(
    "operation", ["get_s3_access_policy", "put_s3_access_policy", "delete_s3_access_policy"]
)
def test_an_arn_in_the_path_is_no_false_404(operation: str, arn: str, connect: Callable[..., Any]) -> None:
    more = {"put_s3_access_policy": {"s3AccessPolicy": "{}"}}
    code, status, message = refused(
        getattr(connect(), operation), s3AccessPointArn=arn, **more.get(operation, {})
    )
    assert (code, status) == ("NotImplemented", 501)
    assert "S3AccessPolicy is not emulated" in message


def test_an_arn_whose_slashes_are_not_encoded_is_none_either(server: EmulatorServer) -> None:
    with pytest.raises(OSError, match="501"):
        signed(f"{server.endpoint_url}/s3accesspolicy/{ARN}")


def test_a_path_that_is_no_operation_still_is_not_found(server: EmulatorServer) -> None:
    for path in ("/runs", "/run/1/cancel/now", "/workflows"):
        with pytest.raises(OSError, match="404"):
            signed(server.endpoint_url + path)
    assert [seen["operation"] for seen in server.control.requests()] == ["Unknown"] * 3
    assert server.control.requests("Unknown") == server.control.requests()


def test_an_encoded_slash_does_not_make_another_operation(
    server: EmulatorServer, connect: Callable[..., Any]
) -> None:
    assert refused(connect().get_run, id="1/cancel")[:2] == ("ValidationException", 400)
    assert server.control.counts() == {"GetRun": 1}


def test_what_clients_asked_for_in_vain_can_be_seen(
    server: EmulatorServer, connect: Callable[..., Any]
) -> None:
    client, control = connect(), EmulatorClient(server.endpoint_url)
    refused(client.get_share, shareId="1234567")
    refused(client.list_shares, resourceOwner="SELF")
    refused(client.get_share, shareId="7654321")
    for handle in (server.control, control):
        assert [seen["status"] for seen in handle.requests("GetShare")] == [501, 501]
        assert handle.requests("GetShare")[0]["error"] == "NotImplemented"
        assert handle.counts() == {"GetShare": 2, "ListShares": 1}
        assert handle.wait_for("GetShare", count=2, timeout=1) == 2
        assert handle.requests("CreateShare") == []
        with pytest.raises(ValueError, match="operation 'getShare' is none of HealthOmics; did you mean"):
            handle.requests("getShare")


def test_what_the_installed_botocore_lacks_is_absent(server: EmulatorServer) -> None:
    assert set(OPERATIONS) <= set(MODEL.operation_names)
    with pytest.raises(ValueError, match="operation 'CreateHolodeck' is not emulated; give"):
        server.control.limit("CreateHolodeck", 1)


def test_an_operation_that_is_not_served_has_no_faults(server: EmulatorServer) -> None:
    with pytest.raises(ValueError, match="operation 'GetShare' is not emulated; give"):
        server.control.fault("GetShare", "throttle")


def test_a_client_that_waits_for_a_go_ahead_before_its_body_gets_it(
    server: EmulatorServer, connect: Callable[..., Any]
) -> None:
    client = connect()
    for body in (b"0" * 100_000, (b"0" * 1000 for _ in range(100))):
        code, status, _ = refused(
            client.upload_read_set_part,
            sequenceStoreId="1234567890",
            uploadId="1234567890",
            partSource="SOURCE1",
            partNumber=1,
            payload=body if isinstance(body, bytes) else _Stream(body),
        )
        assert (code, status) == ("NotImplemented", 501)
    # The connection that the body came over is not out of step.
    assert client.list_runs()["items"] == []


class _Stream:
    """A body of unknown length, which botocore sends in chunks."""

    def __init__(self, parts: Any) -> None:
        self._parts = parts

    def read(self, size: int = -1) -> bytes:
        return next(self._parts, b"")


def test_an_operation_that_is_not_emulated_says_so(client: Any) -> None:
    code, status, message = refused(client.get_share, shareId="1234567")
    assert (code, status) == ("NotImplemented", 501)
    assert "GetShare is not emulated" in message


def test_every_resource_has_a_test_file_of_its_name() -> None:
    folder = pathlib.Path(service.__path__[0])
    resources = [path.stem for path in folder.glob("*.py") if "\nRESOURCE = " in path.read_text()]
    assert {"batches", "run_caches", "run_groups", "run_tasks", "runs", "tags"} <= set(resources)
    for name in resources:
        assert pathlib.Path(__file__).with_name(f"test_{name}.py").exists(), name


def test_keys_that_iam_has_made_belong_to_their_account(
    server: EmulatorServer, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_ACCOUNT_ID", "111122223333")
    iam = connect("iam")
    iam.create_user(UserName="lab")
    key = iam.create_access_key(UserName="lab")["AccessKey"]
    monkeypatch.delenv("MOTO_ACCOUNT_ID")
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name="us-west-2")
    config = Config(inject_host_prefix=False)
    run = start(session.client("omics", endpoint_url=server.endpoint_url, config=config))
    assert run["arn"] == f"arn:aws:omics:us-west-2:111122223333:run/{run['id']}"
    assert start(connect())["arn"].split(":")[4] == "123456789012"


@pytest.mark.parametrize("region", ["aws-global", "us-nowhere-1"])
def test_what_is_no_region_is_refused(region: str, server: EmulatorServer) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        signed(f"{server.endpoint_url}/run", region=region)
    assert caught.value.code == 400
    assert json.load(caught.value) == {"message": f"Region {region!r} is not an AWS Region"}


def test_the_path_of_an_operation_that_is_not_emulated_is_another_s_if_nobody_signed(
    server: EmulatorServer, connect: Callable[..., Any]
) -> None:
    s3 = connect("s3", "us-east-1")
    s3.create_bucket(Bucket="shares")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(f"{server.endpoint_url}/shares", b"{}", method="POST"))
    assert b"Missing Authentication Token" not in caught.value.read()
