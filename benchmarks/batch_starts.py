"""Mapped starts of runs beside one batch, for ``benchmarks.batch``: all are begun, and then all end."""

from __future__ import annotations

import argparse
import functools
import json
from typing import Any

from airflow_omics._connection import AwsArguments
from airflow_omics._waiting.ending import ending_to_event
from airflow_omics._waiting.wait import Ending
from airflow_omics.emulator import EmulatorClient
from airflow_omics.hooks import OmicsHook
from benchmarks.batch_support import Stopwatch, cohort, make_clock
from tests.support.sensors import Clock
from tests.support.start_batches import BUCKET, BatchTask
from tests.support.start_operators import Task, TaskDeferred, TaskInstance


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
