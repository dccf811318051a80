"""Which runs of a listing were shown: a list may repeat an item, or step back by pages."""

from __future__ import annotations

from array import array


class Seen:
    """Ids of runs, which are numbers, in 16 to 48 bytes each: a batch may have 100,000 of them."""

    def __init__(self) -> None:
        # A table of slots, at most half full; a number stands in the first free slot from its hash on.
        self._slots = array("Q", [0]) * 1024
        self._count = 0
        self._others: set[str] = set()

    def add(self, run_id: str) -> bool:
        """Note a run; return whether it is new."""
        key = key_of(run_id)
        if not isinstance(key, int):
            is_new = run_id not in self._others
            self._others.add(run_id)
            return is_new
        if 2 * self._count >= len(self._slots):
            self._grow()
        slot = self._slot(key)
        if self._slots[slot]:
            return False
        self._slots[slot] = key
        self._count += 1
        return True

    def _grow(self) -> None:
        earlier, self._slots = self._slots, array("Q", [0]) * (2 * len(self._slots))
        for number in earlier:
            if number:
                self._slots[self._slot(number)] = number

    def _slot(self, number: int) -> int:
        mask = len(self._slots) - 1
        slot = hash((number,)) & mask
        while self._slots[slot] not in (0, number):
            slot = (slot + 1) & mask
        return slot


def key_of(run_id: str) -> int | str:
    """Return an id as a number, which takes less memory, if it is written as one."""
    is_number = run_id.isascii() and run_id.isdigit() and len(run_id) <= 18 and run_id[0] != "0"
    return int(run_id) if is_number else run_id
