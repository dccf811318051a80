"""``make demo``: a gate, from the start of a run to the record in XCom, on a real Airflow.

It ends with an error when anything is off: a task state, a status out of order, or a record in XCom that
is not what the service answers.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from typing import Any

from scripts.stack import Stack, StackError
from scripts.stack.show import WatchedDagRun, as_clock, aws_client, run_demo
from scripts.stack.terminal import chosen_database, paint, say

DAG_ID = "gate_and_use_record"
PACE = 40
POKE_INTERVAL = 3
ORDER = ["PENDING", "STARTING", "RUNNING", "STOPPING", "COMPLETED"]
_COLOURS = {
    "PENDING": "33",
    "STARTING": "36",
    "RUNNING": "34",
    "STOPPING": "35",
    "COMPLETED": "32",
    "success": "32",
    "failed": "31",
    "upstream_failed": "31",
    "running": "34",
    "deferred": "35",
}


def demonstrate(stack: Stack) -> None:
    """Start a run, gate on it, and compare what arrived."""
    client = aws_client(stack)
    started = client.start_run(
        workflowId="1234567",
        name="NA12878 germline",
        roleArn="arn:aws:iam::123456789012:role/OmicsRole",
        outputUri="s3://cohort-results/germline",
        parameters={"sample": "NA12878", "reads": "s3://cohort-reads/NA12878.fastq.gz"},
        requestId=f"demo-{time.time_ns()}",
    )
    run_id = started["id"]
    dag_run = WatchedDagRun(stack, DAG_ID, {"omics_run_id": run_id})
    title = f"HealthOmics run {run_id}, {PACE} times faster than life; DAG {DAG_ID}"
    print(f"\n  {paint(title, '1')}\n")
    statuses, states = watch(stack, client, started, dag_run)
    if states != {"gate": "success", "find_outputs": "success"}:
        raise StackError(f"the tasks ended as {states}")
    if statuses != ORDER:
        raise StackError(f"the run passed through {statuses}")
    record = dag_run.xcom("gate")
    compare(record, client.get_run(id=run_id))
    show(record)
    outputs = dag_run.xcom("find_outputs")
    if outputs != f"{record['runOutputUri']}/out":
        raise StackError(f"find_outputs returned {outputs!r}")
    print(f"\n  the next task used it: {paint('find_outputs', '1')} returned {paint(outputs, '32')}")


def watch(
    stack: Stack, client: Any, run: dict[str, Any], dag_run: WatchedDagRun
) -> tuple[list[str], dict[str, str | None]]:
    """Print a line whenever something changes, until the DAG run has ended."""
    started = time.monotonic()
    print(paint(f"  {'':>7}{'HealthOmics':<14}{'gate':<14}find_outputs", "2"))
    # StartRun's own answer is the first status: the run may leave it before anybody looks again.
    status = run["status"]
    statuses = [status]
    shown: tuple[Any, ...] = ()
    while time.monotonic() < started + 150:
        stack.check()
        ended = dag_run.has_ended()
        states = dag_run.states()
        if status != statuses[-1]:
            statuses.append(status)
        now = (status, states.get("gate"), states.get("find_outputs"))
        if now != shown:
            cells = [paint(f"{cell or '-':<14}", _COLOURS.get(cell or "", "2")) for cell in now]
            print(f"  {as_clock(time.monotonic() - started)}  {''.join(cells).rstrip()}", flush=True)
            shown = now
        if ended:
            return statuses, states
        stack.pause(0.4)
        status = client.get_run(id=run["id"])["status"]
    raise StackError("the DAG run did not end in time")


def compare(record: dict[str, Any], answer: dict[str, Any]) -> None:
    """Raise StackError unless a record is what the service answers, member for member."""
    expected = {
        key: value.isoformat() if isinstance(value, datetime) else value
        for key, value in answer.items()
        if key != "ResponseMetadata"
    }
    for key in sorted(record.keys() | expected.keys()):
        if key not in record or key not in expected or record[key] != expected[key]:
            raise StackError(
                f"{key} is {record.get(key, 'missing')!r} in XCom "
                f"and {expected.get(key, 'missing')!r} at the service"
            )


def show(record: dict[str, Any]) -> None:
    """Print the record, one member a line."""
    print(f"\n  {paint('the record in XCom', '1')}, {len(record)} members, each as GetRun answers it\n")
    width = max(map(len, record))
    first = ("id", "status", "name", "creationTime", "startTime", "stopTime")
    for key in sorted(record, key=lambda key: (first.index(key) if key in first else len(first), key)):
        for number, text in enumerate(lines_of(record[key])):
            label = key if number == 0 else ""
            print(f"    {paint(label.ljust(width), '2')}  {paint(text, _COLOURS.get(text, ''))}")


def lines_of(value: Any) -> list[str]:
    """Return a member's value as lines of text."""
    if isinstance(value, dict) and value:
        return [
            f"{key}: {inner if isinstance(inner, str) else json.dumps(inner)}" for key, inner in value.items()
        ]
    return [value if isinstance(value, str) else json.dumps(value)]


def main() -> int:
    """Run the demo; return the exit code."""
    database = chosen_database("make demo")
    return run_demo(
        "an Airflow gate on an AWS HealthOmics run",
        lambda: Stack(pace=PACE, poke_interval=POKE_INTERVAL, say=say, database=database),
        demonstrate,
    )


if __name__ == "__main__":
    sys.exit(main())
