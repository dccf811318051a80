"""A listener that fails or hangs changes nothing about a task; and what OpenLineage costs a DAG file."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_omics.emulator import Emulator, EmulatorServer
from tests.support.dag_test.process import CASE_DAGS, AirflowProcess
from tests.support.lineage_modes import MODES, VERSION, Mode, airflow_of, execute


class Backend:
    """A backend of OpenLineage that takes connections and never answers, until it is gone."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.taken: list[socket.socket] = []
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        while True:
            try:
                self.taken.append(self._listening.accept()[0])
            except OSError:
                return

    def end(self) -> None:
        """Refuse connections from now on."""
        if self._listening.fileno() < 0:
            return
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self.taken:
            connection.close()


pytestmark = pytest.mark.any_airflow


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    backend = Backend()
    yield backend
    backend.end()


@pytest.fixture(scope="module")
def airflow(
    server: EmulatorServer, tmp_path_factory: pytest.TempPathFactory, backend: Backend
) -> Iterator[AirflowProcess]:
    # Longer than the provider lets a task's event take, and not so long that a DAG run's holds up the test.
    transport = {"type": "http", "url": backend.url, "timeout": 2, "retry": {"total": 0}}
    settings = {
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
        "AIRFLOW__OPENLINEAGE__EXECUTION_TIMEOUT": "1",
    }
    with airflow_of(tmp_path_factory.mktemp("airflow") / "home", server, settings) as process:
        yield process


def mode_of(dag_id: str, life: str = "completed", *, child: bool = False) -> Mode:
    [mode] = [mode for mode in MODES if (mode.dag_id, mode.life, mode.child) == (dag_id, life, child)]
    return mode


FAILED = "failed-run-task-failed"
HANGS = (mode_of("start_deferred"), {"start": "success", "read": "success"})
IS_GONE = (mode_of("gate_poke_plain", FAILED, child=True), {"gate": "failed", "receive": "success"})


@pytest.mark.parametrize(
    ("is_gone", "mode", "states"), [(False, *HANGS), (True, *IS_GONE)], ids=["hangs", "is gone"]
)
def test_a_backend_that_does_not_answer_changes_no_ending(
    airflow: AirflowProcess,
    emulator: Emulator,
    backend: Backend,
    is_gone: bool,
    mode: Mode,
    states: dict[str, str],
) -> None:
    if is_gone:
        backend.end()
    taken = len(backend.taken)
    report = execute(airflow, emulator, mode)
    assert report.states == states
    assert set(report.tries.values()) == {1}
    [task_id, _] = states
    status = "FAILED" if mode.life == FAILED else "COMPLETED"
    assert report.results[task_id]["status"] == status
    assert emulator.counts().get("StartRun", 0) == int(mode.starts)
    # The test means nothing if Airflow has not tried.
    assert (len(backend.taken) > taken) != is_gone
    assert ("Connection refused" in report.log) == is_gone


SCRIPT = """
import inspect, json, sys, warnings

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # Airflow before 3.2
    from airflow.models.dagbag import DagBag
from airflow.listeners.listener import get_listener_manager

has_listeners = get_listener_manager().has_listeners
before = set(sys.modules)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    takes_examples = "include_examples" in inspect.signature(DagBag).parameters
    bag = DagBag(sys.argv[1], **({"include_examples": False} if takes_examples else {}))
gate = bag.dags["gate_from_trigger_plain"].get_task("gate")
print("\\n" + json.dumps({
    "has_listeners": has_listeners,
    "loaded": sorted(set(sys.modules) - before),
    "errors": bag.import_errors,
    "ends": bool(getattr(gate, "end_from_trigger", False)),
    "warnings": [str(warning.message) for warning in caught],
}))
"""


def parsed(airflow: AirflowProcess, environment: dict[str, str]) -> dict[str, Any]:
    """Return what a process of its own finds that reads the gates as Airflow does."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(CASE_DAGS / "gates.py")],
        env={**airflow.environment, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def test_end_from_trigger_has_no_effect_where_openlineage_listens_and_the_file_is_read(
    airflow: AirflowProcess,
) -> None:
    result = parsed(airflow, {})
    assert result["has_listeners"]
    assert result["errors"] == {}
    assert not result["ends"]
    reason = "a plugin has a listener" if VERSION >= (3, 0) else "it needs Airflow 3"
    said = [line for line in result["warnings"] if f"end_from_trigger has no effect because {reason}" in line]
    assert len(said) == len({"plain", "soft_fail", "skip", "narrow", "retries"})


@pytest.mark.skipif(VERSION < (3, 0), reason="no task of Airflow 2 ends in a triggerer without a worker")
def test_end_from_trigger_has_its_effect_where_nothing_listens(airflow: AirflowProcess) -> None:
    result = parsed(airflow, {"AIRFLOW__OPENLINEAGE__DISABLED": "True"})
    assert not result["has_listeners"]
    assert result["errors"] == {}
    assert result["ends"]


@pytest.mark.parametrize("disabled", ["True", "False"])
def test_a_dag_file_loads_nothing_of_openlineage(airflow: AirflowProcess, disabled: str) -> None:
    loaded = parsed(airflow, {"AIRFLOW__OPENLINEAGE__DISABLED": disabled})["loaded"]
    assert "airflow_omics.sensors.run" in loaded
    # Airflow may read what a provider is, which has nothing of OpenLineage's.
    found = {name for name in loaded if "lineage" in name and not name.endswith(".get_provider_info")}
    assert found <= {"airflow.providers.openlineage"}
