"""The local HealthOmics and a real Airflow beside it, as processes on this machine.

Everything lives in new temporary folders, listens on free ports of 127.0.0.1, and is ended, down to the
last child, by whoever started it. ``make demo`` and ``make up`` run it on SQLite, tests/stack on
PostgreSQL. It is the Airflow of the environment that this runs in, 2.11 or 3; Airflow 2 runs on PostgreSQL
alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
import urllib.error
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Literal, TypeVar

import psutil

from scripts.stack.postgres import Postgres
from scripts.stack.processes import Processes, StackError, Usage, family_of, free_port, usage_of
from scripts.stack.redis import Redis
from scripts.stack.rest import Rest
from scripts.stack.versions import JOBS, ApiQuestion, installed

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE_DAGS = REPOSITORY / "example_dags"
DATABASES = ("sqlite", "postgresql")
PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")
_WORKER = "celery-worker"
# Airflow's own way to change tasks without touching their DAG file: the examples stay as they are, and
# look at their run as often as makes sense if a run of 20 minutes takes half a minute.
_POLICY = """
def task_policy(task):
    if task.task_type in (
        "OmicsRunSensor", "OmicsStartRunOperator", "OmicsRunBatchSensor", "OmicsStartRunBatchOperator"
    ):
        if hasattr(task, "partial_kwargs"):
            task.partial_kwargs["poke_interval"] = {seconds}
        else:
            task.poke_interval = {seconds}
"""
# The tasks of a run are listed at most every ten minutes, of which hours may pass in a second here.
_QUICK_TASKS = """
import sys
if "triggerer" in sys.argv:
    from airflow_omics._watching import task_sweeps
    task_sweeps.FIRST_AFTER, task_sweeps.TASKS_EVERY = 1.0, {seconds}
"""
T = TypeVar("T")


class Stack:
    """A local HealthOmics and an Airflow that talks to it.

    :param pace: how many times faster than real runs the emulator's runs are.
    :param poke_interval: seconds between two looks of a gate, or of a start that waits.
    :param say: is called with a line of progress.
    :param settings: environment variables for Airflow, besides the stack's own.
    :param database: ``sqlite``, a file, or ``postgresql``, a server of the stack's own.
    :param parts: what of Airflow runs. A part that shall run twice is named with a number the second time:
        ``(*PARTS, "triggerer-2")``. With a ``celery-worker`` among them Airflow has CeleryExecutor, and a
        Redis server of the stack's own as its broker; else LocalExecutor.
    :param login: people log in to Airflow as ``user`` with ``password``; without it everybody is an admin.
    :param dags_folder: the DAG files that Airflow reads.
    :param base_path: the path below which Airflow is, as behind a proxy, such as ``/team/airflow``.
    :param prepare: a module that is run in Airflow's environment, between making the database and starting.
    :param more_dags: another folder of DAG files; Airflow reads copies of both.
    :param tasks_every: seconds between two lists of the tasks of a run, for a clock that is turned by hours.
    :param revive: a part of Airflow that has ended by itself is started again, as systemd or Kubernetes
        would, when :meth:`check` or :meth:`wait_for` notices, and named in ``revived``.
    :ivar airflow: what is peculiar to the Airflow that it is.
    :raises MissingProgramError: if PostgreSQL or Redis is needed and not on this machine.
    """

    user = "admin"

    def __init__(
        self,
        *,
        pace: float,
        poke_interval: float,
        say: Callable[[str], None] = print,
        settings: Mapping[str, str] | None = None,
        database: Literal["sqlite", "postgresql"] = "sqlite",
        parts: Sequence[str] = PARTS,
        login: bool = False,
        dags_folder: Path = EXAMPLE_DAGS,
        more_dags: Path | None = None,
        tasks_every: float | None = None,
        revive: bool = False,
        base_path: str = "",
        prepare: str | None = None,
    ) -> None:
        self.airflow = installed()
        # First: if one of them is missing, nothing has been made yet.
        self._redis = Redis() if any(_kind(part) == _WORKER for part in parts) else None
        self._postgres = Postgres() if database == "postgresql" else None
        self.folder = Path(tempfile.mkdtemp(prefix="airflow-omics-")).resolve()
        self.logs = self.folder / "logs"
        self.logs.mkdir()
        self.endpoint_url = ""
        self.airflow_url = ""
        self.password = secrets.token_urlsafe(9) if login else ""
        self.revived: list[str] = []
        self._revive = revive
        self._pace = pace
        self._say = say
        self._parts = tuple(parts)
        self._dags_folder = dags_folder
        self._base_path = base_path
        self._prepare = prepare
        if more_dags:
            self._dags_folder = self.folder / "dags"
            for source in (dags_folder, more_dags):
                shutil.copytree(source, self._dags_folder, dirs_exist_ok=True)
        self._policy = _POLICY.format(seconds=poke_interval)
        if tasks_every is not None:
            self._policy += _QUICK_TASKS.format(seconds=tasks_every)
        self._settings = dict(settings or {})
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "AWS_"))},
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }
        self._processes = Processes(self.folder, self.logs)

    # -- coming up -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the database and the emulator, then Airflow, and wait until all of it is ready.

        :raises StackError: if a part ends or is not ready in time.
        """
        self._say("starting the local HealthOmics")
        self._spawn("emulator", "airflow_omics.emulator", "--port", "0", "--pace", str(self._pace))
        if self._postgres:
            self._say("starting PostgreSQL")
            self._postgres.start(self.logs / "postgres.log")
        if self._redis:
            self._say("starting Redis")
            self._start_redis(self._redis)
        self.endpoint_url = self.wait_for("the emulator", self._announced_url, 60)
        self._say("making Airflow's database")
        self._prepare_airflow()
        self._spawn("migrate", "airflow", "db", "migrate")
        if self._processes.finish("migrate", 300):
            raise StackError("airflow db migrate failed")
        if self._prepare:
            self._spawn("prepare", self._prepare)
            if self._processes.finish("prepare", 120):
                raise StackError(f"{self._prepare} failed")
        self._say("starting Airflow: " + ", ".join(self._parts))
        for part in self._parts:
            self._start_part(part)
        self.wait_for("Airflow", self._is_healthy, 180)
        expected = len(list(self._dags_folder.glob("*.py")))
        self.wait_for(
            "the DAGs", lambda: self.get(f"{self.airflow.api}/dags")["total_entries"] >= expected, 120
        )

    def _prepare_airflow(self) -> None:
        home = self.folder / "airflow"
        (home / "config").mkdir(parents=True)
        (home / "config" / "airflow_local_settings.py").write_text(self._policy)
        # Nobody but this machine can reach it, and it holds nothing: a login is for those who test it.
        self.airflow_url = f"http://127.0.0.1:{free_port()}{self._base_path}"
        self._rest = Rest(self.airflow_url, self.airflow.login(self.user, self.password))
        connection = {
            "conn_type": "aws",
            "login": "test",
            "password": "testing",
            "extra": {"region_name": "us-east-1", "endpoint_url": self.endpoint_url},
        }
        self._environment.update(
            AIRFLOW_HOME=str(home),
            AIRFLOW_CONN_AWS_DEFAULT=json.dumps(connection),
            AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION="False",
            AIRFLOW__CORE__DAGS_FOLDER=str(self._dags_folder),
            AIRFLOW__CORE__LOAD_EXAMPLES="False",
            AIRFLOW__CORE__PARALLELISM="4",
            AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME="0.5",
        )
        self._environment.update(self.airflow.settings(home, self.airflow_url, self.user, self.password))
        if self._postgres:
            self._environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = self._postgres.url
        if self._redis:
            self._environment["AIRFLOW__CORE__EXECUTOR"] = "CeleryExecutor"
            self._environment["AIRFLOW__CELERY__BROKER_URL"] = self._redis.url
            self._environment["AIRFLOW__CELERY__WORKER_CONCURRENCY"] = "4"
        self._environment.update(self._settings)

    def _start_part(self, part: str) -> None:
        # Workers of one machine would all have its name.
        name = ["--celery-hostname", part] if _kind(part) == _WORKER else []
        self._spawn(part, "airflow", *self.airflow.command(_kind(part)), *name)

    def _start_redis(self, redis: Redis) -> None:
        self._processes.spawn("redis", redis.command(self.folder), os.environ)
        self.wait_for("Redis", redis.answers, 30)

    def _spawn(self, name: str, module: str, *arguments: str) -> None:
        self._processes.spawn(name, [sys.executable, "-m", module, *arguments], self._environment)

    def _announced_url(self) -> str | None:
        words = (self.logs / "emulator.log").read_text(errors="replace").split()
        return next((word for word in words if word.startswith("http://127.0.0.1:")), None)

    def _is_healthy(self) -> bool:
        health = self._rest.ask_as_nobody(self.airflow.health)
        kinds = [_kind(part) for part in self._parts]
        parts = ["metadatabase", *(kind.replace("-", "_") for kind in kinds if kind in JOBS)]
        return (
            all((health.get(part) or {}).get("status") == "healthy" for part in parts)
            and all(self._jobs(kind) >= kinds.count(kind) for kind in JOBS)
            and all(self._greetings(part) for part in self._parts if _kind(part) == _WORKER)
        )

    def _greetings(self, worker: str) -> int:
        """Return how often a worker of Celery's has said that it is ready."""
        log = self.logs / f"{worker}.log"
        return log.read_text(errors="replace").count(f"celery@{worker} ready") if log.exists() else 0

    def _jobs(self, kind: str) -> int:
        """Return how many processes of a kind Airflow has seen, with those that have ended."""
        question = self.airflow.jobs(kind)
        answer = self.get(question.path) if isinstance(question, ApiQuestion) else self.psql(question.sql)
        return int(question.read(answer))

    # -- waiting and asking ----------------------------------------------------------------------------------

    def wait_for(self, what: str, ready: Callable[[], T | None], seconds: float) -> T:
        """Ask ``ready`` until it answers with something true, and return that.

        :raises StackError: after ``seconds``, or when a process of the stack has ended.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.check()
            with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                if answer := ready():
                    return answer
            self.pause(0.3)
        raise StackError(f"{what} was not ready within {seconds:.0f} s")

    def pause(self, seconds: float) -> None:
        """Wait a moment."""
        time.sleep(seconds)

    def check(self) -> None:
        """Raise StackError if a process of the stack has ended by itself, or revive it as asked for."""
        for name, code in self._processes.ended().items():
            if not (self._revive and name in self._parts):
                raise StackError(f"the {name} ended by itself, with exit code {code}")
            self.revived.append(name)
            self._start_part(name)
        if self._postgres:
            self._postgres.check()

    def get(self, path: str) -> Any:
        """Return what Airflow's REST API answers."""
        return self._rest.ask(path)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Post to Airflow's REST API and return its answer."""
        return self._rest.ask(path, body)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        """Change something through Airflow's REST API and return its answer."""
        return self._rest.ask(path, body, "PATCH")

    def psql(self, sql: str) -> str:
        """Return what PostgreSQL answers: a line for each row, ``|`` between columns.

        :raises StackError: if it refuses the statement, or the stack runs on SQLite.
        """
        return self._server().psql(sql)

    @property
    def broker_url(self) -> str:
        """Where CeleryExecutor's broker is.

        :raises StackError: if the stack has no Celery worker.
        """
        if self._redis is None:
            raise StackError(f"this stack has LocalExecutor; give it a {_WORKER}")
        return self._redis.url

    # -- breaking and measuring ------------------------------------------------------------------------------

    def family(self, part: str) -> list[psutil.Process]:
        """Return the process of a part and its descendants, oldest generation first.

        A part is one of ``parts``, ``emulator``, ``postgres`` or ``redis``. The descendants of a scheduler
        are LocalExecutor's workers and the tasks that they run; those of a Celery worker, its pool and tasks.

        :raises StackError: if it is not running.
        """
        return family_of(self._server().pid) if part == "postgres" else self._processes.family(part)

    def usage(self, part: str) -> Usage:
        """Return the processor time and the memory of a part and its descendants."""
        return usage_of(self.family(part))

    def kill(self, part: str) -> None:
        """End a part and all of its descendants with SIGKILL; it stays down until :meth:`restart`.

        Airflow's DAG processor and others end by themselves when the database does; see ``revive``.

        :param part: one of ``parts``, ``postgres`` or ``redis``.
        """
        if part == "postgres":
            self._server().kill()
        else:
            self._processes.kill(part)

    def terminate(self, part: str) -> None:
        """Ask a part of Airflow with SIGTERM to end, in its own time; :meth:`finish` waits for that."""
        self._processes.terminate(part)

    def finish(self, part: str, seconds: float) -> int:
        """Wait until a part has ended, and return its exit code; it stays down until :meth:`restart`.

        :raises StackError: after ``seconds``.
        """
        return self._processes.finish(part, seconds)

    def restart(self, part: str) -> None:
        """Start a part that was killed, and wait until it works.

        The database and Airflow's API server have to be up for that, unless it is one of them that starts.
        """
        if part == "postgres":
            self._server().serve()
        elif part == "redis" and self._redis:
            self._start_redis(self._redis)
        elif _kind(part) == _WORKER:
            before = self._greetings(part)
            self._start_part(part)
            self.wait_for(f"the {part}", lambda: self._greetings(part) > before, 120)
        elif part == "api-server":
            self._start_part(part)
            self.wait_for(f"the {part}", lambda: self.get(f"{self.airflow.api}/version"), 120)
        else:
            kind = _kind(part)
            before = self.wait_for("Airflow's API", lambda: self._jobs(kind), 60)
            self._start_part(part)
            self.wait_for(f"the {part}", lambda: self._jobs(kind) > before, 120)

    def _server(self) -> Postgres:
        if self._postgres is None:
            raise StackError("this stack runs on SQLite; give it database='postgresql'")
        return self._postgres

    # -- going down ------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """End every process that this stack started, and their children, and remove PostgreSQL's folder."""
        try:
            self._processes.stop()
        finally:
            if self._postgres:
                self._postgres.stop()

    def remove(self) -> None:
        """Remove the folder with all that was written."""
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def running(stack: Stack) -> Iterator[Stack]:
    """Start a stack, and end it whatever happens; its folder is kept if something went wrong."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, leave) for number in signals]
    keep = True
    try:
        stack.start()
        yield stack
        keep = False
    except KeyboardInterrupt:
        keep = False
        raise
    finally:
        # A second Ctrl-C must not leave processes behind.
        for number in signals:
            signal.signal(number, signal.SIG_IGN)
        stack.stop()
        if keep:
            print(f"\n  the logs are in {stack.logs}", file=sys.stderr)
        else:
            stack.remove()
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def _kind(part: str) -> str:
    """Return the Airflow command of a part: ``triggerer`` for ``triggerer-2``."""
    return part.rstrip("0123456789").rstrip("-")
