"""Starts of batches on a real Airflow: which batches and runs there are, by the emulator's own lists."""

from __future__ import annotations

from collections import Counter
from typing import Any

import boto3

from scripts.stack import Stack


class Batches:
    """What the emulator of a stack has of batches."""

    def __init__(self, stack: Stack) -> None:
        self._client: Any = boto3.client(
            "omics",
            region_name="us-east-1",
            endpoint_url=stack.endpoint_url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=boto3.session.Config(inject_host_prefix=False),
        )

    def ids(self) -> list[str]:
        """Return the ids of the batches, the first started first."""
        items = self._client.list_batch()["items"]
        return [item["id"] for item in sorted(items, key=lambda item: (item["createdAt"], item["id"]))]

    def status(self, batch_id: str) -> str:
        return str(self._client.get_batch(batchId=batch_id)["status"])

    def runs(self, batch_id: str) -> dict[str, str]:
        """Return the ids of the runs of a batch, by their samples."""
        return {item["name"]: item["id"] for item in self._client.list_runs(batchId=batch_id)["items"]}

    def runs_by_sample(self) -> Counter[str]:
        """Return how many runs each sample has had, in all batches."""
        return Counter(item["name"] for item in self._client.list_runs()["items"])
