"""What happens to the runs that ``make up`` opens on: a germline workflow of hours, and what may go wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from airflow_omics.emulator import Life, Stage, Task

MINUTE = 60.0
RUNNING_FOR = 367 * MINUTE
"""Service seconds in RUNNING, of a run that completes and is neither slower nor quicker."""


class _Step(NamedTuple):
    """One task, its times in minutes: created after the run was RUNNING, queued, running."""

    name: str
    at: float
    queued: float
    running: float
    instance: str
    cpus: int
    memory: int


_CACHED = ("fastqc", "trim_adapters")
_STEPS = (
    _Step("bwa_mem", 0.5, 6, 92, "omics.c.8xlarge", 32, 64),
    _Step("sort_bam", 100, 4, 31, "omics.m.2xlarge", 8, 32),
    _Step("mark_duplicates", 136, 5, 37, "omics.r.xlarge", 4, 32),
    _Step("recalibrate", 179, 3, 27, "omics.m.xlarge", 4, 16),
    _Step("call_variants_1", 210, 4, 78, "omics.m.4xlarge", 16, 64),
    _Step("call_variants_2", 210, 5, 11, "omics.m.4xlarge", 16, 64),  # its first attempt, which fails
    _Step("call_variants_3", 210, 6, 64, "omics.m.4xlarge", 16, 64),
    _Step("call_variants_4", 210, 5, 19, "omics.m.2xlarge", 8, 32),
    _Step("call_variants_2", 226.5, 5, 66, "omics.m.4xlarge", 16, 64),
    _Step("call_variants_5", 229.5, 44, 38, "omics.m.2xlarge", 8, 32),
    _Step("call_variants_6", 229.5, 51, 31, "omics.m.2xlarge", 8, 32),
    _Step("gather_vcfs", 313, 3, 8, "omics.c.large", 2, 4),
    _Step("annotate_vep", 325, 4, 36, "omics.m.xlarge", 4, 16),
)
_RETRIED = 5
_SHARD = 6
_LOG = {
    "bwa_mem": (
        "[M::bwa_idx_load_from_disk] read 0 ALT contigs",
        "[M::mem_process_seqs] Processed 1066668 reads in 612.118 CPU sec, 19.306 real sec",
    ),
    "call_variants": (
        "HaplotypeCaller - Using the AVX-accelerated native PairHMM implementation",
        "ProgressMeter - chr6:29942470   41.2 min   948210 regions",
    ),
}
_OUT_OF_MEMORY = (
    *_LOG["call_variants"],
    "ProgressMeter - chr6:32521905   43.6 min   971400 regions",
    "java.lang.OutOfMemoryError: Java heap space",
    "Killed",
)


def germline(name: str, *, waits: float = 40.0, slower: float = 1.0) -> Life:
    """Return the life of a run of 14 tasks that completes: two from the cache, one of them attempted twice.

    :param waits: seconds in PENDING.
    :param slower: what each time in RUNNING is multiplied by.
    """
    stages = (
        Stage("PENDING", waits),
        Stage("STARTING", 9 * MINUTE),
        Stage("RUNNING", RUNNING_FOR * slower),
        Stage("STOPPING", 2.5 * MINUTE),
        Stage("COMPLETED"),
    )
    cached = [Task(each, stages=(Stage("COMPLETED"),), cache_hit=True) for each in _CACHED]
    tasks = [_task(step, slower) for step in _STEPS]
    tasks[_RETRIED] = _failing(
        tasks[_RETRIED], "SERVICE_ERROR", "A transient error occurred in the service.", ()
    )
    return Life(name, stages, tasks=(*cached, *tasks), outputs={"germline.vcf.gz": "##fileformat=VCFv4.2"})


def out_of_memory(name: str, *, waits: float = 40.0) -> Life:
    """Return the life of a run that fails some four hours after it began: a task ran out of memory."""
    life = germline(name, waits=waits)
    tasks = list(life.tasks)
    # Of what is read about this run, there is one reason.
    del tasks[len(_CACHED) + _RETRIED]
    number = len(_CACHED) + _SHARD - 1
    tasks[number] = _failing(
        tasks[number],
        "OUT_OF_MEMORY_ERROR",
        "The task ran out of memory (exit code 137).",
        _OUT_OF_MEMORY,
    )
    failed = tasks[number].at + tasks[number].seconds
    return _failed(
        replace(life, tasks=tuple(tasks)), failed, "OUT_OF_MEMORY_ERROR", "A task ran out of memory."
    )


def input_not_found(name: str, *, waits: float = 40.0) -> Life:
    """Return the life of a run that fails before its first task: an input is not there."""
    message = "An input does not exist: s3://cohort-reads/lane-2.fastq.gz"
    return _failed(replace(germline(name, waits=waits), tasks=()), 2 * MINUTE, "INPUT_URI_NOT_FOUND", message)


def service_error(name: str, *, waits: float = 40.0) -> Life:
    """Return the life of a run that fails in its second hour: an error inside the service."""
    message = "A transient error occurred in the service."
    life = germline(name, waits=waits)
    tasks = list(life.tasks)
    tasks[len(_CACHED)] = _failing(tasks[len(_CACHED)], "SERVICE_ERROR", message, _LOG["bwa_mem"])
    return _failed(replace(life, tasks=tuple(tasks)), 100 * MINUTE, "SERVICE_ERROR", message)


def _task(step: _Step, slower: float) -> Task:
    scale = MINUTE * slower
    stages = (
        Stage("PENDING", step.queued * scale * 0.6),
        Stage("STARTING", step.queued * scale * 0.4),
        Stage("RUNNING", step.running * scale),
        Stage("COMPLETED"),
    )
    log = _LOG.get(step.name.rstrip("_123456"), ())
    return Task(
        step.name,
        step.at * scale,
        stages,
        cpus=step.cpus,
        memory=step.memory,
        instance_type=step.instance,
        log_lines=log,
    )


def _failing(task: Task, reason: str, message: str, log: tuple[str, ...]) -> Task:
    stages = (*task.stages[:-1], Stage("FAILED"))
    return replace(task, stages=stages, failure_reason=reason, status_message=message, log_lines=log)


def _failed(life: Life, after: float, reason: str, message: str) -> Life:
    """Return the life that fails ``after`` so many seconds in RUNNING."""
    stages = (
        *life.stages[:2],
        Stage("RUNNING", after),
        Stage("STOPPING", 2.5 * MINUTE),
        Stage("FAILED"),
    )
    return replace(life, stages=stages, failure_reason=reason, status_message=message, outputs={})
