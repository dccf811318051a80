"""Events that start DAGs, on a real Airflow with two triggerers, and queues from the documented template.

The chain and the batch begin beside the burst: both triggerers are killed once for all of them.
"""

from __future__ import annotations

import collections
import json
import shutil
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.config import Config

from airflow_omics.emulator import EmulatorClient
from scripts.stack import EXAMPLE_DAGS, PARTS, Stack, running
from tests.support.started import until

TRIGGERERS = ("triggerer", "triggerer-2")
BURST = 60
MARKER = "patient-4711-of-ward-9"
ROLE = "arn:aws:iam::123456789012:role/omics-run"
OVER = 10_000
"""Seconds after which a run and a batch have ended by themselves."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("dags")
    for path in (EXAMPLE_DAGS / "start_on_events.py", Path(__file__).with_name("event_dags") / "events.py"):
        shutil.copy(path, folder)
    settings = {
        # Seconds after which another triggerer takes over what a dead one has left: 30 by default. If it is
        # as short as a busy one may be late, triggers go back and forth between the two.
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "20",
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
        # An asset's trigger runs once its DAG is parsed again after it was unpaused.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
    }
    with running(
        Stack(
            pace=1,
            poke_interval=1,
            settings=settings,
            database="postgresql",
            parts=(*PARTS, "triggerer-2"),
            dags_folder=folder,
            prepare="tests.support.queues_by_template",
        )
    ) as stack:
        until(stack, "the DAGs", lambda: stack.get("/api/v2/dags")["total_entries"] == 5)
        yield stack


class Service:
    """HealthOmics and its queues, and what Airflow has of its events."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.omics = EmulatorClient(stack.endpoint_url)
        self.queues: dict[str, str] = json.loads((stack.folder / "airflow" / "queues.json").read_text())
        self._sqs = self.client("sqs")

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.stack.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(inject_host_prefix=False),
        )

    def messages(self, name: str) -> tuple[int, int]:
        """Return how many messages wait in a queue, and how many have been received and not deleted."""
        counts = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        answer = self._sqs.get_queue_attributes(QueueUrl=self.queues[name], AttributeNames=list(counts))
        waiting, held = (int(answer["Attributes"][count]) for count in counts)
        return waiting, held

    def events(self, asset: str) -> list[dict[str, Any]]:
        """Return the events of an asset, oldest first."""
        found = self.stack.get("/api/v2/assets/events?limit=1000&order_by=timestamp")["asset_events"]
        return [event for event in found if event["name"] == asset]

    def dag_runs(self, dag_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.stack.get(f"/api/v2/dags/{dag_id}/dagRuns")["dag_runs"]
        return found

    def states(self, dag_id: str) -> list[str]:
        return [dag_run["state"] for dag_run in self.dag_runs(dag_id)]

    def consumed(self, dag_id: str) -> list[dict[str, Any]]:
        """Return what the events of each DAG run carried."""
        carried = []
        for dag_run in self.dag_runs(dag_id):
            path = f"/api/v2/dags/{dag_id}/dagRuns/{urllib.parse.quote(dag_run['dag_run_id'])}"
            events = self.stack.get(f"{path}/upstreamAssetEvents")["asset_events"]
            carried += [event["extra"]["payload"] for event in events]
        return carried

    def value(self, dag_id: str, task: str, index: int = -1) -> Any:
        """Return what a task of the one run of a DAG left in XCom."""
        [dag_run] = self.dag_runs(dag_id)
        path = f"/api/v2/dags/{dag_id}/dagRuns/{urllib.parse.quote(dag_run['dag_run_id'])}"
        entry = f"{path}/taskInstances/{task}/xcomEntries/return_value?map_index={index}&deserialize=true"
        return self.stack.get(entry)["value"]

    def begin_batch(self) -> dict[str, Any]:
        """Start a batch of two, and return what StartRunBatch answers."""
        answer: dict[str, Any] = self.client("omics").start_run_batch(
            batchName="cohort",
            defaultRunSetting={"workflowId": "3333333", "roleArn": ROLE, "outputUri": "s3://results/batch"},
            batchRunSettings={"inlineSettings": [{"runSettingId": "a"}, {"runSettingId": "b"}]},
            requestId="cohort",
        )
        return answer


@pytest.fixture(scope="module")
def service(stack: Stack) -> Service:
    return Service(stack)


@pytest.fixture(scope="module")
def chained(service: Service) -> str:
    """A run that the chain is for; it ends with the batch."""
    [run_id] = service.omics.start_runs(
        1, "completed", events=True, logs=True, outputUri="s3://results/chain", workflowId="2222222"
    )
    return run_id


@pytest.fixture(scope="module")
def examples(stack: Stack, service: Service) -> list[str]:
    """Two runs that the example DAG is for; they end together, with the batch."""
    stack.patch("/api/v2/dags/start_on_events", {"is_paused": False})
    return service.omics.start_runs(
        2, "completed", events=True, outputUri="s3://results/example", workflowId="4444444"
    )


@pytest.fixture(scope="module")
def batch(service: Service) -> dict[str, Any]:
    return service.begin_batch()


class Burst(NamedTuple):
    """Runs that end while both triggerers are killed.

    :param run_ids: all of them.
    :param stored: those of which Airflow had an event when the triggerers were dead.
    :param undeleted: how many of these had a message then that was not deleted yet.
    """

    run_ids: list[str]
    stored: set[str]
    undeleted: int


@pytest.fixture(scope="module")
def burst(stack: Stack, service: Service, chained: str, examples: list[str], batch: dict[str, Any]) -> Burst:
    omics = service.omics
    run_ids = omics.start_runs(BURST, "pending-forever", events=True, name=MARKER, workflowId="1111111")
    omics.advance(OVER)
    first, rest = run_ids[: BURST // 2], run_ids[BURST // 2 :]
    for run_id in first:
        omics.move(run_id, "COMPLETED")
    assets = ("burst", "chain", "batches", "healthomics_ended")
    until(stack, "an event of each", lambda: all(service.events(name) for name in assets))
    until(stack, "the end of those", lambda: all(service.messages(name) == (0, 0) for name in service.queues))
    for run_id in rest:
        omics.move(run_id, "COMPLETED")
    deadline = time.monotonic() + 60
    while service.messages("burst")[1] == 0:  # no pause: what was received is with Airflow a second later
        assert time.monotonic() < deadline
    for triggerer in TRIGGERERS:
        stack.kill(triggerer)
    stored = {run["id"] for event in service.events("burst") for run in event["extra"]["payload"]["runs"]}
    undeleted = len(stored) + sum(service.messages("burst")) - BURST
    for triggerer in TRIGGERERS:
        stack.restart(triggerer)
    until(stack, "the end of the burst", lambda: service.messages("burst") == (0, 0), 120)
    return Burst(run_ids, stored, undeleted)


def test_a_kill_of_both_triggerers_amid_a_burst_loses_no_run_and_doubles_only_what_was_not_deleted_yet(
    stack: Stack, service: Service, burst: Burst
) -> None:
    """Airflow has no way to store an event and delete its message in one step; in between, a kill doubles."""

    def consumed() -> list[str]:
        return [run["id"] for payload in service.consumed("burst") for run in payload["runs"]]

    until(stack, "a DAG run for each", lambda: set(consumed()) >= set(burst.run_ids))
    times = collections.Counter(consumed())
    assert set(times) == set(burst.run_ids)
    twice = {run_id for run_id, count in times.items() if count == 2}
    assert (len(twice), max(times.values()) <= 2) == (burst.undeleted, True)
    assert twice <= burst.stored
    assert len(service.dag_runs("burst")) < BURST / 4


def test_a_run_that_ends_starts_a_dag_over_its_outputs_and_that_one_the_next(
    stack: Stack, service: Service, chained: str, burst: Burst
) -> None:
    until(stack, "the end of the last", lambda: service.states("published") == ["success"], 120)
    assert service.states("ended") == ["success"]
    written = f"s3://results/chain/{chained}"
    [output] = service.value("ended", "outputs")
    assert output["uri"] == f"{written}/out/variants/sample.vcf"
    assert service.value("ended", "measure", 0) == f"{output['uri']} {output['bytes']}"
    told = service.value("published", "use")
    assert (told["omics_id"], told["status"], told["runOutputUri"]) == (chained, "COMPLETED", written)


def test_the_example_maps_over_the_runs_of_its_events(
    stack: Stack, service: Service, examples: list[str], burst: Burst
) -> None:
    until(stack, "the end", lambda: service.states("start_on_events") == ["success"], 120)
    listed = [run["id"] for run in service.value("start_on_events", "list_runs")]
    assert sorted(listed) == sorted(examples)
    assert [service.value("start_on_events", "use", index) for index in range(2)] == [
        f"{run_id}: s3://results/example/{run_id}/out" for run_id in listed
    ]


def test_a_batch_that_is_processed_starts_a_dag(
    stack: Stack, service: Service, batch: dict[str, Any], burst: Burst
) -> None:
    until(stack, "a DAG run", lambda: service.dag_runs("batches"))
    [payload] = service.consumed("batches")
    [told] = payload["batches"]
    assert (told["id"], told["uuid"], told["status"]) == (batch["id"], batch["uuid"], "PROCESSED")
    assert (told["name"], told["totalRuns"], told["completedRunCount"]) == ("cohort", 2, 2)


def test_the_triggerers_write_ids_and_statuses_into_their_logs_and_no_names(
    stack: Stack, service: Service, burst: Burst
) -> None:
    assert {run["name"] for payload in service.consumed("burst") for run in payload["runs"]} == {MARKER}
    written = {path: path.read_text(errors="replace") for path in stack.folder.rglob("*.log")}
    assert any(
        burst.run_ids[0] in text for path, text in written.items() if path.name.startswith("triggerer")
    )
    assert [path for path, text in written.items() if path.name != "emulator.log" and MARKER in text] == []
