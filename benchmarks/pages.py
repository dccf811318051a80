"""What the pages in Airflow's UI cost: time to read and to make one, queries, and size before and after gzip.

``python -m benchmarks.pages [--rounds 20] [--json FILE]``. Airflow compresses what it sends. An open page is
asked for every ten seconds as long as something goes on, so its time is the load of the API server. Cohorts
are read from a database in memory that has Airflow's tables: what a query takes in PostgreSQL is not in it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from unittest import mock

import tests.support.environment  # noqa: F401  an Airflow home of its own
from airflow_omics.plugin import batch_page, cohort_page, reading, run_page
from tests.support import cohorts, run_pages
from tests.support.airflow_db import AirflowDb

COHORTS = (150, 1_000, 5_000)
TARGETS = {"cohort of 1,000": 100.0, "cohort of 5,000": 500.0}
"""Milliseconds at most, of those that are large."""


def pages() -> Mapping[str, Callable[[], str]]:
    """Return what makes each page, by what it is called."""
    found: dict[str, Callable[[], str]] = {
        "run, failed": lambda: run_pages.page_of("run-failed"),
        "run of 300 tasks": lambda: run_page.render(run_pages.many(300), "/", run_pages.SEEN),
        "batch": lambda: batch_page.render(cohorts.judged("failed"), "/", cohorts.NOW),
    }
    for size in COHORTS:
        view = cohorts.cohort(size)
        found[f"cohort of {size:,}"] = lambda view=view: cohort_page.render(view, "/", cohorts.NOW)  # type: ignore[misc]
    return found


def measured(make: Callable[[], str], rounds: int) -> dict[str, float]:
    """Return the median of milliseconds that a page takes, and its KB before and after gzip."""
    page, taken = make().encode(), []
    for _ in range(rounds):
        began = time.process_time()
        make()
        taken.append(time.process_time() - began)
    sizes = {"KB": len(page) / 1000, "KB_gzip": len(gzip.compress(page, 6)) / 1000}
    return {"milliseconds": statistics.median(taken) * 1000, **sizes}


def read(size: int, rounds: int) -> dict[str, float]:
    """Return the median of milliseconds that reading a cohort takes, and the number of queries."""
    database = AirflowDb()
    database.dag_run("cohort", "one")
    database.task("cohort", "one", "gate", *range(size))
    snapshots = {gate.map_index: dict(gate.snapshot) for gate in cohorts.cohort(size).gates}
    database.xcoms("cohort", "one", "gate", "omics_run", snapshots)
    taken = []
    with mock.patch.object(reading, "create_session", database.session):
        for _ in range(rounds + 1):
            database.forget()
            began = time.process_time()
            view = reading.cohort_view("cohort", "one")
            taken.append(time.process_time() - began)
    if view is None or len(view.gates) != size:
        raise SystemExit(f"{size} gates were stored, and others were read")
    return {"read_milliseconds": statistics.median(taken[1:]) * 1000, "queries": len(database.statements)}


def main() -> int:
    """Measure, print, and fail if a target is missed."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--rounds", type=int, default=20, help="how often each page is made")
    options.add_argument("--json", type=Path, help="also write the result there")
    chosen = options.parse_args()
    result = {name: measured(make, chosen.rounds) for name, make in pages().items()}
    for size in COHORTS:
        result[f"cohort of {size:,}"] |= read(size, chosen.rounds)
    machine = f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.machine()}"
    print(f"{'page':<18} {'CPU':>11} {'HTML':>10} {'gzip':>10} {'reading':>11} queries")
    for name, found in result.items():
        print(
            f"{name:<18} {found['milliseconds']:>8.1f} ms {found['KB']:>7.1f} KB {found['KB_gzip']:>7.1f} KB"
            + (f" {found['read_milliseconds']:>8.1f} ms {found['queries']:>7}" if "queries" in found else "")
        )
    print(f"\nmedian of {chosen.rounds}; {machine}")
    if chosen.json:
        chosen.json.write_text(json.dumps({"pages": result, "machine": machine}, indent=2) + "\n")
    missed = [name for name, most in TARGETS.items() if result[name]["milliseconds"] > most]
    if missed:
        print(f"slower than {TARGETS}: {missed}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
