"""AWS's MCP server for HealthOmics, over stdio: JSON-RPC, a message a line."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .bench import (
    COMMON,
    OUTPUT,
    ROLE,
    WDL,
    Client,
    KnownBug,
    Step,
    expect,
    expect_in,
    last_line,
    step,
    zipped,
)

_PROTOCOL = "2025-06-18"
_VPC = {"vpcConfig": {"securityGroupIds": ["sg-1234567"], "subnetIds": ["subnet-1234567"]}}
_BATCH_ID = KnownBug("it sends `id`, and the operation has `batchId`", 'Unknown parameter in input: "id"')
_PAGE = KnownBug(
    "it sends `maxResults`, and the operation has `maxItems`", 'Unknown parameter in input: "maxResults"'
)
_PAGE_OF_100 = KnownBug(
    "it asks for 100 on a page unless it is told otherwise, and at most 10 are allowed",
    "less than or equal to 10",
)


class Connection:
    """A process of the server, started and ready to be asked.

    :param process: reads requests from stdin, and writes answers to stdout.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self._id = 0
        about = {"name": "airflow-omics", "version": "1"}
        self.request("initialize", protocolVersion=_PROTOCOL, capabilities={}, clientInfo=about)
        self._send(method="notifications/initialized")

    def request(self, method: str, **parameters: Any) -> Any:
        """Send a request, and return its result."""
        self._id += 1
        self._send(id=self._id, method=method, params=parameters)
        while True:
            try:
                line = self._lines.get(timeout=60)
            except queue.Empty:
                raise AssertionError(f"{method} should be answered within a minute") from None
            if not line:
                raise AssertionError(f"the server ended, and should answer {method}")
            message = json.loads(line)
            # Others are notifications, such as those about progress.
            if message.get("id") == self._id:
                if "error" in message:
                    raise AssertionError(f"{method} was refused: {message['error']}")
                return message["result"]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _send(self, **message: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")


@dataclass(frozen=True)
class Tool:
    """A tool, which is a step by itself.

    :ivar arguments: prepares what it is called about, with the client, and returns its arguments.
    :ivar path: where in its answer to look, such as ``runs.0.status``; the whole answer if empty.
    :ivar wanted: what has to be there; part of a whole answer.
    """

    name: str
    arguments: Callable[[Any], dict[str, Any]]
    path: str
    wanted: Any
    bug: KnownBug | None = None

    def __call__(self, client: McpServer) -> None:
        """Call it, and look at its answer."""
        answer = client.call(self.name, **self.arguments(client))
        if not self.path:
            expect_in("the answer", self.wanted, answer if isinstance(answer, str) else json.dumps(answer))
            return
        for key in self.path.split("."):
            try:
                answer = answer[int(key) if key.isdigit() else key]
            except (KeyError, IndexError, TypeError):
                raise AssertionError(f"there should be {self.path} in the answer: {answer!r}") from None
        expect(self.path, answer, self.wanted)


class McpServer(Client):
    """``awslabs.aws-healthomics-mcp-server``: one process of it for all steps, each of which calls a tool."""

    name = "mcp-server"
    title = "AWS HealthOmics MCP server"
    _connection: Connection | None = None

    @classmethod
    def steps(cls) -> list[Step]:
        return [*super().steps(), *(Step(tool.name, tool, tool.bug) for tool in TOOLS)]

    @step("lists its tools")
    def tools(self) -> None:
        names = {tool["name"] for tool in self.connection.request("tools/list")["tools"]}
        if missing := {tool.name for tool in TOOLS} - names:
            raise AssertionError(f"there should be {', '.join(sorted(missing))}")

    @step("ListAHOConfigurations, 10 on a page")
    def configurations(self) -> None:
        _configuration(self)
        [listed] = self.call("ListAHOConfigurations", max_results=10)["configurations"]
        expect("name and status", (listed["name"], listed["status"]), ("private", "ACTIVE"))

    @step("is told what is not emulated")
    def refused(self) -> None:
        for tool, operation in (
            ("ListAHOSequenceStores", "ListSequenceStores"),
            ("ListAHOReferenceStores", "ListReferenceStores"),
            ("ListCodeConnections", "codeconnections:ListConnections"),
        ):
            try:
                self.call(tool)
            except AssertionError as error:
                expect_in("the error", f"{operation} is not emulated", str(error))
            else:
                raise AssertionError(f"{tool} should be refused, and works")

    @property
    def connection(self) -> Connection:
        if self._connection is None:
            process = subprocess.Popen(
                ["awslabs.aws-healthomics-mcp-server"],
                cwd=self.folder,
                env={**self.environment, "FASTMCP_LOG_LEVEL": "ERROR"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            self._connection = Connection(process)
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def call(self, tool: str, **arguments: Any) -> Any:
        """Call a tool, and return what it answers; an error that it answers with is an AssertionError."""
        result = self.connection.request("tools/call", name=tool, arguments=arguments)
        text = "\n".join(part.get("text", "") for part in result["content"])
        try:
            answer = json.loads(text)
        except ValueError:
            answer = text
        error = answer.get("error") if isinstance(answer, dict) else None
        if error or result.get("isError"):
            raise AssertionError(f"it should work, and says: {error or last_line(text)}")
        return answer


# -- what each tool is called with ---------------------------------------------------------------------------


def _zipped(client: McpServer) -> str:
    return str(client.call("PackageAHOWorkflow", main_file_content=WDL))


def _task(client: McpServer) -> dict[str, Any]:
    run_id = client.started()
    return {"run_id": run_id, "task_id": client.aws().list_run_tasks(id=run_id)["items"][0]["taskId"]}


def _manifest(client: McpServer) -> dict[str, Any]:
    run_id = client.started()
    return {"run_id": run_id, "run_uuid": client.aws().get_run(id=run_id)["uuid"]}


def _bucket(client: McpServer) -> dict[str, Any]:
    # It looks whether it is there.
    client.aws("s3").create_bucket(Bucket="omics-cache")
    return {"cache_behavior": "CACHE_ALWAYS", "cache_s3_location": "s3://omics-cache/kept", "name": "shared"}


def _configuration(client: McpServer) -> dict[str, Any]:
    client.aws().create_configuration(name="private", runConfigurations=_VPC)
    client.control.advance(900)
    return {"name": "private"}


def _started_batch(client: McpServer, seconds: float) -> dict[str, Any]:
    batch_id = client.batch()
    client.control.advance(seconds)
    return {"batch_id": batch_id}


def _ended_batch(client: McpServer, *, deleted: bool = False) -> dict[str, Any]:
    about = _started_batch(client, 7200)
    if deleted:
        client.aws().delete_run_batch(batchId=about["batch_id"])
        client.control.advance(3600)
    return about


def _start(client: McpServer) -> dict[str, Any]:
    shared = {"run_group_id": client.group(), "cache_id": client.cache(), "cache_behavior": "CACHE_ALWAYS"}
    given = {"workflow_id": client.workflow(), "role_arn": ROLE, "output_uri": OUTPUT}
    return {**given, **shared, "name": "sample-1", "parameters": {"who": "you"}}


def _start_batch(client: McpServer) -> dict[str, Any]:
    settings = {"inlineSettings": [{"runSettingId": "a"}, {"runSettingId": "b"}]}
    given = {"workflow_id": COMMON["workflowId"], "role_arn": ROLE, "output_uri": OUTPUT}
    return {**given, "batch_run_settings": settings, "batch_name": "cohort"}


def _listed_version(client: McpServer) -> dict[str, Any]:
    workflow_id = client.workflow()
    made = {"workflowId": workflow_id, "versionName": "1.0.1"}
    client.aws().create_workflow_version(**made, definitionZip=zipped())
    return {"workflow_id": workflow_id}


TOOLS = (
    Tool("ListAHOWorkflows", lambda c: {"max_results": len(c.workflow())}, "workflows.0.name", "greet"),
    Tool(
        "CreateAHOWorkflow",
        lambda c: {"name": "greet", "definition_zip_base64": _zipped(c)},
        "status",
        "CREATING",
    ),
    Tool(
        "GetAHOWorkflow",
        lambda c: {"workflow_id": c.workflow(), "export_definition": True},
        "main",
        "main.wdl",
    ),
    Tool(
        "CreateAHOWorkflowVersion",
        lambda c: {
            "workflow_id": c.workflow(),
            "version_name": "1.0.1",
            "definition_zip_base64": _zipped(c),
        },
        "versionName",
        "1.0.1",
    ),
    Tool("ListAHOWorkflowVersions", _listed_version, "versions.0.versionName", "1.0.1"),
    Tool("StartAHORun", _start, "status", "PENDING"),
    Tool(
        "ListAHORuns",
        lambda c: {"status": "COMPLETED", "max_results": len(c.started())},
        "runs.0.name",
        "sample",
    ),
    Tool("GetAHORun", lambda c: {"run_id": c.started()}, "status", "COMPLETED"),
    Tool("ListAHORunTasks", lambda c: {"run_id": c.started()}, "tasks.1.status", "COMPLETED"),
    Tool("GetAHORunTask", _task, "status", "COMPLETED"),
    Tool("CreateAHORunGroup", lambda c: {"name": "nightly", "max_runs": 3}, "tags", {}),
    Tool("GetAHORunGroup", lambda c: {"run_group_id": c.group()}, "maxRuns", 5),
    Tool("ListAHORunGroups", lambda c: {"max_results": len(c.group())}, "runGroups.0.name", "nightly"),
    Tool("UpdateAHORunGroup", lambda c: {"run_group_id": c.group(), "max_runs": 7}, "status", "updated"),
    Tool("CreateAHORunCache", _bucket, "status", "ACTIVE"),
    Tool("GetAHORunCache", lambda c: {"cache_id": c.cache()}, "cacheS3Uri", "s3://omics-cache/kept"),
    Tool("ListAHORunCaches", lambda c: {"max_results": len(c.cache())}, "runCaches.0.name", "shared"),
    Tool("UpdateAHORunCache", lambda c: {"cache_id": c.cache(), "name": "own"}, "status", "updated"),
    Tool("StartAHORunBatch", _start_batch, "status", "CREATING"),
    Tool("GetAHOBatch", _ended_batch, "status", "PROCESSED", _BATCH_ID),
    Tool(
        "ListAHOBatches", lambda c: {"name": _ended_batch(c) and "cohort"}, "batches.0.name", "cohort", _PAGE
    ),
    Tool("ListAHORunsInBatch", _ended_batch, "runs.0.submissionStatus", "SUCCESS", _BATCH_ID),
    Tool("CancelAHORunBatch", lambda c: _started_batch(c, 600), "status", "cancelled", _BATCH_ID),
    Tool("DeleteAHORunBatch", _ended_batch, "status", "deleted", _BATCH_ID),
    Tool("DeleteAHOBatch", lambda c: _ended_batch(c, deleted=True), "status", "deleted", _BATCH_ID),
    Tool("GetAHORunLogs", lambda c: {"run_id": c.started()}, "", "CREATING_RUN"),
    Tool("GetAHORunManifestLogs", _manifest, "", "arn:aws:omics:us-east-1:123456789012:run/"),
    Tool("GetAHORunEngineLogs", lambda c: {"run_id": c.started()}, "", "workflow engine: calls ready"),
    Tool("GetAHOTaskLogs", _task, "", "[M::mem_process_seqs] Processed 100000 reads"),
    # 76 seconds each of omics.c.xlarge and omics.m.large.
    Tool("AnalyzeAHORunPerformance", lambda c: {"run_ids": [c.started()]}, "", "**Task Cost**: $0.0076"),
    Tool("GenerateAHORunTimeline", lambda c: {"run_id": c.started()}, "", "AlignReads"),
    Tool(
        "DiagnoseAHORunFailure",
        lambda c: {"run_id": c.started("failed-out-of-memory-error")},
        "failureReason",
        "OUT_OF_MEMORY_ERROR",
    ),
    Tool(
        "CreateAHOConfiguration",
        lambda c: {"name": "private", "run_configurations": _VPC},
        "status",
        "CREATING",
    ),
    Tool("GetAHOConfiguration", _configuration, "status", "ACTIVE"),
    Tool("ListAHOConfigurations", lambda c: _configuration(c) and {}, "", "private", _PAGE_OF_100),
    Tool("DeleteAHOConfiguration", _configuration, "status", "DELETING"),
)
"""The tools about what is emulated."""
