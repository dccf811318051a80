"""Cohorts of gates on a real Airflow, begun, counted and read through its API and its database.

The DAGs are those of ``benchmarks/dags/gates``: one mapped gate, or as many as :data:`UNMAPPED`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.stack import Stack

UNMAPPED = 20
DAGS = Path(__file__).parent / "dags" / "gates"
SETTINGS = {
    "AIRFLOW__CORE__PARALLELISM": "8",
    "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "10000",
    "AIRFLOW__TRIGGERER__CAPACITY": "5000",
    "GATES_IN_A_COHORT": str(UNMAPPED),
}
STAYS_RUNNING = {
    "name": "bench-running",
    "stages": [{"status": "RUNNING", "seconds": 1_000_000_000}],
    # As many as a small run has, of which a triggerer lists all every ten minutes.
    "tasks": [
        {"name": f"Align-{n}", "stages": [{"status": "RUNNING", "seconds": 60 * n}, {"status": "COMPLETED"}]}
        for n in range(1, 21)
    ],
}
PATIENCE = 7200.0


@dataclass(frozen=True)
class Gate:
    """A task instance that waits.

    :ivar given: the id of its run, or its time.
    :ivar ended: seconds since the epoch; None while it waits.
    """

    id: str
    given: str
    state: str
    tries: int
    ended: float | None


class Cohorts:
    """The gates that were begun on a stack."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._cohorts: dict[str, list[str]] = {}

    def begin(self, dag_id: str, given: list[str]) -> None:
        """Let a gate of a DAG wait for each thing given, and return once a triggerer has all of them."""
        size = UNMAPPED if dag_id.endswith("_unmapped") else len(given)
        waiting = self.waiting()
        for first in range(0, len(given), size):
            cohort = f"cohort-{len(self._cohorts)}"
            self._cohorts[cohort] = given[first : first + size]
            body = {"logical_date": None, "dag_run_id": cohort, "conf": {"given": self._cohorts[cohort]}}
            self._stack.post(f"/api/v2/dags/{dag_id}/dagRuns", body)
        self.until("gates that wait", lambda: self.waiting() >= waiting + len(given))

    def given(self) -> Iterator[str]:
        """Return what the gates wait for, in the order in which they were begun."""
        for given in self._cohorts.values():
            yield from given

    def xcoms_written(self) -> int:
        """Return how many XComs were ever written: each is a row, and one that is written again a new one."""
        row = "SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'xcom'"
        return int(self._stack.psql(row))

    def waiting(self) -> int:
        """Return how many gates a triggerer waits for."""
        return int(self._stack.psql("SELECT count(*) FROM trigger WHERE triggerer_id IS NOT NULL"))

    def gates(self) -> list[Gate]:
        """Return every gate as it is now."""
        answer = self._stack.psql(
            "SELECT id, run_id, map_index, task_id, state, try_number, extract(epoch from end_date)"
            " FROM task_instance WHERE task_id LIKE 'gate%'"
        )
        gates = []
        for line in answer.split():
            identity, cohort, index, task_id, state, tries, ended = line.split("|")
            if task_id != "gate" or index != "-1":  # which is a mapped task that has not been expanded yet
                given = self.given_to(cohort, task_id, int(index))
                gates.append(Gate(identity, given, state, int(tries), float(ended) if ended else None))
        return gates

    def given_to(self, cohort: str, task_id: str, map_index: int) -> str:
        """Return what a gate waits for."""
        return self._cohorts[cohort][map_index if task_id == "gate" else int(task_id.removeprefix("gate_"))]

    def until(self, what: str, ready: Callable[[], bool]) -> None:
        """Wait, two hours at most."""
        self._stack.wait_for(what, lambda: ready() or None, PATIENCE)
