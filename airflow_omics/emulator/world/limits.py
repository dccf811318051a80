"""Rate limits: how many calls of an operation the service takes in a second of real time."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from airflow_omics.emulator.world.numbers import is_number

MOST_A_SECOND = 1_000_000
"""The most calls a second that can be a limit."""


def is_rate(value: object) -> bool:
    """Return whether a value can be a limit, in calls a second."""
    return is_number(value) and 0 < value <= MOST_A_SECOND


class Limits:
    """The limit of each operation, counted by account and Region."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.sharers: dict[str, Callable[[str], int]] = {}
        """By operation, what else uses its limit: it takes the account and Region, and returns how many calls
        it has made there since it was last asked."""
        self.reset()

    def reset(self) -> None:
        """Lift every limit."""
        self._of_each: float | None = None
        self._limits: dict[str, RateLimit | None] = {}

    def set(self, operation: str, per_second: float | None) -> None:
        """Set or lift the limit of an operation.

        :param operation: its name, or ``*`` for each.
        :param per_second: calls in a real second; None for no limit.
        :raises ValueError: it is not a rate.
        """
        if per_second is not None and not is_rate(per_second):
            raise ValueError(
                f"per_second is {per_second!r}; give a number above 0, up to {MOST_A_SECOND}, "
                "or None for no limit"
            )
        with self._lock:
            if operation == "*":
                self._of_each, self._limits = per_second, {}
            else:
                self._limits[operation] = None if per_second is None else RateLimit(per_second)

    def exceeds(self, operation: str, scope: str) -> bool:
        """Count a call, and return whether it is beyond the limit.

        :param scope: the account and Region.
        """
        if self.per_second(operation) is None:
            return False
        others = self.sharers[operation](scope) if operation in self.sharers else 0
        with self._lock:
            if operation not in self._limits:
                if self._of_each is None:
                    return False
                self._limits[operation] = RateLimit(self._of_each)
            limit = self._limits[operation]
            if limit is None:
                return False
            for _ in range(min(others, limit.calls)):
                limit.take(scope)
            return not limit.take(scope)

    def per_second(self, operation: str) -> float | None:
        """Return the limit of an operation, in calls a second; None if it has none."""
        with self._lock:
            if operation not in self._limits:
                return self._of_each
            limit = self._limits[operation]
            return None if limit is None else limit.per_second


class RateLimit:
    """At most ``per_second`` calls in any second of real time, in each scope."""

    def __init__(self, per_second: float) -> None:
        self.per_second = per_second
        # A rate below one a second is one call in a longer window.
        self.calls = max(1, int(per_second))
        self.window = self.calls / per_second
        self._taken: dict[str, deque[float]] = {}

    def take(self, scope: str) -> bool:
        """Return whether a call fits in now, and count it if so."""
        now = time.monotonic()
        taken = self._taken.setdefault(scope, deque())
        while taken and taken[0] <= now - self.window:
            taken.popleft()
        if len(taken) >= self.calls:
            return False
        taken.append(now)
        return True
