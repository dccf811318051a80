"""OmicsEstimateRunCostOperator: where usage and prices come from, and what is said if they cannot be had."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_omics.emulator import Life, Stage, Task
from airflow_omics.exceptions import (
    OmicsAccessError,
    OmicsError,
    OmicsRequestError,
    OmicsRunDeletedError,
    OmicsRunNotFoundError,
)
from airflow_omics.hooks import OmicsHook
from airflow_omics.hooks.listing import Listing
from airflow_omics.hooks.pricing import OmicsPricingHook, price_region
from airflow_omics.operators import OmicsEstimateRunCostOperator
from tests.support.fixtures import Connect, Output
from tests.support.sensors import ONE_ATTEMPT, Clock, TaskInstance, context_of

pytestmark = [pytest.mark.usefixtures("clock"), pytest.mark.any_airflow]

HOUR = (Stage("PENDING", 4), Stage("STARTING", 120), Stage("RUNNING", 3600), Stage("COMPLETED"))
LIFE = Life(
    "two-hours",
    stages=(Stage("PENDING", 60), Stage("STARTING", 600), Stage("RUNNING", 7200), Stage("COMPLETED")),
    tasks=(
        Task("Align-0-0001", stages=HOUR, cpus=2, memory=8, instance_type="omics.m.4xlarge"),
        Task("Align-1-0002", stages=HOUR, cpus=2, memory=8, instance_type="omics.m.4xlarge"),
        Task("Short", stages=(Stage("RUNNING", 20), Stage("COMPLETED")), instance_type="omics.c.large"),
        Task("Cached", cache_hit=True),
    ),
)
COMPUTE = 2 * 1.0368 + 0.11475 / 60
STATIC = {"storageType": "STATIC", "storageCapacity": 1200}


def start(omics: Any, life: Life = LIFE, seconds: float = 100_000, logs: bool = True, **members: Any) -> str:
    omics.add_life(life)
    [run_id] = omics.start_runs(1, life=life.name, logs=logs, **members)
    omics.advance(seconds)
    return str(run_id)


def estimate(run_id: Any, **arguments: Any) -> dict[str, Any]:
    task = OmicsEstimateRunCostOperator(
        **{"task_id": "cost", "run_id": run_id, "botocore_config": ONE_ATTEMPT, **arguments}
    )
    plain = task.execute(context_of(TaskInstance()))
    assert json.loads(json.dumps(plain)) == plain
    return plain


def hours_of(run_id: str) -> float:
    record = OmicsHook().get_run(run_id)
    times = (datetime.datetime.fromisoformat(record[key]) for key in ("stopTime", "startTime"))
    stopped, started = times
    return (stopped - started).total_seconds() / 3600


@pytest.fixture
def price_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "prices.json"
    prices = {"omics.m.4xlarge": 2.0, "omics.c.large": 3.0, "Run Storage": 0.001}
    path.write_text(json.dumps({"region": "us-east-1", "as_of": "2026-07-01", "prices": prices}))
    monkeypatch.setenv("AIRFLOW__OMICS__PRICE_LIST", str(path))
    return path


# -- what it returns -----------------------------------------------------------------------------------------


def test_a_run_costs_its_tasks_and_its_storage_at_aws_s_prices(omics: Any, output: Output) -> None:
    run_id = start(omics, **STATIC)
    plain = estimate(run_id)
    storage = 0.0001918 * 1200 * hours_of(run_id)
    assert plain["compute"] == pytest.approx(COMPUTE, abs=1e-6)
    assert plain["storage"] == pytest.approx(storage, abs=1e-6)
    assert plain["total"] == pytest.approx(COMPUTE + storage, abs=2e-6)
    assert (plain["currency"], plain["complete"], plain["lower_bound"]) == ("USD", True, False)
    assert (plain["id"], plain["status"], plain["usage"], plain["notes"]) == (
        run_id,
        "COMPLETED",
        "manifest",
        [],
    )
    assert plain["prices"] == {
        "source": "AWS Price List API",
        "as_of": "2026-07-01T00:00:00Z",
        "region": "us-east-1",
        "factor": 1.0,
    }
    assert omics.counts()["pricing:GetProducts"] == 1
    assert "ListRunTasks" not in omics.counts()
    assert (
        f"HealthOmics run {run_id} costs {COMPUTE + storage:.2f} USD: compute {COMPUTE:.2f}, storage "
        f"{storage:.2f}, scratch 0.00. Prices: us-east-1, AWS Price List API of 2026-07-01T00:00:00Z."
    ) in output()


def test_neither_parameters_nor_tags_are_in_it(omics: Any, output: Output) -> None:
    run_id = start(omics, parameters={"patient": "MARKER"}, tags={"patient": "MARKER"}, name="sample-7")
    plain = estimate(run_id, rightsize=True)
    assert plain["name"] == "sample-7"
    assert "MARKER" not in json.dumps(plain) + output()


def test_rightsizing_is_added_if_it_is_asked_for(omics: Any) -> None:
    run_id = start(omics)
    assert "rightsizing" not in estimate(run_id)
    found = estimate(run_id, rightsize=True, headroom=0)["rightsizing"]
    by_name = {row["name"]: row for row in found["by_name"]}
    assert (by_name["Align"]["tasks"], by_name["Align"]["would_do"]) == (2, "omics.m.large")
    assert by_name["Align"]["saving"] == pytest.approx(2 * (1.0368 - 0.1296), abs=1e-6)
    # 1.9 vCPUs of the two that were asked for, and a fifth more.
    wide = estimate(run_id, rightsize=True)["rightsizing"]
    assert (wide["by_name"][0]["would_do"], wide["headroom"]) == ("omics.c.xlarge", 0.2)


# -- where the usage comes from ------------------------------------------------------------------------------


def test_without_a_manifest_the_tasks_say_what_was_used(omics: Any) -> None:
    plain = estimate(start(omics, logs=False, **STATIC), rightsize=True)
    assert (plain["usage"], plain["complete"]) == ("tasks", True)
    assert plain["compute"] == pytest.approx(COMPUTE, abs=1e-6)
    assert plain["notes"] == [
        "There is no manifest of the run in CloudWatch Logs: logs were off, or were deleted."
    ]
    assert plain["rightsizing"]["note"].startswith("Only a run's manifest")


def test_a_run_that_goes_on_has_a_lower_bound(omics: Any, output: Output) -> None:
    run_id = start(omics, seconds=600 + 60 + 1924, **STATIC)
    plain = estimate(run_id)
    assert (plain["status"], plain["usage"], plain["lower_bound"]) == ("RUNNING", "tasks", True)
    # Half an hour of the two, less the two minutes in which they were started.
    assert plain["compute"] == pytest.approx(2 * 1.0368 * 1800 / 3600 + 0.11475 / 60, rel=0.01)
    assert plain["notes"] == [f"The run goes on: this is what it costs until {plain['as_of']}."]
    assert f"HealthOmics run {run_id} costs at least " in output()


def test_a_worker_whose_clock_is_ahead_counts_by_the_clock_of_the_service(omics: Any, clock: Clock) -> None:
    run_id = start(omics, seconds=4000, **STATIC)
    before = estimate(run_id)
    clock.ahead = 36_000
    assert estimate(run_id)["total"] == pytest.approx(before["total"], rel=0.01)


def test_dynamic_storage_is_only_known_once_the_run_has_ended(omics: Any) -> None:
    plain = estimate(start(omics, seconds=2000, storageType="DYNAMIC"))
    assert (plain["storage"], plain["complete"]) == (None, False)
    assert plain["notes"][-1] == "The total is not complete; it lacks Dynamic Run Storage."
    ended = estimate(start(omics, storageType="DYNAMIC"))
    assert (ended["storage_usage"]["gib"], ended["complete"]) == (12.5, True)


def test_short_dynamic_runs_say_that_nothing_was_measured(
    omics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_omics.emulator.other_services import manifest

    really = manifest._run
    nothing = {"storageAverageGiB": 0.0, "storageMaximumGiB": 0.0}
    monkeypatch.setattr(manifest, "_run", lambda *args: {**really(*args), "metrics": nothing})
    plain = estimate(start(omics, storageType="DYNAMIC"))
    assert (plain["storage"], plain["complete"]) == (0.0, True)
    assert plain["notes"] == [
        "HealthOmics measured no DYNAMIC storage, as for every short run; a bill may have a little."
    ]


def test_the_tasks_of_all_pages_count(omics: Any) -> None:
    tasks = tuple(Task(f"T-{number}-0", stages=HOUR[2:]) for number in range(250))
    life = Life("many", stages=LIFE.stages, tasks=tasks)
    plain = estimate(start(omics, life, **STATIC, logs=False))
    assert plain["compute"] == pytest.approx(250 * 0.11475, abs=1e-3)
    assert (len(plain["by_task"]), plain["other_tasks"]["tasks"]) == (100, 150)
    assert omics.counts()["ListRunTasks"] == 3


@pytest.mark.parametrize("log_tails", ["False", "perhaps"])
def test_a_deployment_that_reads_no_logs_reads_no_manifest(
    omics: Any, asked: Any, monkeypatch: pytest.MonkeyPatch, log_tails: str
) -> None:
    monkeypatch.setenv("AIRFLOW__OMICS__LOG_TAILS", log_tails)
    run_id = start(omics, **STATIC)
    plain = estimate(run_id)
    assert (plain["usage"], plain["complete"]) == ("tasks", True)
    assert plain["notes"] == ["The run's manifest was not read, since [omics] log_tails is False."]
    omics.vanish(run_id)
    with pytest.raises(OmicsRunNotFoundError):
        estimate(run_id)
    assert not {action for action in asked.actions if action.startswith("logs:")}


def test_a_manifest_that_cannot_be_read_is_a_note(omics: Any) -> None:
    omics.fault("GetLogEvents", "throttle")
    plain = estimate(start(omics, **STATIC))
    assert plain["usage"] == "tasks"
    [note] = plain["notes"]
    assert note.startswith("The run's manifest could not be read: GetLogEvents: ThrottlingException")


def test_a_manifest_that_does_not_come_in_time_is_a_note(omics: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_omics import diagnosis

    def never(seconds: float, work: Any, name: str) -> Any:
        raise TimeoutError(f"no end after {seconds:g} s")

    monkeypatch.setattr(diagnosis, "result_within", never)
    plain = estimate(start(omics, **STATIC))
    assert plain["notes"] == ["The run's manifest could not be read: TimeoutError: no end after 60 s"]


# -- a run that HealthOmics has forgotten --------------------------------------------------------------------


def test_a_forgotten_run_is_estimated_by_its_manifest(omics: Any) -> None:
    run_id = start(omics, **STATIC)
    before = estimate(run_id)
    omics.vanish(run_id)
    plain = estimate(run_id)
    assert plain["total"] == before["total"]
    assert (plain["uuid"], plain["status"]) == (before["uuid"], "COMPLETED")
    assert plain["notes"] == ["HealthOmics has forgotten the run; this is by its manifest."]


def test_a_run_whose_id_another_run_has_now_is_estimated_by_its_own_manifest(omics: Any) -> None:
    run_id = start(omics, **STATIC)
    ours = OmicsHook().get_run(run_id)
    omics.reuse_id(run_id, "completed")
    omics.advance(100_000)
    plain = estimate(dict(ours))
    assert (plain["uuid"], plain["usage"]) == (ours["uuid"], "manifest")
    assert plain["compute"] == pytest.approx(COMPUTE, abs=1e-6)


def test_of_several_forgotten_runs_of_one_id_the_newest_is_meant(omics: Any) -> None:
    run_id = start(omics, **STATIC)
    omics.reuse_id(run_id, "completed")
    omics.advance(100_000)
    second = OmicsHook().get_run(run_id)["uuid"]
    omics.vanish(run_id)
    plain = estimate(run_id)
    assert plain["uuid"] == second
    assert f"1 other run(s) had the id {run_id}; this is the newest of them." in plain["notes"]


def test_the_manifest_of_a_run_that_is_known_is_not_searched_for(omics: Any, asked: Any) -> None:
    estimate(start(omics))
    assert asked.actions == {"omics:GetRun", "logs:GetLogEvents", "pricing:GetProducts"}


def test_a_run_that_left_no_manifest_is_not_found(omics: Any, output: Output) -> None:
    run_id = start(omics, logs=False)
    ours = OmicsHook().get_run(run_id)
    omics.reuse_id(run_id, "running-forever")
    with pytest.raises(OmicsRunDeletedError, match="belongs to another run now"):
        estimate(dict(ours))
    assert "There is no manifest of the run" in output()
    with pytest.raises(OmicsRunNotFoundError):
        estimate("9999999")


def test_a_manifest_of_another_account_is_refused(omics: Any) -> None:
    run_id = start(omics)
    omics.vanish(run_id)
    with pytest.raises(OmicsRequestError, match="999999999999"):
        estimate(f"arn:aws:omics:us-east-1:999999999999:run/{run_id}")


# -- prices --------------------------------------------------------------------------------------------------


def test_a_file_of_prices_takes_the_place_of_the_pricing_api(
    omics: Any, price_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = start(omics, **STATIC)
    plain = estimate(run_id)
    assert plain["compute"] == pytest.approx(4.05)
    assert plain["storage"] == pytest.approx(1.2 * hours_of(run_id), abs=1e-6)
    assert (plain["prices"]["source"], plain["prices"]["as_of"]) == (str(price_file), "2026-07-01")
    monkeypatch.setenv("AIRFLOW__OMICS__PRICE_FACTOR", "0.5")
    half = estimate(run_id)
    assert (half["compute"], half["prices"]["factor"]) == (pytest.approx(2.025), 0.5)
    assert "pricing:GetProducts" not in omics.counts()


def test_a_discount_holds_for_the_pricing_api_as_well(
    omics: Any, monkeypatch: pytest.MonkeyPatch, output: Output
) -> None:
    monkeypatch.setenv("AIRFLOW__OMICS__PRICE_FACTOR", "0.5")
    assert estimate(start(omics))["compute"] == pytest.approx(COMPUTE / 2, abs=1e-6)
    assert "of 2026-07-01T00:00:00Z, times 0.5." in output()


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("PRICE_LIST", "/nope.json", "price_list is '/nope.json', which cannot be read"),
        ("PRICE_FACTOR", "-1", "price_factor is '-1'; it takes a number above 0"),
    ],
)
def test_prices_that_cannot_be_used_are_refused(
    omics: Any, monkeypatch: pytest.MonkeyPatch, option: str, value: str, words: str
) -> None:
    run_id = start(omics)
    monkeypatch.setenv(f"AIRFLOW__OMICS__{option}", value)
    with pytest.raises(OmicsRequestError, match=words) as caught:
        estimate(run_id)
    assert caught.value.run_id == run_id
    assert "pricing:GetProducts" not in omics.counts()


def test_a_region_that_the_file_lacks_is_refused(omics: Any, price_file: Path) -> None:
    run_id = start(omics, region_name="eu-west-1")
    with pytest.raises(OmicsRequestError, match="has no prices of eu-west-1; it has those of us-east-1"):
        estimate(run_id, region_name="eu-west-1")


def test_denied_prices_say_what_to_allow_and_what_does_without(omics: Any) -> None:
    run_id = start(omics)
    omics.fault("GetProducts", "access-denied")
    with pytest.raises(OmicsAccessError) as caught:
        estimate(run_id)
    assert str(caught.value).endswith(
        "Allow pricing:GetProducts to the caller. [omics] price_list takes a file of prices instead, which "
        "needs no call."
    )


def test_a_price_list_out_of_reach_is_tried_for_five_minutes(omics: Any, clock: Clock) -> None:
    run_id = start(omics)
    omics.fault("GetProducts", "internal-error")
    clock.start()
    with pytest.raises(OmicsError, match=r"\[omics\] price_list takes a file"):
        estimate(run_id)
    assert 300 <= clock.passed() <= 360


def test_a_price_list_that_is_throttled_once_is_asked_again(omics: Any) -> None:
    run_id = start(omics)
    omics.fault("GetProducts", "throttle", times=2)
    assert estimate(run_id)["complete"]


def test_the_prices_of_a_region_are_asked_for_once(omics: Any) -> None:
    for region in ("us-west-2", "us-west-2", "us-east-1"):
        plain = estimate(start(omics, region_name=region, **STATIC), region_name=region)
        assert (plain["prices"]["region"], plain["complete"]) == (region, True)
    assert omics.counts()["pricing:GetProducts"] == 2


def test_the_region_of_the_run_counts_and_not_that_of_the_connection(omics: Any) -> None:
    run_id = start(omics, region_name="eu-west-1")
    plain = estimate(f"arn:aws:omics:eu-west-1:123456789012:run/{run_id}")
    assert plain["prices"]["region"] == "eu-west-1"


def test_what_has_no_price_leaves_the_total_incomplete(omics: Any) -> None:
    gpu = Task("Fold", stages=HOUR[2:], gpus=1, instance_type="omics.g6e.48xlarge")
    plain = estimate(start(omics, Life("gpu", stages=LIFE.stages, tasks=(gpu,)), **STATIC))
    assert (plain["compute"], plain["complete"], plain["lower_bound"]) == (0.0, False, True)
    assert plain["unpriced"][0]["resource"] == "omics.g6e.48xlarge"
    assert plain["notes"] == ["The total is not complete; it lacks omics.g6e.48xlarge."]


def test_a_region_of_which_aws_publishes_nothing_has_no_price(
    omics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OmicsPricingHook, "offers", lambda self, region: ())
    plain = estimate(start(omics, **STATIC))
    assert (plain["total"], plain["complete"]) == (0.0, False)
    assert {item["resource"] for item in plain["unpriced"]} == {
        "omics.m.4xlarge",
        "omics.c.large",
        "Run Storage",
    }


class Pages:
    """Stands for the client of AWS Price List."""

    def __init__(self, *pages: Any) -> None:
        self.pages, self.requests = pages, []
        self.meta = type("Meta", (), {"endpoint_url": "https://api.pricing.us-east-1.amazonaws.com"})

    def get_products(self, **request: Any) -> Any:
        self.requests.append(request)
        return self.pages[len(self.requests) - 1]


def test_all_pages_of_the_price_list_are_read(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(region_name="us-east-1")
    pages = Pages(
        {"PriceList": ['{"a": 1}'], "NextToken": "x"},
        {"PriceList": [{"b": 2}], "NextToken": "y"},
        {"PriceList": [], "NextToken": "y"},
    )
    monkeypatch.setattr(OmicsPricingHook, "get_client_type", lambda self, **arguments: pages)
    assert OmicsPricingHook().offers("us-west-2") == ({"a": 1}, {"b": 2})
    assert [request.get("NextToken") for request in pages.requests] == [None, "x", "y"]
    assert pages.requests[0]["ServiceCode"] == "AmazonOmics"
    assert pages.requests[0]["Filters"] == [
        {"Type": "TERM_MATCH", "Field": "regionCode", "Value": "us-west-2"},
        {"Type": "TERM_MATCH", "Field": "workflowType", "Value": "Private"},
    ]


@pytest.mark.parametrize("page", [{}, {"PriceList": ["<html>"]}, {"PriceList": ["[]"]}])
def test_an_answer_that_is_no_price_list_is_a_transient_error(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, page: Any
) -> None:
    from airflow_omics.hooks import UnusableAnswerError

    connect(region_name="us-east-1")
    monkeypatch.setattr(OmicsPricingHook, "get_client_type", lambda self, **arguments: Pages(page))
    with pytest.raises(UnusableAnswerError, match="GetProducts answered with"):
        OmicsPricingHook().offers("us-west-2")


@pytest.mark.parametrize(
    ("region", "asked"),
    [
        ("us-west-2", "us-east-1"),
        ("ca-central-1", "us-east-1"),
        ("eu-west-2", "eu-central-1"),
        ("il-central-1", "eu-central-1"),
        ("ap-southeast-1", "ap-south-1"),
        ("cn-north-1", "cn-northwest-1"),
    ],
)
def test_the_next_endpoint_of_the_partition_is_asked(region: str, asked: str, connect: Connect) -> None:
    connect(region_name=region, login="AKIAEXAMPLE", password="a key of nobody")
    assert price_region(region) == asked
    hook = OmicsPricingHook.beside(OmicsHook(region_name=region))
    url = hook.get_client_type(region_name=price_region(region)).meta.endpoint_url
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    assert url == f"https://api.pricing.{asked}.{domain}"


# -- arguments -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-0.1, 11, "0.2", None, True, float("nan"), float("inf")], ids=repr)
def test_headroom_is_a_share(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^headroom is .*; it takes a share of what was used from 0 to 10"):
        OmicsEstimateRunCostOperator(task_id="cost", run_id="1234567", headroom=value)


@pytest.mark.parametrize("operation", ["GetRun", "ListRunTasks"])
def test_transient_errors_are_retried(omics: Any, operation: str) -> None:
    run_id = start(omics, logs=False, **STATIC)
    omics.fault(operation, "throttle", times=3)
    assert estimate(run_id)["complete"]


def test_a_page_that_could_not_be_had_is_asked_for_again_and_no_other(
    omics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = tuple(Task(f"T-{number}-0", stages=HOUR[2:]) for number in range(250))
    run_id = start(omics, Life("many", stages=LIFE.stages, tasks=tasks), **STATIC, logs=False)
    really, pages = Listing.next_page, []

    def struck_once(listing: Listing) -> Any:
        pages.append(listing)
        if len(pages) == 2:
            raise ConnectionResetError("in the middle of the second page")
        return really(listing)

    monkeypatch.setattr(Listing, "next_page", struck_once)
    assert estimate(run_id)["by_instance_type"]["omics.c.large"]["tasks"] == 250
    assert (len(pages), omics.counts()["ListRunTasks"]) == (4, 3)
