"""A task that publishes its run or batch: in the events of its outlets, and to OpenLineage.

Every DAG file that names such a task imports this module. So the functions themselves import what only a
running task needs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from airflow_omics._compat import Context
from airflow_omics._identity import Target
from airflow_omics._resource import Resource
from airflow_omics._task.hidden import Hidden

log = logging.getLogger(__name__)


class PublishingMixin:
    """What a task publishes is its record as ``record_fields`` leaves it, and no more.

    Whatever fails here changes nothing about the task.
    """

    asset_fields: tuple[str, ...] | None = None
    partition_outlets_by: str | None = None
    resource: ClassVar[Resource]
    _published: Hidden | None = None
    """The last record known, as ``record_fields`` leaves it, for a listener that is called after the task.

    It is hidden: a listener may send every attribute of a task.
    """

    def _note_published(self, record: Mapping[str, Any]) -> None:
        """Note the record with which the task goes on or fails."""
        self._published = Hidden(record)

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
        return _told(lambda lineage: lineage.of_start(self._given_identity(), self.resource))

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return what OpenLineage is told when the task has succeeded or was skipped."""
        return self._told_at_end(task_instance, failed=False)

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> Any:
        """Return what OpenLineage is told when the task has failed."""
        return self._told_at_end(task_instance, failed=True)

    def _told_at_end(self, task_instance: Any, *, failed: bool) -> Any:
        def told(lineage: Any) -> Any:
            record = self._published.value if self._published else self._given_identity()
            return lineage.of_end(record, self.resource, self, task_instance, failed=failed)

        return _told(told)

    def _given_identity(self) -> dict[str, Any]:
        """Return the identity of the run or batch that the task was given, if it was given one."""
        task: Any = self
        try:
            target = Target.parse(getattr(task, self.resource.argument, None), self.resource)
        except ValueError:
            return {}
        known = {"id": target.id, "uuid": target.uuid, "arn": target.arn}
        fields = task.record_fields
        return {
            name: value
            for name, value in known.items()
            if value and (fields is None or name == "id" or name in fields)
        }


def _told(tell: Callable[[Any], Any]) -> Any:
    try:
        from airflow_omics._lineage import lineage

        return tell(lineage)
    except Exception as error:
        log.debug("OpenLineage gets nothing of the task's run", exc_info=error)
        return None
