"""The price list of HealthOmics, as tools read it that work out what a run cost."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_omics.emulator import EmulatorServer

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
