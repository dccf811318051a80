"""Fixtures of the contract's tests."""

from __future__ import annotations

import pytest

from tests.support.quick_clients import build_clients_quickly


@pytest.fixture(autouse=True)
def _clients_are_built_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The contract has a client for each service, and each test tries a contract or two."""
    build_clients_quickly(monkeypatch)
