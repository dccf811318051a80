"""What is known of a run, from the XComs of its task: which members, as of when, and whether it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from airflow_omics._monitoring.forecast import Forecast, forecast
from airflow_omics._monitoring.task_table import epoch
from airflow_omics.plugin.model import RunView
from airflow_omics.records import ACTIVE_STATUSES, TERMINAL_STATUSES

_LONGEST: Final = 1e9
"""Seconds that no run takes."""

BAD_ENDS: Final = ("FAILED", "CANCELLED", "DELETED")


@dataclass(frozen=True)
class RunState:
    """A run as its page knows it. Every time is in seconds since the epoch, in the service's clock.

    :param now: the API server's time, which stands in where nothing says when the run was seen.
    """

    view: RunView
    now: float

    @cached_property
    def run(self) -> Mapping[str, Any]:
        """Its members, the newest of each; empty if no run was seen."""
        merged: dict[str, Any] = {}
        for source in (self.view.gate.run, self.view.diagnosis.get("run"), self.view.record):
            if isinstance(source, Mapping):
                merged |= {key: value for key, value in source.items() if value is not None}
        return merged

    def member(self, name: str) -> str | None:
        """Return a member as text; None if it is not known."""
        value = self.run.get(name)
        return str(value) if isinstance(value, str | int) and value != "" else None

    @property
    def status(self) -> str | None:
        """Its status; None if it is not known."""
        return self.member("status")

    @property
    def is_active(self) -> bool:
        """Whether it goes on, as far as is known: a task waits on while nobody knows its run's status."""
        return self.status in ACTIVE_STATUSES or (self.is_unknown and not self.run.get("stopTime"))

    @property
    def is_unknown(self) -> bool:
        """Whether its status is one that this version does not know."""
        return self.status not in (*ACTIVE_STATUSES, *TERMINAL_STATUSES)

    @property
    def ended_badly(self) -> bool:
        """Whether it has ended otherwise than COMPLETED."""
        return self.status in BAD_ENDS

    @property
    def created(self) -> float | None:
        """When it was created."""
        return epoch(self.run.get("creationTime"))

    @property
    def started(self) -> float | None:
        """When it began to run."""
        return epoch(self.run.get("startTime"))

    @property
    def stopped(self) -> float | None:
        """When it ended; None while it goes on."""
        return None if self.is_active else epoch(self.run.get("stopTime"))

    @cached_property
    def seen(self) -> float | None:
        """When the run or its tasks were last seen; None if nothing says so."""
        tasks = self.view.tasks
        found = (epoch(self.view.gate.snapshot.get("seen")), tasks.seen if tasks else None)
        return max((moment for moment in found if moment is not None), default=None)

    @property
    def until(self) -> float:
        """The moment as of which the page is: the run's end, or when it was last seen."""
        if self.stopped is not None:
            return self.stopped
        return self.now if self.seen is None else self.seen

    @property
    def waited(self) -> float | None:
        """Seconds from its creation to its start, or until now."""
        if self.created is None:
            return None
        return max(0.0, (self.until if self.started is None else self.started) - self.created)

    @property
    def ran(self) -> float | None:
        """Seconds from its start to its end, or until now; None if it has not started or no end is known."""
        if self.started is None or (self.stopped is None and not self.is_active):
            return None
        return max(0.0, self.until - self.started)

    @property
    def forecast(self) -> Forecast | None:
        """When it should end by earlier runs, while it goes on and nobody stops it."""
        if not self.is_active or self.status == "STOPPING":
            return None
        return forecast([took for took in self.view.earlier if 0 <= took < _LONGEST], self.ran or 0.0)

    @property
    def title(self) -> str:
        """Its name, or what stands for it."""
        return self.member("name") or f"HealthOmics run {self.member('id') or ''}".strip()
