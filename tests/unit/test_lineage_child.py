"""``[omics] lineage_run``: the run itself as a run of OpenLineage, with its own times, under its task."""

from __future__ import annotations

import datetime
import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.openlineage.plugins import macros
from airflow.providers.openlineage.plugins.listener import get_openlineage_listener
from openlineage.client.serde import Serde

from airflow_omics.sensors import OmicsRunBatchSensor, OmicsRunSensor

UUID = "11111111-2222-3333-4444-555555555555"
RECORD: dict[str, Any] = {
    "id": "1234567",
    "arn": "arn:aws:omics:us-east-1:123456789012:run/1234567",
    "uuid": UUID,
    "status": "COMPLETED",
    "workflowId": "7654321",
    "outputUri": "s3://bucket/cohort",
    "resourceDigests": {"s3://reads/a.bam": "etag:0cc175b9-2"},
    "creationTime": "2026-01-01T00:00:00+00:00",
    "startTime": "2026-01-01T01:00:00.5+00:00",
    "stopTime": "2026-01-01T03:00:00+00:00",
    "parameters": {"sample": "NA12878"},
    "tags": {"who": "NA12878"},
}
DAG_RUN = SimpleNamespace(
    run_id="manual__1",
    logical_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    run_after=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    clear_number=0,
    conf={},
)
TASK_INSTANCE = SimpleNamespace(
    dag_id="dag",
    task_id="gate",
    try_number=2,
    map_index=-1,
    dag_run=DAG_RUN,
    logical_date=DAG_RUN.logical_date,
    get_template_context=lambda: {"dag_run": DAG_RUN},
)


class Client:
    """Stands for OpenLineage's client, as the provider has made it."""

    transport = SimpleNamespace(kind="recording")

    def __init__(self) -> None:
        self.events: list[Any] = []

    def emit(self, event: Any) -> None:
        self.events.append(json.loads(Serde.to_json(event)))


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("AIRFLOW__OMICS__LINEAGE_RUN", "True")
    client = Client()
    monkeypatch.setattr(get_openlineage_listener().adapter, "_client", client)
    return client


def gate(record: dict[str, Any] | None) -> Any:
    task = OmicsRunSensor(task_id="gate", run_id="1234567")
    if record is not None:
        task._note_published(record)
    return task


def complete(record: dict[str, Any] | None) -> Any:
    return gate(record).get_openlineage_facets_on_complete(TASK_INSTANCE)


def without(*names: str, **changed: Any) -> dict[str, Any]:
    return {name: value for name, value in {**RECORD, **changed}.items() if name not in names}


def test_a_run_that_completed_is_a_run_with_its_own_id_and_times(client: Client) -> None:
    complete(RECORD)
    start, end = client.events
    assert [event["eventType"] for event in client.events] == ["START", "COMPLETE"]
    assert start["eventTime"] == "2026-01-01T01:00:00.500000+00:00"
    assert end["eventTime"] == "2026-01-01T03:00:00+00:00"
    assert {event["run"]["runId"] for event in client.events} == {UUID}
    job = {"namespace": "arn:aws:omics:us-east-1:123456789012", "name": "workflow/7654321"}
    assert all(job.items() <= event["job"].items() for event in client.events)
    assert [(item["namespace"], item["name"]) for item in end["inputs"]] == [("s3://reads", "a.bam")]
    assert [(item["namespace"], item["name"]) for item in end["outputs"]] == [("s3://bucket", "cohort")]
    assert end["run"]["facets"]["omics_run"]["status"] == "COMPLETED"
    assert "status" not in start["run"]["facets"]["omics_run"]
    assert "NA12878" not in json.dumps(client.events)


def test_its_parent_is_the_task_by_the_id_that_the_provider_gives_the_task(client: Client) -> None:
    complete(RECORD)
    for event in client.events:
        parent = event["run"]["facets"]["parent"]
        assert parent["run"]["runId"] == macros.lineage_run_id(TASK_INSTANCE)  # type: ignore[no-untyped-call]
        assert (parent["job"]["namespace"], parent["job"]["name"]) == ("default", "dag.gate")
        assert parent["root"]["job"]["name"] == "dag"


def test_a_provider_that_cannot_name_the_root_keeps_nothing_else_back(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(task_instance: Any) -> Any:
        raise UnboundLocalError("dag_run")  # as 2.3.0 does on Airflow 3

    expected = macros.lineage_run_id(TASK_INSTANCE)  # type: ignore[no-untyped-call]
    for name in ("lineage_run_id", "lineage_root_run_id"):
        monkeypatch.setattr(macros, name, fail)
    complete(RECORD)
    parents = [event["run"]["facets"]["parent"] for event in client.events]
    assert [parent["run"]["runId"] for parent in parents] == [expected, expected]
    assert not any("root" in parent for parent in parents)


@pytest.mark.parametrize(("status", "kind"), [("FAILED", "FAIL"), ("CANCELLED", "ABORT")])
def test_a_run_that_ended_badly_has_its_end_its_reason_and_no_output(
    client: Client, status: str, kind: str
) -> None:
    record = {**RECORD, "status": status, "failureReason": "RUN_TASK_FAILED", "statusMessage": "At s3://x."}
    gate(record).get_openlineage_facets_on_failure(TASK_INSTANCE)
    start, end = client.events
    assert (start["eventType"], end["eventType"], end["outputs"]) == ("START", kind, [])
    said = end["run"]["facets"].get("errorMessage", {}).get("message")
    assert said == ("RUN_TASK_FAILED" if status == "FAILED" else None)


def test_a_run_that_completed_has_its_output_also_if_the_task_failed(client: Client) -> None:
    lineage = gate(RECORD).get_openlineage_facets_on_failure(TASK_INSTANCE)
    assert len(client.events[1]["outputs"]) == 1
    assert lineage.outputs == []


def test_a_run_that_never_started_starts_when_it_was_created(client: Client) -> None:
    complete(without("startTime", status="CANCELLED"))
    assert client.events[0]["eventTime"] == "2026-01-01T00:00:00+00:00"


def test_the_same_run_told_twice_is_the_same(client: Client) -> None:
    complete(RECORD)
    complete(RECORD)
    assert client.events[:2] == client.events[2:]


@pytest.mark.parametrize("status", ["PENDING", "RUNNING", "STOPPING", "DELETED", "PAUSED"])
def test_a_run_that_has_not_ended_or_was_deleted_is_not_told(client: Client, status: str) -> None:
    complete({**RECORD, "status": status})
    assert client.events == []


def test_the_start_of_a_task_tells_nothing_of_the_run_itself(client: Client) -> None:
    """Airflow sends START twice for a task that is deferred."""
    task = gate(RECORD)
    task.get_openlineage_facets_on_start()
    assert client.events == []


@pytest.mark.parametrize(
    "record",
    [
        *(without(name) for name in ("uuid", "arn", "workflowId", "startTime", "stopTime")),
        without(uuid="no-uuid"),
        without(uuid=7),
        without(stopTime="yesterday"),
        without("creationTime", "startTime", status="FAILED"),
    ],
    ids=lambda record: "-".join(sorted(set(RECORD) - set(record))) or "wrong",
)
def test_a_record_without_what_an_event_needs_tells_nothing_of_the_run_and_all_of_the_task(
    client: Client, record: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        lineage = complete(record)
    assert client.events == []
    assert lineage.run_facets["omics_run"].id == "1234567"
    assert len(lineage.inputs) == 1
    assert caplog.records == []


@pytest.mark.parametrize("status", ["PROCESSED", "FAILED", "CANCELLED"])
def test_a_batch_is_no_run(client: Client, status: str) -> None:
    task = OmicsRunBatchSensor(task_id="gate", batch_id="1234567")
    task._note_published({**RECORD, "status": status})
    task.get_openlineage_facets_on_complete(TASK_INSTANCE)
    assert client.events == []


@pytest.mark.parametrize("value", ["False", "perhaps", None])
def test_it_is_off_unless_it_is_switched_on(
    client: Client, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW__OMICS__LINEAGE_RUN")
    if value is not None:
        monkeypatch.setenv("AIRFLOW__OMICS__LINEAGE_RUN", value)
    assert len(complete(RECORD).inputs) == 1
    assert client.events == []


def test_a_transport_that_fails_changes_nothing_about_the_task(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(event: Any) -> None:
        raise ConnectionError("no backend")

    monkeypatch.setattr(client, "emit", refuse)
    assert len(complete(RECORD).outputs) == 1


def test_a_task_without_a_record_tells_nothing_of_the_run(client: Client) -> None:
    gate(None).get_openlineage_facets_on_failure(TASK_INSTANCE)
    assert client.events == []
