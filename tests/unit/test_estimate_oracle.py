"""Our arithmetic beside Run Analyzer's, on the same manifests; each difference that is meant has a test.

Where the numbers are from: tests/data/README.md.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_omics._monitoring.estimate import Estimate, estimated
from airflow_omics._monitoring.instances import smallest
from airflow_omics._monitoring.price_list import PriceList
from airflow_omics._monitoring.rightsizing import rightsized
from airflow_omics._monitoring.task_names import base_name
from airflow_omics._monitoring.usage import static_gib, usage_of_manifest
from airflow_omics.diagnosis.manifest import manifest_of

pytestmark = pytest.mark.any_airflow

ORACLE = json.loads((Path(__file__).parents[1] / "data" / "cost_oracle.json").read_text())
PRICES = PriceList(ORACLE["prices_usd"], "us-east-1", "the oracle's")
CENT = 0.000001  # what is rounded to six decimals
LATER = 1_800_000_000.0
# Run Analyzer counts a minute for a task that never started, and nothing for one without metrics that ran.
OTHERWISE = ("NeverStarted", "NullMetrics")
CASES = [name for name, case in ORACLE["cases"].items() if "raises" not in case["by_headroom"]["0.2"]]


def estimate_of(lines: list[dict[str, Any]], prices: PriceList = PRICES) -> Estimate:
    manifest = manifest_of(map(json.dumps, lines), "1")
    assert manifest is not None
    return estimated(usage_of_manifest(manifest.line, manifest.tasks, LATER), prices)


def case(name: str) -> Estimate:
    return estimate_of(ORACLE["cases"][name]["manifest"])


def theirs(name: str, headroom: str) -> dict[str, dict[str, Any]]:
    """Return Run Analyzer's metrics of each resource, by the name of the task; of the run by ``run``."""
    manifest = ORACLE["cases"][name]["manifest"]
    named = {line["arn"]: "run" if ":run/" in line["arn"] else line["name"] for line in manifest}
    found = {}
    for row in ORACLE["cases"][name]["by_headroom"][headroom]["resources"]:
        found[f"{named[row['arn']]} {row['arn'].rpartition('/')[2]}"] = row["metrics"]
    return found


def ours(name: str) -> dict[str, dict[str, Any]]:
    return {f"{task['name']} {task['id']}": task for task in case(name).to_plain()["by_task"]}


def tasks_alike(name: str, headroom: str) -> list[tuple[str, dict[str, Any]]]:
    rows = theirs(name, headroom).items()
    return [(key, row) for key, row in rows if not key.startswith(("run ", *OTHERWISE))]


@pytest.mark.parametrize("name", CASES)
def test_a_task_costs_the_same(name: str) -> None:
    costs = ours(name)
    for key, row in tasks_alike(name, "0.0"):
        expected = row.get("estimatedUSD")
        if key.startswith("Cached"):
            expected = 0.0
        assert costs[key]["compute"] == pytest.approx(expected, abs=CENT), key


@pytest.mark.parametrize("name", CASES)
def test_storage_and_total_are_the_same(name: str) -> None:
    plain = case(name).to_plain()
    [run] = [row for key, row in theirs(name, "0.0").items() if key.startswith("run ")]
    expected = run.get("estimatedUSD", 0)
    assert (plain["storage"] or 0.0) == pytest.approx(expected, abs=CENT)
    # In the first case one task more and one less cost the same.
    total = ORACLE["cases"][name]["by_headroom"]["0.0"]["total_estimatedUSD"]
    assert plain["total"] == pytest.approx(total, abs=CENT)


@pytest.mark.parametrize("headroom", ["0.0", "0.2"])
@pytest.mark.parametrize("name", CASES)
def test_the_type_that_would_do_is_the_same(name: str, headroom: str) -> None:
    advice = {f"{row['name']} {row['id']}": row for row in rightsized(case(name), float(headroom))["by_task"]}
    for key, row in tasks_alike(name, headroom):
        if key.startswith("Cached"):
            assert key not in advice
            continue
        expected = row["omicsInstanceTypeMinimum"]
        assert advice[key]["would_do"] == (None if "EXCEED" in expected else expected), key
        assert advice[key]["would_cost"] == (
            None if "minimumUSD" not in row else pytest.approx(row["minimumUSD"], abs=CENT)
        )


@pytest.mark.parametrize("headroom", ["0.0", "0.2"])
@pytest.mark.parametrize(
    "name", ["static_1200", "static_no_capacity_no_type", "static_1201", "static_5000", "dynamic_long_big"]
)
def test_what_static_storage_would_cost_is_the_same(name: str, headroom: str) -> None:
    [run] = [row for key, row in theirs(name, headroom).items() if key.startswith("run ")]
    storage = rightsized(case(name), float(headroom))["storage"]
    assert storage["would_cost"]["STATIC"]["cost"] == pytest.approx(run["minimumUSD"], abs=CENT)


def test_static_storage_is_billed_in_the_same_sizes() -> None:
    sizes = {capacity: gib for capacity, gib in ORACLE["static_storage_gib"].items() if capacity != "2400.5"}
    assert {capacity: static_gib(float(capacity)) for capacity in sizes} == sizes
    assert len(sizes) == 14


def test_the_smallest_type_is_the_same() -> None:
    pairs = ORACLE["instance_for_requirements"]
    assert [list(smallest(cpus, memory) or ()) for cpus, memory, _ in pairs] == [found for *_, found in pairs]
    assert len(pairs) == 320


@pytest.mark.parametrize("engine", ["WDL", "NEXTFLOW", "CWL"])
def test_tasks_of_one_step_have_the_same_name(engine: str) -> None:
    names = ORACLE["task_base_name"][engine]
    assert {name: base_name(name, engine) for name in names} == names


# -- where ours differs, and is meant to ---------------------------------------------------------------------


def test_a_task_that_never_started_costs_nothing_although_it_has_metrics() -> None:
    assert theirs("static_1200", "0.0")["NeverStarted 19"]["estimatedUSD"] == 0.003825
    assert ours("static_1200")["NeverStarted 19"]["compute"] == 0.0


def test_a_task_that_ran_costs_what_it_ran_although_it_has_no_metrics() -> None:
    assert "estimatedUSD" not in theirs("static_1200", "0.0")["NullMetrics 18"]
    # Two minutes of omics.c.large.
    assert ours("static_1200")["NullMetrics 18"]["compute"] == pytest.approx(0.11475 / 30, abs=CENT)


def test_a_type_without_a_price_makes_the_total_incomplete() -> None:
    assert "estimatedUSD" not in theirs("static_1200", "0.0")["Unpriced 21"]
    plain = case("static_1200").to_plain()
    assert (plain["complete"], plain["lower_bound"]) == (False, True)
    assert plain["unpriced"] == [
        {
            "resource": "omics.g6e.48xlarge",
            "tasks": 1,
            "hours": 0.166667,
            "why": "the price list has no price of it",
        }
    ]
    assert ours("static_1200")["Unpriced 21"]["compute"] is None


def test_a_storage_type_that_is_null_is_not_known() -> None:
    assert "UnboundLocalError" in ORACLE["cases"]["storage_type_null"]["by_headroom"]["0.0"]["raises"]
    plain = case("storage_type_null").to_plain()
    assert plain["storage"] is None
    assert [item["why"] for item in plain["unpriced"]] == ["the run's storage type is not known"]


def test_a_run_without_an_end_has_a_storage_that_is_not_known() -> None:
    plain = case("run_without_stop").to_plain()
    assert (plain["storage"], plain["complete"]) == (None, False)
    assert [item["why"] for item in plain["unpriced"]] == ["it is not known when the run ended"]


def test_dynamic_storage_without_metrics_is_not_known_and_zero_is_zero() -> None:
    absent, zero = case("dynamic_metrics_absent").to_plain(), case("dynamic_short_zero").to_plain()
    assert (absent["storage"], absent["complete"]) == (None, False)
    assert (zero["storage"], zero["complete"]) == (0.0, True)


def test_a_cached_task_costs_nothing_whatever_else_it_says() -> None:
    lines = json.loads(json.dumps(ORACLE["cases"]["static_1201"]["manifest"]))
    lines[2]["cacheHit"] = True
    row = next(task for task in estimate_of(lines).to_plain()["by_task"] if task["name"] == "Align")
    assert (row["cached"], row["compute"], row["hours"]) == (True, 0.0, 0.0)


def test_a_fraction_of_a_step_of_static_storage_is_billed_as_a_step() -> None:
    assert ORACLE["static_storage_gib"]["2400.5"] == 2400
    assert static_gib(2400.5) == 4800


@pytest.mark.parametrize(("name", "cheaper"), [("dynamic_long", "DYNAMIC"), ("dynamic_long_big", "DYNAMIC")])
def test_the_least_that_dynamic_storage_would_cost_is_the_cheaper_of_both(name: str, cheaper: str) -> None:
    [run] = [row for key, row in theirs(name, "0.0").items() if key.startswith("run ")]
    storage = rightsized(case(name), 0.0)["storage"]
    costs = {kind: option["cost"] for kind, option in storage["would_cost"].items()}
    assert costs["STATIC"] == pytest.approx(run["minimumUSD"], abs=CENT)
    assert costs["DYNAMIC"] == pytest.approx(run["estimatedUSD"], abs=CENT)
    assert min(costs, key=lambda kind: costs[kind]) == cheaper
    assert storage["saving"] == 0.0


def test_scratch_storage_has_a_price() -> None:
    lines = json.loads(json.dumps(ORACLE["cases"]["static_1201"]["manifest"]))
    lines[2]["metrics"]["scratchStorageReservedGiB"] = 100
    prices = PRICES._replace(prices={**ORACLE["prices_usd"], "Ephemeral Storage": 0.000133})
    plain = estimate_of(lines, prices).to_plain()
    # 100 GiB are 112 in steps of 16, of which 16 are free, for 3030.5 s.
    assert plain["scratch"] == pytest.approx(0.000133 * 96 * 3030.5 / 3600, abs=CENT)
    assert plain["total"] == pytest.approx(1.648757 + 0.010748, abs=2 * CENT)
    without = estimate_of(lines).to_plain()
    assert (without["scratch"], without["complete"]) == (0.0, False)
    assert without["unpriced"][0]["resource"] == "Ephemeral Storage"
