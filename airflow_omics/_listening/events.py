"""What one message of a queue says: that a run or a batch has ended, or nothing that is meant for us.

https://docs.aws.amazon.com/omics/latest/dev/eventbridge.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

_TYPES: Final = {"Run Status Change": "run", "RunBatch Status Change": "batch"}
_ARN: Final = (
    r"arn:aws[a-z-]*:omics:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):(?P<type>run|runBatch)/"
    r"(?P<id>[0-9]{1,18})"
)
_KIND_OF_ARN: Final = {"run": "run", "runBatch": "batch"}
_TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    "run": {"name": "runName", "runOutputUri": "runOutputUri", "workflowId": "workflowId"},
    "batch": {"name": "batchName", "workflowId": "workflowId", "failureReason": "failureReason"},
}
_COUNTS: Final = (
    "totalRuns",
    "successfulStartSubmissionCount",
    "failedStartSubmissionCount",
    "pendingStartSubmissionCount",
    "completedRunCount",
    "failedRunCount",
    "cancelledRunCount",
)
_LONGEST: Final = 4096  # characters of a member; AWS's own are at most 1,024
_IN_NO_TEXT: Final = "[\0\ud800-\udfff]"  # JSON can say it, but Airflow can't send or store it


class Ended(NamedTuple):
    """What an event says of a run or batch.

    :param kind: ``run`` or ``batch``.
    :param status: the status that it has entered; not every one ends it.
    :param workflow_id: of what it runs; None if the event does not say it.
    :param key: the same for each copy of the event.
    :param members: what the event says, by the names that records have, in plain JSON.
    """

    kind: str
    status: str
    workflow_id: str | None
    key: tuple[str, ...]
    members: dict[str, Any]


class NotForUs(NamedTuple):
    """A message that says nothing of a run or batch.

    :param garbage: whether it is no event of EventBridge at all, or one of ours that can't be read.
    """

    garbage: bool


FOREIGN: Final = NotForUs(garbage=False)
GARBAGE: Final = NotForUs(garbage=True)


def ended_of(body: str) -> Ended | NotForUs:
    """Return what a message says.

    The id is that of the ARN: ``detail.runId`` is not in every event, and AWS's own documentation gets it
    wrong.

    :param body: the message's text.
    """
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return GARBAGE
    if not isinstance(event, Mapping) or not _is_text(event.get("source")):
        return GARBAGE
    kind = _TYPES.get(str(event.get("detail-type")))
    if event["source"] != "aws.omics" or kind is None:
        return FOREIGN
    detail = event.get("detail")
    if not isinstance(detail, Mapping):
        return GARBAGE
    arn, status = detail.get("arn"), detail.get("status")
    match = re.fullmatch(_ARN, arn) if isinstance(arn, str) else None
    if match is None or _KIND_OF_ARN[match["type"]] != kind or not _is_text(status):
        return GARBAGE
    members = _members(kind, match, event, detail)
    return Ended(kind, members["status"], members.get("workflowId"), _key(members), members)


def _key(members: Mapping[str, Any]) -> tuple[str, ...]:
    if uuid := members.get("uuid"):
        return uuid.lower(), members["status"]
    # An id is used again after a deletion. Without a uuid only the time tells one run from the next.
    return members["arn"], members["status"], members.get("time", "")


def _members(
    kind: str, match: re.Match[str], event: Mapping[str, Any], detail: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the event says; a member that it lacks, or that is no text, is left out."""
    said: dict[str, Any] = {"id": match["id"], "uuid": detail.get("uuid"), "arn": match[0]}
    said["status"] = detail["status"]
    said |= {name: detail.get(source) for name, source in _TEXTS[kind].items()}
    said |= {"account": match["account"], "region": match["region"], "time": event.get("time")}
    members = {name: value for name, value in said.items() if _is_text(value)}
    if kind == "batch":
        members |= {
            name: int(detail[name])
            for name in _COUNTS
            if re.fullmatch(r"[0-9]{1,9}", str(detail.get(name, "")))
        }
    return members


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST and not re.search(_IN_NO_TEXT, value)
