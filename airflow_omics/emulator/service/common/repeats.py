"""What an operation with a ``requestId`` answers when it sees one again; AWS does not document it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from airflow_omics.emulator.wire.exceptions import conflict, validation
from airflow_omics.emulator.world.shared import WORLD

_Thing = TypeVar("_Thing")


class Repeats(Generic[_Thing]):
    """The things of one kind that were made with a ``requestId``.

    :param noun: how errors spell the kind, such as ``run``.
    """

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._made: dict[str, tuple[_Thing, str]] = {}

    def earlier(self, members: Mapping[str, Any]) -> _Thing | None:
        """Return what an earlier request with this ``requestId`` made, or None.

        :param members: the members of the request, as they came.
        :raises OmicsServiceError: a repeat is refused, as ``Emulator.repeat_request_id`` has set it.
        """
        request_id = members.get("requestId")
        if not request_id or request_id not in self._made or WORLD.repeat_policy == "forgotten":
            return None
        thing, before = self._made[request_id]
        if WORLD.repeat_policy == "conflict":
            raise conflict(f"A {self._noun} with requestId {request_id} already exists")
        if WORLD.repeat_policy == "validation" and before != _fingerprint(members):
            raise validation(f"requestId {request_id} was used before with other parameters")
        return thing

    def keep(self, members: Mapping[str, Any], thing: _Thing) -> None:
        """Remember what a request has made.

        :param members: the members of the request, as they came.
        """
        if request_id := members.get("requestId"):
            self._made[request_id] = thing, _fingerprint(members)


def _fingerprint(members: Mapping[str, Any]) -> str:
    said = {name: value for name, value in members.items() if name != "requestId"}
    return json.dumps(said, sort_keys=True, default=str)
