"""What the pages in Airflow's UI cost: time to make one, and its size before and after gzip.

``python -m benchmarks.pages [--rounds 20] [--json FILE]``. Airflow compresses what it sends. An open page is
asked for every ten seconds as long as something goes on, so its time is the load of the API server.
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

import tests.support.environment  # noqa: F401  an Airflow home of its own
from airflow_omics.plugin import batch_page, cohort_page
from tests.support import cohorts, run_pages

COHORTS = (150, 1_000, 5_000)
TARGETS = {"cohort of 1,000": 100.0, "cohort of 5,000": 500.0}
"""Milliseconds at most, of those that are large."""


def pages() -> Mapping[str, Callable[[], str]]:
    """Return what makes each page, by what it is called."""
    found: dict[str, Callable[[], str]] = {
        "run, failed": lambda: run_pages.page_of("run-failed"),
        "run of 300 tasks": lambda: run_pages.page_of("run-many-tasks"),
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


def main() -> int:
    """Measure, print, and fail if a target is missed."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--rounds", type=int, default=20, help="how often each page is made")
    options.add_argument("--json", type=Path, help="also write the result there")
    chosen = options.parse_args()
    result = {name: measured(make, chosen.rounds) for name, make in pages().items()}
    machine = f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.machine()}"
    print(f"{'page':<18} {'CPU':>11} {'HTML':>10} {'gzip':>10}")
    for name, found in result.items():
        print(
            f"{name:<18} {found['milliseconds']:>8.1f} ms {found['KB']:>7.1f} KB {found['KB_gzip']:>7.1f} KB"
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
