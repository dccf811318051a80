"""Fixtures of the emulator's tests: in process, and over HTTP on a free port of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.config import Config

from airflow_omics.emulator import Emulator, EmulatorServer, mock_omics
from tests.support.quick_clients import build_clients_quickly

from .support import aws


@pytest.fixture(autouse=True)
def _clients_are_built_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    build_clients_quickly(monkeypatch)


@pytest.fixture(autouse=True)
def _no_other_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_OMICS", "AWS_PROFILE", "MOTO_ACCOUNT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """The emulator in process."""
    with mock_omics() as control:
        yield control


@pytest.fixture
def client(emulator: Emulator) -> Any:
    """A client inside the mock, that does not retry."""
    return aws(config=Config(retries={"total_max_attempts": 1}))


@pytest.fixture
def server() -> Iterator[EmulatorServer]:
    """The emulator over HTTP."""
    with EmulatorServer() as running:
        yield running


@pytest.fixture
def connect(server: EmulatorServer) -> Callable[..., Any]:
    """Make a client of any service that speaks to the server."""

    def make(service: str = "omics", region_name: str = "us-west-2", **options: Any) -> Any:
        config = Config(
            **{
                "inject_host_prefix": False,
                "retries": {"total_max_attempts": 1},
                "read_timeout": 10,
                **options,
            }
        )
        return aws(service, region_name, endpoint_url=server.endpoint_url, config=config)

    return make
