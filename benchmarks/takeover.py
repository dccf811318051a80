"""A triggerer with thousands of deferred gates is killed, and another takes its gates over.

    make gates TAKEOVER=1                                    # 2,000 gates, about half an hour
    python -m benchmarks.takeover --gates 80 --mapped 40     # a smaller one

200 of the gates were begun by a worker, as one mapped gate, which takes long; the others in the triggerer,
as DAG runs of 20 gates with ``start_from_trigger`` and ``end_from_trigger``. All of them wait in one
triggerer, which is ended with SIGKILL while a second one stands by; both have Airflow's defaults, but for
their capacity and how many gates they take up in one turn. Meanwhile every run goes from PENDING to RUNNING.
A gate is watched again when its trigger runs in the new triggerer and its run has been asked for since, by
GetRun or in a sweep of lists. Then all runs end, a tenth of them as FAILED. In the end it prints a table,
and fails where a gate is lost or did not end as its run did.
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
from airflow_omics.records import ACTIVE_STATUSES
from benchmarks.cohorts import DAGS, SETTINGS, UNMAPPED, Cohorts
from scripts.stack import PARTS, Stack, running

# Airflow's watchdog sleeps so many seconds, and reports how much later than asked for it woke, from there on.
WATCHDOG, REPORTED = 0.1, 0.15
KINDS = {"ours_mapped": "begun by a worker", "ours_unmapped": "begun in the triggerer"}
FAILED_EACH = 10
SETTINGS_HERE = {
    **SETTINGS,
    "AIRFLOW__TRIGGERER__BLOCKED_MAIN_THREAD_WARNING_THRESHOLD": str(REPORTED),
    # With its default of 50 a triggerer that takes up hundreds of gates with start_from_trigger may hang: for
    # each, Airflow sends the whole DAG to the process that runs the triggers, and reads no logs meanwhile.
    "AIRFLOW__TRIGGERER__MAX_TRIGGER_TO_SELECT_PER_LOOP": "10",
}
_BLOCKED = re.compile(r"async thread was blocked for (?P<seconds>[\d.]+) seconds")


class Sweep(NamedTuple):
    """A listing of all active runs.

    :ivar began: its first request, in seconds since the epoch; likewise ``ended``, its last.
    """

    began: float
    ended: float


class Contest:
    """The whole of it.

    :param gates: how many; a multiple of ``UNMAPPED``.
    :param mapped: how many of them a worker begins; likewise.
    :param say: is called with a line of progress.
    """

    def __init__(self, stack: Stack, gates: int, mapped: int, say: Callable[[str], None]) -> None:
        self._stack = stack
        self._gates, self._mapped = gates, mapped
        self._say = say
        self._omics = EmulatorClient(stack.endpoint_url)
        self._cohorts = Cohorts(stack)
        self._dag_of: dict[str, str] = {}
        self._begun_by: dict[str, dict[Path, tuple[str, float]]] = collections.defaultdict(dict)

    def run(self) -> list[tuple[str, str, bool]]:
        """Return what was measured, and whether it is what is meant."""
        stack, omics = self._stack, self._omics
        began = time.time()
        unmapped = self._gates - self._mapped
        for dag_id, count in (("ours_unmapped", unmapped), ("ours_mapped", self._mapped)):
            runs = omics.start_runs(count, life="pending-forever")
            self._dag_of.update(dict.fromkeys(runs, dag_id))
            self._cohorts.begin(dag_id, runs)
        self._until_watched(stack.psql("SELECT max(id) FROM job WHERE job_type = 'TriggererJob'"))
        self._say(f"{self._gates} gates are watched")
        files = sum(process.num_fds() for process in stack.family("triggerer"))
        before = self._counted(began, time.time())
        stack.restart("triggerer-2")
        new = stack.psql("SELECT max(id) FROM job WHERE job_type = 'TriggererJob'")

        self._say("SIGKILL the triggerer")
        killed = time.time()
        stack.kill("triggerer")
        for run_id in self._dag_of:
            omics.move(run_id, "RUNNING")
        moved = time.time() - killed
        begun, again = self._until_watched(new)
        watched = time.time()
        self._say("every gate is watched again; the runs end")
        ended = time.time()
        meant = {}
        for number, run_id in enumerate(self._dag_of):
            failed = number % FAILED_EACH == 0
            meant[run_id] = "failed" if failed else "success"
            omics.move(run_id, *(["FAILED", "SERVICE_ERROR"] if failed else ["COMPLETED"]))
        self._cohorts.until("the gates' end", lambda: all(gate.ended for gate in self._cohorts.gates()))
        over = time.time()
        self._say("the gates have ended")
        rows: list[tuple[str, str, bool]] = []

        def row(what: str, found: object, good: bool = True) -> None:
            rows.append((what, str(found), good))

        row("open files of the triggerer that was killed", files)
        row("requests until all gates were watched at first", before)
        row("until all runs had gone to RUNNING (s)", f"{moved:.1f}")
        for dag_id, kind in KINDS.items():
            of_kind = [run_id for run_id, dag in self._dag_of.items() if dag == dag_id]
            for what, moments in (("trigger runs again", begun), ("watched again", again)):
                seconds = sorted(moments[run_id] - killed for run_id in of_kind)
                row(f"{kind}: {what}, first, median, p99, last (s)", _spread(seconds))
        row("longest block of the new triggerer's loop (s)", self._longest_block())
        row("requests from the kill until all are watched", self._counted(killed, watched))
        row("requests while the runs end", self._counted(ended, over))
        row("seconds for that", f"{over - ended:.0f}")
        gates = self._cohorts.gates()
        lost = set(self._dag_of) - {gate.given for gate in gates if gate.ended}
        row("gates lost", len(lost), not lost and len(gates) == self._gates)
        right = sum(meant[gate.given] == gate.state for gate in gates)
        row("gates that ended as their run did", right, right == self._gates)
        tries = sum(gate.tries for gate in gates)
        # On a machine that is too busy Airflow begins tasks again that have long waited for a worker.
        row("tries of all gates together", tries)
        left = int(stack.psql("SELECT count(*) FROM trigger"))
        row("triggers left", left, left == 0)
        return rows

    def _until_watched(self, triggerer: str) -> tuple[dict[str, float], dict[str, float]]:
        """Wait until a triggerer watches every gate; return when its trigger ran, and when it was watched.

        Both by the gate's run, in seconds since the epoch.
        """
        self._cohorts.until("triggers that run", lambda: len(self._begun(triggerer)) >= self._gates)
        begun = self._begun(triggerer)
        self._cohorts.until(
            "gates that are watched", lambda: len(seen(begun, self._omics.requests())) >= self._gates
        )
        return begun, seen(begun, self._omics.requests())

    def _begun(self, triggerer: str) -> dict[str, float]:
        """Return from the tasks' logs when a triggerer began to run the trigger of each gate's run."""
        # Reading them takes time from what is measured.
        self._stack.pause(2)
        begun = self._begun_by[triggerer]
        logs = self._stack.folder / "airflow" / "logs"
        for path in set(logs.rglob(f"*.log.trigger.{triggerer}.log")) - set(begun):
            for line in _lines(path):
                if line["event"].endswith("starting"):
                    run_id = self._cohorts.given_to(line["run_id"], line["task_id"], line["map_index"])
                    begun[path] = run_id, _epoch(line["timestamp"])
                    break
        return dict(begun.values())

    def _longest_block(self) -> str:
        log = (self._stack.logs / "triggerer-2.log").read_text(errors="replace")
        blocks = [float(found["seconds"]) - WATCHDOG for found in _BLOCKED.finditer(log)]
        least = REPORTED - WATCHDOG
        return f"{max(blocks):.2f}, {len(blocks)} over {least:.2f}" if blocks else f"none over {least:.2f}"

    def _counted(self, since: float, until: float) -> str:
        """Return how many requests of each operation there were, and in the busiest second."""
        moments: dict[str, list[float]] = collections.defaultdict(list)
        for request in self._omics.requests():
            moment = _epoch(request["time"])
            if since <= moment < until:
                moments[request["operation"]].append(moment)
        found_by = []
        for operation, found in sorted(moments.items()):
            busiest = max(collections.Counter(map(int, found)).values())
            found_by.append(f"{len(found)} {operation}, busiest second {busiest}")
        return "; ".join(found_by) or "none"


def seen(begun: dict[str, float], requests: list[dict[str, Any]]) -> dict[str, float]:
    """Return when each run was asked for first once its trigger ran: by GetRun, or at the end of a sweep.

    :param begun: when the trigger of each run began to run.
    :param requests: what the emulator was asked, oldest first.
    """
    by_run: dict[str, list[float]] = collections.defaultdict(list)
    sweeps: list[Sweep] = []
    first, last = 0.0, len(ACTIVE_STATUSES)
    for request in requests:
        moment, query = _epoch(request["time"]), request.get("query", {})
        if request["operation"] == "GetRun":
            by_run[request["run_id"]].append(moment)
        elif request["operation"] == "ListRuns":
            # A sweep goes through the statuses in the order of a run's life, and begins where one may be.
            status = ACTIVE_STATUSES.index(query["status"])
            if "startingToken" not in query and status <= last:
                first = moment
            if query["status"] == ACTIVE_STATUSES[-1]:
                sweeps.append(Sweep(first, moment))
            last = status
    found = {}
    for run_id, moment in begun.items():
        asked = [at for at in by_run[run_id] if at >= moment][:1]
        asked += [sweep.ended for sweep in sweeps if sweep.began >= moment][:1]
        if asked:
            found[run_id] = min(asked)
    return found


def _epoch(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


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
    parser.add_argument("--gates", type=int, default=2000, help=f"a multiple of {UNMAPPED}")
    parser.add_argument("--mapped", type=int, default=200, help="how many a worker begins; likewise")
    parser.add_argument("--interval", type=float, default=30.0, help="seconds between two looks")
    options = parser.parse_args()
    for name in ("gates", "mapped"):
        if getattr(options, name) < UNMAPPED or getattr(options, name) % UNMAPPED:
            parser.error(f"--{name} {getattr(options, name)}: give a multiple of {UNMAPPED}")
    if not options.mapped < options.gates:
        parser.error(f"--mapped {options.mapped}: give less than --gates, {options.gates}")
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

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {line}", flush=True)

    stack = Stack(
        pace=1,
        poke_interval=options.interval,
        say=say,
        settings=SETTINGS_HERE,
        database="postgresql",
        parts=PARTS,
        dags_folder=DAGS,
    )
    with running(stack):
        rows = Contest(stack, options.gates, options.mapped, say).run()
    cpus = os.cpu_count()
    print(f"\n{cpus} cores, Python {platform.python_version()}, {time.monotonic() - began:.0f} s in all\n")
    width = max(len(what) for what, _, _ in rows)
    for what, found, good in rows:
        print(f"{what.ljust(width)}  {found}{'' if good else '   <- WRONG'}")
    return 0 if all(good for _, _, good in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
