"""The workflow's own names of its outputs, from the summary that HealthOmics writes for WDL and CWL.

A WDL run's has ``Workflow.output`` and a value: the URI of a file, an array of them, or a struct, map or pair
that holds some. A CWL run's has the output's name and an object with ``location``, or an array of such. What
is no file has no URI, and is passed over.
https://docs.aws.amazon.com/omics/latest/dev/workflows-run-outputs.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

SUMMARIES: Final = ("logs/outputs.json", "logs/output.json")
"""Where the summary may be, relative to the run's folder: AWS's page has both names."""

LARGEST: Final = 32 * 1024 * 1024
"""Bytes of a summary that are read: some 200,000 files."""

_S3: Final = "s3://"
_DEEPEST: Final = 50


class OutputNames:
    """Which URI is which output of the workflow.

    :param summary: what the file holds.
    :raises ValueError: it is no summary.
    """

    def __init__(self, summary: bytes = b"{}") -> None:
        try:
            content = json.loads(summary)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"it is not JSON ({error})") from None
        if not isinstance(content, Mapping):
            raise ValueError("it is no JSON object")
        self.told: list[tuple[str, tuple[str, ...]]] = []
        """Each file or folder that is named: its name, and the URIs that may be meant."""
        self._by_uri: dict[str, str] = {}
        for name, value in content.items():
            self.told += _located(str(name), value, 0)
        for name, uris in self.told:
            for uri in uris:
                self._by_uri.setdefault(uri, name)

    def name_of(self, uri: str, root: str = _S3) -> str | None:
        """Return the name of the output that a file is, or is in; None if the summary does not say it.

        :param root: the run's folder, with a slash at its end. An output that is that folder, or one above
            it, is a text, and names no file.
        """
        while len(uri) > len(root):
            if (name := self._by_uri.get(uri)) is not None:
                return name
            uri = uri.rpartition("/")[0]
        return None


def _located(name: str, value: Any, depth: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what a value names in S3. A folder is without the slash at its end."""
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        if value.startswith(_S3):
            yield name, (value.rstrip("/"),)
    elif isinstance(value, list):
        for item in value:
            yield from _located(name, item, depth + 1)
    elif isinstance(value, Mapping) and value.get("class") in ("File", "Directory"):
        location = value.get("location")
        if isinstance(location, str) and location.startswith(_S3):
            # It is a URI, in which a space may be written as %20; a name in S3 may have either.
            found = (location.rstrip("/"), unquote(location).rstrip("/"))
            yield name, tuple(dict.fromkeys(found))
        for key in ("secondaryFiles", "listing"):
            yield from _located(name, value.get(key), depth + 1)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _located(f"{name}.{key}", item, depth + 1)
