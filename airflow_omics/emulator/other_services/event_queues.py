"""A queue that gets events: with a rule of EventBridge in front of it, and a dead-letter queue behind it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from moto.backends import get_backend

from airflow_omics.emulator.other_services import events, queues
from airflow_omics.emulator.other_services.event_details import TYPES
from airflow_omics.emulator.wire.names import Place

DEAD_LETTERS = "-dead-letters"
"""What the name of the dead-letter queue ends with."""

_NAME = re.compile(rf"[A-Za-z0-9_-]{{1,{64 - len(DEAD_LETTERS)}}}")
_LONGEST_SECONDS = 43_200
_MOST_RECEIVES = 1_000


def make(
    place: Place,
    name: str,
    statuses: Sequence[str] | None,
    detail_type: str,
    visibility_seconds: int,
    max_receives: int,
) -> str:
    """Make a queue, its rule and its dead-letter queue, and return the queue's URL.

    :param place: the account and Region.
    :raises ValueError: an argument is wrong, or there is such a queue or rule.
    """
    pattern = _pattern(statuses, detail_type)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            f"name is {name!r}; give letters, digits, hyphens and underscores, at most "
            f"{64 - len(DEAD_LETTERS)}, such as ended-runs"
        )
    _check_number("visibility_seconds", visibility_seconds, 0, _LONGEST_SECONDS)
    _check_number("max_receives", max_receives, 1, _MOST_RECEIVES)
    sqs: Any = get_backend("sqs")[place.account_id][place.region_name]
    bridge: Any = get_backend("events")[place.account_id][place.region_name]
    dead_name = name + DEAD_LETTERS
    for what, known in (("queue", sqs.queues), ("rule", bridge.event_buses["default"].rules)):
        if taken := [one for one in (name, dead_name) if one in known]:
            raise ValueError(f"there is a {what} {taken[0]} already; give another name")
    queues.adapt()
    dead = sqs.create_queue(dead_name, MessageRetentionPeriod=1_209_600)
    redrive = {"deadLetterTargetArn": dead.queue_arn, "maxReceiveCount": max_receives}
    queue = sqs.create_queue(name, VisibilityTimeout=visibility_seconds, RedrivePolicy=json.dumps(redrive))
    # A rule gets what happens after it was made.
    events.deliver_due(listening=True)
    bridge.put_rule(name, event_pattern=json.dumps(pattern))
    bridge.put_targets(name, None, [{"Id": "queue", "Arn": queue.queue_arn}])
    return str(queue.physical_resource_id)


def _pattern(statuses: Sequence[str] | None, detail_type: str) -> dict[str, Any]:
    if detail_type not in TYPES:
        raise ValueError(f"detail_type is {detail_type!r}; give one of {', '.join(TYPES)}")
    pattern: dict[str, Any] = {"source": ["aws.omics"], "detail-type": [detail_type]}
    if statuses is None:
        return pattern
    wrong = isinstance(statuses, str) or not isinstance(statuses, Sequence) or not statuses
    if wrong or not all(isinstance(status, str) and status.isupper() for status in statuses):
        raise ValueError(
            f"statuses is {statuses!r}; give a list such as ['COMPLETED', 'FAILED'], or None for all"
        )
    return {**pattern, "detail": {"status": list(statuses)}}


def _check_number(name: str, value: Any, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{name} is {value!r}; give a whole number from {least} to {most}")
