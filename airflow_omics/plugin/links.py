"""Extra links to the pages, made by the API server: no worker has to have seen the task, no XCom is read.

Airflow shows a link of a plugin on a task if the task's class is one of the link's ``operators``: by the
name and the module of the class, so that a subclass has none, or by the name alone if the task is mapped.
"""

from __future__ import annotations

import logging
from typing import Any, ClassVar, Final

from airflow_omics._compat import BaseOperatorLink
from airflow_omics.operators import OmicsStartRunBatchOperator, OmicsStartRunOperator
from airflow_omics.plugin import html
from airflow_omics.sensors import OmicsRunBatchSensor, OmicsRunSensor

log = logging.getLogger(__name__)

GATES: Final[tuple[type[Any], ...]] = (
    OmicsRunSensor,
    OmicsRunBatchSensor,
    OmicsStartRunOperator,
    OmicsStartRunBatchOperator,
)
"""What waits for a run or a batch, or starts one: the tasks that have a page."""


class _PageLink(BaseOperatorLink):
    """A link to a page, relative to Airflow's own path, so that a deployment below a path needs nothing."""

    name: ClassVar[str]
    operators: ClassVar[list[type[Any]]] = list(GATES)

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the address of the page; empty if it cannot be made.

        :param operator: the API server's copy of the task.
        :param ti_key: which task instance.
        """
        try:
            return self.address(ti_key)
        except Exception:
            log.debug("The link %r could not be made", self.name, exc_info=True)
            return ""

    @staticmethod
    def address(ti_key: Any) -> str:
        """Return the address of the page of a task instance."""
        raise NotImplementedError


class RunPageLink(_PageLink):
    """The page of the task instance's run or batch."""

    name = "HealthOmics run page"

    @staticmethod
    def address(ti_key: Any) -> str:
        """Return the address of the page of a task instance."""
        return html.run_page_path(ti_key.dag_id, ti_key.run_id, ti_key.task_id, ti_key.map_index)


class CohortPageLink(_PageLink):
    """The page of all runs and batches of the DAG run."""

    name = "HealthOmics cohort"

    @staticmethod
    def address(ti_key: Any) -> str:
        """Return the address of the page of a task instance's DAG run."""
        return html.cohort_page_path(ti_key.dag_id, ti_key.run_id)


PAGE_LINKS: Final = (RunPageLink(), CohortPageLink())
"""The links of :data:`GATES`."""
