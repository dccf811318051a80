"""CloudWatch Logs of our own group, where moto's answers are not AWS's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_omics.emulator import EmulatorServer, mock_omics

from .support import aws, refused, start

GROUP = "/aws/omics/WorkflowLog"
STREAM_MISSING = ("ResourceNotFoundException", 400, "The specified log stream does not exist.")
GROUP_MISSING = ("ResourceNotFoundException", 400, "The specified log group does not exist.")


@pytest.fixture
def runs(server: EmulatorServer, connect: Callable[..., Any]) -> list[str]:
    """Two runs that have ended."""
    server.control.freeze()
    started = [start(connect())["id"] for _ in range(2)]
    server.control.advance(3600)
    return started


def streams(answer: dict[str, Any]) -> set[str]:
    return {event["logStreamName"] for event in answer["events"]}


def test_events_are_filtered_by_the_prefix_of_their_stream(
    runs: list[str], connect: Callable[..., Any]
) -> None:
    logs, (one, _) = connect("logs"), runs
    found = streams(logs.filter_log_events(logGroupName=GROUP, logStreamNamePrefix=f"run/{one}/"))
    assert f"run/{one}/engine" in found
    assert len(found) == 3
    assert {name.split("/")[1] for name in found} == {one}
    manifests = logs.filter_log_events(logGroupName=GROUP, logStreamNamePrefix="manifest/run/")
    assert len(streams(manifests)) == 2
    everything = logs.filter_log_events(logGroupName=GROUP)
    assert len(streams(everything)) == 10


def test_a_prefix_of_no_stream_finds_nothing(runs: list[str], connect: Callable[..., Any]) -> None:
    answer = connect("logs").filter_log_events(logGroupName=GROUP, logStreamNamePrefix="run/0/")
    assert answer["events"] == []
    assert "nextToken" not in answer


def test_a_prefix_holds_for_every_page_and_together_with_a_pattern(
    runs: list[str], connect: Callable[..., Any]
) -> None:
    logs, (one, _) = connect("logs"), runs
    wanted = {"logGroupName": GROUP, "logStreamNamePrefix": f"run/{one}"}
    whole = logs.filter_log_events(**wanted)["events"]
    pages = logs.get_paginator("filter_log_events").paginate(**wanted, PaginationConfig={"PageSize": 3})
    paged = [event for page in pages for event in page["events"]]
    assert [event["eventId"] for event in paged] == [event["eventId"] for event in whole]
    some = logs.filter_log_events(**wanted, filterPattern="RUN_COMPLETED")["events"]
    assert [event["logStreamName"] for event in some] == [f"run/{one}"]


def test_names_and_prefix_exclude_each_other(runs: list[str], connect: Callable[..., Any]) -> None:
    both = {"logStreamNames": [f"run/{runs[0]}"], "logStreamNamePrefix": "run/"}
    code, status, message = refused(connect("logs").filter_log_events, logGroupName=GROUP, **both)
    assert (code, status) == ("InvalidParameterException", 400)
    assert message == "logStreamNames and logStreamNamePrefix cannot be given together"


def test_a_stream_that_is_missing_is_not_a_group_that_is(
    runs: list[str], connect: Callable[..., Any]
) -> None:
    logs = connect("logs")
    named = {"logStreamName": "run/0/engine"}
    assert refused(logs.get_log_events, logGroupName=GROUP, **named) == STREAM_MISSING
    arn = f"arn:aws:logs:us-west-2:123456789012:log-group:{GROUP}"
    assert refused(logs.get_log_events, logGroupIdentifier=arn, **named) == STREAM_MISSING
    assert refused(logs.get_log_events, logGroupName="/another", **named) == GROUP_MISSING


def test_before_the_first_run_the_group_is_missing(connect: Callable[..., Any]) -> None:
    logs = connect("logs")
    assert refused(logs.get_log_events, logGroupName=GROUP, logStreamName="run/1") == GROUP_MISSING
    assert refused(logs.filter_log_events, logGroupName=GROUP, logStreamNamePrefix="run/") == GROUP_MISSING


def test_other_groups_are_left_to_moto(connect: Callable[..., Any]) -> None:
    logs = connect("logs")
    logs.create_log_group(logGroupName="/another")
    assert refused(logs.get_log_events, logGroupName="/another", logStreamName="a")[0] == GROUP_MISSING[0]
    assert logs.filter_log_events(logGroupName="/another", logStreamNamePrefix="a")["events"] == []


def test_it_is_the_same_in_process() -> None:
    with mock_omics() as control:
        one, _ = control.start_runs(2, logs=True, region_name="us-west-2")
        control.advance(3600)
        logs = aws("logs")
        found = logs.filter_log_events(logGroupName=GROUP, logStreamNamePrefix=f"run/{one}")
        assert {name.split("/")[1] for name in streams(found)} == {one}
        assert refused(logs.get_log_events, logGroupName=GROUP, logStreamName="run/0") == STREAM_MISSING
