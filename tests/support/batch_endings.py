"""The table of how a sensor of a batch ends: what happens to the batch, and what the flags make of that."""

from __future__ import annotations

from typing import Any

from tests.support.batch_waits import end_runs
from tests.support.endings import Row, stays


def runs_end(*statuses: str, at: float = 0) -> Any:
    """Let the runs of a batch end so, one status for each; the batch is PROCESSED then."""

    def arrange(gate: Any, batch_id: str) -> None:
        arguments = (gate.omics, batch_id, statuses, getattr(gate, "endpoint_url", None))
        if at:
            gate.clock.at(at, end_runs, *arguments)
        else:
            end_runs(*arguments)

    return arrange


def moves(status: str, reason: str | None = None, at: float = 0) -> Any:
    """Put the batch into a status, whatever its runs do."""

    def arrange(gate: Any, batch_id: str) -> None:
        if at:
            gate.clock.at(at, gate.omics.move_batch, batch_id, status, reason)
        else:
            gate.omics.move_batch(batch_id, status, reason)

    return arrange


def runs_end_in(batch_status: str, *statuses: str) -> Any:
    """Let the runs of a batch end so, and put the batch into another status than PROCESSED."""

    def arrange(gate: Any, batch_id: str) -> None:
        runs_end(*statuses)(gate, batch_id)
        gate.omics.move_batch(batch_id, batch_status)

    return arrange


def fault(kind: str) -> Any:
    def arrange(gate: Any, batch_id: str) -> None:
        gate.omics.fault("GetBatch", kind)

    return arrange


WELL = ("COMPLETED", "COMPLETED", "COMPLETED")
ONE_BAD = ("COMPLETED", "FAILED", "COMPLETED")

TABLE: dict[str, Row] = {
    "every run completed": Row("success", runs_end(*WELL), "PROCESSED", 1),
    "every run completed after a while": Row("success", runs_end(*WELL, at=150), "PROCESSED", 4),
    "one failed, one tolerated": Row(
        "success", runs_end(*ONE_BAD), "PROCESSED", 1, arguments={"max_failures": 1}
    ),
    "one failed, half tolerated": Row(
        "success", runs_end(*ONE_BAD), "PROCESSED", 1, arguments={"max_failure_ratio": 0.5}
    ),
    "one failed": Row("ended badly", runs_end(*ONE_BAD), "PROCESSED", 1, "OmicsBatchMembersFailedError"),
    "one failed after a while": Row(
        "ended badly", runs_end(*ONE_BAD, at=70), "PROCESSED", 3, "OmicsBatchMembersFailedError"
    ),
    "one of each kind, two tolerated": Row(
        "ended badly",
        runs_end("CANCELLED", "FAILED", "DELETED"),
        "PROCESSED",
        1,
        "OmicsBatchMembersFailedError",
        {"max_failures": 2},
    ),
    "one of each kind, all tolerated": Row(
        "success",
        runs_end("CANCELLED", "FAILED", "DELETED"),
        "PROCESSED",
        1,
        arguments={"max_failure_ratio": 1.0},
    ),
    "one failed, a number and a share are given": Row(
        "ended badly",
        runs_end(*ONE_BAD),
        "PROCESSED",
        1,
        "OmicsBatchMembersFailedError",
        {"max_failures": 5, "max_failure_ratio": 0.3},
    ),
    "PROCESSED in skip_statuses": Row(
        "skipped",
        runs_end(*WELL),
        "PROCESSED",
        1,
        arguments={"success_statuses": ("CANCELLED",), "skip_statuses": ("PROCESSED",)},
    ),
    "PROCESSED, not wanted": Row(
        "ended badly",
        runs_end(*WELL),
        "PROCESSED",
        1,
        "OmicsBatchError",
        {"success_statuses": ("CANCELLED",)},
    ),
    "CANCELLED": Row("ended badly", moves("CANCELLED"), "CANCELLED", 1, "OmicsBatchCancelledError"),
    "CANCELLED in skip_statuses": Row(
        "skipped", moves("CANCELLED"), "CANCELLED", 1, arguments={"skip_statuses": {"CANCELLED"}}
    ),
    "CANCELLED in success_statuses, all tolerated": Row(
        "success",
        runs_end_in("CANCELLED", "CANCELLED", "COMPLETED", "CANCELLED"),
        "CANCELLED",
        1,
        arguments={"success_statuses": ("CANCELLED",), "max_failures": 2},
    ),
    "CANCELLED in success_statuses, too many": Row(
        "ended badly",
        runs_end_in("CANCELLED", "CANCELLED", "COMPLETED", "CANCELLED"),
        "CANCELLED",
        1,
        "OmicsBatchMembersFailedError",
        {"success_statuses": ("CANCELLED",), "max_failures": 1},
    ),
    "FAILED": Row(
        "ended badly",
        moves("FAILED", "There was a transient error in the service. Retry the batch."),
        "FAILED",
        1,
        "OmicsBatchFailedError",
    ),
    "FAILED after a while": Row("ended badly", moves("FAILED", at=70), "FAILED", 3, "OmicsBatchFailedError"),
    **{
        status: Row("ended badly", moves(status), status, 1, "OmicsBatchDeletedError")
        for status in ("RUNS_DELETING", "RUNS_DELETED", "RUNS_DELETE_FAILED")
    },
    "RUNS_DELETED in success_statuses": Row(
        "success",
        moves("RUNS_DELETED"),
        "RUNS_DELETED",
        1,
        arguments={"success_statuses": ("PROCESSED", "RUNS_DELETED")},
    ),
    "active at timeout": Row("timed out", stays, "INPROGRESS", 4, "AirflowSensorTimeout", {"timeout": 150}),
    "access denied": Row("not readable", fault("access-denied"), None, 1, "OmicsAccessError"),
    "value refused": Row("not readable", fault("validation"), None, 1, "OmicsRequestError"),
    "unknown batch": Row("not readable", moves("VANISHED"), None, 3, "OmicsBatchNotFoundError"),
    "dead credentials": Row("not readable", fault("expired-token"), None, None, "OmicsAccessError"),
}
