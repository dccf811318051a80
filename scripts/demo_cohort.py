"""``make demo COHORT=200``: a cohort from a sample sheet as one task, from its batch to the result in XCom.

Some samples fail, by several reasons; those whose failure may pass are run again. It ends with an error when
anything is off: a sample that was run too often or not at all, a failure that is not in the result, a result
that is too large.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from airflow_omics.emulator import EmulatorClient
from scripts.stack import EXAMPLE_DAGS, Stack, StackError
from scripts.stack.cohort import LARGEST, NOT_STARTED, SMALLEST, Cohort, same
from scripts.stack.progress import ProgressBar
from scripts.stack.show import WatchedDagRun, as_clock, aws_client, run_demo
from scripts.stack.terminal import options, paint, say

DAG_ID = "cohort_from_a_sample_sheet"
PACE = 90
POKE_INTERVAL = 2
LONGEST = 300
"""Seconds in which the cohort has to end."""

BUCKET = "cohort-results"
CONF = {
    "workflow_id": "1234567",
    "role_arn": "arn:aws:iam::123456789012:role/OmicsRole",
    "output_uri": f"s3://{BUCKET}/germline",
}


class Demo:
    """One cohort, watched.

    :param stack: runs it.
    :param cohort: its samples, and what becomes of them.
    """

    def __init__(self, stack: Stack, cohort: Cohort) -> None:
        self._stack = stack
        self._cohort = cohort
        self._omics = aws_client(stack)
        self._emulator = EmulatorClient(stack.endpoint_url)
        self._started = time.monotonic()
        self._bar: ProgressBar | None = None
        self._batches: list[str] = []
        self._moved: set[tuple[str, str]] = set()

    def run(self) -> None:
        """Run the cohort, show it, and compare what came of it with what was planned."""
        aws_client(self._stack, "s3").create_bucket(Bucket=BUCKET)
        size = len(self._cohort.samples)
        # The account's quota, but for cohorts that would take too long to watch.
        self._emulator.batches(
            starts_per_second=max(0.1, size / 2000),
            fail=dict.fromkeys(self._cohort.that(reason=NOT_STARTED.reason), NOT_STARTED.reason),
        )
        dag_run = WatchedDagRun(self._stack, DAG_ID, CONF)
        print(f"\n  {paint(f'{size:,} samples, one task', '1')}: DAG {DAG_ID}, {PACE} times faster than life")
        self._started = time.monotonic()
        self._watch(dag_run)
        same("what the tasks ended as", dag_run.states(), {"cohort": "success", "list_failures": "success"})
        record = dag_run.xcom("cohort")
        result_size = len(json.dumps(record).encode())
        self._cohort.check(record, result_size)
        same("batches", record.get("batches"), self._batches)
        same("how often each sample was run", Counter(self._names()), self._cohort.runs)
        members, where = self._members(record)
        self._cohort.check_members(members)
        same("StartRun", self._emulator.counts().get("StartRun", 0), 0)
        self._show(record, dag_run.xcom("list_failures"))
        print(f"\n  {paint('the result in XCom', '1')}  {result_size:,} bytes: {_keys(record)}")
        print(f"  {paint('who ran, and how', '1')}    {len(members):,} entries in {where}")

    # -- while it runs ---------------------------------------------------------------------------------------

    def _watch(self, dag_run: WatchedDagRun) -> None:
        """Show the batches until the DAG run has ended, and let the planned runs fail."""
        try:
            while time.monotonic() < self._started + LONGEST:
                self._stack.check()
                has_ended, state = dag_run.has_ended(), dag_run.states().get("cohort")
                self._look(state)
                if has_ended:
                    return
                self._stack.pause(0.3)
        finally:
            if self._bar:
                self._bar.end()
        raise StackError("the DAG run did not end in time")

    def _look(self, state: str | None) -> None:
        listed = sorted(self._omics.list_batch()["items"], key=lambda item: item["createdAt"])
        for item in listed:
            if item["id"] not in self._batches:
                self._begin(item["id"])
        if not self._batches or self._bar is None:
            return
        batch_id = self._batches[-1]
        self._let_fail(batch_id)
        record = self._omics.get_batch(batchId=batch_id)
        self._bar.show(record["status"], _counts(record), f"task {state or '-'}")

    def _begin(self, batch_id: str) -> None:
        """Show a batch that was started."""
        again = len(self._batches) > 0
        self._batches.append(batch_id)
        if self._bar:
            self._bar.end()
        # What was wrong with their submission is over. A batch has taken its rules over when it was started.
        self._emulator.batches(fail={})
        size = len(self._cohort.that(again=True) if again else self._cohort.samples)
        what = f"{size} runs again, whose failure may pass" if again else f"{size:,} runs"
        print(f"\n  {paint(f'batch {batch_id}', '1')}: {what}", flush=True)
        self._bar = ProgressBar(size, lambda: as_clock(time.monotonic() - self._started))

    def _let_fail(self, batch_id: str) -> None:
        """Let the runs fail that are planned to, once they have begun."""
        number = len(self._batches)
        for run in self._runs(batchId=batch_id):
            trouble = self._cohort.troubles.get(run["name"])
            is_due = run["status"] in ("STARTING", "RUNNING", "STOPPING") and run["id"] not in self._moved
            if trouble is None or trouble is NOT_STARTED or not is_due or number > trouble.fails:
                continue
            self._emulator.move(run["id"], "FAILED", trouble.reason, trouble.says)
            self._moved.add(run["id"])

    def _runs(self, **filters: Any) -> Iterator[dict[str, Any]]:
        for page in self._omics.get_paginator("list_runs").paginate(**filters):
            yield from page["items"]

    # -- what came of it -------------------------------------------------------------------------------------

    def _names(self) -> Iterator[str]:
        return (run["name"] for run in self._runs())

    def _members(self, record: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
        """Return the members that the result has or names, and where they are."""
        uri = record.get("membersUri")
        if uri is None:
            return record["members"], "the result itself"
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        body = aws_client(self._stack, "s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return json.loads(body), uri

    def _show(self, record: dict[str, Any], listed: list[str]) -> None:
        """Show how the samples ended, and why some did not complete."""
        outcome, rows = record["outcome"], record["failures"]
        same("lines of list_failures", len(listed), len(rows))
        bad = outcome["total"] - outcome["completed"]
        print(
            f"\n  {paint('how they ended', '1')}      {paint(str(outcome['completed']), '32')} completed, "
            f"{paint(str(bad), '31')} did not, and {self._cohort.may_fail} may: the task is a success\n"
        )
        table = [("runs", "reason", "who can act", "run again", "such as")]
        for row in rows:
            again = "no, it would fail again" if row["class"] == "change" else "yes, and failed again"
            samples = [example["runSettingId"] for example in row["examples"]]
            table.append((str(row["count"]), row["reason"], row["owner"], again, ", ".join(samples)))
        for reason, samples in self._cohort.passed.items():
            named = ", ".join(samples[:3])
            table.append((str(len(samples)), reason, "nobody has to", "yes, and completed", named))
        _print_table(table)
        print(
            f"\n  {paint('the next task', '1')}       list_failures returned {len(listed)} lines for a report"
        )


def _counts(record: dict[str, Any]) -> dict[str, int]:
    runs, submitted = record.get("runSummary", {}), record.get("submissionSummary", {})
    done, failed = runs.get("completedRunCount", 0), runs.get("failedRunCount", 0)
    failed += submitted.get("failedStartSubmissionCount", 0)
    running = sum(runs.get(f"{state}RunCount", 0) for state in ("starting", "running", "stopping"))
    waiting = runs.get("pendingRunCount", 0) + submitted.get("pendingStartSubmissionCount", 0)
    return {"done": done, "failed": failed, "running": running, "waiting": waiting}


def _keys(record: dict[str, Any]) -> str:
    first = ("outcome", "failures", "batches", "members", "membersUri")
    return f"{', '.join(key for key in first if key in record)}, and GetBatch's answer"


def _print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, (count, *others) in enumerate(rows):
        cells = [count.rjust(widths[0]), *map(str.ljust, others, widths[1:])]
        line = "  ".join(cells).rstrip()
        print(f"    {line if number else paint(line, '2')}")


def main() -> int:
    """Run the demo; return the exit code."""
    parser = options("make demo COHORT=200")
    parser.add_argument("--cohort", type=int, default=200, help="samples (default: %(default)s)")
    chosen = parser.parse_args()
    if not SMALLEST <= chosen.cohort <= LARGEST:
        parser.error(f"COHORT is {chosen.cohort}; give a number of samples from {SMALLEST} to {LARGEST:,}")
    cohort = Cohort(chosen.cohort)
    with tempfile.TemporaryDirectory(prefix="airflow-omics-cohort-") as folder:
        shutil.copy(EXAMPLE_DAGS / f"{DAG_ID}.py", folder)
        cohort.write_sheet(Path(folder) / "cohort.csv")
        return run_demo(
            f"a cohort of {chosen.cohort:,} AWS HealthOmics runs as one Airflow task",
            lambda: Stack(
                pace=PACE,
                poke_interval=POKE_INTERVAL,
                say=say,
                database=chosen.database,
                dags_folder=Path(folder),
            ),
            lambda stack: Demo(stack, cohort).run(),
        )


if __name__ == "__main__":
    sys.exit(main())
