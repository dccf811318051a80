"""Starts on a real Airflow: which runs they started, and how what runs them is killed."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable

import psutil

from airflow_omics.emulator import EmulatorClient
from scripts.stack import Stack
from tests.support.pipeline import Pipeline


def started(omics: EmulatorClient) -> list[str]:
    """Return the ids of the runs that StartRun made, whether its answer arrived or not."""
    return sorted({request["run_id"] for request in omics.requests("StartRun") if request["run_id"]})


def cancelled(omics: EmulatorClient) -> list[str]:
    """Return the ids of the runs whose CancelRun was accepted."""
    return sorted(r["run_id"] for r in omics.requests("CancelRun") if not r["error"])


def until(stack: Stack, what: str, ready: Callable[[], object], seconds: float = 60) -> None:
    """Wait until something is true, at most so many seconds."""
    stack.wait_for(what, lambda: ready() or None, seconds)


def finish(stack: Stack, omics: EmulatorClient, pipeline: Pipeline, tries: int) -> None:
    """Let the one run complete, and check that it is the one, and what its record says."""
    until(stack, "another try", lambda: pipeline.tasks()[0]["try_number"] >= tries)
    until(stack, "the run", lambda: started(omics))
    until(stack, "a look at the run", lambda: "is PENDING" in pipeline.log("start", tries))
    [run_id] = started(omics)
    omics.move(run_id, "COMPLETED")
    assert pipeline.until_ended() == {"start": "success"}
    assert started(omics) == [run_id]
    record = pipeline.xcom("start")
    assert (record["id"], record["status"]) == (run_id, "COMPLETED")
    assert record["parameters"]["sample"] == "NA12878"


def kill_worker(stack: Stack, pipeline: Pipeline, try_number: int = 1) -> None:
    """Kill the process that runs a try, as the kernel does when memory runs out."""
    pid = _pid(stack, pipeline, try_number)
    os.kill(pid, signal.SIGKILL)
    until(stack, "the end of the worker", lambda: not psutil.pid_exists(pid))


def ask_worker_to_end(stack: Stack, pipeline: Pipeline, try_number: int = 1) -> None:
    """Send the process that runs a try SIGTERM, as its supervisor does some seconds before it kills it."""
    os.kill(_pid(stack, pipeline, try_number), signal.SIGTERM)


def _pid(stack: Stack, pipeline: Pipeline, try_number: int) -> int:
    note = stack.folder / "airflow" / "pids" / f"{pipeline.dag_run_id}-{try_number}"
    until(stack, "the worker", note.exists)
    return int(note.read_text())


def until_watched(stack: Stack, pipeline: Pipeline, task: str = "start") -> None:
    """Wait until a triggerer has taken a deferred task over; before that, nobody would hear of a kill."""
    pipeline.until_deferred()
    until(stack, "the trigger", lambda: re.search(r"\(ID \d+\) starting", pipeline.log(task)))
