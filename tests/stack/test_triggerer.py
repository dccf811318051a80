"""Deferred gates on a real scheduler and triggerer, against the emulator over HTTP.

One Airflow serves every test here; it is asked through its REST API, as a user's browser would.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_omics.emulator import EmulatorClient
from scripts.stack import Stack, running

MARKER = "patient-4711-of-ward-9"
# Processes that a test started belong to one worker of pytest-xdist.
pytestmark = pytest.mark.xdist_group("stack")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    settings = {
        "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True",
        # A run that ended badly must fail its gate without one of these.
        "AIRFLOW__CORE__DEFAULT_TASK_RETRIES": "3",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
    }
    with running(Stack(pace=1, poke_interval=1, settings=settings)) as stack:
        yield stack


@pytest.fixture(scope="module")
def omics(stack: Stack) -> EmulatorClient:
    return EmulatorClient(stack.endpoint_url)


class Pipeline:
    """One DAG run, seen through the REST API."""

    def __init__(self, stack: Stack, dag_id: str, conf: dict[str, Any]) -> None:
        self.stack = stack
        dag_run = stack.post(f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf})
        self.path = f"/api/v2/dags/{dag_id}/dagRuns/{urllib.parse.quote(dag_run['dag_run_id'])}"

    def tasks(self) -> list[dict[str, Any]]:
        tasks: list[dict[str, Any]] = self.stack.get(f"{self.path}/taskInstances")["task_instances"]
        return tasks

    def states(self) -> dict[str, Any]:
        return {task["task_id"]: task["state"] for task in self.tasks()}

    def until_deferred(self, count: int = 1) -> None:
        def deferred() -> bool:
            return sum(task["state"] == "deferred" for task in self.tasks()) == count

        self.stack.wait_for("a deferred gate", deferred, 120)

    def until_ended(self) -> dict[str, Any]:
        def ended() -> bool:
            return self.stack.get(self.path)["state"] in ("success", "failed")

        self.stack.wait_for("the end of the DAG run", ended, 120)
        return self.states()

    def xcom(self, task_id: str) -> Any:
        entry = f"{self.path}/taskInstances/{task_id}/xcomEntries/return_value?deserialize=false"
        value = self.stack.get(entry)["value"]
        return json.loads(value) if isinstance(value, str) and value[:1] in ('"', "{") else value

    def log(self, task_id: str, try_number: int = 1) -> str:
        return json.dumps(self.stack.get(f"{self.path}/taskInstances/{task_id}/logs/{try_number}"))


def start(omics: EmulatorClient) -> str:
    [run_id] = omics.start_runs(1, life="pending-forever", parameters={"sample": MARKER})
    return run_id


def test_a_deferred_gate_hands_its_record_on_as_a_dict(stack: Stack, omics: EmulatorClient) -> None:
    run_id = start(omics)
    pipeline = Pipeline(stack, "gate_and_use_record", {"omics_run_id": run_id})
    pipeline.until_deferred()
    omics.move(run_id, "RUNNING")
    stack.wait_for("the triggerer's line", lambda: "is RUNNING, was PENDING" in pipeline.log("gate"), 60)
    omics.move(run_id, "COMPLETED")
    assert pipeline.until_ended() == {"gate": "success", "find_outputs": "success"}
    record = pipeline.xcom("gate")
    assert record["id"] == run_id
    assert record["status"] == "COMPLETED"
    assert pipeline.xcom("find_outputs") == f"{record['runOutputUri']}/out"


def test_a_run_that_fails_fails_its_deferred_gate_at_once(stack: Stack, omics: EmulatorClient) -> None:
    run_id = start(omics)
    pipeline = Pipeline(stack, "gate_allowed_to_fail", {"omics_run_id": run_id})
    pipeline.until_deferred()
    omics.move(run_id, "FAILED", "OUT_OF_MEMORY_ERROR", "A task ran out of memory.")
    assert pipeline.until_ended() == {"gate": "failed", "report": "success"}
    gate = next(task for task in pipeline.tasks() if task["task_id"] == "gate")
    # Seen on Python 3.13: a second try, for a reason not established. Whatever ended a try before, the run's
    # failure itself is raised once, and Airflow leaves it at that although tries were left.
    logs = [pipeline.log("gate", number) for number in range(1, gate["try_number"] + 1)]
    assert ["OmicsRunFailedError" in log for log in logs] == [False] * (len(logs) - 1) + [True], logs
    assert gate["try_number"] <= gate["max_tries"]
    assert pipeline.xcom("gate")["failureReason"] == "OUT_OF_MEMORY_ERROR"
    assert pipeline.xcom("report") == f"{run_id} FAILED OUT_OF_MEMORY_ERROR"
    assert "A task ran out of memory." in pipeline.log("gate")


def test_mapped_gates_each_wait_for_their_own_run(stack: Stack, omics: EmulatorClient) -> None:
    run_ids = [start(omics) for _ in range(5)]
    pipeline = Pipeline(stack, "many_runs_mapped", {"omics_run_ids": run_ids})
    pipeline.until_deferred(5)
    for run_id in run_ids:
        omics.move(run_id, "COMPLETED")
    assert set(pipeline.until_ended().values()) == {"success"}
    assert list(pipeline.xcom("collect")) == run_ids


def test_no_log_of_a_task_or_of_airflow_holds_the_parameters(stack: Stack, omics: EmulatorClient) -> None:
    run_id = start(omics)
    pipeline = Pipeline(stack, "gate_and_use_record", {"omics_run_id": run_id})
    pipeline.until_deferred()
    omics.move(run_id, "COMPLETED")
    pipeline.until_ended()
    assert pipeline.xcom("gate")["parameters"] == {"sample": MARKER}
    written = [path for path in stack.folder.rglob("*.log") if path.name != "emulator.log"]
    assert any("task_id=gate" in str(path) for path in written)
    assert [path for path in written if MARKER in path.read_text(errors="replace")] == []
