"""What the tasks of a run have used of instances, and what that costs."""

from __future__ import annotations

import pytest

from airflow_omics._monitoring.instance_hours import billed_seconds, cost_of, hours_by_type
from airflow_omics._monitoring.price_list import PriceList
from airflow_omics._monitoring.task_table import RunTask

pytestmark = pytest.mark.any_airflow

NOW = 10_000.0


def task(
    status: str = "COMPLETED",
    started: float | None = 1_000,
    stopped: float | None = 4_600,
    instance: str | None = "omics.m.xlarge",
    cached: bool = False,
) -> RunTask:
    return RunTask("1", "Align", status, 900, started, stopped, instance, cached=cached)


@pytest.mark.parametrize(
    ("one", "seconds"),
    [
        pytest.param(task(), 3_600, id="from start to stop"),
        pytest.param(task(stopped=1_010), 60, id="a minute at least"),
        pytest.param(task(stopped=1_061), 61, id="a second more than a minute"),
        pytest.param(task("FAILED", stopped=1_100), 100, id="a failed task as any other"),
        pytest.param(task("RUNNING", stopped=None), 9_000, id="until now while it runs"),
        pytest.param(
            task("RUNNING", started=9_999, stopped=None), 60, id="a minute from the first second on"
        ),
        pytest.param(task("PENDING", started=None, stopped=None), 0, id="nothing before it starts"),
        pytest.param(task("CANCELLED", started=None, stopped=4_600), 0, id="nothing if it never started"),
        pytest.param(task(cached=True), 0, id="nothing from the run cache"),
        pytest.param(task(stopped=None), 60, id="ended, and does not say when"),
        pytest.param(task(started=4_600, stopped=1_000), 60, id="never less than nothing"),
        pytest.param(task("RUNNING", started=11_000, stopped=None), 60, id="a clock that is behind"),
    ],
)
def test_so_many_seconds_are_billed(one: RunTask, seconds: float) -> None:
    assert billed_seconds(one, NOW) == seconds


def test_hours_are_summed_by_type_the_most_first() -> None:
    tasks = [
        task(instance="omics.c.large"),
        task(instance="omics.r.large"),
        task(instance="omics.c.large", stopped=1_001),
        task(instance=None),
        task(instance="omics.g5.xlarge", cached=True),
    ]
    assert list(hours_by_type(tasks, NOW).items()) == [
        ("omics.c.large", 1 + 1 / 60),
        ("omics.r.large", 1.0),
        ("unknown", 1.0),
    ]


def test_types_without_a_price_are_named() -> None:
    prices = PriceList({"omics.c.large": 0.5, "omics.r.large": 2.0}, factor=0.5)
    hours = {"omics.c.large": 2.0, "omics.r.large": 0.25, "omics.g5.xlarge": 1.0, "unknown": 1.0}
    assert cost_of(hours, prices) == (0.75, ("omics.g5.xlarge", "unknown"))


def test_a_price_of_zero_is_a_price() -> None:
    assert cost_of({"omics.c.large": 2.0}, PriceList({"omics.c.large": 0.0})) == (0.0, ())
