"""What a real Airflow sends to OpenLineage: from workers, from the scheduler, and for what a person does.

A state that a person sets is told by a process that has the task as its DAG file gives it, with no argument
rendered.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from airflow.triggers.base import BaseTrigger

from airflow_omics.emulator import EmulatorClient
from scripts.stack import Stack, running
from tests.support.batches import needs_batches
from tests.support.lineage import Collected, Event, kinds, places
from tests.support.lineage_modes import DEFERRED, GATES, LINEAGE, PARAMETERS, VERSION
from tests.support.lineage_schema import faults_of
from tests.support.pipeline import Pipeline

MARKER = "hush"
INPUTS = {"inputs.*.name"}
SECONDS = 120
BEGUN = [] if hasattr(BaseTrigger, "render_template_fields") else ["START"]
"""What is told of the beginning of a gate that begins in the triggerer, where it can: nothing."""


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Collected:
    return Collected(tmp_path_factory.mktemp("lineage") / "events")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, collected: Collected) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("dags")
    for path in (GATES, LINEAGE):
        shutil.copy(path, folder)
    settings = {
        **collected.environment,
        "AIRFLOW__OMICS__LINEAGE_RUN": "True",
        # Every attribute of a task is sent: what must not be shown has to be hidden in it.
        "AIRFLOW__OPENLINEAGE__INCLUDE_FULL_TASK_INFO": "True",
    }
    with running(
        Stack(pace=1, poke_interval=1, settings=settings, database="postgresql", dags_folder=folder)
    ) as stack:
        for dag_id in ("gate_poke_plain", "start_deferred"):
            stack.wait_for(f"the DAG {dag_id}", lambda: stack.get(f"{stack.airflow.api}/dags/{dag_id}"), 60)  # noqa: B023
        yield stack


@pytest.fixture(scope="module")
def omics(stack: Stack) -> EmulatorClient:
    omics = EmulatorClient(stack.endpoint_url)
    omics.default_life = "pending-forever"
    return omics


def gate(stack: Stack, omics: EmulatorClient, dag_id: str) -> tuple[Pipeline, str]:
    [run_id] = omics.start_runs(1, "pending-forever", parameters=PARAMETERS, tags={"who": "hush-tag"})
    return Pipeline(stack, dag_id, {"omics_run_id": run_id}), run_id


def end(omics: EmulatorClient, run_id: str, status: str) -> None:
    omics.move(run_id, "RUNNING")  # inputs are read by then
    omics.move(run_id, status, failure_reason="RUN_TASK_FAILED" if status == "FAILED" else None)


def until_started(stack: Stack, omics: EmulatorClient, known: set[str]) -> str:
    """Return the run that a task has started, besides those that are known."""

    def found() -> str | None:
        return next((run for run in runs(omics) if run not in known), None)

    return stack.wait_for("a run of the task", found, SECONDS)


def runs(omics: EmulatorClient) -> set[str]:
    return {request["run_id"] for request in omics.requests("StartRun") if request.get("run_id")}


def told(stack: Stack, collected: Collected, job: str, kind: str) -> list[Event]:
    """Return a job's events once one of a kind is among them; some processes send theirs a moment later."""

    def events() -> list[Event] | None:
        found = collected.of(job)
        return found if kind in kinds(found) else None

    return stack.wait_for(f"{kind} of {job}", events, 60)


def mark_failed(stack: Stack, pipeline: Pipeline, task_id: str) -> None:
    dry_run = {} if VERSION >= (3, 0) else {"dry_run": False}
    stack.patch(f"{pipeline.path}/taskInstances/{task_id}", {"new_state": "failed", **dry_run})


def test_gates_and_starts_tell_what_their_runs_were(
    stack: Stack, omics: EmulatorClient, collected: Collected
) -> None:
    known = runs(omics)
    start = Pipeline(stack, "start_deferred", {})
    ended, ended_run = gate(stack, omics, "gate_reschedule_plain")
    failed, failed_run = gate(stack, omics, "gate_from_trigger_plain")
    failed.until_deferred()
    started_run = until_started(stack, omics, known)
    start.until_deferred()
    end(omics, started_run, "COMPLETED")
    end(omics, ended_run, "COMPLETED")
    end(omics, failed_run, "FAILED")
    assert start.until_ended(SECONDS) == {"start": "success", "read": "success"}
    assert ended.until_ended(SECONDS) == {"gate": "success", "receive": "success"}
    assert failed.until_ended(SECONDS) == {"gate": "failed", "receive": "success"}
    for job, run_id, kinds_told in (
        ("start_deferred.start", started_run, DEFERRED),
        ("start_deferred.read", started_run, ["START", "COMPLETE"]),
        ("gate_reschedule_plain.gate", ended_run, ["START", "COMPLETE"]),
        ("gate_from_trigger_plain.gate", failed_run, [*BEGUN, "START", "FAIL"]),
    ):
        events = collected.of(job)
        assert kinds(events) == kinds_told
        assert events[-1]["run"]["facets"]["omics_run"]["id"] == run_id
        assert [one["name"] for one in events[-1]["inputs"]] == ["hush-input/1.fastq.gz"]
        assert len(events[-1]["outputs"]) == (events[-1]["eventType"] == "COMPLETE")
    of_runs = {
        event["run"]["facets"]["omics_run"]["id"]: event["eventType"]
        for event in collected.events()
        if event["job"]["name"].startswith("workflow/")
    }
    assert of_runs == {started_run: "COMPLETE", ended_run: "COMPLETE", failed_run: "FAIL"}


@pytest.mark.parametrize("dag_id", ["start_deferred", "start_waiting"])
def test_a_start_that_a_person_ends_tells_nothing_that_it_was_given(
    stack: Stack, omics: EmulatorClient, collected: Collected, dag_id: str
) -> None:
    collected.pass_over()
    known = runs(omics)
    pipeline = Pipeline(stack, dag_id, {})
    until_started(stack, omics, known)
    if dag_id == "start_deferred":
        pipeline.until_deferred()
    mark_failed(stack, pipeline, "start")
    assert pipeline.until_ended(SECONDS)["start"] == "failed"
    if VERSION >= (3, 0):  # listeners of Airflow 2 do not hear of it
        events = told(stack, collected, f"{dag_id}.start", "FAIL")
        assert {event["run"]["runId"] for event in events} == {events[0]["run"]["runId"]}


@needs_batches
def test_a_batch_that_a_person_ends_tells_nothing_that_it_was_given(
    stack: Stack, omics: EmulatorClient, collected: Collected
) -> None:
    collected.pass_over()
    pipeline = Pipeline(stack, "batch_deferred", {})
    pipeline.until_deferred()
    mark_failed(stack, pipeline, "start")
    assert pipeline.until_ended(SECONDS)["start"] == "failed"
    if VERSION >= (3, 0):
        told(stack, collected, "batch_deferred.start", "FAIL")


def test_every_event_of_this_airflow_is_valid_and_shows_nothing(stack: Stack, collected: Collected) -> None:
    collected.pass_over_nothing()
    told(stack, collected, "start_deferred", "COMPLETE")  # of the DAG run: the scheduler sends it
    events = collected.events()
    assert [found for event in events if (found := faults_of(event))] == []
    # A task of Airflow's own that is passed the record has it as an argument, and sends all of them here.
    ours = [event for event in events if not event["job"]["name"].endswith(".receive")]
    assert set().union(*(places(event, MARKER) for event in ours)) == INPUTS
    written = [path for path in stack.folder.rglob("*.log") if path.name != "emulator.log"]
    assert any("task_id=start" in str(path) for path in written)
    lines = [
        line for path in written for line in path.read_text(errors="replace").splitlines() if MARKER in line
    ]
    # Airflow 3.0 itself writes what a worker sends into its scheduler's log, at DEBUG.
    assert [line for line in lines if "[debug" not in line] == []
