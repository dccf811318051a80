"""docs/use/cost.md: its examples are what the product returns, and its file of prices is one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_omics._monitoring.estimate import estimated
from airflow_omics._monitoring.price_file import price_lists
from airflow_omics._monitoring.price_list import PriceList
from airflow_omics._monitoring.rightsizing import rightsized
from airflow_omics._monitoring.usage import usage_of_manifest

pytestmark = pytest.mark.any_airflow

PAGE = (Path(__file__).parents[2] / "docs" / "use" / "cost.md").read_text()
RESULT, RIGHTSIZING, PRICES = (
    json.loads(block) for block in re.findall(r"```json\n(.+?)```", PAGE, re.DOTALL)
)
OF_THE_RECORD = ("id", "uuid", "arn", "name", "status", "notes")


@pytest.fixture(scope="module")
def estimate() -> Any:
    """The run of the page: two hours of STATIC storage, and two shards of an hour."""
    metrics = {"cpusMaximum": 1.9, "memoryMaximumGiB": 5.6}
    shard = {"status": "COMPLETED", "instanceType": "omics.m.4xlarge", "cpus": 2, "memory": 8}
    times = {"startTime": "2026-11-29T00:10:00Z", "stopTime": "2026-11-29T01:10:00Z"}
    tasks = [
        {**shard, **times, "taskId": "3456789", "name": "Align-0-0001", "metrics": metrics},
        {
            **shard,
            **times,
            "taskId": "3456790",
            "name": "Align-1-0002",
            "metrics": {**metrics, "cpusMaximum": 1.2},
        },
    ]
    run = {
        "status": "COMPLETED",
        "startTime": "2026-11-29T00:00:00Z",
        "stopTime": "2026-11-29T02:00:31Z",
        "storageType": "STATIC",
        "storageCapacity": 1200,
        "metrics": {"storageAverageGiB": 110.4, "storageMaximumGiB": 112.8},
    }
    names = ("omics.m.4xlarge", "omics.c.xlarge", "Run Storage", "Dynamic Run Storage")
    prices = dict(zip(names, (1.0368, 0.2295, 0.0001918, 0.000411), strict=True))
    source = RESULT["prices"]["source"]
    return estimated(
        usage_of_manifest(run, tasks, 1796005472.0), PriceList(prices, "us-east-1", source, "2026-07-01")
    )


def test_the_result_is_what_the_operator_returns(estimate: Any) -> None:
    shown = {key: value for key, value in RESULT.items() if key not in OF_THE_RECORD}
    assert shown == estimate.to_plain()
    assert set(RESULT) - set(shown) == set(OF_THE_RECORD)


def test_the_rightsizing_is_what_the_operator_returns(estimate: Any) -> None:
    found = rightsized(estimate, 0.2)
    found["by_task"] = []  # the page leaves them out
    assert found == RIGHTSIZING


def test_the_file_of_prices_is_one() -> None:
    assert price_lists(json.dumps(PRICES), "prices.json")["us-west-2"].price_of("Run Storage") == 0.0002


def test_each_member_has_its_meaning() -> None:
    meant = set(re.findall(r"^\| `(\w+)` \| ", PAGE, re.MULTILINE))
    plain = {"currency", "compute", "scratch", "notes", "usage", *OF_THE_RECORD}
    assert set(RESULT) - plain <= meant
