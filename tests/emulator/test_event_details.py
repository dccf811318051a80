"""What events of workflows and batches say, against the documented samples."""

from __future__ import annotations

from typing import Any

from airflow_omics.emulator.other_services import event_details

# https://docs.aws.amazon.com/omics/latest/dev/eventbridge.html
BATCH_SAMPLE = {
    "omicsVersion": "1.0.0",
    "arn": "arn:aws:omics:us-west-2:123456789012:runBatch/7123456",
    "batchId": "7123456",
    "status": "PROCESSED",
    "uuid": "96c57683-74bf-9d6d-ae7e-f09b097db14a",
    "batchName": "genomics-cohort-analysis",
    "totalRuns": "96",
    "successfulStartSubmissionCount": "94",
    "failedStartSubmissionCount": "2",
    "pendingStartSubmissionCount": "0",
    "completedRunCount": "90",
    "failedRunCount": "4",
    "cancelledRunCount": "0",
    "workflowId": "1234567",
}
# What GetBatch would answer for it.
BATCH: dict[str, Any] = {
    "arn": BATCH_SAMPLE["arn"],
    "id": "7123456",
    "uuid": BATCH_SAMPLE["uuid"],
    "name": "genomics-cohort-analysis",
    "status": "PROCESSED",
    "tags": {},
    "totalRuns": 96,
    "defaultRunSetting": {"workflowId": "1234567", "roleArn": "arn:aws:iam::123456789012:role/R"},
    "submissionSummary": {
        "successfulStartSubmissionCount": 94,
        "failedStartSubmissionCount": 2,
        "pendingStartSubmissionCount": 0,
        "successfulCancelSubmissionCount": 0,
    },
    "runSummary": {
        "pendingRunCount": 0,
        "completedRunCount": 90,
        "failedRunCount": 4,
        "cancelledRunCount": 0,
        "deletedRunCount": 0,
    },
}


def test_a_batch_is_as_in_the_documented_sample() -> None:
    detail = event_details.batch_detail(BATCH)
    assert detail == BATCH_SAMPLE
    assert list(detail) == list(BATCH_SAMPLE)


def test_a_batch_that_has_failed_gives_a_code_and_a_message() -> None:
    says = "Expected 100 unique runSettingIds but there were 99"
    batch = {**BATCH, "status": "FAILED", "failureReason": says}
    detail = event_details.batch_detail(batch)
    assert (detail["failureReason"], detail["failureMessage"]) == ("VALIDATION_EXCEPTION", says)
    detail = event_details.batch_detail(batch, failure="INTERNAL_SERVER_EXCEPTION")
    assert detail["failureReason"] == "INTERNAL_SERVER_EXCEPTION"


def test_a_batch_without_counts_has_none_in_its_event() -> None:
    young = {"arn": "arn:b", "id": "1", "uuid": "u", "status": "PENDING", "tags": {}}
    detail = event_details.batch_detail(young, "CREATING")
    assert detail == {
        "omicsVersion": "1.0.0",
        "arn": "arn:b",
        "batchId": "1",
        "status": "CREATING",
        "uuid": "u",
    }


def test_a_workflow_says_which_one_it_is() -> None:
    workflow = {"arn": "arn:w", "id": "7", "status": "CREATING", "name": "wf", "uuid": "u", "type": "PRIVATE"}
    detail = event_details.workflow_detail(workflow, "ACTIVE")
    assert detail == {
        "omicsVersion": "1.0.0",
        "arn": "arn:w",
        "status": "ACTIVE",
        "uuid": "u",
        "workflowId": "7",
        "workflowName": "wf",
    }
