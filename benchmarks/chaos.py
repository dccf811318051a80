"""Gates and starts in flight on a real Airflow, while its processes are killed and the service is unkind.

    python -m benchmarks.chaos                          # 200 gates, 50 starts
    python -m benchmarks.chaos --gates 40 --starts 10   # a smaller one

Scheduler, DAG processor, API server and two triggerers run on PostgreSQL, with the emulator as the service:
10 calls a second for each operation, 1 for StartRun, 20 % of calls throttled, 5 % of connections dropped. In
turn a worker, a triggerer, the scheduler, PostgreSQL and the other triggerer are ended with SIGKILL, and
started again. In the end it prints what is left, as a table, and fails if that is not what it should be.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import datetime
import json
import os
import platform
import signal
import sys
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from airflow_omics.emulator import EmulatorClient
from scripts.stack import PARTS, Stack, running

SETTINGS = {
    "AIRFLOW__CORE__PARALLELISM": "8",
    "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "1000",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
}
LONGEST_WAIT = 1800.0


class DagRun:
    """One DAG run, through Airflow's REST API."""

    def __init__(self, stack: Stack, dag_id: str, conf: dict[str, Any]) -> None:
        self._stack = stack
        made = stack.post(f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf})
        self.path = f"/api/v2/dags/{dag_id}/dagRuns/{urllib.parse.quote(made['dag_run_id'])}"

    def tasks(self, task_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a mapped task."""
        found: list[dict[str, Any]] = []
        while True:
            page = self._stack.get(f"{self.path}/taskInstances?limit=100&offset={len(found)}")
            found += page["task_instances"]
            if not page["task_instances"] or len(found) >= page["total_entries"]:
                return [task for task in found if task["task_id"] == task_id]

    def count(self, task_id: str, state: str) -> int:
        """Return how many task instances of a mapped task are in a state."""
        return sum(task["state"] == state for task in self.tasks(task_id))

    def record(self, task_id: str, map_index: int) -> dict[str, Any]:
        """Return the record that a task instance has left."""
        entry = f"{self.path}/taskInstances/{task_id}/xcomEntries/return_value?map_index={map_index}"
        value = self._stack.get(f"{entry}&deserialize=false")["value"]
        return dict(json.loads(value) if isinstance(value, str) else value)


class Chaos:
    """The whole of it.

    :param say: is called with a line of progress.
    """

    def __init__(self, stack: Stack, gates: int, starts: int, say: Callable[[str], None]) -> None:
        self._stack = stack
        self._omics = EmulatorClient(stack.endpoint_url)
        self._gates, self._starts = gates, starts
        self._say = say
        self._failed = max(1, gates // 10)

    def run(self) -> list[tuple[str, str, bool]]:
        """Return what was meant, what was found, and whether they are the same."""
        omics, stack = self._omics, self._stack
        omics.default_life = "running-forever"
        gated = omics.start_runs(self._gates, life="running-forever")
        omics.limit("*", 10)
        omics.limit("StartRun", 1)
        omics.fault("*", "throttle", rate=0.2)
        omics.fault("*", "drop", rate=0.05)

        self._say(f"{self._gates} gates")
        gates = DagRun(stack, "gates", {"omics_run_ids": gated})
        self._until("gates deferred", lambda: gates.count("gate", "deferred") == self._gates)
        self._say(f"{self._starts} starts")
        starts = DagRun(stack, "starts", {"samples": [f"sample-{n}" for n in range(self._starts)]})
        self._until("a third of the runs", lambda: len(self._started()) >= self._starts // 3)
        self._kill_a_worker()
        self._until("starts deferred", lambda: starts.count("start", "deferred") == self._starts)

        for part in ("triggerer", "scheduler", "postgres", "triggerer-2"):
            self._say(f"SIGKILL {part}")
            stack.kill(part)
            if part == "postgres":
                time.sleep(5)  # what an operating system takes to notice and start it again
            stack.restart(part)
            self._until_watched()

        self._say("the runs end")
        ours = self._started()
        for number, run_id in enumerate(gated):
            if number < self._failed:
                omics.move(run_id, "FAILED", "SERVICE_ERROR", "An error in the service.")
            else:
                omics.move(run_id, "COMPLETED")
        for run_id in ours:
            omics.move(run_id, "COMPLETED")
        ended = {"success", "failed", "upstream_failed", "skipped"}
        self._until("the gates' end", lambda: all(task["state"] in ended for task in gates.tasks("gate")))
        self._until("the starts' end", lambda: all(task["state"] in ended for task in starts.tasks("start")))
        return self._judge(gates, starts, gated)

    def _judge(self, gates: DagRun, starts: DagRun, gated: list[str]) -> list[tuple[str, str, bool]]:
        rows: list[tuple[str, str, bool]] = []

        def row(what: str, found: object, meant: object) -> None:
            rows.append((what, f"{found}" if found == meant else f"{found}, not {meant}", found == meant))

        tasks = {task["map_index"]: task for task in gates.tasks("gate")}
        as_meant = sum(
            tasks[index]["state"] == ("failed" if index < self._failed else "success")
            and gates.record("gate", index)["id"] == run_id
            and gates.record("gate", index)["status"] == ("FAILED" if index < self._failed else "COMPLETED")
            for index, run_id in enumerate(gated)
        )
        row("gates that ended as their run did, with its record", as_meant, self._gates)
        row("tries of all gates together", sum(task["try_number"] for task in tasks.values()), self._gates)
        row("starts that succeeded", starts.count("start", "success"), self._starts)
        row("runs started", len(self._started()), self._starts)
        of_starts = {starts.record("start", index)["id"] for index in range(self._starts)}
        row("runs started that a start returned", len(of_starts & set(self._started())), self._starts)
        counts = self._omics.counts()
        row("CancelRun", counts.get("CancelRun", 0), 0)
        row("triggers left", int(self._stack.psql("SELECT count(*) FROM trigger").strip()), 0)
        rows.append(("ended by themselves, started again", ", ".join(self._stack.revived) or "none", True))
        seconds: dict[str, collections.Counter[int]] = collections.defaultdict(collections.Counter)
        answered: collections.Counter[tuple[str, str]] = collections.Counter()
        for request in self._omics.requests():
            seconds[request["operation"]][int(_epoch(request["time"]))] += 1
            answered[request["operation"], request["error"] or request.get("fault") or "answered"] += 1
        for operation in sorted(seconds):
            of_it = {kind: n for (name, kind), n in sorted(answered.items()) if name == operation}
            outcomes = ", ".join(f"{n} {kind}" for kind, n in of_it.items())
            busiest = max(seconds[operation].values())
            rows.append((f"{operation} requests", f"{outcomes}; busiest second {busiest}", True))
        return rows

    def _started(self) -> list[str]:
        return sorted({r["run_id"] for r in self._omics.requests("StartRun") if r["run_id"]})

    def _kill_a_worker(self) -> None:
        """End a process that runs a task, and let LocalExecutor notice."""
        victim, shown = self._stack.wait_for("a worker at work", self._busy_worker, 120)
        self._say(f"SIGKILL a worker: {shown}")
        os.kill(victim.pid, signal.SIGKILL)

    def _busy_worker(self) -> tuple[psutil.Process, str] | None:
        """Return a process of LocalExecutor's that runs a task now; it is one of a worker's children."""
        for process in self._stack.family("scheduler"):
            with contextlib.suppress(psutil.Error):
                above = process.parent()
                if above is not None and "LocalExecutor" not in " ".join(process.cmdline()):
                    line = " ".join(above.cmdline())
                    if "airflow worker" in line and "<idle>" not in line:
                        return process, line.strip()
        return None

    def _until_watched(self) -> None:
        """Wait until some triggerer asks for runs again."""
        asked = self._asked()
        self._until("a look at the runs", lambda: self._asked() >= asked + 5)

    def _asked(self) -> int:
        counts = self._omics.counts()
        return counts.get("GetRun", 0) + counts.get("ListRuns", 0)

    def _until(self, what: str, ready: Callable[[], bool]) -> None:
        self._stack.wait_for(what, lambda: ready() or None, LONGEST_WAIT)


def _epoch(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


def main() -> int:
    """Run it, print the table, and return 1 if something is not as it should be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gates", type=int, default=200)
    parser.add_argument("--starts", type=int, default=50)
    arguments = parser.parse_args()
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {line}", flush=True)

    stack = Stack(
        pace=1,
        poke_interval=10,
        say=say,
        settings=SETTINGS,
        database="postgresql",
        parts=(*PARTS, "triggerer-2"),
        revive=True,  # as a service manager would: Airflow's own parts may end when their database does
        dags_folder=Path(__file__).parent / "dags" / "chaos",
    )
    with running(stack):
        rows = Chaos(stack, arguments.gates, arguments.starts, say).run()
    cpus = os.cpu_count()
    print(f"\n{cpus} cores, Python {platform.python_version()}, {time.monotonic() - began:.0f} s in all\n")
    width = max(len(what) for what, _, _ in rows)
    for what, found, good in rows:
        print(f"{what.ljust(width)}  {found}{'' if good else '   <- WRONG'}")
    return 0 if all(good for _, _, good in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
