"""What the tasks of one step of a workflow have in common: their name without its shard or sample."""

from __future__ import annotations

import re
from typing import Final

_PATTERNS: Final = {
    "WDL": re.compile(r"^([^-]+)-\d+-\d+.*$"),  # Align-0-0001
    "NEXTFLOW": re.compile(r"^(.+)\s\(.+\)$"),  # QC:FASTQC (sample)
    "CWL": re.compile(r"^(\D+)_\d+$"),  # align_12
}


def base_name(name: str, engine: str | None = None) -> str:
    """Return the name that all shards and samples of a step share.

    :param engine: the workflow's, ``WDL``, ``NEXTFLOW`` or ``CWL``; without it the form of the name decides.
    """
    known = _PATTERNS.get((engine or "").upper())
    for pattern in (known,) if known is not None else _PATTERNS.values():
        if found := pattern.match(name):
            return found[1]
    return name
