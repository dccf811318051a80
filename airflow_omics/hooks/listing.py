"""One listing of a resource: the items of all its pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from airflow_omics.hooks.responses import UnusableAnswerError
from airflow_omics.records import to_record

_IN_ITEMS: Final = frozenset({"list_batch", "list_runs_in_batch"})
"""The operations whose pages are limited by ``maxItems``, as no others are."""


class Listing(Iterator[dict[str, Any]]):
    """The items of all pages, as plain JSON, one after the other.

    A page that could not be had is asked for again at the next call: a listing of a thousand pages need not
    begin anew after an error.

    :param client: returns the client, before each page.
    :param operation: the client's method.
    :param key: the member of the answer that holds the items.
    :param filters: the request's members; those that are None are left out.
    """

    def __init__(
        self, client: Callable[[], Any], operation: str, key: str, filters: Mapping[str, str | None]
    ) -> None:
        self._client = client
        self._operation = operation
        self._key = key
        self._request: dict[str, Any] = {
            "maxItems" if operation in _IN_ITEMS else "maxResults": 100,
            **{name: value for name, value in filters.items() if value is not None},
        }
        self._rest: Iterator[dict[str, Any]] = iter(())
        self.is_over = False
        """Whether the last page was had."""
        self._pages = 0
        self._earlier: str | None = None

    def __next__(self) -> dict[str, Any]:
        while True:
            for item in self._rest:
                return item
            if self.is_over:
                raise StopIteration
            self._rest = iter(self.next_page())

    def next_page(self) -> list[dict[str, Any]]:
        """Return the items of the next page, which may be none; there is one unless ``is_over``."""
        answer = getattr(self._client(), self._operation)(**self._request)
        items = answer.get(self._key)
        if not isinstance(items, list):
            raise UnusableAnswerError(f"{self._operation} answered without a list of {self._key}")
        page = [dict(to_record(item)) for item in items]
        self._turn(answer.get("nextToken"))
        return page

    def _turn(self, token: str | None) -> None:
        """Go on to a page. Tokens that come again lead round and round: the listing is over then."""
        self.is_over = not token or token in (self._request.get("startingToken"), self._earlier)
        self._request["startingToken"] = token
        self._pages += 1
        if self._pages.bit_count() == 1:
            self._earlier = token
