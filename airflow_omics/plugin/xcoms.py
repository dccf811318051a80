"""What the values of XComs mean to the pages. Whoever writes XComs of a task may have made them.

So nothing in them is relied on: what has another shape than this package's own is left out, and nothing
raises. Parameters, tags and whatever else a record may hold besides get no further than here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from typing import Any, Final

from airflow_omics._monitoring.snapshot import BATCH_MEMBERS, RUN_MEMBERS
from airflow_omics.links import RUN_LINKS

_LARGEST_NUMBER: Final = 1e12
_MOST_ROWS: Final = 20
_MOST_EXAMPLES: Final = 5
_MOST_MEMBERS: Final = 100
_EXAMPLE: Final = ("runSettingId", "runId")
_MEMBER: Final = (*_EXAMPLE, "status")
_TEXTS: Final = ("seen", "reason", "class", "owner", "stuck")
_NUMBERS: Final = ("v", "cached", "total")
_COUNTS: Final = ("tasks", "counts")
_FLAGS: Final = ("more",)


def plain(text: str | None) -> Any:
    """Return the value of an XCom's JSON; text that is no JSON stays text.

    It may be JSON of JSON text: some Airflows store the one, some the other. Numbers that no time and no
    count can be, such as NaN, are None.
    """
    value: Any = text
    for _ in range(2):
        if isinstance(value, str):
            try:
                value = json.loads(value, parse_int=_number, parse_float=_number, parse_constant=_nothing)
            except (ValueError, RecursionError):
                break
    return value


def is_elsewhere(value: Any) -> bool:
    """Return whether the XCom ``omics_run`` is no snapshot, but what an XCom backend made of one.

    Such a reference is never resolved in the API server; Airflow's own does not resolve them either.
    """
    return value is not None and not snapshot(value)


def snapshot(value: Any) -> dict[str, Any]:
    """Return the members of a snapshot that have the shape they should have; empty if it is none."""
    if not isinstance(value, Mapping) or not isinstance(value.get("run"), Mapping):
        return {}
    kind = "batch" if value.get("kind") == "batch" else "run"
    found: dict[str, Any] = {"kind": kind, "run": _members(value["run"], kind == "batch")}
    found |= {name: value[name] for name in _TEXTS if isinstance(value.get(name), str)}
    found |= {name: value[name] for name in _NUMBERS if _is_count(value.get(name))}
    found |= {name: True for name in _FLAGS if value.get(name) is True}
    found |= {name: _counts(value[name]) for name in _COUNTS if isinstance(value.get(name), Mapping)}
    if isinstance(value.get("reasons"), list):
        found["reasons"] = [row for row in value["reasons"][:_MOST_ROWS] if _is_reason(row)]
    return found


def record(value: Any, is_batch: bool) -> dict[str, Any]:
    """Return the members of a task's result that a page may show, for a batch with how its runs ended."""
    if not isinstance(value, Mapping):
        return {}
    found = _members(value, is_batch)
    if is_batch and isinstance(value.get("outcome"), Mapping):
        found["outcome"] = _counts(value["outcome"])
    if is_batch and isinstance(value.get("failures"), list):
        rows = value["failures"][:_MOST_ROWS]
        found["failures"] = [_failure(row) for row in rows if isinstance(row, Mapping)]
    if is_batch and isinstance(value.get("members"), list):
        rows = value["members"][:_MOST_MEMBERS]
        found["members"] = [_texts(row, _MEMBER) for row in rows if isinstance(row, Mapping)]
    return found


def links(value: Any) -> dict[str, str]:
    """Return the pages of the AWS console from the XCom of the links, by their names."""
    found = {}
    for link in RUN_LINKS if isinstance(value, Mapping) else ():
        parts: Any = {name: text for name, text in value.items() if isinstance(text, str)}
        if url := link.url(parts):
            found[link.name] = url
    return found


def _members(value: Mapping[str, Any], is_batch: bool) -> dict[str, Any]:
    names: Collection[str] = BATCH_MEMBERS if is_batch else RUN_MEMBERS
    return {name: value[name] for name in names if isinstance(value.get(name), str | int)}


def _counts(value: Mapping[str, Any]) -> dict[str, int]:
    counts = list(value.items())[:_MOST_ROWS]
    return {name: number for name, number in counts if _is_count(number)}


def _failure(row: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        name: row[name] for name in ("reason", "class", "owner") if isinstance(row.get(name, 0), str | None)
    }
    if _is_count(row.get("count")):
        found["count"] = row["count"]
    examples = row.get("examples")
    found["examples"] = [
        _texts(example, _EXAMPLE)
        for example in (examples if isinstance(examples, list) else [])[:_MOST_EXAMPLES]
        if isinstance(example, Mapping)
    ]
    return found


def _texts(row: Mapping[str, Any], names: Collection[str]) -> dict[str, str]:
    return {name: row[name] for name in names if isinstance(row.get(name), str)}


def _is_reason(row: Any) -> bool:
    if not isinstance(row, list) or len(row) != 3:
        return False
    reason, owner, number = row
    return isinstance(reason, str) and isinstance(owner, str) and _is_count(number)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _number(text: str) -> int | float | None:
    number = float(text)
    if not math.isfinite(number) or abs(number) > _LARGEST_NUMBER:
        return None
    return int(text) if text.lstrip("-").isdigit() else number


def _nothing(name: str) -> None:
    return None
