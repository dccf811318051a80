"""What a program printed, made fit to be read in Airflow's log: no escapes, no binary, no secrets."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from airflow_omics._compat import redact

LONGEST_LINE: Final = 300
"""Characters after which a line is cut."""

_LONGEST_READ: Final = 10_000  # of one line, before it is searched for secrets

_ESCAPES: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # window titles and their kind
    r"|\x1b[ -/]*[0-~]?"
)
_UNPRINTABLE: Final = frozenset(("Cc", "Cf", "Cn", "Co", "Cs"))
# Airflow masks the secrets it knows; of others it knows the names they go by.
_PAIRS: Final = (
    re.compile(
        r"""(?P<before>(?P<name>[A-Za-z][\w.-]*)["']?\s{0,3}[=:]\s{0,3}["']?)"""
        r"""(?P<value>(?:(?:Bearer|Basic)\s+)?[^\s"',;&]{6,})""",
        re.IGNORECASE,
    ),
    re.compile(r"(?P<before>--(?P<name>[A-Za-z][\w-]*)\s+)(?P<value>[^\s-]\S{5,})"),
)


def clean_line(text: str, longest: int = LONGEST_LINE) -> str:
    """Return one line of text: printable, secrets masked, cut where it is longer than ``longest``."""
    text = _ESCAPES.sub("", text)[:_LONGEST_READ]
    text = text.replace("\t", "    ")
    text = "".join(_printable(character) for character in text)
    text = mask(text).rstrip()
    if len(text) > longest:
        text = f"{text[:longest]} [... {len(text) - longest:,} more characters]"
    return text


def clean_text(text: object, longest: int = 2 * LONGEST_LINE) -> str:
    """Return a message as one line; its line breaks become spaces."""
    return clean_line(" ".join(str(text).split()), longest)


def clean_tail(messages: Iterable[str], most: int) -> tuple[str, ...]:
    """Return the last lines of what was printed, at most ``most`` of them, none empty.

    :param messages: log events, the oldest first; one may hold several lines. Of a progress bar, which
        overwrites its own line, the last state stays.
    """
    lines = []
    for message in messages:
        for line in message.replace("\r\n", "\n").split("\n"):
            shown = [part for part in line.split("\r") if part.strip()]
            if shown and (cleaned := clean_line(shown[-1])).strip():
                lines.append(cleaned)
    return tuple(lines[-most:]) if most > 0 else ()


def mask(text: str) -> str:
    """Return the text with secrets masked by Airflow: those it knows, and values under sensitive names."""
    for pair in _PAIRS:
        text = pair.sub(_masked_pair, text)
    return redact(text)


def _masked_pair(match: re.Match[str]) -> str:
    value = match["value"]
    # Not every Airflow takes api-key for api_key.
    name = re.sub(r"\W+", "_", match["name"])
    if redact(value, name) == redact(value):
        return match[0]
    return f"{match['before']}***"


def _printable(character: str) -> str:
    if character.isascii():
        return character if character.isprintable() else ""
    category = unicodedata.category(character)
    if category in _UNPRINTABLE or character == "\N{REPLACEMENT CHARACTER}":
        return ""
    return " " if category in ("Zl", "Zp", "Zs") else character
