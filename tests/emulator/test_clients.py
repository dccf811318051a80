"""Clients that others wrote: some steps of the AWS CLI, and boto3's paginators and waiters.

``make clients`` drives more of them, and further.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.exceptions import WaiterError

from airflow_omics.emulator import EmulatorServer, Life, Stage, Task
from airflow_omics.emulator.service.operations import OPERATIONS
from airflow_omics.emulator.wire.model import service_model
from scripts.setup import clients
from scripts.setup.programs import aws_cli
from tests.clients import KINDS, table
from tests.clients.aws_cli import AwsCli
from tests.clients.bench import take

from .support import ROLE, start, zipped

pytestmark = pytest.mark.any_airflow

MANY = 103
"""More than one page of any size."""


@pytest.fixture(scope="module")
def shared() -> Iterator[EmulatorServer]:
    """One server for all, which each test finds as new."""
    with EmulatorServer() as running:
        yield running


@pytest.fixture
def server(shared: EmulatorServer) -> EmulatorServer:
    shared.control.reset()
    shared.control.freeze()
    return shared


# -- the AWS CLI ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("start-run, get-run", ()),
        ("list-runs, page by page", ()),
        ("wait run-completed", ()),
        ("logs get-log-events of a run, its engine, a task, the manifest", ()),
        ("get-run --export DEFINITION, and fetch it", ("CreateWorkflow",)),
        ("start-run-batch, get-batch, list-batch, list-runs-in-batch", ("StartRunBatch",)),
        ("is told what is not emulated", ()),
    ],
)
def test_the_aws_cli(name: str, needs: tuple[str, ...], server: EmulatorServer, tmp_path: Path) -> None:
    if missing := set(needs) - set(service_model().operation_names):
        pytest.skip(f"this botocore has no {', '.join(missing)}, and so the emulator has none")
    client = AwsCli(aws_cli().parents[1], server, tmp_path)
    [one] = [one for one in client.steps() if one.name == name]
    result = take(client, one)
    assert table.said(result) == "passed"


# -- paginators ----------------------------------------------------------------------------------------------


def _runs(server: EmulatorServer, connect: Any) -> tuple[dict[str, Any], list[str]]:
    return {}, server.control.start_runs(MANY, region_name="us-west-2")


def _run_tasks(server: EmulatorServer, connect: Any) -> tuple[dict[str, Any], list[str]]:
    names = [f"Task{n}" for n in range(MANY)]
    stages = (Stage("PENDING", 1), Stage("RUNNING", 600), Stage("COMPLETED"))
    tasks = tuple(Task(name, at=n / 1000, cpus=1, memory=2) for n, name in enumerate(names))
    server.control.add_life(Life("many-tasks", stages=stages, tasks=tasks))
    run_id = start(connect(), "many-tasks")["id"]
    server.control.advance(3600)
    return {"id": run_id}, names


def _workflows(server: EmulatorServer, connect: Any) -> tuple[dict[str, Any], list[str]]:
    ids = [f"{1_000_000 + n}" for n in range(MANY)]
    for workflow_id in ids:
        server.control.workflow(workflow_id, name="many", region_name="us-west-2")
    return {}, ids


def _workflow_versions(server: EmulatorServer, connect: Any) -> tuple[dict[str, Any], list[str]]:
    names = [f"1.0.{n}" for n in range(MANY)]
    server.control.workflow("1000000", name="many", versions=names, region_name="us-west-2")
    return {"workflowId": "1000000"}, names


def _run_groups(server: EmulatorServer, connect: Any) -> tuple[dict[str, Any], list[str]]:
    client = connect()
    return {}, [client.create_run_group(name="many", maxRuns=1)["id"] for _ in range(MANY)]


def _run_caches(server: EmulatorServer, connect: Any) -> tuple[dict[str, Any], list[str]]:
    client, place = connect(), "s3://omics-cache/kept"
    return {}, [client.create_run_cache(cacheS3Location=place)["id"] for _ in range(MANY)]


def _configurations(server: EmulatorServer, connect: Any) -> tuple[dict[str, Any], list[str]]:
    vpc = {"vpcConfig": {"securityGroupIds": ["sg-1234567"], "subnetIds": ["subnet-1234567"]}}
    names = [f"private-{n}" for n in range(MANY)]
    client = connect()
    for name in names:
        client.create_configuration(name=name, runConfigurations=vpc)
    return {}, names


def _batch(client: Any, settings: dict[str, Any]) -> str:
    common = {"workflowId": "1234567", "roleArn": ROLE, "outputUri": "s3://omics-outputs/runs"}
    return str(client.start_run_batch(defaultRunSetting=common, batchRunSettings=settings)["id"])


def _batches(server: EmulatorServer, connect: Any) -> tuple[dict[str, Any], list[str]]:
    one = {"inlineSettings": [{"runSettingId": "a"}]}
    client = connect()
    return {}, [_batch(client, one) for _ in range(MANY)]


def _runs_in_batch(server: EmulatorServer, connect: Any) -> tuple[dict[str, Any], list[str]]:
    names = [f"s-{n}" for n in range(MANY)]
    bucket = connect("s3", "us-east-1")
    bucket.create_bucket(Bucket="settings")
    bucket.put_object(
        Bucket="settings", Key="all.json", Body=json.dumps([{"runSettingId": name} for name in names])
    )
    batch_id = _batch(connect(), {"s3UriSettings": "s3://settings/all.json"})
    server.control.advance(7200)
    return {"batchId": batch_id}, names


# What makes them, the member of an answer that has them, and what each is known by.
PAGED: dict[str, tuple[Callable[..., Any], str, str]] = {
    "ListRuns": (_runs, "items", "id"),
    "ListRunTasks": (_run_tasks, "items", "name"),
    "ListWorkflows": (_workflows, "items", "id"),
    "ListWorkflowVersions": (_workflow_versions, "items", "versionName"),
    "ListRunGroups": (_run_groups, "items", "id"),
    "ListRunCaches": (_run_caches, "items", "id"),
    "ListConfigurations": (_configurations, "items", "name"),
    "ListBatch": (_batches, "items", "id"),
    "ListRunsInBatch": (_runs_in_batch, "runs", "runSettingId"),
}


def _emulated(names: Any) -> list[str]:
    return sorted(name for name in names if name in OPERATIONS)


def _described(kind: str) -> dict[str, Any]:
    """Return what botocore knows of the paginators or waiters of HealthOmics."""
    loader = botocore.session.get_session().get_component("data_loader")
    name, key = {"paginator": ("paginators-1", "pagination"), "waiter": ("waiters-2", "waiters")}[kind]
    found: dict[str, Any] = loader.load_service_model("omics", name)[key]
    return found


@pytest.mark.parametrize("operation", _emulated(_described("paginator")))
def test_a_paginator_of_boto3_finds_all_and_none_twice(
    operation: str, server: EmulatorServer, connect: Callable[..., Any]
) -> None:
    make, member, key = PAGED[operation]
    client = connect()
    members, made = make(server, connect)
    limit = _described("paginator")[operation]["limit_key"]
    most = service_model().operation_model(operation).input_shape.members[limit].metadata["max"]
    paginator = client.get_paginator(xform_name(operation))
    for size in sorted({min(size, most) for size in (1, 2, 7, 100)}):
        pages = list(paginator.paginate(**members, PaginationConfig={"PageSize": size}))
        assert max(len(page[member]) for page in pages) <= size
        found = [each[key] for page in pages for each in page[member]]
        assert sorted(found) == sorted(made), size


# -- waiters -------------------------------------------------------------------------------------------------


def _run(client: Any, life: str | None) -> dict[str, str]:
    return {"id": start(client, life)["id"]}


def _task(client: Any, life: str | None) -> dict[str, str]:
    # A task is PENDING when it is first listed.
    run_id = start(client, life)["id"]
    while not (tasks := client.list_run_tasks(id=run_id)["items"]):
        client.get_run(id=run_id)
    return {"id": run_id, "taskId": tasks[-1]["taskId"]}


def _workflow(client: Any, content: bytes) -> dict[str, str]:
    return {"id": client.create_workflow(name="greet", definitionZip=content)["id"]}


def _workflow_version(client: Any, content: bytes) -> dict[str, str]:
    workflow = _workflow(client, GOOD)
    client.get_waiter("workflow_active").wait(**workflow, WaiterConfig=AT_ONCE)
    version = {"workflowId": workflow["id"], "versionName": "1.0.1"}
    client.create_workflow_version(**version, definitionZip=content)
    return version


AT_ONCE = {"Delay": 0, "MaxAttempts": 200}
GOOD, BAD = zipped({"main.wdl": "version 1.0\nworkflow greet {}\n"}), b"no zip at all"
# What makes it, that with which it succeeds, and that with which it does not.
WAITERS: dict[str, tuple[Callable[..., dict[str, str]], Any, Any]] = {
    "RunRunning": (_run, "completed", "failed-assume-role-failed"),
    "RunCompleted": (_run, "completed", "failed-out-of-memory-error"),
    "TaskRunning": (_task, "completed", "task-fails"),
    "TaskCompleted": (_task, "completed", "task-fails"),
    "WorkflowActive": (_workflow, GOOD, BAD),
    "WorkflowVersionActive": (_workflow_version, GOOD, BAD),
}


def _waiters() -> list[str]:
    return sorted(name for name, each in _described("waiter").items() if each["operation"] in OPERATIONS)


@pytest.fixture
def turning(server: EmulatorServer, connect: Callable[..., Any]) -> Any:
    """A client each answer of which takes 30 seconds of service time, so that nobody has to wait."""
    # It never runs: its container cannot be started.
    stages = (Stage("PENDING", 4), Stage("STARTING", 120), Stage("FAILED"))
    run = (Stage("PENDING", 2), Stage("RUNNING", 600), Stage("FAILED"))
    server.control.add_life(Life("task-fails", stages=run, tasks=(Task("Sort", at=60, stages=stages),)))
    client = connect()
    client.meta.events.register("after-call.omics", lambda **_: server.control.advance(30))
    return client


@pytest.mark.parametrize("name", _waiters())
def test_a_waiter_of_boto3_waits_until_it_is_so(name: str, server: EmulatorServer, turning: Any) -> None:
    make, good, _ = WAITERS[name]
    about = make(turning, good)
    operation = _described("waiter")[name]["operation"]
    before = server.control.counts().get(operation, 0)
    turning.get_waiter(xform_name(name)).wait(**about, WaiterConfig=AT_ONCE)
    assert server.control.counts()[operation] > before
    status = getattr(turning, xform_name(operation))(**about)["status"]
    assert status in ({"ACTIVE"} if "Workflow" in name else {"RUNNING", "COMPLETED"})


@pytest.mark.parametrize("name", _waiters())
def test_a_waiter_of_boto3_ends_when_it_will_never_be_so(name: str, turning: Any) -> None:
    make, _, bad = WAITERS[name]
    about = make(turning, bad)
    with pytest.raises(WaiterError, match="terminal failure state"):
        turning.get_waiter(xform_name(name)).wait(**about, WaiterConfig=AT_ONCE)


# -- the page ------------------------------------------------------------------------------------------------


def test_the_page_says_what_every_client_does_at_its_version() -> None:
    text = re.sub(r"\\([|<>*_\[\]])", r"\1", table.written())
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    versions = {row[0]: row[1] for row in rows if len(row) > 3}
    del versions["client"]
    assert versions == {kind.title: clients.version(name) for name, kind in KINDS.items()}
    results = [row for row in rows if len(row) == 3 and row[0] in versions]
    for kind in KINDS.values():
        done = [name for title, steps, _ in results if title == kind.title for name in steps.split("; ")]
        assert sorted(done) == sorted(one.name for one in kind.steps())
    for *_, result in results:
        assert result == "passed" or result.startswith("the client's own bug: "), result
