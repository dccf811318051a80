"""Holds a test to a set of IAM actions: allows those alone, and records which are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import aiobotocore.client
import botocore.client
import botocore.exceptions
import pytest

from airflow_omics._iam import USES
from airflow_omics.emulator.service.operations import OPERATIONS
from airflow_omics.emulator.world.faults import LOG_OPERATIONS, PRICE_OPERATIONS

# Part of one StartRun or StartRunBatch each: IAM weighs them along with omics:StartRun.
WITH_START_RUN = {
    "iam:PassRole": "arn:aws:iam::123456789012:role/omics-run",
    "omics:TagResource": "arn:aws:omics:us-east-1:123456789012:run/*",
}
# What an S3 operation is allowed by, where its name does not say it: to ask for an object's size is to be
# allowed to read it.
_OF_S3 = {"HeadObject": "s3:GetObject", "ListObjectsV2": "s3:ListBucket"}
REQUIRED = {use.name: use.required for use in USES}
OPTIONAL = {use.name: tuple(use.optional) for use in USES}


def allow_only(omics: Any, actions: Iterable[str]) -> None:
    """Deny every other action that the emulator can judge, with AWS's own sentence."""
    allowed = set(actions)
    services = (("omics", OPERATIONS), ("logs", LOG_OPERATIONS), ("pricing", PRICE_OPERATIONS))
    for service, operations in services:
        for operation in operations:
            if f"{service}:{operation}" not in allowed:
                omics.fault(operation, "access-denied")
    for action, resource in WITH_START_RUN.items():
        for operation in ("StartRun", "StartRunBatch"):
            if action not in allowed and operation in OPERATIONS:
                omics.fault(operation, "access-denied", message=denial(action, resource))


def action_of(service: str, operation: str) -> str:
    """Return the action that a call needs."""
    return _OF_S3.get(operation, f"{service}:{operation}") if service == "s3" else f"{service}:{operation}"


def allow_only_in_s3(monkeypatch: pytest.MonkeyPatch, actions: Iterable[str]) -> None:
    """Deny every other action of S3, as S3 does; moto's S3 allows everything."""
    allowed, made = set(actions), botocore.client.BaseClient._make_api_call

    def make(self: Any, operation: str, parameters: Any) -> Any:
        service = self.meta.service_model.service_name
        if service == "s3" and action_of(service, operation) not in allowed:
            code = "403" if operation.startswith("Head") else "AccessDenied"
            metadata = {"HTTPStatusCode": 403, "HTTPHeaders": {"x-amz-request-id": "REQ1"}}
            error = {"Error": {"Code": code, "Message": "Access Denied"}, "ResponseMetadata": metadata}
            raise botocore.exceptions.ClientError(error, operation)
        return made(self, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", make)


def denial(action: str, resource: str) -> str:
    return (
        "User: arn:aws:sts::123456789012:assumed-role/airflow/session is not authorized to perform: "
        f"{action} on resource: {resource} because no identity-based policy allows the {action} action"
    )


class Asked:
    """The IAM actions behind every call that was made."""

    def __init__(self) -> None:
        self.actions: set[str] = set()

    def record(self, service: str, operation: str, parameters: dict[str, Any]) -> None:
        self.actions.add(action_of(service, operation))
        if operation == "StartRunBatch":
            self.actions.add("omics:StartRun")
        if operation in ("StartRun", "StartRunBatch"):
            self.actions |= {"iam:PassRole"} | ({"omics:TagResource"} if parameters.get("tags") else set())


def record_calls(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Record the actions of every call that botocore and aiobotocore make from now on."""
    asked = Asked()
    for client in (botocore.client.BaseClient, aiobotocore.client.AioBaseClient):
        made = client._make_api_call

        def make(self: Any, operation: str, parameters: Any, made: Any = made) -> Any:
            asked.record(self.meta.service_model.service_name, operation, parameters)
            return made(self, operation, parameters)

        monkeypatch.setattr(client, "_make_api_call", make)
    return asked
