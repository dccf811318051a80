"""Requests to services beside HealthOmics: what moto lacks is refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore import xform_name

from airflow_omics.emulator import EmulatorServer

from .shapes import made_up
from .support import refused

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
