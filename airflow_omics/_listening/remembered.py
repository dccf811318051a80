"""The latest keys of a kind, so that what comes twice is known."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

_MOST: Final = 10_000


class Remembered:
    """The latest 10,000 keys."""

    def __init__(self) -> None:
        self._keys: dict[Hashable, None] = {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._keys

    def is_first(self, key: Hashable) -> bool:
        """Return whether a key is met for the first time, and remember it."""
        if key in self._keys:
            return False
        self._keys[key] = None
        if len(self._keys) > _MOST:
            del self._keys[next(iter(self._keys))]
        return True
