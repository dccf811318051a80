"""Events: what HealthOmics tells EventBridge, put to moto's default bus of the account and Region.

https://docs.aws.amazon.com/omics/latest/dev/eventbridge.html

Nothing is delivered in the background. :func:`deliver_due` delivers what has happened since it was last
called, in order of time, and is called before anyone asks SQS, EventBridge or CloudWatch Logs, and while a
ReceiveMessage waits. So each event goes to the rules that there were when it happened.
"""

from __future__ import annotations

import logging
import sys
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from heapq import heappop, heappush
from typing import Any

from airflow_omics.emulator.other_services import batch_events, event_targets, run_events, workflow_events
from airflow_omics.emulator.other_services.event_details import BARE, TYPES
from airflow_omics.emulator.other_services.occurrence import Occurrence
from airflow_omics.emulator.service.common.backend import OmicsBackend, backends
from airflow_omics.emulator.wire.names import Place
from airflow_omics.emulator.world.shared import WORLD

log = logging.getLogger(__name__)

_SOURCE = "aws.omics"
SOURCES: list[Callable[[OmicsBackend, float, Collection[str]], Iterable[Occurrence]]] = [
    run_events.news,
    workflow_events.news,
    batch_events.news,
]
"""What has events. Each gives what has happened in an account and Region since it was last asked, up to a
moment of service time; it may leave out what is of a detail-type that nobody wants."""


def deliver_due(*, listening: bool = False) -> None:
    """Deliver every event that is due, in every account and Region. What fails is logged, and nothing else.

    :param listening: whether rules may be made now. What has happened before is nothing to them.
    """
    with WORLD.lock:
        for backend in backends():
            try:
                backend.state(_Announcer).deliver(WORLD.clock.service(), listening)
            except Exception as error:
                place = f"{backend.account_id} in {backend.region_name}"
                log.warning("events of %s could not be delivered: %r", place, error)


def emit(backend: OmicsBackend, detail_type: str, detail: Mapping[str, Any], moment: float) -> None:
    """Have one event delivered, in order of time with the others, when it is next asked for any.

    :param backend: the account and Region.
    :param detail_type: such as ``Workflow Status Change``.
    :param detail: its ``detail``; the ``arn`` in it is the event's resource.
    :param moment: when it happened, in service time.
    """
    with WORLD.lock:
        backend.state(_Announcer).given.append(Occurrence.at(moment, detail_type, detail))


def rules_of(place: Place) -> list[Any]:
    """Return the rules of the default bus that are enabled and may match an event of HealthOmics."""
    models = sys.modules.get("moto.events.models")
    # Without it nobody has made a rule, and importing it takes its time.
    if models is None:
        return []
    bus = models.events_backends[place.account_id][place.region_name].event_buses["default"]
    # Those of other services are the many, and asking moto of each event what matches takes its time.
    return [
        rule
        for rule in list(bus.rules.values())
        if rule.state == "ENABLED" and _allowed(rule, "source", (_SOURCE,))
    ]


def _allowed(rule: Any, member: str, values: Collection[str]) -> Collection[str]:
    """Return those of the values of a member of events that a rule may match."""
    pattern = rule.event_pattern.get_pattern().get(member, values)
    plain = isinstance(pattern, list) and all(isinstance(value, str) for value in pattern)
    return [value for value in values if value in pattern] if plain else values


def anyone_listens() -> bool:
    """Return whether an event would reach any rule."""
    return any(rules_of(backend) for backend in backends())


class _Announcer:
    """What is on its way to the rules of an account and Region."""

    def __init__(self, backend: OmicsBackend) -> None:
        self._backend = backend
        self._random = WORLD.generator(f"events/{backend.account_id}/{backend.region_name}")
        self.given: list[Occurrence] = []
        self._number = 0
        # Those that are late, and those that let the next one pass: when they are due at the latest.
        self._due: list[tuple[float, int]] = []
        self._held: dict[int, dict[str, Any]] = {}
        self._passed: list[int] = []

    def deliver(self, now: float, listening: bool) -> None:
        """Deliver what has happened by ``now``, in service time."""
        rules = rules_of(self._backend)
        if not rules:
            self.given, self._due, self._held, self._passed = [], [], {}, []
            if listening:
                self._news(now, TYPES)
            return
        wanted = {kind for rule in rules for kind in _allowed(rule, "detail-type", TYPES)}
        for occurrence in self._news(now, TYPES if listening else wanted):
            self._deliver_held(occurrence.service)
            self._take(occurrence)
        self._deliver_held(now)

    def _news(self, now: float, wanted: Collection[str]) -> list[Occurrence]:
        found, self.given = self.given, []
        for source in SOURCES:
            found.extend(source(self._backend, now, wanted))
        return sorted(found, key=lambda occurrence: occurrence.service)

    def _take(self, occurrence: Occurrence) -> None:
        policy, event = WORLD.event_policy, self._event(occurrence)
        # As many draws for each event, whatever the rates are.
        lost, doubled, late, passed, bare = (self._random.random() for _ in range(5))
        if lost < policy.lost:
            return
        if bare < policy.bare:
            event["detail"] = {name: event["detail"][name] for name in BARE}
        for _ in range(2 if doubled < policy.doubled else 1):
            if late < policy.late:
                self._hold(event, occurrence.service + policy.late_seconds)
            elif passed < policy.out_of_order:
                self._passed.append(self._hold(event, occurrence.service + policy.late_seconds))
            else:
                self._send(event)

    def _event(self, occurrence: Occurrence) -> dict[str, Any]:
        moment = datetime.fromtimestamp(int(occurrence.reported), UTC)
        return {
            "version": "0",
            "id": str(uuid.UUID(int=self._random.getrandbits(128), version=4)),
            "detail-type": occurrence.detail_type,
            "source": _SOURCE,
            "account": self._backend.account_id,
            "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self._backend.region_name,
            "resources": [occurrence.detail["arn"]],
            "detail": dict(occurrence.detail),
        }

    def _hold(self, event: dict[str, Any], due: float) -> int:
        self._number += 1
        self._held[self._number] = event
        heappush(self._due, (due, self._number))
        return self._number

    def _deliver_held(self, moment: float) -> None:
        while self._due and self._due[0][0] <= moment:
            event = self._held.pop(heappop(self._due)[1], None)
            if event is not None:
                self._send(event)

    def _send(self, event: dict[str, Any]) -> None:
        event_targets.send(rules_of(self._backend), event)
        passed, self._passed = self._passed, []
        for number in passed:
            before = self._held.pop(number, None)
            if before is not None:
                self._send(before)
