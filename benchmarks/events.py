"""What a thousand runs that end cost one ``OmicsRunEventTrigger``: time, requests, payloads, CPU and memory.

    make bench-events        # or: python -m benchmarks.events; about four minutes

The trigger runs as Airflow's triggerer runs it: on 3.3 behind Airflow's own shared stream, whose events are
confirmed half a second after they were fired, as if they had been stored. The emulator, with its EventBridge
and SQS, is another process, over HTTP. Each case is a process of its own.

- ``backlog``: all runs have ended before the trigger begins, as after a pause of the DAG.
- ``flow``: twenty runs end each second.
- ``idle``: no run ends for a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path
from typing import Any

import tests.support.environment  # noqa: F401  before anything imports Airflow
from airflow_omics.emulator import EmulatorClient
from airflow_omics.triggers import OmicsRunEventTrigger

CASES = ("backlog", "flow", "idle")
PERSISTED_AFTER = 0.5
FLOW = 20.0
IDLE_SECONDS = 60.0
KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}


@contextmanager
def emulated() -> Iterator[str]:
    """Run the emulator in another process, and give its URL."""
    command = [sys.executable, "-u", "-m", "airflow_omics.emulator", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            words = process.stdout.readline().split()
            yield next(word for word in words if word.startswith("http://"))
        finally:
            process.terminate()


class Queue:
    """A queue with a rule in front of it, and the runs whose events arrive there."""

    def __init__(self, endpoint_url: str) -> None:
        import boto3
        from botocore.config import Config

        def client(service: str) -> Any:
            config = Config(inject_host_prefix=False)
            return boto3.client(service, endpoint_url=endpoint_url, config=config, **KEYS)

        self.omics = EmulatorClient(endpoint_url)
        self._sqs, events = client("sqs"), client("events")
        self.url: str = self._sqs.create_queue(QueueName="ended")["QueueUrl"]
        pattern = {"source": ["aws.omics"], "detail-type": ["Run Status Change"]}
        pattern["detail"] = {"status": ["COMPLETED"]}  # type: ignore[assignment]
        events.put_rule(Name="ended", EventPattern=json.dumps(pattern))
        arn = "arn:aws:sqs:us-east-1:123456789012:ended"
        events.put_targets(Rule="ended", Targets=[{"Id": "queue", "Arn": arn}])

    def start(self, count: int) -> list[str]:
        """Start runs that go on until :meth:`end`."""
        return self.omics.start_runs(count, "pending-forever", events=True)

    def end(self, run_ids: list[str]) -> None:
        """Let runs complete, and their events arrive."""
        for run_id in run_ids:
            self.omics.move(run_id, "COMPLETED")
        self.omics.settle()

    def is_empty(self) -> bool:
        """Return whether nothing waits there, and nothing has been received and not deleted."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return all(answer["Attributes"][name] == "0" for name in names)


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Count the requests of the trigger's clients meanwhile."""
    from aiobotocore.client import AioBaseClient

    client: Any = AioBaseClient
    counts: Counter[str] = Counter()
    call = client._make_api_call

    async def counting(self: Any, operation: str, *arguments: Any) -> Any:
        counts[operation] += 1
        return await call(self, operation, *arguments)

    client._make_api_call = counting
    try:
        yield counts
    finally:
        client._make_api_call = call


async def fired(trigger: Any) -> AsyncIterator[Any]:
    """Yield what a trigger fires, as Airflow's triggerer would get it."""
    try:
        from airflow.triggers.shared_stream import SharedStreamManager
    except ImportError:  # before Airflow 3.3
        async for event in trigger.run():
            yield event
        return
    manager, key = SharedStreamManager(), trigger.shared_stream_key()
    stream = manager.subscribe(trigger_id=1, trigger=trigger, key=key)
    loop = asyncio.get_running_loop()
    try:
        async for event in trigger.filter_shared_stream(stream):
            bound = manager.bind_pending_event(trigger_id=1, key=key)
            loop.call_later(PERSISTED_AFTER, manager.confirm_persisted, [bound])
            yield event
    finally:
        await manager.unsubscribe(1, key)
        await trigger.cleanup()


async def _watch(queue: Queue, runs: int, case: str) -> list[tuple[float, list[str], int]]:
    """Return of each payload when it came, its runs, and its size in bytes."""
    begun = time.perf_counter()
    payloads: list[tuple[float, list[str], int]] = []
    done = asyncio.Event()

    async def read() -> None:
        async with aclosing(fired(OmicsRunEventTrigger(queue.url))) as events:  # type: ignore[type-var]
            async for event in events:
                found = [run["id"] for run in event.payload["runs"]]
                payloads.append((time.perf_counter() - begun, found, len(json.dumps(event.payload))))
                if sum(len(ids) for _, ids, _ in payloads) >= runs:
                    done.set()

    reading = asyncio.create_task(read())
    ids = await asyncio.to_thread(queue.start, runs) if case == "flow" else []
    began_flow = time.perf_counter()
    for number, run_id in enumerate(ids):
        await asyncio.sleep(began_flow + number / FLOW - time.perf_counter())
        await asyncio.to_thread(queue.end, [run_id])
    with suppress(TimeoutError):
        await asyncio.wait_for(done.wait(), IDLE_SECONDS if case == "idle" else 600)
    while case != "idle" and not await asyncio.to_thread(queue.is_empty):
        await asyncio.sleep(0.5)
    reading.cancel()
    with suppress(asyncio.CancelledError):
        await reading
    return payloads


def megabytes(which: str) -> float:
    """Return a figure of this process's memory, such as ``VmRSS``."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{which}:"):
            return int(line.split()[1]) / 1000
    raise LookupError(which)


def measured(case: str, runs: int) -> dict[str, Any]:
    """Return the figures of a case, which is run in this process.

    :param case: one of ``CASES``.
    :param runs: how many runs end.
    """
    with emulated() as endpoint_url, counted() as requests:
        connection = {"conn_type": "aws", "login": "testing", "password": "testing"}
        extra = {"region_name": "us-east-1", "endpoint_url": endpoint_url}
        os.environ["AIRFLOW_CONN_AWS_DEFAULT"] = json.dumps({**connection, "extra": extra})
        queue = Queue(endpoint_url)
        if case == "backlog":
            queue.end(queue.start(runs))
        Path("/proc/self/clear_refs").write_text("5")  # the peak is that of what follows
        before, idle = resource.getrusage(resource.RUSAGE_SELF), megabytes("VmRSS")
        begun = time.perf_counter()
        payloads = asyncio.run(_watch(queue, runs, case))
        after = resource.getrusage(resource.RUSAGE_SELF)
    found = [run_id for _, ids, _ in payloads for run_id in ids]
    return {
        "case": case,
        "runs": len(set(found)),
        "twice": len(found) - len(set(found)),
        "payloads": [len(ids) for _, ids, _ in payloads],
        "largest_bytes": max((size for _, _, size in payloads), default=0),
        "last_s": payloads[-1][0] if payloads else 0.0,
        "wall_s": time.perf_counter() - begun,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "mb": megabytes("VmHWM") - idle,
        "requests": dict(requests),
    }


def main() -> None:
    """Measure each case in a process of its own, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--case", choices=CASES, help="one case, in this process")
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measured(options.case, options.runs)))
        return
    for case in CASES:
        command = [sys.executable, "-m", "benchmarks.events", "--case", case, "--runs", str(options.runs)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        figures = json.loads(done.stdout.splitlines()[-1])
        print(case)
        for name, value in figures.items():
            if name != "case":
                print(f"  {name:14}{round(value, 2) if isinstance(value, float) else value}")


if __name__ == "__main__":
    main()
