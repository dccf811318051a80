"""What a DAG file pays for a gate: import and construct it, once ``airflow.sdk`` is there.

``python benchmarks/parse.py [--rounds 20] [--json FILE]``. Each measurement is a fresh process; the two
sensors take turns, so that whatever else the machine does falls on both.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

SENSORS = {
    "airflow_omics OmicsRunSensor": (
        "from airflow_omics.sensors import OmicsRunSensor",
        "OmicsRunSensor(task_id='gate', run_id='1234567')",
    ),
    "Amazon provider BatchSensor": (
        "from airflow.providers.amazon.aws.sensors.batch import BatchSensor",
        "BatchSensor(task_id='gate', job_id='1234567')",
    ),
}
TARGET = 20
_SCRIPT = """
import sys, time
import airflow.sdk
started = time.perf_counter()
{imports}
{construct}
sys.stderr.write("SECONDS %r" % (time.perf_counter() - started))
"""


def measure(imports: str, construct: str, home: str) -> float:
    """Return the seconds that one fresh process took."""
    environment = {**os.environ, "AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    # An installed package is compiled once; without this an editable one might be compiled each time.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT.format(imports=imports, construct=construct)],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stderr.rpartition("SECONDS ")[2])


def main() -> int:
    """Measure, print, and fail when the target is missed."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=20, help="processes for each sensor")
    options.add_argument("--json", type=Path, help="also write the result there")
    chosen = options.parse_args()
    times: dict[str, list[float]] = {name: [] for name in SENSORS}
    with tempfile.TemporaryDirectory() as home:
        for statements in SENSORS.values():  # compiles what is not compiled yet
            measure(*statements, home)
        for _ in range(chosen.rounds):
            for name, statements in SENSORS.items():
                times[name].append(measure(*statements, home))
    medians = {name: statistics.median(taken) * 1000 for name, taken in times.items()}
    ours, theirs = medians.values()
    machine = f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.machine()}"
    versions = {
        name: metadata.version(name)
        for name in ("apache-airflow", "apache-airflow-providers-amazon", "airflow-omics")
    }
    print(f"{'sensor':<30} {'median':>10} {'fastest':>10} {'slowest':>10}")
    for name, taken in times.items():
        print(
            f"{name:<30} {medians[name]:>7.1f} ms {min(taken) * 1000:>7.1f} ms {max(taken) * 1000:>7.1f} ms"
        )
    print(f"\n{theirs / ours:.0f} times cheaper (target {TARGET}), median of {chosen.rounds} processes each")
    print(f"{machine}; " + ", ".join(f"{name} {version}" for name, version in versions.items()))
    if chosen.json:
        result = {
            "milliseconds": {name: [1000 * seconds for seconds in taken] for name, taken in times.items()},
            "median_milliseconds": medians,
            "ratio": theirs / ours,
            "machine": machine,
            "versions": versions,
        }
        chosen.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0 if theirs / ours >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
