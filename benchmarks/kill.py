"""How many runs are cancelled when N deferred starts are killed at once, in what time, with how many calls.

The triggers run in a process of their own, as a triggerer runs them: their coroutines are cancelled together,
``on_kill`` is then given 30 seconds, and whatever is not over yet is cancelled again each second, as Airflow
3.3 does until a trigger is gone. The state of each task is asked of a supervisor that answers one question at
a time. GetRun and CancelRun of the emulator, in another process, are limited to the documented 10 calls a
second each.

    python benchmarks/kill.py --kills 20,100,300
    python benchmarks/kill.py --kills 300 --once    # cancelled a single time: on_kill has its 30 seconds
"""

from __future__ import annotations

import argparse
import asyncio
import bisect
import contextlib
import datetime
import json
import os
import platform
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

STAYS_RUNNING = {"name": "bench-running", "stages": [{"status": "RUNNING", "seconds": 1_000_000_000}]}
ON_KILL_TIMEOUT = 30.0  # [triggerer] on_kill_timeout
DAG_RUN = "manual__2026-01-01T00:00:00+00:00"


# --- the triggerer, in a process of its own -------------------------------------------------------------


class Supervisor:
    """Answers which states tasks are in: all of them were marked failed.

    :param seconds: for how long it is busy with one question.
    """

    def __init__(self, tasks: int, seconds: float) -> None:
        self._states = {f"start_{index}": "failed" for index in range(tasks)}
        self._seconds = seconds
        self._busy = threading.Lock()
        self.asked = 0

    def get_task_states(self, map_index: int | None = None, **_: Any) -> dict[str, dict[str, str]]:
        """Answer as Airflow's supervisor does, as long as it takes."""
        with self._busy:
            time.sleep(self._seconds)
            self.asked += 1
        wanted = self._states if map_index is None else {f"start_{map_index}": "failed"}
        return {DAG_RUN: wanted}


async def run_trigger(trigger: Any) -> None:
    """Run a trigger until it is cancelled, and report the kill to it, as a triggerer of Airflow 3.3 does."""
    try:
        async for _ in trigger.run():
            return
    except asyncio.CancelledError:
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            await asyncio.wait_for(trigger.on_kill(), ON_KILL_TIMEOUT)
        raise


async def triggerer(runs: list[dict[str, str]], options: argparse.Namespace) -> None:
    """Wait for every run, be killed at the first line of standard input, and end at the next."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    from airflow_omics.triggers import OmicsStartedRunTrigger

    figures_to = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a pipe that nobody empties would block the loop
    supervisor = Supervisor(len(runs), options.state_seconds)
    RuntimeTaskInstance.get_task_states = staticmethod(supervisor.get_task_states)  # type: ignore[assignment]
    loop = asyncio.get_running_loop()
    killed = []
    for index, run in enumerate(runs):
        key = {"dag_id": "cohort", "run_id": DAG_RUN, "task_id": "start", "map_index": index}
        trigger = OmicsStartedRunTrigger(run, task_key=key, status="RUNNING", poke_interval=60.0)
        killed.append(loop.create_task(run_trigger(trigger)))
    print("waiting", file=figures_to, flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    begun = time.monotonic()
    gone: float | None = None
    closing = loop.run_in_executor(None, sys.stdin.readline)
    while not closing.done():
        before = time.monotonic()
        for task in killed:
            if not task.done() and not (options.once and task.cancelling()):
                task.cancel()
                await asyncio.sleep(0)
        if gone is None and all(task.done() for task in killed):
            gone = round(time.monotonic() - begun, 1)
        await asyncio.wait({closing}, timeout=max(0.0, before + 1.0 - time.monotonic()))
    figures = {"triggers_gone_after_s": gone, "state_reads": supervisor.asked}
    print(json.dumps(figures), file=figures_to, flush=True)


# --- the referee ---------------------------------------------------------------------------------------


class Triggerer:
    """The triggerer's process, driven over a pipe."""

    def __init__(self, runs: list[dict[str, str]], options: argparse.Namespace) -> None:
        command = [sys.executable, __file__, "--triggerer", "--state-seconds", str(options.state_seconds)]
        self.process = subprocess.Popen(
            command + ["--once"] * options.once,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if options.verbose else subprocess.DEVNULL,
            text=True,
        )
        self.say(json.dumps(runs))
        self.line()

    def say(self, line: str = "") -> None:
        """Write a line to it."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def line(self) -> str:
        """Return the next line that it writes."""
        assert self.process.stdout is not None
        if line := self.process.stdout.readline():
            return line
        raise RuntimeError("the triggerer died")

    def close(self) -> dict[str, Any]:
        """End it, and return its figures."""
        try:
            self.say()
            figures: dict[str, Any] = json.loads(self.line())
            self.process.wait(60)
        finally:
            self.process.kill()
        return figures


def measure(kills: int, control: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Kill so many deferred starts at once, and return what became of their runs."""
    from airflow_omics._connection import AwsArguments
    from airflow_omics.hooks import OmicsHook

    control.reset()
    control.add_life(STAYS_RUNNING)
    ids = control.start_runs(kills, life="bench-running", parameters={"sample": "x" * 200})
    hook = OmicsHook.of(AwsArguments())
    records = [hook.get_run(run_id) for run_id in ids]
    triggerer = Triggerer([{key: r[key] for key in ("id", "uuid", "arn")} for r in records], options)
    for operation in ("GetRun", "CancelRun", "ListRuns"):
        control.limit(operation, options.limit)
    try:
        time.sleep(options.before_kill)  # each has been read by the watcher
        before, begun = control.counts(), time.time()
        triggerer.say("kill")
        last = watch(kills, control, options)
    except BaseException:
        triggerer.process.kill()
        raise
    figures = triggerer.close()
    requests = [r for r in control.requests() if moment(r) >= begun]
    counts = control.counts()
    control.limit("*", None)
    return {
        "killed": kills,
        "cancelled": len(accepted(control)),
        "last_accepted_after_s": round(last - begun, 1),
        "requests": {
            operation: counts.get(operation, 0) - before.get(operation, 0)
            for operation in ("GetRun", "CancelRun", "ListRuns")
        },
        "refused_by_the_limit": sum(r["error"] == "ThrottlingException" for r in requests),
        "busiest_second": {
            operation: busiest_second([moment(r) for r in requests if r["operation"] == operation])
            for operation in ("GetRun", "CancelRun")
        },
        **figures,
    }


def watch(kills: int, control: Any, options: argparse.Namespace) -> float:
    """Wait until every run is cancelled or no more are; return when the last one was."""
    last, seen, stirred = time.time(), 0, time.time()
    while seen < kills and time.time() < stirred + options.quiet:
        time.sleep(0.5)
        done = accepted(control)
        if len(done) > seen:
            seen, last = len(done), max(done.values())
            stirred = time.time()
    return last


def accepted(control: Any) -> dict[str, float]:
    """Return the runs for which CancelRun was accepted, each with when it was."""
    return {r["run_id"]: moment(r) for r in control.requests("CancelRun") if not r["error"]}


def moment(request: dict[str, Any]) -> float:
    """Return when a request of the emulator's log was answered, in seconds since the epoch."""
    return datetime.datetime.fromisoformat(request["time"]).timestamp()


def busiest_second(moments: list[float]) -> int:
    """Return the most requests that any second held."""
    moments = sorted(moments)
    return max((bisect.bisect_left(moments, m + 1.0) - i for i, m in enumerate(moments)), default=0)


def main() -> None:
    """Kill one cohort after the other."""
    options = arguments()
    if options.triggerer:
        asyncio.run(triggerer(json.loads(sys.stdin.readline()), options))
        return
    from airflow_omics.emulator import EmulatorClient

    emulator = subprocess.Popen(
        [sys.executable, "-m", "airflow_omics.emulator", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert emulator.stdout is not None
        endpoint = next(word for line in emulator.stdout for word in line.split() if word.startswith("http"))
        extra = {"region_name": "us-east-1", "endpoint_url": endpoint}
        connection = {"conn_type": "aws", "login": "test", "password": "test", "extra": extra}
        os.environ["AIRFLOW_CONN_AWS_DEFAULT"] = json.dumps(connection)
        os.environ["AIRFLOW__OMICS__REQUESTS_PER_SECOND"] = str(options.rate)
        rows = []
        for kills in options.kills.split(","):
            rows.append(measure(int(kills), EmulatorClient(endpoint), options))
            print(json.dumps(rows[-1], indent=2), flush=True)
    finally:
        emulator.terminate()
        emulator.wait(10)
    machine = {"python": platform.python_version(), "cores": os.cpu_count(), "options": vars(options)}
    if options.json:
        Path(options.json).write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")


def arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", default="20,100,300", help="how many are killed at once, one row for each")
    parser.add_argument("--limit", type=float, default=10.0, help="calls a second that the service allows")
    parser.add_argument("--rate", type=float, default=5.0, help="[omics] requests_per_second")
    parser.add_argument("--state-seconds", type=float, default=0.05, help="a question to the supervisor")
    parser.add_argument("--once", action="store_true", help="cancel each trigger a single time")
    parser.add_argument("--before-kill", type=float, default=10.0, help="seconds of waiting before the kill")
    parser.add_argument(
        "--quiet", type=float, default=45.0, help="seconds after which nothing more will come"
    )
    parser.add_argument("--json", help="write the figures to this file")
    parser.add_argument("--verbose", action="store_true", help="show what the triggerer logs")
    parser.add_argument("--triggerer", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
