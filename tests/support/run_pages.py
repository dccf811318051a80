"""Runs in every state that a page knows. Their pages are kept in tests/data/pages."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from airflow_omics._monitoring.price_list import PriceList
from airflow_omics._monitoring.snapshot import run_snapshot
from airflow_omics._monitoring.task_table import RunTask, TaskTable, iso
from airflow_omics.plugin.model import Gate, RunView
from airflow_omics.plugin.run_page import render

FOLDER = pathlib.Path(__file__).parents[1] / "data" / "pages"
ROOT = "/"
NOON = 1_768_478_400.0  # 2026-01-15T12:00:00Z
MINUTE = 60.0
HOUR = 3_600.0

ARN = "arn:aws:omics:us-east-1:123456789012:run/7261567"
LINKS = {
    "The run in the HealthOmics console": "https://console.aws.amazon.com/omics/home?region=us-east-1#/runs/7261567",
    "The engine log": "https://console.aws.amazon.com/cloudwatch/home?region=us-east-1#logsV2:log-groups",
}
PRICES = PriceList(
    {"omics.m.large": 0.1296, "omics.m.xlarge": 0.2592, "omics.c.4xlarge": 0.918, "omics.r.2xlarge": 0.6804},
    region="us-east-1",
    source="prices.json of the platform team",
    as_of="2026-01-01",
)
EARLIER = (2.1 * HOUR, 1.9 * HOUR, 2.2 * HOUR, 1.5 * HOUR, 2 * HOUR)


def record(status: str, **members: Any) -> dict[str, Any]:
    """Return a run's record: created at noon, started 12 minutes later unless it says otherwise."""
    started = {} if status in ("PENDING", "STARTING") else {"startTime": iso(NOON + 12 * MINUTE)}
    return {
        "id": "7261567",
        "uuid": "b5a1f1a0-3f3e-4c6e-8d0a-0a3c1f4f7f10",
        "arn": ARN,
        "status": status,
        "name": "NA12878 germline",
        "workflowId": "1234567",
        "workflowVersionName": "v2.1.0",
        "creationTime": iso(NOON),
        "storageType": "DYNAMIC",
        **started,
        **members,
    }


def task(
    number: int,
    name: str,
    status: str,
    created: float | None,
    started: float | None = None,
    stopped: float | None = None,
    instance: str | None = "omics.m.xlarge",
    **more: Any,
) -> RunTask:
    """Return a task whose times are minutes after noon."""
    after = [None if minutes is None else NOON + minutes * MINUTE for minutes in (created, started, stopped)]
    return RunTask(
        str(9_000_000 + number), name, status, *after, instance, **{"cpus": 4, "memory": 16, **more}
    )


TASKS = (
    task(1, "IndexReference", "COMPLETED", 13, 13, 13.2, None, cached=True),
    task(2, "FastQC", "COMPLETED", 13, 15, 22, "omics.m.large", cpus=2, memory=8),
    task(3, "TrimAdapters", "COMPLETED", 13, 16, 25),
    task(4, "BwaMem", "FAILED", 25, 28, 41, "omics.c.4xlarge", cpus=16, memory=32),
    task(5, "BwaMem", "COMPLETED", 42, 45, 76, "omics.r.2xlarge", cpus=8, memory=64),
    task(6, "MarkDuplicates", "COMPLETED", 76, 78, 90),
    task(7, "CallVariants (chr1-7)", "COMPLETED", 90, 92, 101, "omics.g5.xlarge", gpus=1),
    task(8, "CallVariants (chr8-15)", "RUNNING", 90, 92, None, "omics.g5.xlarge", gpus=1),
    task(9, "CallVariants (chr16-22)", "RUNNING", 90, 95, None, "omics.g5.xlarge", gpus=1),
    task(10, "CallVariants (chrX, chrY)", "STARTING", 90, None, None, "omics.g5.xlarge", gpus=1),
    task(11, "JointGenotyping", "PENDING", 101, None, None, "omics.c.4xlarge", cpus=16, memory=32),
)
SEEN = NOON + 104 * MINUTE
RUNNING = TaskTable(SEEN, TASKS)
ENDED = TaskTable(
    NOON + 131 * MINUTE,
    tuple(
        one
        if one.stopped
        else one._replace(status="COMPLETED", started=one.started or NOON + 93 * MINUTE, stopped=end)
        for one, end in ((one, NOON + (108 + 2 * at) * MINUTE) for at, one in enumerate(TASKS))
    ),
)
FAILED_TASKS = TaskTable(
    NOON + 60 * MINUTE,
    (
        *TASKS[:4],
        task(5, "BwaMem", "FAILED", 42, 45, 52, "omics.c.4xlarge", cpus=16, memory=32),
        task(6, "QualityReport", "CANCELLED", 42, None, 52.5),
    ),
)
REPORT = (
    "HealthOmics run 7261567 'NA12878 germline' of workflow 1234567 is FAILED: OUT_OF_MEMORY_ERROR.\n\n"
    "What it means: A task used more memory than it had asked for.\n"
    "Who can act: the pipeline's author. Give the task more memory in the workflow definition or by a "
    "parameter.\n\n"
    "Failed task 1: BwaMem (9000005), after 7 min, on omics.c.4xlarge (asked for 16 vCPU, 32 GiB)\n"
    "  exit code: 137, killed, usually out of memory"
)
DIAGNOSIS: Mapping[str, Any] = {
    "run": record(
        "FAILED",
        failureReason="OUT_OF_MEMORY_ERROR",
        statusMessage="A task ran out of memory.",
        stopTime=iso(NOON + 53 * MINUTE),
    ),
    "reason": "OUT_OF_MEMORY_ERROR",
    "class": "settings",
    "owner": "pipeline author",
    "meaning": "A task used more memory than it had asked for.",
    "advice": "Give the task more memory in the workflow definition or by a parameter.",
    "tasks": [
        {
            "task_id": "9000005",
            "name": "BwaMem",
            "status": "FAILED",
            "status_message": "The task ran out of memory (exit code 137).",
            "exit_code": 137,
            "instance_type": "omics.c.4xlarge",
            "log": [
                "[M::bwa_idx_load_from_disk] read 0 ALT contigs",
                "[M::process] read 1600000 sequences (160000000 bp)...",
                "[M::mem_pestat] # candidate unique pairs for (FF, FR, RF, RR): (12, 71402, 5, 9)",
                "Killed",
            ],
            "failure": {
                "reason": "OUT_OF_MEMORY_ERROR",
                "failure_class": "settings",
                "owner": "pipeline author",
                "meaning": "A task used more memory than it had asked for.",
                "advice": "Give the task more memory in the workflow definition or by a parameter.",
            },
        }
    ],
    "failed_tasks": 1,
    "notes": ["The engine log was not read: access denied."],
    "links": LINKS,
    "commands": [
        "aws omics get-run --id 7261567 --region us-east-1",
        "aws omics get-run-task --id 7261567 --task-id 9000005 --region us-east-1",
    ],
    "headline": REPORT.partition("\n")[0],
    "text": REPORT,
}


def gate(state: str | None = "deferred", **more: Any) -> Gate:
    return Gate("wait_for_germline", state=state, operator="OmicsRunSensor", started=NOON - 20, **more)


def view(one: Gate, **more: Any) -> RunView:
    return RunView("germline_cohort", "manual__2026-01-15T12:00:00+00:00", one, **{"links": LINKS, **more})


def seen(status: str, at: float = SEEN, tasks: TaskTable | None = None, **members: Any) -> dict[str, Any]:
    """Return the snapshot of a run."""
    stuck = members.pop("stuck_since", None)
    return run_snapshot(record(status, **members), at, tasks=tasks, stuck_since=stuck)


RUNNING_VIEW = view(
    gate(snapshot=seen("RUNNING", tasks=RUNNING)), tasks=RUNNING, earlier=EARLIER, prices=PRICES
)


def many(number_of_tasks: int = 44) -> RunView:
    """Return a run with more tasks than are listed, in a drawing that scrolls."""
    tasks = [task(0, "Prepare", "COMPLETED", 12, 13, 20)]
    for number in range(1, number_of_tasks):
        start = 20 + number % 60
        ended = start + 5 + number % 17
        done = ended < 80
        name = f"Genotype (shard {number:03})"
        tasks.append(
            task(number, name, "COMPLETED" if done else "RUNNING", 20, start, ended if done else None)
        )
    table = TaskTable(NOON + 80 * MINUTE, tuple(tasks), left_out=412)
    return view(gate(snapshot=seen("RUNNING", at=NOON + 81 * MINUTE)), tasks=table, prices=PRICES)


PAGES: Mapping[str, Callable[[], tuple[RunView, float]]] = {
    "run-running": lambda: (RUNNING_VIEW, SEEN + 20),
    "run-failed": lambda: (
        view(
            gate("failed", snapshot=seen("FAILED", failureReason="OUT_OF_MEMORY_ERROR"), try_number=2),
            diagnosis=DIAGNOSIS,
            tasks=FAILED_TASKS,
        ),
        SEEN,
    ),
    "run-completed": lambda: (
        view(
            gate("success", snapshot=seen("COMPLETED", tasks=ENDED, stopTime=iso(NOON + 131 * MINUTE))),
            record=record(
                "COMPLETED", stopTime=iso(NOON + 131 * MINUTE), storageType="STATIC", storageCapacity=1200
            ),
            tasks=ENDED,
            prices=replace_prices(PRICES),
        ),
        SEEN + HOUR,
    ),
    "run-pending": lambda: (
        view(
            gate("deferred", map_index=3, label="NA12878", snapshot=seen("PENDING", at=NOON + 8 * MINUTE)),
            tasks=TaskTable(NOON + 8 * MINUTE),
            earlier=EARLIER[:1],
        ),
        NOON + 9 * MINUTE,
    ),
    "run-stuck": lambda: (
        view(
            gate(snapshot=seen("RUNNING", at=NOON + 200 * MINUTE, stuck_since=NOON + 101 * MINUTE)),
            tasks=TaskTable(NOON + 190 * MINUTE, TASKS[:9]),
            earlier=EARLIER,
        ),
        NOON + 240 * MINUTE,
    ),
    "run-deleted": lambda: (view(gate("failed", snapshot=seen("DELETED")), links={}), SEEN),
    "run-unknown-status": lambda: (view(gate("deferred", snapshot=seen("REHYDRATING")), links={}), SEEN),
    "run-not-seen": lambda: (view(gate("running"), links={}), NOON),
    "run-kept-elsewhere": lambda: (view(gate("deferred", is_elsewhere=True), links={}), NOON),
    "run-many-tasks": lambda: (many(), NOON + 82 * MINUTE),
    "run-diagnosis-only": lambda: (view(gate("failed"), diagnosis=DIAGNOSIS, links={}), SEEN),
    "run-record-only": lambda: (
        view(gate("success"), record=record("COMPLETED", stopTime=iso(SEEN)), links={}),
        SEEN,
    ),
    "run-task-over": lambda: (view(replace(RUNNING_VIEW.gate, state="failed"), tasks=RUNNING), SEEN + HOUR),
}


def replace_prices(prices: PriceList) -> PriceList:
    """Return a list that has a price for all, with a discount."""
    return prices._replace(prices={**prices.prices, "omics.g5.xlarge": 1.6362}, factor=0.9)


def page_of(name: str) -> str:
    """Return a page as it is now."""
    one, now = PAGES[name]()
    return render(one, ROOT, now)


def kept(name: str) -> pathlib.Path:
    """Return where a page is kept."""
    return FOLDER / f"{name}.html"
