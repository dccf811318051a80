"""The run's manifest: what CloudWatch Logs still knows of a run that HealthOmics has forgotten.

Once a run has ended HealthOmics writes one JSON line for it and one for each task into the stream
``manifest/run/<id>/<uuid>``, which outlives the run's own metadata.

See https://docs.aws.amazon.com/omics/latest/dev/monitoring-cloudwatch-logs.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from airflow_omics.records import RunRecord, parse_time, to_plain

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsLogsHook

_MOST_PAGES: Final = 20  # a megabyte each: 30,000 tasks

_TIMES: Final = ("creationTime", "startTime", "stopTime")
_SAME: Final = (
    "arn",
    "uuid",
    "name",
    "status",
    "failureReason",
    "statusMessage",
    "workflowType",
    "workflowOwnerId",
    "digest",
    "outputUri",
    "parameters",
    "priority",
    "resourceDigests",
    "retentionMode",
    "roleArn",
    "startedBy",
    "storageCapacity",
    "storageType",
    "logLevel",
)
# The manifest gives ARNs instead of GetRun's ids, under names of its own.
_IDS: Final = {
    "workflow": "workflowId",
    "runGroup": "runGroupId",
    "runCache": "cacheId",
    "run": "runId",
}
_RENAMED: Final = {"workflowVersion": "workflowVersionName", "runCacheBehavior": "cacheBehavior"}


class Manifest(NamedTuple):
    """A run as its manifest describes it.

    :param record: the run's record, with ``"source": "manifest"``. It lacks what only GetRun returns, such as
        ``runOutputUri``.
    :param tasks: its tasks, in the manifest's own terms.
    :param others: how many other runs had the same id.
    :param line: the run's line itself, which holds what no record does, such as ``metrics``.
    """

    record: RunRecord
    tasks: tuple[Mapping[str, Any], ...]
    others: int = 0
    line: Mapping[str, Any] = MappingProxyType({})


def read_manifest(logs: OmicsLogsHook, run_id: str, uuid: str | None = None) -> Manifest | None:
    """Return the manifest of a run; None if there is none.

    :param uuid: the run's uuid. Without it the newest of the runs that had the id is taken, since ids are
        reused.
    :raises botocore.exceptions.ClientError: as AWS answered. Needs the IAM actions ``logs:GetLogEvents``
        and, if no uuid is given, ``logs:DescribeLogStreams``.
    """
    prefix, others = f"manifest/run/{run_id}/", 0
    if uuid:
        stream = prefix + uuid.lower()
    else:
        streams = sorted(logs.streams(prefix), key=_newest)
        if not streams:
            return None
        stream, others = str(streams[-1]["logStreamName"]), len(streams) - 1
    lines = (event["message"] for event in logs.head(stream, _MOST_PAGES))
    return manifest_of(lines, run_id, others)


def manifest_of(lines: Iterable[str], run_id: str, others: int = 0) -> Manifest | None:
    """Return the manifest that consists of ``lines``; None if no line describes the run.

    Lines that are not JSON are ignored. What a line lacks is left out.
    """
    record: RunRecord | None = None
    described: Mapping[str, Any] = {}
    tasks: list[Mapping[str, Any]] = []
    for line in lines:
        try:
            item = json.loads(line)
        except ValueError:
            continue
        arn = item.get("arn") if isinstance(item, dict) else None
        if not isinstance(arn, str):
            continue
        if arn.endswith(f":run/{run_id}"):
            if (found := record_of(item)) is not None:
                record, described = found, item
        elif ":task/" in arn:
            tasks.append(item)
    return None if record is None else Manifest(record, tuple(tasks), others, described)


def record_of(line: Mapping[str, Any]) -> RunRecord | None:
    """Return a manifest's line as a run record, marked ``"source": "manifest"``.

    Times get the form of GetRun's record, with or without a fraction of a second or a zone. A value that is
    null, or is not a time, is left out.
    """
    arn, status = line.get("arn"), line.get("status")
    if not isinstance(arn, str) or not isinstance(status, str):
        return None
    record: Any = {"id": arn.rpartition("/")[2]}
    record.update({key: line[key] for key in _SAME if line.get(key) is not None})
    for key, name in _RENAMED.items():
        if line.get(key) is not None:
            record[name] = line[key]
    for key, name in _IDS.items():
        if isinstance(line.get(key), str):
            record[name] = line[key].rpartition("/")[2]
    for key in _TIMES:
        if isinstance(line.get(key), str):
            try:
                record[key] = to_plain(parse_time(line[key]))
            except ValueError:
                continue
    record["source"] = "manifest"
    return record  # type: ignore[no-any-return]


def _newest(stream: Mapping[str, Any]) -> float:
    times = (stream.get(key) for key in ("lastEventTimestamp", "creationTime"))
    return next((float(time) for time in times if isinstance(time, int | float)), 0.0)
