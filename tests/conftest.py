"""Gives each test process an Airflow home of its own, before it imports Airflow, and shares out the tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

import tests.support.environment  # noqa: F401  before anything imports Airflow


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from tests.support.xdist_groups import OneWorkerAFolder

    return OneWorkerAFolder(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    from tests.support.slow import SLOW

    for item in items:
        if item.nodeid.startswith(SLOW):
            item.add_marker("slow")


# What a process keeps of what it has read: connections, and AWS's price list.
_KEPT = (("hooks.named", "_READ"), ("hooks.pricing", "_known"))


@pytest.fixture(autouse=True)
def _nothing_was_read_before() -> Iterator[None]:
    """Each test is a process of its own as far as what was read in it."""
    yield
    for module, name in _KEPT:
        if (found := sys.modules.get(f"airflow_omics.{module}")) is not None:
            getattr(found, name).clear()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Record the IAM action of each call that is made, as ``asked.actions``."""
    from tests.support.iam import record_calls

    return record_calls(monkeypatch)


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Count the requests to STS, as ``sts.asked``; ``sts.error`` lets them fail."""
    from tests.support.sts import Sts

    return Sts(monkeypatch)


@pytest.fixture
def sts_out_of_reach(sts: Any) -> Any:
    """No STS, as in a private network without an endpoint for it."""
    from botocore.exceptions import ConnectTimeoutError

    sts.error = ConnectTimeoutError(endpoint_url="https://sts.us-east-1.amazonaws.com/")
    return sts
