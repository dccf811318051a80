"""Steering operators on Airflow's own task runner, and the extra links that a webserver then finds."""

from __future__ import annotations

import json
import threading
from urllib.parse import unquote

import pytest

from airflow_omics.emulator import Emulator
from tests.support.dag_test.process import CASE_DAGS, FOREVER, AirflowProcess
from tests.support.pages import page_links

STEERING, GATES = CASE_DAGS / "steering.py", CASE_DAGS / "gates.py"


def links_of(run_id: str) -> dict[str, str]:
    streams = (
        "https://console.aws.amazon.com/cloudwatch/home?region=us-east-1"
        "#logsV2:log-groups/log-group/%2Faws%2Fomics%2FWorkflowLog/log-events/run%2F"
    )
    return {
        "HealthOmics run": f"https://console.aws.amazon.com/omics/home?region=us-east-1#/runs/{run_id}",
        "HealthOmics run log": f"{streams}{run_id}",
        "HealthOmics engine log": f"{streams}{run_id}%2Fengine",
    }


def split(links: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the links that a worker stored, and those to pages."""
    pages = {name: url for name, url in links.items() if url.startswith("healthomics/")}
    return {name: url for name, url in links.items() if name not in pages}, pages


def dag_run_of(pages: dict[str, str]) -> str:
    return unquote(pages.get("HealthOmics cohort", "").rpartition("/")[2])


def test_a_run_is_read_cancelled_listed_and_deleted(airflow: AirflowProcess, emulator: Emulator) -> None:
    [run_id] = emulator.start_runs(1, "completed", parameters={"sample": "PATIENT-4711"})
    emulator.advance(900)

    def stop_the_run() -> None:
        emulator.wait_for("CancelRun", 1, timeout=60)
        emulator.advance(FOREVER)

    service = threading.Thread(target=stop_the_run)
    service.start()
    report = airflow.run(STEERING, {"omics_run_id": run_id}, dag_id="steering")
    service.join()
    assert set(report.states.values()) == {"success"}
    assert (report.results["cancel"]["id"], report.results["cancel"]["status"]) == (run_id, "CANCELLED")
    assert [task["status"] for task in report.results["tasks"]] == ["CANCELLED"]
    assert "delete" not in report.results
    assert emulator.counts()["CancelRun"] == emulator.counts()["DeleteRun"] == 1
    assert "PATIENT-4711" not in json.dumps(report.rendered_fields)
    assert airflow.links(STEERING, "steering") == dict.fromkeys(report.states, links_of(run_id))


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferrable"])
@pytest.mark.parametrize("life", ["completed", "failed-run-task-failed"])
def test_a_gate_that_has_ended_has_its_links(
    airflow: AirflowProcess, emulator: Emulator, mode: str, life: str
) -> None:
    [run_id] = emulator.start_runs(1, life)

    def end_the_run_after_the_first_look() -> None:
        emulator.wait_for("GetRun", 1, timeout=60)
        emulator.advance(FOREVER)

    service = threading.Thread(target=end_the_run_after_the_first_look)
    service.start()
    airflow.run(GATES, {"omics_run_id": run_id}, dag_id=f"gate_{mode}_narrow")
    service.join()
    own, pages = split(airflow.links(GATES, f"gate_{mode}_narrow")["gate"])
    assert own == links_of(run_id)
    assert pages == page_links(f"gate_{mode}_narrow", dag_run_of(pages), "gate")


def test_each_mapped_gate_has_the_links_of_its_own_run(airflow: AirflowProcess, emulator: Emulator) -> None:
    first, second = emulator.start_runs(2, "completed")
    emulator.advance(FOREVER)
    airflow.run(STEERING, {"first": first, "second": second}, dag_id="mapped_links")
    found = airflow.links(STEERING, "mapped_links")
    assert {name: split(links)[0] for name, links in found.items()} == {
        "gate[0]": links_of(first),
        "gate[1]": links_of(second),
    }
    for index in (0, 1):
        _, pages = split(found[f"gate[{index}]"])
        assert pages == page_links("mapped_links", dag_run_of(pages), "gate", index)
