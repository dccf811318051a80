"""The local HealthOmics and a real Airflow beside it, as processes on this machine, for demo and up.

Everything lives in one new temporary folder, listens on free ports of 127.0.0.1, and is ended, down to
the last child, by whoever started it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import psutil

REPOSITORY = Path(__file__).resolve().parents[1]
EXAMPLE_DAGS = REPOSITORY / "example_dags"
_PARTS = (
    ("api-server",),
    ("scheduler", "--skip-serve-logs"),
    ("dag-processor",),
    ("triggerer", "--skip-serve-logs"),
)
# Airflow's own way to change tasks without touching their DAG file: the examples stay as they are, and
# look at their run as often as makes sense where a run of 20 minutes takes half a minute.
_POLICY = """
def task_policy(task):
    if task.task_type == "OmicsRunSensor":
        if hasattr(task, "partial_kwargs"):
            task.partial_kwargs["poke_interval"] = {seconds}
        else:
            task.poke_interval = {seconds}
"""
T = TypeVar("T")


class StackError(Exception):
    """The stack did not come up, or something in it went wrong."""


class Stack:
    """A local HealthOmics and an Airflow that talks to it.

    :param pace: how many times faster than real runs the emulator's runs are.
    :param poke_interval: seconds between two looks of a gate.
    :param tell: is called with a line of progress.
    :param settings: environment variables for Airflow, besides the stack's own.
    """

    def __init__(
        self,
        *,
        pace: float,
        poke_interval: float,
        tell: Callable[[str], None] = print,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="airflow-omics-"))
        self.logs = self.folder / "logs"
        self.logs.mkdir()
        self.endpoint_url = ""
        self.airflow_url = ""
        self._pace = pace
        self._poke_interval = poke_interval
        self._tell = tell
        self._token = ""
        self._settings = dict(settings or {})
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "AWS_"))},
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        # A proxy of the environment is no way to a server on this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    # -- coming up -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the emulator, then Airflow, and wait until both are ready.

        :raises StackError: if a part ends or is not ready in time.
        """
        self._tell("starting the local HealthOmics")
        self._spawn("emulator", "airflow_omics.emulator", "--port", "0", "--pace", str(self._pace))
        self.endpoint_url = self.wait_for("the emulator", self._announced_url, 60)
        self._tell("making Airflow's database")
        self._prepare_airflow()
        done = self._spawn("migrate", "airflow", "db", "migrate").wait(timeout=300)
        if done:
            raise StackError("airflow db migrate failed")
        del self._processes["migrate"]
        self._tell("starting Airflow: " + ", ".join(part[0] for part in _PARTS))
        for part in _PARTS:
            self._spawn(part[0], "airflow", *part)
        self.wait_for("Airflow", self._is_healthy, 180)
        expected = len(list(EXAMPLE_DAGS.glob("*.py")))
        self.wait_for("the example DAGs", lambda: self.get("/api/v2/dags")["total_entries"] >= expected, 120)

    def _prepare_airflow(self) -> None:
        home = self.folder / "airflow"
        (home / "config").mkdir(parents=True)
        (home / "config" / "airflow_local_settings.py").write_text(
            _POLICY.format(seconds=self._poke_interval)
        )
        port = _free_port()
        self.airflow_url = f"http://127.0.0.1:{port}"
        connection = {
            "conn_type": "aws",
            "login": "test",
            "password": "testing",
            "extra": {"region_name": "us-east-1", "endpoint_url": self.endpoint_url},
        }
        self._environment.update(
            AIRFLOW_HOME=str(home),
            AIRFLOW_CONN_AWS_DEFAULT=json.dumps(connection),
            AIRFLOW__API__BASE_URL=self.airflow_url,
            AIRFLOW__API__HOST="127.0.0.1",
            AIRFLOW__API__PORT=str(port),
            AIRFLOW__API__SECRET_KEY=secrets.token_hex(16),
            AIRFLOW__API__WORKERS="1",
            AIRFLOW__API_AUTH__JWT_SECRET=secrets.token_hex(32),
            AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION="False",
            AIRFLOW__CORE__DAGS_FOLDER=str(EXAMPLE_DAGS),
            AIRFLOW__CORE__EXECUTION_API_SERVER_URL=f"{self.airflow_url}/execution/",
            AIRFLOW__CORE__LOAD_EXAMPLES="False",
            AIRFLOW__CORE__PARALLELISM="4",
            # Nobody but this machine can reach it, and it holds nothing: no login.
            AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS="True",
            AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME="0.5",
        )
        self._environment.update(self._settings)

    def _spawn(self, name: str, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.logs / f"{name}.log").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes[name] = process
        return process

    def _announced_url(self) -> str | None:
        words = (self.logs / "emulator.log").read_text(errors="replace").split()
        return next((word for word in words if word.startswith("http://127.0.0.1:")), None)

    def _is_healthy(self) -> bool:
        health = self.get("/api/v2/monitor/health")
        parts = ("metadatabase", "scheduler", "dag_processor", "triggerer")
        return all((health.get(part) or {}).get("status") == "healthy" for part in parts)

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
        """Raise StackError if a process of the stack has ended by itself."""
        for name, process in self._processes.items():
            if name != "migrate" and process.poll() is not None:
                raise StackError(f"the {name} ended by itself, with exit code {process.returncode}")

    def get(self, path: str) -> Any:
        """Return what Airflow's REST API answers."""
        return self._ask(path, None)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Post to Airflow's REST API and return its answer."""
        return self._ask(path, json.dumps(body).encode())

    def _ask(self, path: str, body: bytes | None) -> Any:
        headers = {"Content-Type": "application/json"}
        if not path.startswith("/api/v2/monitor"):
            headers["Authorization"] = f"Bearer {self._log_in()}"
        request = urllib.request.Request(self.airflow_url + path, data=body, headers=headers)
        with self._opener.open(request, timeout=30) as answer:
            return json.load(answer)

    def _log_in(self) -> str:
        if not self._token:
            with self._opener.open(f"{self.airflow_url}/auth/token", timeout=30) as answer:
                self._token = str(json.load(answer)["access_token"])
        return self._token

    # -- going down ------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """End every process that this stack started, and their children."""
        family: list[psutil.Process] = []
        for process in self._processes.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                parent = psutil.Process(process.pid)
                family += [parent, *parent.children(recursive=True)]
        for process in self._processes.values():
            if process.poll() is None:
                process.terminate()
        _, alive = psutil.wait_procs(family, timeout=5)
        for member in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(alive, timeout=10)
        for process in self._processes.values():
            process.wait(timeout=10)
        self._processes.clear()

    def remove(self) -> None:
        """Remove the folder with all that was written."""
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def running(stack: Stack) -> Iterator[Stack]:
    """Start a stack, and end it whatever happens; its folder is kept where something went wrong."""

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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
