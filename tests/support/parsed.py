"""A page as a parser sees it: its elements, and whether they are nested as they should be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = ("meta", "link", "br", "hr", "img", "input", "wbr")


@dataclass
class Element:
    """One element.

    :param attributes: by name; None is one without a value.
    :param content: elements and texts, in order.
    """

    tag: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    content: list[Element | str] = field(default_factory=list)

    def all(self, tag: str | None = None) -> Iterator[Element]:
        """Yield the elements in it, in order; those of a tag if one is given."""
        for part in self.content:
            if isinstance(part, Element):
                if tag in (None, part.tag):
                    yield part
                yield from part.all(tag)

    def find(self, id: str) -> Element:
        """Return the element with an id."""
        [found] = [element for element in self.all() if element.attributes.get("id") == id]
        return found

    def has(self, id: str) -> bool:
        """Return whether there is an element with an id."""
        return any(element.attributes.get("id") == id for element in self.all())

    def of_class(self, name: str) -> list[Element]:
        """Return the elements of a class."""
        return [one for one in self.all() if name in (one.attributes.get("class") or "").split()]

    @property
    def text(self) -> str:
        """All of its text; elements other than times are kept apart."""
        parts = (
            part if isinstance(part, str) else part.text if part.tag == "time" else f" {part.text} "
            for part in self.content
        )
        return " ".join("".join(parts).split())

    @property
    def shape(self) -> tuple[str, ...]:
        """Its tags and the names of their attributes, in order."""
        return tuple(f"{one.tag} {' '.join(sorted(one.attributes))}" for one in self.all())


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("")
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        element = Element(tag, dict(attrs))
        self.open[-1].content.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].content.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> ends <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].content.append(data)

    def handle_decl(self, decl: str) -> None:
        assert decl == "doctype html"

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"a processing instruction: {data}")


def parsed(page: str) -> Element:
    """Return a page's elements; an AssertionError if they are not nested as they should be."""
    parser = _Parser()
    parser.feed(page)
    parser.close()
    assert parser.open == [parser.root], f"not ended: {[one.tag for one in parser.open[1:]]}"
    return parser.root


def faults_of(page: Element) -> list[str]:
    """Return what a page of ours never has."""
    faults = []
    ids = [one.attributes["id"] for one in page.all() if "id" in one.attributes]
    faults += [f"the id {name} is there twice" for name in sorted({n or "" for n in ids if ids.count(n) > 1})]
    for one in page.all():
        if one.tag == "style" or "style" in one.attributes or (one.tag == "script" and one.content):
            faults.append(f"<{one.tag}> holds style or script")
        faults += [f"<{one.tag} {name}>" for name in one.attributes if name.startswith("on")]
        for name in ("href", "src"):
            target = one.attributes.get(name)
            if target is not None and not target.startswith(("https://", "/")):
                faults.append(f"<{one.tag} {name}={target}>")
        if one.attributes.get("target") == "_blank" and one.attributes.get("rel") != "noopener noreferrer":
            faults.append(f"{one.attributes.get('href')} may reach its opener")
        if one.tag == "details" and "id" not in one.attributes:
            faults.append("a <details> without an id")
    faults += _unlabelled(page)
    return faults


def _unlabelled(page: Element) -> list[str]:
    """Return drawings that a screen reader neither names nor ignores, and parts that point to no name."""
    faults = []
    inner = {id(one) for svg in page.all("svg") for one in svg.all("svg")}
    for svg in page.all("svg"):
        labelled = svg.attributes.get("role") == "img" and svg.attributes.get("aria-label")
        if id(svg) not in inner and not labelled and svg.attributes.get("aria-hidden") != "true":
            faults.append(f"a drawing without a label: {svg.attributes}")
    for one in page.all():
        named = one.attributes.get("aria-labelledby")
        if named and not page.has(named):
            faults.append(f"{named} names nothing")
    return faults
