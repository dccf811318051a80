"""The lives that end in FAILED: one for every documented ``failureReason``, and the odd ones.

Reasons: https://docs.aws.amazon.com/omics/latest/dev/workflows-run-errors.html
"""

from __future__ import annotations

from airflow_omics.emulator.lives.script import Life, Stage, Task

_BEFORE_START = (Stage("PENDING", 2), Stage("STARTING", 300), Stage("STOPPING", 30), Stage("FAILED"))
_BEFORE_TASKS = (
    Stage("PENDING", 2),
    Stage("STARTING", 560),
    Stage("RUNNING", 120),
    Stage("STOPPING", 160),
    Stage("FAILED"),
)
_IN_TASK = (
    Stage("PENDING", 2),
    Stage("STARTING", 560),
    Stage("RUNNING", 480),
    Stage("STOPPING", 160),
    Stage("FAILED"),
)
_FIRST = Task("AlignReads", at=20, cpus=4, memory=8, instance_type="omics.c.xlarge")

# Where a run of this reason breaks: in a task, with the task's own reason and message; or before any task.
_TASK_REASONS: tuple[tuple[str, str, str], ...] = (
    (
        "RUN_TASK_FAILED",
        "Task CallVariants failed. See GetRunTask and the task's log.",
        "The task exited with 1.",
    ),
    (
        "TASK_TIMED_OUT",
        "Task CallVariants timed out after 120 seconds.",
        "The task timed out after 120 seconds.",
    ),
    ("OUT_OF_MEMORY_ERROR", "A task ran out of memory.", "The task ran out of memory (exit code 137)."),
    ("FILE_SYSTEM_OUT_OF_SPACE", "The run's file system is full.", "No space left on device."),
    (
        "INSTANCE_RESERVATION_FAILED",
        "There is not enough instance capacity.",
        "No instance could be reserved.",
    ),
    (
        "ALL_PROFILES_INSTANCE_RESERVATION_FAILED",
        "No profile of omicsResourceFallbackOrder could be reserved.",
        "Every profile was tried and none could be reserved.",
    ),
    (
        "SERVICE_ERROR",
        "A transient error occurred in the service.",
        "A transient error occurred in the service.",
    ),
    (
        "CANNOT_START_CONTAINER_ERROR",
        "The container of a task could not be started.",
        "The image is not valid.",
    ),
    (
        "CANNOT_START_CONTAINER_SIZE_ERROR",
        "The image of a task is too large.",
        "The image is larger than 45 GiB.",
    ),
    (
        "ECR_PERMISSION_ERROR",
        "HealthOmics may not pull a container image.",
        "Access to the repository is denied.",
    ),
    ("INVALID_ECR_IMAGE_URI", "A container image URI is not valid.", "The image URI is not valid."),
    (
        "IMAGE_VERIFICATION_FAILURE",
        "A container image's digest did not match.",
        "The image digest did not match.",
    ),
    (
        "INVALID_TASK_RESOURCE_VALUE",
        "A task asks for a resource value out of range.",
        "cpus is out of range.",
    ),
    (
        "UNSUPPORTED_GPU_INSTANCE_TYPE",
        "A task asks for an unsupported GPU type.",
        "The GPU type is not supported.",
    ),
)
_EARLY_REASONS: tuple[tuple[str, str, bool], ...] = (
    ("ASSUME_ROLE_FAILED", "HealthOmics could not assume the run's role. Check its trust policy.", True),
    ("INVALID_RUN_PARAMETERS", "The file that parametersUri names holds no valid run parameters.", True),
    ("WORKFLOW_VER_VALIDATION_FAILED", "The workflow's Nextflow version is not supported.", True),
    ("INPUT_URI_NOT_FOUND", "An input does not exist: s3://amzn-s3-demo-bucket/reads.fastq.gz", False),
    ("INVALID_URI_INPUT", "An input URI is not valid.", False),
    ("INACTIVE_OMICS_STORAGE_RESOURCE", "A read set given as input is archived. Activate it first.", False),
    ("UNSUPPORTED_INPUT_SIZE", "An input is too large.", False),
    ("IMPORT_FAILED", "An input could not be imported.", False),
    ("MODIFIED_INPUT_RESOURCE", "An input changed after the run started.", False),
)


def _kebab(reason: str) -> str:
    return "failed-" + reason.lower().replace("_", "-")


def _failing_task(reason: str, message: str) -> Task:
    return Task(
        "CallVariants",
        at=230,
        stages=(Stage("PENDING", 4), Stage("STARTING", 120), Stage("RUNNING", 60), Stage("FAILED")),
        cpus=2,
        memory=8,
        instance_type="omics.m.large",
        failure_reason=reason,
        status_message=message,
        log_lines=("Using GATK jar /gatk/gatk-package-local.jar", f"ERROR: {message}"),
    )


def _in_task(reason: str, message: str, task_message: str) -> Life:
    return Life(
        _kebab(reason),
        _IN_TASK,
        f"FAILED with `{reason}`, by its second task.",
        failure_reason=reason,
        status_message=message,
        tasks=(_FIRST, _failing_task(reason, task_message)),
        engine_log=(
            "workflow engine: calls ready: CallVariants",
            f"workflow engine: call failed: {task_message}",
        ),
    )


def _early(reason: str, message: str, before_start: bool) -> Life:
    return Life(
        _kebab(reason),
        _BEFORE_START if before_start else _BEFORE_TASKS,
        f"FAILED with `{reason}`, {'before it was RUNNING' if before_start else 'before any task'}.",
        failure_reason=reason,
        status_message=message,
    )


FAILED_LIVES: tuple[Life, ...] = (
    *(_in_task(*row) for row in _TASK_REASONS),
    *(_early(*row) for row in _EARLY_REASONS),
    Life(
        "failed-workflow-run-failed",
        _BEFORE_TASKS,
        "FAILED with `WORKFLOW_RUN_FAILED` before any task: the engine log holds the error.",
        failure_reason="WORKFLOW_RUN_FAILED",
        status_message="Review the CloudWatch Logs engine log stream.",
        engine_log=(
            "workflow engine: reading the workflow definition",
            "workflow engine: ERROR: required input 'reference' is missing",
        ),
    ),
    Life(
        "failed-run-timed-out",
        (
            Stage("PENDING", 2),
            Stage("STARTING", 560),
            Stage("RUNNING", 3600),
            Stage("STOPPING", 160),
            Stage("FAILED"),
        ),
        "FAILED with `RUN_TIMED_OUT` after an hour of RUNNING; its task is cancelled.",
        failure_reason="RUN_TIMED_OUT",
        status_message="Run timeout after 60 minutes.",
        tasks=(
            Task(
                "AlignReads",
                at=20,
                stages=(
                    Stage("PENDING", 4),
                    Stage("STARTING", 120),
                    Stage("RUNNING", 86400),
                    Stage("COMPLETED"),
                ),
            ),
        ),
    ),
    Life(
        "failed-export-failed",
        _IN_TASK,
        "FAILED with `EXPORT_FAILED` after its tasks completed: nothing reaches S3.",
        failure_reason="EXPORT_FAILED",
        status_message="The outputs could not be exported: the bucket does not exist or cannot be written.",
        tasks=(_FIRST,),
        engine_log=("workflow engine: workflow finished with status 'Succeeded'",),
        exports=False,
    ),
    Life(
        "failed-before-first-task",
        _BEFORE_TASKS,
        "FAILED before its first task, with an engine log and no task at all.",
        failure_reason="WORKFLOW_RUN_FAILED",
        status_message="Review the CloudWatch Logs engine log stream.",
        engine_log=("workflow engine: ERROR: the workflow definition does not parse: line 3, column 7",),
    ),
    Life(
        "failed-without-reason",
        _BEFORE_TASKS,
        "FAILED with a statusMessage and no failureReason.",
        status_message="The run failed. Contact support if this happens again.",
    ),
    Life("failed-without-a-word", _BEFORE_TASKS, "FAILED with neither failureReason nor statusMessage."),
    Life(
        "failed-unknown-reason",
        _BEFORE_TASKS,
        "FAILED with `QUANTUM_DECOHERENCE`, a failureReason that is not documented.",
        failure_reason="QUANTUM_DECOHERENCE",
        status_message="Something new went wrong.",
    ),
)
