"""Why runs fail: every documented ``failureReason``, whose problem it is, and whether a retry can help.

A plain table. A DAG author changes or adds a row in one line, in the DAG file::

    FAILURES["EXPORT_FAILED"] = FAILURES["EXPORT_FAILED"]._replace(owner="storage team")

Reasons: https://docs.aws.amazon.com/omics/latest/dev/workflows-run-errors.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

__all__ = ["FAILURES", "Failure"]

RETRY: Final = "retry"
"""Capacity, the service, or an input that was being written: the same run may pass the next time."""

CHANGE: Final = "change"
"""The same run fails again until somebody changes something."""

SETTINGS: Final = "settings"
"""The run may pass with more storage, memory or time."""

LOOK_INSIDE: Final = "look inside"
"""The reason does not say enough; the tasks or the engine log do."""

PLATFORM: Final = "platform"
PIPELINE_AUTHOR: Final = "pipeline author"
DATA: Final = "data"
AWS: Final = "AWS"

OWNERS: Final[Mapping[str, str]] = {
    PLATFORM: "the platform team",
    PIPELINE_AUTHOR: "the pipeline's author",
    DATA: "whoever provides the data",
    AWS: "AWS",
}
"""Who can act, as texts name them."""

RETRY_OF_CLASS: Final[Mapping[str, str]] = {
    RETRY: "Yes; nothing about the run has to change first.",
    CHANGE: "No; the same run fails again until something has changed.",
    SETTINGS: "Not the same run; with other settings it may pass.",
    LOOK_INSIDE: "The reason does not say; the lines below may.",
}
"""Whether a retry helps, by the class of a failure."""

# 128 and a signal's number, by the shell's convention.
EXIT_CODES: Final[Mapping[int, str]] = {
    126: "the command cannot be executed",
    127: "the command was not found",
    137: "killed, usually out of memory",
    139: "a crash in native code",
    143: "ended from outside",
}
"""What the exit codes mean that mean the same for every program."""


class Failure(NamedTuple):
    """What one reason means.

    :param reason: the ``failureReason``; None if there is none.
    :param failure_class: ``retry``, ``change``, ``settings`` or ``look inside``.
    :param owner: who can act: ``platform`` (roles, buckets, quotas, how the run is started), ``pipeline
        author`` (the workflow's definition and images), ``data`` (the inputs) or ``AWS``.
    :param meaning: what happened, one sentence.
    :param advice: what to do, one or two sentences.
    """

    reason: str | None
    failure_class: str
    owner: str
    meaning: str
    advice: str


_ROWS: Final = (
    Failure(
        "ALL_PROFILES_INSTANCE_RESERVATION_FAILED",
        RETRY,
        AWS,
        "None of the instance profiles that the task falls back on had capacity.",
        "Start the run again later, or add instance types to the task's omicsResourceFallbackOrder.",
    ),
    Failure(
        "ASSUME_ROLE_FAILED",
        CHANGE,
        PLATFORM,
        "HealthOmics was not allowed to assume the run's role.",
        "Let the role's trust policy name omics.amazonaws.com as a principal of sts:AssumeRole, and check "
        "its conditions on source account and ARN.",
    ),
    Failure(
        "CANNOT_START_CONTAINER_ERROR",
        CHANGE,
        PIPELINE_AUTHOR,
        "The container of a task could not be started from its image.",
        "Check the image: its architecture, its entry point, and that it runs elsewhere.",
    ),
    Failure(
        "CANNOT_START_CONTAINER_SIZE_ERROR",
        CHANGE,
        PIPELINE_AUTHOR,
        "The container image of a task is larger than HealthOmics takes.",
        "Make the image smaller than 45 GiB (95 GiB for GPU tasks); reference data belongs into inputs.",
    ),
    Failure(
        "ECR_PERMISSION_ERROR",
        CHANGE,
        PLATFORM,
        "HealthOmics was not allowed to pull a container image.",
        "Let the ECR repository's policy allow omics.amazonaws.com to read it, in the run's own Region.",
    ),
    Failure(
        "EXPORT_FAILED",
        CHANGE,
        PLATFORM,
        "The outputs could not be written to S3; the tasks had done their work.",
        "Check that the output bucket exists and that the run's role may write to outputUri, its KMS key "
        "included.",
    ),
    Failure(
        "FILE_SYSTEM_OUT_OF_SPACE",
        SETTINGS,
        PLATFORM,
        "The run's file system was full.",
        "Start the run with a larger storageCapacity, or with storageType DYNAMIC.",
    ),
    Failure(
        "IMAGE_VERIFICATION_FAILURE",
        CHANGE,
        PIPELINE_AUTHOR,
        "A container image is not the one that its digest promises.",
        "Correct the image's digest in the workflow, or push the image that was meant.",
    ),
    Failure(
        "IMPORT_FAILED",
        CHANGE,
        DATA,
        "An input could not be copied to the run's file system.",
        "Check that the input exists in the run's Region and that the run's role may read it, its KMS key "
        "included.",
    ),
    Failure(
        "INACTIVE_OMICS_STORAGE_RESOURCE",
        CHANGE,
        DATA,
        "A read set given as input is archived.",
        "Activate the read set, wait until it is ACTIVE, then start the run.",
    ),
    Failure(
        "INPUT_URI_NOT_FOUND",
        CHANGE,
        DATA,
        "An input does not exist, or the run's role cannot see it.",
        "Correct the input's URI, or bring the object there; without s3:ListBucket a missing object and a "
        "forbidden one look alike.",
    ),
    Failure(
        "INSTANCE_RESERVATION_FAILED",
        RETRY,
        AWS,
        "There was not enough instance capacity for a task.",
        "Start the run again later; other instance sizes or another Region may have capacity now.",
    ),
    Failure(
        "INVALID_ECR_IMAGE_URI",
        CHANGE,
        PIPELINE_AUTHOR,
        "A container image URI is not one of a private ECR repository, or names nothing.",
        "Correct the image's URI: account, Region, repository and tag.",
    ),
    Failure(
        "INVALID_RUN_PARAMETERS",
        CHANGE,
        PLATFORM,
        "The run's parameters, or those in the file that parametersUri names, are not valid.",
        "Correct the parameters: the status message may say which, and the workflow's parameter template "
        "says what it takes.",
    ),
    Failure(
        "INVALID_TASK_RESOURCE_VALUE",
        CHANGE,
        PIPELINE_AUTHOR,
        "A task asks for CPUs, memory or GPUs that HealthOmics does not offer.",
        "Correct the task's resources in the workflow definition.",
    ),
    Failure(
        "INVALID_URI_INPUT",
        CHANGE,
        DATA,
        "An input's URI is malformed or of a kind that HealthOmics does not read.",
        "Correct the URI in the run's parameters.",
    ),
    Failure(
        "MODIFIED_INPUT_RESOURCE",
        RETRY,
        DATA,
        "An input changed after the run had started.",
        "Wait until whoever writes the input has finished, then start the run again.",
    ),
    Failure(
        "OUT_OF_MEMORY_ERROR",
        SETTINGS,
        PIPELINE_AUTHOR,
        "A task used more memory than it had asked for.",
        "Give the task more memory in the workflow definition or by a parameter.",
    ),
    Failure(
        "RUN_TASK_FAILED",
        LOOK_INSIDE,
        PIPELINE_AUTHOR,
        "A task of the run failed.",
        "The task's own message and log say why.",
    ),
    Failure(
        "RUN_TIMED_OUT",
        SETTINGS,
        PLATFORM,
        "The run took longer than it was allowed to.",
        "Raise the maximum duration: that of its run group, or the account's quota (7 days by default).",
    ),
    Failure(
        "SERVICE_ERROR",
        RETRY,
        AWS,
        "HealthOmics had an error of its own, which passes.",
        "Start the run again; if it keeps failing so, hand the run's ARN to AWS Support.",
    ),
    Failure(
        "TASK_TIMED_OUT",
        SETTINGS,
        PIPELINE_AUTHOR,
        "A task took longer than the workflow allows it.",
        "Raise the task's time limit, or give it more CPUs so that it is done sooner.",
    ),
    Failure(
        "UNSUPPORTED_GPU_INSTANCE_TYPE",
        CHANGE,
        PIPELINE_AUTHOR,
        "A task asks for a GPU type that HealthOmics does not offer in this Region.",
        "Name a GPU type that is offered there.",
    ),
    Failure(
        "UNSUPPORTED_INPUT_SIZE",
        CHANGE,
        DATA,
        "An input is larger than HealthOmics imports.",
        "Split the input, or have it made smaller.",
    ),
    Failure(
        "WORKFLOW_RUN_FAILED",
        LOOK_INSIDE,
        PIPELINE_AUTHOR,
        "The workflow engine gave up.",
        "The engine log says why.",
    ),
    Failure(
        "WORKFLOW_VER_VALIDATION_FAILED",
        CHANGE,
        PIPELINE_AUTHOR,
        "The workflow asks for an engine version that HealthOmics does not run.",
        "Name a supported Nextflow version in the workflow.",
    ),
)

FAILURES: dict[str, Failure] = {row.reason: row for row in _ROWS if row.reason}
"""What each ``failureReason`` means. Change it, or add to it, as you like; see this module's first lines."""

ENDINGS: dict[str, Failure] = {
    "CANCELLED": Failure(
        None,
        CHANGE,
        PLATFORM,
        "Somebody, or a program, cancelled the run; it left no outputs.",
        "Ask who cancelled it before it is started again.",
    ),
    "DELETED": Failure(
        None,
        CHANGE,
        PLATFORM,
        "HealthOmics has forgotten the run: it was deleted, or made room for newer runs (retention mode "
        "REMOVE).",
        "Its outputs in S3 and its logs stay. Whether they are complete depends on how the run had ended, "
        "which its manifest says.",
    ),
    "COMPLETED": Failure(
        None,
        CHANGE,
        PLATFORM,
        "The run did its work; the task does not count COMPLETED as a success.",
        "If it should, name COMPLETED in the task's success_statuses.",
    ),
}
"""What an ending without a ``failureReason`` means, by status. You may change it as well."""

SUBMISSIONS: dict[str, Failure] = {
    "ACCESS_DENIED": Failure(
        "ACCESS_DENIED",
        CHANGE,
        PLATFORM,
        "HealthOmics was not allowed to start the member.",
        "Let whoever starts the batch call omics:StartRun, omics:TagResource and iam:PassRole; the message "
        "names which of them is denied, and on what.",
    ),
    "CONFLICT": Failure(
        "CONFLICT",
        RETRY,
        AWS,
        "Another request about the same thing was under way.",
        "Start the member again.",
    ),
    "INTERNAL_SERVER": Failure(
        "INTERNAL_SERVER",
        RETRY,
        AWS,
        "HealthOmics had an error of its own while it started the member, which passes.",
        "Start the member again.",
    ),
    "REQUEST_TIMEOUT": Failure(
        "REQUEST_TIMEOUT",
        RETRY,
        AWS,
        "HealthOmics did not start the member in time.",
        "Start the member again.",
    ),
    "RESOURCE_NOT_FOUND": Failure(
        "RESOURCE_NOT_FOUND",
        CHANGE,
        PLATFORM,
        "Something that the member names does not exist: the message says what.",
        "Correct the workflow, version, run group, run cache or configuration.",
    ),
    "SERVICE_QUOTA_EXCEEDED": Failure(
        "SERVICE_QUOTA_EXCEEDED",
        CHANGE,
        PLATFORM,
        "The account's quota of runs was used up.",
        "Delete runs that are not needed, or ask AWS to raise the quota; then start the member again.",
    ),
    "THROTTLING": Failure(
        "THROTTLING",
        RETRY,
        AWS,
        "The account's rate of StartRun was used up; calls outside the batch use it as well.",
        "Start the member again, with less beside the batch, or ask AWS to raise the rate.",
    ),
    "VALIDATION": Failure(
        "VALIDATION",
        CHANGE,
        PLATFORM,
        "HealthOmics does not take the member's settings: the message says what is wrong.",
        "Correct the member's entry in the run settings.",
    ),
}
"""What a ``submissionFailureReason`` of a batch's member means that is no run's reason. You may change it."""

NOT_SUBMITTED: Final = Failure(
    "NOT_SUBMITTED",
    RETRY,
    PLATFORM,
    "The batch was cancelled, or failed, before it came to the member.",
    "Start the member again, in another batch.",
)
"""What it means that a batch has not tried a member."""

NOT_LOOKED_AT: Final = Failure(
    "not looked at",
    LOOK_INSIDE,
    PLATFORM,
    "Their reasons were not read.",
    "The commands below list them.",
)
"""What stands for the reasons of members that were not read."""


def classify_submission(reason: str | None) -> Failure:
    """Return what it means that a batch could not start a member.

    :param reason: the member's ``submissionFailureReason``: a row of :data:`FAILURES`, or a kind of error,
        as ``THROTTLING`` or ``ThrottlingException``, of :data:`SUBMISSIONS`.
    """
    if not reason or reason in FAILURES:
        return classify({"status": "FAILED", "failureReason": reason})
    words = "".join(
        f"_{c}" if c.isupper() and before.islower() else c
        for before, c in zip(reason[:1] + reason, reason, strict=False)
    )
    known = SUBMISSIONS.get(words.upper().removesuffix("_EXCEPTION").removesuffix("_ERROR"))
    return known._replace(reason=reason) if known else classify({"failureReason": reason})


def classify(record: Mapping[str, Any]) -> Failure:
    """Return what the failure of a run, or of one of its tasks, means.

    :param record: a run record, or GetRunTask's answer: ``status`` and ``failureReason`` are read.
    :return: the row of :data:`FAILURES`, or of :data:`ENDINGS` for a run that was cancelled or deleted. A
        reason that is not in the table, or that is missing, is ``look inside``.
    """
    reason, status = record.get("failureReason"), record.get("status")
    if isinstance(reason, str) and reason in FAILURES:
        return FAILURES[reason]
    if isinstance(status, str) and status in ENDINGS:
        return ENDINGS[status]
    if reason:
        return Failure(
            str(reason),
            LOOK_INSIDE,
            PLATFORM,
            f"{reason} is a reason that this version of airflow-omics does not know.",
            "The status message, the tasks and the engine log may say why; "
            "https://docs.aws.amazon.com/omics/latest/dev/workflows-run-errors.html lists the reasons.",
        )
    if status not in (None, "FAILED"):
        return Failure(
            None,
            LOOK_INSIDE,
            PLATFORM,
            f"{status} is a status that this version of airflow-omics does not know.",
            "https://docs.aws.amazon.com/omics/latest/dev/monitoring-runs.html says what it means.",
        )
    return Failure(
        None,
        LOOK_INSIDE,
        PLATFORM,
        "HealthOmics gave no reason.",
        "The status message, the tasks and the engine log may say why.",
    )
