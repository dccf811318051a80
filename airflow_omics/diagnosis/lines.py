"""What a program printed, made readable for Airflow's log: no escapes, no binary, no secrets."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from airflow_omics._compat import redact

LONGEST_LINE: Final = 300
"""Characters after which a line is cut."""

_LONGEST_READ: Final = 10_000  # of one line, before it is searched for secrets: one may span the cut
_MOST_RAW: Final = 4 * _LONGEST_READ  # of one line, escapes and all

_ESCAPES: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # window titles and their kind
    r"|\x1b[ -/]*[0-~]?"
)
_UNPRINTABLE: Final = frozenset(("Cc", "Cf", "Cn", "Co", "Cs"))
# Airflow masks the secrets it knows; of others it knows under which names they stand. A name is matched once,
# from its beginning to its end, without backtracking: a line of ten thousand bases is one name, read once.
_NAME: Final = re.compile(r"""(?<![\w.-])(?P<name>[\w.-]++)["']?\s{0,3}[=:]\s{0,3}["']?""")
_VALUE: Final = re.compile(r"""(?:(?:Bearer|Basic)\s++)?[^\s"',;&]{6,}+""", re.IGNORECASE)
_OPTION: Final = re.compile(r"(?<![\w-])(?P<name>(?:\w|-(?!-))*+--[\w-]++)\s++")
_OPTION_VALUE: Final = re.compile(r"[^\s-]\S{5,}+")
_PROBE: Final = "what Airflow makes of a value under a name"


def clean_line(text: str, longest: int = LONGEST_LINE) -> str:
    """Return one line of text: printable, secrets masked, cut if it is longer than ``longest``.

    The work grows with the line's length up to a bound, and no further.
    """
    plain = _ESCAPES.sub("", text[:_MOST_RAW])
    unread = len(text) > _MOST_RAW or len(plain) > _LONGEST_READ
    read = plain[:_LONGEST_READ].replace("\t", "    ")
    shown = mask("".join(_printable(character) for character in read)).rstrip()
    more = len(text if unread else shown) - longest
    return f"{shown[:longest]} [... {more:,} more characters]" if more > 0 else shown


def clean_text(text: object, longest: int = 2 * LONGEST_LINE) -> str:
    """Return a message as one line; its line breaks become spaces."""
    return clean_line(" ".join(str(text).split()), longest)


def clean_tail(messages: Iterable[str], most: int) -> tuple[str, ...]:
    """Return the last lines of what was printed, at most ``most`` of them, none empty.

    :param messages: log events, the oldest first; one may hold several lines. A progress bar, which
        overwrites its own line, is shown in its last state.
    """
    lines: list[str] = []
    # From the end, so that only lines that are shown are cleaned.
    for message in reversed(list(messages)):
        for line in reversed(message.replace("\r\n", "\n").split("\n")):
            if len(lines) >= most:
                return tuple(reversed(lines))
            state = next((part for part in reversed(line.split("\r")) if part.strip()), "")
            if (cleaned := clean_line(state)).strip():
                lines.append(cleaned)
    return tuple(reversed(lines))


def mask(text: str) -> str:
    """Return the text with secrets masked by Airflow: those it knows, and values under sensitive names."""
    text = _mask_named(text, _NAME, _VALUE)
    return redact(_mask_named(text, _OPTION, _OPTION_VALUE))


def _mask_named(text: str, names: re.Pattern[str], values: re.Pattern[str]) -> str:
    """Mask what ``values`` finds right after each sensitive name.

    After a name that is not sensitive, the next name is looked for: ``arguments: --password=...``.
    """
    parts, done, at = [], 0, 0
    while name := names.search(text, at):
        at = name.end()
        if _is_sensitive(name["name"]) and (value := values.match(text, at)):
            parts += [text[done:at], "***"]
            done = at = value.end()
    return "".join((*parts, text[done:]))


def _is_sensitive(name: str) -> bool:
    # Not every Airflow takes api-key for api_key.
    return redact(_PROBE, re.sub(r"\W+", "_", name)) != redact(_PROBE)


def _printable(character: str) -> str:
    if character.isascii():
        return character if character.isprintable() else ""
    category = unicodedata.category(character)
    if category in _UNPRINTABLE or character == "\N{REPLACEMENT CHARACTER}":
        return ""
    return " " if category in ("Zl", "Zp", "Zs") else character
