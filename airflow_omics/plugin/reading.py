"""What the pages show, read from Airflow's own database: a few indexed queries, and nothing of AWS.

Only what belongs to the DAG that the caller was authorised for is read. A run's id comes from XCom, never
from the address of a page. A value that is too long to be one of this package is not even loaded.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any, Final

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import Text, and_, case, cast, func, or_, select

from airflow_omics._monitoring.price_file import price_list_from_config
from airflow_omics._monitoring.snapshot import RUN_KEY
from airflow_omics._monitoring.task_table import TASKS_KEY, TaskTable, epoch
from airflow_omics.links import XCOM_KEY as LINKS_KEY
from airflow_omics.plugin import xcoms
from airflow_omics.plugin.links import GATES
from airflow_omics.plugin.model import CohortView, Gate, RunView

MOST_GATES: Final = 5_000
"""Gates of one cohort page."""

MOST_EARLIER: Final = 50
"""Earlier DAG runs that are looked at for how long runs take, and runs of them."""

_DIAGNOSIS: Final = "diagnosis"
_RESULT: Final = "return_value"
_LONGEST: Final = {
    RUN_KEY: 4_000,
    TASKS_KEY: 400_000,
    _DIAGNOSIS: 200_000,
    LINKS_KEY: 8_000,
    _RESULT: 1_000_000,
}
"""Characters of JSON that are loaded of an XCom, by its key."""

_GATE_NAMES: Final = tuple(gate.__name__ for gate in GATES)
# A hybrid property, which type checkers take for a function.
_LABEL: Final[Any] = TaskInstance.rendered_map_index
_COLUMNS: Final = (
    TaskInstance.task_id,
    TaskInstance.map_index,
    _LABEL.label("label"),
    TaskInstance.state,
    TaskInstance.operator,
    TaskInstance.try_number,
    TaskInstance.start_date,
    TaskInstance.end_date,
)
# What has another form would go into the log of the API server, line breaks and all.
_REGION: Final = re.compile(r"[a-z]{2,9}(-[a-z]{2,12}){1,3}-[0-9]{1,2}")
# As text, so that a value which is no JSON, or none that this process can hold, is no error of the driver.
_JSON: Final = cast(XComModel.value, Text)


def run_view(dag_id: str, dag_run_id: str, task_id: str, map_index: int) -> RunView | None:
    """Return what the page of a task instance is made of; None if there is none, or it is no gate.

    :param dag_id: the DAG that the caller may read.
    :param map_index: -1 if the task is not mapped.
    """
    with create_session(scoped=False) as session:
        ti = session.execute(
            select(DagRun.id.label("dag_run"), *_COLUMNS)
            .join(DagRun, and_(DagRun.dag_id == TaskInstance.dag_id, DagRun.run_id == TaskInstance.run_id))
            .where(
                TaskInstance.dag_id == dag_id,
                TaskInstance.run_id == dag_run_id,
                TaskInstance.task_id == task_id,
                TaskInstance.map_index == map_index,
            )
        ).first()
        if ti is None:
            return None
        found = _xcoms(session, dag_id, ti)
        gate = _gate(ti, found.get(RUN_KEY))
        if ti.operator not in _GATE_NAMES and RUN_KEY not in found:
            return None
        workflow = gate.run.get("workflowId")
        earlier = () if workflow is None else _earlier(session, dag_id, ti, workflow)
    is_batch = gate.is_batch or (not gate.snapshot and "Batch" in (ti.operator or ""))
    diagnosis = found.get(_DIAGNOSIS)
    return RunView(
        dag_id=dag_id,
        dag_run_id=dag_run_id,
        gate=gate,
        record=xcoms.record(found.get(_RESULT), is_batch),
        tasks=TaskTable.of_plain(found.get(TASKS_KEY)),
        diagnosis=diagnosis if isinstance(diagnosis, Mapping) else {},
        links=xcoms.links(found.get(LINKS_KEY)),
        earlier=earlier,
        prices=price_list_from_config(_region(gate.run.get("arn"))),
    )


def cohort_view(dag_id: str, dag_run_id: str) -> CohortView | None:
    """Return what the page of a DAG run is made of; None if there is no such DAG run.

    :param dag_id: the DAG that the caller may read.
    """
    with create_session(scoped=False) as session:
        dag_run = session.scalar(
            select(DagRun.id).where(DagRun.dag_id == dag_id, DagRun.run_id == dag_run_id)
        )
        if dag_run is None:
            return None
        # By the table's primary key: the index that begins with dag_id would go through all its DAG runs.
        its_snapshot = and_(
            XComModel.dag_run_id == dag_run,
            XComModel.task_id == TaskInstance.task_id,
            XComModel.map_index == TaskInstance.map_index,
            XComModel.key == RUN_KEY,
        )
        is_gate = or_(TaskInstance.operator.in_(_GATE_NAMES), XComModel.key.is_not(None))
        gates = (
            select(*_COLUMNS, case((func.length(_JSON) <= _LONGEST[RUN_KEY], _JSON)).label("value"))
            .outerjoin(XComModel, its_snapshot)
            .where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == dag_run_id, is_gate)
        )
        order = (TaskInstance.task_id, TaskInstance.map_index)
        rows = session.execute(gates.order_by(*order).limit(MOST_GATES)).all()
        number = len(rows)
        if number == MOST_GATES:
            number = session.scalar(select(func.count()).select_from(gates.subquery())) or number
    return CohortView(
        dag_id=dag_id,
        dag_run_id=dag_run_id,
        gates=tuple(_gate(row, xcoms.plain(row.value)) for row in rows),
        left_out=number - len(rows),
    )


def _xcoms(session: Any, dag_id: str, ti: Any) -> dict[str, Any]:
    """Return a task instance's own values by key, of those keys that a page shows."""
    short_enough = [
        and_(XComModel.key == key, func.length(_JSON) <= longest) for key, longest in _LONGEST.items()
    ]
    rows = session.execute(
        select(XComModel.key, _JSON).where(
            XComModel.dag_run_id == ti.dag_run,
            XComModel.dag_id == dag_id,
            XComModel.task_id == ti.task_id,
            XComModel.map_index == ti.map_index,
            or_(*short_enough),
        )
    )
    return {key: xcoms.plain(text) for key, text in rows}


def _earlier(session: Any, dag_id: str, ti: Any, workflow: Any) -> tuple[float, ...]:
    """Return how long the last completed runs of a workflow took in other DAG runs of a task, in seconds.

    Those of the same DAG run are left out: as long as others of them go on, the quickest are all there is.
    """
    others = (
        select(DagRun.id)
        .where(DagRun.dag_id == dag_id, DagRun.id != ti.dag_run)
        .order_by(DagRun.id.desc())
        .limit(MOST_EARLIER)
        .subquery()
    )
    rows = session.scalars(
        select(_JSON)
        .join(others, others.c.id == XComModel.dag_run_id)
        .where(
            XComModel.dag_id == dag_id,
            XComModel.task_id == ti.task_id,
            XComModel.key == RUN_KEY,
            func.length(_JSON) <= _LONGEST[RUN_KEY],
        )
        .order_by(XComModel.dag_run_id.desc(), XComModel.map_index)
        .limit(MOST_EARLIER)
    )
    runs = [xcoms.snapshot(xcoms.plain(text)).get("run", {}) for text in rows]
    took = [_took(run) for run in runs if run.get("workflowId") == workflow]
    return tuple(seconds for seconds in took if seconds is not None)


def _took(run: Mapping[str, Any]) -> float | None:
    started, stopped = epoch(run.get("startTime")), epoch(run.get("stopTime"))
    if run.get("status") != "COMPLETED" or started is None or stopped is None or stopped < started:
        return None
    return stopped - started


def _gate(ti: Any, value: Any) -> Gate:
    return Gate(
        task_id=ti.task_id,
        map_index=ti.map_index,
        label=None if ti.label == str(ti.map_index) else ti.label,
        state=None if ti.state is None else str(ti.state),
        operator=ti.operator,
        try_number=ti.try_number,
        started=_seconds(ti.start_date),
        ended=_seconds(ti.end_date),
        snapshot=xcoms.snapshot(value),
        is_elsewhere=xcoms.is_elsewhere(value),
    )


def _seconds(moment: datetime.datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _region(arn: Any) -> str | None:
    """Return the Region of an ARN; None if it is none, or not written as Regions are."""
    parts = arn.split(":") if isinstance(arn, str) else []
    return parts[3] if len(parts) > 5 and _REGION.fullmatch(parts[3]) else None
