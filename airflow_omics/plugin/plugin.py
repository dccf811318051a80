"""What Airflow loads. Each of its processes does, each task too: importing this module costs them nothing.

What the pages are made with is imported when Airflow asks for it, in the API server and ``airflow plugins``.
https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/plugins.html
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from airflow.sdk.plugins_manager import AirflowPlugin
else:
    # The one that a task has loaded by then; in Airflow's other processes it costs a tenth of a millisecond.
    try:
        from airflow.sdk.plugins_manager import AirflowPlugin
    except ImportError:  # before Airflow 3.2
        from airflow.plugins_manager import AirflowPlugin

log = logging.getLogger(__name__)

_FIRST_WITH_PAGES: Final = (3, 1)
"""Airflow 3.0 knows a user by a token alone, which a browser that opens a page does not send."""

_FIRST_WITH_TABS_OF_OPERATORS: Final = (3, 4)
"""Before it, a tab of task instances is on every task of every DAG."""


def _if_there_are_pages(make: Callable[[], list[Any]]) -> Any:
    """Return a property that is what ``make`` returns, or nothing where there are no pages.

    It never raises: one plugin that does takes the links of all others with it, and ``airflow plugins``.
    """

    def made(plugin: Any) -> list[Any]:
        try:
            return make() if _has_pages() else []
        except Exception:
            log.warning("The pages of HealthOmics runs are not there, or not whole", exc_info=True)
            return []

    return property(made, doc=make.__doc__)


def _apps() -> list[Any]:
    """Return the app that has the pages."""
    from airflow_omics.plugin.app import make_app
    from airflow_omics.plugin.html import PREFIX

    return [{"app": make_app(), "url_prefix": f"/{PREFIX}", "name": "HealthOmics"}]


def _links() -> list[Any]:
    """Return the links to the pages, which the API server makes itself."""
    from airflow_omics.plugin.links import PAGE_LINKS

    return list(PAGE_LINKS)


def _tabs() -> list[Any]:
    """Return the tabs: the cohort page for DAG runs, the run page for task instances."""
    from airflow_omics.plugin.html import PREFIX
    from airflow_omics.plugin.links import GATES

    # Relative and without a slash at the beginning: the browser resolves it against Airflow's own path.
    run = {
        "name": "HealthOmics",
        "href": f"{PREFIX}/run/{{DAG_ID}}/{{RUN_ID}}/{{TASK_ID}}/{{MAP_INDEX}}",
        "destination": "task_instance",
        "url_route": "healthomics-run",
    }
    cohort = {
        "name": "HealthOmics",
        "href": f"{PREFIX}/cohort/{{DAG_ID}}/{{RUN_ID}}",
        "destination": "dag_run",
        "url_route": "healthomics-cohort",
    }
    if _airflow() >= _FIRST_WITH_TABS_OF_OPERATORS:
        run["applies_to"] = {"operator_name": [gate.__name__ for gate in GATES]}  # type: ignore[assignment]
        return [run, cohort] if _is_on("ui_tabs", False) else [run]
    return [run, cohort] if _is_on("ui_tabs", False) else []


def _has_pages() -> bool:
    return _airflow() >= _FIRST_WITH_PAGES and _is_on("ui", True)


def _airflow() -> tuple[int, ...]:
    """Return the first two numbers of Airflow's version."""
    from airflow.version import version

    return tuple(int(number) for number in version.split(".")[:2])


def _is_on(option: str, default: bool) -> bool:
    from airflow_omics._compat import conf

    return bool(conf.getboolean("omics", option, fallback=default))


class OmicsPlugin(AirflowPlugin):
    """A page for each run and batch of HealthOmics, and one for all of a DAG run."""

    name = "healthomics"
    fastapi_apps = _if_there_are_pages(_apps)
    operator_extra_links = _if_there_are_pages(_links)
    external_views = _if_there_are_pages(_tabs)
