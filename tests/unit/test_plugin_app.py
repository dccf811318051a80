"""The routes: each behind Airflow's own checks, for reading alone, with errors that say nothing of data."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api import security
from airflow.api_fastapi.core_api.security import get_user
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Mount

from airflow_omics.plugin import app as pages
from airflow_omics.plugin import cohort_page, reading, run_page
from airflow_omics.plugin.model import CohortView, Gate, RunView

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)
RUN = "/run/cohort/manual__2026-01-15T12:00:00+00:00/gate/"


class Server:
    """The app as Airflow mounts it, with everybody let in."""

    def __init__(self, app: FastAPI, base: str = "") -> None:
        self._airflow = FastAPI()
        self._airflow.mount("/healthomics", app)
        self._base = base
        self.raised: list[Exception] = []

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
        """Return status, headers and text of the answer to a request, its path as a server decoded it."""
        sent: list[dict[str, Any]] = []
        read: list[bool] = []

        async def receive() -> dict[str, Any]:
            if read:
                await asyncio.Event().wait()  # a client that stays
            read.append(True)
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": f"{self._base}/healthomics{path}",
            "raw_path": b"",
            "root_path": self._base,
            "query_string": b"",
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
            "server": ("airflow", 80),
            "scheme": "http",
        }
        try:
            asyncio.run(self._airflow(scope, receive, send))
        except Exception as error:
            self.raised.append(error)
        start, *bodies = sent
        found = {name.decode(): value.decode() for name, value in start["headers"]}
        return start["status"], found, b"".join(body.get("body", b"") for body in bodies).decode()


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """The app, whose checks of Airflow's let everybody in: tests/stack asks a real one."""
    monkeypatch.setattr(pages, "requires_access_dag", lambda method, entity: lambda: None)
    made = pages.make_app()
    made.dependency_overrides[get_user] = lambda: None
    return made


@pytest.fixture
def server(app: FastAPI) -> Server:
    return Server(app)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What reading was asked for; it finds everything."""
    calls: list[tuple[Any, ...]] = []

    def run_view(*where: Any) -> RunView:
        calls.append(where)
        return RunView(*where[:2], Gate(where[2], where[3]))

    def cohort_view(*where: Any) -> CohortView:
        calls.append(where)
        return CohortView(*where)

    monkeypatch.setattr(reading, "run_view", run_view)
    monkeypatch.setattr(reading, "cohort_view", cohort_view)
    return calls


# -- who may see it ------------------------------------------------------------------------------------------


def routes() -> list[APIRoute]:
    return [route for route in pages.make_app().routes if isinstance(route, APIRoute)]


def test_every_route_has_airflow_s_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[Any, tuple[str, DagAccessEntity | None]] = {}

    def requires(method: Any, entity: Any = None) -> Any:
        check = security.requires_access_dag(method, entity)
        made[check] = (method, entity)
        return check

    monkeypatch.setattr(pages, "requires_access_dag", requires)
    app = pages.make_app()
    found = [route for route in app.routes if isinstance(route, APIRoute)]
    assert [route.path for route in found] == [
        "/run/{dag_id}/{dag_run_id:path}/{task_id}/{map_index}",
        "/cohort/{dag_id}/{dag_run_id:path}",
    ]
    for route in found:
        calls = [dependency.call for dependency in route.dependant.dependencies]
        assert calls[0] is get_user
        assert [made[call] for call in calls if call in made] == [
            ("GET", DagAccessEntity.TASK_INSTANCE),
            ("GET", DagAccessEntity.XCOM),
        ]
        assert route.methods == {"GET"}


def test_nothing_but_the_static_files_is_there_besides() -> None:
    others = [route for route in pages.make_app().routes if not isinstance(route, APIRoute)]
    assert [route.path for route in others if isinstance(route, Mount)] == ["/static"]
    assert len(others) == 1


def test_no_route_takes_anything_but_its_path() -> None:
    for route in routes():
        dependant = route.dependant
        assert [*dependant.query_params, *dependant.body_params, *dependant.cookie_params] == []
        assert all(parameter.name in route.path for parameter in dependant.path_params)


# -- which page it is ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "index"),
    [("-1", -1), ("{MAP_INDEX}", -1), ("0", 0), ("7", 7), ("999999999", 999_999_999), ("007", 7)],
)
def test_the_map_index_is_that_of_the_address(
    server: Server, asked: list[Any], text: str, index: int
) -> None:
    status, _, _ = server.get(f"{RUN}{text}")
    assert (status, asked) == (200, [("cohort", "manual__2026-01-15T12:00:00+00:00", "gate", index)])


@pytest.mark.parametrize(
    "text", ["", "-2", "+1", "1.0", "\u0667", "x", "9" * 10, "9" * 5000, "1e3", " 1", "{TASK_ID}"]
)
def test_what_is_no_map_index_has_no_page(server: Server, asked: list[Any], text: str) -> None:
    status, _, _ = server.get(f"{RUN}{text}")
    assert (status, asked) == (404, [])


@pytest.mark.parametrize("run_id", ["a/b", "a//b", "/", "../..", "a+b", "ü", "cohort/x/gate/1", "a%2Fb", " "])
def test_an_id_of_a_dag_run_may_be_any_text(server: Server, asked: list[Any], run_id: str) -> None:
    assert server.get(f"/run/cohort/{run_id}/gate/3")[0] == 200
    assert server.get(f"/cohort/cohort/{run_id}")[0] == 200
    assert asked == [("cohort", run_id, "gate", 3), ("cohort", run_id)]


@pytest.mark.parametrize(
    "path",
    [
        "/run/~/run/gate/1",
        "/cohort/~/run",
        "/run/a/b\0/gate/1",
        "/cohort/a\0/b",
        "/cohort/a",
        "/run/a/b/c",
        "/",
    ],
    ids=repr,
)
def test_ids_that_nothing_has_are_not_even_looked_for(server: Server, asked: list[Any], path: str) -> None:
    assert server.get(path)[0] == 404
    assert asked == []


def test_what_is_not_there_has_no_page(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "run_view", lambda *where: None)
    monkeypatch.setattr(reading, "cohort_view", lambda *where: None)
    for path in (f"{RUN}1", "/cohort/a/b"):
        status, _, page = server.get(path)
        assert (status, "There is no such page" in page) == (404, True)


@pytest.mark.parametrize("base", ["", "/team/airflow", "/healthomics"])
@pytest.mark.parametrize("path", [f"{RUN}1", "/cohort/a/b", "/nothing", "/static/nothing.css"])
def test_a_page_knows_where_airflow_is(app: FastAPI, asked: list[Any], base: str, path: str) -> None:
    _, _, page = Server(app, base).get(path)
    assert f'href="{base}/healthomics/static/omics.css"' in page
    assert f'src="{base}/healthomics/static/omics.js"' in page
    if "nothing" in path:
        assert f'<a href="{base}/">' in page


# -- what an answer is ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"{RUN}1", 200),
        ("GET", "/cohort/a/b", 200),
        ("GET", "/static/omics.css", 200),
        ("GET", "/static/../app.py", 404),
        ("GET", "/static/nothing", 404),
        ("GET", "/static", 404),
        ("GET", "/nothing", 404),
        ("GET", "/docs", 404),
        ("GET", "/openapi.json", 404),
        ("GET", f"{RUN}1/", 404),
        ("HEAD", f"{RUN}1", 405),
        ("POST", f"{RUN}1", 405),
        ("PUT", "/cohort/a/b", 405),
        ("DELETE", "/cohort/a/b", 405),
        ("OPTIONS", "/cohort/a/b", 405),
        ("POST", "/static/omics.css", 405),
    ],
)
def test_every_answer_has_the_headers(
    server: Server, asked: list[Any], method: str, path: str, status: int
) -> None:
    found, headers, page = server.get(path, method)
    assert found == status
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == ("no-cache" if path.endswith(".css") and status == 200 else "no-store")
    if not path.endswith(".css"):
        assert headers["content-type"] == "text/html; charset=utf-8"
        assert page.startswith("<!doctype html>") or method == "HEAD"


def test_a_static_file_that_has_not_changed_is_not_sent_again(server: Server) -> None:
    _, headers, text = server.get("/static/omics.js")
    status, again, nothing = server.get("/static/omics.js", if_none_match=headers["etag"])
    assert text
    assert (status, nothing, again["cache-control"]) == (304, "", "no-cache")


@pytest.mark.parametrize(
    "where", [(reading, "cohort_view"), (cohort_page, "render")], ids=lambda found: found[1]
)
def test_an_error_of_our_own_shows_nothing_of_itself(
    app: FastAPI, asked: list[Any], monkeypatch: pytest.MonkeyPatch, where: Any
) -> None:
    def broken(*arguments: Any) -> Any:
        raise RuntimeError("PATIENT-4711")

    monkeypatch.setattr(*where, broken)
    server = Server(app)
    status, headers, page = server.get("/cohort/a/b")
    assert (status, headers["content-security-policy"]) == (500, POLICY)
    assert "This page could not be made" in page
    assert "PATIENT-4711" not in page
    assert "Traceback" not in page
    assert [str(error) for error in server.raised] == ["PATIENT-4711"]


def test_half_a_pair_of_utf_16_is_no_error(
    server: Server, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_page, "render", lambda view, root, now: "a\ud800b")
    status, _, page = server.get(f"{RUN}1")
    assert (status, page) == (200, "a?b")
