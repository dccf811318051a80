"""How things are named: ARNs, log streams, images, digests."""

from __future__ import annotations

import hashlib
import uuid as uuids
from functools import lru_cache
from typing import Protocol

LOG_GROUP = "/aws/omics/WorkflowLog"
_NAMESPACE = uuids.UUID("6f1a4f3c-7f0e-4d27-9d8a-4b9b7d4f2f10")


class Place(Protocol):
    """An account and Region, as every backend of moto names them."""

    @property
    def account_id(self) -> str:
        """The account, 12 digits."""

    @property
    def region_name(self) -> str:
        """The Region, such as ``us-east-1``."""

    @property
    def partition(self) -> str:
        """The partition of the Region, such as ``aws``."""


def arn(place: Place, kind: str, name: str, *, account_id: str | None = None) -> str:
    """Return the ARN of a thing of HealthOmics.

    :param kind: how ARNs spell its kind, such as ``runGroup``.
    :param name: its id or name.
    :param account_id: the owner, if it is not the account of ``place``; "" for what AWS itself owns.
    """
    owner = place.account_id if account_id is None else account_id
    return f"arn:{place.partition}:omics:{place.region_name}:{owner}:{kind}/{name}"


def log_stream_arn(place: Place, stream: str) -> str:
    """Return the ARN of a log stream of the workflow log group."""
    return (
        f"arn:{place.partition}:logs:{place.region_name}:{place.account_id}:log-group:{LOG_GROUP}"
        f":log-stream:{stream}"
    )


def principal(place: Place) -> str:
    """Return the ARN of the principal that every run of the emulator was started by."""
    return f"arn:{place.partition}:sts::{place.account_id}:assumed-role/Emulator/session"


def stable_uuid(place: Place, kind: str, name: str) -> str:
    """Return the UUID of a thing that the emulator does not keep, the same each time."""
    return _uuid_of(arn(place, kind, name))


@lru_cache
def _uuid_of(text: str) -> str:
    return str(uuids.uuid5(_NAMESPACE, text))


def image_uri(place: Place, image: str) -> str:
    """Return an image URI with the account's own registry filled in."""
    return image.replace("{registry}", f"{place.account_id}.dkr.ecr.{place.region_name}.amazonaws.com")


@lru_cache
def sha256(text: str) -> str:
    """Return a digest as the service writes it, the same for the same text."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def etag(uri: str) -> str:
    """Return the digest of an object in S3 as the service writes it, the same for the same URI."""
    return "etag:" + hashlib.md5(uri.encode(), usedforsecurity=False).hexdigest()
