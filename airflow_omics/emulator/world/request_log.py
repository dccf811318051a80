"""The log of every request, for tests to read and to wait on."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from difflib import get_close_matches
from typing import Any

from airflow_omics.emulator.wire.model import service_model
from airflow_omics.emulator.world.numbers import is_number

CAPACITY = 20_000
"""How many requests are kept; the counts go on beyond it."""
UNKNOWN = "Unknown"
"""The operation of a request that is none of HealthOmics. One of a service that moto lacks is kept as
``service:Operation``."""


class RequestLog:
    """A bounded record of requests, with a count for each operation."""

    def __init__(self) -> None:
        self._seen = threading.Condition()
        self.reset()

    def reset(self) -> None:
        """Forget every request."""
        with self._seen:
            self._requests: deque[dict[str, Any]] = deque(maxlen=CAPACITY)
            self._counts: Counter[str] = Counter()

    def add(self, request: dict[str, Any]) -> None:
        """Keep a request, and wake those who wait for it."""
        with self._seen:
            self._requests.append(request)
            self._counts[request["operation"]] += 1
            self._seen.notify_all()

    def latest(self, operation: str | None = None) -> list[dict[str, Any]]:
        """Return the requests kept, oldest first."""
        if operation is not None:
            _checked(operation)
        with self._seen:
            return [dict(r) for r in self._requests if operation in (None, "*", r["operation"])]

    def counts(self) -> dict[str, int]:
        """Return how many requests each operation has had."""
        with self._seen:
            return dict(self._counts)

    def wait_for(self, operation: str | None, count: int, timeout: float) -> int:
        """Block until ``count`` requests were seen; return how many there are.

        :raises TimeoutError: they were not seen within ``timeout`` real seconds.
        :raises ValueError: an argument is wrong.
        """
        if isinstance(count, bool) or not isinstance(count, int):
            raise ValueError(f"count is {count!r}; give a number of requests, such as 3")
        # A comparison with NaN is never true.
        if not (is_number(timeout) and 0 <= timeout <= threading.TIMEOUT_MAX):
            raise ValueError(f"timeout is {timeout!r}; give real seconds, such as 10")
        if operation is not None:
            _checked(operation)
        deadline = time.monotonic() + timeout
        with self._seen:
            while (seen := self._count(operation)) < count:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(
                        f"{seen} of {count} {operation or 'requests of any operation'} seen in {timeout:g} s"
                    )
                self._seen.wait(left)
            return seen

    def _count(self, operation: str | None) -> int:
        return self._counts.total() if operation in (None, "*") else self._counts[operation]


def _checked(operation: str) -> None:
    """Check the name of an operation.

    :raises ValueError: nothing is ever kept under this name; the error gives a similar one.
    """
    names = service_model().operation_names
    if operation in ("*", UNKNOWN) or operation in names or ":" in str(operation):
        return
    like = {name.lower(): name for name in names}
    meant = [like[name] for name in get_close_matches(str(operation).lower(), like, 1)]
    hint = f"did you mean {meant[0]!r}?" if meant else "give '*' for all of them"
    raise ValueError(f"operation {operation!r} is none of HealthOmics; {hint}")
