"""The table of how a sensor ends: what happens to its run, and what each of Airflow's flags makes of that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.sensors import Gate

FLAGS: dict[str, dict[str, bool]] = {
    "no flag": {},
    "soft_fail": {"soft_fail": True},
    "never_fail": {"never_fail": True},
    "silent_fail": {"silent_fail": True},
}

SKIP = "AirflowSkipException"
RAISED = "the row's own error"

AFTER: dict[str, dict[str, str]] = {
    "success": dict.fromkeys(FLAGS, "success"),
    "skipped": dict.fromkeys(FLAGS, SKIP),
    "ended badly": {"no flag": RAISED, "soft_fail": SKIP, "never_fail": SKIP, "silent_fail": RAISED},
    "timed out": {"no flag": RAISED, "soft_fail": SKIP, "never_fail": SKIP, "silent_fail": RAISED},
    "not readable": {"no flag": RAISED, "soft_fail": RAISED, "never_fail": SKIP, "silent_fail": RAISED},
}


@dataclass(frozen=True)
class Row:
    """One row of the table.

    :param category: what the flags make of it, in ``AFTER``.
    :param arrange: prepares the run; takes the gate and the run's id.
    :param error: the class raised if no flag says otherwise.
    :param xcom: the status of the record in XCom; None if no record was ever seen.
    :param looks: the GetRuns it takes, if that is the point.
    :param arguments: the sensor's.
    """

    category: str
    arrange: Callable[[Gate, str], Any]
    xcom: str | None
    looks: int | None
    error: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)


def ends(status: str, reason: str | None = None, message: str | None = None, at: float = 0) -> Any:
    def arrange(gate: Gate, run_id: str) -> None:
        if at:
            gate.clock.at(at, gate.omics.move, run_id, status, reason, message)
        else:
            gate.omics.move(run_id, status, reason, message)

    return arrange


def deleted(gate: Gate, run_id: str) -> None:
    gate.omics.move(run_id, "COMPLETED")
    gate.omics.move(run_id, "DELETED")


def stays(gate: Gate, run_id: str) -> None:
    """Leave it RUNNING."""


def gone(gate: Gate, run_id: str) -> None:
    gate.omics.vanish(run_id)


def fault(kind: str) -> Any:
    def arrange(gate: Gate, run_id: str) -> None:
        gate.omics.fault("GetRun", kind)

    return arrange


TABLE: dict[str, Row] = {
    "COMPLETED": Row("success", ends("COMPLETED"), "COMPLETED", 1),
    "COMPLETED after a while": Row("success", ends("COMPLETED", at=150), "COMPLETED", 4),
    "FAILED in success_statuses": Row(
        "success", ends("FAILED", "SERVICE_ERROR"), "FAILED", 1, arguments={"success_statuses": ["FAILED"]}
    ),
    "CANCELLED in skip_statuses": Row(
        "skipped", ends("CANCELLED"), "CANCELLED", 1, arguments={"skip_statuses": {"CANCELLED"}}
    ),
    "COMPLETED in skip_statuses": Row(
        "skipped",
        ends("COMPLETED"),
        "COMPLETED",
        1,
        arguments={"success_statuses": ("FAILED",), "skip_statuses": ("COMPLETED",)},
    ),
    "FAILED": Row(
        "ended badly", ends("FAILED", "RUN_TASK_FAILED", "Task X failed."), "FAILED", 1, "OmicsRunFailedError"
    ),
    "FAILED after a while": Row(
        "ended badly", ends("FAILED", "RUN_TASK_FAILED", at=70), "FAILED", 3, "OmicsRunFailedError"
    ),
    "CANCELLED": Row("ended badly", ends("CANCELLED"), "CANCELLED", 1, "OmicsRunCancelledError"),
    "DELETED": Row("ended badly", deleted, "DELETED", 1, "OmicsRunDeletedError"),
    "COMPLETED, not wanted": Row(
        "ended badly", ends("COMPLETED"), "COMPLETED", 1, "OmicsRunError", {"success_statuses": ("FAILED",)}
    ),
    "active at timeout": Row("timed out", stays, "RUNNING", 4, "AirflowSensorTimeout", {"timeout": 150}),
    "access denied": Row("not readable", fault("access-denied"), None, 1, "OmicsAccessError"),
    "value refused": Row("not readable", fault("validation"), None, 1, "OmicsRequestError"),
    "unknown run": Row("not readable", gone, None, 3, "OmicsRunNotFoundError"),
    "dead credentials": Row("not readable", fault("expired-token"), None, None, "OmicsAccessError"),
    "unknown status named as success": Row(
        "success", ends("ARCHIVED"), "ARCHIVED", 1, arguments={"success_statuses": ["COMPLETED", "ARCHIVED"]}
    ),
    "unknown status named as skip": Row(
        "skipped", ends("ARCHIVED"), "ARCHIVED", 1, arguments={"skip_statuses": ["ARCHIVED"]}
    ),
    "unknown status at timeout": Row(
        "timed out", ends("PAUSED"), "PAUSED", 4, "AirflowSensorTimeout", {"timeout": 150}
    ),
}
