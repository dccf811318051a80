"""AWS's SDK for JavaScript, on Node.js."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

from .bench import COMMON, REGION, Client, expect, step, zipped

_PROGRAM = Path(__file__).with_suffix(".mjs")


class JavaScript(Client):
    """``@aws-sdk/client-omics``: ``javascript.mjs`` makes its client, and does one thing with it."""

    name = "javascript"
    title = "AWS SDK for JavaScript"

    def begin_js(self, does: str, **arguments: Any) -> subprocess.Popen[str]:
        """Start what the program calls ``does``."""
        # Packages are looked for from where a program is.
        program = self.home / "program.mjs"
        program.write_bytes(_PROGRAM.read_bytes())
        given = {"endpoint": self.server.endpoint_url, "region": REGION, **arguments}
        return self.begin("node", program, does, json.dumps(given))

    def js(self, does: str, **arguments: Any) -> Any:
        """Do one thing, and return what came of it."""
        return json.loads(self.end(self.begin_js(does, **arguments)))

    def send(self, command: str, **members: Any) -> Any:
        """Send one command, such as ``StartRun``."""
        return self.js("send", command=command, input=members)

    @step("StartRun, GetRun, CancelRun, DeleteRun")
    def runs(self) -> None:
        given = {"name": "sample-1", "parameters": {"depth": 30}}
        answer = self.send("StartRun", **COMMON, **given)
        run = self.send("GetRun", id=answer["id"])
        shown = (run["status"], run["name"], run["parameters"])
        expect("the run", shown, ("PENDING", "sample-1", {"depth": 30}))
        self.send("CancelRun", id=answer["id"])
        self.control.advance(600)
        expect("status", self.send("GetRun", id=answer["id"])["status"], "CANCELLED")
        self.send("DeleteRun", id=answer["id"])
        refused = self.js("refused", command="GetRun", input={"id": answer["id"]})
        expect("what is said of it then", refused, ["ResourceNotFoundException", 404])

    @step("paginateListRuns")
    def pages(self) -> None:
        ids = self.control.start_runs(25, region_name=REGION)
        for size in (1, 7, 100):
            found = self.js("paginate", paginator="paginateListRuns", size=size, input={})
            expect(f"runs in pages of {size}", sorted(run["id"] for run in found), sorted(ids))

    @step("waitUntilRunCompleted")
    def wait(self) -> None:
        run_id = self.started(seconds=0)
        waiting = self.begin_js("wait", waiter="waitUntilRunCompleted", input={"id": run_id})
        self.control.wait_for("GetRun", timeout=30)
        self.control.advance(3600)
        expect("state", json.loads(self.end(waiting)), "SUCCESS")

    @step("ListRunTasks, GetRunTask, with times")
    def tasks(self) -> None:
        run_id = self.started()
        tasks = self.js("paginate", paginator="paginateListRunTasks", size=1, input={"id": run_id})
        expect("statuses", [task["status"] for task in tasks], ["COMPLETED", "COMPLETED"])
        task = self.send("GetRunTask", id=run_id, taskId=tasks[0]["taskId"])
        if not task["startTime"] < task["stopTime"]:
            raise AssertionError(f"the task should stop after {task['startTime']}, not {task['stopTime']}")

    @step("CreateWorkflow, waitUntilWorkflowActive, CreateWorkflowVersion")
    def workflows(self) -> None:
        made = self.send("CreateWorkflow", name="greet", definitionZip={"base64": _base64(zipped())})
        waiting = self.begin_js("wait", waiter="waitUntilWorkflowActive", input={"id": made["id"]})
        self.control.wait_for("GetWorkflow", timeout=30)
        self.control.advance(60)
        expect("state", json.loads(self.end(waiting)), "SUCCESS")
        expect("main", self.send("GetWorkflow", id=made["id"])["main"], "main.wdl")
        version = {"workflowId": made["id"], "versionName": "1.0.1"}
        self.send("CreateWorkflowVersion", **version, definitionZip={"base64": _base64(zipped())})
        found = self.js(
            "paginate", paginator="paginateListWorkflowVersions", size=10, input={"workflowId": made["id"]}
        )
        expect("versions", [each["versionName"] for each in found], ["1.0.1"])

    @step("CreateRunGroup, CreateRunCache, TagResource")
    def groups(self) -> None:
        group = self.send("CreateRunGroup", name="nightly", maxRuns=3, requestId="once")
        expect("maxRuns", self.send("GetRunGroup", id=group["id"])["maxRuns"], 3)
        cache = self.send("CreateRunCache", cacheS3Location="s3://omics-cache/kept", requestId="once")
        expect("status", self.send("GetRunCache", id=cache["id"])["status"], "ACTIVE")
        self.send("TagResource", resourceArn=group["arn"], tags={"cohort": "7"})
        tags = self.send("ListTagsForResource", resourceArn=group["arn"])["tags"]
        expect("tags", tags, {"cohort": "7"})

    @step("StartRunBatch, paginateListBatch, paginateListRunsInBatch")
    def batches(self) -> None:
        inline = [{"runSettingId": f"s-{n}"} for n in range(5)]
        batch = self.send(
            "StartRunBatch",
            batchName="cohort",
            defaultRunSetting=COMMON,
            batchRunSettings={"inlineSettings": inline},
            requestId="once",
        )
        self.control.advance(7200)
        shown = self.send("GetBatch", batchId=batch["id"])
        expect("status and runs", (shown["status"], shown["totalRuns"]), ("PROCESSED", 5))
        found = self.js(
            "paginate", paginator="paginateListRunsInBatch", size=2, input={"batchId": batch["id"]}
        )
        expect("members", sorted(each["runSettingId"] for each in found), [f"s-{n}" for n in range(5)])
        found = self.js("paginate", paginator="paginateListBatch", size=10, input={})
        expect("batches", [each["id"] for each in found], [batch["id"]])

    @step("retries what is throttled")
    def throttled(self) -> None:
        run_id = self.started()
        self.control.fault("GetRun", "throttle", times=2)
        expect("status", self.send("GetRun", id=run_id)["status"], "COMPLETED")
        expect("how often it asked", self.control.counts()["GetRun"], 3)

    @step("is told what is not emulated")
    def refused(self) -> None:
        refused = self.js("refused", command="ListSequenceStores", input={})
        expect("what is said", refused, ["NotImplemented", 501])


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
