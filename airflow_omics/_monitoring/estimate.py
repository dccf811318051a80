"""What a run costs: its usage times a price list, and what of it has no price (docs/use/cost.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from airflow_omics._monitoring.instance_hours import UNKNOWN_TYPE
from airflow_omics._monitoring.price_list import (
    DYNAMIC_STORAGE,
    SCRATCH_STORAGE,
    STATIC_STORAGE,
    PriceList,
)
from airflow_omics._monitoring.task_table import iso
from airflow_omics._monitoring.usage import DYNAMIC, STATIC, RunUsage, StorageUsage, TaskUsage

MOST_TASKS: Final = 100
"""Tasks that are listed one by one, those that cost the most; the others are added up."""

DIGITS: Final = 6
"""Decimals of money, hours and GiB; prices have four more."""

STORAGE: Final = {STATIC: STATIC_STORAGE, DYNAMIC: DYNAMIC_STORAGE}
"""What a price list calls each storage type."""

_NO_PRICE: Final = "the price list has no price of it"
_READY2RUN: Final = "Ready2Run workflow"


class TaskCost(NamedTuple):
    """What a task costs.

    :param usage: what it has used.
    :param compute: of its instance; None if that has no price.
    :param scratch: of its scratch storage; None if that has no price or is not known.
    """

    usage: TaskUsage
    compute: float | None
    scratch: float | None

    @property
    def known(self) -> float:
        """What is known of its cost."""
        return (self.compute or 0.0) + (self.scratch or 0.0)


class Estimate(NamedTuple):
    """What a run costs, part by part.

    :param usage: what it has used.
    :param prices: of its Region.
    :param tasks: the most expensive first.
    :param storage: cost of its shared storage; None if that has no price or is not known.
    """

    usage: RunUsage
    prices: PriceList
    tasks: tuple[TaskCost, ...]
    storage: float | None

    @property
    def compute(self) -> float:
        """The cost of all instances that have a price."""
        return sum(task.compute or 0.0 for task in self.tasks)

    @property
    def scratch(self) -> float:
        """The cost of the scratch storage of all tasks, as far as it is known."""
        return sum(task.scratch or 0.0 for task in self.tasks)

    def to_plain(self) -> dict[str, Any]:
        """Return the estimate in plain JSON, as docs/use/cost.md describes it."""
        usage, unpriced = self.usage, list(_unpriced(self))
        listed, others = self.tasks[:MOST_TASKS], self.tasks[MOST_TASKS:]
        # Rounded before they are added, so that whoever adds them comes to the same.
        parts = [rounded(part) or 0.0 for part in (self.compute, self.scratch, self.storage)]
        return {
            "total": rounded(sum(parts)),
            "currency": self.prices.currency,
            "complete": not unpriced,
            "lower_bound": bool(unpriced) or usage.active,
            "unpriced": unpriced,
            "compute": rounded(self.compute),
            "storage": rounded(self.storage),
            "scratch": rounded(self.scratch),
            "by_instance_type": _by_type(self),
            "by_task": [_task(task) for task in listed],
            "other_tasks": {
                "tasks": len(others),
                "hours": hours(sum(task.usage.seconds for task in others)),
                "cost": rounded(sum(task.known for task in others)),
            },
            "storage_usage": _storage(usage.storage, self.prices),
            "prices": {
                "source": self.prices.source,
                "as_of": self.prices.as_of,
                "region": self.prices.region,
                "factor": self.prices.factor,
            },
            "usage": usage.source,
            "as_of": iso(usage.seen),
        }


def estimated(usage: RunUsage, prices: PriceList) -> Estimate:
    """Return what a run costs. No price is guessed: what has none is left out of the sums."""
    tasks = () if usage.fixed_price else (_cost_of(task, prices) for task in usage.tasks)
    storage = None if usage.fixed_price else storage_cost(usage.storage, prices)
    return Estimate(usage, prices, tuple(sorted(tasks, key=_order)), storage)


def storage_cost(used: StorageUsage, prices: PriceList) -> float | None:
    """Return the cost of a run's shared storage; None if it is not known."""
    if used.seconds == 0.0 or (used.gib == 0.0 and used.seconds is not None):
        return 0.0
    price = prices.price_of(STORAGE.get(used.kind or ""))
    if price is None or used.gib is None or used.seconds is None:
        return None
    return price * used.gib * used.seconds / 3600


def rounded(value: float | None) -> float | None:
    """Return a number to six decimals; None as None."""
    return None if value is None else round(float(value), DIGITS)


def hours(seconds: float) -> float:
    """Return seconds in hours, to six decimals."""
    return round(seconds / 3600, DIGITS)


def _cost_of(used: TaskUsage, prices: PriceList) -> TaskCost:
    if not used.seconds:
        return TaskCost(used, 0.0, 0.0)
    price = prices.price_of(used.task.instance)
    compute = None if price is None else price * used.seconds / 3600
    if not used.scratch:
        return TaskCost(used, compute, used.scratch)
    price = prices.price_of(SCRATCH_STORAGE)
    return TaskCost(used, compute, None if price is None else price * used.scratch * used.seconds / 3600)


def _order(task: TaskCost) -> tuple[float, float, str]:
    return -task.known, -task.usage.seconds, task.usage.task.id


def _unpriced(found: Estimate) -> Iterator[dict[str, Any]]:
    """Yield what of the usage is in no sum, and why."""
    if found.usage.fixed_price:
        yield {"resource": _READY2RUN, "why": "AWS bills it at a fixed price a run, which is not known here"}
        return
    for name, without in _grouped(task for task in found.tasks if task.compute is None).items():
        why = "the task names no instance type" if name == UNKNOWN_TYPE else _NO_PRICE
        yield _missing(name, without, why)
    without = [task for task in found.tasks if task.scratch is None]
    for tasks, why in (
        ([task for task in without if task.usage.scratch is None], "only a run's manifest says its size"),
        ([task for task in without if task.usage.scratch is not None], _NO_PRICE),
    ):
        if tasks:
            yield _missing(SCRATCH_STORAGE, tasks, why)
    endless = [task for task in found.tasks if not task.usage.ends]
    for name, tasks in _grouped(endless).items():
        yield _missing(name, tasks, "it is not known when the task ended; a minute is counted")
    used = found.usage.storage
    if found.storage is None:
        name = STORAGE.get(used.kind or "", "storage")
        known = {} if used.seconds is None else {"hours": hours(used.seconds)}
        yield {"resource": name, **known, "why": used.why or _NO_PRICE}


def _missing(resource: str, tasks: list[TaskCost], why: str) -> dict[str, Any]:
    seconds = sum(task.usage.seconds for task in tasks)
    return {"resource": resource, "tasks": len(tasks), "hours": hours(seconds), "why": why}


def _grouped(tasks: Iterable[TaskCost]) -> dict[str, list[TaskCost]]:
    found: dict[str, list[TaskCost]] = {}
    for task in tasks:
        found.setdefault(task.usage.task.instance or UNKNOWN_TYPE, []).append(task)
    return found


def _by_type(found: Estimate) -> dict[str, dict[str, Any]]:
    rows = {}
    for name, tasks in _grouped(task for task in found.tasks if task.usage.seconds).items():
        price = found.prices.price_of(name)
        cost = None if price is None else sum(task.compute or 0.0 for task in tasks)
        seconds = sum(task.usage.seconds for task in tasks)
        rows[name] = {
            "tasks": len(tasks),
            "hours": hours(seconds),
            "price": _price(price),
            "cost": rounded(cost),
        }
    return dict(sorted(rows.items(), key=lambda row: (-(row[1]["cost"] or 0.0), row[0])))


def _task(cost: TaskCost) -> dict[str, Any]:
    task = cost.usage.task
    return {
        "id": task.id,
        "name": task.name,
        "status": task.status,
        "instance_type": task.instance,
        "cached": task.cached,
        "hours": hours(cost.usage.seconds),
        "compute": rounded(cost.compute),
        "scratch": rounded(cost.scratch),
    }


def _storage(used: StorageUsage, prices: PriceList) -> Mapping[str, Any]:
    return {
        "type": used.kind,
        "gib": rounded(used.gib),
        "hours": None if used.seconds is None else hours(used.seconds),
        "price": _price(prices.price_of(STORAGE.get(used.kind or ""))),
    }


def _price(price: float | None) -> float | None:
    # That of a GiB and an hour begins at the fourth decimal.
    return None if price is None else round(price, 10)
