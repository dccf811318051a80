"""Tags: on what has them, by ARN, and their limits."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config

from airflow_omics.emulator import Emulator, EmulatorServer

from .support import ROLE, aws, refused, signed, start

HERE = "arn:aws:omics:us-west-2:123456789012:"


def tags(client: Any, arn: str) -> Any:
    return client.list_tags_for_resource(resourceArn=arn)["tags"]


def test_tags_of_a_run_come_and_go(connect: Callable[..., Any]) -> None:
    client = connect()
    run = start(client, tags={"cohort": "7"})
    assert tags(client, run["arn"]) == {"cohort": "7"}
    client.tag_resource(resourceArn=run["arn"], tags={"cohort": "8", "owner": "me"})
    assert tags(client, run["arn"]) == {"cohort": "8", "owner": "me"}
    assert client.get_run(id=run["id"])["tags"] == {"cohort": "8", "owner": "me"}
    client.untag_resource(resourceArn=run["arn"], tagKeys=["owner", "never-there"])
    assert client.get_run(id=run["id"])["tags"] == {"cohort": "8"}


def test_a_run_without_tags_has_an_empty_answer(client: Any) -> None:
    assert tags(client, start(client)["arn"]) == {}


def test_runs_that_were_started_together_have_tags_of_their_own(client: Any, emulator: Emulator) -> None:
    one, other = emulator.start_runs(2, region_name="us-west-2")
    client.tag_resource(resourceArn=f"{HERE}run/{one}", tags={"a": "b"})
    assert client.get_run(id=one)["tags"] == {"a": "b"}
    assert client.get_run(id=other)["tags"] == {}
    [later] = emulator.start_runs(1, region_name="us-west-2")
    assert client.get_run(id=later)["tags"] == {}


def test_the_life_of_a_run_stays_that_of_its_first_tags(client: Any, emulator: Emulator) -> None:
    run = start(client, "cancelled")
    client.tag_resource(resourceArn=run["arn"], tags={"airflow-omics:life": "completed"})
    emulator.advance(7200)
    assert client.get_run(id=run["id"])["status"] == "CANCELLED"


@pytest.mark.parametrize(
    "arn",
    [
        f"{HERE}run/7654321",
        f"{HERE}run/1/2",
        f"{HERE}sequenceStore/1234567890",
        f"{HERE}referenceStore/1234567890/reference/1234567890",
        "arn:aws:omics:us-east-1:123456789012:run/{id}",
        "arn:aws:omics:us-west-2:210987654321:run/{id}",
        "arn:aws-cn:omics:us-west-2:123456789012:run/{id}",
        "arn:aws:omics:us-west-2::run/{id}",
    ],
)
def test_what_is_not_here_is_not_found(arn: str, connect: Callable[..., Any]) -> None:
    client = connect()
    arn = arn.replace("{id}", start(client)["id"])
    for call, more in (
        (client.list_tags_for_resource, {}),
        (client.tag_resource, {"tags": {"a": "b"}}),
        (client.untag_resource, {"tagKeys": ["a"]}),
    ):
        code, status, message = refused(call, resourceArn=arn, **more)
        assert (code, status) == ("ResourceNotFoundException", 404)
        assert message.endswith("not found")


@pytest.mark.parametrize(
    ("arn", "says"),
    [
        ("arn:made-up", "is not the ARN of a resource of HealthOmics, such as arn:aws:omics:us-west-2:1"),
        ("arn:aws:s3:::bucket/key", "is not the ARN of a resource of HealthOmics"),
        ("arn:aws:omics:us-west-2:1:run/1234567", "is not the ARN of a resource of HealthOmics"),
        (f"{HERE}run", "is not the ARN of a resource of HealthOmics"),
        (f"{HERE}run/", "is not the ARN of a resource of HealthOmics"),
        (f"{HERE}task/1234567", "is that of a task, which cannot have tags"),
        (f"{HERE}tags/1234567", "is that of a tags, which cannot have tags"),
        ("run/1234567", "failed to satisfy constraint: Member must satisfy regular expression pattern"),
        (f"{HERE}run/" + "1" * 150, "failed to satisfy constraint: Member must have length less than or"),
    ],
)
def test_what_is_no_arn_of_ours_is_refused(arn: str, says: str, client: Any) -> None:
    code, status, message = refused(client.list_tags_for_resource, resourceArn=arn)
    assert (code, status) == ("ValidationException", 400)
    assert says in message


def test_the_slashes_of_an_arn_need_not_be_encoded(
    server: EmulatorServer, connect: Callable[..., Any]
) -> None:
    run = start(connect(), tags={"a": "b"})
    with signed(f"{server.endpoint_url}/tags/{run['arn']}") as response:
        assert response.read() == b'{"tags":{"a":"b"}}'


def test_an_answer_without_a_body_leaves_the_connection_as_it_was(
    server: EmulatorServer, connect: Callable[..., Any]
) -> None:
    run = start(connect())
    connection = http.client.HTTPConnection(server.endpoint_url.removeprefix("http://"), timeout=10)
    scope = "AWS4-HMAC-SHA256 Credential=testing/20260101/us-west-2/omics/aws4_request, Signature=0"
    for tags_sent in ('{"tags":{"a":"b"}}', '{"tags":{"c":"d"}}'):
        connection.request("POST", f"/tags/{run['arn']}", body=tags_sent, headers={"Authorization": scope})
        response = connection.getresponse()
        assert (response.status, response.getheader("Content-Length"), response.read()) == (204, "0", b"")
    connection.close()
    assert tags(connect(), run["arn"]) == {"a": "b", "c": "d"}


def test_a_resource_has_at_most_50_tags(client: Any) -> None:
    run = start(client, tags={f"k{number}": "" for number in range(50)})
    client.tag_resource(resourceArn=run["arn"], tags={"k0": "changed"})
    code, status, message = refused(client.tag_resource, resourceArn=run["arn"], tags={"one-more": ""})
    assert (code, status) == ("ValidationException", 400)
    assert message == "51 tags were given; a resource can have at most 50"
    assert tags(client, run["arn"])["k0"] == "changed"
    assert "one-more" not in tags(client, run["arn"])
    code, _, message = refused(start, client=client, tags={f"k{number}": "" for number in range(51)})
    assert (code, message) == ("ValidationException", "51 tags were given; a resource can have at most 50")


@pytest.mark.parametrize("key", ["aws:created-by", "AWS:x"])
def test_a_reserved_key_is_refused(key: str, client: Any) -> None:
    run = start(client)
    says = f"tag key {key!r} begins with aws:, which is reserved for AWS"
    for call, more in (
        (client.tag_resource, {"resourceArn": run["arn"]}),
        (client.start_run, {"workflowId": "1234567", "roleArn": ROLE, "outputUri": "s3://bucket/x"}),
    ):
        assert refused(call, tags={key: "x"}, **more) == ("ValidationException", 400, says)
    assert len(client.list_runs()["items"]) == 1
    assert tags(client, run["arn"]) == {}


def test_a_key_that_is_too_long_is_refused(emulator: Emulator) -> None:
    client = aws(config=Config(parameter_validation=False))
    run = start(client)
    for given in ({"k" * 129: "v"}, {"": "v"}, {"k": "v" * 257}):
        code, _, message = refused(client.tag_resource, resourceArn=run["arn"], tags=given)
        assert (code, "Member must have length" in message) == ("ValidationException", True)


def test_a_denial_names_the_resource(client: Any, emulator: Emulator) -> None:
    run = start(client)
    emulator.fault("TagResource", "access-denied")
    code, _, message = refused(client.tag_resource, resourceArn=run["arn"], tags={"a": "b"})
    assert code == "AccessDeniedException"
    assert f"omics:TagResource on resource: {run['arn']} " in message
