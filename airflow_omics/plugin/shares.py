"""How many are in which state: as a bar, and in words beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from airflow_omics.plugin.html import text

_SEEN: Final = 0.4
"""Percent of a bar that one of thousands has at least, so that it can be seen."""


class Share(NamedTuple):
    """How many are in one state.

    :param css: the class of its colour and mark.
    :param word: the state, as it stands after a number.
    """

    css: str
    word: str
    number: int


def bar(shares: Sequence[Share]) -> str:
    """Return a bar of shares, in percent of the width that it is given. The words beside it say the same."""
    total = sum(share.number for share in shares)
    if not total:
        return ""
    widths = [max(_SEEN, 100 * share.number / total) for share in shares]
    parts, at, all_of_it = [], 0.0, sum(widths)
    for share, width in zip(shares, widths, strict=True):
        place = f'x="{100 * at / all_of_it:.2f}%" width="{100 * width / all_of_it:.2f}%" height="100%"'
        title = f"<title>{share.number:,} {text(share.word)}</title>"
        parts.append(f'<rect class="{share.css}" {place}>{title}</rect>')
        at += width
    return f'<svg class="bar" aria-hidden="true">{"".join(parts)}</svg>'


def legend(shares: Iterable[Share]) -> str:
    """Return the shares in words, each with the mark that its cells have."""
    parts = (
        f'<li><span class="cell {share.css}" aria-hidden="true"></span> '
        f"<b>{share.number:,}</b> {text(share.word)}</li>"
        for share in shares
    )
    return f'<ul class="counts">{"".join(parts)}</ul>'


def in_words(shares: Iterable[Share]) -> str:
    """Return the shares as text: ``21 completed, 88 running``."""
    return ", ".join(f"{share.number:,} {share.word}" for share in shares)


def many(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number of things: ``1 run``, ``1,000 runs``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
