"""Runs DAGs with real Airflow, one after the other, and reports what Airflow's database says of them.

It is a program of its own, started by ``process.py``, because Airflow can be set up only once in a process.
"""

from __future__ import annotations

import functools
import importlib.util
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any


def load_dag(path: str, dag_id: str) -> Any:
    """Import a DAG file as Airflow would and return one of its DAGs."""
    spec = importlib.util.spec_from_file_location(f"dag_file_{Path(path).stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    # A DAG made with a plain "with DAG(...)" is known to the module only through its tasks.
    candidates = (getattr(value, "dag", value) for value in vars(module).values())
    return next(dag for dag in candidates if getattr(dag, "dag_id", None) == dag_id and hasattr(dag, "test"))


def xcom_value(row: Any) -> Any:
    """Return the value as a downstream task gets it: decoded once."""
    # Airflow 2.11 decodes it while it loads the row.
    return row.deserialize_value(row) if type(row).__name__ == "XComModel" else row.value


def asset_events(session: Any, dag_id: str, run_id: str) -> list[dict[str, Any]]:
    """Return the events of assets that the tasks of a DAG run have left."""
    try:
        from airflow.models.asset import AssetEvent, AssetModel
    except ImportError:  # Airflow 2.11
        from airflow.models.dataset import DatasetEvent as AssetEvent
        from airflow.models.dataset import DatasetModel as AssetModel

    uris = {asset.id: asset.uri for asset in session.query(AssetModel)}
    return [
        {
            "task_id": event.source_task_id,
            "map_index": event.source_map_index,
            "uri": uris[getattr(event, "asset_id", None) or event.dataset_id],
            "extra": event.extra,
            "partition": getattr(event, "partition_key", None),
        }
        for event in session.query(AssetEvent).filter_by(source_dag_id=dag_id, source_run_id=run_id)
    ]


def report(dag_id: str, run_id: str) -> dict[str, Any]:
    """Return the states, XComs, rendered fields and events of a DAG run, as the database holds them."""
    from airflow import settings
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.models.taskinstance import TaskInstance

    try:
        from airflow.models.xcom import XComModel
    except ImportError:  # Airflow 2.11
        from airflow.models.xcom import XCom as XComModel

    session = settings.Session()
    # dag.test leaves its own session open; what it wrote through the API is seen by a new transaction.
    session.commit()
    session.expire_all()
    try:
        tasks = [
            {"task_id": ti.task_id, "map_index": ti.map_index, "state": ti.state, "try_number": ti.try_number}
            for ti in session.query(TaskInstance).filter_by(dag_id=dag_id, run_id=run_id)
        ]
        xcoms = [
            {
                "task_id": row.task_id,
                "map_index": row.map_index,
                "key": row.key,
                "value": xcom_value(row),
            }
            for row in session.query(XComModel).filter_by(dag_id=dag_id, run_id=run_id)
        ]
        rendered = [
            {"task_id": row.task_id, "map_index": row.map_index, "fields": row.rendered_fields}
            for row in session.query(RenderedTaskInstanceFields).filter_by(dag_id=dag_id, run_id=run_id)
        ]
        events = asset_events(session, dag_id, run_id)
    finally:
        settings.Session.remove()
    return {"tasks": tasks, "xcoms": xcoms, "rendered": rendered, "asset_events": events}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Run one DAG to its end."""
    os.environ.update(request.get("environment", {}))
    dag = load_dag(request["path"], request["dag_id"])
    run = dag.test(run_conf=request["conf"])
    return {"state": str(getattr(run.state, "value", run.state)), **report(request["dag_id"], run.run_id)}


def keep_one_api_server() -> None:
    """Let dag.test build its Execution API once in a process, as Airflow 3.3 does by itself.

    Airflow 3.0 to 3.2 build one for each task, which takes seconds.
    """
    try:
        from airflow.sdk.execution_time import supervisor
    except ImportError:  # Airflow 2.11 has no Execution API
        return
    if not hasattr(supervisor.in_process_api_server, "cache_info"):
        supervisor.in_process_api_server = functools.lru_cache(maxsize=1)(supervisor.in_process_api_server)


def log_as_a_worker_does() -> None:
    """Set Airflow 3.0's log up the way a real worker does: JSON, from INFO on, without local variables.

    Its dag.test would leave structlog as structlog is for developers; from 3.1 on Airflow sees to it.
    """
    try:
        from airflow.sdk.log import configure_logging
    except ImportError:  # Airflow 2.11 has no structlog
        return
    if "enable_pretty_log" in inspect.signature(configure_logging).parameters:
        configure_logging(enable_pretty_log=False)


def no_scheduler_to_hold_events_for() -> None:
    """Let triggers report the end of a run at once: dag.test has no scheduler that this could mislead."""
    from airflow_omics._task import from_trigger

    from_trigger.HOLD = 0.0


def load_what_a_listener_loads() -> None:
    """Load what OpenLineage's listener needs: it forks for each event, and each fork would load it again."""
    if not os.environ.get("AIRFLOW__OPENLINEAGE__TRANSPORT"):
        return
    from airflow.providers.openlineage.plugins.listener import get_openlineage_listener

    import airflow_omics._lineage.told  # noqa: F401

    get_openlineage_listener().adapter.get_or_create_openlineage_client()


def serve(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Read a request a line from the file descriptor given first, and answer with a line on the second."""
    with os.fdopen(int(sys.argv[1])) as requests, os.fdopen(int(sys.argv[2]), "w") as answers:
        own = os.getpid()
        for line in requests:
            try:
                result = answer(json.loads(line))
            except BaseException:
                result = {"error": traceback.format_exc()}
            if os.getpid() != own:
                os._exit(1)  # the fork of a listener that has failed: it must not go on as a second worker
            sys.stdout.flush()
            answers.write(json.dumps(result, default=str) + "\n")
            answers.flush()


if __name__ == "__main__":
    log_as_a_worker_does()
    keep_one_api_server()
    no_scheduler_to_hold_events_for()
    load_what_a_listener_loads()
    serve(answer)
