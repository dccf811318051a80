"""The lineage of a run or batch, from its record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.providers.openlineage.extractors import OperatorLineage

from airflow_omics._lineage import child
from airflow_omics._lineage.datasets import Resources, output_of, with_declared
from airflow_omics._lineage.facets import run_facets
from airflow_omics._resource import BATCH, Resource


def lineage_of(
    record: Mapping[str, Any], resource: Resource, *, with_output: bool
) -> OperatorLineage[Any, Any]:
    """Return what a record says.

    :param record: as ``record_fields`` leaves it.
    :param with_output: whether what the run writes to is an output.
    """
    if not record.get("id"):
        return OperatorLineage()
    resources = Resources.of_record(record)
    count = len(resources.inputs) if isinstance(record.get("resourceDigests"), Mapping) else None
    return OperatorLineage(
        inputs=resources.datasets(),
        outputs=output_of(record, resource) if with_output else [],
        run_facets=run_facets(record, resource, resources.images, count),
    )


def lineage_at_end(
    record: Mapping[str, Any], resource: Resource, task: Any, task_instance: Any, *, failed: bool
) -> OperatorLineage[Any, Any]:
    """Return what is told of a task that has ended, and send the run's own events if they are wanted.

    :param failed: whether the task has failed: it has no output, whatever its run has written.
    """
    if resource != BATCH and child.is_wanted():
        run = lineage_of(record, resource, with_output=_has_output(record))
        child.emit(record, run, task_instance)
    lineage = lineage_of(record, resource, with_output=not failed and _has_output(record))
    return with_declared(lineage, task, task_instance)


def _has_output(record: Mapping[str, Any]) -> bool:
    """Return whether a run COMPLETED, or a batch is PROCESSED and says that one of its runs completed."""
    if record.get("status") != "PROCESSED":
        return record.get("status") == "COMPLETED"
    outcome = record.get("outcome")
    return isinstance(outcome, Mapping) and bool(outcome.get("completed"))
