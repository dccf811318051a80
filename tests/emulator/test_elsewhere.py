"""Services beside HealthOmics: what moto lacks is refused in one sentence, and HealthOmics has prices."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore import xform_name

from airflow_omics.emulator import EmulatorServer

from .conftest import refused
from .shapes import made_up

# One of each protocol of AWS: services that moto lacks, then operations that it lacks.
LACKED = [
    ("codeconnections", "codeconnections", "ListConnections"),
    ("service-quotas", "servicequotas", "ListServices"),
    ("docdb-elastic", "docdb-elastic", "ListClusters"),
    ("elasticache", "elasticache", "DescribeServiceUpdates"),
    ("ec2", "ec2", "DescribeFpgaImages"),
    ("sns", "sns", "ListOriginationNumbers"),
    ("kms", "kms", "DescribeCustomKeyStores"),
    ("batch", "batch", "ListConsumableResources"),
    ("cloudfront", "cloudfront", "ListConflictingAliases"),
]


@pytest.mark.parametrize(("client", "service", "operation"), LACKED)
def test_what_moto_lacks_is_refused_in_one_sentence(
    client: str,
    service: str,
    operation: str,
    server: EmulatorServer,
    connect: Callable[..., Any],
    capfd: pytest.CaptureFixture[str],
) -> None:
    asked = connect(client, "us-east-1")
    shape = asked.meta.service_model.operation_model(operation).input_shape
    code, status, message = refused(getattr(asked, xform_name(operation)), **made_up(shape))
    assert (code, status) == ("NotImplemented", 501)
    assert message == f"{service}:{operation} is not emulated: neither the emulator nor moto has it"
    (seen,) = server.control.requests(f"{service}:{operation}")
    assert (seen["status"], seen["error"]) == (501, "NotImplemented")
    assert server.control.counts() == {f"{service}:{operation}": 1}
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


def test_an_operation_that_no_model_names_is_identified_by_its_path(
    server: EmulatorServer, connect: Callable[..., Any]
) -> None:
    # Its signatures have another name than it has in botocore.
    asked = connect("marketplace-catalog", "us-east-1")
    code, status, message = refused(asked.list_entities, Catalog="AWSMarketplace", EntityType="x")
    assert (code, status) == ("NotImplemented", 501)
    assert message.startswith("aws-marketplace:POST /ListEntities is not emulated: ")
    assert server.control.counts() == {"aws-marketplace:POST /ListEntities": 1}


def test_what_moto_has_still_is_moto_s(server: EmulatorServer, connect: Callable[..., Any]) -> None:
    assert refused(connect("s3").head_object, Bucket="missing-bucket", Key="a")[:2] == ("404", 404)
    assert refused(connect("iam").get_role, RoleName="missing")[:2] == ("NoSuchEntity", 404)
    assert refused(connect("stepfunctions").describe_execution, executionArn="arn:x")[1] == 400
    assert connect("sns").list_topics()["Topics"] == []
    assert server.control.counts() == {}


# -- prices --------------------------------------------------------------------------------------------------


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
    assert {"regionCode", "resourceType", "workflowType"} <= set(service["AttributeNames"])
