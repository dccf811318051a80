"""What a run's manifest says, as the tools that read it want it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_omics.emulator import EmulatorServer, Life, Stage, Task

from .support import start

GROUP = "/aws/omics/WorkflowLog"
HERE = "arn:aws:omics:us-west-2:123456789012:"


@pytest.fixture
def manifest(server: EmulatorServer, connect: Callable[..., Any]) -> Callable[..., list[dict[str, Any]]]:
    """Start a run, let it end, and read its manifest: the run, then its tasks."""
    server.control.freeze()

    def read(life: str | None = None, **members: Any) -> list[dict[str, Any]]:
        client, logs = connect(), connect("logs")
        known = client.meta.service_model.operation_model("StartRun").input_shape.members
        run = start(client, life, **{name: value for name, value in members.items() if name in known})
        server.control.advance(86_400)
        stream = f"manifest/run/{run['id']}/{run['uuid']}"
        events = logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True)["events"]
        return [json.loads(event["message"]) for event in events]

    return read


def test_it_names_group_cache_version_and_source_by_arn(
    manifest: Callable[..., Any], connect: Callable[..., Any]
) -> None:
    first = start(connect())
    run, *_ = manifest(
        runId=first["id"],
        runGroupId="4445556",
        cacheId="1112223",
        cacheBehavior="CACHE_ON_FAILURE",
        workflowVersionName="3.0.0",
        priority=3,
        retentionMode="REMOVE",
    )
    assert run["runGroup"] == f"{HERE}runGroup/4445556"
    assert run["runCache"] == f"{HERE}runCache/1112223"
    assert run["runCacheBehavior"] == "CACHE_ON_FAILURE"
    assert run["run"] == f"{HERE}run/{first['id']}"
    known = connect().meta.service_model.operation_model("StartRun").input_shape.members
    versions = [f"{HERE}workflow/1234567/version/3.0.0"] if "workflowVersionName" in known else []
    assert [run[name] for name in ("workflowVersion",) if name in run] == versions
    assert (run["priority"], run["retentionMode"], run["logLevel"]) == (3, "REMOVE", "ALL")


def test_what_a_run_does_not_have_is_left_out(manifest: Callable[..., Any]) -> None:
    run, *_ = manifest()
    assert not {
        "run",
        "runGroup",
        "runCache",
        "runCacheBehavior",
        "workflowVersion",
        "workflowOwnerId",
    } & set(run)
    assert None not in run.values()


def test_it_names_engine_and_main_file(manifest: Callable[..., Any], connect: Callable[..., Any]) -> None:
    run, *_ = manifest()
    assert (run["engine"], run["main"]) == ("WDL", "main.wdl")
    known = connect().meta.service_model.operation_model("StartRun").input_shape.members
    # Only Nextflow has settings.
    run, *_ = manifest(engineSettings={"engineVersion": "24.10.8"})
    expected = ("NEXTFLOW", "main.nf") if "engineSettings" in known else ("WDL", "main.wdl")
    assert (run["engine"], run["main"]) == expected


@pytest.mark.parametrize(
    ("members", "workflow"),
    [
        ({}, f"{HERE}workflow/1234567"),
        ({"workflowType": "READY2RUN"}, "arn:aws:omics:us-west-2::workflow/1234567"),
        ({"workflowOwnerId": "210987654321"}, "arn:aws:omics:us-west-2:210987654321:workflow/1234567"),
    ],
)
def test_the_workflow_is_its_owner_s(
    members: dict[str, Any], workflow: str, manifest: Callable[..., Any]
) -> None:
    run, *_ = manifest(**members)
    assert run["workflow"] == workflow
    assert run.get("workflowOwnerId") == members.get("workflowOwnerId")


def test_a_task_names_the_digest_of_its_image(manifest: Callable[..., Any]) -> None:
    run, *tasks = manifest()
    assert len(tasks) == 2
    for task in tasks:
        assert task["image"] == "123456789012.dkr.ecr.us-west-2.amazonaws.com/amazonlinux:2023"
        assert task["imageDigest"] == run["resourceDigests"][task["image"]]


def test_a_task_out_of_memory_used_all_of_it(manifest: Callable[..., Any]) -> None:
    _, sound, failed = manifest("failed-out-of-memory-error")
    assert failed["failureReason"] == "OUT_OF_MEMORY_ERROR"
    assert failed["metrics"]["memoryMaximumGiB"] == failed["metrics"]["memoryReservedGiB"] == 8
    assert failed["metrics"]["memoryAverageGiB"] < 8
    assert sound["metrics"]["memoryMaximumGiB"] < sound["metrics"]["memoryReservedGiB"]


def test_a_task_of_your_own_life_out_of_memory_did_as_well(
    manifest: Callable[..., Any], server: EmulatorServer
) -> None:
    task = Task(
        "Sort",
        stages=(Stage("RUNNING", 60), Stage("FAILED")),
        cpus=16,
        memory=60,
        instance_type="omics.m.4xlarge",
        failure_reason="OUT_OF_MEMORY_ERROR",
    )
    stages = (Stage("PENDING", 1), Stage("RUNNING", 90), Stage("FAILED"))
    server.control.add_life(Life("too-big", stages, failure_reason="RUN_TASK_FAILED", tasks=(task,)))
    _, failed = manifest("too-big")
    assert failed["metrics"]["memoryMaximumGiB"] == 64


def test_a_run_out_of_disk_used_all_of_it(manifest: Callable[..., Any]) -> None:
    life = "failed-file-system-out-of-space"
    run, *_ = manifest(life, storageType="STATIC", storageCapacity=2400)
    assert run["metrics"]["storageMaximumGiB"] == run["metrics"]["storageReservedGiB"] == 2400
    run, *_ = manifest("completed", storageType="STATIC", storageCapacity=2400)
    assert run["metrics"]["storageMaximumGiB"] < 100
