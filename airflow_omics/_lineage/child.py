"""The run itself as a run of OpenLineage, beside the task that waited for it: ``[omics] lineage_run``."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from typing import Any, Final

from airflow.providers.openlineage.conf import namespace as namespace_of_jobs
from airflow.providers.openlineage.extractors import OperatorLineage
from airflow.providers.openlineage.plugins import macros as provided_macros
from airflow.providers.openlineage.plugins.adapter import OpenLineageAdapter
from airflow.providers.openlineage.plugins.listener import get_openlineage_listener
from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
from openlineage.client.facet_v2 import error_message_run, job_type_job, parent_run

from airflow_omics._compat import option_is_on
from airflow_omics._lineage.facets import PRODUCER, run_facets, text
from airflow_omics._resource import RUN
from airflow_omics.records import IDENTITY_KEYS, parse_time

log = logging.getLogger(__name__)
macros: Any = provided_macros  # which has no types

_ENDS: Final = {"COMPLETED": RunState.COMPLETE, "FAILED": RunState.FAIL, "CANCELLED": RunState.ABORT}


def is_wanted() -> bool:
    """Return ``[omics] lineage_run`` of Airflow's configuration, False by default and if it is no boolean."""
    return option_is_on("lineage_run", False)


def emit(record: Mapping[str, Any], lineage: OperatorLineage[Any, Any], task_instance: Any) -> None:
    """Send the start and the end of a run that has ended, with the times that the run itself has.

    They have the run's ``uuid`` as the id of the run, so a second task on the same run says the same again.

    :param record: as ``record_fields`` leaves it; if it lacks what an event needs, nothing is sent.
    :param lineage: what is told of the run.
    """
    try:
        events = _events(record, lineage, task_instance)
        adapter = get_openlineage_listener().adapter
        for event in events:
            adapter.emit(event)
    except Exception as error:
        log.debug("OpenLineage gets no events of the run itself", exc_info=error)


def _events(
    record: Mapping[str, Any], lineage: OperatorLineage[Any, Any], task_instance: Any
) -> list[RunEvent]:
    status = str(record.get("status"))
    end = _ENDS.get(status)
    if end is None:
        return []
    run_id = str(uuid.UUID(record["uuid"]))
    start = record.get("startTime")
    if start is None and status != "COMPLETED":  # a run that ended before it started
        start = record["creationTime"]
    job, parent = _job(record), {"parent": _parent(task_instance)}
    identity = {key: record[key] for key in IDENTITY_KEYS if key in record}
    started = RunEvent(
        eventType=RunState.START,
        eventTime=parse_time(str(start)).isoformat(),
        run=Run(run_id, {**run_facets(identity, RUN), **parent}),
        job=job,
        producer=PRODUCER,
    )
    ended = RunEvent(
        eventType=end,
        eventTime=parse_time(record["stopTime"]).isoformat(),
        run=Run(run_id, {**lineage.run_facets, **parent, **_reason(record, end)}),
        job=job,
        inputs=lineage.inputs,
        outputs=lineage.outputs,
        producer=PRODUCER,
    )
    return [started, ended]


def _reason(record: Mapping[str, Any], end: RunState) -> dict[str, Any]:
    reason = text(record.get("failureReason"))
    if end != RunState.FAIL or reason is None:
        return {}
    facet = error_message_run.ErrorMessageRunFacet(
        message=reason, programmingLanguage="unknown", producer=PRODUCER
    )
    return {"errorMessage": facet}


def _job(record: Mapping[str, Any]) -> Job:
    """Return the workflow as a job, in the namespace of its account and Region."""
    namespace, _, _ = record["arn"].rpartition(":")
    kind = job_type_job.JobTypeJobFacet(
        processingType="BATCH", integration="AWS_HEALTHOMICS", jobType="WORKFLOW", producer=PRODUCER
    )
    return Job(namespace, f"workflow/{record['workflowId']}", facets={"jobType": kind})


def _parent(task_instance: Any) -> parent_run.ParentRunFacet:
    """Return the task as a parent, by the id that the provider's listener makes for it."""
    namespace: str = namespace_of_jobs()
    dag_run = getattr(task_instance, "dag_run", None) or task_instance.get_template_context()["dag_run"]
    dag_id, task_id = task_instance.dag_id, task_instance.task_id
    run_id = OpenLineageAdapter.build_task_instance_run_id(
        dag_id=dag_id,
        task_id=task_id,
        try_number=task_instance.try_number,
        logical_date=dag_run.logical_date or dag_run.run_after,
        map_index=task_instance.map_index,
    )
    return parent_run.ParentRunFacet(
        run=parent_run.Run(run_id),
        job=parent_run.Job(namespace, f"{dag_id}.{task_id}"),
        root=_root(task_instance, namespace),
        producer=PRODUCER,
    )


def _root(task_instance: Any, namespace: str) -> parent_run.Root | None:
    """Return what started it all: the DAG run, or what its ``conf`` names; None if the provider can't say."""
    named = getattr(macros, "lineage_root_job_namespace", None)
    try:
        run_id, name = macros.lineage_root_run_id(task_instance), macros.lineage_root_job_name(task_instance)
        namespace = named(task_instance) if named else namespace
        return parent_run.Root(parent_run.RootRun(run_id), parent_run.RootJob(namespace, name))
    except Exception as error:  # an older provider on Airflow 3
        log.debug("The events of the run itself have no root", exc_info=error)
        return None
