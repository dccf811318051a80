"""Something that happened, of which EventBridge is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from airflow_omics.emulator.world.shared import WORLD


class Occurrence(NamedTuple):
    """Something that happened, and when: in service time, and in reported time.

    :param detail_type: the event's ``detail-type``, such as ``Run Status Change``.
    :param detail: its ``detail``; the ``arn`` in it is the event's resource.
    """

    service: float
    reported: float
    detail_type: str
    detail: Mapping[str, Any]

    @classmethod
    def at(cls, moment: float, detail_type: str, detail: Mapping[str, Any]) -> Occurrence:
        """Return what happened at a moment of service time that has passed."""
        return cls(moment, WORLD.clock.reported(moment), detail_type, detail)
