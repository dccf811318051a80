"""What N deferred waits cost in one event loop: ours, the Amazon provider's pattern, and a sleep.

Each contestant runs in a fresh process, against an emulator in another process, over HTTP:

* ``ours``: OmicsRunTrigger, on the shared watcher;
* ``pattern``: a trigger as the Amazon provider's are, with a client and a poll for each task;
* ``sleep``: a trigger that only sleeps, the floor;
* ``batches``: OmicsRunBatchTrigger, each on a batch of its own, of one run.

    python benchmarks/watch.py --waits 5000 --interval 30
    python benchmarks/watch.py --waits 300 --contestants ours,pattern,sleep
    python benchmarks/watch.py --waits 5000 --foreign 2000
    python benchmarks/watch.py --waits 20 --foreign 5000
    python benchmarks/watch.py --waits 5000 --ends 200      # ends at the pace of all within an hour
    python benchmarks/watch.py --waits 1000 --all-end       # all end at once: how fast they are drained
    python benchmarks/watch.py --waits 5000 --role          # a connection that assumes a role
"""

from __future__ import annotations

import argparse
import asyncio
import bisect
import datetime
import gc
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

LOOKS = ("GetRun", "ListRuns", "GetBatch")
STAYS_RUNNING = {"name": "bench-running", "stages": [{"status": "RUNNING", "seconds": 1_000_000_000}]}


# --- the contestants, in a process of their own ---------------------------------------------------------


def make_trigger(contestant: str, run_id: str, interval: float) -> Any:
    """Return one wait of a contestant."""
    from airflow.triggers.base import BaseTrigger, TriggerEvent

    if contestant == "ours":
        from airflow_omics.triggers import OmicsRunTrigger

        # As the sensor defers it: it has looked once, and knows which run it is.
        return OmicsRunTrigger(
            {"id": run_id, "uuid": UUIDS[run_id] or None}, poke_interval=interval, status="RUNNING"
        )
    if contestant == "batches":
        from airflow_omics.triggers import OmicsRunBatchTrigger

        return OmicsRunBatchTrigger(
            {"id": run_id, "uuid": UUIDS[run_id] or None}, poke_interval=interval, status="INPROGRESS"
        )
    if contestant == "sleep":

        class Sleep(BaseTrigger):
            def serialize(self) -> tuple[str, dict[str, Any]]:
                return "", {}

            async def run(self) -> AsyncIterator[TriggerEvent]:
                while True:
                    await asyncio.sleep(interval)
                yield TriggerEvent({})

        return Sleep()
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
    from airflow.providers.amazon.aws.triggers.base import AwsBaseWaiterTrigger

    class Pattern(AwsBaseWaiterTrigger):
        def hook(self) -> Any:
            # With HealthOmics' host prefix it would ask workflows-127.0.0.1, and nobody would answer.
            config = {"inject_host_prefix": False}
            return AwsBaseHook(aws_conn_id=self.aws_conn_id, client_type="omics", config=config)

        aws_hook_class = AwsBaseHook

    return Pattern(
        serialized_fields={"run_id": run_id},
        waiter_name="run_completed",
        waiter_args={"id": run_id},
        failure_message="failed",
        status_message="status",
        status_queries=["status"],
        return_key="run_id",
        return_value=run_id,
        waiter_delay=int(interval),
        waiter_max_attempts=100_000,
        aws_conn_id="aws_default",
    )


UUIDS: dict[str, str] = {}


async def consume(trigger: Any, delays: list[float]) -> None:
    """Run a trigger as a triggerer does, and note how late its event came."""
    async for event in trigger.run():
        stopped = (event.payload.get("record") or {}).get("stopTime") if event.payload else None
        if stopped:
            delays.append(time.time() - datetime.datetime.fromisoformat(stopped).timestamp())
        return


async def watchdog(longest: list[float]) -> None:
    """Note for how long the event loop was blocked at most."""
    while True:
        before = time.perf_counter()
        await asyncio.sleep(0.05)
        longest[0] = max(longest[0], time.perf_counter() - before - 0.05)


def memory() -> int:
    """Return the bytes of memory that this process holds."""
    gc.collect()
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


async def contest(contestant: str, ids: list[str], interval: float) -> None:
    """Wait for every run, and answer each line of standard input with the figures so far."""
    import logging

    logging.disable(logging.INFO)
    # Airflow logs to standard output; a pipe that nobody empties would block the loop.
    figures_to = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    make_trigger(contestant, ids[0], interval)  # imports are not counted
    alone, longest, delays = memory(), [0.0], []
    dog = asyncio.create_task(watchdog(longest))
    cpu = time.process_time()
    # What the first wait brings along (a client, the service model) is measured apart from what each costs.
    UUIDS[ids[0]] = ""  # it has not looked yet, and so looks at once
    first = asyncio.create_task(consume(make_trigger(contestant, ids[0], interval), delays))
    await asyncio.sleep(5)
    base = memory()
    triggers = [make_trigger(contestant, run_id, interval) for run_id in ids[1:]]
    waits = [first]
    for trigger in triggers:
        waits.append(asyncio.create_task(consume(trigger, delays)))
        if len(waits) % 50 == 0:  # a triggerer takes 50 in one turn of its loop
            await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    while question := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        figures = {
            "cpu": time.process_time() - cpu,
            "memory": memory() - base if question == "memory" else 0,  # collecting garbage blocks the loop
            "first_wait": base - alone,
            "longest_block": longest[0],
            "delays": delays[:],
            "waiting": sum(not wait.done() for wait in waits),
        }
        longest[0] = 0.0
        print(json.dumps(figures), file=figures_to, flush=True)
    dog.cancel()
    for wait in waits:
        wait.cancel()
    await asyncio.gather(dog, *waits, return_exceptions=True)


# --- the referee ---------------------------------------------------------------------------------------


class Contestant:
    """A contestant's process, asked for its figures over a pipe."""

    def __init__(self, name: str, ids: list[str], uuids: dict[str, str], options: argparse.Namespace) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--contestant", name, "--interval", str(options.interval)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if not options.verbose else None,
            text=True,
        )
        self._send(json.dumps({"ids": ids, "uuids": uuids}))

    def _send(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def figures(self, question: str = "figures") -> dict[str, Any]:
        """Ask for the figures so far; ``memory`` asks for the memory too."""
        self._send(question)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                figures: dict[str, Any] = json.loads(line)
                return figures
        raise RuntimeError("the contestant died")

    def close(self) -> None:
        """End the contestant."""
        self._send("")
        try:
            self.process.wait(60)
        finally:
            self.process.kill()


def busiest_second(requests: list[dict[str, Any]], since: float) -> dict[str, int]:
    """Return the most requests that any second since then held, for each operation."""
    times: dict[str, list[float]] = {}
    for request in requests:
        moment = datetime.datetime.fromisoformat(request["time"]).timestamp()
        if request["operation"] in LOOKS and moment >= since:
            times.setdefault(request["operation"], []).append(moment)
    busiest = {}
    for operation, moments in times.items():
        moments.sort()
        busiest[operation] = max(
            bisect.bisect_left(moments, moment + 1.0) - index for index, moment in enumerate(moments)
        )
    return busiest


def measure(name: str, control: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Let one contestant wait, and return its figures."""
    ids, uuids = make_batches(control, options) if name == "batches" else make_runs(control, options)
    begun = time.time()
    contestant = Contestant(name, ids, uuids, options)
    try:
        row: dict[str, Any] = {"contestant": name, "waits": len(ids)}
        start = contestant.figures()  # answers once the waits are created
        pause(options.interval)
        start = contestant.figures()
        row["cpu_ms_to_start"] = 1000 * start["cpu"] / len(ids)
        row["longest_block_s_start"] = start["longest_block"]
        pause(options.interval * options.warm_up)
        before, counts = contestant.figures(), control.counts()
        pause(options.interval * options.intervals)
        after, counts_after = contestant.figures(), control.counts()
        per = len(ids) * options.intervals
        row["cpu_ms_a_wait_an_interval"] = 1000 * (after["cpu"] - before["cpu"]) / per
        row["mb_first_wait"] = after["first_wait"] / 1024**2
        after["memory"] = contestant.figures("memory")["memory"]
        row["kb_each_further_wait"] = after["memory"] / (len(ids) - 1) / 1024
        row["longest_block_s"] = after["longest_block"]
        row["requests_an_interval"] = {
            operation: round((counts_after[operation] - counts.get(operation, 0)) / options.intervals, 1)
            for operation in LOOKS
            if counts_after.get(operation, 0) > counts.get(operation, 0)
        }
        if options.ends:
            row.update(spread_ends(contestant, control, ids, options))
        if options.all_end:
            row.update(end_all(contestant, control, ids, options))
        row["busiest_second"] = busiest_second(control.requests(), begun)
        row["waiting_at_the_end"] = contestant.figures()["waiting"]
        return row
    finally:
        contestant.close()


def make_runs(control: Any, options: argparse.Namespace) -> tuple[list[str], dict[str, str]]:
    """Fill the account; return the ids of our runs, and their uuids."""
    from airflow_omics._connection import AwsArguments
    from airflow_omics.hooks import OmicsHook

    control.reset()
    control.add_life(STAYS_RUNNING)
    if options.foreign:
        control.start_runs(options.foreign, life="bench-running")
    ids = control.start_runs(options.waits, life="bench-running", parameters={"sample": "x" * 200})
    hook = OmicsHook.of(AwsArguments())
    uuids = {run_id: hook.get_run(run_id)["uuid"] for run_id in ids}
    return ids, uuids


def make_batches(control: Any, options: argparse.Namespace) -> tuple[list[str], dict[str, str]]:
    """Fill the account with batches of one run each; return their ids and uuids."""
    from airflow_omics._connection import AwsArguments
    from airflow_omics.hooks import OmicsHook

    control.reset()
    control.add_life(STAYS_RUNNING)
    control.batches(creating_seconds=0, pending_seconds=0)
    hook, uuids = OmicsHook.of(AwsArguments()), {}
    for number in range(options.waits):
        request = {
            "requestId": f"bench-{number}",
            "defaultRunSetting": {
                "workflowId": "1234567",
                "roleArn": "arn:aws:iam::123456789012:role/omics-run",
                "outputUri": "s3://bucket/out",
                "runTags": {"airflow-omics:life": "bench-running"},
            },
            "batchRunSettings": {"inlineSettings": [{"runSettingId": "sample"}]},
        }
        record = hook.conn.start_run_batch(**request)  # the hook's own makes a client for each
        uuids[record["id"]] = record["uuid"]
    return list(uuids), uuids


def spread_ends(
    contestant: Contestant, control: Any, ids: list[str], options: argparse.Namespace
) -> dict[str, Any]:
    """End some runs, as far apart as if all were to end within an hour."""
    apart = 3600.0 / len(ids)
    for run_id in ids[:: max(1, len(ids) // options.ends)][: options.ends]:
        control.move(run_id, "COMPLETED")
        pause(apart)
    pause(options.interval + 15)
    delays = sorted(contestant.figures()["delays"])
    return {
        "ended": options.ends,
        "seen": len(delays),
        "delay_s_median": statistics.median(delays),
        "delay_s_p99": delays[min(len(delays) - 1, int(0.99 * len(delays)))],
        "delay_s_max": delays[-1],
    }


def end_all(
    contestant: Contestant, control: Any, ids: list[str], options: argparse.Namespace
) -> dict[str, Any]:
    """End every run at once, and see at what rate the waits are drained."""
    left = contestant.figures()["waiting"]
    for run_id in ids:
        control.move(run_id, "COMPLETED")
    pause(options.interval + 15)
    begun, first = time.time(), contestant.figures()["waiting"]
    pause(min(120.0, first / options.rate * 0.8))
    last = contestant.figures()["waiting"]
    return {"drained_a_second": (first - last) / (time.time() - begun), "of": left}


def pause(seconds: float) -> None:
    """Let the contestant work; figures are what this measures, so nothing here waits for an event."""
    time.sleep(seconds)


def main() -> None:
    """Run the contest."""
    options = arguments()
    if options.contestant:
        given = json.loads(sys.stdin.readline())
        UUIDS.update(given["uuids"])
        asyncio.run(contest(options.contestant, given["ids"], options.interval))
        return
    from airflow_omics.emulator import EmulatorClient

    emulator = subprocess.Popen(
        [sys.executable, "-m", "airflow_omics.emulator", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert emulator.stdout is not None
        endpoint = next(word for line in emulator.stdout for word in line.split() if word.startswith("http"))
        extra: dict[str, Any] = {"region_name": "us-east-1", "endpoint_url": endpoint}
        if options.role:
            extra["role_arn"] = "arn:aws:iam::123456789012:role/airflow"
            extra["service_config"] = {"sts": {"endpoint_url": endpoint}}
        connection = {"conn_type": "aws", "login": "test", "password": "test", "extra": extra}
        os.environ["AIRFLOW_CONN_AWS_DEFAULT"] = json.dumps(connection)
        os.environ["AIRFLOW__OMICS__REQUESTS_PER_SECOND"] = str(options.rate)
        control = EmulatorClient(endpoint)
        rows = []
        for name in options.contestants.split(","):
            rows.append(measure(name, control, options))
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
    parser.add_argument("--waits", type=int, default=300)
    parser.add_argument("--interval", type=float, default=30.0, help="seconds between two looks")
    parser.add_argument("--intervals", type=float, default=3, help="intervals over which waiting is measured")
    parser.add_argument("--warm-up", type=float, default=1, help="intervals between start and measurement")
    parser.add_argument("--rate", type=float, default=5.0, help="[omics] requests_per_second")
    parser.add_argument("--foreign", type=int, default=0, help="active runs that nobody waits for")
    parser.add_argument("--ends", type=int, default=0, help="runs to end, spread as all within an hour")
    parser.add_argument("--all-end", action="store_true", help="end all runs at once")
    parser.add_argument("--role", action="store_true", help="use a connection that assumes a role")
    parser.add_argument("--contestants", default="ours,sleep")
    parser.add_argument("--contestant", help=argparse.SUPPRESS)
    parser.add_argument("--json", help="write the figures to this file")
    parser.add_argument("--verbose", action="store_true", help="show what the contestants log")
    return parser.parse_args()


if __name__ == "__main__":
    main()
