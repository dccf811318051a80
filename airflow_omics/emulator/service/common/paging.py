"""Pages of a list operation: its limit, ``startingToken`` and ``nextToken``."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from airflow_omics.emulator.wire.exceptions import validation

_ITEMS_ON_A_PAGE = 100


def page(
    members: Mapping[str, Any],
    after: Callable[[int], Iterable[tuple[int, dict[str, Any]]]],
    *,
    limit: str = "maxResults",
    items: str = "items",
) -> dict[str, Any]:
    """Return the answer of a list operation: its items, and ``nextToken`` if there are more.

    :param members: the members of the request.
    :param after: given the number of the last item on the page before, or 0, yields number and item of each
        that follows, in rising order. Numbers begin at 1. An item keeps its number while others come and go.
    :param limit: the member of the request that says how many items a page has at most.
    :param items: the member of the answer that holds them.
    :raises OmicsServiceError: the token is not one of these; it is a ValidationException.
    """
    most = members.get(limit, _ITEMS_ON_A_PAGE)
    found = list(islice(after(_position(members.get("startingToken"))), most + 1))
    answer: dict[str, Any] = {items: [item for _, item in found[:most]]}
    if len(found) > most:
        answer["nextToken"] = _token(found[most - 1][0])
    return answer


def _token(position: int) -> str:
    return base64.urlsafe_b64encode(f"v1:{position}".encode()).decode()


def _position(token: str | None) -> int:
    if token is None:
        return 0
    try:
        version, position = base64.urlsafe_b64decode(token.encode()).decode().split(":")
        if version == "v1":
            return int(position)
    except (ValueError, binascii.Error):
        pass
    raise validation("startingToken is not one that this operation returned")
