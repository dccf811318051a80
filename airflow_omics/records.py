"""Run statuses, and the run record: GetRun's answer as plain JSON.

The record keeps the API's own camelCase keys, so that AWS's documentation is its documentation:
https://docs.aws.amazon.com/omics/latest/api/API_GetRun.html
"""

from __future__ import annotations

import base64
import datetime
import decimal
import math
from collections.abc import Collection, Mapping
from typing import Any, Final, TypedDict, TypeVar, cast

__all__ = ["BatchRecord", "RunRecord"]

ACTIVE_STATUSES: Final = ("PENDING", "STARTING", "RUNNING", "STOPPING")
"""The statuses of a run that goes on, in the order in which a run passes through them."""

TERMINAL_STATUSES: Final = ("COMPLETED", "FAILED", "CANCELLED", "DELETED")
"""The statuses in which a run stays. A status in neither of the two sets is one that AWS added later."""

TASK_STATUSES: Final = ("PENDING", "STARTING", "RUNNING", "STOPPING", "COMPLETED", "CANCELLED", "FAILED")
"""The statuses of a task inside a run."""

ACTIVE_BATCH_STATUSES: Final = ("CREATING", "PENDING", "SUBMITTING", "INPROGRESS", "STOPPING")
"""The statuses of a batch that goes on, in the order in which a batch passes through them."""

TERMINAL_BATCH_STATUSES: Final = (
    "PROCESSED",
    "CANCELLED",
    "FAILED",
    "RUNS_DELETING",
    "RUNS_DELETED",
    "RUNS_DELETE_FAILED",
    "DELETED",
)
"""The statuses in which a batch has no run left to wait for. DELETED is none of the service: it stands for a
batch that HealthOmics does not know any more."""

DELETED_BATCH_STATUSES: Final = ("RUNS_DELETING", "RUNS_DELETED", "RUNS_DELETE_FAILED", "DELETED")
"""Those of a batch that somebody deleted, or its runs: its counts do not say how these had ended."""

IDENTITY_KEYS: Final = ("id", "uuid", "arn")
"""The members that identify a run: all that rendered fields and trigger arguments keep of a record."""

ERROR_KEYS: Final = (*IDENTITY_KEYS, "status", "name", "workflowId", "failureReason", "statusMessage")
"""The members that an error needs, whatever ``record_fields`` says of the XCom."""

LINK_KEYS: Final = ("arn", "logLevel", "logLocation")
"""The members that the extra links need besides ``id``."""

COUNT_KEYS: Final = ("totalRuns", "submissionSummary", "runSummary")
"""The members of a batch that say how its runs ended, whatever ``record_fields`` says of the XCom."""


class RunRecord(TypedDict, total=False):
    """One HealthOmics run: GetRun's answer without ``ResponseMetadata``, in plain JSON.

    Only ``id`` and ``status`` are always there. The service leaves members out until it knows them
    (``startTime`` before a run starts, ``failureReason`` unless it failed) and so does the record.
    Members that are newer than this package pass through unchanged. Timestamps are ISO 8601 text in
    UTC, for example ``2023-04-07T16:44:22.262471+00:00``.
    """

    accelerators: str
    arn: str
    batchId: str
    cacheBehavior: str
    cacheId: str
    configuration: dict[str, Any]
    creationTime: str
    definition: str
    digest: str
    engineSettings: Any
    engineVersion: str
    failureReason: str
    id: str
    logLevel: str
    logLocation: dict[str, str]
    name: str
    networkingMode: str
    outputUri: str
    parameters: Any
    priority: int
    resourceDigests: dict[str, str]
    retentionMode: str
    roleArn: str
    runGroupId: str
    runId: str
    runOutputUri: str
    scratchStorageMode: str
    sessionPolicy: str
    startTime: str
    startedBy: str
    status: str
    statusMessage: str
    stopTime: str
    storageCapacity: int
    storageType: str
    tags: dict[str, str]
    uuid: str
    vpcConfig: dict[str, Any]
    workflowId: str
    workflowOwnerId: str
    workflowType: str
    workflowUuid: str
    workflowVersionName: str


class BatchRecord(TypedDict, total=False):
    """One batch of runs: GetBatch's answer without ``ResponseMetadata``, in plain JSON.

    As for a run, only ``id`` and ``status`` are always there. Counts before ``PROCESSED`` lag behind.
    What this package adds is ``outcome``, and ``failures`` if runs ended badly.
    """

    arn: str
    creationTime: str
    defaultRunSetting: dict[str, Any]
    failedTime: str
    failureReason: str
    failures: list[dict[str, Any]]
    id: str
    name: str
    outcome: dict[str, int]
    processedTime: str
    runSummary: dict[str, int]
    status: str
    submissionSummary: dict[str, int]
    submittedTime: str
    tags: dict[str, str]
    totalRuns: int
    uuid: str


def to_record(answer: Mapping[str, Any]) -> RunRecord:
    """Return an answer of the API as a run record.

    :param answer: what botocore returned for GetRun (or StartRun).
    """
    members = {key: value for key, value in answer.items() if key != "ResponseMetadata"}
    return cast("RunRecord", to_plain(members))


def to_plain(value: Any) -> Any:
    """Return ``value`` as plain JSON: dicts with text keys, lists, text, numbers, booleans and None.

    Times become ISO 8601 text in UTC (a time without a zone is assumed to be UTC), bytes become Base64 text,
    a Decimal becomes an int if it is whole and a float otherwise, and numbers that JSON does not have (NaN,
    infinity) become text.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, datetime.datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=datetime.UTC)
        return aware.astimezone(datetime.UTC).isoformat()
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(bytes(value)).decode("ascii")
    if isinstance(value, decimal.Decimal):
        if not value.is_finite():
            return str(value)
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Collection):
        return [to_plain(item) for item in value]
    return str(value)


def parse_time(text: str) -> datetime.datetime:
    """Return a record's timestamp as a time with a zone.

    :param text: ISO 8601, with or without a fraction of a second, with an offset, ``Z`` or neither.
    :raises ValueError: it is not such a text.
    """
    moment = datetime.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


_Record = TypeVar("_Record", RunRecord, BatchRecord)


def narrow(record: _Record, fields: Collection[str] | None) -> _Record:
    """Return the record with the members named in ``fields``; ``id`` and ``status`` always stay.

    :param fields: names of members; None keeps the record whole. Members the record lacks stay absent.
    """
    if fields is None:
        return record
    kept = {key: value for key, value in record.items() if key in fields or key in ("id", "status")}
    return cast("_Record", kept)


def with_status(record: RunRecord, status: str) -> RunRecord:
    """Return a copy of the record with its ``status`` replaced."""
    return cast("RunRecord", {**record, "status": status})


def describe(record: RunRecord, *, last_seen: bool = False) -> str:
    """Return one line that says which run this is and what its status is, for logs and errors.

    It names nothing that may hold patient data: no parameters, no tags.

    :param last_seen: whether the record is an old one, because the run could not be read again.
    """
    text = f"HealthOmics run {record.get('id')}"
    if record.get("name"):
        text += f" {record['name']!r}"
    if record.get("workflowId"):
        text += f" of workflow {record['workflowId']}"
    status = record.get("status")
    text += f" was {status} when last seen" if last_seen else f" is {status}"
    reasons = [str(record[key]) for key in ("failureReason", "statusMessage") if record.get(key)]
    return ": ".join([text, *reasons])


def describe_batch(record: Mapping[str, Any], *, last_seen: bool = False) -> str:
    """Return one line that says which batch this is and what its status is, as :func:`describe` does."""
    text = f"HealthOmics batch {record.get('id')}"
    if record.get("name"):
        text += f" {record['name']!r}"
    status = record.get("status")
    text += f" was {status} when last seen" if last_seen else f" is {status}"
    return f"{text}: {record['failureReason']}" if record.get("failureReason") else text


def sentence(record: RunRecord) -> str:
    """Return :func:`describe`'s line with one full stop, also if AWS's own message ends in one."""
    return f"{describe(record).removesuffix('.')}."
