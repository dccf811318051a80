"""The AWS CLI."""

from __future__ import annotations

import io
import json
import urllib.request
import zipfile
from typing import Any

from .bench import COMMON, OUTPUT, REGION, ROLE, Client, KnownBug, expect, expect_in, parsed, step, zipped

START = ("--workflow-id", "1234567", "--role-arn", ROLE, "--output-uri", OUTPUT)
TOKEN = KnownBug(
    "it takes its own --starting-token for the startingToken of the operation, which has the same name, and "
    "sends it as it is",
    "startingToken is not one that this operation returned",
)
GROUP = "/aws/omics/WorkflowLog"


class AwsCli(Client):
    """``aws omics``, ``aws logs`` and ``aws s3``."""

    name = "aws-cli"
    title = "AWS CLI"

    def omics(self, *arguments: str, code: int = 0) -> Any:
        """Run an operation and return its answer, or what is said of its failure."""
        said = self.run("aws", "omics", *arguments, "--output", "json", code=code)
        return parsed(said) if code == 0 and said.strip() else said

    # -- runs ------------------------------------------------------------------------------------------------

    @step("start-run, get-run")
    def start_run(self) -> None:
        answer = self.omics(
            "start-run", *START, "--name", "sample-1", "--parameters", '{"depth": 30}', "--tags", "team=a"
        )
        expect("status", answer["status"], "PENDING")
        run = self.omics("get-run", "--id", answer["id"])
        expect("name and parameters", (run["name"], run["parameters"]), ("sample-1", {"depth": 30}))
        expect("tags", run["tags"], {"team": "a"})
        self.control.advance(3600)
        run = self.omics("get-run", "--id", answer["id"])
        expect("status after an hour", run["status"], "COMPLETED")
        expect("runOutputUri", run["runOutputUri"], f"{OUTPUT}/{answer['id']}")

    @step("list-runs, page by page")
    def list_runs(self) -> None:
        ids = self.control.start_runs(7, "completed", region_name=REGION)
        self.control.advance(3600)
        ids += self.control.start_runs(3, "completed", region_name=REGION)
        for size in ("1", "4"):
            found = [run["id"] for run in self.omics("list-runs", "--page-size", size)["items"]]
            expect(f"runs in pages of {size}", sorted(found), sorted(ids))
        found = [run["id"] for run in self.omics("list-runs", "--status", "COMPLETED")["items"]]
        expect("completed runs", sorted(found), sorted(ids[:7]))

    @step("list-runs --max-items, and --starting-token", TOKEN)
    def starting_token(self) -> None:
        ids = self.control.start_runs(7, region_name=REGION)
        first = self.omics("list-runs", "--max-items", "4")
        rest = self.omics("list-runs", "--starting-token", first["NextToken"])
        found = [run["id"] for run in (*first["items"], *rest["items"])]
        expect("runs", sorted(found), sorted(ids))

    @step("wait run-completed")
    def wait_run(self) -> None:
        run_id = self.started()
        self.omics("wait", "run-completed", "--id", run_id)
        failed = self.started("failed-import-failed")
        said = self.omics("wait", "run-completed", "--id", failed, code=255)
        expect_in("what it says of a failed run", "Waiter RunCompleted failed", said)

    @step("list-run-tasks, get-run-task")
    def tasks(self) -> None:
        run_id = self.started()
        tasks = self.omics("list-run-tasks", "--id", run_id, "--page-size", "1")["items"]
        expect("statuses of tasks", [task["status"] for task in tasks], ["COMPLETED", "COMPLETED"])
        task = self.omics("get-run-task", "--id", run_id, "--task-id", tasks[0]["taskId"])
        expect("name of the task", task["name"], tasks[0]["name"])
        expect_in("its log stream", f"run/{run_id}/task/{tasks[0]['taskId']}", task["logStream"])

    @step("cancel-run")
    def cancel_run(self) -> None:
        run_id = self.started(seconds=600)
        self.omics("cancel-run", "--id", run_id)
        expect("status", self.omics("get-run", "--id", run_id)["status"], "STOPPING")
        self.control.advance(600)
        expect("status later", self.omics("get-run", "--id", run_id)["status"], "CANCELLED")

    @step("delete-run")
    def delete_run(self) -> None:
        run_id = self.started()
        self.omics("delete-run", "--id", run_id)
        said = self.omics("get-run", "--id", run_id, code=255)
        expect_in("what it says", "(ResourceNotFoundException)", said)

    @step("retries what is throttled")
    def throttled(self) -> None:
        run_id = self.started()
        self.control.fault("GetRun", "throttle", times=2)
        expect("status", self.omics("get-run", "--id", run_id)["status"], "COMPLETED")
        expect("how often it asked", self.control.counts()["GetRun"], 3)

    # -- what runs leave -------------------------------------------------------------------------------------

    @step("logs get-log-events of a run, its engine, a task, the manifest")
    def logs(self) -> None:
        run_id = self.started()
        run = self.aws().get_run(id=run_id)
        [task, *_] = self.aws().list_run_tasks(id=run_id)["items"]
        streams = (f"run/{run_id}", f"run/{run_id}/engine", f"run/{run_id}/task/{task['taskId']}")
        for stream in (*streams, f"manifest/run/{run_id}/{run['uuid']}"):
            said = self.run(
                "aws", "logs", "get-log-events", "--log-group-name", GROUP, "--log-stream-name", stream
            )
            events = parsed(said)["events"]
            if not events:
                raise AssertionError(f"{stream} should have events, and has none")
        manifest = [json.loads(event["message"]) for event in events]
        expect("ARN in the manifest", manifest[0]["arn"], run["arn"])

    @step("s3 ls and s3 cp of outputs")
    def outputs(self) -> None:
        run_id = self.started()
        listed = self.run("aws", "s3", "ls", "--recursive", f"{OUTPUT}/{run_id}/")
        expect_in("the outputs", f"runs/{run_id}/logs/outputs.json", listed)
        said = self.run("aws", "s3", "cp", f"{OUTPUT}/{run_id}/logs/outputs.json", "-")
        if not parsed(said):
            raise AssertionError("outputs.json should name outputs, and is empty")

    @step("get-run --export DEFINITION, and fetch it")
    def definition(self) -> None:
        workflow_id = self.workflow()
        run_id = self.started(workflowId=workflow_id)
        run = self.omics("get-run", "--id", run_id, "--export", "DEFINITION")
        with urllib.request.urlopen(run["definition"], timeout=10) as answer:
            content = answer.read()
        expect("files of the definition", zipfile.ZipFile(io.BytesIO(content)).namelist(), ["main.wdl"])

    # -- workflows -------------------------------------------------------------------------------------------

    @step("create-workflow from a zip, wait workflow-active, list-workflows")
    def create_workflow(self) -> None:
        (self.folder / "greet.zip").write_bytes(zipped())
        made = self.omics(
            "create-workflow", "--name", "greet", "--engine", "WDL", "--definition-zip", "fileb://greet.zip"
        )
        expect("status", made["status"], "CREATING")
        waiting = self.begin("aws", "omics", "wait", "workflow-active", "--id", made["id"])
        self.control.wait_for("GetWorkflow", timeout=30)
        self.control.advance(60)
        self.end(waiting)
        workflow = self.omics("get-workflow", "--id", made["id"])
        shown = (
            workflow["status"],
            workflow["engine"],
            workflow["main"],
            list(workflow["parameterTemplate"]),
        )
        expect("the workflow", shown, ("ACTIVE", "WDL", "main.wdl", ["who"]))
        [listed] = self.omics("list-workflows", "--type", "PRIVATE", "--name", "greet")["items"]
        expect("id in the list", listed["id"], made["id"])

    @step("update-workflow, delete-workflow")
    def change_workflow(self) -> None:
        workflow_id = self.workflow()
        self.omics("update-workflow", "--id", workflow_id, "--name", "welcome", "--description", "Says so.")
        workflow = self.omics("get-workflow", "--id", workflow_id)
        expect("name, description", (workflow["name"], workflow["description"]), ("welcome", "Says so."))
        self.omics("delete-workflow", "--id", workflow_id)
        said = self.omics("get-workflow", "--id", workflow_id, code=255)
        expect_in("what it says", "(ResourceNotFoundException)", said)

    @step("create-workflow that is no zip, and wait workflow-active")
    def bad_workflow(self) -> None:
        (self.folder / "no.zip").write_text("no zip at all")
        made = self.omics("create-workflow", "--name", "bad", "--definition-zip", "fileb://no.zip")
        self.control.advance(60)
        self.omics("wait", "workflow-active", "--id", made["id"], code=255)
        expect("status", self.omics("get-workflow", "--id", made["id"])["status"], "FAILED")

    @step("create-workflow-version, wait workflow-version-active, list-workflow-versions")
    def versions(self) -> None:
        workflow_id = self.workflow()
        (self.folder / "greet.zip").write_bytes(zipped())
        which = ("--workflow-id", workflow_id, "--version-name", "1.0.1")
        made = self.omics("create-workflow-version", *which, "--definition-zip", "fileb://greet.zip")
        expect("status", made["status"], "CREATING")
        self.control.advance(60)
        self.omics("wait", "workflow-version-active", *which)
        listed = self.omics("list-workflow-versions", "--workflow-id", workflow_id)["items"]
        expect("versions", [version["versionName"] for version in listed], ["1.0.1"])
        run = self.omics(
            "start-run", *START[2:], "--workflow-id", workflow_id, "--workflow-version-name", "1.0.1"
        )
        shown = self.omics("get-run", "--id", run["id"])["workflowVersionName"]
        expect("version of a run", shown, "1.0.1")
        self.omics("delete-workflow-version", *which)
        self.omics("get-workflow-version", *which, code=255)

    @step("list-workflows --type READY2RUN")
    def ready2run(self) -> None:
        listed = self.omics("list-workflows", "--type", "READY2RUN")["items"]
        if not listed:
            raise AssertionError("there should be a Ready2Run workflow, and is none")
        run = self.omics(
            "start-run", *START[2:], "--workflow-id", listed[0]["id"], "--workflow-type", "READY2RUN"
        )
        expect("type", self.omics("get-run", "--id", run["id"])["workflowType"], "READY2RUN")

    # -- groups, caches, tags, configurations ----------------------------------------------------------------

    @step("create-run-group, whose maximum holds a run back")
    def run_group(self) -> None:
        group = self.omics("create-run-group", "--name", "nightly", "--max-runs", "1")
        [listed] = self.omics("list-run-groups", "--name", "nightly")["items"]
        expect("id and maximum in the list", (listed["id"], listed["maxRuns"]), (group["id"], 1))
        runs = [self.omics("start-run", *START, "--run-group-id", group["id"])["id"] for _ in range(2)]
        self.control.advance(600)
        states = [self.omics("get-run", "--id", run_id)["status"] for run_id in runs]
        expect("statuses of two runs", states, ["RUNNING", "PENDING"])
        self.omics("update-run-group", "--id", group["id"], "--max-runs", "2")
        expect("maximum", self.omics("get-run-group", "--id", group["id"])["maxRuns"], 2)
        self.control.advance(600)
        expect("status later", self.omics("get-run", "--id", runs[1])["status"], "RUNNING")

    @step("delete-run-group")
    def delete_run_group(self) -> None:
        group_id = self.group()
        self.omics("delete-run-group", "--id", group_id)
        self.omics("get-run-group", "--id", group_id, code=255)

    @step("create-run-cache, which a second run hits")
    def run_cache(self) -> None:
        cache = self.omics(
            "create-run-cache", "--cache-s3-location", "s3://omics-cache/kept",
            "--cache-behavior", "CACHE_ALWAYS", "--name", "shared",
        )  # fmt: skip
        hits = []
        for _ in range(2):
            run = self.omics("start-run", *START, "--cache-id", cache["id"])
            self.control.advance(3600)
            tasks = self.omics("list-run-tasks", "--id", run["id"])["items"]
            hits.append([task.get("cacheHit", False) for task in tasks])
        expect("cache hits of two runs", hits, [[False, False], [True, True]])
        [listed] = self.omics("list-run-caches")["items"]
        expect("id in the list", listed["id"], cache["id"])
        self.omics("update-run-cache", "--id", cache["id"], "--cache-behavior", "CACHE_ON_FAILURE")
        shown = self.omics("get-run-cache", "--id", cache["id"])["cacheBehavior"]
        expect("behavior", shown, "CACHE_ON_FAILURE")

    @step("tag-resource, list-tags-for-resource, untag-resource")
    def tags(self) -> None:
        run_id = self.started(tags={"team": "a"})
        arns = [self.aws().get_run(id=run_id)["arn"], self.aws().get_workflow(id=self.workflow())["arn"]]
        arns.append(self.aws().get_run_group(id=self.group())["arn"])
        for arn in arns:
            self.omics("tag-resource", "--resource-arn", arn, "--tags", "cohort=7,stage=raw")
            self.omics("untag-resource", "--resource-arn", arn, "--tag-keys", "stage", "team")
            tags = self.omics("list-tags-for-resource", "--resource-arn", arn)["tags"]
            expect(f"tags of {arn.split(':')[-1]}", tags, {"cohort": "7"})

    @step("create-configuration, get-, list- and delete-configuration")
    def configuration(self) -> None:
        vpc = {"vpcConfig": {"securityGroupIds": ["sg-1234567"], "subnetIds": ["subnet-1234567"]}}
        made = self.omics(
            "create-configuration", "--name", "private", "--run-configurations", json.dumps(vpc)
        )
        expect("status", made["status"], "CREATING")
        self.control.advance(900)
        expect("later", self.omics("get-configuration", "--name", "private")["status"], "ACTIVE")
        [listed] = self.omics("list-configurations")["items"]
        expect("name in the list", listed["name"], "private")
        self.omics("delete-configuration", "--name", "private")
        self.control.advance(900)
        self.omics("get-configuration", "--name", "private", code=255)

    # -- batches ---------------------------------------------------------------------------------------------

    @step("start-run-batch, get-batch, list-batch, list-runs-in-batch")
    def start_batch(self) -> None:
        settings = {"inlineSettings": [{"runSettingId": f"s-{n}"} for n in range(5)]}
        batch = self.omics(
            "start-run-batch", "--batch-name", "cohort", "--default-run-setting", json.dumps(COMMON),
            "--batch-run-settings", json.dumps(settings),
        )  # fmt: skip
        expect("status", batch["status"], "CREATING")
        self.control.advance(7200)
        shown = self.omics("get-batch", "--batch-id", batch["id"])
        expect("status and runs later", (shown["status"], shown["totalRuns"]), ("PROCESSED", 5))
        expect("completed runs", shown["runSummary"]["completedRunCount"], 5)
        [listed] = self.omics("list-batch", "--name", "cohort")["items"]
        expect("id in the list", listed["id"], batch["id"])
        runs = self.omics("list-runs-in-batch", "--batch-id", batch["id"], "--page-size", "2")["runs"]
        members = sorted((run["runSettingId"], run["submissionStatus"]) for run in runs)
        expect("members", members, [(f"s-{n}", "SUCCESS") for n in range(5)])
        run = self.omics("get-run", "--id", runs[0]["runId"])
        expect("batch and status of a member", (run["batchId"], run["status"]), (batch["id"], "COMPLETED"))

    @step("cancel-run-batch, delete-run-batch, delete-batch")
    def end_batch(self) -> None:
        batch_id = self.batch()
        self.control.advance(600)
        self.omics("cancel-run-batch", "--batch-id", batch_id)
        self.control.advance(3600)
        shown = self.omics("get-batch", "--batch-id", batch_id)["status"]
        expect("status after cancel-run-batch", shown, "CANCELLED")
        self.omics("delete-run-batch", "--batch-id", batch_id)
        self.control.advance(3600)
        shown = self.omics("get-batch", "--batch-id", batch_id)["status"]
        expect("status after delete-run-batch", shown, "RUNS_DELETED")
        self.omics("delete-batch", "--batch-id", batch_id)
        self.omics("get-batch", "--batch-id", batch_id, code=255)

    # -- the rest --------------------------------------------------------------------------------------------

    @step("is told what is not emulated")
    def refused(self) -> None:
        said = self.omics("list-sequence-stores", code=255)
        expect_in("what it says", "(NotImplemented)", said)
        expect_in("what it says", "ListSequenceStores is not emulated", said)
