"""Gates that begin or end in the triggerer, on a real scheduler and triggerer, against the emulator.

Airflow is asked through its REST API, as a user's browser would. A worker that has run a task leaves its
process id in the task instance.
"""

from __future__ import annotations

import datetime
import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from airflow.triggers.base import BaseTrigger

from airflow_omics.emulator import EmulatorClient
from scripts.stack import Stack, running
from tests.support.pipeline import Pipeline

MARKER = "patient-4711-of-ward-9"
A_DAY = "2026-01-02"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    settings = {
        # A run that ended badly must fail its gate without one of these.
        "AIRFLOW__CORE__DEFAULT_TASK_RETRIES": "3",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
        # Seconds after which another triggerer takes over what a dead one has left.
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
    }
    folder = Path(__file__).parent / "dags"
    with running(
        Stack(pace=1, poke_interval=1, settings=settings, database="postgresql", dags_folder=folder)
    ) as stack:
        yield stack


@pytest.fixture(scope="module")
def omics(stack: Stack) -> EmulatorClient:
    return EmulatorClient(stack.endpoint_url)


class Gated(Pipeline):
    """A DAG run whose task ``gate`` waits for one run, and hands its record to the task ``describe``."""

    def __init__(self, stack: Stack, dag_id: str, conf: dict[str, Any]) -> None:
        self.stack, self.dag_id = stack, dag_id
        day = f"{A_DAY}T00:00:00Z" if dag_id == "by_date" else None
        dag_run = stack.post(f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": day, "conf": conf})
        self.dag_run_id = dag_run["dag_run_id"]
        self.path = f"/api/v2/dags/{dag_id}/dagRuns/{urllib.parse.quote(self.dag_run_id)}"

    def gate(self) -> dict[str, Any]:
        return next(task for task in self.tasks() if task["task_id"] == "gate")


def start(omics: EmulatorClient) -> str:
    [run_id] = omics.start_runs(1, life="pending-forever", parameters={"sample": MARKER})
    return run_id


class Row(NamedTuple):
    """What becomes of a gate.

    :param status: the status in which its run ends, or None for a run that does not.
    :param workers: at which of the task's ends a worker was.
    :param state: the task's state.
    :param handed: what the task downstream says that it was handed.
    """

    status: str | None
    workers: str
    state: str
    handed: str


DONE = Row("COMPLETED", "none", "success", "a dict COMPLETED")
GATES = {
    # The first, since it is over soon, and must be seen deferred before.
    "times_out": Row(None, "end", "failed", "a dict PENDING"),
    "both": DONE,
    "by_params": DONE,
    "by_variable": DONE,
    "by_date": DONE,
    "by_record": DONE,
    "narrow": DONE,
    "pushing_nothing": Row("COMPLETED", "none", "success", "nothing"),
    "skipping": Row("CANCELLED", "none", "skipped", "a dict CANCELLED"),
    "start_only": Row("COMPLETED", "end", "success", "a dict COMPLETED"),
    "end_only": Row("COMPLETED", "begin", "success", "a dict COMPLETED"),
    "failing": Row("FAILED", "end", "failed", "a dict FAILED"),
    "failing_softly": Row("FAILED", "end", "skipped", "a dict FAILED"),
    "by_upstream": Row("COMPLETED", "begin", "success", "a dict COMPLETED"),
    "by_upstream_in_a_template": Row("COMPLETED", "begin", "success", "a dict COMPLETED"),
    "with_outlets": Row("COMPLETED", "begin and end", "success", "a dict COMPLETED"),
}
# Before Airflow 3.3 a worker begins every one of them.
AFTER_A_WORKER = {"none": "begin", "end": "begin and end"}
CAN_BEGIN = hasattr(BaseTrigger, "render_template_fields")


class Gates(NamedTuple):
    """All gates, over."""

    pipelines: dict[str, Gated]
    run_ids: dict[str, str]
    workers: dict[str, str]


@pytest.fixture(scope="module")
def gates(stack: Stack, omics: EmulatorClient) -> Gates:
    """One run and one gate for each row, all of them at once, until they are over."""
    run_ids = {name: start(omics) for name in GATES}
    stack.post("/api/v2/variables", {"key": "omics_run_id", "value": run_ids["by_variable"]})
    stack.post("/api/v2/variables", {"key": "place", "value": '{"region": "us-east-1"}'})
    pipelines = {}
    for name, run_id in run_ids.items():
        conf: dict[str, Any] = {"omics_run_id": run_id, A_DAY: run_id}
        if name == "by_upstream_in_a_template":
            conf["omics_run_id"] = {"id": run_id}
        pipelines[name] = Gated(stack, name, conf)
    begun_by = {}
    for name, pipeline in pipelines.items():
        pipeline.until_deferred()
        begun_by[name] = pipeline.gate()["pid"]
    for name, row in GATES.items():
        if row.status:
            omics.move(run_ids[name], row.status)
    workers = {}
    for name, pipeline in pipelines.items():
        pipeline.until_ended(180)
        ended_by = pipeline.gate()["pid"]
        ends = ["begin"] * (begun_by[name] is not None) + ["end"] * (ended_by != begun_by[name])
        workers[name] = " and ".join(ends) or "none"
    return Gates(pipelines, run_ids, workers)


@pytest.mark.parametrize("name", GATES)
def test_a_gate_ends_right_and_takes_no_more_workers_than_it_must(name: str, gates: Gates) -> None:
    row, pipeline = GATES[name], gates.pipelines[name]
    workers = row.workers if CAN_BEGIN else AFTER_A_WORKER.get(row.workers, row.workers)
    found = Row(row.status, gates.workers[name], pipeline.states()["gate"], pipeline.xcom("describe"))
    assert found == row._replace(workers=workers)
    assert pipeline.gate()["try_number"] == 1
    if row.handed != "nothing":
        assert pipeline.xcom("gate")["id"] == gates.run_ids[name]


def test_no_worker_was_ever_asked_for_a_gate_that_took_none(gates: Gates) -> None:
    took_none = [name for name, workers in gates.workers.items() if workers == "none"]
    assert (len(took_none) > 0) == CAN_BEGIN
    left = [
        (gate["queued_when"], gate["scheduled_when"], gate["pid"], gate["hostname"], gate["executor"])
        for gate in (gates.pipelines[name].gate() for name in took_none)
    ]
    assert left == [(None, None, None, "", None)] * len(took_none)


def test_record_fields_apply_without_a_worker(gates: Gates) -> None:
    assert set(gates.pipelines["narrow"].xcom("gate")) == {"id", "status", "uuid"}


def test_a_failure_is_raised_by_a_worker(gates: Gates) -> None:
    assert "OmicsRunFailedError" in gates.pipelines["failing"].log("gate")
    assert "AirflowSensorTimeout" in gates.pipelines["times_out"].log("gate")


def test_outlets_are_registered_by_the_worker_that_the_gate_keeps(gates: Gates, stack: Stack) -> None:
    events = stack.get("/api/v2/assets/events?source_dag_id=with_outlets")["asset_events"]
    assert [event["source_task_id"] for event in events] == ["gate"]


def test_no_log_of_a_task_or_of_airflow_holds_the_parameters(gates: Gates, stack: Stack) -> None:
    assert gates.pipelines["both"].xcom("gate")["parameters"] == {"sample": MARKER}
    written = [path for path in stack.folder.rglob("*.log") if path.name != "emulator.log"]
    assert any("task_id=gate" in str(path) for path in written)
    lines = [
        line for path in written for line in path.read_text(errors="replace").splitlines() if MARKER in line
    ]
    # Airflow 3.0 itself writes what a worker sends into its scheduler's log, at DEBUG.
    assert [line for line in lines if "[debug" not in line] == []


def test_mapped_gates_begin_in_a_worker_each_with_its_own_run(stack: Stack, omics: EmulatorClient) -> None:
    run_ids = [start(omics) for _ in range(3)]
    pipeline = Gated(stack, "mapped", {"omics_run_ids": run_ids})
    pipeline.until_deferred(3)
    begun_by = {task["map_index"]: task["pid"] for task in pipeline.tasks() if task["task_id"] == "gate"}
    for run_id in run_ids:
        omics.move(run_id, "COMPLETED")
    assert set(pipeline.until_ended().values()) == {"success"}
    assert [pipeline.xcom(f"gate[{index}]")["id"] for index in range(3)] == run_ids
    assert {pipeline.xcom(f"describe[{index}]") for index in range(3)} == {"a dict COMPLETED"}
    ended_by = {task["map_index"]: task["pid"] for task in pipeline.tasks() if task["task_id"] == "gate"}
    assert ended_by == begun_by
    assert None not in begun_by.values()


def test_a_deadline_stays_where_it_was_when_the_triggerer_dies(stack: Stack, omics: EmulatorClient) -> None:
    pipeline = Gated(stack, "times_out", {"omics_run_id": start(omics)})
    pipeline.until_deferred()
    stack.kill("triggerer")
    begun = datetime.datetime.fromisoformat(pipeline.gate()["start_date"])
    passed = begun + datetime.timedelta(seconds=25)
    stack.wait_for("the deadline", lambda: datetime.datetime.now(datetime.UTC) > passed, 60)
    stack.restart("triggerer")
    assert pipeline.until_ended(180)["gate"] == "failed"
    waited = re.search(r"after (\d+) s, the sensor's timeout", pipeline.log("gate"))
    assert waited is not None
    # From the beginning, not from the restart: then it would be the 20 s of its timeout once more.
    assert int(waited[1]) >= 25
