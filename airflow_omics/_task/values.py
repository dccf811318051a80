"""Values of a request, checked before any call. Nothing here quotes a value: it may be patient data."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

LARGEST_PARAMETERS: Final = 256 * 1024
"""Bytes of JSON: the larger of the two limits that AWS documents (50,000 and 256 KB)."""

LONGEST_NAME: Final = 128
MOST_TAGS: Final = 50

HALF_A_CHARACTER: Final = "holds half of a character, which UTF-8 does not have."
_JSON_TAKES: Final = "it takes text, finite numbers, booleans, None, lists and dicts"


class _NotJsonError(Exception):
    """A part of a value is not JSON.

    :ivar keys: where it is, the innermost key first.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.keys: list[Any] = []


def plain_json(value: Any, path: str) -> Any:
    """Return a value as JSON has it: every mapping a dict, every sequence a list.

    :param path: what the value is, for the error.
    :raises ValueError: naming the part that JSON does not have, and not its value.
    """
    try:
        return _plain(value)
    except _NotJsonError as error:
        raise ValueError(f"{path_of(path, error.keys)} {error}") from None
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply, or holds itself; {_JSON_TAKES}.") from None


def path_of(path: str, keys: Sequence[Any]) -> str:
    """Return how Python writes the part of a value.

    :param keys: the innermost first.
    """
    return path + "".join(f"[{key!r}]" for key in reversed(keys))


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        if not value.isascii() and is_broken(value):
            raise _NotJsonError(HALF_A_CHARACTER)
        return value
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, Mapping):
        plain = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise _NotJsonError(f"has a key of type {type(key).__name__}; JSON's keys are text.")
            if not key.isascii() and is_broken(key):
                raise _NotJsonError(f"has a key that {HALF_A_CHARACTER}")
            try:
                plain[key] = _plain(item)
            except _NotJsonError as error:
                error.keys.append(key)
                raise
        return plain
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        # A mapped upstream task's outputs come as a sequence of Airflow's own.
        items = []
        for number, item in enumerate(value):
            try:
                items.append(_plain(item))
            except _NotJsonError as error:
                error.keys.append(number)
                raise
        return items
    what = value if isinstance(value, float) else f"a {type(value).__name__}"
    raise _NotJsonError(f"is {what}, which JSON does not have; {_JSON_TAKES}.")


def check_size_of_parameters(plain: Mapping[str, Any], name: str) -> None:
    """Refuse parameters that take more JSON than StartRun takes.

    :param plain: the parameters of one run, plain JSON.
    :param name: what they are, for the error.
    :raises ValueError: saying how large they are.
    """
    size = len(json.dumps(plain, ensure_ascii=False).encode())
    if size > LARGEST_PARAMETERS:
        raise ValueError(
            f"{name} takes {size:,} bytes as JSON; StartRun takes at most {LARGEST_PARAMETERS:,}. Put long "
            "lists into a file in S3 and pass its URI."
        )


def is_s3_location(value: Any) -> bool:
    """Return whether a value is the URI of something in S3."""
    return isinstance(value, str) and re.fullmatch(r"s3://[^/\s]+(/.*)?", value) is not None


def wrong_tag(tags: Mapping[str, str]) -> str | None:
    """Return what is wrong with tags, and shows no value, which AWS's own error would; None if nothing is.

    https://docs.aws.amazon.com/omics/latest/api/API_TagResource.html
    """
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or key.lower().startswith("aws:"):
            return (
                "has a key that AWS does not take; a key has 1 to 128 characters, and does not begin with "
                "'aws:'."
            )
        if len(value) > 256:
            return f"has a value of {len(value)} characters for {key!r}; AWS takes at most 256."
    return None


def is_text_to_text(value: Any) -> bool:
    """Return whether a value is a mapping of text to text, as tags are."""
    return isinstance(value, Mapping) and all(
        isinstance(key, str) and isinstance(text, str) for key, text in value.items()
    )


def to_priority(value: Any) -> int | None:
    """Return a whole number from 0 to 100000, also of its text, or None if a value is something else."""
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)  # a rendered template, or a cell of a sheet
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 100_000:
        return None
    return value


def is_broken(text: str) -> bool:
    """Return whether a text holds half of a character (a lone surrogate), as a JSON file may."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def is_unrendered(value: Any) -> bool:
    """Return whether a value is text that holds a template."""
    return isinstance(value, str) and any(mark in value for mark in ("{{", "{%"))


NOT_RENDERED: Final = (
    "holds a template that was not rendered; Airflow does not render a template inside a rendered value, "
    "such as a Variable's. Render it before it is put there."
)
