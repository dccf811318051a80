"""What the pages are made of: what Airflow's database has of a task instance or a DAG run, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_omics._monitoring.price_list import PriceList
from airflow_omics._monitoring.task_table import TaskTable


@dataclass(frozen=True)
class Gate:
    """A task instance that waits for a run or a batch, or starts one.

    :param map_index: -1 if the task is not mapped.
    :param label: what Airflow shows in place of the map index, if the DAG names it.
    :param state: Airflow's state of the task instance; None before it is scheduled.
    :param operator: the name of its class.
    :param started: when the task began, seconds since the epoch; likewise ``ended``.
    :param snapshot: its XCom ``omics_run``, of a run or of a batch; empty if there is none.
    :param is_elsewhere: whether its XComs are kept where the API server does not look.
    """

    task_id: str
    map_index: int = -1
    label: str | None = None
    state: str | None = None
    operator: str | None = None
    try_number: int = 1
    started: float | None = None
    ended: float | None = None
    snapshot: Mapping[str, Any] = field(default_factory=dict)
    is_elsewhere: bool = False

    @property
    def run(self) -> Mapping[str, Any]:
        """The members of its run or batch that are known; empty if none was seen."""
        run = self.snapshot.get("run")
        return run if isinstance(run, Mapping) else {}

    @property
    def is_batch(self) -> bool:
        """Whether it is about a batch."""
        return self.snapshot.get("kind") == "batch"

    @property
    def is_over(self) -> bool:
        """Whether Airflow has ended the task."""
        return self.state in ("success", "failed", "skipped", "upstream_failed", "removed")


@dataclass(frozen=True)
class RunView:
    """What the page of one task instance is made of.

    :param record: those members of its ``return_value`` that a snapshot may have, and for a batch its
        ``outcome`` and ``failures``.
    :param tasks: the run's tasks, if they were listed.
    :param diagnosis: its XCom ``diagnosis``.
    :param links: pages of the AWS console, by what they show.
    :param earlier: seconds from the start to the end of completed runs of the same task and workflow in other
        DAG runs, the latest first.
    :param prices: the deployment's price list.
    """

    dag_id: str
    dag_run_id: str
    gate: Gate
    record: Mapping[str, Any] = field(default_factory=dict)
    tasks: TaskTable | None = None
    diagnosis: Mapping[str, Any] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    earlier: tuple[float, ...] = ()
    prices: PriceList | None = None


@dataclass(frozen=True)
class CohortView:
    """What the page of one DAG run is made of.

    :param gates: by task id and map index.
    :param left_out: gates that there are besides.
    """

    dag_id: str
    dag_run_id: str
    gates: tuple[Gate, ...] = ()
    left_out: int = 0
