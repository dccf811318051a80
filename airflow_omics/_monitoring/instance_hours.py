"""What the tasks of a run have used of instances, as HealthOmics bills it, and what that costs.

https://docs.aws.amazon.com/omics/latest/dev/workflows-pricing.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from airflow_omics._monitoring.price_list import PriceList
from airflow_omics._monitoring.task_table import RunTask

LEAST_SECONDS: Final = 60.0
"""Seconds that are billed of a task at least, if it has started."""

UNKNOWN_TYPE: Final = "unknown"
"""Stands for the instance type of a task that ran and names none."""


class InstanceCost(NamedTuple):
    """What instance hours cost.

    :param dollars: of those hours that have a price, in the currency of the price list.
    :param unpriced: the types without a price; the sum is not complete if there are any.
    """

    dollars: float
    unpriced: tuple[str, ...] = ()


def billed_seconds(task: RunTask, now: float) -> float:
    """Return the seconds of a task that are billed up to now.

    A task that the run cache answered, or that never started, costs nothing. One that has ended and does
    not say when counts as the shortest one.

    :param now: seconds since the epoch, in the service's clock.
    """
    if task.cached or task.started is None:
        return 0.0
    until = task.stopped if task.stopped is not None else now if task.is_active else task.started
    return max(LEAST_SECONDS, until - task.started)


def hours_by_type(tasks: Iterable[RunTask], now: float) -> dict[str, float]:
    """Return the instance hours that are billed, by instance type, the most first."""
    hours: defaultdict[str, float] = defaultdict(float)
    for task in tasks:
        if seconds := billed_seconds(task, now):
            hours[task.instance or UNKNOWN_TYPE] += seconds / 3600
    return dict(sorted(hours.items(), key=lambda item: (-item[1], item[0])))


def cost_of(hours: Mapping[str, float], prices: PriceList) -> InstanceCost:
    """Return what instance hours cost; a type without a price is named, and none is guessed."""
    priced = {name: prices.price_of(name) for name in hours}
    dollars = sum(hours[name] * price for name, price in priced.items() if price is not None)
    return InstanceCost(dollars, tuple(sorted(name for name, price in priced.items() if price is None)))
