"""CeleryExecutor with a Redis server, as managed Airflow runs it: its workers end, and its broker is lost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from airflow_omics.emulator import EmulatorClient
from scripts.stack import PARTS, Stack, running
from tests.support.core import DAG_FILE, GATES, SETTINGS, Core, CoreClaims, end, run_core
from tests.support.pipeline import Pipeline
from tests.support.started import finish, started, until

WORKER = "celery-worker"
NOTICED_SOON = {
    # Seconds after which a task is lost whose worker is: 300 by default.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    # Between two looks of a worker for messages that Redis should deliver again: 100 by default.
    "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__UNACKED_RESTORE_INTERVAL": "1",
    "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__UNACKED_RESTORE_THROTTLE": "1",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("dags")
    for path in (DAG_FILE, Path(__file__).with_name("dags") / "start_runs.py"):
        shutil.copy(path, folder)
    with running(
        Stack(
            pace=1,
            poke_interval=1,
            settings={**SETTINGS, **NOTICED_SOON},
            database="postgresql",
            parts=(*PARTS, WORKER),
            dags_folder=folder,
        )
    ) as stack:
        until(stack, "both DAG files", lambda: stack.get(f"{stack.airflow.api}/dags/core"))
        yield stack


@pytest.fixture(scope="module")
def omics(stack: Stack) -> EmulatorClient:
    return EmulatorClient(stack.endpoint_url)


@pytest.fixture(scope="module")
def core(stack: Stack, omics: EmulatorClient) -> Core:
    return run_core(stack, omics)


class TestOnCeleryExecutor(CoreClaims):
    pass


@pytest.fixture
def waiting(stack: Stack, omics: EmulatorClient) -> Pipeline:
    """A start that waits for its run in a worker."""
    omics.reset()
    omics.default_life = "pending-forever"
    # A token that is sent twice would start a second run.
    omics.repeat_request_id("forgotten")
    pipeline = Pipeline(stack, "start_in_worker", {})
    until(stack, "some looks", lambda: omics.counts().get("GetRun", 0) >= 2)
    return pipeline


def test_a_worker_that_shuts_down_waits_for_its_start(
    stack: Stack, omics: EmulatorClient, waiting: Pipeline
) -> None:
    stack.terminate(WORKER)
    until(stack, "the warm shutdown", lambda: "Warm shutdown" in (stack.logs / f"{WORKER}.log").read_text())
    looks = omics.counts()["GetRun"]
    until(stack, "more looks", lambda: omics.counts()["GetRun"] >= looks + 2)
    finish(stack, omics, waiting, tries=1)
    assert waiting.task("start")["try_number"] == 1
    assert stack.finish(WORKER, 60) == 0
    stack.restart(WORKER)
    assert "CancelRun" not in omics.counts()


def test_a_retry_finds_the_run_of_a_worker_that_was_evicted(
    stack: Stack, omics: EmulatorClient, waiting: Pipeline
) -> None:
    """What a service manager or a container does: SIGTERM for every process, and SIGKILL for what stays."""
    family = stack.family(WORKER)
    stack.terminate(WORKER)
    for process in family[1:]:
        process.terminate()
    until(stack, "what the task says of it", lambda: "goes on, for the next try" in waiting.log("start"))
    stack.kill(WORKER)
    stack.restart(WORKER)
    finish(stack, omics, waiting, tries=2)
    assert "CancelRun" not in omics.counts()


def test_a_retry_finds_the_run_of_a_worker_that_was_killed(
    stack: Stack, omics: EmulatorClient, waiting: Pipeline
) -> None:
    stack.kill(WORKER)
    stack.restart(WORKER)
    finish(stack, omics, waiting, tries=2)
    assert "CancelRun" not in omics.counts()


def test_a_message_that_is_delivered_again_starts_no_second_run(
    stack: Stack, omics: EmulatorClient, waiting: Pipeline
) -> None:
    """What Redis does with a task that has run for the visibility timeout, which is a day by default."""
    with Redis.from_url(stack.broker_url) as broker:
        # Those of workers that were killed are there as well, until their time has come.
        [latest] = broker.zrange("unacked_index", -1, -1)
        broker.zadd("unacked_index", {latest: 0})
    log = stack.logs / f"{WORKER}.log"
    until(stack, "the second delivery", lambda: "already running elsewhere" in log.read_text())
    finish(stack, omics, waiting, tries=1)
    assert waiting.task("start")["try_number"] == 1
    assert "CancelRun" not in omics.counts()


def test_a_broker_that_is_lost_for_a_while_loses_no_run_and_starts_none_twice(
    stack: Stack, omics: EmulatorClient, waiting: Pipeline
) -> None:
    gated = dict(zip(GATES, omics.start_runs(len(GATES)), strict=True))
    mapped = [run_id for name, run_id in gated.items() if name.startswith("mapped")]
    gates = Pipeline(stack, "core", {**gated, "mapped": mapped})
    gates.until_deferred(len(GATES) + 1)
    runs = started(omics)
    assert len(runs) == 2
    scheduler = stack.logs / "scheduler.log"
    stack.kill("redis")
    for name in GATES:
        end(omics, gated, name)
    until(stack, "what cannot be queued", lambda: "Error sending Celery workload" in scheduler.read_text())
    stack.restart("redis")
    for run_id in runs:
        omics.move(run_id, "COMPLETED")
    assert waiting.until_ended() == {"start": "success"}
    assert waiting.task("start")["try_number"] == 1
    gates.until_ended(180)
    states = gates.states()
    assert {name: states[name] for name in GATES} == {name: row.state for name, row in GATES.items()}
    assert states["start"] == "success"
    tries = {name: gates.task(name)["try_number"] for name in GATES}
    assert tries["without_a_worker"] == 1
    assert max(tries.values()) > 1, "Airflow counts what it could not queue as a try"
    assert started(omics) == runs
    assert "CancelRun" not in omics.counts()
