"""What ``make up`` opens on: runs of one sample, running, failed and finished, a cohort, and a batch."""

from __future__ import annotations

import urllib.parse
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_omics.emulator import EmulatorClient
from airflow_omics.plugin.html import cohort_page_path, run_page_path
from scripts.stack.scene_lives import MINUTE, germline
from scripts.stack.scene_runs import HOURS, SceneRuns
from scripts.stack.show import aws_client
from scripts.stack.stack import Stack

SCENE_DAGS = Path(__file__).with_name("scene_dags")
"""DAG files that the scene needs, besides the examples."""

_BATCH = {
    "workflow_id": "1234567",
    "role_arn": "arn:aws:iam::123456789012:role/omics-run",
    "output_uri": "s3://results/batch",
}
_BATCH_STARTS = 5.0  # minutes in which the runs of the batch are started, one a second
_SEEN = ("success", "failed", "deferred")


class Scene:
    """The scene, on a stack whose DAG files are the examples and those of ``SCENE_DAGS``.

    :param stack: it is up.
    :param samples: runs of the cohort.
    """

    def __init__(self, stack: Stack, samples: int = 150) -> None:
        self._stack = stack
        self._emulator = EmulatorClient(stack.endpoint_url)
        self._omics = aws_client(stack)
        self._samples = samples
        self._runs = SceneRuns(self._emulator, samples)
        self._dag_runs: dict[str, tuple[str, str]] = {}

    @property
    def statuses(self) -> Counter[str]:
        """How many runs of the cohort are in each status once the scene is set."""
        return self._runs.statuses

    def set(self) -> None:
        """Let the hours pass, bring Airflow to what has come of them, and leave the clock frozen."""
        self._emulator.turn_back(HOURS * 60 * MINUTE)
        batch_id = self._start_batch()
        self._runs.play(_BATCH_STARTS, lambda: self._end_some_of(batch_id))
        for name in ("finished", "failed", "running"):
            for run in getattr(self._runs, name):
                self._trigger(name, "germline", run.name, {"omics_run_id": run.id})
        self._trigger("cohort", "cohort", "cohort-7", {"runs": [run._asdict() for run in self._runs.cohort]})
        for name in ("finished", "failed", "running", "cohort"):
            self._stack.wait_for(f"the DAG run {name}", lambda name=name: self._is_set(name), 600)
        self._stack.wait_for("the tasks of the run that goes on", self._has_tasks, 60)

    def go_on(self, seconds: float) -> None:
        """Let so many seconds of the runs pass."""
        self._emulator.advance(seconds)

    def dag_run(self, name: str) -> tuple[str, str]:
        """Return a DAG and its DAG run.

        :param name: ``running``, ``failed``, ``finished`` (the last that did), ``cohort`` or ``batch``.
        """
        return self._dag_runs[name]

    def page(self, name: str) -> str:
        """Return the path of a run page, or of the cohort page, below Airflow's URL."""
        dag_id, dag_run_id = self._dag_runs[name]
        path = cohort_page_path(dag_id, dag_run_id)
        task_id = "batch" if name == "batch" else "gate"
        return "/" + (path if name == "cohort" else run_page_path(dag_id, dag_run_id, task_id, -1))

    def _start_batch(self) -> str:
        """Let a DAG run of the examples start a batch whose runs outlast the scene; return its id."""
        life = self._emulator.default_life
        self._emulator.add_life(germline("batch", slower=1.5))
        self._emulator.default_life = "batch"
        before = self._batches()
        samples = [f"B{number:03}" for number in range(1, 1 + max(8, self._samples // 3))]
        self._trigger("batch", "batch_then_map", "batch-3", {**_BATCH, "samples": samples})
        [batch_id] = self._stack.wait_for("the batch", lambda: self._batches() - before, 120)
        self._stack.wait_for("the trigger of the batch", lambda: self._gates("batch")["deferred"], 120)
        # Once it has looked, it leaves whatever changes.
        self._emulator.wait_for("GetBatch", self._emulator.counts()["GetBatch"] + 1, timeout=60)
        self._emulator.advance(_BATCH_STARTS * MINUTE)
        self._omics.get_batch(batchId=batch_id)  # by now its runs are there, with the life of this moment
        self._emulator.default_life = life
        return batch_id

    def _batches(self) -> set[str]:
        return {item["id"] for item in self._omics.list_batch()["items"]}

    def _end_some_of(self, batch_id: str) -> None:
        """Let half of the batch complete, and a few of its runs fail."""
        pages = self._omics.get_paginator("list_runs").paginate(batchId=batch_id)
        runs = sorted((run["name"], run["id"]) for page in pages for run in page["items"])
        for number, (_, run_id) in enumerate(runs[: len(runs) // 2]):
            reason = "OUT_OF_MEMORY_ERROR" if number % 8 == 5 else None
            self._emulator.move(run_id, "FAILED" if reason else "COMPLETED", reason)

    def _trigger(self, name: str, dag_id: str, dag_run_id: str, conf: Mapping[str, Any]) -> None:
        stack = self._stack
        path = f"{stack.airflow.api}/dags/{dag_id}/dagRuns"
        stack.post(path, stack.airflow.dag_run(dict(conf), dag_run_id))
        self._dag_runs[name] = (dag_id, dag_run_id)

    def _path(self, name: str) -> str:
        dag_id, dag_run_id = self._dag_runs[name]
        return f"{self._stack.airflow.api}/dags/{dag_id}/dagRuns/{urllib.parse.quote(dag_run_id)}"

    def _has_tasks(self) -> bool:
        path = f"{self._path('running')}/taskInstances/gate/xcomEntries/omics_tasks"
        return bool(self._stack.get(path))

    def _is_set(self, name: str) -> bool:
        """Return whether Airflow has seen all runs of a DAG run."""
        gates = self._gates(name)
        expected = self._samples if name == "cohort" else 1
        return sum(gates[state] for state in _SEEN) == expected == gates.total()

    def _gates(self, name: str) -> Counter[str]:
        """Return how many of the tasks that wait for runs are in each state."""
        found: Counter[str] = Counter()
        total, offset = 1, 0
        while offset < total:
            page = self._stack.get(f"{self._path(name)}/taskInstances?limit=100&offset={offset}")
            total, offset = page["total_entries"], offset + 100
            tasks = page["task_instances"]
            found.update(str(task["state"]) for task in tasks if task["task_id"] in ("gate", "batch"))
        return found
