"""DAG runs and batches as Airflow's database may hold them, for the pages."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from airflow_omics._monitoring.snapshot import batch_snapshot, run_snapshot
from airflow_omics._monitoring.task_table import iso
from airflow_omics.plugin import batch_page, cohort_page
from airflow_omics.plugin.model import CohortView, Gate, RunView

FOLDER: Final = pathlib.Path(__file__).parents[1] / "data" / "pages"
NOW = 1_768_500_000.0  # 2026-01-15 18:00:00 UTC
DAG, DAG_RUN = "germline", "manual__2026-01-15T12:00:00+00:00"
HOUR = 3600.0
REASONS = ("OUT_OF_MEMORY_ERROR", "INPUT_URI_NOT_FOUND", "RUN_TASK_FAILED")
# Of every twenty gates.
PATTERN = (
    *("COMPLETED", "RUNNING", "RUNNING", "COMPLETED", "RUNNING", "FAILED", "RUNNING", "RUNNING", "PENDING"),
    *("COMPLETED", "RUNNING", "RUNNING", "STARTING", "COMPLETED", "RUNNING", "FAILED", "RUNNING", "RUNNING"),
    *("CANCELLED", "COMPLETED"),
)


def run_gate(index: int, status: str, *, task_id: str = "gate", stuck: bool = False, **changes: Any) -> Gate:
    """Return the gate of a run in a status; its times and reason follow from its map index."""
    created = NOW - 5 * HOUR + 20 * (index % 300)
    record: dict[str, Any] = {
        "id": f"{7_000_000 + index}",
        "uuid": f"00000000-0000-4000-8000-{index:012d}",
        "status": status,
        "name": f"NA{12_000 + index}",
        "workflowId": "1234567",
        "creationTime": iso(created),
    }
    if status != "PENDING":
        record["startTime"] = iso(created + 600)
    ended = status in ("COMPLETED", "FAILED", "CANCELLED")
    if ended:
        record["stopTime"] = iso(created + 600 + HOUR + 97 * (index % 30))
    if status == "FAILED":
        record["failureReason"] = REASONS[index // 3 % len(REASONS)]
    snapshot = run_snapshot(record, NOW - 60, stuck_since=NOW - 3.5 * HOUR if stuck else None)
    state = {"COMPLETED": "success", "FAILED": "failed", "CANCELLED": "failed"}.get(status, "deferred")
    return Gate(
        task_id, index, **{"state": state, "operator": "OmicsRunSensor", "snapshot": snapshot} | changes
    )


def stateful(index: int, state: str | None, task_id: str = "gate", **changes: Any) -> Gate:
    """Return a gate of which no run was seen."""
    return Gate(task_id, index, **{"state": state, "operator": "OmicsRunSensor"} | changes)


def cohort(size: int, task_id: str = "gate") -> CohortView:
    """Return a mapped task with runs in every state."""
    gates = [
        run_gate(index, PATTERN[(index * 7 + index // 20) % 20], task_id=task_id, stuck=index % 71 == 30)
        if index < size - size // 30
        else stateful(index, (None, "queued", "deferred", "failed")[index % 4], task_id)
        for index in range(size)
    ]
    return CohortView(DAG, DAG_RUN, tuple(gates))


def batch_gate(
    status: str, index: int = -1, *, state: str = "deferred", reasons: Any = None, **counts: int
) -> Gate:
    """Return the gate of a batch of 250 runs."""
    record: dict[str, Any] = {
        "id": f"{7_706_183 + index + 1}",
        "uuid": f"00000000-0000-4000-9000-{index + 1:012d}",
        "status": status,
        "name": f"cohort-{index + 1}",
        "creationTime": iso(NOW - 4 * HOUR),
        "totalRuns": 250,
        "submissionSummary": {f"{n}SubmissionCount": c for n, c in counts.items() if n.endswith("Start")},
        "runSummary": {f"{n}RunCount": c for n, c in counts.items() if not n.endswith("Start")},
    }
    if status not in ("CREATING", "PENDING", "SUBMITTING"):
        record["submittedTime"] = iso(NOW - 3.5 * HOUR)
    if status == "PROCESSED":
        record["processedTime"] = iso(NOW - HOUR)
    if status == "FAILED":
        record |= {"failedTime": iso(NOW - HOUR), "failureReason": "The settings file cannot be read."}
    snapshot = batch_snapshot(record, NOW - 60, reasons=reasons)
    return Gate("cohort", index, state=state, operator="OmicsStartRunBatchOperator", snapshot=snapshot)


def in_progress(index: int = -1) -> Gate:
    """Return the gate of a batch that goes on."""
    reasons = {("OUT_OF_MEMORY_ERROR", "pipeline author"): 9, ("IMPORT_FAILED", "data"): 4}
    return batch_gate(
        "INPROGRESS", index, reasons=reasons, completed=120, failed=14, running=90, starting=6, pending=14,
        successfulStart=244, failedStart=6,
    )  # fmt: skip


def mixed() -> CohortView:
    """Return a DAG run with tasks of every kind."""
    started = [run_gate(i, "PENDING", task_id="start", state="success") for i in range(4)]
    waited = [run_gate(i, s) for i, s in enumerate(("COMPLETED", "RUNNING", "FAILED", "CANCELLED"))]
    gates = [
        *started,
        *waited,
        *(stateful(4 + i, s) for i, s in enumerate((None, "queued", "failed", "skipped", "upstream_failed"))),
        stateful(9, "success", label="S-9 <b>&"),
        run_gate(10, "RUNNING", state="failed"),
        run_gate(11, "FAILED", state="up_for_retry"),
        run_gate(12, "SUSPENDED", stuck=True),
        run_gate(13, "RUNNING", stuck=True, label="S-13"),
        stateful(14, "deferred", is_elsewhere=True),
        run_gate(-1, "RUNNING", task_id="reference"),
        stateful(-1, "queued", task_id="panel"),
        in_progress(0),
        batch_gate("PROCESSED", 1, state="success", completed=244, failed=4, failedStart=2),
        Gate("cohort", 2, state="queued", operator="OmicsStartRunBatchOperator"),
    ]
    return CohortView(DAG, DAG_RUN, tuple(gates))


def judged(state: str, **counts: int) -> RunView:
    """Return the page of a batch of 250 runs that has ended and was judged."""
    gate = batch_gate("PROCESSED", state=state, completed=200, failed=40, failedStart=7)
    outcome = {"total": 250, "completed": 200, "failed": 43, "cancelled": 0, "deleted": 0, "notStarted": 7}
    failures = [
        _failure("OUT_OF_MEMORY_ERROR", "settings", "pipeline author", 20, 201),
        _failure("IMPORT_FAILED", "change", "data", 12, 221),
        _failure("ThrottlingException", "retry", "AWS", 7, 240),
        _failure("not looked at", "look inside", "platform", 11, 0),
    ]
    members = [
        {
            "runSettingId": f"sample-{i}",
            "runId": f"{4_400_000 + i}",
            "status": "FAILED" if i < 3 else "COMPLETED",
        }
        for i in range(8)
    ]
    record = {"outcome": outcome | counts, "failures": failures, "members": members}
    links = {"HealthOmics run": "https://console.aws.amazon.com/omics/home?region=us-west-2#/runs"}
    return RunView(DAG, DAG_RUN, gate, record=record, links=links)


def _failure(reason: str, kind: str, owner: str, count: int, first: int) -> Mapping[str, Any]:
    examples = [{"runSettingId": f"sample-{first + i}", "runId": f"{4_400_000 + i}"} for i in range(3)]
    found = {"reason": reason, "class": kind, "owner": owner, "count": count}
    return found | {"examples": examples if first else []}


def batch_view(gate: Gate) -> RunView:
    """Return the page of a batch that goes on, or has left no record."""
    return RunView(DAG, DAG_RUN, gate)


VIEWS: Final[Mapping[str, Callable[[], CohortView | RunView]]] = {
    "cohort-none": lambda: CohortView(DAG, DAG_RUN),
    "cohort-40": lambda: cohort(40),
    "cohort-mixed": mixed,
    "batch-creating": lambda: batch_view(batch_gate("CREATING")),
    "batch-submitting": lambda: batch_view(
        batch_gate(
            "SUBMITTING", successfulStart=118, failedStart=2, pendingStart=130, running=100, completed=18
        )
    ),
    "batch-in-progress": lambda: batch_view(in_progress(3)),
    "batch-tolerated": lambda: judged("success"),
    "batch-too-many": lambda: judged("failed"),
    "batch-completed": lambda: RunView(
        DAG,
        DAG_RUN,
        batch_gate("PROCESSED", state="success", completed=250),
        {"outcome": {"total": 250, "completed": 250}},
    ),
    "batch-failed": lambda: batch_view(batch_gate("FAILED", state="failed", failedStart=250)),
    "batch-cancelled": lambda: batch_view(
        batch_gate("CANCELLED", state="failed", completed=90, cancelled=60, successfulStart=150)
    ),
    "batch-deleted": lambda: batch_view(batch_gate("RUNS_DELETED", state="failed", deleted=250)),
    "batch-left": lambda: batch_view(batch_gate("INPROGRESS", state="success", running=250)),
    "batch-unseen": lambda: batch_view(Gate("cohort", state="queued", snapshot={"kind": "batch"})),
    "batch-never-seen": lambda: batch_view(Gate("cohort", state="failed", snapshot={"kind": "batch"})),
}
"""The pages that are kept, by their names."""


def page_of(name: str) -> str:
    """Return one of the pages."""
    return drawn(VIEWS[name]())


def drawn(view: CohortView | RunView, root: str = "/") -> str:
    """Return the page of a view."""
    if isinstance(view, CohortView):
        return cohort_page.render(view, root, NOW)
    return batch_page.render(view, root, NOW)
