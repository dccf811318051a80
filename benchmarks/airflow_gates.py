"""A thousand gates on a real Airflow, beside as many of Airflow's own that only wait for a time.

    make gates                                                # 1,000 gates, about an hour
    python -m benchmarks.airflow_gates --gates 100 --ends 20  # a smaller one
    python -m benchmarks.airflow_gates --progress off         # no snapshots, no lists of tasks

Four contestants, one after the other, each on an Airflow of its own: scheduler, triggerer, DAG processor, API
server and LocalExecutor on PostgreSQL, with the emulator as the service.

* ``mapped``: one mapped gate, ``OmicsRunSensor(deferrable=True)``, each of which a worker begins and ends;
* ``unmapped``: DAG runs of 20 gates each, with ``start_from_trigger`` and ``end_from_trigger``;

each beside Airflow's ``DateTimeSensorAsync`` in the same place, the floor: a gate that asks nobody. When all
of them wait, and each knows its run, the triggerer is measured; then some of the runs end, one after the
other, and the delay from the end of a run to the end of its task is measured, and how long a worker was
taken for each gate.
"""

from __future__ import annotations

import argparse
import compileall
import datetime
import json
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import airflow_omics
from airflow_omics.emulator import EmulatorClient
from benchmarks.cohorts import DAGS, SETTINGS, STAYS_RUNNING, UNMAPPED, Cohorts, Gate
from scripts.stack import Stack, running

CONTESTANTS = ("floor_mapped", "ours_mapped", "floor_unmapped", "ours_unmapped")
KB, MB = 1024, 1024**2
# What Airflow's supervisor says of each process that has run a task, until it deferred or ended.
_WORKED = re.compile(r"Workload finished.*?duration=(?P<seconds>[\d.]+).*?final_state=(?P<state>\w+)")
_WHOSE = re.compile(r"workload_id=(?P<id>[0-9a-f-]{36})")


class Contest:
    """One contestant on an Airflow of its own.

    :param say: is called with a line of progress.
    """

    def __init__(self, name: str, options: argparse.Namespace, say: Callable[[str], None]) -> None:
        self._name = name
        self._ours = name.startswith("ours")
        self._options = options
        self._say = say
        self._stack = Stack(
            pace=1,
            poke_interval=options.interval,
            say=lambda _: None,
            settings={**SETTINGS, "AIRFLOW__OMICS__PROGRESS": str(options.progress == "on")},
            database="postgresql",
            dags_folder=DAGS,
        )

    def run(self) -> dict[str, Any]:
        """Return the figures."""
        with running(self._stack) as stack:
            self._cohorts = Cohorts(stack)
            self._omics = EmulatorClient(stack.endpoint_url)
            self._omics.add_life(STAYS_RUNNING)
            self._say(f"{self._name}: Airflow is up")
            idle = stack.usage("triggerer").rss_bytes
            # What the first gates bring along is measured apart from what each costs.
            self._begin(UNMAPPED)
            time.sleep(10)
            first, began = stack.usage("triggerer").rss_bytes, time.monotonic()
            workers = stack.usage("scheduler").cpu_seconds
            self._begin(self._options.gates)
            begun_in = time.monotonic() - began
            workers = stack.usage("scheduler").cpu_seconds - workers
            self._say(f"{self._name}: {self._options.gates} gates wait, begun in {begun_in:.0f} s")
            figures = {
                "gates begun a second": self._options.gates / begun_in,
                "CPU of scheduler and workers to begin a gate (s)": workers / self._options.gates,
                **self._wait(),
            }
            figures["memory of the first gates (MB)"] = (first - idle) / MB
            figures["memory of each further gate (KB)"] = (self._memory - first) / self._options.gates / KB
            figures.update(self._end())
            return figures

    def _begin(self, count: int, given: list[str] | None = None) -> list[str]:
        """Let so many more gates wait; return what they wait for once a triggerer has all of them."""
        given = given or self._make(count)
        self._cohorts.begin(self._name, given)
        return given

    def _make(self, count: int) -> list[str]:
        """Return so many things that do not end by themselves."""
        if self._ours:
            return self._omics.start_runs(count, life="bench-running")
        return [(_now() + datetime.timedelta(days=1)).isoformat()] * count

    def _wait(self) -> dict[str, Any]:
        """Measure the triggerer while everything waits."""
        interval, intervals = self._options.interval, self._options.intervals
        seconds = self._wait_until_idle()
        before, counts = self._stack.usage("triggerer"), self._omics.counts()
        xcoms = self._cohorts.xcoms_written()
        time.sleep(interval * intervals)
        after, counts_after = self._stack.usage("triggerer"), self._omics.counts()
        xcoms = self._cohorts.xcoms_written() - xcoms
        self._memory = after.rss_bytes
        open_files = sum(process.num_fds() for process in self._stack.family("triggerer"))
        spent = after.cpu_seconds - before.cpu_seconds
        asked = sum(counts_after.values()) - sum(counts.values())
        return {
            "until only waiting is left (s)": seconds,
            "CPU of the triggerer, of one core (%)": 100 * spent / (interval * intervals),
            "CPU of the triggerer a gate an interval (ms)": 1000 * spent / intervals / self._options.gates,
            "requests an interval, all gates together": asked / intervals,
            "XComs written a second": xcoms / (interval * intervals),
            "open files of the triggerer": open_files,
        }

    def _wait_until_idle(self) -> float:
        """Wait until nothing but waiting is done; return the seconds that it took.

        A gate that began in the triggerer asks once by itself which run it waits for.
        """
        began = time.monotonic()

        def asked() -> int:
            return self._omics.counts().get("GetRun", 0)

        while True:
            before = asked()
            time.sleep(self._options.interval)
            # Each run is asked for once an hour by itself, however long it waits.
            if asked() - before <= self._options.gates / 20:
                return time.monotonic() - began

    def _end(self) -> dict[str, Any]:
        """End some of them, one after the other, and return what that took."""
        count, apart = self._options.ends, self._options.apart
        if self._ours:
            waiting = list(self._cohorts.given())[UNMAPPED:]
            chosen = waiting[:: len(waiting) // count][:count]
            moments = {}
            for run_id in chosen:
                moments[run_id] = time.time()
                self._omics.move(run_id, "COMPLETED")
                time.sleep(apart)
        else:
            # Their times have to be said before they begin: late enough for all of them to have begun.
            first = _now() + datetime.timedelta(seconds=60 + count)
            times = [first + datetime.timedelta(seconds=number * apart) for number in range(count)]
            chosen = self._begin(count, [moment.isoformat() for moment in times])
            if _now() > first:
                raise SystemExit("the gates took longer to begin than expected; give fewer --ends")
            moments = {moment.isoformat(): moment.timestamp() for moment in times}

        def ended() -> list[Gate]:
            return [gate for gate in self._cohorts.gates() if gate.given in moments and gate.ended]

        self._cohorts.until("the gates' end", lambda: len(ended()) >= count)
        gates = ended()
        assert all(gate.state == "success" for gate in gates), gates
        delays = sorted(float(gate.ended or 0) - moments[gate.given] for gate in gates)
        self._say(f"{self._name}: {count} gates ended")
        begun, finished = self._worked({gate.id for gate in self._cohorts.gates()})
        return {
            "delay from end to success, median (s)": statistics.median(delays),
            "delay, p99 (s)": delays[int(0.99 * (len(delays) - 1))],
            "delay, longest (s)": delays[-1],
            "times a worker took up a gate": len(begun) + len(finished),
            "worker time to begin a gate, mean (s)": statistics.fmean(begun or [0]),
            "worker time to begin a gate, median (s)": statistics.median(begun or [0]),
            "worker time to end a gate, mean (s)": statistics.fmean(finished or [0]),
            "worker time to end a gate, median (s)": statistics.median(finished or [0]),
        }

    def _worked(self, ids: set[str]) -> tuple[list[float], list[float]]:
        """Return the seconds that a worker was taken by gates that deferred, and by those that ended."""
        seconds: dict[str, list[float]] = {"deferred": [], "success": []}
        with (self._stack.logs / "scheduler.log").open(errors="replace") as log:
            for line in log:
                worked, whose = _WORKED.search(line), _WHOSE.search(line)
                if worked and whose and whose["id"] in ids:
                    seconds[worked["state"]].append(float(worked["seconds"]))
        return seconds["deferred"], seconds["success"]


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def main() -> int:
    """Run the contest and print its table."""
    options = arguments()
    began = time.monotonic()
    # As an installed package is; otherwise each worker compiles it for each gate.
    compileall.compile_dir(airflow_omics.__path__[0], quiet=1)

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {line}", flush=True)

    rows: dict[str, dict[str, Any]] = {}
    for name in options.contestants.split(","):
        rows[name] = Contest(name, options, say).run()
        print(json.dumps({name: rows[name]}, indent=2), flush=True)
    cores, python = os.cpu_count(), platform.python_version()
    print(f"\n{cores} cores, Python {python}, {time.monotonic() - began:.0f} s in all\n")
    print(table(rows))
    if options.json:
        machine = {"cores": cores, "python": python, "options": vars(options)}
        Path(options.json).write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")
    return 0


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Return the figures as a table, a column for each contestant."""
    lines = [["figure", *rows]]
    for figure in next(iter(rows.values())):
        lines.append([figure, *(f"{row[figure]:,.3g}" for row in rows.values())])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gates", type=int, default=1000, help=f"a multiple of {UNMAPPED}")
    parser.add_argument("--interval", type=float, default=30.0, help="seconds between two looks")
    parser.add_argument("--intervals", type=int, default=3, help="intervals over which waiting is measured")
    parser.add_argument("--ends", type=int, default=100, help=f"gates that end; a multiple of {UNMAPPED}")
    parser.add_argument("--apart", type=float, default=2.0, help="seconds from one end to the next")
    parser.add_argument("--contestants", default=",".join(CONTESTANTS))
    parser.add_argument("--progress", choices=("on", "off"), default="on", help="[omics] progress")
    parser.add_argument("--json", help="write the figures to this file")
    options = parser.parse_args()
    for name in ("gates", "ends"):
        if getattr(options, name) < UNMAPPED or getattr(options, name) % UNMAPPED:
            parser.error(f"--{name} {getattr(options, name)}: give a multiple of {UNMAPPED}")
    if unknown := set(options.contestants.split(",")) - set(CONTESTANTS):
        parser.error(f"--contestants {', '.join(sorted(unknown))}: choose from {', '.join(CONTESTANTS)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
