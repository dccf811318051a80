"""``make demo``: a gate, from the start of a run to the record in XCom, on a real Airflow.

It ends with an error when anything is off: a task state, a status out of order, or a record in XCom that
is not what the service answers.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.parse
from datetime import datetime
from typing import Any

import boto3
from botocore.config import Config

from scripts.stack import Stack, StackError, running
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
    client: Any = boto3.client(
        "omics",
        endpoint_url=stack.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(inject_host_prefix=False),
    )
    started = client.start_run(
        workflowId="1234567",
        name="NA12878 germline",
        roleArn="arn:aws:iam::123456789012:role/OmicsRole",
        outputUri="s3://cohort-results/germline",
        parameters={"sample": "NA12878", "reads": "s3://cohort-reads/NA12878.fastq.gz"},
        requestId=f"demo-{time.time_ns()}",
    )
    run_id = started["id"]
    dag_run = stack.post(
        f"/api/v2/dags/{DAG_ID}/dagRuns", {"logical_date": None, "conf": {"omics_run_id": run_id}}
    )
    path = f"/api/v2/dags/{DAG_ID}/dagRuns/{urllib.parse.quote(dag_run['dag_run_id'])}"
    title = f"HealthOmics run {run_id}, {PACE} times faster than life; DAG {DAG_ID}"
    print(f"\n  {paint(title, '1')}\n")
    statuses, states = watch(stack, client, started, path)
    if states != {"gate": "success", "find_outputs": "success"}:
        raise StackError(f"the tasks ended as {states}")
    if statuses != ORDER:
        raise StackError(f"the run passed through {statuses}")
    record = xcom(stack, path, "gate")
    compare(record, client.get_run(id=run_id))
    show(record)
    outputs = xcom(stack, path, "find_outputs")
    if outputs != f"{record['runOutputUri']}/out":
        raise StackError(f"find_outputs returned {outputs!r}")
    print(f"\n  the next task used it: {paint('find_outputs', '1')} returned {paint(outputs, '32')}")


def watch(
    stack: Stack, client: Any, run: dict[str, Any], path: str
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
        ended = stack.get(path)["state"] in ("success", "failed")
        tasks = stack.get(f"{path}/taskInstances")["task_instances"]
        states = {task["task_id"]: task["state"] for task in tasks}
        if status != statuses[-1]:
            statuses.append(status)
        now = (status, states.get("gate"), states.get("find_outputs"))
        if now != shown:
            cells = [paint(f"{cell or '-':<14}", _COLOURS.get(cell or "", "2")) for cell in now]
            seconds = int(time.monotonic() - started)
            print(f"  {seconds // 60:02}:{seconds % 60:02}  {''.join(cells).rstrip()}", flush=True)
            shown = now
        if ended:
            return statuses, states
        stack.pause(0.4)
        status = client.get_run(id=run["id"])["status"]
    raise StackError("the DAG run did not end in time")


def xcom(stack: Stack, path: str, task_id: str) -> Any:
    """Return what a task left in XCom."""
    entry = stack.get(f"{path}/taskInstances/{task_id}/xcomEntries/return_value?deserialize=false")
    value = entry["value"]
    return json.loads(value) if isinstance(value, str) and value[:1] in ('"', "{") else value


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
    started = time.monotonic()
    print(
        f"\n  {paint('airflow-omics', '1')}: an Airflow gate on an AWS HealthOmics run, with no AWS account\n"
    )
    try:
        with running(Stack(pace=PACE, poke_interval=POKE_INTERVAL, say=say, database=database)) as stack:
            demonstrate(stack)
            say("stopping all of it")
    except KeyboardInterrupt:
        print("\n  stopped")
        return 130
    except Exception as error:
        print(f"\n  {paint('something is off', '31')}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(f"  {paint('✓', '32')} all as it should be, in {time.monotonic() - started:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
