"""The routes. Whoever asks must be known to Airflow, and may read the DAG's task instances and its XComs.

A mounted app inherits none of Airflow's own checks, so each route names them:
https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/plugins.html
Nothing here changes anything, calls AWS, or is kept from one request to the next.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from airflow_omics import _clock
from airflow_omics.plugin import cohort_page, html, reading, run_page

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""Of every page, an error's too."""

_ERRORS: Final = {
    401: ("You are not signed in", "Sign in to Airflow, and open this page again."),
    403: (
        "You may not see this page",
        "It needs the permission to read this DAG's task instances and XComs, or your session has ended.",
    ),
    404: (
        "There is no such page",
        "Airflow has no such task instance or DAG run, or the task neither waits for a run or batch of "
        "HealthOmics nor starts one.",
    ),
    405: ("This page can only be read", "Nothing can be changed here."),
}
_OTHER_ERROR: Final = ("This page could not be made", "The log of Airflow's API server says why.")


def make_app() -> FastAPI:
    """Return the app, for Airflow to mount."""
    app = FastAPI(
        title="HealthOmics",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(get_user), Depends(_possible)],
    )
    may_read = [
        Depends(requires_access_dag("GET", DagAccessEntity.TASK_INSTANCE)),
        Depends(requires_access_dag("GET", DagAccessEntity.XCOM)),
    ]
    # Of these parts only the id of a DAG run may hold a slash.
    app.get("/run/{dag_id}/{dag_run_id:path}/{task_id}/{map_index}", dependencies=may_read)(_run)
    app.get("/cohort/{dag_id}/{dag_run_id:path}", dependencies=may_read)(_cohort)
    app.mount("/static", _Static(directory=Path(__file__).parent / "static"), name="static")
    app.exception_handler(HTTPException)(_refuse)
    app.exception_handler(Exception)(_fail)
    return app


def _run(request: Request, dag_id: str, dag_run_id: str, task_id: str, map_index: str) -> Response:
    """Return the page of a task instance."""
    index = _map_index(map_index)
    view = None if index is None else reading.run_view(dag_id, dag_run_id, task_id, index)
    if view is None:
        raise HTTPException(404)
    return _answer(run_page.render(view, _root(request), _clock.time()))


def _cohort(request: Request, dag_id: str, dag_run_id: str) -> Response:
    """Return the page of a DAG run."""
    view = reading.cohort_view(dag_id, dag_run_id)
    if view is None:
        raise HTTPException(404)
    return _answer(cohort_page.render(view, _root(request), _clock.time()))


def _possible(request: Request) -> None:
    """Raise "not found" for ids that nothing has: PostgreSQL refuses NUL, and Airflow takes ~ for any DAG."""
    parts = request.path_params
    if parts.get("dag_id") == "~" or any("\0" in str(part) for part in parts.values()):
        raise HTTPException(404)


def _map_index(text: str) -> int | None:
    """Return a map index; -1 for a task that is not mapped, whose tab leaves ``{MAP_INDEX}`` as it is."""
    if text in ("-1", "{MAP_INDEX}"):
        return -1
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _root(request: Request) -> str:
    """Return Airflow's own path, with a slash at its end: where this app is, less its prefix."""
    return str(request.scope.get("root_path", "")).rpartition(f"/{html.PREFIX}")[0] + "/"


async def _refuse(request: Request, error: Any) -> Response:
    """Answer a request that is refused, by one of Airflow's checks or here."""
    return _error(request, error.status_code, error.headers)


async def _fail(request: Request, error: Exception) -> Response:
    """Answer a request that something went wrong with. The error goes to the server's log, by itself."""
    return _error(request, 500)


def _error(request: Request, status: int, headers: Mapping[str, str] | None = None) -> Response:
    title, advice = _ERRORS.get(status, _OTHER_ERROR)
    root = _root(request)
    body = (
        f"<h1>{html.text(title)}</h1><p>{html.text(advice)}</p>"
        f'<p><a href="{html.text(root)}">Open Airflow</a></p>'
    )
    return _answer(html.page(HTTPStatus(status).phrase, body, root), status, headers)


def _answer(page: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    # Text of others may hold half of a pair of UTF-16, which no encoding has.
    content = page.encode("utf-8", "replace")
    return HTMLResponse(content, status_code=status, headers={**(headers or {}), **HEADERS})


class _Static(StaticFiles):
    """The style sheet and the script, which everybody may have. A browser asks whether they have changed."""

    def file_response(
        self, full_path: Any, stat_result: os.stat_result, scope: Any, status_code: int = 200
    ) -> Response:
        """Return a file, or that it has not changed."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update({**HEADERS, "Cache-Control": "no-cache"})
        return response
