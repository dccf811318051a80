"""Make README.md fit for a package index, where a link into the repository leads nowhere.

The address of the repository is ``Source`` of ``[project.urls]`` in pyproject.toml. With it, relative links
and pictures become absolute, at the tag of the version. Without it, a link becomes its text and a picture
its description.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")


def for_index(text: str, source: str | None, version: str) -> str:
    """Return a Markdown text of the repository's top folder as a package index can show it.

    :param text: the Markdown.
    :param source: the repository's address; None if it has none.
    :param version: the version, whose tag is ``v`` and the version.
    """

    def replaced(link: re.Match[str]) -> str:
        target = link["target"]
        if "://" in target or target.startswith("#"):
            return link[0]
        if source is None:
            return f"> {link['text']}" if link["picture"] else link["text"]
        kind = "raw" if link["picture"] else "blob"
        return f"{link['picture']}[{link['text']}]({source.rstrip('/')}/{kind}/v{version}/{target})"

    return _LINK.sub(replaced, text)


class ReadmeHook(MetadataHookInterface):
    """Sets the field ``readme``."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the field."""
        root = Path(self.root)
        source = metadata.get("urls", {}).get("Source")
        version = re.search(r'__version__ = "(.+?)"', (root / "airflow_omics" / "__init__.py").read_text())
        assert version is not None
        text = for_index((root / "README.md").read_text(), source, version[1])
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
