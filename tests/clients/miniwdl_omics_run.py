"""miniwdl-omics-run, which makes a workflow of a WDL file, or finds it again, and starts a run of it."""

from __future__ import annotations

import io
import time
import urllib.request
import zipfile
from typing import Any

from .bench import OUTPUT, ROLE, WDL, Client, expect, expect_in, parsed, step


class MiniwdlOmicsRun(Client):
    """``miniwdl-omics-run``, which asks each second whether the workflow is ACTIVE; so the clock runs."""

    name = "miniwdl-omics-run"
    title = "miniwdl-omics-run"

    def submit(self, *arguments: str, code: int = 0, wdl: str = WDL) -> Any:
        """Submit the workflow and return what is printed of it."""
        (self.folder / "greet.wdl").write_text(wdl)
        self.control.set_pace(100)
        said = self.run(
            "miniwdl-omics-run", "greet.wdl", "who=you", "--role-arn", ROLE, "--output-uri", OUTPUT,
            *arguments, code=code,
        )  # fmt: skip
        return parsed(said) if code == 0 else said

    @step("creates workflow and version, and starts a run")
    def create(self) -> None:
        answer = self.submit("--name", "sample-1")
        run = self.aws().get_run(id=answer["runId"])
        shown = (run["workflowId"], run["workflowVersionName"], run["name"], run["parameters"])
        wanted = (answer["workflowId"], answer["workflowVersionName"], "sample-1", {"who": "you"})
        expect("the run", shown, wanted)
        workflow = self.aws().get_workflow(id=answer["workflowId"], export=["DEFINITION"])
        expect("name and engine", (workflow["name"], workflow["engine"]), ("greet", "WDL"))
        with urllib.request.urlopen(workflow["definition"], timeout=10) as definition:
            names = zipfile.ZipFile(io.BytesIO(definition.read())).namelist()
        expect_in("files of the definition", "greet.wdl", names)

    @step("finds them again")
    def reuse(self) -> None:
        first, second = self.submit(), self.submit()
        expect("workflow of the second run", second["workflowId"], first["workflowId"])
        if first["runId"] == second["runId"]:
            raise AssertionError("it should have started another run")
        versions = self.aws().list_workflow_versions(workflowId=first["workflowId"])["items"]
        expect("how many versions there are", len(versions), 1)

    @step("makes another version of another WDL")
    def another(self) -> None:
        first, second = self.submit(), self.submit(wdl=WDL.replace("Hello", "Welcome"))
        expect("workflow of the second run", second["workflowId"], first["workflowId"])
        versions = self.aws().list_workflow_versions(workflowId=first["workflowId"])["items"]
        names = sorted(version["versionName"] for version in versions)
        expect("versions", names, sorted([first["workflowVersionName"], second["workflowVersionName"]]))

    @step("--run-group, by name")
    def run_group(self) -> None:
        group_id = self.group()
        answer = self.submit("--run-group", "nightly")
        expect("run group", self.aws().get_run(id=answer["runId"])["runGroupId"], group_id)
        self.submit("--run-group", "weekly", code=1)

    @step("--cache, by name")
    def run_cache(self) -> None:
        cache_id = self.cache()
        answer = self.submit("--cache", "shared", "--cache-behavior", "always")
        run = self.aws().get_run(id=answer["runId"])
        shown = (run["cacheId"], run["cacheBehavior"])
        expect("cache and behavior", shown, (cache_id, "CACHE_ALWAYS"))

    @step("--vpc-config, --tag")
    def vpc(self) -> None:
        vpc = {"vpcConfig": {"securityGroupIds": ["sg-1234567"], "subnetIds": ["subnet-1234567"]}}
        self.aws().create_configuration(name="private", runConfigurations=vpc)
        self.control.advance(900)
        answer = self.submit("--vpc-config", "private", "--tag", "team=a")
        run = self.aws().get_run(id=answer["runId"])
        shown = (run["networkingMode"], run["configuration"]["name"], run["tags"])
        expect("networking, configuration, tags", shown, ("VPC", "private", {"team": "a"}))

    @step("--legacy-workflow-name, without versions")
    def legacy(self) -> None:
        answer = self.submit("--legacy-workflow-name")
        expect("version", answer["workflowVersionName"], None)
        name = self.aws().get_workflow(id=answer["workflowId"])["name"]
        expect_in("name of the workflow", "greet.", name)

    @step("says that a workflow could not be created")
    def failed(self) -> None:
        started = time.monotonic()
        self.control.creation("workflow", 5, "The registry is closed.")
        self.submit(code=2)
        if time.monotonic() - started > 30:
            raise AssertionError("it should have seen that within seconds")
