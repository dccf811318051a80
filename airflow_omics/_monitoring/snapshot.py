"""The XCom ``omics_run``: what a task leaves of its run or batch whenever that has changed, in 600 bytes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, Final

from airflow_omics._monitoring.task_table import TaskCounts, TaskTable, clipped, epoch, iso
from airflow_omics.failures import Failure, classify
from airflow_omics.records import COUNT_KEYS, narrow

RUN_KEY: Final = "omics_run"
"""The key of the XCom, of a run and of a batch."""

MOST_BYTES: Final = 600
"""Bytes of JSON at most."""

RUN_MEMBERS: Final = (
    "id",
    "uuid",
    "arn",
    "status",
    "name",
    "workflowId",
    "failureReason",
    "creationTime",
    "startTime",
    "stopTime",
    "workflowVersionName",
    "runGroupId",
    "batchId",
    "storageType",
    "storageCapacity",
    "workflowType",
)
"""The members of a run's record that a snapshot has, the most needed first: never parameters, never tags."""

BATCH_MEMBERS: Final = (
    "id",
    "uuid",
    "arn",
    "status",
    "name",
    "failureReason",
    "creationTime",
    "submittedTime",
    "processedTime",
    "failedTime",
)
"""The same of a batch."""

_TIMES: Final = ("creationTime", "startTime", "stopTime", "submittedTime", "processedTime", "failedTime")
_BAD_ENDS: Final = ("FAILED", "CANCELLED", "DELETED")
_VERSION: Final = 1
_SHORT_NAME: Final = 48  # bytes of a name that are worth more than the members needed least
_LONGEST_WORD: Final = 64  # bytes of an id, a status, a reason
_LONGEST_MEMBER: Final = 160  # bytes of any other
_FEWEST_REASONS: Final = 2
_MOST_COUNTS: Final = 8  # there are seven statuses of tasks
_MOST: Final = 10**12  # of runs, or gibibytes


def run_snapshot(
    record: Mapping[str, Any],
    seen: float,
    *,
    record_fields: Collection[str] | None = None,
    tasks: TaskTable | TaskCounts | None = None,
    failure: Failure | None = None,
    stuck_since: float | None = None,
) -> dict[str, Any]:
    """Return the snapshot of a run, plain JSON of at most :data:`MOST_BYTES`.

    ``{"v": 1, "kind": "run", "seen": ..., "run": {...}, "reason": ..., "class": ..., "owner": ...,
    "tasks": {"COMPLETED": 12, ...}, "cached": 3, "more": true, "stuck": ...}``; what is not known is left
    out. ``more`` says that the run may have tasks that nobody counted.

    :param record: the run's record.
    :param seen: when it was read, in seconds since the epoch, in the service's clock.
    :param record_fields: the members that may reach XCom; None for all. ``id`` and ``status`` always may.
    :param tasks: its tasks, or how many it has, if they were listed.
    :param failure: why it failed, if that is known better than by the record's own reason.
    :param stuck_since: since when nothing has moved, if the task has warned of it.
    """
    found: dict[str, Any] = {"v": _VERSION, "kind": "run", "seen": iso(seen)}
    found["run"] = _members(record, RUN_MEMBERS, record_fields)
    if failure is None and record.get("status") in _BAD_ENDS:
        failure = classify(record)
    if failure is not None and _may(record_fields, "failureReason"):
        reason = failure.reason and clipped(failure.reason, _LONGEST_WORD)
        found |= {"reason": reason, "class": failure.failure_class, "owner": failure.owner}
    if tasks is not None:
        counts = tasks.counts if isinstance(tasks, TaskTable) else tasks
        by_status = Counter({clipped(key, _LONGEST_WORD): number for key, number in counts.by_status.items()})
        found["tasks"] = dict(by_status.most_common(_MOST_COUNTS))
        if counts.cached:
            found["cached"] = counts.cached
        if counts.more:
            found["more"] = True
    if stuck_since is not None:
        found["stuck"] = iso(stuck_since)
    return _within(found, RUN_MEMBERS)


def batch_snapshot(
    record: Mapping[str, Any],
    seen: float,
    *,
    record_fields: Collection[str] | None = None,
    reasons: Mapping[tuple[str, str], int] | None = None,
) -> dict[str, Any]:
    """Return the snapshot of a batch, as :func:`run_snapshot` does of a run.

    ``{"v": 1, "kind": "batch", "seen": ..., "run": {...}, "total": 200, "counts": {"completed": 12, ...},
    "reasons": [["OUT_OF_MEMORY_ERROR", "pipeline author", 3], ...]}``. ``counts`` are those of GetBatch's
    summaries that are not zero, each without its ``RunCount`` or ``SubmissionCount``.

    :param reasons: failed members by reason and who can act, if they were looked up.
    """
    found: dict[str, Any] = {"v": _VERSION, "kind": "batch", "seen": iso(seen)}
    found["run"] = _members(record, BATCH_MEMBERS, record_fields)
    if all(_may(record_fields, key) for key in COUNT_KEYS):
        if _is_number(total := record.get("totalRuns")):
            found["total"] = total
        found["counts"] = _counts(record)
    if reasons and _may(record_fields, "failures"):
        most = sorted(reasons.items(), key=lambda item: -item[1])[:5]
        found["reasons"] = [[*(clipped(word, _LONGEST_WORD) for word in key), n] for key, n in most]
    return _within(found, BATCH_MEMBERS)


def _members(
    record: Mapping[str, Any], names: Collection[str], record_fields: Collection[str] | None
) -> dict[str, Any]:
    kept: Mapping[str, Any] = narrow(dict(record), record_fields)  # type: ignore[type-var]
    found = {name: short for name in names if (short := _short(name, kept.get(name))) is not None}
    for name in _TIMES:
        if (moment := epoch(found.get(name))) is not None:
            found[name] = iso(moment)
    return found


def _short(name: str, value: Any) -> str | int | None:
    """Return a member as it may stand in a snapshot; half an ARN is none, but half a name is better."""
    if not isinstance(value, str):
        return value if _is_number(value) else None
    if name in ("id", "status", "failureReason"):
        return clipped(value, _LONGEST_WORD)
    return value if name == "name" or clipped(value, _LONGEST_MEMBER) == value else None


def _counts(record: Mapping[str, Any]) -> dict[str, int]:
    counts = {}
    for summary, ending in (("submissionSummary", "SubmissionCount"), ("runSummary", "RunCount")):
        numbers = record.get(summary)
        for name, number in numbers.items() if isinstance(numbers, Mapping) else ():
            if number and _is_number(number):
                counts[clipped(str(name).removesuffix(ending), _LONGEST_WORD)] = number
    return counts


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MOST


def _may(record_fields: Collection[str] | None, name: str) -> bool:
    return record_fields is None or name in record_fields


def _within(found: dict[str, Any], members: Collection[str]) -> dict[str, Any]:
    """Shorten a snapshot to :data:`MOST_BYTES`.

    First its name becomes shorter, then the rare reasons go, the members that are needed least, the numbers.
    """
    run, reasons = found["run"], found.get("reasons", [])
    _shorten_name(found, _SHORT_NAME)
    while len(reasons) > _FEWEST_REASONS and _over(found) > 0:
        reasons.pop()
    for name in reversed(tuple(members)):
        if name not in ("id", "status", "name", "uuid", "arn") and _over(found) > 0:
            run.pop(name, None)
    _shorten_name(found, 0)
    for place, name in ((found, "reasons"), (run, "arn"), (run, "uuid"), (found, "counts"), (found, "tasks")):
        if _over(found) > 0:
            place.pop(name, None)
    return found


def _shorten_name(found: dict[str, Any], least: int) -> None:
    """Cut the name by what is too much, but for ``least`` bytes of it."""
    name, over = found["run"].get("name"), _over(found)
    if name and over > 0:
        found["run"]["name"] = clipped(name, max(least, len(json.dumps(name)) - 2 - over))


def _over(found: Mapping[str, Any]) -> int:
    return len(json.dumps(found)) - MOST_BYTES
