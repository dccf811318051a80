"""One DAG run of a stack, seen and driven through Airflow's REST API alone."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

from scripts.stack import Stack


class Pipeline:
    """A DAG run, from its trigger on.

    A task is named as in the grid: ``gate``, or ``gate[2]`` for the third of a mapped task.

    :param dag_run_id: a name for the DAG run; Airflow makes one otherwise.
    """

    def __init__(
        self, stack: Stack, dag_id: str, conf: dict[str, Any], dag_run_id: str | None = None
    ) -> None:
        self.stack = stack
        dag_runs = f"{stack.airflow.api}/dags/{dag_id}/dagRuns"
        dag_run = stack.post(dag_runs, stack.airflow.dag_run(conf, dag_run_id))
        self.dag_id = dag_id
        self.dag_run_id: str = dag_run["dag_run_id"]
        self.path = f"{dag_runs}/{urllib.parse.quote(self.dag_run_id)}"

    def tasks(self) -> list[dict[str, Any]]:
        tasks: list[dict[str, Any]] = self.stack.get(f"{self.path}/taskInstances")["task_instances"]
        return tasks

    def states(self) -> dict[str, Any]:
        return {_label(task): task["state"] for task in self.tasks()}

    def task(self, task: str) -> dict[str, Any]:
        return next(row for row in self.tasks() if _label(row) == task)

    def until_deferred(self, count: int = 1) -> None:
        def deferred() -> bool:
            return sum(task["state"] == "deferred" for task in self.tasks()) == count

        self.stack.wait_for("a deferred gate", deferred, 120)

    def until_ended(self, seconds: float = 120) -> dict[str, Any]:
        def ended() -> bool:
            return self.stack.get(self.path)["state"] in ("success", "failed")

        self.stack.wait_for("the end of the DAG run", ended, seconds)
        return self.states()

    def xcom(self, task: str) -> Any:
        entry = self._of(task, "/xcomEntries/return_value", "deserialize=false&stringify=false")
        value = self.stack.get(entry)["value"]
        return json.loads(value) if isinstance(value, str) and value[:1] in ('"', "{") else value

    def log(self, task: str, try_number: int = 1) -> str:
        return json.dumps(self.stack.get(self._of(task, f"/logs/{try_number}")))

    def links(self, task: str) -> dict[str, str | None]:
        return self.stack.airflow.extra_links(self.stack.get(self._of(task, "/links")))

    def _of(self, task: str, what: str, query: str = "") -> str:
        task_id, _, index = task.rstrip("]").partition("[")
        return f"{self.path}/taskInstances/{task_id}{what}?map_index={index or -1}&{query}"


def _label(task: dict[str, Any]) -> str:
    mapped = task["map_index"] >= 0
    return f"{task['task_id']}[{task['map_index']}]" if mapped else str(task["task_id"])
