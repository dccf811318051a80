"""What the demos have in common: a client, a DAG run to watch, what its tasks left, and how a demo ends."""

from __future__ import annotations

import json
import sys
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config

from scripts.stack.stack import Stack, running
from scripts.stack.terminal import paint, say


def aws_client(stack: Stack, service: str = "omics") -> Any:
    """Return a client of the stack's local HealthOmics, or of another service beside it."""
    return boto3.client(
        service,
        endpoint_url=stack.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(inject_host_prefix=False),
    )


class WatchedDagRun:
    """A DAG run, from its trigger on."""

    def __init__(self, stack: Stack, dag_id: str, conf: dict[str, Any]) -> None:
        self._stack = stack
        dag_runs = f"{stack.airflow.api}/dags/{dag_id}/dagRuns"
        dag_run = stack.post(dag_runs, stack.airflow.dag_run(conf))
        self._path = f"{dag_runs}/{urllib.parse.quote(dag_run['dag_run_id'])}"

    def has_ended(self) -> bool:
        """Return whether it has ended, well or not."""
        return self._stack.get(self._path)["state"] in ("success", "failed")

    def states(self) -> dict[str, str | None]:
        """Return the state of each task."""
        tasks = self._stack.get(f"{self._path}/taskInstances")["task_instances"]
        return {task["task_id"]: task["state"] for task in tasks}

    def xcom(self, task_id: str) -> Any:
        """Return what a task left in XCom."""
        path = f"{self._path}/taskInstances/{task_id}/xcomEntries/return_value?deserialize=false"
        value = self._stack.get(path)["value"]
        return json.loads(value) if isinstance(value, str) and value[:1] in ('"', "{", "[") else value


def as_clock(seconds: float) -> str:
    """Return a span of time as a clock shows it, such as ``01:05``."""
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes:02}:{seconds:02}"


def run_demo(title: str, make_stack: Callable[[], Stack], demonstrate: Callable[[Stack], None]) -> int:
    """Run a demo on a stack of its own, and return the exit code.

    :param title: what is shown.
    :param make_stack: returns the stack.
    :param demonstrate: shows it, and raises if anything is off.
    """
    started = time.monotonic()
    print(f"\n  {paint('airflow-omics', '1')}: {title}, with no AWS account\n")
    try:
        with running(make_stack()) as stack:
            demonstrate(stack)
            print()
            say("stopping all of it")
    except KeyboardInterrupt:
        print("\n  stopped")
        return 130
    except Exception as error:
        print(f"\n  {paint('something is off', '31')}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(f"  {paint('✓', '32')} all as it should be, in {time.monotonic() - started:.0f} s\n")
    return 0
