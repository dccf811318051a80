"""What ``benchmarks.batch`` measures: each case in a process of its own, against an emulator in another one.

    python -m benchmarks.batch_cases CASE --endpoint URL --members 100000

It prints its figures as one line of JSON. CPU is that of this process alone: the product, botocore, HTTP.
Memory is the most that a step had, above what the process held once everything was imported.
"""

from __future__ import annotations

import argparse
import functools
import gc
import json
import logging
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import tests.support.environment  # noqa: F401  before anything imports Airflow
from airflow_omics import _clock
from airflow_omics._batches.settings import prepare
from airflow_omics._batches.settings_file import SettingsFolder
from airflow_omics._connection import AwsArguments
from airflow_omics._waiting.ending import ending_to_event
from airflow_omics._waiting.wait import Ending
from airflow_omics.emulator import LIFE_TAG, EmulatorClient
from airflow_omics.hooks import OmicsHook
from airflow_omics.operators import SampleSheet
from tests.support.sensors import Clock
from tests.support.start_batches import BUCKET, BatchTask
from tests.support.start_operators import ROLE, Store, Task

FAILS = (
    "failed-out-of-memory-error",
    "failed-instance-reservation-failed",
    "failed-import-failed",
    "failed-service-error",
    "failed-run-task-failed",
)
"""The lives of the members that fail: one for each of five reasons."""


class Stopwatch:
    """Measures steps: CPU, wall time, the service's time, the most memory, requests by operation."""

    def __init__(self, control: EmulatorClient, now: Callable[[], float] = lambda: 0.0) -> None:
        self._control, self._now = control, now
        self._idle = _megabytes("VmRSS")
        self.steps: list[dict[str, Any]] = []

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure what is done meanwhile."""
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")  # the peak is that of the step
        counts, before = self._control.counts(), self._read()
        try:
            yield
        finally:
            after = self._read()
            asked = {name: count - counts.get(name, 0) for name, count in self._control.counts().items()}
            self.steps.append(
                {
                    "step": name,
                    "cpu_s": after[0] - before[0],
                    "wall_s": after[1] - before[1],
                    "service_s": after[2] - before[2],
                    "mb": _megabytes("VmHWM") - self._idle,
                    "requests": {name: count for name, count in asked.items() if count},
                }
            )

    def _read(self) -> tuple[float, float, float]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime, time.perf_counter(), self._now()


def _megabytes(which: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{which}:"):
            return int(line.split()[1]) / 1000
    raise LookupError(which)


def entry(number: int, life: str | None = None) -> dict[str, Any]:
    """Return the settings of one sample, about 300 bytes of JSON."""
    sample = f"sample-{number:06d}"
    reads = f"s3://my-bucket/cohort/2026/{sample}"
    made: dict[str, Any] = {
        "runSettingId": sample,
        "outputUri": f"s3://my-bucket/results/{sample}",
        "parameters": {"r1": f"{reads}_R1.fastq.gz", "r2": f"{reads}_R2.fastq.gz", "lane": number % 8},
    }
    return made if life is None else {**made, "runTags": {LIFE_TAG: life}}


def write_json(path: str, entries: Iterator[dict[str, Any]]) -> str:
    """Write a file of settings, entry by entry, and return its path."""
    with open(path, "w") as file:
        for number, made in enumerate(entries):
            file.write((",\n" if number else "[") + json.dumps(made))
        file.write("]")
    return path


# -- settings ------------------------------------------------------------------------------------------------


def settings(form: str, options: argparse.Namespace) -> dict[str, Any]:
    """Check the settings of a cohort and write them to S3, as the operator does before StartRunBatch."""
    watch = Stopwatch(EmulatorClient(options.endpoint))
    hook = OmicsHook.of(AwsArguments())
    folder = SettingsFolder(hook, logging.getLogger("task"))
    folder.find(f"s3://{BUCKET}/nothing")  # makes the client, which every task brings along
    with watch.step("given"):
        given = _given(form, options)
    # What a rerun has: some of the members.
    wanted = (lambda setting_id: not setting_id.endswith("00")) if form == "s3" else None
    defaults = {"workflowId": "1234567", "roleArn": ROLE, "runTags": {"airflow:dag": "cohort"}}
    with (
        watch.step("validate and write"),
        prepare(given, defaults=defaults, folder=options.folder, files=folder, wanted=wanted) as ready,
    ):
        assert ready.array is not None
        folder.keep(ready.array, f"s3://{BUCKET}/settings", "token")
        size, count = ready.size, ready.count
    before, step = watch.steps
    return {**step, "given_mb": before["mb"], "written": count, "written_mb": size / 1e6}


def _given(form: str, options: argparse.Namespace) -> Any:
    """Return ``run_settings`` in one form."""
    numbers = range(options.members)
    if form == "list":
        return [entry(number) for number in numbers]
    if form == "csv":
        with open(f"{options.folder}/cohort.csv", "w") as file:
            print("sample,r1,r2,lane,results", file=file)
            for made in map(entry, numbers):
                p = made["parameters"]
                cells = (made["runSettingId"], p["r1"], p["r2"], str(p["lane"]), made["outputUri"])
                print(",".join(cells), file=file)
        return SampleSheet("cohort.csv", types={"lane": int}, output_uri="results")
    path = write_json(f"{options.folder}/cohort.json", map(entry, numbers))
    _s3(options.endpoint).upload_file(path, BUCKET, "given/cohort.json")
    return f"s3://{BUCKET}/given/cohort.json"


def _s3(endpoint: str) -> Any:
    import boto3

    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    return boto3.client("s3", region_name="us-east-1", endpoint_url=endpoint, **keys)


# -- a whole try ---------------------------------------------------------------------------------------------


class World:
    """The emulator's clock, turned from here: it stands still otherwise, so that it need not be asked."""

    def __init__(self, control: EmulatorClient) -> None:
        self._control = control
        control.freeze()
        self._now = control.now()

    def now(self) -> float:
        """Return the time, in seconds since the epoch."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Turn the clock on."""
        self._control.advance(seconds)
        self._now += seconds


class _Steps:
    """A task whose waits in the triggerer are steps of their own."""

    watch: Stopwatch
    fire_now: Callable[[Any], Any]

    def follow(self, watch: Stopwatch, doings: list[str]) -> Any:
        """Run one try; ``doings`` names what the worker does before, between and after the waits."""
        self.watch, self.doings = watch, iter(doings)
        self._open()
        try:
            return self()
        finally:
            self._step.__exit__(None, None, None)

    def fire(self, trigger: Any) -> Any:
        self._step.__exit__(None, None, None)
        with self.watch.step("wait"):
            event = super().fire(trigger)
        self._open()
        return event

    def _open(self) -> None:
        self._step = self.watch.step(next(self.doings))
        self._step.__enter__()


class SteppedBatch(_Steps, BatchTask):
    """A batch, step by step."""


def make_clock(control: EmulatorClient) -> Clock:
    """Return a turned clock of the emulator and this process."""
    clock = Clock(World(control))
    clock.limit = 10_000_000
    for name in ("time", "monotonic", "sleep"):
        setattr(_clock, name, getattr(clock, name))
    return clock


def cohort(options: argparse.Namespace, failing: int) -> Iterator[dict[str, Any]]:
    """Yield the settings of a cohort of which some members fail, spread over it."""
    every = options.members // failing if failing else 0
    for number in range(options.members):
        fails = every and number % every == 0 and number // every < failing
        yield entry(number, FAILS[number // every % len(FAILS)] if fails else "completed")


def batch(options: argparse.Namespace, failing: int) -> dict[str, Any]:
    """Run a batch as one try: start, wait, judge, list the members, and run those again that failed."""
    control = EmulatorClient(options.endpoint, timeout=300.0)
    path = write_json(f"{options.folder}/cohort.json", cohort(options, failing))
    OmicsHook.of(AwsArguments()).conn  # noqa: B018  the client is part of what every task brings along
    clock = make_clock(control)
    task = SteppedBatch(
        control,
        clock,
        store=Store(),
        run_settings=path,
        output_uri=f"s3://{BUCKET}/runs",
        rerun_failed=1 if failing else 0,
        retry_by_class={"change": True},
        deferrable=True,
        parameters={"reference": "s3://my-bucket/reference/hg38.fa"},
    )
    watch = Stopwatch(control, clock.time)
    doings = ["check, write and start", "judge, list the members"]
    if failing:
        doings[1:] = ["judge, list, start again", "judge, list the members"]
    done = task.follow(watch, doings)
    record = done.pushed.get("return_value") or done.result
    if record is None:
        raise done.error
    plain = {name: value for name, value in record.items() if name != "defaultRunSetting"}
    return {
        "steps": watch.steps,
        "ended": done.kind,
        "outcome": record["outcome"],
        "xcom_bytes": len(json.dumps(plain)),
        "reasons": len(record.get("failures", [])),
    }


# -- beside mapped starts ------------------------------------------------------------------------------------


def mapped(options: argparse.Namespace) -> dict[str, Any]:
    """Run as many mapped starts as there are members: all are begun, then all end.

    As in Airflow, each has a client of its own when it begins and when it ends, and their waits share one.
    """
    control, clock, watch = _limited(options)
    tasks = [
        HeldTask(
            control, clock, map_index=number, dag_id="mapped", name=made.pop("runSettingId"), **_of(made)
        )
        for number, made in enumerate(cohort(options, 0))
    ]
    with watch.step("start"):
        for task in tasks:
            task.begin()
    clock.sleep(86_400)
    with watch.step("end"):
        results = [task.end() for task in tasks]
    assert all(result["status"] == "COMPLETED" for result in results)
    return {"steps": watch.steps, "xcom_bytes": sum(len(json.dumps(result)) for result in results)}


def one_batch(options: argparse.Namespace) -> dict[str, Any]:
    """Run one batch of as many members: it is begun, then it ends."""
    control, clock, watch = _limited(options)
    task = HeldBatch(
        control,
        clock,
        run_settings=list(cohort(options, 0)),
        output_uri=f"s3://{BUCKET}/runs",
        deferrable=True,
    )
    with watch.step("start"):
        task.begin()
    until_submitted = watch.steps[0]["service_s"] + _until_submitted(options, clock)
    clock.sleep(86_400)
    with watch.step("end"):
        result = task.end()
    watch.steps[0]["service_s"] = until_submitted
    assert result["outcome"]["completed"] == options.members
    return {"steps": watch.steps, "xcom_bytes": len(json.dumps(result))}


def _limited(options: argparse.Namespace) -> tuple[EmulatorClient, Clock, Stopwatch]:
    control = EmulatorClient(options.endpoint, timeout=300.0)
    control.limit("StartRun", 1)
    clock = make_clock(control)
    return control, clock, Stopwatch(control, clock.time)


def _of(made: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a member as OmicsStartRunOperator takes them."""
    return {
        "output_uri": made["outputUri"],
        "parameters": made["parameters"],
        "tags": made["runTags"],
        "deferrable": True,
    }


def _until_submitted(options: argparse.Namespace, clock: Clock) -> float:
    """Return for how many seconds the service goes on submitting the members of its only batch."""
    hook = OmicsHook.of(AwsArguments())
    began = clock.time()
    [batch] = hook.conn.list_batch()["items"]
    while hook.get_batch(batch["id"])["status"] not in ("INPROGRESS", "PROCESSED"):
        clock.sleep(1.0)
    return clock.time() - began


class _Held:
    """A task that stops where it defers, and goes on when it is told to."""

    def begin(self) -> None:
        """Run until the task defers."""
        from tests.support.start_operators import TaskDeferred, TaskInstance

        self.try_number = 1
        self._ti = TaskInstance(self)
        self.operator = self.make()
        try:
            self.operator.execute(self.context(self._ti))
        except TaskDeferred as deferred:
            self._deferred = deferred.with_traceback(None)
        else:
            raise AssertionError("it did not defer")
        self.operator = None  # a worker ends, and its client with it

    def end(self) -> Any:
        """Look once, as the triggerer does, and take the event as another worker does."""
        _, arguments = self._deferred.trigger.serialize()
        event = ending_to_event(Ending("terminal", self.look(arguments), "It has ended."), None)
        kwargs = json.loads(json.dumps({**self._deferred.kwargs, "event": event}))
        resume = getattr(self.make(), self._deferred.method_name)
        return resume(self.context(self._ti), **kwargs)


class HeldTask(_Held, Task):
    """A start of one run."""

    def look(self, arguments: Any) -> Any:
        """Return the record of what the trigger of these arguments waits for."""
        return _hook_of_waits().get_run(arguments["run_id"]["id"])


class HeldBatch(_Held, BatchTask):
    """A start of one batch."""

    def look(self, arguments: Any) -> Any:
        """Return the record of what the trigger of these arguments waits for."""
        return _hook_of_waits().get_batch(arguments["batch_id"]["id"])


@functools.cache
def _hook_of_waits() -> OmicsHook:
    """Return the hook that the waits share, as in a triggerer."""
    return OmicsHook.of(AwsArguments())


# -- processes -----------------------------------------------------------------------------------------------


def serve() -> None:
    """Serve the emulator until standard input ends. Its limits count by its own clock, which is turned."""
    from airflow_omics.emulator import EmulatorServer
    from airflow_omics.emulator.world import limits

    with EmulatorServer() as server:
        limits.time = SimpleNamespace(monotonic=server.control.now)
        print(server.endpoint_url, flush=True)
        sys.stdin.read()


CASES: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "settings-list": lambda options: settings("list", options),
    "settings-csv": lambda options: settings("csv", options),
    "settings-s3": lambda options: settings("s3", options),
    "batch": lambda options: batch(options, 0),
    "batch-rerun": lambda options: batch(options, options.failing),
    "mapped": mapped,
    "one-batch": one_batch,
}


def main() -> None:
    """Serve, or measure one case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", choices=("serve", *CASES))
    parser.add_argument("--endpoint")
    parser.add_argument("--members", type=int, default=100_000)
    parser.add_argument("--failing", type=int, default=2_000)
    options = parser.parse_args()
    if options.case == "serve":
        serve()
        return
    figures_to = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Airflow logs to standard output
    extra = {"region_name": "us-east-1", "endpoint_url": options.endpoint}
    connection = {"conn_type": "aws", "login": "testing", "password": "testing", "extra": extra}
    os.environ["AIRFLOW_CONN_AWS_DEFAULT"] = json.dumps(connection)
    _s3(options.endpoint).create_bucket(Bucket=BUCKET)
    with tempfile.TemporaryDirectory() as options.folder:
        print(json.dumps(CASES[options.case](options)), file=figures_to, flush=True)


if __name__ == "__main__":
    main()
