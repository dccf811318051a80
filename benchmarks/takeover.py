"""A triggerer with thousands of deferred gates is killed, and another takes its gates over.

    make gates TAKEOVER=1                          # 2,000 gates, about half an hour
    python -m benchmarks.takeover --gates 80       # a smaller one

Half of the gates were begun by a worker (one mapped gate, or as many as `[core] max_map_length` needs), half
in the triggerer (DAG runs of 20 gates with ``start_from_trigger`` and ``end_from_trigger``). All wait in one
triggerer, which is ended with SIGKILL while a second one stands by; both have Airflow's defaults, but for
their capacity. Meanwhile every run goes from PENDING to RUNNING: a gate is watched again when its log has it
from the new triggerer. Then all runs end, a tenth of them as FAILED. In the end it prints a table, and fails
where a gate is lost or did not end as its run did.
"""

from __future__ import annotations

import argparse
import collections
import compileall
import datetime
import json
import os
import platform
import re
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import airflow_omics
from airflow_omics.emulator import EmulatorClient
from benchmarks.cohorts import DAGS, SETTINGS, UNMAPPED, Cohorts
from scripts.stack import PARTS, Stack, running

MAPPED = 1000
# Airflow's watchdog sleeps so many seconds, and reports how much later than asked for it woke, from there on.
WATCHDOG, REPORTED = 0.1, 0.15
KINDS = {"ours_mapped": "begun by a worker", "ours_unmapped": "begun in the triggerer"}
FAILED_EACH = 10
_BLOCKED = re.compile(r"async thread was blocked for (?P<seconds>[\d.]+) seconds")


class Takeover(NamedTuple):
    """When the new triggerer had a gate, in seconds since the epoch.

    :ivar begun: its trigger ran.
    :ivar watched: it was answered what status its run has.
    """

    begun: float
    watched: float


class Contest:
    """The whole of it.

    :param gates: how many; a multiple of twice ``UNMAPPED``.
    :param tell: is called with a line of progress.
    """

    def __init__(self, stack: Stack, gates: int, interval: float, tell: Callable[[str], None]) -> None:
        self._stack = stack
        self._gates = gates
        self._interval = interval
        self._tell = tell
        self._omics = EmulatorClient(stack.endpoint_url)
        self._cohorts = Cohorts(stack)
        self._dag_of: dict[str, str] = {}
        self._taken: dict[Path, tuple[str, Takeover]] = {}

    def run(self) -> list[tuple[str, str, bool]]:
        """Return what was measured, and whether it is what is meant."""
        stack, omics = self._stack, self._omics
        began = time.time()
        for dag_id, size in (("ours_unmapped", self._gates // 2), ("ours_mapped", MAPPED)):
            runs = omics.start_runs(self._gates // 2, life="pending-forever")
            self._dag_of.update(dict.fromkeys(runs, dag_id))
            for first in range(0, len(runs), size):
                self._cohorts.begin(dag_id, runs[first : first + size])
        self._until_quiet()
        self._tell(f"{self._gates} gates wait and know their runs")
        files = sum(process.num_fds() for process in stack.family("triggerer"))
        before = self._counted(began, time.time())
        stack.restart("triggerer-2")
        new = stack.psql("SELECT max(id) FROM job WHERE job_type = 'TriggererJob'")

        self._tell("SIGKILL the triggerer")
        killed = time.time()
        stack.kill("triggerer")
        for run_id in self._dag_of:
            omics.move(run_id, "RUNNING")
        moved = time.time() - killed
        self._cohorts.until("gates that are watched", lambda: self._watched(new) >= self._gates)
        taken = dict(self._taken.values())
        watched = time.time()
        self._tell("every gate is watched again")
        self._until_quiet()
        settled = time.time()

        self._tell("the runs end")
        ended = time.time()
        meant = {}
        for number, run_id in enumerate(self._dag_of):
            failed = number % FAILED_EACH == 0
            meant[run_id] = "failed" if failed else "success"
            omics.move(run_id, *(["FAILED", "SERVICE_ERROR"] if failed else ["COMPLETED"]))
        self._cohorts.until("the gates' end", lambda: all(gate.ended for gate in self._cohorts.gates()))
        self._tell("the gates have ended")
        rows: list[tuple[str, str, bool]] = []

        def row(what: str, found: object, good: bool = True) -> None:
            rows.append((what, str(found), good))

        row("open files of the triggerer that was killed", files)
        row("requests until all gates knew their runs", before)
        row("until all runs had gone to RUNNING (s)", f"{moved:.1f}")
        for dag_id, kind in KINDS.items():
            of_kind = [taken[run_id] for run_id, dag in self._dag_of.items() if dag == dag_id]
            for what, moments in (
                ("trigger runs again", sorted(one.begun - killed for one in of_kind)),
                ("watched again", sorted(one.watched - killed for one in of_kind)),
            ):
                row(f"{kind}: {what}, first, median, p99, last (s)", _spread(moments))
        row("longest block of the new triggerer's loop (s)", self._longest_block())
        row("requests from the kill until all are watched", self._counted(killed, watched))
        row("requests from then until only waiting is left", self._counted(watched, settled))
        row("seconds for that", f"{settled - watched:.0f}")
        row("requests while the runs end", self._counted(ended, time.time()))
        gates = self._cohorts.gates()
        lost = set(self._dag_of) - {gate.given for gate in gates if gate.ended}
        row("gates lost", len(lost), not lost and len(gates) == self._gates)
        right = sum(meant[gate.given] == gate.state for gate in gates)
        row("gates that ended as their run did", right, right == self._gates)
        tries = sum(gate.tries for gate in gates)
        row("tries of all gates together", tries, tries == self._gates)
        left = int(stack.psql("SELECT count(*) FROM trigger"))
        row("triggers left", left, left == 0)
        return rows

    def _until_quiet(self) -> None:
        """Wait until nothing but waiting is done: runs are listed, and few are asked for by themselves."""

        def asked() -> int:
            return self._omics.counts().get("GetRun", 0)

        while True:
            before = asked()
            time.sleep(self._interval)
            if asked() - before <= self._gates / 20:
                return

    def _watched(self, triggerer: str) -> int:
        """Read from logs when the new triggerer had each gate; return how many gates it watches."""
        # Reading them takes time from what is measured.
        self._stack.pause(2)
        logs = self._stack.folder / "airflow" / "logs"
        for path in set(logs.rglob(f"*.log.trigger.{triggerer}.log")) - set(self._taken):
            begun = None
            for line in _lines(path):
                moment = datetime.datetime.fromisoformat(line["timestamp"]).timestamp()
                if line["event"].endswith("starting"):
                    begun = moment
                elif told := re.match(r"HealthOmics run (\S+) is RUNNING", line["event"]):
                    self._taken[path] = told[1], Takeover(begun or moment, moment)
                    break
        return len(self._taken)

    def _longest_block(self) -> str:
        log = (self._stack.logs / "triggerer-2.log").read_text(errors="replace")
        blocks = [float(found["seconds"]) - WATCHDOG for found in _BLOCKED.finditer(log)]
        least = REPORTED - WATCHDOG
        return f"{max(blocks):.2f}, {len(blocks)} over {least:.2f}" if blocks else f"none over {least:.2f}"

    def _counted(self, since: float, until: float) -> str:
        """Return how many requests of each operation there were, and in the busiest second."""
        moments: dict[str, list[float]] = collections.defaultdict(list)
        for request in self._omics.requests():
            moment = datetime.datetime.fromisoformat(request["time"]).timestamp()
            if since <= moment < until:
                moments[request["operation"]].append(moment)
        told = []
        for operation, found in sorted(moments.items()):
            busiest = max(collections.Counter(map(int, found)).values())
            told.append(f"{len(found)} {operation}, busiest second {busiest}")
        return "; ".join(told) or "none"


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Return the lines of a task's log; the last one may be half written."""
    for line in path.read_text(errors="replace").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return


def _spread(values: list[float]) -> str:
    picked = (0, len(values) // 2, int(0.99 * (len(values) - 1)), -1)
    return ", ".join(f"{values[index]:.1f}" for index in picked)


def main() -> int:
    """Run it, print the table, and return 1 where something is not as it is meant."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gates", type=int, default=2000, help=f"a multiple of {2 * UNMAPPED}")
    parser.add_argument("--interval", type=float, default=30.0, help="seconds between two looks")
    options = parser.parse_args()
    if options.gates < 2 * UNMAPPED or options.gates % (2 * UNMAPPED):
        parser.error(f"--gates {options.gates}: give a multiple of {2 * UNMAPPED}")
    # Airflow holds the log of each trigger open.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * options.gates + 1024
    if hard != resource.RLIM_INFINITY and hard < wanted:
        parser.error(f"--gates {options.gates} needs {wanted} open files; this user may have {hard}")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    # As an installed package is; otherwise each worker compiles it for each gate.
    compileall.compile_dir(airflow_omics.__path__[0], quiet=1)
    began = time.monotonic()

    def tell(line: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {line}", flush=True)

    stack = Stack(
        pace=1,
        poke_interval=options.interval,
        tell=tell,
        settings={**SETTINGS, "AIRFLOW__TRIGGERER__BLOCKED_MAIN_THREAD_WARNING_THRESHOLD": str(REPORTED)},
        database="postgresql",
        parts=PARTS,
        dags_folder=DAGS,
    )
    with running(stack):
        rows = Contest(stack, options.gates, options.interval, tell).run()
    cpus = os.cpu_count()
    print(f"\n{cpus} cores, Python {platform.python_version()}, {time.monotonic() - began:.0f} s in all\n")
    width = max(len(what) for what, _, _ in rows)
    for what, found, good in rows:
        print(f"{what.ljust(width)}  {found}{'' if good else '   <- WRONG'}")
    return 0 if all(good for _, _, good in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
