"""What a batch of 100,000 runs costs the emulator: memory, and the time of the calls that a client repeats.

``python benchmarks/batches.py [--members 100000] [--rounds 50] [--json FILE]``. Times are CPU of the emulator
alone, past boto3 and HTTP, so that a busy machine changes them little. The batch is half submitted, and its
runs are in every status, when the calls are made; none of its members has been looked at.
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow_omics.emulator import Emulator, mock_omics
from airflow_omics.emulator.service.common.backend import default_backend
from airflow_omics.emulator.serving.answers import Incoming, answer
from airflow_omics.emulator.world.moto_stores import put_objects

MOST_MEGABYTES, MOST_MILLISECONDS = 200.0, 1.0
"""What the memory of all members and one GetBatch may cost."""
REGION = "us-west-2"
BUCKET = "omics-settings"
_SIGNED = {"Authorization": f"Credential=testing/20260101/{REGION}/omics/aws4_request"}
_LIVES = ("completed", "failed-out-of-memory-error", "cancelled", "failed-assume-role-failed")


def settings(count: int) -> bytes:
    """Return a file of settings as a cohort has it, about 280 bytes a member."""
    # Written piece by piece: what a list of them would leave free would hide what the emulator takes.
    content = io.BytesIO()
    for number in range(count):
        sample = f"sample-{number:06d}"
        member = {
            "runSettingId": sample,
            "name": sample,
            "outputUri": f"s3://my-bucket/cohort/{sample}",
            "parameters": {"reads": f"s3://my-bucket/reads/{sample}.fastq.gz", "lane": number % 8},
            "runTags": {"sample": sample, "airflow-omics:life": _LIVES[number % len(_LIVES)]},
        }
        content.write(b"," if number else b"[")
        content.write(json.dumps(member).encode())
    content.write(b"]")
    return content.getvalue()


def megabytes() -> tuple[float, float]:
    """Return the memory of this process, and the most that it has had."""
    gc.collect()
    with open("/proc/self/statm") as statm:
        now = int(statm.read().split()[1]) * resource.getpagesize()
    return now / 1e6, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def ask(path: str, query: str = "", body: Any = None) -> Any:
    """Ask the emulator, past boto3 and HTTP."""
    method = "GET" if body is None else "POST"
    got = answer(Incoming(method, path, query, _SIGNED, b"" if body is None else json.dumps(body).encode()))
    if got.status >= 300:
        raise RuntimeError(f"{method} {path}: {got.body!r}")
    return json.loads(got.body)


def milliseconds(call: Callable[[], Any], rounds: int) -> float:
    """Return the CPU time of a call, the median of many."""
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        call()
        taken.append((time.process_time() - began) * 1000)
    return statistics.median(taken)


def measure(emulator: Emulator, members: int, rounds: int) -> dict[str, float]:
    """Start a batch and return each figure by its name."""
    emulator.freeze()
    place = default_backend(None, REGION)
    put_objects(place, BUCKET, {"runs.json": settings(members)}, emulator.now())
    ask("/runBatch")
    before, _ = megabytes()
    batch = ask(
        "/runBatch",
        body={
            "requestId": "benchmark",
            "defaultRunSetting": {
                "workflowId": "1234567",
                "roleArn": "arn:aws:iam::123456789012:role/OmicsRole",
            },
            "batchRunSettings": {"s3UriSettings": f"s3://{BUCKET}/runs.json"},
        },
    )
    path = f"/runBatch/{batch['id']}"
    figures: dict[str, float] = {}
    emulator.advance(34)
    figures["validation of the whole batch, once (ms)"] = milliseconds(lambda: ask(path), 1)
    emulator.advance(1 + members / 2)
    record = ask(path)
    assert record["submissionSummary"]["successfulStartSubmissionCount"] == members // 2
    assert record["runSummary"]["runningRunCount"] > 0
    figures["GetBatch (ms)"] = milliseconds(lambda: ask(path), rounds)
    figures["ListRunsInBatch, a page of 100 (ms)"] = milliseconds(lambda: ask(f"{path}/run"), rounds)
    query = f"batchId={batch['id']}"
    figures["ListRuns(batchId), a page of 100 (ms)"] = milliseconds(lambda: ask("/run", query), rounds)
    running = f"{query}&status=RUNNING"
    figures["ListRuns(batchId, status), a page of 100 (ms)"] = milliseconds(
        lambda: ask("/run", running), rounds
    )
    emulator.advance(86_400 * 365)
    assert ask(path)["status"] == "PROCESSED"
    figures["GetBatch once it is PROCESSED (ms)"] = milliseconds(lambda: ask(path), rounds)
    now, most = megabytes()
    figures["memory of all members (MB)"] = now - before
    token, pages, began = "", 0, time.process_time()
    while True:
        page = ask(f"{path}/run", token and f"startingToken={token}")
        pages += 1
        if "nextToken" not in page:
            break
        token = page["nextToken"].replace("=", "%3D")
    figures[f"ListRunsInBatch, all {pages:,} pages (ms)"] = (time.process_time() - began) * 1000
    now, _ = megabytes()
    figures["memory once all were listed (MB)"] = now - before
    figures["most memory of the whole process (MB)"] = most
    return figures


def main() -> int:
    """Measure, print, and fail when a target is missed."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--members", type=int, default=100_000, help="members of the batch")
    options.add_argument("--rounds", type=int, default=50, help="how often each call is made")
    options.add_argument("--json", type=Path, help="also write the result there")
    chosen = options.parse_args()
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "testing")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_omics() as emulator:
        figures = measure(emulator, chosen.members, chosen.rounds)
    for name, value in figures.items():
        print(f"{name:<50} {value:>9,.2f}")
    machine = f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.machine()}"
    print(f"\n{chosen.members:,} members, CPU time, median of {chosen.rounds}\n{machine}")
    if chosen.json:
        chosen.json.write_text(json.dumps({"figures": figures, "machine": machine}, indent=2) + "\n")
    met = (
        figures["memory once all were listed (MB)"] <= MOST_MEGABYTES
        and figures["GetBatch (ms)"] <= MOST_MILLISECONDS
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
