"""What HealthOmics costs: a price list that the deployment gives, or the Pricing API. None is built in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

STATIC_STORAGE: Final = "Run Storage"
DYNAMIC_STORAGE: Final = "Dynamic Run Storage"
SCRATCH_STORAGE: Final = "Ephemeral Storage"

CURRENCIES: Final = ("USD", "CNY")
"""The currencies in which AWS publishes prices; the second is that of its Regions in China."""


class PriceList(NamedTuple):
    """Prices of one Region.

    :param prices: by AWS's own ``resourceType``: an instance type, for an hour, or a kind of storage, for a
        GiB and an hour.
    :param region: the Region that they are of.
    :param source: where they came from, for people.
    :param as_of: since when they hold, or when they were published, ISO 8601.
    :param factor: what each is multiplied by, for a discount.
    :param currency: one of :data:`CURRENCIES`.
    """

    prices: Mapping[str, float]
    region: str | None = None
    source: str = ""
    as_of: str | None = None
    factor: float = 1.0
    currency: str = "USD"

    def price_of(self, resource_type: str | None) -> float | None:
        """Return the price of an hour, or of a GiB and an hour, discount included; None if unknown."""
        price = self.prices.get(resource_type or "")
        return None if price is None else price * self.factor
