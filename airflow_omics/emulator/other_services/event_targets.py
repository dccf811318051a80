"""Targets of EventBridge's rules. Queues of SQS are served here, and every other target by moto."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from moto.backends import get_backend
from moto.moto_api._internal import mock_random

log = logging.getLogger(__name__)


def send(rules: Iterable[Any], event: Mapping[str, Any]) -> None:
    """Send an event to the targets of those rules that it matches. A target that fails is logged.

    :param rules: rules as moto keeps them.
    :param event: as a target gets it.
    """
    for rule in rules:
        try:
            if not rule.event_pattern.matches_event(event):
                continue
        except Exception as error:  # moto takes patterns that it cannot match
            log.warning("the pattern of rule %s cannot be matched: %r", rule.name, error)
            continue
        for target in list(rule.targets):
            try:
                _send(rule, target, event)
            except Exception as error:
                log.warning("target %s of rule %s did not get an event: %r", target["Arn"], rule.name, error)


def _send(rule: Any, target: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    service, region, account, name = target["Arn"].split(":", 5)[2:6]
    if service != "sqs" or "InputTransformer" in target:
        # moto sends to all targets of a rule, or to none after the first that it does not know.
        alone = copy.copy(rule)
        alone.targets = [target]
        alone.send_to_targets(_as_moto_has_it(event))
        return
    queues: Any = get_backend("sqs")[account][region]
    queue = queues.get_queue(name)
    if queue.fifo_queue:
        group_id = (target.get("SqsParameters") or {}).get("MessageGroupId")
        queues.send_message(name, _input(target, event), group_id=group_id)
        return
    # moto's SendMessage counts the whole queue each time, and a burst takes minutes.
    from moto.sqs.models import Message

    message: Any = Message(str(mock_random.uuid4()), _input(target, event))
    message.mark_sent(queue.delay_seconds)
    queue.add_message(message)


def _as_moto_has_it(event: Mapping[str, Any]) -> dict[str, Any]:
    moment = datetime.fromisoformat(event["time"]).timestamp()
    return {**copy.deepcopy(dict(event)), "time": moment, "ingestion-time": moment}


def _input(target: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """Return the text that a target gets: the event, or what the target wants instead."""
    if target.get("Input"):
        return str(target["Input"])
    found: Any = event
    for part in str(target.get("InputPath") or "$").split(".")[1:]:
        found = found.get(part, {}) if isinstance(found, Mapping) else {}
    return json.dumps(found)
