"""Starting runs and batches on a real Airflow whose processes are killed: one run for each that is meant.

How many runs there are is counted in the emulator's own request log, by the ids that StartRun made, and for
batches in its lists.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_omics.emulator import EmulatorClient
from scripts.stack import PARTS, Stack, running
from tests.support.pipeline import Pipeline
from tests.support.started import (
    ask_worker_to_end,
    cancelled,
    finish,
    kill_worker,
    started,
    until,
    until_watched,
)
from tests.support.started_batches import Batches

COHORT = 12  # as many as start_cohort has
REPEATED_TOKEN = ("earlier", "conflict", "validation", "forgotten")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running(
        Stack(
            pace=1,
            poke_interval=1,
            database="postgresql",
            dags_folder=Path(__file__).with_name("dags"),
            parts=(*PARTS, "triggerer-2"),
            settings={
                "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
                "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "5",
            },
        )
    ) as stack:
        stack.kill("triggerer-2")  # for the one test that hands a trigger over
        yield stack


@pytest.fixture(scope="module")
def service(stack: Stack) -> EmulatorClient:
    return EmulatorClient(stack.endpoint_url)


@pytest.fixture
def omics(service: EmulatorClient) -> EmulatorClient:
    service.reset()
    service.default_life = "pending-forever"
    return service


class TestOneRunThoughTheWorkerIsKilled:
    """The answer to a repeated token matters if a worker dies with its request under way."""

    def test_before_the_call(self, stack: Stack, omics: EmulatorClient) -> None:
        omics.repeat_request_id("forgotten")
        omics.fault("ListRuns", "hang", times=1)
        pipeline = Pipeline(stack, "start_in_worker", {})
        until(stack, "the look-up", lambda: omics.counts().get("ListRuns"))
        kill_worker(stack, pipeline)
        finish(stack, omics, pipeline, tries=2)

    @pytest.mark.parametrize("answer", REPEATED_TOKEN)
    def test_after_the_call_and_before_its_answer(
        self, stack: Stack, omics: EmulatorClient, answer: str
    ) -> None:
        omics.repeat_request_id(answer)
        omics.fault("StartRun", "lost-answer", times=1, seconds=60)
        pipeline = Pipeline(stack, "start_in_worker", {})
        until(stack, "the call", lambda: started(omics))
        kill_worker(stack, pipeline)
        omics.clear_faults()
        finish(stack, omics, pipeline, tries=2)

    def test_after_the_answer(self, stack: Stack, omics: EmulatorClient) -> None:
        omics.repeat_request_id("forgotten")
        omics.fault("GetRun", "hang", times=1)
        pipeline = Pipeline(stack, "start_in_worker", {})
        until(stack, "the first look", lambda: omics.counts().get("GetRun"))
        kill_worker(stack, pipeline)
        finish(stack, omics, pipeline, tries=2)

    def test_while_it_waits(self, stack: Stack, omics: EmulatorClient) -> None:
        omics.repeat_request_id("forgotten")
        pipeline = Pipeline(stack, "start_in_worker", {})
        until(stack, "some looks", lambda: omics.counts().get("GetRun", 0) >= 3)
        kill_worker(stack, pipeline)
        finish(stack, omics, pipeline, tries=2)

    def test_where_runs_may_not_be_listed_the_token_alone_holds(
        self, stack: Stack, omics: EmulatorClient
    ) -> None:
        omics.fault("ListRuns", "access-denied")
        omics.fault("StartRun", "lost-answer", times=1, seconds=60)
        pipeline = Pipeline(stack, "start_in_worker", {})
        until(stack, "the call", lambda: started(omics))
        kill_worker(stack, pipeline)
        finish(stack, omics, pipeline, tries=2)
        tokens = [request["request_id"] for request in omics.requests("StartRun")]
        assert len(tokens) == 2
        assert tokens[0] == tokens[1]


def test_one_run_though_the_triggerer_is_killed(stack: Stack, omics: EmulatorClient) -> None:
    pipeline = Pipeline(stack, "start_deferred", {})
    pipeline.until_deferred()
    stack.kill("triggerer")
    stack.restart("triggerer")
    looks = omics.counts()["GetRun"]
    until(stack, "a look of the new triggerer", lambda: omics.counts()["GetRun"] > looks)
    finish(stack, omics, pipeline, tries=1)
    assert "CancelRun" not in omics.counts()


def test_a_run_goes_on_when_its_trigger_is_handed_over(stack: Stack, omics: EmulatorClient) -> None:
    pipeline = Pipeline(stack, "start_deferred", {})
    pipeline.until_deferred()
    holder = "SELECT triggerer_id FROM trigger"
    before = stack.wait_for("a triggerer to take it", lambda: stack.psql(holder).strip() or None, 30)
    old = stack.family("triggerer")
    stack.restart("triggerer-2")
    for process in old:
        process.suspend()
    try:
        until(stack, "the hand-over", lambda: stack.psql(holder).strip() not in ("", before))
    finally:
        for process in reversed(old):
            process.resume()
    # The triggerer that comes back finds the trigger with another, and takes it for killed.
    until(
        stack,
        "the old triggerer's farewell",
        lambda: "goes on: the task is deferred" in pipeline.log("start"),
    )
    finish(stack, omics, pipeline, tries=1)
    assert "CancelRun" not in omics.counts()
    stack.kill("triggerer-2")


@pytest.mark.parametrize("dag_id", ["start_in_worker", "start_deferred"])
def test_a_task_marked_failed_cancels_its_run(stack: Stack, omics: EmulatorClient, dag_id: str) -> None:
    pipeline = Pipeline(stack, dag_id, {})
    if dag_id == "start_deferred":
        until_watched(stack, pipeline)
    until(stack, "some looks", lambda: omics.counts().get("GetRun", 0) >= 2)
    stack.patch(f"{pipeline.path}/taskInstances/start", {"new_state": "failed"})
    until(stack, "the cancellation", lambda: omics.counts().get("CancelRun"))
    assert [request["run_id"] for request in omics.requests("CancelRun")] == started(omics)
    assert pipeline.until_ended() == {"start": "failed"}
    assert len(started(omics)) == 1


def test_a_cohort_marked_failed_at_once_is_cancelled_whole(stack: Stack, omics: EmulatorClient) -> None:
    for operation in ("GetRun", "CancelRun"):
        omics.limit(operation, 10)  # as the service does
    pipeline = Pipeline(stack, "start_cohort", {})
    pipeline.until_deferred(COHORT)
    until(stack, "the triggers", lambda: stack.psql("SELECT count(triggerer_id) FROM trigger") == str(COHORT))
    stack.patch(f"{pipeline.path}/taskInstances/start", {"new_state": "failed"})
    until(stack, "the cancellations", lambda: len(cancelled(omics)) == COHORT)
    assert cancelled(omics) == started(omics)
    assert set(pipeline.until_ended().values()) == {"failed"}


@pytest.mark.parametrize(("dag_id", "runs"), [("start_in_worker", 2), ("start_in_worker_reattach", 1)])
def test_a_cleared_task_does_as_on_clear_says(
    stack: Stack, omics: EmulatorClient, dag_id: str, runs: int
) -> None:
    omics.default_life = "completed-quickly"
    omics.set_pace(100_000)
    pipeline = Pipeline(stack, dag_id, {})
    assert pipeline.until_ended() == {"start": "success"}
    [first] = started(omics)
    body = {"dry_run": False, "dag_run_id": pipeline.dag_run_id, "only_failed": False, "reset_dag_runs": True}
    stack.post(f"/api/v2/dags/{dag_id}/clearTaskInstances", body)
    until(stack, "the second try", lambda: pipeline.tasks()[0]["try_number"] == 2)
    assert pipeline.until_ended() == {"start": "success"}
    assert len(started(omics)) == runs
    assert (pipeline.xcom("start")["id"] == first) is (runs == 1)
    assert "CancelRun" not in omics.counts()


def test_a_run_that_failed_leads_to_exactly_one_more(stack: Stack, omics: EmulatorClient) -> None:
    pipeline = Pipeline(stack, "start_in_worker", {})
    until(stack, "some looks", lambda: omics.counts().get("GetRun", 0) >= 2)
    [first] = started(omics)
    omics.move(first, "FAILED", "SERVICE_ERROR", "An error in the service.")
    until(stack, "the second run", lambda: len(started(omics)) == 2)
    [second] = set(started(omics)) - {first}
    omics.move(second, "COMPLETED")
    assert pipeline.until_ended() == {"start": "success"}
    assert pipeline.xcom("start")["id"] == second
    assert len(started(omics)) == 2


# -- batches -------------------------------------------------------------------------------------------------


@pytest.fixture
def batches(stack: Stack, omics: EmulatorClient) -> Batches:
    omics.batches(creating_seconds=0, pending_seconds=0, starts_per_second=100)
    return Batches(stack)


def complete(omics: EmulatorClient, batches: Batches, batch_id: str, **but: str) -> None:
    """Let the runs of a batch complete.

    :param but: the reasons of those that fail, by their samples.
    """
    for sample, run_id in batches.runs(batch_id).items():
        reason = but.get(sample)
        omics.move(run_id, "FAILED" if reason else "COMPLETED", reason)


def test_each_member_has_one_run_though_its_worker_is_killed_at_each_step(
    stack: Stack, omics: EmulatorClient, batches: Batches
) -> None:
    def waits_in(try_number: int) -> None:
        looks = omics.counts().get("GetBatch", 0)
        until(stack, "its try", lambda: pipeline.tasks()[0]["try_number"] == try_number)
        until(stack, "some looks", lambda: omics.counts().get("GetBatch", 0) >= looks + 3)

    omics.repeat_request_id("forgotten")
    omics.fault("ListBatch", "hang", times=1)
    pipeline = Pipeline(stack, "start_batch_in_worker", {})
    until(stack, "the look-up", lambda: omics.counts().get("ListBatch"))
    omics.fault("StartRunBatch", "lost-answer", times=1, seconds=60)
    kill_worker(stack, pipeline, 1)  # before StartRunBatch
    until(stack, "the call", lambda: omics.counts().get("StartRunBatch"))
    kill_worker(stack, pipeline, 2)  # before its answer
    omics.clear_faults()
    waits_in(3)
    kill_worker(stack, pipeline, 3)  # while it waits
    waits_in(4)
    ask_worker_to_end(stack, pipeline, 4)  # as a worker's shutdown does, before it kills it
    until(stack, "its farewell", lambda: "goes on, for the next try" in pipeline.log("start", 4))
    kill_worker(stack, pipeline, 4)
    waits_in(5)
    [first] = batches.ids()
    complete(omics, batches, first, s2="SERVICE_ERROR")
    until(stack, "the rerun", lambda: len(batches.ids()) == 2)
    kill_worker(stack, pipeline, 5)  # while it waits for what is run again
    waits_in(6)
    [_, second] = batches.ids()
    complete(omics, batches, second)
    assert pipeline.until_ended() == {"start": "success"}
    assert batches.runs_by_sample() == {"s1": 1, "s2": 2, "s3": 1}
    assert omics.counts()["StartRunBatch"] == 2
    assert "CancelRunBatch" not in omics.counts()
    record = pipeline.xcom("start")
    assert record["batches"] == [first, second]
    assert {member["runSettingId"]: member["status"] for member in record["members"]} == dict.fromkeys(
        ("s1", "s2", "s3"), "COMPLETED"
    )


def test_a_batch_goes_on_though_the_triggerer_is_killed(
    stack: Stack, omics: EmulatorClient, batches: Batches
) -> None:
    pipeline = Pipeline(stack, "start_batch_deferred", {})
    until_watched(stack, pipeline)
    stack.kill("triggerer")
    stack.restart("triggerer")
    looks = omics.counts()["GetBatch"]
    until(stack, "a look of the new triggerer", lambda: omics.counts()["GetBatch"] > looks)
    [batch_id] = batches.ids()
    complete(omics, batches, batch_id)
    assert pipeline.until_ended() == {"start": "success"}
    assert batches.runs_by_sample() == {"s1": 1, "s2": 1, "s3": 1}
    assert "CancelRunBatch" not in omics.counts()


@pytest.mark.parametrize("dag_id", ["start_batch_in_worker", "start_batch_deferred"])
def test_a_task_marked_failed_cancels_its_batch_once(
    stack: Stack, omics: EmulatorClient, batches: Batches, dag_id: str
) -> None:
    pipeline = Pipeline(stack, dag_id, {})
    if dag_id == "start_batch_deferred":
        until_watched(stack, pipeline)
    until(stack, "some looks", lambda: omics.counts().get("GetBatch", 0) >= 2)
    stack.patch(f"{pipeline.path}/taskInstances/start", {"new_state": "failed"})
    [batch_id] = batches.ids()
    until(stack, "the cancellation", lambda: omics.counts().get("CancelRunBatch"))
    assert batches.status(batch_id) in ("STOPPING", "CANCELLED")
    assert pipeline.until_ended() == {"start": "failed"}
    assert omics.counts()["CancelRunBatch"] == 1
    assert batches.runs_by_sample() == {"s1": 1, "s2": 1, "s3": 1}
