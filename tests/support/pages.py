"""Which Airflow this is, for the tests of its pages, and the links to them that a task has."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from airflow.version import version

AIRFLOW: Final = tuple(int(number) for number in version.split(".")[:2])

HAS_PAGES: Final = AIRFLOW >= (3, 1)
"""Whether Airflow's API server can show pages to people who are logged in."""


def page_links(dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, Any]:
    """Return the links to pages that a sensor or a start has, by name; none without pages."""
    run = quote(run_id, safe="")
    links = {
        "HealthOmics run page": f"healthomics/run/{dag_id}/{run}/{task_id}/{map_index}",
        "HealthOmics cohort": f"healthomics/cohort/{dag_id}/{run}",
    }
    return links if HAS_PAGES else {}
