"""What runs left in CloudWatch Logs and S3 is dated when they wrote it, whenever it is first read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_omics.emulator import EmulatorServer

from .support import start

GROUP = "/aws/omics/WorkflowLog"
DAY = 86_400


@pytest.fixture(autouse=True)
def _frozen(server: EmulatorServer) -> None:
    server.control.freeze()


def streams(logs: Any, prefix: str) -> dict[str, dict[str, Any]]:
    found = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=prefix)["logStreams"]
    return {stream["logStreamName"]: stream for stream in found}


def millis(moment: Any) -> int:
    return int(round(moment.timestamp() * 1000, 3))


def test_a_stream_is_as_old_as_its_first_event_and_as_young_as_its_last(
    server: EmulatorServer, connect: Callable[..., Any]
) -> None:
    client, logs = connect(), connect("logs")
    run = start(client)
    server.control.advance(3600)
    found = {
        **streams(logs, f"run/{run['id']}"),
        **streams(logs, f"manifest/run/{run['id']}"),
    }
    assert len(found) == 5
    for name, stream in found.items():
        events = logs.get_log_events(logGroupName=GROUP, logStreamName=name, startFromHead=True)["events"]
        moments = [event["timestamp"] for event in events]
        assert stream["creationTime"] == stream["firstEventTimestamp"] == min(moments), name
        assert stream["lastIngestionTime"] == stream["lastEventTimestamp"] == max(moments), name
        assert [event["ingestionTime"] for event in events] == moments, name
    record = client.get_run(id=run["id"])
    assert found[f"run/{run['id']}"]["creationTime"] == millis(record["creationTime"])
    assert found[f"manifest/run/{run['id']}/{run['uuid']}"]["creationTime"] == millis(record["stopTime"])
    (group,) = logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]
    assert group["creationTime"] == min(stream["creationTime"] for stream in found.values())


def test_runs_of_several_days_first_read_at_once_keep_their_days(
    server: EmulatorServer, connect: Callable[..., Any]
) -> None:
    client, logs, s3 = connect(), connect("logs"), connect("s3")
    runs = []
    for _ in range(3):
        runs.append(start(client)["id"])
        server.control.advance(DAY)
    ended = [client.get_run(id=run)["stopTime"] for run in runs]
    manifests = streams(logs, "manifest/run/")
    written = [
        stream["creationTime"] for run in runs for name, stream in manifests.items() if f"/{run}/" in name
    ]
    assert written == [millis(moment) for moment in ended]
    assert written[2] - written[0] == 2 * DAY * 1000
    for run, moment in zip(runs, ended, strict=True):
        for item in s3.list_objects_v2(Bucket="omics-outputs", Prefix=f"runs/{run}/")["Contents"]:
            # S3 gives whole seconds.
            assert item["LastModified"] == moment.replace(microsecond=0)
            head = s3.head_object(Bucket="omics-outputs", Key=item["Key"])
            assert head["LastModified"] == moment.replace(microsecond=0)
    (bucket,) = s3.list_buckets()["Buckets"]
    assert bucket["CreationDate"] == ended[0].replace(microsecond=0)


def test_a_log_that_is_read_as_it_grows_is_ingested_as_it_grows(
    server: EmulatorServer, connect: Callable[..., Any]
) -> None:
    client, logs = connect(), connect("logs")
    run = start(client)
    created = millis(client.get_run(id=run["id"])["creationTime"])
    name = f"run/{run['id']}"
    assert streams(logs, name)[name]["lastIngestionTime"] == created
    server.control.advance(3)
    stream = streams(logs, name)[name]
    assert (stream["creationTime"], stream["lastIngestionTime"]) == (created, created + 2000)


def test_a_group_and_a_bucket_that_were_there_before_keep_their_dates(
    server: EmulatorServer, connect: Callable[..., Any]
) -> None:
    client, logs, s3 = connect(), connect("logs"), connect("s3")
    logs.create_log_group(logGroupName=GROUP)
    s3.create_bucket(Bucket="omics-outputs", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    before = logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"][0]["creationTime"]
    made = s3.list_buckets()["Buckets"][0]["CreationDate"]
    server.control.advance(DAY)
    start(client)
    server.control.advance(DAY)
    assert logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"][0]["creationTime"] == before
    assert s3.list_buckets()["Buckets"][0]["CreationDate"] == made


def test_the_run_that_started_first_may_be_the_last_to_write_its_outputs(
    server: EmulatorServer, connect: Callable[..., Any]
) -> None:
    client = connect()
    queued = start(client, "completed-after-queueing")["id"]
    quick = start(client)["id"]
    server.control.advance(DAY)
    s3 = connect("s3")
    contents = s3.list_objects_v2(Bucket="omics-outputs")["Contents"]
    dates = {item["Key"].split("/")[1]: item["LastModified"] for item in contents}
    assert dates[quick] < dates[queued]
    assert s3.list_buckets()["Buckets"][0]["CreationDate"] == dates[quick]
    (group,) = connect("logs").describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]
    assert group["creationTime"] == millis(client.get_run(id=queued)["creationTime"])
