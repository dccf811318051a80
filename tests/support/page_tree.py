"""A page as a browser reads it: what is checked of every page, and what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

VOID = {"meta", "link", "wbr"}
_TAGS = """
html head meta title link script body main nav header section h1 h2 h3 p span a b bdi wbr svg rect ul ol li
table caption thead tbody tr th td details summary dl div dt dd time
"""
_ATTRIBUTES = """
lang charset name content rel href src id class data-refresh data-clock aria-label aria-labelledby aria-hidden
scope datetime x y width height target tabindex role
"""
TAGS, ATTRIBUTES = frozenset(_TAGS.split()), frozenset(_ATTRIBUTES.split())


class Tree(HTMLParser):
    """A page, parsed.

    :ivar texts: the text of each element, in their order.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.faults: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if len(dict(attrs)) != len(attrs):
            self.faults.append(f"an attribute twice: {attrs}")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> closes another")

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())

    @property
    def said(self) -> str:
        """All text, with one space between."""
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str, css: str = "") -> list[dict[str, str | None]]:
        """Return the attributes of each element of a kind."""
        return [
            found
            for name, found in self.tags
            if name == tag and (not css or css in (found.get("class") or "").split())
        ]

    def check(self, root: str = "/") -> list[str]:
        """Return what is wrong with the page; empty if nothing is."""
        return [*self.faults, *(f"<{tag}> is open" for tag in self._open), *self._wrong(root)]

    def _wrong(self, root: str) -> Iterator[str]:
        ids = [found["id"] for _, found in self.tags if "id" in found]
        yield from {f"id {one} is there twice" for one in ids if ids.count(one) > 1}
        for tag, found in self.tags:
            if tag not in TAGS:
                yield f"<{tag}>"
            yield from (f"{name} of <{tag}>" for name in found if name not in ATTRIBUTES)
            if tag == "script" and not found.get("src"):
                yield "a script of its own"
            href = found.get("href")
            if href is not None and not href.startswith((f"{root}healthomics/", f"{root}dags/", "https://")):
                yield f"a link to {href}"
            if (labelled := found.get("aria-labelledby")) and labelled not in ids:
                yield f"no id {labelled}"
            for name in ("x", "width"):
                if tag == "rect" and not re.fullmatch(r"\d{1,3}\.\d\d%", found.get(name) or ""):
                    yield f"{name} is {found.get(name)}"
