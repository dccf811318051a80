"""Holds a test to a set of IAM actions: allows those alone, and records which are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import aiobotocore.client
import botocore.client
import pytest

from airflow_omics._iam import USES
from airflow_omics.emulator.service.operations import OPERATIONS
from airflow_omics.emulator.world.faults import LOG_OPERATIONS, PRICE_OPERATIONS

# Part of one StartRun or StartRunBatch each: IAM weighs them along with omics:StartRun.
WITH_START_RUN = {
    "iam:PassRole": "arn:aws:iam::123456789012:role/omics-run",
    "omics:TagResource": "arn:aws:omics:us-east-1:123456789012:run/*",
}
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
        # To ask for an object's size is to be allowed to read it.
        self.actions.add("s3:GetObject" if operation == "HeadObject" else f"{service}:{operation}")
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
