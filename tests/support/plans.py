"""Watched runs without a service: what a list or GetRun says of them, by a time that the test gives."""

from __future__ import annotations

import datetime
from typing import Any

from airflow_omics._identity import Target
from airflow_omics._waiting.wait import Wait
from airflow_omics._watching.watchlist import Entry, Waiter, Watchlist

T0 = 1_800_000_000.0
UUID = "96c57683-74bf-9d6d-ae7e-f09b097db14a"
CREATED = datetime.datetime.fromtimestamp(T0 - 3600, datetime.UTC)


class _NoLoop:
    """A waiter's future does not matter here."""

    def done(self) -> bool:
        return True


def waiter(
    run_id: str, interval: float = 60.0, uuid: str | None = None, timeout: float = 1e6, **of_wait: Any
) -> Waiter:
    wait = Wait(Target(run_id, uuid), started_at=T0, timeout_at=T0 + timeout, **of_wait)
    future: Any = _NoLoop()
    return Waiter(wait, interval, None, future)


def join(plan: Watchlist, run_id: str, now: float = T0, **arguments: Any) -> Entry:
    return plan.join(waiter(run_id, **arguments), now)


def arn_of(run_id: str) -> str:
    return f"arn:aws:omics:us-east-1:123456789012:run/{run_id}"


def item(entry: Entry, status: str = "RUNNING") -> dict[str, Any]:
    return {"id": entry.id, "status": status, "arn": arn_of(entry.id), "creationTime": CREATED}


def record(entry: Entry, status: str = "RUNNING") -> Any:
    return {**item(entry, status), "uuid": UUID, "creationTime": CREATED.isoformat()}


def look(plan: Watchlist, entry: Entry, now: float, again_at: float, status: str = "RUNNING") -> None:
    """Do as a watcher does when GetRun has answered."""
    for one in entry.waiters:
        one.wait.answered(record(entry, status), now)
    plan.looked(entry, record(entry, status), now)
    plan.schedule(entry, again_at)


def drain(plan: Watchlist, now: float) -> list[str]:
    """Take every run that cannot wait; return their ids in the order in which they are to be asked for."""
    taken = iter(lambda: plan.next_urgent(now), None)
    return [entry.id for entry in taken]
