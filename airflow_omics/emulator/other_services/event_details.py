"""What events say: the ``detail`` of each, as documented.

https://docs.aws.amazon.com/omics/latest/dev/eventbridge.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_omics.emulator.lives.run import Entry, Run
from airflow_omics.emulator.service import runs_record
from airflow_omics.emulator.wire import names
from airflow_omics.emulator.wire.names import Place

RUN, TASK = "Run Status Change", "Task Status Change"
WORKFLOW, BATCH = "Workflow Status Change", "RunBatch Status Change"
TYPES = (RUN, TASK, WORKFLOW, BATCH)
"""Every detail-type that there are events of."""
BARE = ("omicsVersion", "arn", "status")
"""What an event of 2023 says, and no more."""
_VERSION = {"omicsVersion": "1.0.0"}
_BATCH_COUNTS = {
    "submissionSummary": (
        "successfulStartSubmissionCount",
        "failedStartSubmissionCount",
        "pendingStartSubmissionCount",
    ),
    "runSummary": ("completedRunCount", "failedRunCount", "cancelledRunCount"),
}


def _present(detail: Mapping[str, Any]) -> dict[str, Any]:
    return {**_VERSION, **{name: value for name, value in detail.items() if value is not None}}


def _workflow_of(run: Run, entry: Entry) -> dict[str, Any]:
    name = runs_record.run_item(run, entry).get("workflowName")
    return {"workflowId": run.members["workflowId"], "workflowName": name}


def run_detail(run: Run, entry: Entry) -> dict[str, Any]:
    """Return the detail of a ``Run Status Change``.

    :param entry: the run's entry into the status.
    """
    return _present(
        {
            "arn": run.arn,
            "status": entry.status,
            "uuid": run.uuid,
            "runId": run.id,
            "runName": run.members.get("name"),
            "runOutputUri": runs_record.output_uri(run),
            **_workflow_of(run, entry),
        }
    )


def task_detail(place: Place, run: Run, task_id: str, status: str) -> dict[str, Any]:
    """Return the detail of a ``Task Status Change``.

    :param run: the run that the task is one of.
    :param task_id: the task's id.
    """
    return _present(
        {
            "arn": names.arn(place, "task", task_id),
            "status": status,
            "runArn": run.arn,
            "runUuid": run.uuid,
            "runId": run.id,
            "runName": run.members.get("name"),
            **_workflow_of(run, run.created),
        }
    )


def workflow_detail(record: Mapping[str, Any], status: str | None = None) -> dict[str, Any]:
    """Return the detail of a ``Workflow Status Change``.

    :param record: the members of GetWorkflow's answer.
    :param status: the status, if it is not that of the record.
    """
    return _present(
        {
            "arn": record["arn"],
            "status": status or record["status"],
            "uuid": record.get("uuid"),
            "workflowId": record["id"],
            "workflowName": record.get("name"),
        }
    )


def batch_detail(
    record: Mapping[str, Any], status: str | None = None, *, failure: str = "VALIDATION_EXCEPTION"
) -> dict[str, Any]:
    """Return the detail of a ``RunBatch Status Change``; its counts are texts.

    RUNS_DELETE_FAILED is not among the statuses that AWS lists for it.

    :param record: the members of GetBatch's answer.
    :param status: the status, if it is not that of the record.
    :param failure: the code that the event of a batch that has failed gives as its reason. Its message is
        what GetBatch gives as the reason.
    """
    status = status or record["status"]
    summaries = ((record.get(summary) or {}, counts) for summary, counts in _BATCH_COUNTS.items())
    numbers = {"totalRuns": record.get("totalRuns")}
    numbers |= {count: summary.get(count) for summary, counts in summaries for count in counts}
    failed = status == "FAILED"
    return _present(
        {
            "arn": record["arn"],
            "batchId": record["id"],
            "status": status,
            "uuid": record.get("uuid"),
            "batchName": record.get("name"),
            **{name: None if number is None else str(number) for name, number in numbers.items()},
            "workflowId": (record.get("defaultRunSetting") or {}).get("workflowId"),
            "failureReason": failure if failed else None,
            "failureMessage": record.get("failureReason") if failed else None,
        }
    )
