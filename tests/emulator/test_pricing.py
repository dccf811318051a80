"""The price list of HealthOmics, as tools read it that work out what a run cost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from airflow_omics.emulator import EmulatorServer, mock_omics

from .support import refused

PRICE_LISTS = {"ServiceCode": "AmazonOmics", "EffectiveDate": "2026-07-01", "CurrencyCode": "USD"}


def equal(**fields: str) -> list[dict[str, str]]:
    return [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in fields.items()]


def prices(answer: dict[str, Any]) -> dict[str, tuple[str, float]]:
    """Read a price list as the tools do: resource to unit and USD."""
    found = {}
    for text in answer["PriceList"]:
        offer = json.loads(text)
        (term,) = offer["terms"]["OnDemand"].values()
        (dimension,) = term["priceDimensions"].values()
        resource = offer["product"]["attributes"]["resourceType"]
        found[resource] = (dimension["unit"], float(dimension["pricePerUnit"]["USD"]))
    return found


@pytest.mark.parametrize(
    ("resource", "unit", "price"),
    [
        ("omics.c.large", "Instance-hrs", 0.11475),
        ("omics.m.xlarge", "Instance-hrs", 0.2592),
        ("omics.r.24xlarge", "Instance-hrs", 8.1648),
        ("omics.g5.2xlarge", "Instance-hrs", 1.6362),
        ("Run Storage", "GB-Hours", 0.0001918),
        ("Dynamic Run Storage", "GB-Hours", 0.000411),
    ],
)
@pytest.mark.parametrize("region", ["us-east-1", "eu-west-2"])
def test_a_resource_has_a_price_in_every_region(
    resource: str, unit: str, price: float, region: str, connect: Callable[..., Any]
) -> None:
    answer = connect("pricing", "us-east-1").get_products(
        ServiceCode="AmazonOmics", Filters=equal(resourceType=resource, regionCode=region)
    )
    assert prices(answer) == {resource: (unit, price)}
    attributes = json.loads(answer["PriceList"][0])["product"]["attributes"]
    assert (attributes["regionCode"], attributes["workflowType"]) == (region, "Private")


@pytest.mark.parametrize(
    ("location", "region"),
    [
        ("US East (N. Virginia)", "us-east-1"),
        ("EU (Ireland)", "eu-west-1"),
        ("Israel (Tel Aviv)", "il-central-1"),
    ],
)
def test_a_region_can_be_named_as_the_price_list_does(
    location: str, region: str, connect: Callable[..., Any]
) -> None:
    # The HealthOmics MCP server asks so.
    (text,) = connect("pricing", "us-east-1").get_products(
        ServiceCode="AmazonOmics", Filters=equal(location=location, resourceType="omics.c.large")
    )["PriceList"]
    attributes = json.loads(text)["product"]["attributes"]
    assert (attributes["regionCode"], attributes["location"]) == (region, location)
    assert attributes["locationType"] == "AWS Region"


def test_a_location_and_another_region_have_nothing_in_common(connect: Callable[..., Any]) -> None:
    client = connect("pricing", "us-east-1")
    for fields in (
        {"location": "EU (Ireland)", "regionCode": "us-east-1"},
        {"location": "Ireland"},
        {"location": "eu-west-1"},
    ):
        assert client.get_products(ServiceCode="AmazonOmics", Filters=equal(**fields))["PriceList"] == []


def test_a_whole_region_is_one_call_and_can_be_paged(
    server: EmulatorServer, connect: Callable[..., Any]
) -> None:
    client = connect("pricing", "us-east-1")
    wanted = {
        "ServiceCode": "AmazonOmics",
        "Filters": equal(regionCode="us-east-1", workflowType="Private"),
    }
    whole = client.get_products(**wanted)
    assert len(whole["PriceList"]) == len(prices(whole)) == 30
    assert (whole["FormatVersion"], "NextToken" in whole) == ("aws_v1", False)
    pages = list(client.get_paginator("get_products").paginate(**wanted, PaginationConfig={"PageSize": 7}))
    assert [len(page["PriceList"]) for page in pages] == [7, 7, 7, 7, 2]
    assert [text for page in pages for text in page["PriceList"]] == whole["PriceList"]
    assert server.control.counts() == {"pricing:GetProducts": 6}
    assert {seen["status"] for seen in server.control.requests("pricing:GetProducts")} == {200}


def test_what_has_no_price_is_an_empty_list(connect: Callable[..., Any]) -> None:
    client = connect("pricing", "us-east-1")
    for fields in ({"resourceType": "omics.x.large"}, {"workflowType": "Ready2Run"}, {"colour": "blue"}):
        assert client.get_products(ServiceCode="AmazonOmics", Filters=equal(**fields))["PriceList"] == []


def test_the_prices_of_other_services_and_odd_filters_are_refused(connect: Callable[..., Any]) -> None:
    client = connect("pricing", "us-east-1")
    code, status, message = refused(client.get_products, ServiceCode="AmazonEC2")
    assert (code, status) == ("NotImplemented", 501)
    assert message == "the emulator has prices of AmazonOmics alone, not of 'AmazonEC2'"
    code, status, _ = refused(client.get_products, ServiceCode="AmazonOmics", NextToken="elsewhere")
    assert (code, status) == ("InvalidNextTokenException", 400)
    assert refused(client.describe_services, ServiceCode="AmazonEC2")[:2] == ("NotImplemented", 501)
    code, status, message = refused(client.list_price_lists, **PRICE_LISTS)
    assert (code, status) == ("NotImplemented", 501)
    assert message == "pricing:ListPriceLists is not emulated: neither the emulator nor moto has it"


@pytest.mark.parametrize("asked", [{}, {"ServiceCode": "AmazonOmics"}])
def test_the_one_service_that_has_prices_is_described(
    asked: dict[str, str], connect: Callable[..., Any]
) -> None:
    # Tools ask for it first, to see whether they may.
    answer = connect("pricing", "us-east-1").describe_services(**asked)
    (service,) = answer["Services"]
    assert service["ServiceCode"] == "AmazonOmics"
    assert {"location", "regionCode", "resourceType", "workflowType"} <= set(service["AttributeNames"])


# -- in process, and faults ----------------------------------------------------------------------------------

ONE_ATTEMPT = Config(retries={"total_max_attempts": 1})


@pytest.fixture
def mocked() -> Iterator[Any]:
    with mock_omics() as control:
        yield control


def pricing() -> Any:
    return boto3.client("pricing", region_name="us-east-1", config=ONE_ATTEMPT)


def test_there_are_prices_in_process_where_moto_has_none(mocked: Any) -> None:
    answer = pricing().get_products(ServiceCode="AmazonOmics", Filters=equal(resourceType="omics.c.large"))
    assert prices(answer) == {"omics.c.large": ("Instance-hrs", 0.11475)}
    with pytest.raises(ClientError, match=r"NotImplemented.*prices of AmazonOmics alone"):
        pricing().get_products(ServiceCode="AmazonEC2")
    with pytest.raises(ClientError, match="pricing:ListPriceLists is not emulated"):
        pricing().list_price_lists(**PRICE_LISTS)
    assert mocked.counts() == {"pricing:GetProducts": 2, "pricing:ListPriceLists": 1}


@pytest.mark.parametrize(
    ("kind", "code", "says"),
    [
        ("access-denied", "AccessDeniedException", "not authorized to perform: pricing:GetProducts"),
        ("throttle", "ThrottlingException", "Rate exceeded"),
        ("internal-error", "InternalServerException", "unexpected error"),
    ],
)
@pytest.mark.parametrize("where", ["in process", "over HTTP"])
def test_the_price_list_can_be_denied_throttled_or_broken(
    request: pytest.FixtureRequest, where: str, kind: str, code: str, says: str
) -> None:
    if where == "in process":
        control, client = request.getfixturevalue("mocked"), pricing()
    else:
        control = request.getfixturevalue("server").control
        client = request.getfixturevalue("connect")("pricing", "us-east-1")
    control.fault("GetProducts", kind, times=1)
    with pytest.raises(ClientError, match=says) as caught:
        client.get_products(ServiceCode="AmazonOmics")
    assert caught.value.response["Error"]["Code"] == code
    assert client.get_products(ServiceCode="AmazonOmics")["PriceList"]


def test_a_fault_of_every_operation_leaves_the_price_list_alone(mocked: Any) -> None:
    mocked.fault("*", "access-denied")
    assert pricing().get_products(ServiceCode="AmazonOmics")["PriceList"]
    with pytest.raises(ValueError, match="fault 'hang' cannot strike GetProducts"):
        mocked.fault("GetProducts", "hang")
