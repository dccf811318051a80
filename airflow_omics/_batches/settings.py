"""The settings of a batch's runs: read, checked and written as StartRunBatch takes them, in one pass.

https://docs.aws.amazon.com/omics/latest/api/API_StartRunBatch.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, Self

from airflow_omics._batches.checks import EntryCheck, id_of
from airflow_omics._batches.json_array import JsonArray
from airflow_omics._batches.sources import Source, check_form, is_in_s3, source_in_s3, source_of
from airflow_omics._task.hidden import Hidden
from airflow_omics.exceptions import OmicsRequestError

MOST_ENTRIES: Final = 100_000
MOST_INLINE: Final = 100
LARGEST_INLINE: Final = 256 * 1024
"""Bytes of JSON that go into the request itself; AWS documents no limit but that of 100 entries."""

LARGEST_GIVEN: Final = 6 * 1024**3
"""Bytes of a file in S3 that StartRunBatch reads."""

_MOST_SHOWN: Final = 5


class Files(Protocol):
    """What is asked about a file in S3: ``settings_file.SettingsFolder`` answers."""

    def find(self, uri: str) -> Any:
        """Return its size and ETag, or None if it is not there."""

    def read(self, uri: str) -> Any:
        """Yield it in chunks."""


@dataclass
class Prepared:
    """Settings that can be given to StartRunBatch. Close it: it may hold a temporary file.

    Either ``inline`` or ``array`` has the entries, or ``uri`` names the file in S3 that the DAG gives.

    :ivar ids: every ``runSettingId``, in the order of the entries; None for a file in S3.
    :ivar size: bytes of JSON.
    :ivar digest: the SHA-256 of the JSON, 64 hexadecimal digits; None for a file in S3.
    :ivar inline: the entries, if they are at most 100 and 256 KiB.
    :ivar array: the entries' JSON, if they are more.
    :ivar uri: of a file in S3.
    :ivar etag: of that file.
    """

    size: int
    ids: tuple[str, ...] | None = field(default=None, repr=False)
    digest: str | None = None
    inline: list[dict[str, Any]] | None = field(default=None, repr=False)
    array: JsonArray | None = None
    uri: str | None = None
    etag: str | None = None

    @property
    def count(self) -> int | None:
        """How many entries there are; None for a file in S3."""
        return None if self.ids is None else len(self.ids)

    def close(self) -> None:
        """Delete the temporary file, if there is one."""
        if self.array is not None:
            self.array.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def prepare(
    given: Any,
    *,
    defaults: Mapping[str, Any],
    folder: str | Path | None = None,
    files: Files | None = None,
    wanted: Callable[[str], bool] | None = None,
) -> Prepared:
    """Return ``run_settings`` as StartRunBatch takes them. Equal content gives equal bytes.

    A sheet, a JSON file and an object in S3 are streamed; of the entries, only the ids are held. Each run is
    named by its ``runSettingId``. A file in S3 is taken as it is, unless some of its entries are wanted.

    :param given: ``run_settings``, rendered; hidden or not.
    :param defaults: StartRunBatch's ``defaultRunSetting``, with the operator's own ``runTags``.
    :param folder: of the DAG file; paths are relative to it.
    :param files: asks for files in S3; needed for an ``s3://`` URI alone.
    :param wanted: returns whether the entry of an id is taken; None takes all. The others are checked for
        their ids alone, and none at all may be left.
    :raises OmicsRequestError: an entry can't be right. It names the entry, and shows no value.
    :raises OmicsError: a file in S3 could not be read.
    """
    try:
        if not is_in_s3(given):
            return _written(source_of(given, folder), defaults, wanted)
        check_form(given)
        uri = str(given.value if isinstance(given, Hidden) else given)
        assert files is not None
        if wanted is None:
            return _as_it_is(uri, files)
        return _written(source_in_s3(uri, files.read(uri)), defaults, wanted)
    except ValueError as error:
        raise OmicsRequestError(str(error)) from None


def _as_it_is(uri: str, files: Files) -> Prepared:
    found = files.find(uri)
    if found is None:
        raise ValueError(f"run_settings is {uri!r}, and there is no such file in S3.")
    if found.size > LARGEST_GIVEN:
        raise ValueError(
            f"run_settings is {uri!r}, of {found.size:,} bytes; StartRunBatch reads at most "
            f"{LARGEST_GIVEN:,}."
        )
    return Prepared(found.size, uri=uri, etag=found.etag)


def _written(
    source: Source,
    defaults: Mapping[str, Any],
    wanted: Callable[[str], bool] | None,
) -> Prepared:
    array = JsonArray(MOST_INLINE, LARGEST_INLINE)
    try:
        ids = _Writer(array, EntryCheck(defaults), wanted).write(source)
        array.end()
    except BaseException:
        array.close()
        raise
    if not array.is_in_memory:
        return Prepared(array.size, ids, array.digest, array=array)
    inline = json.loads(array.body.read())
    array.close()
    return Prepared(array.size, ids, array.digest, inline)


class _Writer:
    """Checks entries and writes those that are wanted."""

    def __init__(self, array: JsonArray, check: EntryCheck, wanted: Callable[[str], bool] | None) -> None:
        self._array, self._check, self._wanted = array, check, wanted
        self._numbers: dict[str, int] = {}
        self._repeated: dict[str, list[int]] = {}

    def write(self, source: Source) -> tuple[str, ...]:
        """Write the entries of a source and return the ids of those that were written."""
        written = []
        for count, (number, entry) in enumerate(source.entries):
            if count >= MOST_ENTRIES:
                raise ValueError(
                    f"run_settings holds more than {MOST_ENTRIES:,} entries; a batch takes no more. Split "
                    "them between several tasks."
                )
            known = ""
            try:
                run_id = id_of(entry)
                known = f" ({run_id!r})"
                if self._is_new(run_id, number) and (self._wanted is None or self._wanted(run_id)):
                    self._array.add(self._check(entry))
                    written.append(run_id)
            except ValueError as error:
                raise ValueError(f"run_settings, {source.word} {number}{known}: {error}") from None
        if not self._numbers:
            raise ValueError("run_settings holds no entries; a batch takes at least one.")
        if self._repeated:
            raise ValueError(self._duplicates(source.word))
        return tuple(written)

    def _is_new(self, run_id: str, number: int) -> bool:
        first = self._numbers.setdefault(run_id, number)
        if first == number:
            return True
        numbers = self._repeated.setdefault(run_id, [first])
        numbers.append(number)
        return False

    def _duplicates(self, word: str) -> str:
        shown = [
            f"{run_id!r} in {'rows' if word == 'row' else 'entries'} {_listed(numbers)}"
            for run_id, numbers in list(self._repeated.items())[:_MOST_SHOWN]
        ]
        more = len(self._repeated) - len(shown)
        others = f", and {more:,} other ids more than once" if more else ""
        return f"run_settings holds {', '.join(shown)}{others}; each runSettingId must be there once."


def _listed(numbers: list[int]) -> str:
    shown = numbers[:_MOST_SHOWN]
    last = f"{len(numbers) - len(shown)} more" if len(numbers) > len(shown) else str(shown.pop())
    return f"{', '.join(map(str, shown))} and {last}"
