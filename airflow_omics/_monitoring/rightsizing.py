"""What a run asked for and what it used: the smallest instances that would do, and what they would save."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from airflow_omics._monitoring.estimate import (
    MOST_TASKS,
    STORAGE,
    Estimate,
    TaskCost,
    hours,
    rounded,
    storage_cost,
)
from airflow_omics._monitoring.instance_hours import UNKNOWN_TYPE
from airflow_omics._monitoring.instances import smallest
from airflow_omics._monitoring.price_list import PriceList
from airflow_omics._monitoring.task_names import base_name
from airflow_omics._monitoring.usage import DYNAMIC, STATIC, RunUsage, static_gib

ONLY_A_MANIFEST: Final = (
    "Only a run's manifest, in CloudWatch Logs, says what its tasks have used of CPU and memory."
)
_NOT_MEASURED: Final = "it keeps its type: its use was not measured"
_GPUS: Final = "it keeps its type: it has GPUs"
_TOO_LARGE: Final = "no instance type is that large"


class _Advice(NamedTuple):
    """The instance type that would do.

    :param type: None if none is large enough, or none is known.
    :param note: why it is that one, if it is not by the use.
    """

    type: str | None
    note: str = ""


def rightsized(found: Estimate, headroom: float) -> dict[str, Any]:
    """Return what the tasks of a run asked for and used, and what would do, as docs/use/cost.md describes it.

    :param headroom: the share to add to the most that was used, 0.2 for a fifth.
    """
    ran = [task for task in found.tasks if task.usage.seconds]
    by_name: dict[str, list[TaskCost]] = {}
    for task in ran:
        by_name.setdefault(base_name(task.usage.task.name, found.usage.engine), []).append(task)
    measured = found.usage.source == "manifest"
    groups = [_group(name, tasks, headroom, found.prices) for name, tasks in by_name.items()]
    rows = [
        _row([task], headroom, found.prices, {"id": task.usage.task.id, "name": task.usage.task.name})
        for task in ran
    ]
    savings = [group["saving"] for group in groups if (group["saving"] or 0.0) > 0]
    return {
        "headroom": headroom,
        "saving": rounded(sum(savings)) if measured else None,
        "by_name": _most(groups) if measured else [],
        "by_task": _most(rows) if measured else [],
        "left_out": {
            "by_name": max(0, len(groups) - MOST_TASKS) if measured else 0,
            "by_task": max(0, len(rows) - MOST_TASKS) if measured else 0,
        },
        "storage": _storage(found.usage, headroom, found.prices, found.storage) if measured else None,
        "note": None if measured else ONLY_A_MANIFEST,
    }


def _most(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that save the most, the most first."""
    return sorted(rows, key=lambda row: (-(row["saving"] or 0.0), row["name"], row.get("id", "")))[
        :MOST_TASKS
    ]


def _group(name: str, tasks: list[TaskCost], headroom: float, prices: PriceList) -> dict[str, Any]:
    return _row(tasks, headroom, prices, {"name": name, "tasks": len(tasks)})


def _row(
    tasks: Sequence[TaskCost], headroom: float, prices: PriceList, start: dict[str, Any]
) -> dict[str, Any]:
    """Return what tasks asked for and used, each of them at most, and the type that would do for all."""
    types = sorted({task.usage.task.instance or UNKNOWN_TYPE for task in tasks})
    seconds = sum(task.usage.seconds for task in tasks)
    cost = None if any(task.compute is None for task in tasks) else sum(task.compute or 0.0 for task in tasks)
    advice = _advice(tasks, types, headroom)
    price = prices.price_of(advice.type)
    keeps = advice.type is None or types == [advice.type]
    would_be = cost if keeps else None if price is None else price * seconds / 3600
    saving = None if cost is None or would_be is None else cost - would_be
    return {
        **start,
        "instance_types": types,
        "hours": hours(seconds),
        "cpus_asked": _highest([task.usage.task.cpus for task in tasks]),
        "memory_asked": _highest([task.usage.task.memory for task in tasks]),
        "cpus_used": _highest([task.usage.cpus for task in tasks]),
        "memory_used": _highest([task.usage.memory for task in tasks]),
        "would_do": advice.type,
        "cost": rounded(cost),
        "would_cost": rounded(would_be),
        "saving": rounded(saving),
        "note": advice.note or None,
    }


def _advice(tasks: Sequence[TaskCost], types: list[str], headroom: float) -> _Advice:
    same = types[0] if len(types) == 1 and types[0] != UNKNOWN_TYPE else None
    if any(task.usage.gpus for task in tasks):
        return _Advice(same, _GPUS)
    # One of several that was not measured may have been the largest of them.
    if not all(task.usage.cpus and task.usage.memory for task in tasks):
        return _Advice(same, _NOT_MEASURED)
    cpus = max(task.usage.cpus or 0.0 for task in tasks)
    memory = max(task.usage.memory or 0.0 for task in tasks)
    found = smallest(math.ceil(cpus * (1 + headroom)), math.ceil(memory * (1 + headroom)))
    return _Advice(None, _TOO_LARGE) if found is None else _Advice(found.name)


def _storage(
    usage: RunUsage, headroom: float, prices: PriceList, cost: float | None
) -> dict[str, Any] | None:
    """Return what the run's storage would cost as each type; None for a run whose use is not known."""
    used = usage.storage
    if usage.fixed_price or used.most is None or not used.seconds:
        return None
    sizes = {STATIC: float(static_gib(used.most * (1 + headroom))), DYNAMIC: used.average}
    options = {
        kind: {
            "gib": rounded(gib),
            "cost": rounded(storage_cost(used._replace(kind=kind, gib=gib), prices)),
        }
        for kind, gib in sizes.items()
        if STORAGE[kind]
    }
    known = [option["cost"] for option in options.values() if option["cost"] is not None]
    saving = cost - min(known) if cost is not None and known else None
    return {
        "type": used.kind,
        "gib": rounded(used.gib),
        "average_gib": rounded(used.average),
        "most_gib": rounded(used.most),
        "cost": rounded(cost),
        "would_cost": options,
        "saving": rounded(saving),
    }


def _highest(values: list[float | None]) -> float | None:
    return rounded(max((value for value in values if value is not None), default=None))
