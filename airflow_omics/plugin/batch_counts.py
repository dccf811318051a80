"""How far the members of a batch are, by the last counts that were seen of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from airflow_omics.plugin.readable import items, line, mapping, whole
from airflow_omics.plugin.shares import Share

# What GetBatch counts, as a snapshot or an outcome names it, and what is said of it.
_STATES: Final = (
    ("completed", "s-COMPLETED", "completed"),
    ("running", "s-RUNNING", "running"),
    ("starting", "s-STARTING", "starting"),
    ("stopping", "s-STOPPING", "stopping"),
    ("pending", "s-PENDING", "pending"),
    ("pendingStart", "t-waits", "not submitted yet"),
    ("failed", "s-FAILED", "failed"),
    ("cancelled", "s-CANCELLED", "cancelled"),
    ("deleted", "s-DELETED", "deleted"),
    ("failedStart", "t-failed", "not started"),
)
_GOING_ON: Final = ("running", "starting", "stopping", "pending")
_NOT_ALL_SUBMITTED: Final = ("CREATING", "PENDING", "SUBMITTING")


def total_of(snapshot: Mapping[str, Any], outcome: Mapping[str, Any] | None = None) -> int:
    """Return the number of a batch's members; zero if it is not known."""
    return whole(mapping(outcome).get("total")) or whole(snapshot.get("total"))


def shares_of(snapshot: Mapping[str, Any], outcome: Mapping[str, Any] | None = None) -> list[Share]:
    """Return how many members are in which state.

    :param outcome: how they ended, once the task has judged the batch: no count is older than that.
    """
    counts = mapping(outcome) or mapping(snapshot.get("counts"))
    found = [
        Share(css, word, number)
        for name, css, word in _STATES
        if (number := whole(counts.get(name)) or (name == "failedStart" and whole(counts.get("notStarted"))))
    ]
    rest = total_of(snapshot, outcome) - sum(share.number for share in found)
    if rest > 0:
        found = _with(found, _rest(snapshot, rest, any(share.word in _GOING_ON for share in found)))
    return found


def _rest(snapshot: Mapping[str, Any], number: int, some_go_on: bool) -> Share:
    """Return what members are that no count names: a batch that was stopped did not come to them."""
    status = mapping(snapshot.get("run")).get("status")
    if status in ("CANCELLED", "FAILED") and not some_go_on:
        return Share("t-failed", "not started", number)
    return Share("t-waits", "not submitted yet" if status in _NOT_ALL_SUBMITTED else "not counted", number)


def _with(shares: list[Share], more: Share) -> list[Share]:
    same = next((share for share in shares if share.word == more.word), None)
    if same is None:
        return [*shares, more]
    return [s._replace(number=s.number + more.number) if s is same else s for s in shares]


def submitted(snapshot: Mapping[str, Any]) -> int:
    """Return for how many members a start was tried."""
    counts = mapping(snapshot.get("counts"))
    return whole(counts.get("successfulStart")) + whole(counts.get("failedStart"))


def reasons_of(snapshot: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """Return why members failed, who can act, and how many, as a snapshot has it."""
    rows = (row for row in items(snapshot.get("reasons")) if isinstance(row, list | tuple) and len(row) == 3)
    return [(line(row[0], 64), line(row[1], 40), whole(row[2])) for row in rows if whole(row[2])]
