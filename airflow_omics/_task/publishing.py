"""A task that publishes its run or batch: in the events of its outlets, and to OpenLineage.

Every DAG file that names such a task imports this module. So the functions themselves import what only a
running task needs.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from airflow_omics._compat import Context

log = logging.getLogger(__name__)


class PublishingMixin:
    """What a task publishes is its record as ``record_fields`` leaves it, and no more.

    Whatever fails here changes nothing about the task.
    """

    asset_fields: tuple[str, ...] | None = None
    partition_outlets_by: str | None = None
    _published: Mapping[str, Any] | None = None
    """The last record known, as ``record_fields`` leaves it, for a listener that is called after the task."""

    def _note_published(self, record: Mapping[str, Any]) -> None:
        """Note the record with which the task goes on or fails."""
        self._published = record

    def _publish(self, record: Mapping[str, Any], context: Context) -> None:
        """Note the record with which the task succeeds, and fill the events of its outlets."""
        self._note_published(record)
        if not getattr(self, "outlets", None):
            return
        from airflow_omics._task.outlets import fill_outlets

        try:
            fill_outlets(self, context, record)
        except Exception as error:
            log.warning("The events of the task's outlets lack what is known of its run", exc_info=error)

    def get_openlineage_facets_on_start(self) -> Any:
        """Return what OpenLineage is told when the task starts; Airflow's OpenLineage provider calls it."""
        return self._lineage("of_start")

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return what OpenLineage is told when the task has succeeded or was skipped."""
        return self._lineage("of_end", task_instance, failed=False)

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> Any:
        """Return what OpenLineage is told when the task has failed."""
        return self._lineage("of_end", task_instance, failed=True)

    def _lineage(self, name: str, *arguments: Any, **named: Any) -> Any:
        from airflow_omics._lineage import lineage

        try:
            return getattr(lineage, name)(self, *arguments, **named)
        except Exception as error:
            log.debug("OpenLineage gets nothing of the task's run", exc_info=error)
            return None
