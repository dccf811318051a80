"""What runs leave in CloudWatch Logs and S3."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from airflow_omics.emulator import Emulator, EmulatorServer

from .support import DATA, aws, start

GROUP = "/aws/omics/WorkflowLog"


@pytest.fixture(autouse=True)
def _frozen(emulator: Emulator) -> None:
    emulator.freeze()


def streams() -> list[str]:
    logs = aws("logs")
    try:
        found = logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [stream["logStreamName"] for stream in found]


def lines(stream: str) -> list[str]:
    logs = aws("logs")
    answer = logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True)
    return [event["message"] for event in answer["events"]]


def keys(bucket: str = "omics-outputs") -> list[str]:
    found = aws("s3").list_objects_v2(Bucket=bucket)
    return [item["Key"] for item in found.get("Contents", [])]


def test_a_completed_run_has_every_stream(client: Any, emulator: Emulator) -> None:
    run = start(client)
    emulator.advance(3600)
    tasks = [task["taskId"] for task in client.list_run_tasks(id=run["id"])["items"]]
    assert set(streams()) == {
        f"run/{run['id']}",
        f"run/{run['id']}/engine",
        *(f"run/{run['id']}/task/{task}" for task in tasks),
        f"manifest/run/{run['id']}/{run['uuid']}",
    }


def test_the_run_log_of_a_failed_run_has_the_recorded_lines(client: Any, emulator: Emulator) -> None:
    recorded = [json.loads(line) for line in (DATA / "run_log_failed_run.jsonl").read_text().splitlines()]
    run = start(client, "failed-run-task-failed")
    emulator.advance(3600)
    written = [json.loads(line) for line in lines(f"run/{run['id']}")]
    assert all(set(line) == {"runStatus", "logMessage", "message"} for line in written)
    coded = [(line["runStatus"], line["logMessage"]) for line in written]
    remaining = iter(coded)
    assert all((line["runStatus"], line["logMessage"]) in remaining for line in recorded)
    said = {line["logMessage"]: line["message"] for line in written}
    for line in recorded:
        if line["logMessage"] not in ("SET_WORKFLOW_TIMEOUT", "TASK_FAILED"):
            assert said[line["logMessage"]] == line["message"]
    (failed,) = client.list_run_tasks(id=run["id"], status="FAILED")["items"]
    assert said["TASK_FAILED"] == (
        f"Workflow run task: name: CallVariants and taskId: {failed['taskId']} failed."
    )
    assert said["SET_WORKFLOW_TIMEOUT"] == "Your workflow will be timed out after: 10080 minutes."


def test_logs_grow_as_the_run_goes_on(client: Any, emulator: Emulator) -> None:
    run = start(client)
    stream = f"run/{run['id']}"
    assert len(lines(stream)) == 1
    emulator.advance(3)
    assert len(lines(stream)) == 3
    assert not any(name.startswith("manifest/") for name in streams())
    emulator.advance(560)
    assert len(lines(stream)) == 4
    assert lines(stream)[-1] == (
        '{"runStatus":"RUNNING","logMessage":"RUNNING_WORKFLOW","message":"Your workflow is now running."}'
    )
    assert len(lines(stream)) == 4


def test_the_manifest_describes_the_run_and_its_tasks(client: Any, emulator: Emulator) -> None:
    run = start(client, name="NA12878")
    emulator.advance(3600)
    record = client.get_run(id=run["id"])
    of_run, *tasks = [json.loads(line) for line in lines(f"manifest/run/{run['id']}/{run['uuid']}")]
    assert (of_run["arn"], of_run["uuid"], of_run["name"], of_run["status"]) == (
        run["arn"],
        run["uuid"],
        "NA12878",
        "COMPLETED",
    )
    assert of_run["workflow"] == "arn:aws:omics:us-west-2:123456789012:workflow/1234567"
    seconds = (record["stopTime"] - record["startTime"]).total_seconds()
    assert of_run["metrics"]["runningSeconds"] == pytest.approx(seconds, abs=0.002)
    assert [task["name"] for task in tasks] == ["AlignReads", "CallVariants"]
    for task in tasks:
        assert task["arn"].startswith("arn:aws:omics:us-west-2:123456789012:task/")
        assert task["run"] == run["arn"]
        assert {"cpusReserved", "memoryReservedGiB", "runningSeconds"} <= set(task["metrics"])
    assert (tasks[0]["metrics"]["cpusReserved"], tasks[0]["metrics"]["memoryReservedGiB"]) == (4, 8)


def test_cached_tasks_have_no_metrics_in_the_manifest(client: Any, emulator: Emulator) -> None:
    run = start(client, "completed-with-cached-tasks")
    emulator.advance(3600)
    _, *tasks = [json.loads(line) for line in lines(f"manifest/run/{run['id']}/{run['uuid']}")]
    assert len(tasks) == 2
    assert not any({"creationTime", "metrics"} & set(task) for task in tasks)


def test_log_level_off_writes_no_logs(client: Any, emulator: Emulator) -> None:
    run = start(client, logLevel="OFF")
    emulator.advance(3600)
    assert "logLocation" not in client.get_run(id=run["id"])
    assert streams() == []
    assert keys() == [f"runs/{run['id']}/logs/outputs.json", f"runs/{run['id']}/out/variants/sample.vcf"]


def test_a_completed_run_leaves_its_outputs_in_s3(client: Any, emulator: Emulator) -> None:
    s3 = aws("s3")
    s3.create_bucket(Bucket="omics-outputs", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    run = start(client)
    emulator.advance(1100)
    assert keys() == []
    emulator.advance(3600)
    folder = f"runs/{run['id']}"
    assert keys() == [
        f"{folder}/logs/engine.log",
        f"{folder}/logs/outputs.json",
        f"{folder}/out/variants/sample.vcf",
    ]
    text = s3.get_object(Bucket="omics-outputs", Key=f"{folder}/logs/outputs.json")["Body"].read()
    assert json.loads(text) == {"emulated.variants": f"s3://omics-outputs/{folder}/out/variants/sample.vcf"}


def test_a_bucket_that_is_missing_is_made(
    client: Any, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="airflow_omics.emulator")
    start(client, outputUri="s3://not-there-yet/x")
    emulator.advance(3600)
    assert len(keys("not-there-yet")) == 3
    assert "bucket not-there-yet does not exist; the emulator makes it" in caplog.text


def test_a_bucket_that_cannot_be_written_is_only_logged(
    client: Any, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    run = start(client, outputUri=f"s3://{'b' * 80}/x")
    emulator.advance(3600)
    emulator.settle()
    assert "could not be written" in caplog.text
    assert client.get_run(id=run["id"])["status"] == "COMPLETED"


@pytest.mark.parametrize("life", ["cancelled", "failed-export-failed", "failed-assume-role-failed"])
def test_runs_without_an_export_leave_nothing_in_s3(life: str, client: Any, emulator: Emulator) -> None:
    start(client, life)
    emulator.advance(3600)
    assert aws("s3").list_buckets()["Buckets"] == []


def test_logs_and_outputs_outlive_the_run(client: Any, emulator: Emulator) -> None:
    run = start(client)
    emulator.advance(3600)
    client.delete_run(id=run["id"])
    assert lines(f"run/{run['id']}")
    assert keys()


def test_it_is_the_same_over_http(server: EmulatorServer, connect: Callable[..., Any]) -> None:
    run = start(connect())
    server.control.advance(3600)
    logs, s3 = connect("logs"), connect("s3")
    stream = f"manifest/run/{run['id']}/{run['uuid']}"
    assert len(logs.get_log_events(logGroupName=GROUP, logStreamName=stream)["events"]) == 3
    assert len(s3.list_objects_v2(Bucket="omics-outputs")["Contents"]) == 3
