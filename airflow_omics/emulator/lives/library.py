"""The library of lives that a caller picks from with the tag ``airflow-omics:life`` on StartRun."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from airflow_omics.emulator.lives.failed import FAILED_LIVES
from airflow_omics.emulator.lives.script import REUSED, VANISHED, Life, Stage, Task

# Recorded runs spent 557 to 710 seconds between creation and start, and minutes in STOPPING.
_PENDING, _STARTING, _RUNNING, _STOPPING = (
    Stage("PENDING", 2),
    Stage("STARTING", 560),
    Stage("RUNNING", 480),
    Stage("STOPPING", 160),
)

_ALIGN = Task(
    "AlignReads",
    at=20,
    cpus=4,
    memory=8,
    instance_type="omics.c.xlarge",
    log_lines=(
        "[M::mem_process_seqs] Processed 100000 reads in 61.2 CPU sec",
        "[main] Real time: 74.918 sec",
    ),
)
_CALL = Task(
    "CallVariants",
    at=230,
    cpus=2,
    memory=8,
    instance_type="omics.m.large",
    log_lines=(
        "Using GATK jar /gatk/gatk-package-local.jar",
        "HaplotypeCaller done. Elapsed time: 1.2 minutes.",
    ),
)
_ENGINE_LOG = (
    "workflow engine: reading the workflow definition",
    "workflow engine: calls ready: AlignReads",
    "workflow engine: calls ready: CallVariants",
    "workflow engine: workflow finished with status 'Succeeded'",
)
_OUTPUTS = {
    "out/variants/sample.vcf": "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
}


_SEVERAL_OUTPUTS = {
    "out/merged_bam/sample.bam": "BAM\1 stands for many reads\n",
    "out/merged_bam_index/sample.bam.bai": "BAI\1\n",
    **{
        f"out/shards/{number}/shard-{number}.vcf": f"##fileformat=VCFv4.2\n##shard={number}\n"
        for number in range(3)
    },
    "out/stats/mapping.txt": "reads 100000\n",
}
# More than a page of S3 has.
_MANY_OUTPUTS = {
    f"out/shards/{number}/shard-{number:04}.vcf": f"##shard={number}\n" for number in range(1200)
}


def _completed(name: str, description: str, **changes: Any) -> Life:
    values: dict[str, Any] = {
        "stages": (_PENDING, _STARTING, _RUNNING, _STOPPING, Stage("COMPLETED")),
        "tasks": (_ALIGN, _CALL),
        "engine_log": _ENGINE_LOG,
        "outputs": _OUTPUTS,
    }
    return Life(name, description=description, **{**values, **changes})


def _retried(attempt: Task, **second: Any) -> tuple[Task, Task]:
    failed = dataclasses.replace(
        attempt,
        stages=(*attempt.stages[:2], Stage("RUNNING", 20), Stage("FAILED")),
        failure_reason="SERVICE_ERROR",
        status_message="The task failed because of a transient error in the service.",
        log_lines=(),
    )
    return failed, dataclasses.replace(attempt, at=attempt.at + failed.seconds + 2, **second)


_CACHED = tuple(
    dataclasses.replace(
        task, cache_hit=True, cache_s3_uri=f"s3://omics-emulator-cache/cache/{task.name}", log_lines=()
    )
    for task in (_ALIGN, _CALL)
)
_VANISHING_STAGES = (_PENDING, _STARTING, Stage("RUNNING", 240))

_BASIC = (
    _completed("completed", "The everyday run: about 20 minutes, two tasks, COMPLETED."),
    _completed(
        "completed-quickly",
        "COMPLETED after 60 seconds, for tests that run at real pace.",
        stages=(
            Stage("PENDING", 1),
            Stage("STARTING", 9),
            Stage("RUNNING", 40),
            Stage("STOPPING", 10),
            Stage("COMPLETED"),
        ),
        tasks=(
            dataclasses.replace(
                _ALIGN,
                at=1,
                stages=(Stage("PENDING", 1), Stage("STARTING", 8), Stage("RUNNING", 20), Stage("COMPLETED")),
            ),
        ),
    ),
    _completed(
        "completed-with-retried-task",
        "COMPLETED although a task FAILED: its retry, a new task, succeeded.",
        tasks=(
            *_retried(_ALIGN),
            dataclasses.replace(
                _CALL,
                at=375,
                stages=(Stage("PENDING", 4), Stage("STARTING", 50), Stage("RUNNING", 40), Stage("COMPLETED")),
            ),
        ),
    ),
    _completed(
        "completed-with-cached-tasks",
        "COMPLETED from the run cache: its tasks are cache hits without times.",
        tasks=_CACHED,
    ),
    _completed(
        "completed-on-gpu",
        "COMPLETED with a GPU task, so that `accelerators` is shown.",
        tasks=(
            dataclasses.replace(_ALIGN, cpus=8, memory=32, gpus=1, instance_type="omics.g5.2xlarge"),
            _CALL,
        ),
    ),
    _completed(
        "completed-with-several-outputs",
        "COMPLETED with a BAM and its index, an array of three VCFs, and a text.",
        outputs=_SEVERAL_OUTPUTS,
    ),
    _completed(
        "completed-with-many-outputs",
        "COMPLETED with an array of 1,200 VCFs, more than a page of S3 has.",
        outputs=_MANY_OUTPUTS,
    ),
    _completed(
        "completed-with-empty-output",
        "COMPLETED, and its VCF has no bytes.",
        outputs=dict.fromkeys(_OUTPUTS, ""),
    ),
    _completed(
        "completed-with-missing-output",
        "COMPLETED, and the VCF that its `outputs.json` names is not there.",
        outputs=dict.fromkeys(_OUTPUTS),
    ),
    _completed(
        "completed-without-outputs",
        "COMPLETED, and nothing but its engine log is in S3.",
        outputs={},
    ),
    _completed(
        "completed-after-queueing",
        "Six hours in PENDING, as at a run group's maximum, then COMPLETED.",
        stages=(Stage("PENDING", 21600), _STARTING, _RUNNING, _STOPPING, Stage("COMPLETED")),
    ),
    _completed(
        "pending-forever",
        "Stays PENDING: the account is at its maximum of concurrent runs.",
        stages=(Stage("PENDING"),),
        tasks=(),
        outputs={},
    ),
    _completed(
        "starting-forever", "Stays STARTING.", stages=(_PENDING, Stage("STARTING")), tasks=(), outputs={}
    ),
    _completed("running-forever", "Stays RUNNING.", stages=(_PENDING, _STARTING, Stage("RUNNING"))),
    _completed(
        "stopping-forever", "Stays STOPPING.", stages=(_PENDING, _STARTING, _RUNNING, Stage("STOPPING"))
    ),
    _completed(
        "cancelled",
        "Someone cancels it midway: RUNNING, STOPPING, CANCELLED; no outputs.",
        stages=(*_VANISHING_STAGES, Stage("STOPPING", 60), Stage("CANCELLED")),
        outputs={},
    ),
    _completed(
        "cancelled-while-pending",
        "Cancelled in PENDING, so it never has a startTime.",
        stages=(Stage("PENDING", 60), Stage("STOPPING", 5), Stage("CANCELLED")),
        tasks=(),
        outputs={},
        engine_log=(),
    ),
    _completed(
        "deleted",
        "COMPLETED, then shown as DELETED by GetRun.",
        stages=(_PENDING, _STARTING, _RUNNING, _STOPPING, Stage("COMPLETED", 60), Stage("DELETED")),
    ),
    _completed(
        "deleted-then-gone",
        "COMPLETED, DELETED for a minute, then not found.",
        stages=(
            _PENDING,
            _STARTING,
            _RUNNING,
            _STOPPING,
            Stage("COMPLETED", 60),
            Stage("DELETED", 60),
            Stage(VANISHED),
        ),
    ),
    _completed(
        "vanishes-while-running",
        "Not found any more from the middle of RUNNING.",
        stages=(*_VANISHING_STAGES, Stage(VANISHED)),
    ),
    _completed(
        "vanishes-after-completion",
        "COMPLETED, and a minute later not found: retention mode REMOVE.",
        stages=(_PENDING, _STARTING, _RUNNING, _STOPPING, Stage("COMPLETED", 60), Stage(VANISHED)),
    ),
    _completed(
        "id-reused-while-running",
        "While it is RUNNING its id becomes another run's, with another uuid.",
        stages=(*_VANISHING_STAGES, Stage(REUSED)),
    ),
    _completed(
        "id-reused-after-completion",
        "COMPLETED; a minute later its id is another run's, which FAILED.",
        stages=(_PENDING, _STARTING, _RUNNING, _STOPPING, Stage("COMPLETED", 60), Stage(REUSED)),
        next_life="failed-run-task-failed",
    ),
    _completed(
        "unknown-status",
        "PAUSED for five minutes, a status no SDK knows, then RUNNING and COMPLETED.",
        stages=(
            _PENDING,
            _STARTING,
            Stage("RUNNING", 60),
            Stage("PAUSED", 300),
            Stage("RUNNING", 420),
            _STOPPING,
            Stage("COMPLETED"),
        ),
    ),
    _completed(
        "unknown-status-forever",
        "Ends in ARCHIVED, a status no SDK knows.",
        stages=(_PENDING, _STARTING, _RUNNING, _STOPPING, Stage("ARCHIVED")),
    ),
)

LIVES: Mapping[str, Life] = {life.name: life for life in (*_BASIC, *FAILED_LIVES)}
"""Every life of the library, by name."""
DEFAULT_LIFE = "completed"
"""The life of a run whose StartRun does not name one."""
