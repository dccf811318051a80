"""The model of Airflow in tests/simulation against the real one: the same histories, with the same result.

All of them are played at the same time on one Airflow. Durations differ from those of the simulation; what
has become of the task and of its runs may not.
"""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.config import Config

from airflow_omics.emulator import EmulatorClient
from scripts.stack import Stack, running
from tests.simulation.seeded.plans import accident, gate, plan_of, start
from tests.simulation.seeded.play import TaskSummary, play
from tests.support.pipeline import Pipeline
from tests.support.started import cancelled, kill_worker, until, until_watched


class History(NamedTuple):
    """What happens to one task, and what becomes of it.

    :param dag_id: the DAG of the task on the real Airflow.
    :param plan: the task and its accident in the simulation.
    """

    dag_id: str
    plan: list[dict[str, Any]]
    result: TaskSummary


HISTORIES = {
    "gate whose triggerer is killed": History(
        "gate_deferred",
        [gate(retries=3), accident("triggerer-killed")],
        TaskSummary("success", 1, 3, None, 0, ("COMPLETED",), 0, "COMPLETED"),
    ),
    "gate whose run fails": History(
        "gate_deferred",
        [gate(retries=3, end="FAILED")],
        TaskSummary("failed", 1, 3, "OmicsRunFailedError", 0, ("FAILED",), 0, "FAILED"),
    ),
    "deferred start that is marked failed": History(
        "start_deferred",
        [start(retries=3), accident("mark-failed", pick=1)],
        TaskSummary("failed", 1, 3, None, 1, ("CANCELLED",), 1, None),
    ),
    "deferred start that is cleared": History(
        "start_deferred",
        [start(retries=3), accident("clear")],
        TaskSummary("success", 2, 4, None, 2, ("CANCELLED", "COMPLETED"), 1, "COMPLETED"),
    ),
    "deferred start whose runs fail": History(
        "start_deferred_once_more",
        [start(retries=1, end="FAILED")],
        TaskSummary("failed", 2, 1, "OmicsRunFailedError", 2, ("FAILED", "FAILED"), 0, "FAILED"),
    ),
    "start whose process is killed": History(
        "start_in_worker",
        [start(retries=3, mode="poke"), accident("worker-dies", alone=True)],
        TaskSummary("success", 2, 3, None, 1, ("COMPLETED",), 0, "COMPLETED"),
    ),
    "start that is cleared while it runs": History(
        "start_in_worker",
        [start(retries=3, mode="poke"), accident("clear")],
        TaskSummary("success", 2, 4, None, 2, ("CANCELLED", "COMPLETED"), 1, "COMPLETED"),
    ),
}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    settings = {
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "5",
    }
    folder = Path(__file__).with_name("dags")
    with running(
        Stack(pace=1, poke_interval=1, settings=settings, database="postgresql", dags_folder=folder)
    ) as stack:
        yield stack


class Played(NamedTuple):
    """A history under way on the real Airflow."""

    pipeline: Pipeline
    task: str
    omics: EmulatorClient
    service: Any
    gate_run: str

    def started(self) -> list[str]:
        """Return the runs that StartRun made for this task, the oldest first."""
        made = dict.fromkeys(request["run_id"] for request in self.omics.requests("StartRun"))
        return [run_id for run_id in made if run_id and self._is_mine(self._run(run_id))]

    def finish(self, number: int, status: str) -> None:
        """Wait for the run of a number, and let it end."""
        runs = self.pipeline.stack.wait_for("a run", lambda: self.started()[number - 1 :] or None, 60)
        self.omics.move(runs[0], status, *(["SERVICE_ERROR"] if status == "FAILED" else []))

    def clear(self) -> None:
        """Clear the task."""
        body = {
            "dry_run": False,
            "dag_run_id": self.pipeline.dag_run_id,
            "only_failed": False,
            "reset_dag_runs": True,
        }
        self.pipeline.stack.post(f"/api/v2/dags/{self.pipeline.dag_id}/clearTaskInstances", body)

    def result(self) -> TaskSummary:
        """Return what has become of the task, once all is over."""
        task, own = self.pipeline.task(self.task), self.started()
        runs = own or [self.gate_run]
        return TaskSummary(
            state=task["state"],
            tries=task["try_number"],
            max_tries=task["max_tries"],
            error=self._error(task["try_number"]),
            started=len(own),
            runs=tuple(self._run(run_id)["status"] for run_id in runs),
            cancelled=len(set(runs) & set(cancelled(self.omics))),
            record=self._record(runs[-1]),
        )

    def _run(self, run_id: str) -> dict[str, Any]:
        run: dict[str, Any] = self.service.get_run(id=run_id)
        return run

    def _is_mine(self, run: dict[str, Any]) -> bool:
        return run["tags"]["airflow:run_id"] == self.pipeline.dag_run_id

    def _error(self, try_number: int) -> str | None:
        lines = json.loads(self.pipeline.log(self.task, try_number))["content"]
        failures = [line for line in lines if line["event"] == "Task failed with exception"]
        return failures[-1]["error_detail"][0]["exc_type"] if failures else None

    def _record(self, run_id: str) -> str | None:
        try:
            record = self.pipeline.xcom(self.task)
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return None
        return record["status"] if record["id"] == run_id else "of another run"


@pytest.fixture(scope="module")
def real(stack: Stack) -> dict[str, TaskSummary]:
    """Play every history on the real Airflow."""
    omics = EmulatorClient(stack.endpoint_url)
    omics.default_life = "pending-forever"
    service = boto3.client(
        "omics",
        endpoint_url=stack.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="testing",
        config=Config(inject_host_prefix=False),
    )
    histories = {}
    for name, history in HISTORIES.items():
        task = history.dag_id.partition("_")[0]
        run_id = omics.start_runs(1)[0] if task == "gate" else ""
        pipeline = Pipeline(stack, history.dag_id, {"omics_run_id": run_id}, name.replace(" ", "-"))
        histories[name] = Played(pipeline, task, omics, service, run_id)

    survivor = histories["gate whose triggerer is killed"]
    failing = histories["gate whose run fails"]
    marked = histories["deferred start that is marked failed"]
    cleared = histories["deferred start that is cleared"]
    retried = histories["deferred start whose runs fail"]
    killed = histories["start whose process is killed"]
    restarted = histories["start that is cleared while it runs"]
    for history in (survivor, failing, marked, cleared, retried):
        until_watched(stack, history.pipeline, history.task)
    for history in (killed, restarted):
        until(stack, "a look at the run", lambda h=history: "is PENDING" in h.pipeline.log("start"))

    omics.move(failing.gate_run, "FAILED", "SERVICE_ERROR")
    stack.patch(f"{marked.pipeline.path}/taskInstances/start", {"new_state": "failed"})
    cleared.clear()
    restarted.clear()
    retried.finish(1, "FAILED")
    kill_worker(stack, killed.pipeline)

    for history in (marked, cleared, restarted):
        until(stack, "a cancellation", lambda h=history: set(h.started()) & set(cancelled(omics)))
    until(stack, "another try", lambda: killed.pipeline.task("start")["try_number"] == 2)
    until(stack, "a look at the run", lambda: "is PENDING" in killed.pipeline.log("start", 2))
    killed.finish(1, "COMPLETED")
    retried.finish(2, "FAILED")
    for history in (cleared, restarted):
        history.finish(2, "COMPLETED")
    for history in (failing, marked, cleared, retried, killed, restarted):
        history.pipeline.until_ended()

    stack.kill("triggerer")
    omics.move(survivor.gate_run, "COMPLETED")
    stack.restart("triggerer")
    survivor.pipeline.until_ended()
    omics.advance(3600)  # a run that was cancelled has stopped by then
    return {name: history.result() for name, history in histories.items()}


@pytest.mark.parametrize("name", HISTORIES)
def test_the_simulation_gives_the_result(name: str) -> None:
    outcome = play(plan_of(*HISTORIES[name].plan))
    assert outcome.broken is None
    assert list(outcome.tasks.values()) == [HISTORIES[name].result]


@pytest.mark.parametrize("name", HISTORIES)
def test_the_real_airflow_gives_the_same(real: dict[str, TaskSummary], name: str) -> None:
    assert real[name] == HISTORIES[name].result
