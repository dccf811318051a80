"""A JSON array that is written entry by entry, and is held in memory only as long as it is small."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
from typing import IO, Any, Final, Self

LARGEST: Final = 5 * 1024**3
"""Bytes of an object that one PutObject writes."""

_ENCODER: Final = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False
)


def encoded(entry: Any) -> bytes:
    """Return an entry, which is plain JSON, as bytes: equal entries are equal bytes."""
    return _ENCODER.encode(entry).encode()


class JsonArray:
    """An array for S3. Once it is written, ``size`` and ``digest`` are of the whole.

    In a file it has no name, so that nothing is left of it, not even of a worker that is killed.

    :param most_entries: how many entries are held in memory.
    :param most_bytes: how many bytes of JSON.
    """

    def __init__(self, most_entries: int, most_bytes: int) -> None:
        self._most_entries, self._most_bytes = most_entries, most_bytes
        self._sha256 = hashlib.sha256()
        self._body: IO[bytes] = io.BytesIO()
        self._begun = False
        self.is_in_memory = True
        self.count = 0
        self.size = 0

    def add(self, entry: bytes) -> None:
        """Write one entry.

        :param entry: as :func:`encoded` returns it.
        :raises ValueError: the array would be larger than S3 takes in one request.
        """
        self.count += 1
        self._write((b",\n" if self._begun else b"[") + entry)
        self._begun = True

    def end(self) -> Self:
        """Write what ends the array."""
        self._write(b"]" if self._begun else b"[]")
        self._body.flush()
        return self

    @property
    def digest(self) -> str:
        """The SHA-256 of the array, 64 hexadecimal digits."""
        return self._sha256.hexdigest()

    @property
    def body(self) -> IO[bytes]:
        """The array, to be read from its beginning."""
        self._body.seek(0)
        return self._body

    def close(self) -> None:
        """Delete the array."""
        self._body.close()

    def _write(self, text: bytes) -> None:
        self.size += len(text)
        if self.size > LARGEST:
            raise ValueError(
                f"takes more than {LARGEST:,} bytes as JSON; S3 takes no more in one request. Put long lists "
                "into files in S3 and pass their URIs, or split the batch."
            )
        if self.is_in_memory and (self.count > self._most_entries or self.size > self._most_bytes):
            self._move_to_file()
        self._sha256.update(text)
        self._body.write(text)

    def _move_to_file(self) -> None:
        file = tempfile.TemporaryFile(buffering=1024 * 1024)  # noqa: SIM115 - close() is what ends it
        try:
            file.write(self._body.getvalue())  # type: ignore[attr-defined]
        except BaseException:
            file.close()
            raise
        self._body, self.is_in_memory = file, False
