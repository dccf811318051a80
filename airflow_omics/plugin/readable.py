"""Values of XComs, read with care: whoever can write XComs of a task may have made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from airflow_omics._monitoring.task_table import epoch

_MOST: Final = 10**9
_AGES: Final = 10**10  # seconds since the epoch, in the year 2286


def line(value: Any, longest: int = 80) -> str:
    """Return a value as one line: printable, cut if it is longer than ``longest``; empty if it is no text.

    What turns text around, or has no place in UTF-8, is left out with the rest that is not printable.
    """
    if not isinstance(value, str | int) or isinstance(value, bool):
        return ""
    read = str(value)[: 4 * longest] if isinstance(value, str) else f"{whole(value)}"
    shown = "".join(c for c in " ".join(read.split()) if c.isprintable())
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def whole(value: Any) -> int:
    """Return a number of things; zero if it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MOST else 0


def when(value: Any) -> float | None:
    """Return a time in seconds since the epoch; None if it is none, or one that nobody lives to see."""
    seconds = epoch(value)
    return seconds if seconds is not None and 0 < seconds < _AGES else None


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping; an empty one if the value is none."""
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> Sequence[Any]:
    """Return a list; an empty one if the value is none."""
    return value if isinstance(value, list | tuple) else ()
