"""The report on a run that goes on: since when it is in its status, and what it waits for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from airflow_omics._words import moment, span
from airflow_omics.diagnosis.model import Findings
from airflow_omics.records import parse_time

_WHAT_HAPPENS: Final = {
    "PENDING": "It waits to be started. HealthOmics does not say for what.",
    "STARTING": (
        "HealthOmics sets up the run's storage and its engine; ten minutes are usual. No task has been "
        "started."
    ),
    "RUNNING": "Inputs are imported, tasks run, and outputs are exported; all of that is RUNNING.",
    "STOPPING": "Its tasks are done; HealthOmics takes down storage and engine. It ends soon, well or badly.",
}

_GROUP_LIMITS: Final = (
    ("maxRuns", "runs"),
    ("maxCpus", "vCPUs"),
    ("maxGpus", "GPUs"),
)


def active_lines(found: Findings, now: float) -> Iterator[str]:
    """Yield what a run that goes on is doing, and what it waits for.

    :param now: the service's time, in seconds since the epoch.
    """
    status = str(found.record.get("status"))
    yield f"What happens: {_WHAT_HAPPENS.get(status, 'The run goes on.')}"
    yield f"Since when: {_since(found, now)}"
    if status == "PENDING":
        yield from _waits_for(found)


def _since(found: Findings, now: float) -> str:
    status = found.record.get("status")
    if found.status_since:
        try:
            waited = max(0.0, now - parse_time(found.status_since).timestamp())
        except ValueError:
            return "not known."
        return f"{status} for {span(waited)}, since {moment(found.status_since)}."
    created = found.record.get("creationTime")
    return f"not known; it was created {moment(created)}." if created else "not known."


def _waits_for(found: Findings) -> Iterator[str]:
    group_id = found.record.get("runGroupId")
    if not group_id:
        yield (
            "What it waits for: it is in no run group, so only the account's own quotas can hold it back: "
            "active runs, vCPUs, GPUs or storage. How much of them is in use cannot be seen from here."
        )
        return
    if found.run_group is None:
        yield (
            f"What it waits for: run group {group_id} may be at one of its maxima, or the account at one of "
            "its quotas."
        )
        return
    yield f"Run group {group_id} allows {_limits(found.run_group)}."
    if found.group_active is None:
        yield "What it waits for: how many runs of the group are active is not known."
        return
    most = found.run_group.get("maxRuns")
    yield f"Runs of the group that are past PENDING: {found.group_active}{_which(found)}."
    if isinstance(most, int) and found.group_active >= most:
        yield "What it waits for: maxRuns of the group; it starts when another of its runs has ended."
    else:
        yield (
            "What it waits for: not maxRuns of the group. Its vCPUs and GPUs in use, and the account's own "
            "quotas, cannot be seen from here."
        )


def _which(found: Findings) -> str:
    if not found.group_runs:
        return ""
    more = ", ..." if (found.group_active or 0) > len(found.group_runs) else ""
    return f" ({', '.join(found.group_runs)}{more})"


def _limits(group: Mapping[str, Any]) -> str:
    limits = [
        f"{group[key]} {unit} ({key})" for key, unit in _GROUP_LIMITS if isinstance(group.get(key), int)
    ]
    if isinstance(group.get("maxDuration"), int):
        limits.append(f"{group['maxDuration']} minutes a run (maxDuration)")
    return ", ".join(limits) or "any number of runs, vCPUs and GPUs"
