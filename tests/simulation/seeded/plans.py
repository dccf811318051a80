"""Plans that are written down, and not drawn: tasks and accidents with what a test changes in them."""

from __future__ import annotations

from typing import Any

from tests.simulation.seeded.plan import DAY, Plan

LIFE = [("PENDING", 5.0), ("STARTING", 100.0), ("RUNNING", 3000.0), ("STOPPING", 200.0)]
"""The statuses of a run before its end, and the seconds of each."""
_WORLD = {
    "triggerers": 1,
    "skews": [0.0],
    "store": True,
    "repeat_policy": "earlier",
    "conn_id": "omics",
}


def gate(number: int = 0, at: float = 100.0, end: str = "COMPLETED", **changes: Any) -> dict[str, Any]:
    """Return a deferred gate, as :mod:`.plan` draws them.

    :param end: how its run ends.
    """
    return {
        "name": f"gate-{number}",
        "kind": "gate",
        "at": at,
        "mode": "defer",
        "interval": 60.0,
        "timeout": 7 * DAY,
        "retries": 0,
        "life": [*LIFE, (end, None)],
        "given": "id",
        "age": 10.0,
        **changes,
    }


def start(number: int = 0, at: float = 100.0, end: str = "COMPLETED", **changes: Any) -> dict[str, Any]:
    """Return a deferred start, as :mod:`.plan` draws them.

    :param end: how each of its runs ends.
    """
    return {
        "name": f"start-{number}",
        "kind": "start",
        "at": at,
        "mode": "defer",
        "interval": 60.0,
        "retries": 2,
        "life": [*LIFE, (end, None)],
        "on_clear": "new",
        "cancel_on_kill": True,
        "wait_timeout": None,
        "on_timeout": "fail",
        **changes,
    }


def accident(kind: str, at: float = 1000.0, **changes: Any) -> dict[str, Any]:
    """Return an accident, by the name that :data:`.plan.ACCIDENTS` has for it."""
    return {"kind": kind, "at": at, "pick": 0, "seconds": 60.0, **changes}


def plan_of(*what: dict[str, Any]) -> Plan:
    """Return the plan of these tasks and accidents."""
    tasks = [item for item in what if "life" in item]
    return Plan(1, 1.0, tasks, [item for item in what if "pick" in item], _WORLD)
