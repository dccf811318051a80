"""A ceiling on the requests a second of each operation, shared by every watcher of a process.

HealthOmics' default quota is 10 requests a second for each operation, account and Region:
https://docs.aws.amazon.com/omics/latest/dev/api-quotas.html
"""

from __future__ import annotations

import asyncio
import weakref
from typing import Final

from airflow_omics import _clock
from airflow_omics._compat import conf

DEFAULT_RATE: Final = 5.0
"""Requests a second for one operation: half of the service's default quota, so that others have room."""

_RECOVERY: Final = 30.0  # seconds in which a limiter rises from nothing to its ceiling again
_SLACK: Final = 1.08  # so that what the network bunches together stays below the ceiling in every second
_FLOOR: Final = 0.05  # of the ceiling: throttling never stops a watcher altogether


class Limiter:
    """Spaces requests evenly; throttling halves the rate, and it rises again while nothing is throttled.

    So several triggerers come to share a quota, as several TCP connections share one line.

    :param ceiling: requests a second, never exceeded.
    """

    def __init__(self, ceiling: float) -> None:
        self.ceiling = ceiling
        self._rate = ceiling
        self._rate_at = self._halved_at = _clock.monotonic()
        self._next_slot = 0.0
        self._locks: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
            weakref.WeakKeyDictionary()
        )

    @property
    def rate(self) -> float:
        """Requests a second at this moment."""
        now = _clock.monotonic()
        self._rate = min(self.ceiling, self._rate + self.ceiling * (now - self._rate_at) / _RECOVERY)
        self._rate_at = now
        return self._rate

    async def acquire(self) -> None:
        """Wait until the next request may be sent; whoever asked first goes first."""
        # A lock belongs to one loop, while a limiter is the process's.
        lock = self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        async with lock:
            await self._acquire()

    def follow(self, other: Limiter) -> None:
        """Send nothing before the other limiter may."""
        self._next_slot = max(self._next_slot, other._next_slot)

    async def _acquire(self) -> None:
        while (now := _clock.monotonic()) < self._next_slot:
            await asyncio.sleep(self._next_slot - now)
        spacing = _SLACK / self.rate
        # Counted from when this request is really sent: a loop that was held up must not send all its late
        # requests at once. A little is caught up, so that timers that are always a bit late cost no rate.
        self._next_slot = max(self._next_slot + spacing, now + 0.98 * spacing)

    def throttled(self) -> None:
        """Note that AWS throttled a request; those that were under way together count once."""
        now, rate = _clock.monotonic(), self.rate
        if now - self._halved_at >= 2.0 / rate:
            self._rate = max(self.ceiling * _FLOOR, rate / 2)
            self._halved_at = now


class RateTable:
    """The limiters of a process, one for each operation, Region and account."""

    def __init__(self) -> None:
        self._limiters: dict[tuple[str, str], dict[str | None, Limiter]] = {}

    def limiter(self, operation: str, region: str, account: str | None, ceiling: float) -> Limiter:
        """Return the one limiter for these three; ``ceiling`` is used if it is new."""
        accounts = self._limiters.setdefault((operation, region), {})
        if account not in accounts:
            accounts[account] = Limiter(ceiling)
            if unknown := accounts.get(None):
                # What was sent before the account was known was sent to this account.
                accounts[account].follow(unknown)
        return accounts[account]

    async def acquire(self, operation: str, region: str, account: str | None, ceiling: float) -> None:
        """Wait until the next request may be sent.

        :param account: None as long as a connection has read no run. It may then lead to any account, and
            its requests count for each, so that two connections to one account never exceed its rate.
        """
        own = self.limiter(operation, region, account, ceiling)
        if account is None:
            for limiter in list(self._limiters[operation, region].values()):
                if limiter is not own:
                    await limiter.acquire()
        await own.acquire()


RATES: Final = RateTable()
"""The table that every watcher of this process uses."""


def requests_per_second() -> float:
    """Return ``[omics] requests_per_second`` of Airflow's configuration, 5 by default.

    :raises ValueError: it is not a positive number.
    """
    text = conf.get("omics", "requests_per_second", fallback=str(DEFAULT_RATE))
    try:
        rate = float(text)
    except (TypeError, ValueError):
        rate = 0.0
    if not 0.0 < rate < float("inf"):
        raise ValueError(
            f"[omics] requests_per_second is {text!r} in Airflow's configuration; it takes a positive "
            "number, the most requests a second for one HealthOmics operation, such as 5."
        )
    return rate
