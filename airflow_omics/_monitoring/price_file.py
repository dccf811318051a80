"""The price list that ``[omics] price_list`` names: a JSON or CSV file (docs/use/cost.md)."""

from __future__ import annotations

import csv
import io
import json
import logging
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from airflow_omics._monitoring.price_list import CURRENCIES, PriceList
from airflow_omics._monitoring.price_offers import as_price, is_published, lists_of, offers_in

log = logging.getLogger(__name__)

_COLUMNS: Final = ("region", "resource", "price")
_OPTION: Final = "[omics] price_list"
_MOST_SAID: Final = 20  # mistakes, one for each Region, that are not said again


class _Kept(NamedTuple):
    """What a file held when it was read last.

    :param version: what changes when the file does.
    :param mistake: what is wrong with it; empty if nothing is.
    """

    version: tuple[str, int, int]
    lists: Mapping[str, PriceList]
    mistake: str = ""


_kept: list[_Kept] = []
_said: list[str] = []


def price_list_from_config(region: str | None) -> PriceList | None:
    """Return the prices of a Region from the deployment's file; None if there are none, for any reason.

    It is for what only shows: a file that cannot be used is one line of the log. Nothing in AWS is called.
    """
    try:
        return None if region is None else configured_prices(region)
    except Exception as error:  # Airflow's own as well, for an option that it cannot read
        if str(error) not in _said:
            _said[:] = [*_said[1 - _MOST_SAID :], str(error)]
            log.warning("No money is shown: %s", error)
        return None


def configured_prices(region: str) -> PriceList | None:
    """Return the prices of a Region from the deployment's file, discount included; None without a file.

    :raises ValueError: the file or the discount cannot be used, or the file has no prices of the Region.
    """
    from airflow_omics._compat import conf  # the pages and the tests of the format need no Airflow

    path = (conf.get("omics", "price_list", fallback="") or "").strip()
    if not path:
        return None
    lists = _read(path)
    if region not in lists:
        raise ValueError(f"{_OPTION}, {path}, has no prices of {region}; it has those of {_named(lists)}.")
    return lists[region]._replace(factor=configured_factor())


def configured_factor() -> float:
    """Return ``[omics] price_factor``, 1.0 by default.

    :raises ValueError: it is not a number above 0.
    """
    from airflow_omics._compat import conf

    given = conf.get("omics", "price_factor", fallback="1.0")
    try:
        factor = float(given)
    except (TypeError, ValueError):
        factor = math.nan
    if not (math.isfinite(factor) and factor > 0):
        raise ValueError(f"[omics] price_factor is {given!r}; it takes a number above 0, such as 0.9.")
    return factor


def _read(path: str) -> Mapping[str, PriceList]:
    """Return the lists of a file by Region; it is read again only if it has changed."""
    try:
        found = os.stat(path)
        version = (path, found.st_mtime_ns, found.st_size)
        if not _kept or _kept[0].version != version:
            _kept[:] = [_checked(version, Path(path).read_text(encoding="utf-8-sig"))]
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is not text in UTF-8"
        raise ValueError(
            f"{_OPTION} is {path!r}, which cannot be read ({why}); it takes the path of a JSON or CSV file "
            "on every worker and on the API server."
        ) from None
    if _kept[0].mistake:
        raise ValueError(f"{_OPTION}, {path}, cannot be used: {_kept[0].mistake}.")
    return _kept[0].lists


def _checked(version: tuple[str, int, int], text: str) -> _Kept:
    try:
        return _Kept(version, price_lists(text, version[0]))
    except ValueError as error:
        return _Kept(version, {}, str(error))
    except csv.Error as error:
        return _Kept(version, {}, f"it is not CSV ({error})")
    except RecursionError:
        return _Kept(version, {}, "it is JSON of too many lists or objects, one inside the other")


def price_lists(text: str, path: str) -> dict[str, PriceList]:
    """Return the price list of each Region in a file.

    :param text: the file's content: JSON of our own form or as AWS publishes it, else CSV.
    :param path: the file, which ``source`` names. One that ends with ``.csv`` is CSV.
    :raises ValueError: what is wrong, without a full stop.
    """
    if path.lower().endswith(".csv"):
        entries = _rows(text)
    else:
        try:
            content = json.loads(text)
        except ValueError as error:
            raise ValueError(f"it is not JSON ({error})") from None
        if is_published(content):
            lists = lists_of(offers_in(content), path)
            if not lists:
                raise ValueError("AWS publishes no prices of AmazonOmics' private workflows in it")
            return lists
        entries = iter(content if isinstance(content, list) else [content])
    found: dict[str, PriceList] = {}
    for entry in entries:
        _add(found, entry, path)
    if not found:
        raise ValueError("it has no prices")
    return found


def _rows(text: str) -> Iterator[Mapping[str, Any]]:
    """Yield each row of a CSV file as a list of one price."""
    reader = csv.DictReader(io.StringIO(text))
    names = [name.strip().lower() for name in reader.fieldnames or ()]
    if missing := [name for name in _COLUMNS if name not in names]:
        raise ValueError(f"its first line has no column {missing[0]!r}; it takes {', '.join(_COLUMNS)}")
    reader.fieldnames = names
    for row in reader:
        cells = {key: (value or "").strip() for key, value in row.items() if isinstance(key, str)}
        yield {
            "region": cells["region"],
            "prices": {cells["resource"]: cells["price"]},
            "currency": cells.get("currency") or "USD",
            "as_of": cells.get("as_of") or None,
        }


def _add(found: dict[str, PriceList], entry: Any, path: str) -> None:
    """Add the prices of one entry, of one Region, to those that were found before it."""
    if not isinstance(entry, Mapping):
        raise ValueError("it is not an object with region and prices, nor a list of such objects")
    region, prices = entry.get("region"), entry.get("prices")
    if not isinstance(region, str) or not region:
        raise ValueError(f"a region is {region!r}; it takes one such as us-west-2")
    if not isinstance(prices, Mapping) or not prices:
        raise ValueError(f"{region} has no prices; they are an object of a number for each resource")
    currency, as_of = entry.get("currency", "USD"), entry.get("as_of")
    if currency not in CURRENCIES:
        raise ValueError(f"the currency of {region} is {currency!r}; it takes {' or '.join(CURRENCIES)}")
    if as_of is not None and not isinstance(as_of, str):
        raise ValueError(f"as_of of {region} is {as_of!r}; it takes a date as text, such as 2026-07-01")
    before = found.get(region, PriceList({}, region, path, as_of, currency=currency))
    if before.currency != currency:
        raise ValueError(f"{region} has prices in {before.currency} and in {currency}")
    known = dict(before.prices)
    for resource, value in prices.items():
        price = as_price(value)
        if price is None:
            raise ValueError(
                f"the price of {resource} in {region} is {value!r}; it takes a number, 0 or more"
            )
        if known.setdefault(str(resource), price) != price:
            raise ValueError(f"{resource} has two prices in {region}")
    dates = [date for date in (before.as_of, as_of) if date]
    found[region] = before._replace(prices=known, as_of=max(dates, default=None))


def _named(regions: Iterable[str]) -> str:
    return ", ".join(sorted(regions))
