"""A DAG run as the parts of its page need it: who has a page where, and what is known of each run."""

from __future__ import annotations

from dataclasses import replace

from airflow_omics.plugin.html import run_page_path, text
from airflow_omics.plugin.model import CohortView, Gate
from airflow_omics.plugin.readable import when
from airflow_omics.plugin.standing import indexed, is_active, run_key


class Cohort:
    """A DAG run.

    What any task saw last of a run or batch counts for each task of the same one: a task that starts a run
    and does not wait for it sees it once, and the gate after it sees how it ends.

    :param view: what Airflow's database has of it.
    :param root: Airflow's own path, with a slash at its end.
    :param now: seconds since the epoch.
    """

    def __init__(self, view: CohortView, root: str, now: float) -> None:
        self.view, self.now = view, now
        self._root = root
        latest: dict[str, Gate] = {}
        for gate in view.gates:
            key = run_key(gate)
            if key and (key not in latest or _seen(gate) >= _seen(latest[key])):
                latest[key] = gate
        self.gates = tuple(
            replace(gate, snapshot=latest.get(run_key(gate), gate).snapshot) for gate in view.gates
        )
        watched = (run_key(gate) for gate in view.gates if not gate.is_over)
        self._watched = {key for key in watched if key}  # two that nothing identifies are not the same

    def page_of(self, gate: Gate) -> str:
        """Return the address of a gate's page, as an attribute has it."""
        view = self.view
        path = run_page_path(view.dag_id, view.dag_run_id, gate.task_id, gate.map_index)
        return text(f"{self._root}{path}")

    def link(self, gate: Gate) -> str:
        """Return a link to a gate's page."""
        return f'<a href="{self.page_of(gate)}"><bdi>{text(indexed(gate))}</bdi></a>'

    def is_left(self, gate: Gate) -> bool:
        """Return whether a run or batch went on when the last task that is about it ended."""
        return gate.is_over and is_active(gate) and run_key(gate) not in self._watched


def _seen(gate: Gate) -> float:
    return when(gate.snapshot.get("seen")) or 0.0
