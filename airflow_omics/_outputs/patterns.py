"""Which outputs of a run are meant: globs relative to the folder that the run writes to.

A DAG file that gives patterns imports this module while it is parsed.
"""

from __future__ import annotations

import fnmatch
import itertools
import re
from collections.abc import Collection, Mapping
from typing import Any, Final

LOGS: Final = "logs"
"""The folder of HealthOmics' own files: the engine's log, and ``outputs.json``."""

_ANY_FOLDERS: Final = "**"
_TAKES: Final = (
    "it takes a glob relative to the run's folder, such as 'out/vcf/*.vcf.gz' or '*.bam', or several in a "
    "list"
)


class Pattern:
    """One glob.

    Without a slash it matches a file's name in any folder. With one it matches the whole path, ``**`` any
    number of folders. HealthOmics' own ``logs/`` is matched only by a glob that begins with ``logs/``.

    :param text: the glob.
    :raises ValueError: it can match no output.
    """

    def __init__(self, text: str) -> None:
        if why := _wrong(text):
            raise ValueError(f"pattern is {text!r}; {why}")
        self.text = text
        segments = text.split("/")
        if len(segments) == 1:
            segments = [_ANY_FOLDERS, text if text != _ANY_FOLDERS else "*"]
        elif segments[-1] == _ANY_FOLDERS:
            segments.append("*")
        self._takes_logs = segments[0] == LOGS
        self._segments = [
            None if segment == _ANY_FOLDERS else re.compile(fnmatch.translate(segment))
            for segment in segments
        ]

    @property
    def prefix(self) -> str:
        """What every path that it matches begins with."""
        return "" if "/" not in self.text else re.split(r"[*?\[]", self.text, maxsplit=1)[0]

    def matches(self, path: str) -> bool:
        """Return whether an output is meant.

        :param path: relative to the run's folder.
        """
        names = path.split("/")
        if names[0] == LOGS and len(names) > 1 and not self._takes_logs:
            return False
        last = len(self._segments)
        at = _past_folders({0}, self._segments)
        for name in names:
            after = set()
            for position in at:
                if position == last:
                    continue
                segment = self._segments[position]
                if segment is None:
                    after.add(position)
                elif segment.match(name):
                    after.add(position + 1)
            at = _past_folders(after, self._segments)
        return last in at


def _past_folders(positions: set[int], segments: list[re.Pattern[str] | None]) -> set[int]:
    """Add the positions that are reached when ``**`` stands for no folder."""
    reached = set(positions)
    for position in positions:
        while position < len(segments) and segments[position] is None:
            position += 1
            reached.add(position)
    return reached


class Patterns:
    """The globs of a task; without any, every output is meant.

    :param value: the argument: a glob, several, or None.
    :raises ValueError: one of them can match no output, in one sentence.
    """

    def __init__(self, value: Any) -> None:
        self.all = tuple(Pattern(text) for text in texts_of(value))

    @property
    def prefix(self) -> str:
        """What the path of every output that is meant begins with."""
        if not self.all:
            return ""
        # Of all texts, the first and the last in their order differ soonest.
        first, last = min(one.prefix for one in self.all), max(one.prefix for one in self.all)
        same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
        return "".join(letter for letter, _ in same)

    def matches(self, path: str) -> bool:
        """Return whether an output is meant.

        :param path: relative to the run's folder.
        """
        if not self.all:
            return not path.startswith(f"{LOGS}/")
        return any(pattern.matches(path) for pattern in self.all)


def texts_of(value: Any) -> tuple[str, ...]:
    """Return the globs of the argument as a tuple.

    :raises ValueError: it is something else.
    """
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, bytes | Mapping) or not isinstance(value, Collection):
        raise ValueError(f"pattern is {value!r}; {_TAKES}.")
    if not value:
        raise ValueError(f"pattern is empty, so nothing could match; {_TAKES}, or None for all outputs.")
    for text in value:
        if not isinstance(text, str):
            raise ValueError(f"pattern holds {text!r}; {_TAKES}.")
    return tuple(value)


def _wrong(text: str) -> str | None:
    """Return why a glob can match no output; None if it can."""
    if not text.strip():
        return f"it is empty, so nothing could match; {_TAKES}."
    if text.startswith("s3://"):
        return "it takes what follows the run's runOutputUri, such as 'out/vcf/*.vcf.gz', and no URI."
    if text.startswith("/"):
        return "no output begins with a slash; it takes what follows the run's runOutputUri, such as 'out/*'."
    if text.endswith("/"):
        return f"it names a folder, and outputs are files; give {text + '**'!r} for all that is in it."
    segments = text.split("/")
    if ".." in segments or "." in segments:
        return "S3 has no folders to go up from, so '.' and '..' match nothing; leave them out."
    if "" in segments:
        return "it has two slashes in a row, and no output has; leave one out."
    for segment in segments:
        if _ANY_FOLDERS in segment and segment != _ANY_FOLDERS:
            return "'**' stands for any folders and takes a place of its own, such as 'out/**/*.bam'."
    if re.search(r"(?<!\[)\{[^{}]*,[^{}]*\}", text):
        return "braces mean nothing in a glob; give one pattern for each case, in a list."
    return None
