"""What a run costs: minimums, storage as billed, what goes on, what is not known, thousands of tasks."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from airflow_omics._monitoring.estimate import estimated
from airflow_omics._monitoring.price_list import PriceList
from airflow_omics._monitoring.usage import usage_of_manifest, usage_of_tasks

pytestmark = pytest.mark.any_airflow

PRICES = PriceList(
    {
        "omics.c.large": 0.36,
        "omics.m.xlarge": 3.6,
        "Run Storage": 0.001,
        "Dynamic Run Storage": 0.01,
        "Ephemeral Storage": 0.1,
    },
    "us-west-2",
    "prices.json",
    "2026-07-01",
)
T0 = 1_767_225_600  # 2026-01-01T00:00:00Z


def at(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"2026-01-01T{hours:02}:{rest // 60:02}:{rest % 60:02}Z"


def run(**members: Any) -> dict[str, Any]:
    """Return the record of a run that ran for two hours."""
    record = {"id": "1", "status": "COMPLETED", "startTime": at(0), "stopTime": at(7200), **members}
    return {key: value for key, value in record.items() if value is not ...}


def task(
    number: int = 1, begin: float | None = 0, end: float | None = 3600, **members: Any
) -> dict[str, Any]:
    times = {
        name: at(moment) for name, moment in (("startTime", begin), ("stopTime", end)) if moment is not None
    }
    return {
        "taskId": str(number),
        "name": f"Task{number}",
        "status": "COMPLETED",
        "instanceType": "omics.c.large",
        **times,
        **members,
    }


def plain_of(record: dict[str, Any], *tasks: dict[str, Any], now: float = T0 + 9000, **given: Any) -> Any:
    prices = PRICES._replace(**given)
    return estimated(usage_of_tasks(record, tasks, now), prices).to_plain()


def plain_of_manifest(record: dict[str, Any], *tasks: dict[str, Any], **members: Any) -> Any:
    return estimated(usage_of_manifest(record, tasks, T0 + 9000, **members), PRICES).to_plain()


# -- tasks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "seconds"),
    [
        ({"end": 3600}, 3600),
        ({"end": 59}, 60),
        ({"end": 61}, 61),
        ({"begin": None, "end": None, "status": "CANCELLED"}, 0),
        ({"begin": None, "end": 100, "status": "CANCELLED"}, 0),
        ({"cacheHit": True}, 0),
        ({"cacheHit": False}, 3600),
        ({"status": "FAILED"}, 3600),
    ],
    ids=str,
)
def test_a_task_costs_its_time_and_a_minute_at_least(members: dict[str, Any], seconds: float) -> None:
    plain = plain_of(run(), task(**members))
    assert plain["compute"] == pytest.approx(0.0001 * seconds)
    assert plain["by_task"][0]["hours"] == pytest.approx(seconds / 3600, abs=1e-6)


def test_every_try_of_a_task_costs() -> None:
    plain = plain_of(run(), task(1, end=1800, status="FAILED", name="A"), task(2, 1800, 3600, name="A"))
    assert plain["compute"] == pytest.approx(0.36)
    assert plain["by_instance_type"] == {
        "omics.c.large": {"tasks": 2, "hours": 1.0, "price": 0.36, "cost": 0.36}
    }


def test_types_and_tasks_come_in_the_order_of_their_cost() -> None:
    tasks = (task(1), task(2, end=7200, instanceType="omics.m.xlarge"), task(3, end=1800))
    plain = plain_of(run(), *tasks, task(4, cacheHit=True))
    assert [row["id"] for row in plain["by_task"]] == ["2", "1", "3", "4"]
    assert list(plain["by_instance_type"]) == ["omics.m.xlarge", "omics.c.large"]
    assert plain["by_instance_type"]["omics.m.xlarge"]["cost"] == 7.2


def test_scratch_counts_for_the_order_and_for_the_sum_of_the_others() -> None:
    tasks = [task(number, metrics={"scratchStorageReservedGiB": 32}) for number in range(100)]
    cheap = [task(number, end=7200) for number in range(100, 103)]
    plain = plain_of_manifest(run(), *cheap, *tasks)
    assert {row["scratch"] for row in plain["by_task"]} == {1.6}
    assert plain["other_tasks"] == {"tasks": 3, "hours": 6.0, "cost": 2.16}
    others = plain_of_manifest(run(), *tasks, task(200, metrics={"scratchStorageReservedGiB": 32}))
    assert others["other_tasks"]["cost"] == 1.96


def test_the_longest_is_not_the_most_expensive() -> None:
    plain = plain_of(run(), task(1, end=7200), task(2, end=3600, instanceType="omics.m.xlarge"))
    assert [row["id"] for row in plain["by_task"]] == ["2", "1"]


def test_a_type_without_a_price_is_in_no_sum_and_named() -> None:
    plain = plain_of(run(), task(1), task(2, instanceType="omics.g6.xlarge"), task(3, instanceType=None))
    assert (plain["compute"], plain["complete"], plain["lower_bound"]) == (0.36, False, True)
    assert plain["unpriced"] == [
        {"resource": "omics.g6.xlarge", "tasks": 1, "hours": 1.0, "why": "the price list has no price of it"},
        {"resource": "unknown", "tasks": 1, "hours": 1.0, "why": "the task names no instance type"},
    ]
    assert plain["by_instance_type"]["omics.g6.xlarge"] == {
        "tasks": 1,
        "hours": 1.0,
        "price": None,
        "cost": None,
    }


def test_a_price_of_zero_is_a_price() -> None:
    plain = plain_of(run(), task(), prices={"omics.c.large": 0.0, "Run Storage": 0.0})
    assert (plain["total"], plain["complete"], plain["unpriced"]) == (0.0, True, [])


def test_a_discount_holds_for_every_part() -> None:
    plain = plain_of(run(), task(), factor=0.5)
    assert (plain["compute"], plain["storage"], plain["total"]) == (0.18, 1.2, 1.38)
    assert plain["by_instance_type"]["omics.c.large"]["price"] == 0.18
    assert plain["prices"] == {
        "source": "prices.json",
        "as_of": "2026-07-01",
        "region": "us-west-2",
        "factor": 0.5,
    }


def test_a_discount_leaves_a_price_as_short_as_it_was() -> None:
    plain = plain_of(run(), task(), factor=0.9)
    assert plain["by_instance_type"]["omics.c.large"]["price"] == 0.324
    assert plain["storage_usage"]["price"] == 0.0009


def test_a_task_that_ended_without_a_time_counts_a_minute_and_is_named() -> None:
    plain = plain_of(run(), task(end=None))
    assert (plain["compute"], plain["complete"]) == (0.006, False)
    assert plain["unpriced"][0]["why"] == "it is not known when the task ended; a minute is counted"


def test_a_task_that_goes_on_in_a_run_that_ended_counts_to_the_end_of_the_run() -> None:
    plain = plain_of(run(), task(end=None, status="RUNNING"))
    assert (plain["compute"], plain["complete"]) == (0.72, True)


# -- storage -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("capacity", "gib"),
    [(..., 1200), (0, 1200), (1, 1200), (1200, 1200), (1201, 2400), (2400, 2400), (2401, 4800), (9600, 9600)],
)
@pytest.mark.parametrize("storage_type", ["STATIC", ...])
def test_static_storage_is_billed_in_steps_for_the_whole_run(
    storage_type: Any, capacity: Any, gib: float
) -> None:
    plain = plain_of(run(storageType=storage_type, storageCapacity=capacity))
    assert plain["storage_usage"] == {"type": "STATIC", "gib": gib, "hours": 2.0, "price": 0.001}
    assert plain["storage"] == plain["total"] == pytest.approx(0.002 * gib)
    assert plain["complete"]


def test_dynamic_storage_is_billed_by_what_was_in_use_on_average() -> None:
    line = run(storageType="DYNAMIC", metrics={"storageAverageGiB": 50.5, "storageMaximumGiB": 99})
    plain = plain_of_manifest(line)
    assert (plain["storage"], plain["usage"], plain["complete"]) == (1.01, "manifest", True)
    assert plain["storage_usage"]["gib"] == 50.5


def test_dynamic_storage_is_not_known_without_a_manifest() -> None:
    plain = plain_of(run(storageType="DYNAMIC"), task())
    assert (plain["storage"], plain["total"], plain["usage"]) == (None, 0.36, "tasks")
    assert (plain["complete"], plain["lower_bound"]) == (False, True)
    [missing] = plain["unpriced"]
    assert missing["resource"] == "Dynamic Run Storage"
    assert missing["why"] == "how much DYNAMIC storage was in use, only a run's manifest says"


def test_storage_without_a_price_is_named() -> None:
    plain = plain_of(run(), prices={})
    assert plain["storage"] is None
    assert plain["unpriced"] == [
        {"resource": "Run Storage", "hours": 2.0, "why": "the price list has no price of it"}
    ]


def test_a_storage_type_that_is_newer_is_not_known() -> None:
    plain = plain_of(run(storageType="ELASTIC"))
    assert [item["why"] for item in plain["unpriced"]] == ["the run's storage type is not known"]
    assert plain["unpriced"][0]["resource"] == "storage"


def test_a_run_that_never_started_costs_nothing() -> None:
    plain = plain_of(run(startTime=..., stopTime=..., status="CANCELLED", storageType="DYNAMIC"))
    assert (plain["total"], plain["storage"], plain["complete"], plain["lower_bound"]) == (0, 0, True, False)


def test_a_run_that_never_started_and_whose_storage_nobody_knows_costs_nothing() -> None:
    for storage_type in ("DYNAMIC", None, "ELASTIC"):
        plain = plain_of(run(startTime=..., stopTime=..., status="CANCELLED", storageType=storage_type))
        assert (plain["storage_usage"]["gib"], plain["unpriced"]) == (0.0, [])


def test_clocks_that_differ_make_no_negative_cost() -> None:
    plain = plain_of(run(stopTime=..., status="RUNNING"), now=T0 - 5)
    assert (plain["storage"], plain["storage_usage"]["hours"]) == (0.0, 0.0)


def test_a_manifest_without_a_capacity_has_what_was_reserved() -> None:
    plain = plain_of_manifest(run(storageType="STATIC", metrics={"storageReservedGiB": 2400.0}))
    assert plain["storage_usage"]["gib"] == 2400.0


# -- scratch storage -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reserved", "gib"), [(0, 0), (16, 0), (16.5, 16), (32, 16), (33, 32), (3072, 3056)])
def test_scratch_is_billed_above_16_gib_in_steps(reserved: float, gib: float) -> None:
    plain = plain_of_manifest(run(), task(metrics={"scratchStorageReservedGiB": reserved}))
    assert plain["scratch"] == pytest.approx(0.1 * gib)
    assert plain["total"] == pytest.approx(2.4 + 0.36 + 0.1 * gib)
    assert plain["by_task"][0]["scratch"] == plain["scratch"]


def test_the_disk_of_a_gpu_instance_costs_nothing() -> None:
    metrics = {"scratchStorageReservedGiB": 500, "gpusReserved": 1}
    assert plain_of_manifest(run(), task(metrics=metrics))["scratch"] == 0.0
    assert plain_of(run(scratchStorageMode="LOCAL"), task(gpus=1))["complete"]


@pytest.mark.parametrize("read", [plain_of, plain_of_manifest])
def test_the_size_of_local_scratch_is_not_known_without_a_manifest_that_has_it(read: Any) -> None:
    plain = read(run(scratchStorageMode="LOCAL"), task(1), task(2, cacheHit=True))
    assert (plain["scratch"], plain["complete"]) == (0.0, False)
    assert plain["unpriced"] == [
        {
            "resource": "Ephemeral Storage",
            "tasks": 1,
            "hours": 1.0,
            "why": "only a run's manifest says its size",
        }
    ]
    assert plain["by_task"][0]["scratch"] is None


def test_a_manifest_takes_the_mode_of_scratch_from_the_record() -> None:
    assert not plain_of_manifest(run(), task(), scratch_mode="LOCAL")["complete"]
    assert plain_of_manifest(run(), task(), scratch_mode="SHARED")["complete"]


# -- a run that goes on --------------------------------------------------------------------------------------


def test_a_run_that_goes_on_costs_what_it_has_used_so_far() -> None:
    going = run(status="RUNNING", stopTime=...)
    plain = plain_of(going, task(1), task(2, 3600, None, status="RUNNING"), now=T0 + 5400)
    assert (plain["compute"], plain["storage"], plain["total"]) == (0.54, 1.8, 2.34)
    assert (plain["complete"], plain["lower_bound"]) == (True, True)
    assert plain["as_of"] == "2026-01-01T01:30:00+00:00"


def test_a_run_that_waits_costs_nothing_yet() -> None:
    plain = plain_of(run(status="PENDING", startTime=..., stopTime=...))
    assert (plain["total"], plain["lower_bound"]) == (0.0, True)


def test_a_ready2run_run_has_a_fixed_price_that_is_not_known() -> None:
    plain = plain_of(run(workflowType="READY2RUN"), task())
    assert (plain["total"], plain["complete"], plain["by_task"]) == (0.0, False, [])
    assert plain["unpriced"] == [
        {
            "resource": "Ready2Run workflow",
            "why": "AWS bills it at a fixed price a run, which is not known here",
        }
    ]


# -- thousands of tasks --------------------------------------------------------------------------------------


def test_of_five_thousand_tasks_the_dearest_are_listed_and_the_others_added_up() -> None:
    tasks = [task(number, end=60 + number % 1000) for number in range(5000)]
    plain = plain_of(run(), *tasks)
    seconds = sum(max(60, 60 + number % 1000) for number in range(5000))
    assert plain["compute"] == pytest.approx(seconds * 0.0001)
    assert len(plain["by_task"]) == 100
    assert min(row["compute"] for row in plain["by_task"]) == pytest.approx(0.0001 * 1040)
    assert plain["other_tasks"]["tasks"] == 4900
    listed = sum(row["compute"] for row in plain["by_task"])
    assert plain["other_tasks"]["cost"] + listed == pytest.approx(plain["compute"], abs=1e-4)
    assert plain["by_instance_type"]["omics.c.large"]["tasks"] == 5000
    assert len(json.dumps(plain)) < 25_000


def test_money_has_six_decimals() -> None:
    plain = plain_of(run(), task(end=1234), prices={"omics.c.large": 1 / 3, "Run Storage": 1 / 7})
    assert plain["compute"] == 0.114259
    assert plain["total"] == round(1 / 3 * 1234 / 3600 + 1200 * 2 / 7, 6)


def test_the_arithmetic_imports_neither_airflow_nor_botocore() -> None:
    names = "estimate, instances, price_file, price_list, price_offers, rightsizing, task_names, usage"
    code = f"import sys; from airflow_omics._monitoring import {names}; "
    code += "print(sorted({'airflow', 'botocore', 'boto3'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("seconds", range(61, 160, 7))
def test_whoever_adds_the_parts_comes_to_the_total(seconds: int) -> None:
    prices = PriceList({"omics.c.large": 0.1147531, "Run Storage": 1.9183e-6}, "us-west-2")
    ended = run(stopTime=at(seconds), storageType="STATIC", storageCapacity=1200)
    plain = estimated(usage_of_tasks(ended, [task(end=seconds)], T0 + 9000), prices).to_plain()
    assert plain["total"] == round(plain["compute"] + plain["storage"] + plain["scratch"], 6)
    assert plain["compute"] > 0
    assert plain["storage"] > 0
