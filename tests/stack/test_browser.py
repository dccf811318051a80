"""What a person sees in Airflow's UI of a gate that waits, one that has let through and one that has not.

The pictures of the README are taken on the way: into a temporary folder, or, as ``make screenshots`` does,
into the one that the environment variable ``SCREENSHOTS`` names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import expect

from airflow_omics.emulator import LIVES, EmulatorClient
from scripts.stack import Stack
from tests.support.browser import Browser, window
from tests.support.pipeline import Pipeline

RUN_PAGE = "https://console.aws.amazon.com/omics/home?region=us-east-1#/runs/"
LOG_PAGE = (
    "https://console.aws.amazon.com/cloudwatch/home?region=us-east-1"
    "#logsV2:log-groups/log-group/%2Faws%2Fomics%2FWorkflowLog/log-events/run%2F"
)
LIBRARY = LIVES["failed-out-of-memory-error"]
# The library's life, in which the task that fails has printed what such a task prints.
OUT_OF_MEMORY = replace(
    LIBRARY,
    name="out-of-memory-in-a-task",
    tasks=(
        LIBRARY.tasks[0],
        replace(
            LIBRARY.tasks[1],
            log_lines=(
                "HaplotypeCaller - Using the AVX-accelerated native PairHMM implementation",
                "ProgressMeter - chr6:29942470   1.0 min   48210 regions",
                "Killed",
            ),
        ),
    ),
)


@pytest.fixture(scope="module")
def browser(stack: Stack) -> Iterator[Browser]:
    with window(stack) as browser:
        browser.log_in()
        yield browser


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    asked_for = os.environ.get("SCREENSHOTS")
    return Path(asked_for) if asked_for else tmp_path_factory.mktemp("screenshots")


@pytest.fixture
def run_id(omics: EmulatorClient) -> str:
    [run_id] = omics.start_runs(
        1,
        life="pending-forever",
        name="NA12878 germline",
        outputUri="s3://cohort-results/germline",
        parameters={"sample": "NA12878"},
    )
    return run_id


def deferred(stack: Stack, omics: EmulatorClient, dag_id: str, run_id: str, name: str) -> Pipeline:
    """Return a DAG run whose gate has been deferred and has seen its run in RUNNING since."""
    pipeline = Pipeline(stack, dag_id, {"omics_run_id": run_id}, name)
    pipeline.until_deferred()
    omics.move(run_id, "RUNNING")
    stack.wait_for("the triggerer's line", lambda: "is RUNNING, was PENDING" in pipeline.log("gate"), 60)
    return pipeline


def links_of(run_id: str) -> dict[str, str]:
    return {
        "HealthOmics run": f"{RUN_PAGE}{run_id}",
        "HealthOmics run log": f"{LOG_PAGE}{run_id}",
        "HealthOmics engine log": f"{LOG_PAGE}{run_id}%2Fengine",
    }


def test_a_gate_that_waits_shows_how_far_its_run_is_and_where_to_look_at_it(
    stack: Stack, omics: EmulatorClient, browser: Browser, run_id: str, pictures: Path
) -> None:
    pipeline = deferred(stack, omics, "gate_and_use_record", run_id, "NA12878-waiting")
    browser.open_gate(pipeline.dag_id, pipeline.dag_run_id)
    expect(browser.state()).to_have_text("Deferred")
    expect(browser.page.get_by_text(f"HealthOmics run {run_id} is RUNNING, was PENDING")).to_be_visible()
    browser.open_tab("Details")
    assert browser.links() == links_of(run_id)
    for label, url in links_of(run_id).items():
        assert browser.follow(label) == url
    trigger = browser.page.get_by_role("cell", name="airflow_omics.triggers.OmicsRunTrigger")
    expect(trigger).to_be_visible()
    browser.photograph(pictures / "gate-deferred.png", height=495)


def test_a_gate_that_succeeded_shows_the_record(
    stack: Stack, omics: EmulatorClient, browser: Browser, run_id: str, pictures: Path
) -> None:
    pipeline = deferred(stack, omics, "gate_and_use_record", run_id, "NA12878")
    omics.move(run_id, "COMPLETED")
    pipeline.until_ended()
    browser.open_gate(pipeline.dag_id, pipeline.dag_run_id)
    expect(browser.state()).to_have_text("Success")
    browser.open_tab("Details")
    assert browser.links() == links_of(run_id)
    assert browser.follow("HealthOmics run") == links_of(run_id)["HealthOmics run"]
    browser.open_xcom("return_value")
    expect(browser.page.get_by_text('"NA12878 germline"')).to_be_visible()
    expect(browser.page.get_by_text('"COMPLETED"')).to_be_visible()
    browser.photograph(pictures / "gate-succeeded.png", height=735)


@pytest.fixture
def failing_run(omics: EmulatorClient) -> Iterator[str]:
    """A run that is started, and runs out of memory in a task some twenty minutes of its clock later."""
    omics.add_life(OUT_OF_MEMORY)
    [run_id] = omics.start_runs(1, life=OUT_OF_MEMORY.name, logs=True, name="NA12878 germline")
    yield run_id
    omics.set_pace(1)


def test_a_gate_that_failed_says_which_task_of_the_run_failed_and_why(
    stack: Stack, omics: EmulatorClient, browser: Browser, failing_run: str, pictures: Path
) -> None:
    pipeline = Pipeline(stack, "gate_allowed_to_fail", {"omics_run_id": failing_run}, "NA12878")
    pipeline.until_deferred()
    omics.advance(1_300)
    pipeline.until_ended()
    browser.open_gate(pipeline.dag_id, pipeline.dag_run_id)
    expect(browser.state()).to_have_text("Failed")
    browser.wrap_log()
    error = browser.page.get_by_text(f"OmicsRunFailedError: HealthOmics run {failing_run}")
    expect(error).to_contain_text("OUT_OF_MEMORY_ERROR")
    expect(error).to_contain_text("What it means: A task used more memory than it had asked for.")
    expect(error).to_contain_text("Who can act: the pipeline's author.")
    expect(error).to_contain_text("Tasks: 1 failed, 1 completed.")
    expect(error).to_contain_text("Failed task 1: CallVariants")
    expect(error).to_contain_text("exit code: 137, killed, usually out of memory")
    expect(browser.page.get_by_text("| Killed", exact=True)).to_be_visible()
    error.click()  # folds the traceback
    browser.scroll_to("Failed task 1: CallVariants")
    browser.photograph(pictures / "gate-failed.png", height=872)
    browser.open_tab("Details")
    assert browser.links() == links_of(failing_run)
    assert browser.follow("HealthOmics engine log") == links_of(failing_run)["HealthOmics engine log"]
