"""The moto backend: HealthOmics in one account and Region."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Protocol, TypeVar

from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.models import DEFAULT_ACCOUNT_ID

from airflow_omics.emulator.wire.exceptions import OmicsServiceError, validation
from airflow_omics.emulator.wire.model import loader

_State = TypeVar("_State")
_Kept = TypeVar("_Kept", bound="_Finds")


class OmicsBackend(BaseBackend):
    """HealthOmics in one account and Region. It keeps a state for each resource, and knows none of them."""

    addresses: ClassVar[Any] = None
    """The module with ``url_bases`` and ``url_paths``, for moto's dispatcher; set by ``register``."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._states: dict[Any, Any] = {}

    @property
    def _url_module(self) -> Any:
        # moto derives it from the name of the backend's module, which it expects to be "models".
        return self.addresses

    def state(self, kind: Callable[[OmicsBackend], _State]) -> _State:
        """Return what a resource keeps here; it is made when it is first asked for.

        :param kind: the class of it, made from the backend.
        """
        if kind not in self._states:
            self._states[kind] = kind(self)
        found: _State = self._states[kind]
        return found


def _regions() -> list[str]:
    # Much smaller than what a session reads of endpoints.
    return [
        region
        for partition in loader().load_data("partitions")["partitions"]
        for region in partition["regions"]
        if not region.endswith("-global")
    ]


omics_backends: BackendDict[OmicsBackend] = BackendDict(
    OmicsBackend, "omics", use_boto3_regions=False, additional_regions=_regions()
)
"""Account to Region to backend. HealthOmics is not in every Region; the emulator is."""


def backend_for(account_id: str, region_name: str) -> OmicsBackend:
    """Return the backend of an account and Region.

    :raises OmicsServiceError: the Region is none of AWS.
    """
    try:
        return omics_backends[account_id][region_name]
    except KeyError:
        raise validation(f"Region {region_name!r} is not an AWS Region") from None


def default_backend(account_id: str | None, region_name: str | None) -> OmicsBackend:
    """Return the backend that a control means.

    :param account_id: moto's account if it is None.
    :param region_name: the Region of the environment, or else us-east-1, if it is None.
    :raises ValueError: it is no account id, or no Region of AWS.
    """
    account = account_id or os.environ.get("MOTO_ACCOUNT_ID") or DEFAULT_ACCOUNT_ID
    if not (isinstance(account, str) and re.fullmatch(r"[0-9]{12}", account)):
        raise ValueError(f"account_id is {account_id!r}; give a text of 12 digits")
    by_default = os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION") or "us-east-1"
    try:
        return backend_for(account, region_name or by_default)
    except (OmicsServiceError, TypeError):
        raise ValueError(f"region_name is {region_name!r}; give a Region of AWS, such as us-east-1") from None


def backends(account_id: str | None = None, region_name: str | None = None) -> Iterator[OmicsBackend]:
    """Yield every backend that anyone has used.

    :param account_id: only those of this account.
    :param region_name: only those of this Region.
    """
    for account_key, region_key, backend in list(omics_backends.iter_backends()):
        # moto's types do not say that every one of them is ours.
        assert isinstance(backend, OmicsBackend)
        if account_id in (None, account_key) and region_name in (None, region_key):
            yield backend


class _Finds(Protocol):
    def find(self, thing_id: str, /) -> Any:
        """Return the thing with this id, or None."""


def located(
    noun: str,
    thing_id: str,
    kept: Callable[[OmicsBackend], _Kept],
    account_id: str | None,
    region_name: str | None,
) -> tuple[_Kept, Any]:
    """Return a thing, wherever it is, and what it is kept in there.

    :param noun: how errors spell its kind.
    :param kept: returns what things of this kind are kept in, in an account and Region.
    :param account_id: the account to look in; every one if it is None.
    :param region_name: the Region to look in; every one if it is None.
    :raises ValueError: there is none, or more than one.
    """
    everywhere = [kept(backend) for backend in backends(account_id, region_name)]
    found = [(each, thing) for each in everywhere if (thing := each.find(str(thing_id))) is not None]
    if not found:
        raise ValueError(f"{noun} {thing_id!r} is not in the emulator")
    if len(found) > 1:
        raise ValueError(
            f"{noun} {thing_id!r} is in several accounts or Regions; give account_id and region_name"
        )
    return found[0]
