"""Things of one kind in one account and Region, by id."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from airflow_omics.emulator.service.common.backend import OmicsBackend
from airflow_omics.emulator.wire import names
from airflow_omics.emulator.wire.exceptions import not_found
from airflow_omics.emulator.world.shared import WORLD

_Thing = TypeVar("_Thing")


class Table(Generic[_Thing]):
    """Things of one kind, by id.

    :param backend: the account and Region that they are in.
    :param kind: how ARNs spell the kind, such as ``runGroup``.
    :param noun: how errors spell it, such as ``Run group``.
    """

    def __init__(self, backend: OmicsBackend, kind: str, noun: str) -> None:
        self._backend, self._kind, self._noun = backend, kind, noun
        self._things: dict[str, _Thing] = {}
        self._numbers: dict[str, int] = {}
        self._last = 0
        self._random = WORLD.generator(f"{backend.account_id}/{backend.region_name}")

    def new_id(self) -> str:
        """Return an id that nothing here has: seven digits, repeatable if the emulator has a seed."""
        while True:
            thing_id = str(self._random.randrange(1_000_000, 10_000_000))
            if thing_id not in self._things:
                return thing_id

    def arn(self, thing_id: str) -> str:
        """Return the ARN of the thing with this id."""
        return names.arn(self._backend, self._kind, thing_id)

    def put(self, thing_id: str, thing: _Thing) -> None:
        """Keep a thing, in place of what had its id before."""
        if thing_id not in self._things:
            self._last += 1
            self._numbers[thing_id] = self._last
        self._things[thing_id] = thing

    def remove(self, thing_id: str) -> None:
        """Forget a thing."""
        del self._things[thing_id], self._numbers[thing_id]

    def after(self, number: int) -> Iterator[tuple[int, _Thing]]:
        """Yield number and thing of each that was first kept after the one of this number, in that order."""
        for thing_id, thing in list(self._things.items()):
            if self._numbers[thing_id] > number:
                yield self._numbers[thing_id], thing

    def find(self, thing_id: str) -> _Thing | None:
        """Return the thing with this id, or None."""
        return self._things.get(thing_id)

    def get(self, thing_id: str) -> _Thing:
        """Return the thing with this id.

        :raises OmicsServiceError: there is none; it is a ResourceNotFoundException.
        """
        try:
            return self._things[thing_id]
        except KeyError:
            raise not_found(f"{self._noun} {thing_id}") from None
