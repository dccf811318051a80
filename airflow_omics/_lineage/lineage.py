"""What OpenLineage is told of a task's run or batch. Whatever fails here changes nothing about the task."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from airflow.providers.openlineage.extractors import OperatorLineage

from airflow_omics._resource import Resource

log = logging.getLogger(__name__)


def of_start(record: Mapping[str, Any], resource: Resource) -> OperatorLineage[Any, Any]:
    """Return what is told when the task starts, or goes on after a deferral.

    :param record: what is known by then: the identity that the task was given, or nothing.
    :param resource: whether it is a run or a batch.
    """

    def told() -> OperatorLineage[Any, Any]:
        from airflow_omics._lineage.told import lineage_of

        return lineage_of(record, resource, with_output=False)

    return _or_nothing(told)


def of_end(
    record: Mapping[str, Any], resource: Resource, task: Any, task_instance: Any, *, failed: bool
) -> OperatorLineage[Any, Any]:
    """Return what is told when the task has ended. ``[omics] lineage_run`` sends the run's own events here.

    :param record: the last one known, as ``record_fields`` leaves it; or the identity that was given.
    :param resource: whether it is a run or a batch.
    :param task: the sensor or operator, for its ``inlets`` and ``outlets``.
    :param task_instance: Airflow's, for the id that OpenLineage knows the task by.
    :param failed: whether the task has failed.
    """

    def told() -> OperatorLineage[Any, Any]:
        from airflow_omics._lineage.told import lineage_at_end

        return lineage_at_end(record, resource, task, task_instance, failed=failed)

    return _or_nothing(told)


def _or_nothing(told: Callable[[], OperatorLineage[Any, Any]]) -> OperatorLineage[Any, Any]:
    """Return what is told; if that fails, what has nothing of the run: None would be a warning of its own."""
    try:
        return told()
    except Exception as error:
        # The error may hold a value of the record, so it is in no log above DEBUG.
        log.debug("OpenLineage gets nothing of the task's run", exc_info=error)
        return OperatorLineage()
