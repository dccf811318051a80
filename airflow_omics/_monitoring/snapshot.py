"""The XCom ``omics_run``: what a task leaves of its run or batch whenever that has changed, in 600 bytes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, Final

from airflow_omics._monitoring.task_table import TaskTable, epoch, iso
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
    "workflowVersionName",
    "failureReason",
    "creationTime",
    "startTime",
    "stopTime",
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


def run_snapshot(
    record: Mapping[str, Any],
    seen: float,
    *,
    record_fields: Collection[str] | None = None,
    tasks: TaskTable | None = None,
    failure: Failure | None = None,
    stuck_since: float | None = None,
) -> dict[str, Any]:
    """Return the snapshot of a run, plain JSON of at most :data:`MOST_BYTES`.

    ``{"v": 1, "kind": "run", "seen": ..., "run": {...}, "reason": ..., "class": ..., "owner": ...,
    "tasks": {"COMPLETED": 12, ...}, "cached": 3, "stuck": ...}``; what is not known is left out.

    :param record: the run's record.
    :param seen: when it was read, in seconds since the epoch, in the service's clock.
    :param record_fields: the members that may reach XCom; None for all. ``id`` and ``status`` always may.
    :param tasks: its tasks, if they were listed.
    :param failure: why it failed, if that is known better than by the record's own reason.
    :param stuck_since: since when nothing has moved, if the task has warned of it.
    """
    found: dict[str, Any] = {"v": _VERSION, "kind": "run", "seen": iso(seen)}
    found["run"] = _members(record, RUN_MEMBERS, record_fields)
    if failure is None and record.get("status") in _BAD_ENDS:
        failure = classify(record)
    if failure is not None and _may(record_fields, "failureReason"):
        found |= {"reason": failure.reason, "class": failure.failure_class, "owner": failure.owner}
    if tasks is not None:
        found["tasks"] = dict(Counter(task.status for task in tasks.tasks))
        if cached := sum(task.cached for task in tasks.tasks):
            found["cached"] = cached
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
        found |= {"total": record.get("totalRuns"), "counts": _counts(record)}
    if reasons:
        most = sorted(reasons.items(), key=lambda item: -item[1])[:5]
        found["reasons"] = [[*key, number] for key, number in most]
    return _within(found, BATCH_MEMBERS)


def _members(
    record: Mapping[str, Any], names: Collection[str], record_fields: Collection[str] | None
) -> dict[str, Any]:
    kept: Mapping[str, Any] = narrow(dict(record), record_fields)  # type: ignore[type-var]
    found = {name: kept[name] for name in names if isinstance(kept.get(name), str | int)}
    for name in _TIMES:
        if (moment := epoch(found.get(name))) is not None:
            found[name] = iso(moment)
    return found


def _counts(record: Mapping[str, Any]) -> dict[str, int]:
    counts = {}
    for summary, ending in (("submissionSummary", "SubmissionCount"), ("runSummary", "RunCount")):
        for name, number in (record.get(summary) or {}).items():
            if isinstance(number, int) and number:
                counts[str(name).removesuffix(ending)] = number
    return counts


def _may(record_fields: Collection[str] | None, name: str) -> bool:
    return record_fields is None or name in record_fields


def _within(found: dict[str, Any], members: Collection[str]) -> dict[str, Any]:
    """Shorten a snapshot to :data:`MOST_BYTES`: first its name, then the members that are needed least."""
    run = found["run"]
    while (over := len(json.dumps(found)) - MOST_BYTES) > 0 and run.get("name"):
        # A character may take up to twelve bytes of JSON.
        run["name"] = run["name"][: -max(1, over // 12)]
    for name in reversed(tuple(members)):
        if len(json.dumps(found)) <= MOST_BYTES or name in ("id", "status"):
            break
        run.pop(name, None)
    return found
