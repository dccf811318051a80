"""Prints the extra links of the last run of a DAG, as Airflow's UI would show them.

It is a program of its own, started by ``process.py``: a webserver knows a task only as it was serialised, and
neither its class nor the worker's memory.
"""

from __future__ import annotations

import json
from typing import Any

from worker import load_dag, serve


def serialised(dag: Any) -> Any:
    """Return the DAG as a webserver knows it."""
    from airflow.serialization import serialized_objects

    serialization = getattr(serialized_objects, "DagSerialization", None) or serialized_objects.SerializedDAG
    return serialization.from_dict(json.loads(json.dumps(serialization.to_dict(dag))))


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Read the links of each task instance of the DAG's last run."""
    dag_id = request["dag_id"]
    dag = serialised(load_dag(request["path"], dag_id))

    from airflow import settings
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance

    session = settings.Session()
    run = session.query(DagRun).filter_by(dag_id=dag_id).order_by(DagRun.id.desc()).first()
    links: dict[str, dict[str, str]] = {}
    for ti in session.query(TaskInstance).filter_by(dag_id=dag_id, run_id=run.run_id):
        task = dag.get_task(ti.task_id)
        name = ti.task_id if ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]"
        links[name] = {link: task.get_extra_links(ti, link) or "" for link in task.extra_links}
    settings.Session.remove()
    return {"links": links}


if __name__ == "__main__":
    serve(answer)
