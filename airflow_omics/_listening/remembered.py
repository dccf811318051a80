"""What was fired, so that a copy of an event fires nothing."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

_MOST: Final = 10_000


class Remembered:
    """The keys of the latest 10,000 that were fired."""

    def __init__(self) -> None:
        self._keys: dict[Hashable, None] = {}

    def is_first(self, key: Hashable) -> bool:
        """Return whether a key is met for the first time, and remember it."""
        if key in self._keys:
            return False
        self._keys[key] = None
        if len(self._keys) > _MOST:
            del self._keys[next(iter(self._keys))]
        return True
