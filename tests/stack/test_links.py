"""Extra links, as Airflow's UI gets them: while a gate is deferred, and however it ends."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_omics.emulator import EmulatorClient
from scripts.stack import Stack
from tests.support.pages import page_links
from tests.support.pipeline import Pipeline


def links_of(run_id: str) -> dict[str, Any]:
    streams = (
        "https://console.aws.amazon.com/cloudwatch/home?region=us-east-1"
        "#logsV2:log-groups/log-group/%2Faws%2Fomics%2FWorkflowLog/log-events/run%2F"
    )
    return {
        "HealthOmics run": f"https://console.aws.amazon.com/omics/home?region=us-east-1#/runs/{run_id}",
        "HealthOmics run log": f"{streams}{run_id}",
        "HealthOmics engine log": f"{streams}{run_id}%2Fengine",
    }


def pages_of(pipeline: Pipeline, map_index: int = -1) -> dict[str, Any]:
    return page_links(pipeline.dag_id, pipeline.dag_run_id, "gate", map_index)


def until_linked(pipeline: Pipeline, task: str) -> dict[str, Any]:
    """A worker stores the links one by one, just after Airflow knows that the task is deferred."""
    pipeline.stack.wait_for("the links", lambda: all(pipeline.links(task).values()), 30)
    return pipeline.links(task)


@pytest.mark.parametrize(
    ("dag_id", "status", "state"),
    [("gate_and_use_record", "COMPLETED", "success"), ("gate_allowed_to_fail", "FAILED", "failed")],
)
def test_a_gate_has_its_links_while_it_is_deferred_and_after_it(
    stack: Stack, omics: EmulatorClient, dag_id: str, status: str, state: str
) -> None:
    [run_id] = omics.start_runs(1, life="running-forever")
    pipeline = Pipeline(stack, dag_id, {"omics_run_id": run_id})
    pipeline.until_deferred()
    assert until_linked(pipeline, "gate") == links_of(run_id) | pages_of(pipeline)
    assert pipeline.states()["gate"] == "deferred"
    omics.move(run_id, status)
    assert pipeline.until_ended()["gate"] == state
    assert pipeline.links("gate") == links_of(run_id) | pages_of(pipeline)


def test_each_mapped_gate_has_the_links_of_its_own_run(stack: Stack, omics: EmulatorClient) -> None:
    run_ids = omics.start_runs(2, life="running-forever")
    pipeline = Pipeline(stack, "many_runs_mapped", {"omics_run_ids": run_ids})
    pipeline.until_deferred(2)
    for index, run_id in enumerate(run_ids):
        assert until_linked(pipeline, f"gate[{index}]") == links_of(run_id) | pages_of(pipeline, index)
        omics.move(run_id, "COMPLETED")
    pipeline.until_ended()
    for index, run_id in enumerate(run_ids):
        assert pipeline.links(f"gate[{index}]") == links_of(run_id) | pages_of(pipeline, index)


def test_a_gate_that_has_not_seen_its_run_has_links_to_its_pages_alone(stack: Stack) -> None:
    pipeline = Pipeline(stack, "gate_and_use_record", {"omics_run_id": "9999999"})
    pipeline.until_deferred()
    assert pipeline.links("gate") == dict.fromkeys(links_of("9999999")) | pages_of(pipeline)
