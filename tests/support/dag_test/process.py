"""Processes in which real Airflow runs DAGs and shows what became of them, seen from the tests."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

REPOSITORY = Path(__file__).parents[3]
EXAMPLE_DAGS = REPOSITORY / "example_dags"
CASE_DAGS = REPOSITORY / "tests" / "task_runner" / "dags"
_FOLDER = Path(__file__).parent

FOREVER = 10_000
"""Seconds of service time after which every life of the library has ended."""


@dataclass
class DagRunReport:
    """What Airflow's database holds of a finished DAG run."""

    state: str
    tasks: list[dict[str, Any]]
    xcoms: list[dict[str, Any]]
    rendered: list[dict[str, Any]]
    asset_events: list[dict[str, Any]]
    log: str = field(repr=False)

    @property
    def states(self) -> dict[str, str]:
        """State by task id; a mapped task's is ``id[index]``."""
        return {_name(row): row["state"] for row in self.tasks}

    @property
    def tries(self) -> dict[str, int]:
        """Try number by task id."""
        return {_name(row): row["try_number"] for row in self.tasks}

    @property
    def results(self) -> dict[str, Any]:
        """Value of the XCom ``return_value`` by task id."""
        return {_name(row): row["value"] for row in self.xcoms if row["key"] == "return_value"}

    @property
    def rendered_fields(self) -> dict[str, Any]:
        """Rendered template fields by task id."""
        return {_name(row): row["fields"] for row in self.rendered}

    @property
    def events(self) -> dict[tuple[str, str], Any]:
        """The ``extra`` of the one event of each task and asset, by task id and URI."""
        events = {(_name(row), row["uri"]): row["extra"] for row in self.asset_events}
        assert len(events) == len(self.asset_events), self.asset_events
        return events


def _name(row: dict[str, Any]) -> str:
    return row["task_id"] if row["map_index"] < 0 else f"{row['task_id']}[{row['map_index']}]"


class Program:
    """A Python program that answers each line of JSON with another, until there are no more.

    :param path: the program; it is given the file descriptors that it reads from and answers on.
    :param log: where what it prints is added.
    :param max_seconds: seconds after which an answer that has not come is a failure.
    """

    def __init__(self, path: Path, environment: dict[str, str], log: Path, max_seconds: float) -> None:
        self._log = log
        self._max_seconds = max_seconds
        theirs_in, self._requests = os.pipe()
        self._answers, theirs_out = os.pipe()
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, str(path), str(theirs_in), str(theirs_out)],
                env=environment,
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs_in, theirs_out),
            )
        os.close(theirs_in)
        os.close(theirs_out)

    def ask(self, request: dict[str, Any]) -> tuple[Any, str]:
        """Return the answer, and what the program has printed for it."""
        start = self._log.stat().st_size
        os.write(self._requests, (json.dumps(request) + "\n").encode())
        line = self._read_line()
        with self._log.open("rb") as output:
            output.seek(start)
            log = output.read().decode(errors="replace")
        assert line is not None, (
            f"no answer from Airflow within {self._max_seconds} s; its output:\n{log[-6000:]}"
        )
        print(log)  # pytest shows it when the test fails
        result = json.loads(line)
        assert "error" not in result, result["error"]
        return result, log

    def _read_line(self) -> bytes | None:
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self._answers], [], [], self._max_seconds)
            chunk = os.read(self._answers, 65536) if ready else b""
            if not chunk:
                return None
            line += chunk
        return line

    def close(self) -> None:
        """End the program."""
        os.close(self._requests)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._answers)


class AirflowProcess:
    """Real Airflow with a new home and SQLite database; ``run`` executes a DAG with ``dag.test``.

    :param home: where its files go.
    :param environment: added to its environment.
    :param max_seconds: seconds after which a DAG run that has not ended is a failure.
    """

    def __init__(self, home: Path, environment: dict[str, str], max_seconds: float = 120.0) -> None:
        dags = home / "dags"
        dags.mkdir(parents=True)
        (dags / "examples").symlink_to(EXAMPLE_DAGS)
        (dags / "cases").symlink_to(CASE_DAGS)
        self.home = home
        self._max_seconds = max_seconds
        self.environment = {
            **os.environ,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            **environment,
        }
        self._programs: dict[str, Program] = {}

    def __enter__(self) -> AirflowProcess:
        self._migrate()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for program in self._programs.values():
            program.close()

    def _program(self, name: str) -> Program:
        """Return a program of this folder, started with the first question to it."""
        if name not in self._programs:
            log = self.home / f"{name}.log"
            path = _FOLDER / f"{name}.py"
            self._programs[name] = Program(path, self.environment, log, self._max_seconds)
        return self._programs[name]

    def _migrate(self) -> None:
        self._command("db", "migrate")

    def register(self, path: Path) -> None:
        """Tell Airflow of a DAG file, as the DAG processor does: its assets have events from then on."""
        folder = self.home / "registered" / path.stem
        folder.mkdir(parents=True)
        (folder / path.name).symlink_to(path)
        self._command("dags", "reserialize", AIRFLOW__CORE__DAGS_FOLDER=str(folder))

    def _command(self, *arguments: str, **environment: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"airflow {' '.join(arguments)} failed:\n{done.stdout[-4000:]}"

    def run(
        self,
        path: Path,
        conf: dict[str, Any] | None = None,
        dag_id: str | None = None,
        environment: dict[str, str] | None = None,
    ) -> DagRunReport:
        """Execute one run of a DAG to its end.

        :param path: the DAG file.
        :param conf: what the run is triggered with.
        :param dag_id: defaults to the file's name.
        :param environment: set in the process from now on.
        """
        result, log = self._program("worker").ask(
            {
                "path": str(path),
                "dag_id": dag_id or path.stem,
                "conf": conf or {},
                "environment": environment or {},
            }
        )
        return DagRunReport(**result, log=log)

    def links(self, path: Path, dag_id: str) -> dict[str, dict[str, str]]:
        """Return the extra links of each task of a DAG's last run, as Airflow's UI would show them.

        A webserver knows a task only as it was serialised, and nothing of the worker's memory: another
        process reads them.
        """
        result, _ = self._program("read_links").ask({"path": str(path), "dag_id": dag_id})
        links: dict[str, dict[str, str]] = result["links"]
        return links

    def written(self) -> str:
        """Return what Airflow has written to its output and to files in its home, but for the database."""
        texts = [
            path.read_text(errors="replace")
            for path in self.home.rglob("*")
            if path.is_file() and not path.name.startswith("airflow.db") and "dags" not in path.parts
        ]
        return "\n".join(texts)
