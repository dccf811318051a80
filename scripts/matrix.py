"""Run the tests on every supported Airflow, each in an environment of its own, and print one table.

The end-to-end tests need a PostgreSQL server; where there is none, they fail and say how to get it.

``python scripts/matrix.py [ROW ...]``, where a row is ``lowest``, ``2.11``, ``3.0`` ... or ``3.3-py3.13``.
The whole output of a row's tests is in ``.cache/matrix-<row>.log``. The row that ``make test`` has made
already, 3.3 on its Python, uses that environment.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from environment import CACHE, REPOSITORY, SetupError, make, pins

ROWS = {
    "lowest": ("lowest", "3.11"),
    "2.11": ("airflow-2.11", "3.11"),
    "3.0": ("airflow-3.0", "3.11"),
    "3.1": ("airflow-3.1", "3.11"),
    "3.2": ("airflow-3.2", "3.11"),
    "3.3": ("airflow-3.3", "3.11"),
    "3.1-py3.13": ("airflow-3.1", "3.13"),
    "3.2-py3.13": ("airflow-3.2", "3.13"),
    "3.3-py3.13": ("airflow-3.3", "3.13"),
}
# What meets Airflow is tested on each, by the last of these end to end: on a scheduler, a triggerer, a DAG
# processor and a PostgreSQL server of their own, asked through Airflow's REST API. The emulator meets moto
# and botocore, and Airflow only in its page's example; the watcher is plain asyncio; and some unit tests are
# marked as such that any Airflow passes alike: once on the oldest AWS libraries and once on the newest
# Python is enough for these, since `make test` runs them as well.
_END_TO_END = "tests/stack/test_core.py"
_EVERYWHERE = ("tests/unit", "tests/task_runner", _END_TO_END)
_APART = ("tests/emulator", "tests/triggerer")
_APART_TOO = ("lowest", "3.3-py3.13")
_WATCHED = ("apache-airflow", "apache-airflow-providers-amazon", "botocore", "aiobotocore")
_VERSIONS = """
import importlib.metadata, json, platform, airflow
got = {name: importlib.metadata.version(name) for name in %r}
print("VERSIONS", json.dumps({**got, "airflow": airflow.__version__, "python": platform.python_version()}))
"""


@dataclass
class Result:
    """One row of the table.

    :ivar end_to_end: how many of those that passed are of the end-to-end suite.
    """

    row: str
    versions: dict[str, str] = field(default_factory=dict)
    passed: int = 0
    end_to_end: int = 0
    failed: int = 0
    seconds: float = 0.0
    note: str = ""
    green: bool = False


def find_python(series: str) -> str | None:
    """Return the path of a Python of one minor version, or None where the machine has none.

    A pyenv shim answers for a version that is installed but not selected with an error, so each candidate
    is asked, and pyenv's own folders are looked through as well.
    """
    candidates = [shutil.which(f"python{series}"), sys.executable, shutil.which("python3")]
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates += [str(path) for path in sorted(root.glob(f"versions/{series}.*/bin/python{series}"))]
    for candidate in filter(None, candidates):
        script = "import sys; print('%d.%d' % sys.version_info[:2])"
        done = subprocess.run([candidate, "-c", script], capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip() == series:
            return candidate
    return None


def versions_in(interpreter: Path, home: Path) -> dict[str, str]:
    """Return what an environment really holds, as its own Airflow says."""
    done = subprocess.run(
        [str(interpreter), "-c", _VERSIONS % (_WATCHED,)],
        env={**os.environ, "AIRFLOW_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    [line] = [line for line in done.stdout.splitlines() if line.startswith("VERSIONS ")]
    found: dict[str, str] = json.loads(line.removeprefix("VERSIONS "))
    return found


def check_versions(row: str, constraints: str, got: dict[str, str]) -> str:
    """Return what is wrong with the versions of a row, or an empty text."""
    pinned = pins(constraints)
    wrong = [
        f"{name} {got[name]} instead of {pinned[name]}" for name in _WATCHED if got[name] != pinned[name]
    ]
    series = "2.11" if row == "lowest" else row.partition("-")[0]
    if got["airflow"] != got["apache-airflow"] or not got["airflow"].startswith(f"{series}."):
        wrong.append(f"Airflow says that it is {got['airflow']}")
    return ", ".join(wrong)


def run_row(row: str) -> Result:
    """Make one row's environment and run the tests in it."""
    constraints, series = ROWS[row]
    result = Result(row)
    started = time.monotonic()
    python = find_python(series)
    if python is None:
        # The rows of 3.11 are the promise; another Python is a bonus where there is one.
        result.note, result.green = f"Python {series} is not on this machine", row.endswith("3.13")
        return result
    try:
        same = constraints == "airflow-3.3" and series == "{}.{}".format(*sys.version_info)
        interpreter = make(constraints, REPOSITORY / (".venv" if same else f".venv-{row}"), python)
    except SetupError as error:
        result.note = str(error)
        return result
    home = CACHE / f"home-{row}"
    result.versions = versions_in(interpreter, home)
    result.note = check_versions(row, constraints, result.versions)
    if not result.note:
        _run_tests(result, interpreter)
    result.seconds = time.monotonic() - started
    return result


def _run_tests(result: Result, interpreter: Path) -> None:
    report = CACHE / f"matrix-{result.row}.xml"
    log = CACHE / f"matrix-{result.row}.log"
    report.unlink(missing_ok=True)
    chosen = [*_EVERYWHERE, *_APART] if result.row in _APART_TOO else [*_EVERYWHERE, "-m", "not any_airflow"]
    options = ["-n", "2", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
    with log.open("wb") as output:
        done = subprocess.run(
            [str(interpreter), "-m", "pytest", *options, *chosen],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if report.exists():
        suite = next(ElementTree.parse(report).getroot().iter("testsuite"))
        result.failed = int(suite.attrib["failures"]) + int(suite.attrib["errors"])
        # What went wrong with a test, or why it was skipped, would be inside its element.
        passed = [
            case.attrib["classname"]
            for case in suite.iter("testcase")
            if not {child.tag for child in case} & {"failure", "error", "skipped"}
        ]
        result.passed = len(passed)
        result.end_to_end = passed.count(_END_TO_END.removesuffix(".py").replace("/", "."))
    result.green = done.returncode == 0 and result.end_to_end > 0
    lines = log.read_text(errors="replace").splitlines() or ["no output"]
    if result.green:
        closing = next(line for line in reversed(lines) if " passed" in line)
        print(f"{result.row}: {closing}", flush=True)
    else:
        print("\n".join([f"--- {result.row}; all of it is in {log}", *lines[-60:]]), flush=True)


def table(results: Sequence[Result]) -> str:
    """Return the results, aligned."""
    head = ("row", "python", "airflow", "amazon", "botocore", "passed", "end to end", "failed", "seconds", "")
    names = ("python", "airflow", "apache-airflow-providers-amazon", "botocore")
    lines = [
        (
            result.row,
            *(result.versions.get(name, "-") for name in names),
            str(result.passed),
            str(result.end_to_end),
            str(result.failed),
            f"{result.seconds:.0f}",
            result.note.splitlines()[0] if result.note else ("" if result.green else "FAILED"),
        )
        for result in results
    ]
    widths = [max(len(line[column]) for line in (head, *lines)) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (head, *lines)
    )


def main(arguments: Sequence[str]) -> int:
    """Run the rows named, or all of them."""
    if unknown := [row for row in arguments if row not in ROWS]:
        print(f"unknown row {', '.join(unknown)}; the rows are {', '.join(ROWS)}", file=sys.stderr)
        return 2
    CACHE.mkdir(exist_ok=True)
    results = [run_row(row) for row in (arguments or ROWS)]
    print(f"\n{table(results)}", flush=True)
    for result in results:
        if result.note and not result.green:
            print(f"\n{result.row}: {result.note}", file=sys.stderr)
    return 0 if all(result.green for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
