"""``make matrix``: run the tests on every supported Airflow, and print one table.

``python -m scripts.matrix [ROW ...]``, where a row is ``lowest``, ``2.11``, ... or ``3.3-py3.13``. Each
has an environment of its own; the one of ``make test``, 3.3 on its Python, is used if that is asked for. The
tests of a row are divided into parts, which run side by side with those of other rows; the whole output of
one is in ``.cache/matrix-<row>-<part>.log``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from scripts.setup import environments
from scripts.setup.commands import SetupError
from scripts.setup.places import OUTPUT, REPOSITORY, pins
from scripts.setup.pythons import find_python

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
_WATCHED = ("apache-airflow", "apache-airflow-providers-amazon", "botocore", "aiobotocore")
_VERSIONS = """
import importlib.metadata, json, platform, airflow
got = {name: importlib.metadata.version(name) for name in %r}
print("VERSIONS", json.dumps({**got, "airflow": airflow.__version__, "python": platform.python_version()}))
"""


@dataclass(frozen=True)
class Part:
    """Some of the tests, which run in one process.

    :ivar tests: paths and options for pytest.
    :ivar kind: what they do most of the time: run an ``airflow``, beside which there must be no other, keep a
        core ``busy``, or ``wait``.
    """

    name: str
    tests: tuple[str, ...]
    kind: str = "busy"


# Two cores hold one Airflow and one other process: a third beside them makes tests late that watch a clock.
# Who runs Airflows helps with the rest when there are no more.
LANES = (("airflow", "busy"), ("wait", "busy"))
# What meets Airflow is tested on each, by the first of these end to end: on a scheduler, a triggerer, a DAG
# processor and a PostgreSQL server of their own, asked through Airflow's REST API.
_END_TO_END = Part("end-to-end", ("tests/stack/test_core.py",), "airflow")
# The oldest Airflow that has pages, and the one row whose environment has another auth manager.
_AND_PAGES = replace(_END_TO_END, tests=(*_END_TO_END.tests, "tests/stack/test_pages.py"))
_AND_PAGES_OF_FAB = replace(_END_TO_END, tests=(*_END_TO_END.tests, "tests/stack/test_pages_fab.py"))
_TASK_RUNNER = Part("task-runner", ("tests/task_runner", "-m", "not any_airflow"))
_UNIT = Part("unit", ("tests/unit", "-m", "not any_airflow"))
# Some tests are marked as such that any Airflow passes alike, the triggerer's are plain asyncio, and the
# emulator meets moto and botocore, and Airflow only in its page's example. `make test` runs them all on the
# newest. Here the oldest AWS libraries run what these could break, and the newest Python what asyncio could.
_ALL_UNIT = Part("unit", ("tests/unit",))
# What Airflow itself has a say in: its base classes, parser, templates, connections, links and
# providers. That alone can be different between the oldest 3 and the newest, which run all the unit tests.
_SURFACE = Part(
    "unit",
    (
        *(
            f"tests/unit/test_{name}.py"
            for name in (
                "assets",
                "bad_input",
                "connection_unread",
                "conventions",
                "endings",
                "endings_batch",
                "event_trigger",
                "explained_errors",
                "from_trigger",
                "hidden_literals",
                "hook",
                "lineage",
                "links",
                "native_rendering",
                "notifications",
                "operator",
                "outlets",
                "outlets_filled",
                "parse_cost",
                "parsing",
                "peers_bugs",
                "plugin",
                "plugin_app",
                "plugin_reading",
                "provider_info",
                "retry_policy",
                "retrying",
                "run_id_forms",
                "secrets",
                "start_batch",
                "start_run_bad_input",
                "without_a_task_runner",
            )
        ),
        "-m",
        "not any_airflow",
    ),
)
_TRIGGERER = Part("triggerer", ("tests/triggerer", "-m", "not any_airflow"), "wait")
# What another Python's asyncio could break: tasks that are cancelled, loops that end, locks and events.
_ASYNCIO = Part(
    "triggerer",
    tuple(
        f"tests/triggerer/test_{name}.py"
        for name in ("hold", "kill", "leaving", "role", "serialize", "sharing", "sweeps")
    ),
    "wait",
)
_EMULATOR = Part("emulator", ("tests/emulator", "-m", "not any_airflow"))


@dataclass
class Row:
    """One row of the table.

    :ivar passed: how many tests passed, by part.
    :ivar seconds: what the environment and the parts took, together.
    :ivar note: what kept the tests from being run.
    """

    name: str
    python: str = ""
    interpreter: Path | None = None
    versions: dict[str, str] = field(default_factory=dict)
    passed: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    seconds: float = 0.0
    note: str = ""
    green: bool = True
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What is tested."""
        if self.name == "lowest":
            return (_END_TO_END, _ALL_UNIT, _TRIGGERER, _EMULATOR, _TASK_RUNNER)
        if self.name == "2.11":
            return (_END_TO_END, _TASK_RUNNER)  # the oldest row runs the unit tests on a 2.11 as well
        if self.name == "3.3-py3.13":
            return (_END_TO_END, _UNIT, _ASYNCIO, _TASK_RUNNER)
        if self.name in ("3.0", "3.3"):
            return (_END_TO_END, _UNIT, _TASK_RUNNER)
        end_to_end = {"3.1": _AND_PAGES, "3.2": _AND_PAGES_OF_FAB}.get(self.name, _END_TO_END)
        return (end_to_end, _SURFACE, _TASK_RUNNER)


class Queue:
    """The parts of all rows, for the lanes that work on them side by side.

    Those that keep a core busy begin with the last row, so that one lane makes environments while another
    tests.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        parts = [(row, part) for row in rows for part in row.parts]
        self._waiting = {
            kind: deque(
                taken for taken in (parts if kind == "airflow" else reversed(parts)) if taken[1].kind == kind
            )
            for kind in ("airflow", "busy", "wait")
        }
        self._lock = threading.Lock()

    def take(self, lane: Sequence[str]) -> tuple[Row, Part] | None:
        """Return the next part for a lane; None if nothing is left for it.

        :param lane: the kinds of parts that it runs, the first first.
        """
        with self._lock:
            return next((self._waiting[kind].popleft() for kind in lane if self._waiting[kind]), None)


def work_off(queue: Queue, lane: Sequence[str]) -> None:
    """Run the parts of a lane until none is left."""
    while taken := queue.take(lane):
        row, part = taken
        try:
            with row.lock:
                if not (row.interpreter or row.note):
                    _prepare(row)
            if not row.note:
                _run_tests(row, part)
        except Exception as error:
            row.note, row.green = f"{type(error).__name__}: {error}", False


def _prepare(row: Row) -> None:
    """Make the row's environment, and look at what it holds."""
    started = time.monotonic()
    constraints, series = ROWS[row.name]
    same = constraints == "airflow-3.3" and series == "{}.{}".format(*sys.version_info)
    path = REPOSITORY / (".venv" if same else f".venv-{row.name}")
    try:
        row.interpreter = environments.make(constraints, path, row.python)
        row.versions = versions_in(row.interpreter, OUTPUT / f"home-{row.name}")
        row.note = check_versions(row.name, constraints, row.versions)
    except SetupError as error:
        row.note = str(error)
    row.green = not row.note
    row.seconds += time.monotonic() - started


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


def _run_tests(row: Row, part: Part) -> None:
    started = time.monotonic()
    report = OUTPUT / f"matrix-{row.name}-{part.name}.xml"
    log = report.with_suffix(".log")
    report.unlink(missing_ok=True)
    options = ["-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
    with log.open("wb") as output:
        done = subprocess.run(
            [str(row.interpreter), "-m", "pytest", *options, *part.tests],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    row.seconds += time.monotonic() - started
    passed = 0
    if report.exists():
        suite = next(ElementTree.parse(report).getroot().iter("testsuite"))
        row.failed += int(suite.attrib["failures"]) + int(suite.attrib["errors"])
        # What went wrong with a test, or why it was skipped, would be inside its element.
        bad = {"failure", "error", "skipped"}
        passed = sum(not {child.tag for child in case} & bad for case in suite.iter("testcase"))
    row.passed[part.name] = passed
    green = done.returncode == 0 and passed > 0
    lines = log.read_text(errors="replace").splitlines() or ["no output"]
    if green:
        closing = next(line for line in reversed(lines) if " passed" in line)
        print(f"{row.name}, {part.name}: {closing}", flush=True)
    else:
        row.green = False
        print("\n".join([f"--- {row.name}, {part.name}; all of it is in {log}", *lines[-60:]]), flush=True)


def table(rows: Sequence[Row]) -> str:
    """Return the results, aligned."""
    head = ("row", "python", "airflow", "amazon", "botocore", "passed", "end to end", "failed", "seconds", "")
    names = ("python", "airflow", "apache-airflow-providers-amazon", "botocore")
    lines = [
        (
            row.name,
            *(row.versions.get(name, "-") for name in names),
            str(sum(row.passed.values())),
            str(row.passed.get(_END_TO_END.name, 0)),
            str(row.failed),
            f"{row.seconds:.0f}",
            row.note.splitlines()[0] if row.note else ("" if row.green else "FAILED"),
        )
        for row in rows
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
    OUTPUT.mkdir(exist_ok=True)
    rows = [Row(name) for name in (arguments or ROWS)]
    for row in rows:
        series = ROWS[row.name][1]
        row.python = find_python(series) or ""
        if not row.python:
            # The rows of 3.11 are the promise; another Python is a bonus if there is one.
            row.note, row.green = f"Python {series} is not on this machine", series != "3.11"
    queue = Queue([row for row in rows if row.python])
    workers = [threading.Thread(target=work_off, args=(queue, lane)) for lane in LANES]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(f"\n{table(rows)}", flush=True)
    for row in rows:
        if row.note and not row.green:
            print(f"\n{row.name}: {row.note}", file=sys.stderr)
    return 0 if all(row.green for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
