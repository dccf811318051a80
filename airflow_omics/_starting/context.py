"""The try that a start operator runs in: its task instance, its try number and its DAG run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_omics._compat import conf
from airflow_omics._starting.finder import CLOCK_MARGIN
from airflow_omics._task.task_key import TaskKey
from airflow_omics.records import parse_time


@dataclass(frozen=True)
class TryContext:
    """One try of one task instance.

    :param ti: Airflow's task instance.
    :param task: which task it is.
    :param number: of the try, 1 for the first.
    :param max_tries: the last number that a try may have.
    :param began: when the task began, in seconds since the epoch, if Airflow says so.
    :param dag_run_began: when its DAG run began to run, or was cleared as a whole.
    :param is_dag_run_cleared: whether the DAG run was cleared as a whole, which resets its beginning.
    """

    ti: Any
    task: TaskKey
    number: int
    max_tries: int
    began: float | None
    dag_run_began: float | None
    is_dag_run_cleared: bool

    @classmethod
    def of(cls, context: Mapping[str, Any]) -> TryContext:
        """Return the try of a task's context."""
        ti: Any = context["ti"]
        task = TaskKey(
            ti.dag_id,
            ti.run_id,
            ti.task_id,
            -1 if ti.map_index is None else ti.map_index,
            conf.get("omics", "deployment", fallback=""),
        )
        dag_run: Any = context.get("dag_run")
        return cls(
            ti=ti,
            task=task,
            number=ti.try_number,
            max_tries=ti.max_tries or 0,
            began=_timestamp(getattr(ti, "start_date", None)),
            dag_run_began=_timestamp(getattr(dag_run, "start_date", None)),
            # If Airflow does not say, it counts as cleared: then nothing is concluded from it.
            is_dag_run_cleared=getattr(dag_run, "clear_number", None) != 0,
        )

    def is_before_dag_run(self, record: Mapping[str, Any], clock_skew: float) -> bool:
        """Return whether a run is older than this DAG run, and so of an earlier DAG run of the same id.

        :param clock_skew: seconds by which the service's clock is ahead of ours.
        """
        made = record.get("creationTime")
        if made is None or self.dag_run_began is None or self.is_dag_run_cleared:
            return False
        return parse_time(str(made)).timestamp() - clock_skew < self.dag_run_began - CLOCK_MARGIN


def _timestamp(moment: Any) -> float | None:
    return moment.timestamp() if hasattr(moment, "timestamp") else None
