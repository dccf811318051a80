"""Requests and answers in REST-JSON, as botocore's own model of the service describes them.

moto's serialiser is not used because it rounds timestamps to seconds, which the service does not.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qs

from botocore.model import OperationModel

from airflow_omics.emulator.wire.exceptions import OmicsServiceError, validation

# -- reading a request ---------------------------------------------------------------------------------------


def read(operation: OperationModel, path: Mapping[str, str], query: str, body: bytes) -> dict[str, Any]:
    """Return the members of a request, checked against the model as the service would.

    :raises OmicsServiceError: a ValidationException that lists everything wrong with it.
    """
    shape = operation.input_shape
    if shape is None:
        return {}
    texts = parse_qs(query, keep_blank_values=True) if query else {}
    document = _document(body) if operation.http["method"] in ("POST", "PUT", "PATCH") else {}
    members: dict[str, Any] = {}
    for name, member, location, wire_name in _places(operation):
        if location == "uri" and wire_name in path:
            members[name] = path[wire_name]
        elif location == "querystring" and wire_name in texts:
            members[name] = _from_text(member, name, texts[wire_name])
        elif location is None and document.get(wire_name) is not None:
            members[name] = document[wire_name]
    wrong = [
        f"Value null at '{name}' failed to satisfy constraint: Member must not be null"
        for name in shape.required_members
        if name not in members
    ]
    for name, value in members.items():
        wrong += _problems(shape.members[name], name, value)
    if wrong:
        raise refusal(wrong)
    return {name: _from_json(shape.members[name], name, value) for name, value in members.items()}


@cache
def _places(operation: OperationModel) -> tuple[tuple[str, Any, str | None, str], ...]:
    """Return name, shape, location and name on the wire of each member of a request."""
    return tuple(
        (name, member, member.serialization.get("location"), member.serialization.get("name", name))
        for name, member in operation.input_shape.members.items()
    )


def _from_json(shape: Any, name: str, value: Any) -> Any:
    if shape.type_name != "blob" or not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        raise OmicsServiceError("SerializationException", 400, f"Value at '{name}' is not base64") from None


def refusal(problems: Sequence[str]) -> OmicsServiceError:
    """Return the ValidationException that lists what is wrong."""
    errors = "error" if len(problems) == 1 else "errors"
    return validation(f"{len(problems)} validation {errors} detected: {'; '.join(problems)}")


def problems(shape: Any, name: str, value: Any) -> list[str]:
    """Return what is wrong with a value, against a shape of the model.

    :param name: how the errors call it.
    """
    return _problems(shape, name, value)


def _document(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        document = json.loads(body)
    except ValueError:
        raise OmicsServiceError("SerializationException", 400, "The body is not JSON") from None
    if not isinstance(document, dict):
        raise OmicsServiceError("SerializationException", 400, "The body is not a JSON object")
    return document


def _from_text(shape: Any, name: str, texts: list[str]) -> Any:
    if shape.type_name == "list":
        return texts
    if shape.type_name == "integer":
        try:
            return int(texts[0])
        except ValueError:
            raise validation(f"Value '{texts[0]}' at '{name}' is not an integer") from None
    return texts[0]


_TYPES: dict[str, type] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "list": list,
    "map": dict,
    "structure": dict,
    "blob": str,
}


@cache
def _pattern(text: str) -> re.Pattern[str] | None:
    # The model's patterns are Java's; those with Unicode classes match any text that matters here.
    return None if "\\p{" in text else re.compile(text)


def _problems(shape: Any, name: str, value: Any) -> list[str]:
    if getattr(shape, "is_document_type", False):
        return []
    expected = _TYPES.get(shape.type_name)
    # A boolean of Python is an integer as well.
    if expected and not (isinstance(value, expected) and isinstance(value, bool) == (expected is bool)):
        return [f"Value at '{name}' failed to satisfy constraint: Member must be of type {shape.type_name}"]
    rules, failed = shape.metadata, []
    at = f"at '{name}' failed to satisfy constraint: Member must"
    if shape.type_name == "string":
        if allowed := rules.get("enum"):
            return (
                []
                if value in allowed
                else [f"Value '{value}' {at} satisfy enum value set: [{', '.join(allowed)}]"]
            )
        if len(value) < rules.get("min", 0):
            failed.append(f"Value '{value}' {at} have length greater than or equal to {rules['min']}")
        if len(value) > rules.get("max", math.inf):
            failed.append(f"Value '{value}' {at} have length less than or equal to {rules['max']}")
        pattern = _pattern(rules["pattern"]) if "pattern" in rules else None
        if pattern is not None and not pattern.fullmatch(value):
            failed.append(f"Value '{value}' {at} satisfy regular expression pattern: {pattern.pattern}")
    elif shape.type_name == "integer":
        if value < rules.get("min", -math.inf):
            failed.append(f"Value '{value}' {at} have value greater than or equal to {rules['min']}")
        if value > rules.get("max", math.inf):
            failed.append(f"Value '{value}' {at} have value less than or equal to {rules['max']}")
    elif shape.type_name in ("list", "map"):
        if len(value) < rules.get("min", 0):
            failed.append(f"Value {at} have length greater than or equal to {rules['min']}")
        if len(value) > rules.get("max", math.inf):
            failed.append(f"Value {at} have length less than or equal to {rules['max']}")
        failed += _problems_within(shape, name, value)
    elif shape.type_name == "structure":
        failed += _problems_within(shape, name, value)
    return failed


def _problems_within(shape: Any, name: str, value: Any) -> list[str]:
    """Return what is wrong with the parts of a list, map or structure."""
    failed = []
    if shape.type_name == "list":
        for number, inner in enumerate(value, 1):
            failed += _problems(shape.member, f"{name}.{number}.member", inner)
    elif shape.type_name == "map":
        for key, inner in value.items():
            failed += _problems(shape.key, f"{name}.key", key)
            failed += _problems(shape.value, f"{name}.{key}.member", inner)
    else:
        failed += [
            f"Value null at '{name}.{inner}' failed to satisfy constraint: Member must not be null"
            for inner in shape.required_members
            if value.get(inner) is None
        ]
        for key, member in shape.members.items():
            if value.get(key) is not None:
                failed += _problems(member, f"{name}.{key}", value[key])
    return failed


# -- writing an answer ---------------------------------------------------------------------------------------


_ENCODER = json.JSONEncoder(separators=(",", ":"))


def timestamp(moment: float) -> str:
    """Return a moment as the service writes it: UTC, with as many of 0, 3 or 6 decimals as it needs."""
    value = datetime.fromtimestamp(round(moment, 6), UTC).replace(tzinfo=None)
    if value.microsecond == 0:
        return f"{value.isoformat(timespec='seconds')}Z"
    decimals = "milliseconds" if value.microsecond % 1000 == 0 else "microseconds"
    return f"{value.isoformat(timespec=decimals)}Z"


def shaped(shape: Any, value: Any) -> Any:
    """Return ``value`` as JSON, cut down to what the model knows."""
    writer = _writer(shape)
    return value if writer is None else writer(value)


@cache
def _writer(shape: Any) -> Callable[[Any], Any] | None:
    """Return what makes JSON of a value of this shape; None if the value is JSON already."""
    kind = shape.type_name
    if kind == "structure" and not getattr(shape, "is_document_type", False):
        members: dict[str, tuple[str, Callable[[Any], Any] | None] | None] = dict.fromkeys(shape.members)

        def structure(value: Mapping[str, Any]) -> dict[str, Any]:
            written = {}
            for name, inner in value.items():
                if name not in members:
                    continue
                known = members[name]
                if known is None:  # looked up at first use, since a shape may hold itself
                    member = shape.members[name]
                    known = members[name] = member.serialization.get("name", name), _writer(member)
                wire_name, writer = known
                written[wire_name] = inner if writer is None else writer(inner)
            return written

        return structure
    if kind == "list":
        return lambda value: [shaped(shape.member, inner) for inner in value]
    return timestamp if kind == "timestamp" else None


def write(operation: OperationModel, answer: Mapping[str, Any]) -> tuple[int, bytes]:
    """Return the HTTP status and the body of an answer."""
    status = int(operation.http.get("responseCode", 200))
    shape = operation.output_shape
    # A body after a 204 would be taken for the beginning of the next answer.
    if shape is None or status == 204:
        return status, b""
    return status, _ENCODER.encode(shaped(shape, answer)).encode()
