"""Made-up values for the shapes of botocore's model, so that a test can ask for what it does not know."""

from __future__ import annotations

import re
from typing import Any

_TEXTS = (
    "1234567",
    "123456789012",
    "NA12878",
    "a1b2c3d4-5678-90ab-cdef-1234567890ab",
    "s3://omics-outputs/made/up.json",
    "arn:aws:iam::123456789012:role/OmicsRole",
    "arn:aws:omics:us-west-2:123456789012:run/1234567",
    "arn:aws:s3:us-west-2:123456789012:accesspoint/1234567",
    "arn:aws:omics:us-west-2:123456789012:referenceStore/1234567/reference/1234567",
    "sha256:" + "0" * 64,
    "made-up",
    "made_up",
)


def made_up(shape: Any, *, whole: bool = False) -> Any:
    """Return a value that the shape allows.

    :param whole: with every member of a structure, and not only with those that are required.
    """
    kind = shape.type_name
    if getattr(shape, "is_document_type", False):
        return {"made": ["up", 1, None]}
    if kind == "structure":
        names = list(shape.members) if whole else list(shape.required_members)
        if getattr(shape, "is_tagged_union", False):
            names = list(shape.members)[:1]
        return {name: made_up(shape.members[name], whole=whole) for name in names}
    if kind == "list":
        return [made_up(shape.member, whole=whole)]
    if kind == "map":
        return {made_up(shape.key): made_up(shape.value, whole=whole)}
    if kind == "string":
        return _text(shape)
    numbers = {"integer": 1, "long": 1, "float": 1.5, "double": 1.5}
    return {
        **{name: max(number, shape.metadata.get("min", 0)) for name, number in numbers.items()},
        "boolean": True,
        "blob": b"made up",
        "timestamp": "2026-01-15T12:00:00Z",
    }[kind]


def _text(shape: Any) -> str:
    rules = shape.metadata
    if rules.get("enum"):
        return str(rules["enum"][0])
    for text in _TEXTS:
        if rules.get("min", 0) <= len(text) <= rules.get("max", len(text)) and _fits(text, rules):
            return text
    # botocore looks at no pattern; the emulator does, in the operations that it serves.
    return "made-up".ljust(rules.get("min", 0), "0")


def _fits(text: str, rules: Any) -> bool:
    pattern = rules.get("pattern", "\\p{")
    # Python has no Unicode classes; the patterns with them let any of the texts through.
    return "\\p{" in pattern or re.fullmatch(pattern, text) is not None
