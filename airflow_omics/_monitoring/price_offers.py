"""Prices as AWS publishes them: what the Pricing API answers, or an offer file of the Price List Bulk API.

https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/price-changes.html
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from airflow_omics._monitoring.price_list import CURRENCIES, PriceList

_HOUR: Final = "instance-hrs"
_GIB_HOUR: Final = "gb-hours"


def is_published(content: Any) -> bool:
    """Return whether the content of a file is one that AWS publishes, and not a list of our own form."""
    return isinstance(content, Mapping) and ("PriceList" in content or "products" in content)


def offers_in(content: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the offers of a file: an answer of GetProducts, or an offer file of AmazonOmics.

    :raises ValueError: the file is neither.
    """
    if "PriceList" in content:
        yield from _mappings_or_texts(content["PriceList"])
        return
    products, terms = content.get("products"), content.get("terms")
    on_demand = terms.get("OnDemand") if isinstance(terms, Mapping) else None
    if not isinstance(products, Mapping) or not isinstance(on_demand, Mapping):
        raise ValueError("its products or its terms are missing")
    for sku, product in products.items():
        yield {
            "product": product,
            "terms": {"OnDemand": on_demand.get(sku, {})},
            "publicationDate": content.get("publicationDate"),
        }


def _mappings_or_texts(items: Any) -> Iterator[Mapping[str, Any]]:
    """Yield offers, each of which is an object or, as the API answers, its JSON text."""
    if not isinstance(items, list):
        raise ValueError("its PriceList is no list")
    for item in items:
        offer = json.loads(item) if isinstance(item, str) else item
        if not isinstance(offer, Mapping):
            raise ValueError("its PriceList holds something else than offers")
        yield offer


def lists_of(offers: Iterable[Mapping[str, Any]], source: str) -> dict[str, PriceList]:
    """Return the price list of each Region that offers are of; what they offer besides runs is left out.

    A resource with several prices, as by volume, or with a unit that nobody knows, has no price: which of
    them applies would be a guess.

    :param source: where the offers came from, for people.
    """
    found: defaultdict[tuple[str, str], dict[str, set[float]]] = defaultdict(lambda: defaultdict(set))
    dates: defaultdict[str, str] = defaultdict(str)
    for offer in offers:
        attributes = _mapping(_mapping(offer, "product"), "attributes")
        region, resource = attributes.get("regionCode"), attributes.get("resourceType")
        if attributes.get("workflowType") != "Private" or not isinstance(region, str):
            continue
        if isinstance(offer.get("publicationDate"), str):
            dates[region] = max(dates[region], offer["publicationDate"])
        for currency, price in _prices(offer, str(resource)):
            found[region, currency][str(resource)].add(price)
    return {
        region: PriceList(
            {resource: next(iter(several)) for resource, several in prices.items() if len(several) == 1},
            region,
            source,
            dates[region] or None,
            currency=currency,
        )
        for (region, currency), prices in found.items()
    }


def _prices(offer: Mapping[str, Any], resource: str) -> Iterator[tuple[str, float]]:
    """Yield currency and price of each dimension of an offer on demand."""
    unit = _HOUR if resource.startswith("omics.") else _GIB_HOUR
    for term in _mapping(_mapping(offer, "terms"), "OnDemand").values():
        for dimension in _mapping(term, "priceDimensions").values():
            if not isinstance(dimension, Mapping) or str(dimension.get("unit")).lower() != unit:
                continue
            for currency, text in _mapping(dimension, "pricePerUnit").items():
                price = as_price(text)
                if currency in CURRENCIES and price is not None:
                    yield currency, price


def as_price(value: Any) -> float | None:
    """Return a price, 0 or more, from a number or its text; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        price = float(value)
    except (ValueError, OverflowError):  # an int may have more digits than a float holds
        return None
    return price if math.isfinite(price) and price >= 0 else None


def _mapping(parent: Any, key: str) -> Mapping[str, Any]:
    value = parent.get(key) if isinstance(parent, Mapping) else None
    return value if isinstance(value, Mapping) else {}
