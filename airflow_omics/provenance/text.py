"""How a manifest is written: the digest of parameters, and the text of the file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from airflow_omics.records import to_plain

SCHEMA: Final = "urn:airflow-omics:schema:provenance:1"
"""The ``$id`` of the schema that a manifest follows, and its member ``schema``."""


def parameters_digest(parameters: Any) -> str:
    r"""Return ``sha256:`` and the SHA-256, in 64 hexadecimal digits, of parameters as canonical JSON.

    Canonical is: the keys of each object in the order of their code points, no space between values, each
    character beyond ASCII as ``\uXXXX``, a whole number without fraction or exponent, any other number as
    Python writes a float. Text is not normalised: a name in another Unicode form is another object in S3.

    :param parameters: a run's ``parameters``, as in its record.
    """
    text = json.dumps(_canonical(to_plain(parameters)), sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def to_json(provenance: Mapping[str, Any]) -> str:
    """Return a manifest as the text of its file: keys in order, two spaces a level, a newline at the end.

    The same manifest gives the same text, so ``diff`` compares two files.
    """
    text = json.dumps(provenance, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character, which UTF-8 cannot write and JSON can
        text = json.dumps(provenance, sort_keys=True, indent=2) + "\n"
    return text


def _canonical(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    return [_canonical(item) for item in value] if isinstance(value, list) else value


def at(parts: Mapping[str, Any], path: str) -> Any:
    """Return a member by the path to it, such as ``engine.name``, or None."""
    value: Any = parts
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
