"""A JSON file, read piece by piece: it may hold 100,000 entries, and a worker little memory."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

LARGEST_ITEM: Final = 8 * 1024 * 1024
"""Characters of one item: a run's parameters take 256 KiB, and several times that if they are indented."""

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder()


class NotJsonError(ValueError):
    """The content is not an array or an object; the text says where, and quotes nothing."""


def items_of(chunks: Iterable[bytes]) -> Iterator[tuple[str | None, Any]]:
    """Yield key and value of each item of an object, and None and each item of an array.

    An item is yielded as soon as it is there, so what follows may still be no JSON. A key that is there twice
    is yielded twice.

    :param chunks: UTF-8, with or without a byte order mark.
    :raises NotJsonError: the content is neither an array nor an object.
    :raises UnicodeDecodeError: it is not UTF-8.
    """
    text = _Text(chunks)
    opening = text.take()
    if opening not in ("[", "{"):
        raise NotJsonError("is no JSON array or object.")
    closing = "]" if opening == "[" else "}"
    number = 1
    try:
        if text.peek() == closing:
            text.take()
        else:
            while True:
                yield _item(text, opening)
                separator = text.take()
                if separator == closing:
                    break
                if separator != ",":
                    raise ValueError
                number += 1
        if text.peek():
            raise ValueError
    except UnicodeDecodeError:
        raise
    except (ValueError, RecursionError):
        raise NotJsonError(f"is not valid JSON, at entry {number}.") from None


def _item(text: _Text, opening: str) -> tuple[str | None, Any]:
    key = None
    if opening == "{":
        key = text.value()
        if not isinstance(key, str) or text.take() != ":":
            raise ValueError
    return key, text.value()


class _Text:
    """The text of chunks, of which only what is being read is held."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._text, self._at, self._is_whole = "", 0, False

    def peek(self) -> str:
        """Return the next character that is no space, or nothing at the end."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read_on(1):
                return ""

    def take(self) -> str:
        """Return the next character that is no space, and go on behind it."""
        character = self.peek()
        self._at += 1
        return character

    def value(self) -> Any:
        """Return the next value, and go on behind it."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except ValueError:
                if not self._read_on(len(self._text) - self._at):
                    raise
            else:
                # A number may go on in the next chunk.
                if end < len(self._text) or not self._read_on(1):
                    self._at = end
                    return value

    def _read_on(self, least: int) -> bool:
        """Read on and return whether there was more.

        :param least: characters, so that a long item is not decoded again for each chunk.
        """
        if self._is_whole or len(self._text) - self._at > LARGEST_ITEM:
            return False
        pieces, read = [self._text[self._at :]], 0
        while read < least or not read:
            chunk = next(self._chunks, None)
            piece = self._decode(chunk or b"", chunk is None)
            pieces.append(piece)
            read += len(piece)
            if chunk is None:
                self._is_whole = True
                break
        self._text, self._at = "".join(pieces), 0
        return bool(read)
