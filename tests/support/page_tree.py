"""The pages of cohorts and batches as a browser reads them, and what such a page never holds."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.support.parsed import Element, faults_of, parsed

_TAGS = """
html head meta title link script body main nav header section h1 h2 h3 p span a b bdi wbr svg rect ul ol li
table caption thead tbody tr th td details summary dl div dt dd time
"""
_ATTRIBUTES = """
lang charset name content rel href src id class data-refresh data-clock aria-label aria-labelledby aria-hidden
scope datetime x y width height target
"""
TAGS, ATTRIBUTES = frozenset(_TAGS.split()), frozenset(_ATTRIBUTES.split())


class Tree:
    """A page.

    :ivar page: its root.
    :ivar said: all of its text.
    """

    def __init__(self, page: str) -> None:
        self.page = parsed(page)
        self.said = self.page.text

    @property
    def texts(self) -> list[str]:
        """The texts between its tags."""
        return [text.strip() for text in _texts(self.page)]

    def all(self, tag: str, css: str = "") -> list[dict[str, str | None]]:
        """Return the attributes of each element of a kind."""
        return [
            found.attributes
            for found in self.page.all(tag)
            if not css or css in (found.attributes.get("class") or "").split()
        ]

    def check(self, root: str = "/") -> list[str]:
        """Return what is wrong with the page; empty if nothing is.

        :param root: Airflow's own path.
        """
        return [*faults_of(self.page), *self._strange(root)]

    def _strange(self, root: str) -> Iterator[str]:
        """Yield what only hostile text could have made."""
        for found in self.page.all():
            if found.tag not in TAGS:
                yield f"<{found.tag}>"
            yield from (f"{name} of <{found.tag}>" for name in found.attributes if name not in ATTRIBUTES)
            href = found.attributes.get("href") or f"{root}dags/"
            if not href.startswith((f"{root}healthomics/", f"{root}dags/", "https://")):
                yield f"a link to {href}"
            for name in ("x", "width") if found.tag == "rect" else ():
                if not re.fullmatch(r"\d{1,3}\.\d\d%", found.attributes.get(name) or ""):
                    yield f"{name} is {found.attributes.get(name)}"


def _texts(element: Element) -> Iterator[str]:
    for part in element.content:
        if isinstance(part, Element):
            yield from _texts(part)
        else:
            yield part
