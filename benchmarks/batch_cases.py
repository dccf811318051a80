"""What ``benchmarks.batch`` measures: each case in a process of its own, against an emulator in another one.

    python -m benchmarks.batch_cases CASE --endpoint URL --members 100000

It prints its figures as one line of JSON. CPU is that of this process alone: the product, botocore, HTTP.
Memory is the most that a step had, above what the process held once everything was imported.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import tests.support.environment  # noqa: F401  before anything imports Airflow
from airflow_omics._batches.settings import prepare
from airflow_omics._batches.settings_file import SettingsFolder
from airflow_omics._connection import AwsArguments
from airflow_omics.emulator import EmulatorClient
from airflow_omics.hooks import OmicsHook
from airflow_omics.operators import SampleSheet
from benchmarks.batch_starts import mapped, one_batch
from benchmarks.batch_support import Stopwatch, cohort, entry, make_clock, write_json
from tests.support.start_batches import BUCKET, BatchTask
from tests.support.start_operators import ROLE, Store

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
