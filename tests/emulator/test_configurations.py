"""Configurations: a VPC for runs."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from botocore.config import Config

from airflow_omics.emulator import Emulator

from .support import aws, refused, start

MODEL = botocore.session.Session().get_service_model("omics")
pytestmark = pytest.mark.skipif(
    "CreateConfiguration" not in MODEL.operation_names, reason="this botocore knows no configurations"
)
HERE = "arn:aws:omics:us-west-2:123456789012:"
VPC = {"securityGroupIds": ["sg-0a"], "subnetIds": ["subnet-0a", "subnet-0b"]}
SHOWN = {**VPC, "vpcId": "vpc-0123456789abcdef0"}


@pytest.fixture(autouse=True)
def _frozen(emulator: Emulator) -> None:
    emulator.freeze()


def create(client: Any, name: str = "lab", **members: Any) -> Any:
    return client.create_configuration(name=name, **{"runConfigurations": {"vpcConfig": VPC}, **members})


def without_owner(answer: Any) -> Any:
    """Return an answer without what an older botocore does not know."""
    vpc = answer["runConfigurations"]["vpcConfig"]
    assert vpc.pop("vpcOwnerAccountId", "123456789012") == "123456789012"
    del answer["ResponseMetadata"]
    return answer


def test_a_configuration_is_creating_and_then_active(client: Any, emulator: Emulator) -> None:
    made = without_owner(create(client, description="The lab's", tags={"a": "b"}))
    assert made.pop("creationTime").timestamp() == pytest.approx(emulator.now(), abs=0.01)
    assert len(made["uuid"]) == 36
    assert made == {
        "arn": f"{HERE}configuration/lab",
        "uuid": made["uuid"],
        "name": "lab",
        "description": "The lab's",
        "runConfigurations": {"vpcConfig": SHOWN},
        "status": "CREATING",
        "tags": {"a": "b"},
    }
    emulator.advance(9)
    assert client.get_configuration(name="lab")["status"] == "CREATING"
    emulator.advance(1)
    configuration = without_owner(client.get_configuration(name="lab"))
    del configuration["creationTime"]
    assert configuration == {**made, "status": "ACTIVE"}


@pytest.mark.parametrize(("failure", "status"), [(None, "ACTIVE"), ("No such subnet.", "FAILED")])
def test_how_long_it_takes_can_be_said(
    failure: str | None, status: str, client: Any, emulator: Emulator
) -> None:
    emulator.creation("configuration", 900, failure)
    create(client)
    emulator.advance(899)
    assert client.get_configuration(name="lab")["status"] == "CREATING"
    emulator.advance(1)
    assert client.get_configuration(name="lab")["status"] == status


def test_the_account_that_shares_the_subnets_is_shown(client: Any) -> None:
    if "vpcOwnerAccountId" not in MODEL.shape_for("VpcConfig").members:
        pytest.skip("this botocore does not know vpcOwnerAccountId")
    vpc = {**VPC, "vpcOwnerAccountId": "210987654321"}
    made = create(client, runConfigurations={"vpcConfig": vpc})
    assert made["runConfigurations"]["vpcConfig"] == {**vpc, "vpcId": "vpc-0123456789abcdef0"}


def test_a_configuration_is_deleting_and_then_gone(client: Any, emulator: Emulator) -> None:
    create(client)
    code, status, message = refused(client.delete_configuration, name="lab")
    assert (code, status) == ("ConflictException", 409)
    assert message == "Configuration lab is CREATING; only one that is ACTIVE or FAILED can be deleted"
    emulator.advance(10)
    assert client.delete_configuration(name="lab")["ResponseMetadata"]["HTTPStatusCode"] == 202
    emulator.advance(4)
    assert client.get_configuration(name="lab")["status"] == "DELETING"
    assert refused(client.delete_configuration, name="lab")[0] == "ConflictException"
    assert refused(client.create_configuration, name="lab", runConfigurations={"vpcConfig": VPC})[1] == 409
    emulator.advance(1)
    says = ("ResourceNotFoundException", 404, "Configuration lab not found")
    assert refused(client.get_configuration, name="lab") == says
    assert refused(client.delete_configuration, name="lab") == says
    assert client.list_configurations()["items"] == []
    assert create(client)["status"] == "CREATING"


def test_a_name_is_had_once(client: Any) -> None:
    create(client, requestId="once")
    assert create(client, requestId="once")["name"] == "lab"
    says = ("ConflictException", 409, "Configuration lab exists already")
    assert refused(create, client=client) == says


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"name": "-lab"}, "'name' failed to satisfy constraint"),
        ({"runConfigurations": None}, "Value null at 'runConfigurations'"),
        ({"runConfigurations": {}}, "runConfigurations.vpcConfig lacks securityGroupIds and subnetIds"),
        (
            {"runConfigurations": {"vpcConfig": {**VPC, "subnetIds": []}}},
            "runConfigurations.vpcConfig lacks subnetIds",
        ),
        (
            {"runConfigurations": {"vpcConfig": {**VPC, "securityGroupIds": ["sg-0"] * 6}}},
            "at 'runConfigurations.vpcConfig.securityGroupIds' failed to satisfy constraint: Member must",
        ),
        (
            {"runConfigurations": {"vpcConfig": {**VPC, "subnetIds": ["subnet-0a", "net-12345"]}}},
            "at 'runConfigurations.vpcConfig.subnetIds.2.member' failed to satisfy constraint: Member must",
        ),
        ({"tags": {"aws:x": "y"}}, "reserved for AWS"),
    ],
)
def test_what_is_wrong_is_refused(members: dict[str, Any], says: str, emulator: Emulator) -> None:
    client = aws(config=Config(parameter_validation=False))
    given = {"name": "lab", "runConfigurations": {"vpcConfig": VPC}, "requestId": "1", **members}
    call = {name: value for name, value in given.items() if value is not None}
    code, status, message = refused(client.create_configuration, **call)
    assert (code, status, says in message) == ("ValidationException", 400, True)
    assert client.list_configurations()["items"] == []


def test_configurations_are_listed_ten_to_a_page(client: Any, emulator: Emulator) -> None:
    names = [f"lab-{number}" for number in range(12)]
    for name in names:
        create(client, name, description=f"Of {name}")
    emulator.advance(10)
    first = client.list_configurations()
    assert [item["name"] for item in first["items"]] == names[:10]
    item = first["items"][0]
    del item["creationTime"]
    assert item == {
        "arn": f"{HERE}configuration/lab-0",
        "name": "lab-0",
        "description": "Of lab-0",
        "status": "ACTIVE",
    }
    second = client.list_configurations(startingToken=first["nextToken"])
    assert [item["name"] for item in second["items"]] == names[10:]
    pages = client.get_paginator("list_configurations").paginate(PaginationConfig={"PageSize": 5})
    assert [len(page["items"]) for page in pages] == [5, 5, 2]
    client = aws(config=Config(parameter_validation=False))
    assert refused(client.list_configurations, maxResults=11)[0] == "ValidationException"


def test_configurations_have_tags(client: Any) -> None:
    made = create(client, tags={"a": "b"})
    client.tag_resource(resourceArn=made["arn"], tags={"c": "d"})
    assert client.get_configuration(name="lab")["tags"] == {"a": "b", "c": "d"}
    code, status, _ = refused(client.list_tags_for_resource, resourceArn=made["arn"] + "x")
    assert (code, status) == ("ResourceNotFoundException", 404)


def test_a_run_shows_the_configuration_that_it_uses(client: Any, emulator: Emulator) -> None:
    made = create(client)
    emulator.advance(10)
    run = start(client, configurationName="lab", networkingMode="VPC")
    expected = {"name": "lab", "arn": made["arn"], "uuid": made["uuid"]}
    assert run["configuration"] == expected
    client.delete_configuration(name="lab")
    emulator.advance(10)
    record = client.get_run(id=run["id"])
    assert record["configuration"] == expected
    record["vpcConfig"].pop("vpcOwnerAccountId", None)
    assert record["vpcConfig"] == SHOWN


def test_a_run_needs_a_configuration_that_is_active(client: Any, emulator: Emulator) -> None:
    emulator.creation("configuration", 10, "No such subnet.")
    create(client)
    for status in ("CREATING", "FAILED"):
        says = f"Configuration lab is {status}; a run needs one that is ACTIVE"
        assert refused(start, client=client, configurationName="lab") == ("ValidationException", 400, says)
        emulator.advance(10)
    client.delete_configuration(name="lab")
    assert "is DELETING" in refused(start, client=client, configurationName="lab")[2]
    assert client.list_runs()["items"] == []


def test_a_configuration_that_nobody_made(client: Any, emulator: Emulator) -> None:
    run = start(client, configurationName="lab", networkingMode="VPC")
    assert run["configuration"]["arn"] == f"{HERE}configuration/lab"
    assert client.get_run(id=run["id"])["vpcConfig"]["vpcId"].startswith("vpc-")
    emulator.strict(True)
    emulator.workflow("1234567", region_name="us-west-2")
    says = ("ResourceNotFoundException", 404, "Configuration lab not found")
    assert refused(start, client=client, configurationName="lab") == says
    emulator.creation("configuration", 0)
    create(client)
    assert start(client, configurationName="lab")["status"] == "PENDING"
