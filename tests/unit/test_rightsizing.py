"""What tasks asked for and used, the smallest instances that would do, and what they would save."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_omics._monitoring.estimate import estimated
from airflow_omics._monitoring.price_list import PriceList
from airflow_omics._monitoring.rightsizing import ONLY_A_MANIFEST, rightsized
from airflow_omics._monitoring.task_names import base_name
from airflow_omics._monitoring.usage import usage_of_manifest, usage_of_tasks

pytestmark = pytest.mark.any_airflow

PRICES = PriceList(
    {
        "omics.c.large": 1.0,
        "omics.c.xlarge": 2.0,
        "omics.m.large": 1.5,
        "omics.m.4xlarge": 12.0,
        "omics.g5.2xlarge": 20.0,
        "Run Storage": 0.001,
        "Dynamic Run Storage": 0.002,
    }
)
RUN: dict[str, Any] = {
    "status": "COMPLETED",
    "startTime": "2026-01-01T00:00:00Z",
    "stopTime": "2026-01-01T02:00:00Z",
}


def task(name: str, cpus: float | None = 1.0, memory: float | None = 2.0, **members: Any) -> dict[str, Any]:
    """Return the manifest's line of a task that ran for an hour."""
    metrics = {"cpusMaximum": cpus, "memoryMaximumGiB": memory, "gpusReserved": members.pop("gpus", 0)}
    return {
        "taskId": members.pop("id", name),
        "name": name,
        "status": "COMPLETED",
        "instanceType": "omics.m.4xlarge",
        "cpus": 16,
        "memory": 64,
        "startTime": "2026-01-01T00:00:00Z",
        "stopTime": "2026-01-01T01:00:00Z",
        "metrics": {key: value for key, value in metrics.items() if value is not None},
        **members,
    }


def advice(*tasks: dict[str, Any], headroom: float = 0.2, prices: PriceList = PRICES, **run: Any) -> Any:
    return rightsized(estimated(usage_of_manifest({**RUN, **run}, tasks, 0.0), prices), headroom)


def test_a_task_that_asked_for_too_much_says_what_would_do() -> None:
    found = advice(task("Align", 1.6, 3.0))
    assert found["by_task"] == [
        {
            "id": "Align",
            "name": "Align",
            "instance_types": ["omics.m.4xlarge"],
            "hours": 1.0,
            "cpus_asked": 16.0,
            "memory_asked": 64.0,
            "cpus_used": 1.6,
            "memory_used": 3.0,
            "would_do": "omics.c.large",
            "cost": 12.0,
            "would_cost": 1.0,
            "saving": 11.0,
            "note": None,
        }
    ]
    assert (found["saving"], found["headroom"], found["note"]) == (11.0, 0.2, None)


@pytest.mark.parametrize(
    ("headroom", "cpus", "memory", "expected"),
    [
        (0.0, 2.0, 4.0, "omics.c.large"),
        (0.0, 2.01, 4.0, "omics.c.xlarge"),
        (0.0, 2.0, 4.01, "omics.m.large"),
        (0.2, 1.66, 1.0, "omics.c.large"),
        (0.2, 1.67, 1.0, "omics.c.xlarge"),
        (1.0, 1.0, 2.0, "omics.c.large"),
        (1.0, 1.0, 8.0, "omics.r.large"),
        (1.0, 1.0, 8.01, "omics.r.xlarge"),
    ],
)
def test_headroom_is_added_and_rounded_up(headroom: float, cpus: float, memory: float, expected: str) -> None:
    [row] = advice(task("A", cpus, memory), headroom=headroom)["by_task"]
    assert row["would_do"] == expected


def test_shards_of_one_step_are_advised_together_by_the_largest() -> None:
    tasks = (
        task("Call-0-0001", 1.0, 2.0),
        task("Call-1-0002", 3.0, 2.0),
        task("Call-1-0002", 1.0, 2.0, id="retry"),
        task("Align", 1.0, 1.0, instanceType="omics.c.large"),
    )
    found = advice(*tasks)
    by_name = {row["name"]: row for row in found["by_name"]}
    assert set(by_name) == {"Call", "Align"}
    call = by_name["Call"]
    assert (call["tasks"], call["hours"], call["cpus_used"]) == (3, 3.0, 3.0)
    assert (call["would_do"], call["cost"], call["would_cost"]) == ("omics.c.xlarge", 36.0, 6.0)
    assert call["saving"] == found["saving"] == 30.0
    assert by_name["Align"]["saving"] == 0.0
    assert {row["would_do"] for row in found["by_task"]} == {"omics.c.large", "omics.c.xlarge"}
    assert len(found["by_task"]) == 4


def test_samples_of_a_step_with_a_long_name_are_advised_together() -> None:
    step = "NFCORE_SAREK:SAREK:FASTQ_ALIGN_BWAMEM_MEM2_DRAGMAP_SENTIEON:BWAMEM1_MEM"  # 71 of 128 characters
    names = [f"{step} ({sample})" for sample in ("s1-L1", "patient7-L2", "a-longer-sample-L10")]
    found = advice(*(task(name) for name in names), engine="NEXTFLOW")
    assert [(row["name"], row["tasks"]) for row in found["by_name"]] == [(step, 3)]
    assert sorted(row["name"] for row in found["by_task"]) == sorted(names)


def test_a_name_of_any_length_takes_little_room() -> None:
    [row] = advice(task("x" * 100_000))["by_task"]
    assert len(row["name"]) <= 512


def test_an_unknown_type_is_none_that_would_do() -> None:
    [row] = advice(task("A", None, None, instanceType=None))["by_task"]
    assert (row["instance_types"], row["would_do"]) == (["unknown"], None)


def test_what_a_step_would_cost_more_lessens_no_saving_of_another() -> None:
    tight = task("Tight", 1.9, 3.9, instanceType="omics.c.large")
    found = advice(tight, task("Wide", 1.0, 2.0))
    assert [(row["name"], row["saving"]) for row in found["by_name"]] == [("Wide", 11.0), ("Tight", -1.0)]
    assert found["saving"] == 11.0


def test_gpus_keep_their_type() -> None:
    [row] = advice(task("Fold", 1.0, 1.0, instanceType="omics.g5.2xlarge", gpus=1))["by_task"]
    assert (row["would_do"], row["saving"]) == ("omics.g5.2xlarge", 0.0)
    assert row["note"] == "it keeps its type: it has GPUs"


@pytest.mark.parametrize(("cpus", "memory"), [(None, 1.0), (1.0, None), (0.0, 1.0), (1.0, 0.0)])
def test_what_was_not_measured_keeps_its_type(cpus: float | None, memory: float | None) -> None:
    found = advice(task("A-0-1", cpus, memory), task("A-1-2", 1.0, 1.0))
    by_id = {row["id"]: row for row in found["by_task"]}
    assert by_id["A-0-1"]["would_do"] == "omics.m.4xlarge"
    assert by_id["A-0-1"]["note"] == "it keeps its type: its use was not measured"
    assert by_id["A-1-2"]["would_do"] == "omics.c.large"
    # The one that was not measured may have been the larger.
    assert found["by_name"][0]["would_do"] == "omics.m.4xlarge"


def test_too_large_is_said() -> None:
    [row] = advice(task("Huge", 190, 1535))["by_task"]
    assert (row["would_do"], row["note"]) == (None, "no instance type is that large")
    assert row["saving"] == 0.0


def test_a_type_without_a_price_has_no_saving() -> None:
    [row] = advice(task("A", 1.0, 14.0))["by_task"]
    assert row["would_do"] == "omics.r.xlarge"
    assert (row["cost"], row["would_cost"], row["saving"]) == (12.0, None, None)


def test_a_task_that_did_not_run_is_not_advised_on() -> None:
    cached = task("Cached", cacheHit=True)
    never = {**task("Never"), "startTime": None, "stopTime": None}
    assert advice(cached, never)["by_task"] == []


def test_without_a_manifest_nothing_is_known_of_what_was_used() -> None:
    found = rightsized(estimated(usage_of_tasks(RUN, [task("A")], 0.0), PRICES), 0.2)
    assert found["note"] == ONLY_A_MANIFEST
    assert (found["by_name"], found["by_task"], found["storage"], found["saving"]) == ([], [], None, None)


def test_of_many_tasks_those_that_save_the_most_are_listed() -> None:
    tasks = [task(f"T{number:04}-0-1", 1.0 if number >= 4900 else 14.0, 1.0) for number in range(5000)]
    found = advice(*tasks, headroom=0.0)
    assert [len(found["by_task"]), len(found["by_name"])] == [100, 100]
    assert {row["name"][:3] for row in found["by_task"]} == {"T49"}
    assert found["left_out"] == {"by_name": 4900, "by_task": 4900}
    assert found["saving"] == 1100.0


# -- storage -------------------------------------------------------------------------------------------------


def storage(headroom: float = 0.0, **run: Any) -> Any:
    return advice(headroom=headroom, **run)["storage"]


def metrics(average: float, most: float) -> dict[str, Any]:
    return {"metrics": {"storageAverageGiB": average, "storageMaximumGiB": most}}


def test_static_storage_that_was_too_large_says_what_would_do() -> None:
    found = storage(storageType="STATIC", storageCapacity=9600, **metrics(1900, 2000))
    assert found == {
        "type": "STATIC",
        "gib": 9600.0,
        "average_gib": 1900.0,
        "most_gib": 2000.0,
        "cost": 19.2,
        "would_cost": {"STATIC": {"gib": 2400.0, "cost": 4.8}, "DYNAMIC": {"gib": 1900.0, "cost": 7.6}},
        "saving": 14.4,
    }


def test_headroom_counts_for_static_storage() -> None:
    found = storage(0.2, storageType="STATIC", storageCapacity=9600, **metrics(1900, 2001))
    assert found["would_cost"]["STATIC"]["gib"] == 4800.0


def test_dynamic_storage_may_be_cheaper_as_static() -> None:
    found = storage(storageType="DYNAMIC", **metrics(900, 1000))
    assert (found["cost"], found["would_cost"]["STATIC"]["cost"], found["saving"]) == (3.6, 2.4, 1.2)


def test_storage_that_was_not_measured_has_no_advice() -> None:
    assert storage(storageType="STATIC") is None
    assert storage(storageType="DYNAMIC", metrics={"storageAverageGiB": 5}) is None


# -- names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("Align", "Align"),
        ("Call-0-0001", "Call"),
        ("UGMakeExamples-07-0708scattered", "UGMakeExamples"),
        ("NF:MOD:FOO (sample 1)", "NF:MOD:FOO"),
        ("step_12", "step"),
        ("a-b", "a-b"),
        ("", ""),
    ],
)
def test_without_an_engine_the_form_of_the_name_says_what_is_a_shard(name: str, base: str) -> None:
    assert base_name(name) == base


def test_an_engine_of_another_kind_goes_by_the_form() -> None:
    assert base_name("Call-0-0001", "SNAKEMAKE") == "Call"
    assert base_name("Call-0-0001", "nextflow") == "Call-0-0001"


def test_the_engine_of_the_manifest_counts() -> None:
    shards = (task("Call-0-0001"), task("Call-1-0002"))
    assert len(advice(*shards, engine="NEXTFLOW")["by_name"]) == 2
    assert len(advice(*shards, engine="WDL")["by_name"]) == 1
