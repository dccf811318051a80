"""Faults of CloudWatch Logs, in process and over HTTP."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from airflow_omics.emulator import EmulatorClient, EmulatorServer, mock_omics

GROUP = "/aws/omics/WorkflowLog"
ONE_ATTEMPT = Config(retries={"total_max_attempts": 1}, inject_host_prefix=False)


def read(logs: Any, run_id: str) -> Any:
    return logs.get_log_events(logGroupName=GROUP, logStreamName=f"run/{run_id}", startFromHead=True)[
        "events"
    ]


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("access-denied", "AccessDeniedException"),
        ("throttle", "ThrottlingException"),
        ("internal-error", "InternalServerException"),
    ],
)
def test_a_log_can_be_denied_throttled_or_broken(kind: str, code: str) -> None:
    with mock_omics() as control:
        [run_id] = control.start_runs(1, logs=True, region_name="us-east-1")
        logs = boto3.client("logs", region_name="us-east-1", config=ONE_ATTEMPT)
        control.fault("GetLogEvents", kind, times=1)
        with pytest.raises(ClientError) as caught:
            read(logs, run_id)
        assert caught.value.response["Error"]["Code"] == code
        assert read(logs, run_id)


def test_a_denial_names_the_action_of_cloudwatch_logs() -> None:
    with mock_omics() as control:
        control.fault("DescribeLogStreams", "access-denied")
        logs = boto3.client("logs", region_name="us-east-1", config=ONE_ATTEMPT)
        with pytest.raises(ClientError, match="not authorized to perform: logs:DescribeLogStreams"):
            logs.describe_log_streams(logGroupName=GROUP)


def test_a_fault_of_every_operation_leaves_the_logs_alone() -> None:
    with mock_omics() as control:
        [run_id] = control.start_runs(1, logs=True, region_name="us-east-1")
        control.fault("*", "access-denied")
        assert read(boto3.client("logs", region_name="us-east-1", config=ONE_ATTEMPT), run_id)


def test_a_fault_may_be_for_one_runs_streams() -> None:
    with mock_omics() as control:
        denied, allowed = control.start_runs(2, logs=True, region_name="us-east-1")
        control.fault("GetLogEvents", "access-denied", run_id=denied)
        logs = boto3.client("logs", region_name="us-east-1", config=ONE_ATTEMPT)
        assert read(logs, allowed)
        with pytest.raises(ClientError):
            read(logs, denied)


def test_the_logs_have_faults_and_run_groups_have_limits_over_http() -> None:
    with EmulatorServer() as server:
        control = EmulatorClient(server.endpoint_url)
        [run_id] = control.start_runs(1, logs=True, region_name="us-east-1")
        control.fault("GetLogEvents", "access-denied")
        control.run_group("77", name="cohort", max_runs=3, region_name="us-east-1")
        keys = {
            "endpoint_url": server.endpoint_url,
            "region_name": "us-east-1",
            "aws_access_key_id": "a",
            "aws_secret_access_key": "b",
            "config": ONE_ATTEMPT,
        }
        with pytest.raises(ClientError, match="AccessDeniedException"):
            read(boto3.client("logs", **keys), run_id)
        group = boto3.client("omics", **keys).get_run_group(id="77")
        assert (group["id"], group["name"], group["maxRuns"]) == ("77", "cohort", 3)
        assert "maxDuration" not in group


@pytest.mark.parametrize("kind", ["hang", "drop", "html"])
def test_a_fault_that_is_no_error_is_refused_for_the_logs(kind: str) -> None:
    with (
        mock_omics() as control,
        pytest.raises(ValueError, match=f"fault '{kind}' cannot strike GetLogEvents"),
    ):
        control.fault("GetLogEvents", kind)
