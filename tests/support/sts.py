"""STS in tests: counts who asks it, lets it fail, and gives access keys of other accounts."""

from __future__ import annotations

import threading
from typing import Any

import botocore.client
import pytest
from moto.iam.models import AccessKey, iam_backends


class Sts:
    """The requests for GetCallerIdentity that this process has sent.

    Set ``error`` to let each one fail.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.threads: list[threading.Thread] = []
        """The thread of each request."""
        self.error: Exception | None = None
        make = botocore.client.BaseClient._make_api_call

        def counted(client: Any, operation: str, parameters: Any) -> Any:
            if operation == "GetCallerIdentity":
                self.threads.append(threading.current_thread())
                if self.error is not None:
                    raise self.error
            return make(client, operation, parameters)

        monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", counted)

    @property
    def asked(self) -> int:
        """How often STS was asked."""
        return len(self.threads)


def give_key(monkeypatch: pytest.MonkeyPatch, account: str, key: str) -> None:
    """Let an access key be one of an account, for moto and the emulator."""
    monkeypatch.setitem(iam_backends[account]["aws"].access_keys, key, AccessKey("somebody", "AKIA", account))
