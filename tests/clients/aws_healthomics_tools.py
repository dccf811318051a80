"""AWS HealthOmics Tools: the run analyzer, rerun, the dashboard."""

from __future__ import annotations

import csv
import datetime
import io
import itertools
import json
import re
import zipfile

from .bench import ROLE, Client, expect, expect_in, last_line, parsed, step


class AwsHealthOmicsTools(Client):
    """``aws-healthomics-tools``; prices come from the emulator's own Price List."""

    name = "aws-healthomics-tools"
    title = "AWS HealthOmics Tools"

    def analyze(self, *arguments: str, code: int = 0) -> str:
        """Run the run analyzer."""
        return self.run("aws-healthomics-tools", "run_analyzer", *arguments, code=code)

    def rows(self, text: str) -> list[dict[str, str]]:
        """Return the rows of a table in CSV."""
        return list(csv.DictReader(io.StringIO(text)))

    # -- run_analyzer ----------------------------------------------------------------------------------------

    @step("run_analyzer: statistics with prices")
    def statistics(self) -> None:
        run_id = self.started()
        rows = self.rows(self.analyze(run_id))
        expect("rows", [row["type"] for row in rows], ["run", "task", "task"])
        expect_in("ARN of the run", f":run/{run_id}", rows[0]["arn"])
        for row in rows[1:]:
            if not float(row["estimatedUSD"] or 0) > 0:
                raise AssertionError(f"{row['name']} should have a price, and has {row['estimatedUSD']!r}")

    @step("run_analyzer: recommends more memory after OUT_OF_MEMORY")
    def out_of_memory(self) -> None:
        run_id = self.started("failed-out-of-memory-error")
        *_, task = self.rows(self.analyze(run_id, "--headroom", "0.2"))
        had, needs = float(task["memoryReservedGiB"]), float(task["recommendedMemoryGiB"])
        if not needs > had:
            raise AssertionError(f"more than {had:g} GiB should be recommended, and {needs:g} are")

    @step("run_analyzer --show")
    def show(self) -> None:
        run_id = self.started()
        shown = parsed(self.analyze(run_id, "--show"))
        statuses = [resource.get("status") for resource in shown]
        expect("statuses", statuses, ["COMPLETED", "COMPLETED", "COMPLETED"])

    @step("run_analyzer --timeline")
    def timeline(self) -> None:
        run_id = self.started()
        rows = self.rows(self.analyze("--timeline", run_id))
        expect("rows", len(rows), 2)
        if not all(float(row["running"]) > 0 for row in rows):
            raise AssertionError(f"tasks should have run some time: {rows}")

    @step("run_analyzer --plot")
    def plot(self) -> None:
        run_id = self.started()
        self.analyze(run_id, "--plot", "plots")
        page = self.folder / "plots" / f"{run_id}_timeline.html"
        if not page.exists():
            raise AssertionError(f"it should have written {page.name}, and has not")
        expect_in("the page", run_id, page.read_text())

    @step("run_analyzer --batch")
    def batch_of_runs(self) -> None:
        workflow_id = self.workflow()
        runs = [self.started(workflowId=workflow_id) for _ in range(2)]
        rows = self.rows(self.analyze("--batch", *runs))
        expect("how often each task was seen", [row["count"] for row in rows], ["2", "2"])

    @step("run_analyzer --write-config")
    def write_config(self) -> None:
        workflow_id = self.workflow(definitionZip=_nextflow(), engine="NEXTFLOW")
        run_id = self.started(workflowId=workflow_id)
        self.analyze(run_id, "--write-config", "omics.config")
        expect_in("the configuration", "withName:", (self.folder / "omics.config").read_text())

    @step("run_analyzer --time: runs of a day, with their times")
    def runs_of_a_day(self) -> None:
        runs = [self.started() for _ in range(3)]
        listed = re.findall(r"^(\d+) \((\S+) ", self.analyze("--time", "1day"), re.MULTILINE)
        expect("runs", [run_id for run_id, _ in listed], runs)
        times = [datetime.datetime.fromisoformat(when) for _, when in listed]
        between = [int((later - earlier).total_seconds()) for earlier, later in itertools.pairwise(times)]
        expect("seconds between them", between, [3600, 3600])

    # -- rerun and run_dashboard -----------------------------------------------------------------------------

    @step("rerun --dry-run: the request of the run")
    def rerun_dry(self) -> None:
        members = {
            "workflowId": self.workflow(),
            "runGroupId": self.group(),
            "cacheId": self.cache(),
            "cacheBehavior": "CACHE_ALWAYS",
            "priority": 7,
            "parameters": {"who": "you"},
            "storageType": "DYNAMIC",
        }
        run_id = self.started(**members)
        said = self.run("aws-healthomics-tools", "rerun", run_id, "--dry-run")
        request = parsed(said.partition("StartRun request:")[2])
        for member, value in {**members, "roleArn": ROLE}.items():
            expect(f"{member} of the request", request.get(member), value)

    @step("rerun: starts it again")
    def rerun(self) -> None:
        run_id = self.started()
        said = self.run("aws-healthomics-tools", "rerun", run_id, "--name", "again")
        response = json.loads(said.partition("StartRun response:")[2])
        run = self.aws().get_run(id=response["id"])
        expect("name of the second run", run["name"], "again")
        if response["id"] == run_id:
            raise AssertionError("it should have started another run")

    @step("rerun --start: runs of a time")
    def rerun_list(self) -> None:
        self.started()
        between = datetime.datetime.fromtimestamp(self.control.now(), datetime.UTC)
        run_id = self.started()
        start = between.strftime("--start=%Y-%m-%dT%H:%M:%S")
        listed = self.run("aws-healthomics-tools", "rerun", start)
        expect("runs", re.findall(r"^(\d+) \(", listed, re.MULTILINE), [run_id])

    @step("run_dashboard --dry-run: the workflow's name")
    def dashboard(self) -> None:
        workflow_id = self.workflow()
        said = self.run(
            "aws-healthomics-tools", "run_dashboard", "-i", workflow_id, "-r", "us-east-1", "--dry-run"
        )
        titles = [widget["properties"].get("title", "") for widget in parsed(said)["widgets"]]
        if not any(title.startswith("greet") for title in titles):
            raise AssertionError(f"titles should begin with the workflow's name: {last_line(str(titles))}")


def _nextflow() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("main.nf", "workflow { }\n")
        archive.writestr("nextflow.config", "docker.enabled = true\n")
    return content.getvalue()
