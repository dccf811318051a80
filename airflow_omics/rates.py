"""A ceiling on the requests a second of each operation, shared by every watcher of a process.

HealthOmics' default quota is 10 requests a second for each operation, account and Region:
https://docs.aws.amazon.com/omics/latest/dev/api-quotas.html
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

DEFAULT_RATE: Final = 5.0
"""Requests a second for one operation: half of the service's default quota, so that others have room."""

_RECOVERY: Final = 30.0  # seconds in which a limiter that fell to nothing creeps back to its ceiling
_SLACK: Final = 1.08  # so that what the network bunches together stays below the ceiling in every second
_FLOOR: Final = 0.05  # of the ceiling: throttling never stops a watcher altogether


class Limiter:
    """Spaces requests evenly; throttling halves the rate, quiet time brings it back.

    Several triggerers that share a quota settle by this, as several TCP connections do on one line.

    :param ceiling: requests a second, never exceeded.
    """

    def __init__(self, ceiling: float) -> None:
        self.ceiling = ceiling
        self._rate = ceiling
        self._rate_at = self._halved_at = time.monotonic()
        self._next_slot = 0.0

    @property
    def rate(self) -> float:
        """Requests a second at this moment."""
        now = time.monotonic()
        self._rate = min(self.ceiling, self._rate + self.ceiling * (now - self._rate_at) / _RECOVERY)
        self._rate_at = now
        return self._rate

    async def acquire(self) -> None:
        """Return when the next request may be sent; whoever asked first goes first."""
        now = time.monotonic()
        slot = max(now, self._next_slot)
        self._next_slot = slot + _SLACK / self.rate
        # Never sooner than the slot: a timer may fire a little early, and a quota counts strictly.
        while slot > now:
            await asyncio.sleep(slot - now)
            now = time.monotonic()

    def throttled(self) -> None:
        """Take note that AWS throttled a request; those that were under way together count once."""
        now, rate = time.monotonic(), self.rate
        if now - self._halved_at >= 2.0 / rate:
            self._rate = max(self.ceiling * _FLOOR, rate / 2)
            self._halved_at = now


class RateTable:
    """The limiters of a process, one for each operation, Region and account.

    Until a watcher knows its account it shares the limiter of the unknown account of its Region, so that
    two connections to one account never add up.
    """

    def __init__(self) -> None:
        self._limiters: dict[tuple[str, str, str | None], Limiter] = {}

    def limiter(self, operation: str, region: str, account: str | None, ceiling: float) -> Limiter:
        """Return the one limiter for these three; ``ceiling`` counts when it is new."""
        key = (operation, region, account)
        if key not in self._limiters:
            self._limiters[key] = Limiter(ceiling)
        return self._limiters[key]


RATES: Final = RateTable()
"""The table that every watcher of this process uses."""
