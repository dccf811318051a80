"""Every way in which a task tells OpenLineage of a run or batch, executed on a real Airflow."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import airflow

from airflow_omics.emulator import Emulator, EmulatorServer
from tests.support.batches import KNOWS_BATCHES
from tests.support.dag_test.process import CASE_DAGS, FOREVER, AirflowProcess, DagRunReport
from tests.support.lineage import Collected, Event

INPUT = "s3://reads/hush-input/1.fastq.gz"
PARAMETERS = {"sample": "hush-parameter", "reads": [INPUT]}
GATES, LINEAGE = CASE_DAGS / "gates.py", CASE_DAGS / "lineage.py"

MOST_SECONDS = 300.0
"""Seconds after which a DAG run that has not ended is a failure; the first one loads all of Airflow."""

VERSION = tuple(int(part) for part in airflow.__version__.split(".")[:2])
RUNS_OUTLETS = VERSION != (3, 0)
"""Whether ``dag.test()`` runs a task with outlets: that of 3.0 knows no asset, and fails the task before."""
SKIPPED = ["COMPLETE"] if VERSION >= (3, 1) else []
"""What Airflow tells of a task that was skipped: nothing before 3.1, whose listeners do not hear of it."""
WAITED = ["START", "COMPLETE"]
DEFERRED = ["START", "START", "COMPLETE"]
"""Airflow's listeners hear of a start once more when a deferred task goes on."""


@dataclass(frozen=True)
class Mode:
    """A DAG, and what its tasks tell.

    :param dag_id: the DAG.
    :param told: the kinds of events by task; a mapped task's are those of all its instances.
    :param states: each task's state, if it is not ``success``.
    :param life: the life of its runs.
    :param path: its file.
    :param looks: the operation after whose second call all runs end; None for a run that has ended before.
    :param starts: whether the DAG starts its runs itself.
    :param child: whether the run itself is told of, by ``[omics] lineage_run``.
    """

    dag_id: str
    told: dict[str, list[str]]
    states: dict[str, str] = field(default_factory=dict)
    life: str = "completed"
    path: Path = GATES
    looks: str | None = None
    starts: bool = False
    child: bool = False

    def __str__(self) -> str:
        return f"{self.dag_id}-{self.life}{'-child' if self.child else ''}"


def _gate(mode: str, setting: str, told: list[str], state: str = "success", life: str = "completed") -> Mode:
    return Mode(f"gate_{mode}_{setting}", {"gate": told}, {"gate": state}, life, looks="GetRun")


def _start(dag_id: str, looks: str | None, **told: list[str]) -> Mode:
    return Mode(dag_id, told, path=LINEAGE, looks=looks, starts=True)


FAILED, CANCELLED = "failed-run-task-failed", "cancelled"
ENDS = [("COMPLETE", "success", "completed"), ("FAIL", "failed", FAILED), ("FAIL", "failed", CANCELLED)]
RUN_MODES = [
    _gate("poke", "plain", WAITED),
    _gate("reschedule", "plain", WAITED),
    _gate("deferrable", "plain", DEFERRED),
    _gate("from_trigger", "plain", DEFERRED),
    _gate("poke", "plain", ["START", "FAIL"], "failed", FAILED),
    _gate("deferrable", "plain", ["START", "START", "FAIL"], "failed", FAILED),
    _gate("poke", "skip", ["START", *SKIPPED], "skipped", CANCELLED),
    _gate("deferrable", "soft_fail", ["START", "START", *SKIPPED], "skipped", FAILED),
    _gate("reschedule", "narrow", WAITED),
    _start("start_waiting", "GetRun", start=WAITED, read=WAITED),
    _start("start_deferred", "GetRun", start=DEFERRED, read=WAITED),
    _start("start_returning", None, start=WAITED, read=WAITED),
    _start("start_given", "GetRun", start=WAITED),
    *([Mode("gate_with_outlets", {"gate": WAITED}, path=LINEAGE)] if RUNS_OUTLETS else []),
    Mode("gate_without_inputs", {"gate": WAITED}, path=LINEAGE),
    Mode("mapped_links", {"gate": WAITED + WAITED}, path=CASE_DAGS / "steering.py"),
    *(
        Mode("gate_poke_plain", {"gate": ["START", end]}, {"gate": state}, life, child=True)
        for end, state, life in ENDS
    ),
    Mode("start_deferred", {"start": DEFERRED}, path=LINEAGE, looks="GetRun", starts=True, child=True),
]
BATCH_MODES = [
    _start("batch_waiting", "GetBatch", start=WAITED, gate=WAITED, read=WAITED),
    _start("batch_deferred", "GetBatch", start=DEFERRED, gate=WAITED, read=WAITED),
    _start("batch_returning", "GetBatch", start=WAITED, gate=WAITED),
]
MODES = RUN_MODES + (BATCH_MODES if KNOWS_BATCHES else [])


def execute(airflow: AirflowProcess, emulator: Emulator, mode: Mode) -> DagRunReport:
    """Execute a mode's DAG in an emulator that is as new; its runs end once they have been looked at."""
    emulator.default_life = mode.life
    conf: dict[str, Any] = {}
    if not mode.starts:
        first, second = emulator.start_runs(2, mode.life, parameters=PARAMETERS, tags={"who": "hush-tag"})
        conf = {"omics_run_id": first, "first": first, "second": second}
    if mode.looks is None and not mode.starts:
        emulator.advance(FOREVER)
    with _ending(emulator, mode.looks):
        settings = {"AIRFLOW__OMICS__LINEAGE_RUN": str(mode.child)}
        return airflow.run(mode.path, conf, dag_id=mode.dag_id, environment=settings)


@contextmanager
def _ending(emulator: Emulator, operation: str | None) -> Iterator[None]:
    if operation is None:
        yield
        return

    is_over = threading.Event()

    def end_all() -> None:
        # The answer to the first may still be on its way, the second request is made by who has read it.
        while not is_over.is_set():
            with suppress(TimeoutError):
                emulator.wait_for(operation, 2, timeout=1)
                emulator.advance(100 * FOREVER)
                return

    service = threading.Thread(target=end_all)
    service.start()
    try:
        yield
    finally:
        is_over.set()
        service.join()


def airflow_of(
    home: Path, server: EmulatorServer, environment: dict[str, str], max_seconds: float = MOST_SECONDS
) -> AirflowProcess:
    """Return an Airflow, yet to be started, whose default connection leads to the emulator."""
    connection = {
        "conn_type": "aws",
        "login": "test",
        "password": "testing",
        "extra": {"region_name": "us-east-1", "endpoint_url": server.endpoint_url},
    }
    whole = {"AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection), **environment}
    return AirflowProcess(home, whole, max_seconds)


def collect_all(folder: Path, environment: dict[str, str] | None = None) -> list[Event]:
    """Execute every mode, and return all events, those of Airflow's own tasks and of DAG runs among them."""
    collected = Collected(folder / "events")
    with EmulatorServer() as server:
        settings = {**collected.environment, **(environment or {})}
        with airflow_of(folder / "home", server, settings) as airflow:
            for mode in MODES:
                server.control.reset()
                server.control.freeze()
                execute(airflow, server.control, mode)
    return collected.events()
