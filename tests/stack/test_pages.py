"""Who may see the pages, asked of a real API server below a path, with the auth manager of Airflow itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from airflow_omics.plugin.app import HEADERS
from scripts.stack import Stack, running
from tests.support.pages_asked import PAGES, RUN, SETTINGS, Pages, bearer, cookie, ended, fill

BASE = "/team/airflow"
EVERY = PAGES["cohort"]
USERS = "admin:admin,viewer:viewer,nobody:"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = {**SETTINGS, "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": USERS}
    no_dags = tmp_path_factory.mktemp("dags")
    with running(
        Stack(
            pace=1,
            poke_interval=1,
            settings=settings,
            parts=("api-server",),
            login=True,
            dags_folder=no_dags,
            base_path=BASE,
        )
    ) as stack:
        fill(f"sqlite:///{stack.folder}/airflow/airflow.db")
        yield stack


@pytest.fixture(scope="module")
def pages(stack: Stack) -> Pages:
    return Pages(stack)


@pytest.fixture(scope="module")
def tokens(stack: Stack, pages: Pages) -> dict[str, str]:
    passwords = json.loads((Path(stack.folder) / "airflow" / "passwords.json").read_text())
    return {user: pages.token(user, passwords[user]) for user in ("admin", "viewer", "nobody")}


# -- who may see them ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", EVERY)
@pytest.mark.parametrize("way", [bearer, cookie])
@pytest.mark.parametrize(("user", "status"), [("admin", 200), ("viewer", 200), ("nobody", 403)])
def test_who_may_read_the_dag_s_xcoms_sees_its_pages(
    pages: Pages, tokens: dict[str, str], path: str, way: type, user: str, status: int
) -> None:
    answer = pages.get(path, **way(tokens[user]))
    assert answer.status == status
    assert ("run of cohort" in answer.text) == (status == 200)


@pytest.mark.parametrize("path", EVERY)
def test_who_is_not_known_sees_nothing(pages: Pages, tokens: dict[str, str], path: str) -> None:
    session = ended(tokens["viewer"])
    for headers, status in (
        ({}, 401),
        (bearer(session), 401),
        (cookie(session), 401),
        (cookie("nonsense"), 403),
        (bearer("nonsense"), 403),
        ({"Authorization": "Basic YWRtaW46YWRtaW4="}, 401),
    ):
        answer = pages.get(path, **headers)
        assert answer.status == status, headers
        assert "cohort" not in answer.text
        assert f'<a href="{BASE}/">' in answer.text
        assert {name.lower(): value for name, value in HEADERS.items()}.items() <= answer.headers.items()


@pytest.mark.parametrize("path", [*EVERY, "/healthomics/nothing", "/healthomics/static/omics.css"])
def test_a_page_can_only_be_read(pages: Pages, tokens: dict[str, str], path: str) -> None:
    for method in ("HEAD", "POST", "PUT", "PATCH", "DELETE"):
        status = pages.get(path, method=method, **bearer(tokens["admin"])).status
        refused = 404 if "nothing" in path else 200 if "static" in path and method == "HEAD" else 405
        assert (method, status) == (method, refused)


def test_the_style_and_the_script_are_for_everybody(pages: Pages) -> None:
    for name, kind in (("omics.css", "text/css"), ("omics.js", "javascript")):
        answer = pages.get(f"/healthomics/static/{name}")
        assert answer.status == 200
        assert kind in answer.headers["content-type"]
    assert pages.get("/healthomics/static/%2e%2e/app.py").status in (401, 404)
    assert pages.get("/healthomics/static/..%2fapp.py").status in (401, 404)


# -- which page it is ----------------------------------------------------------------------------------------


def test_a_page_is_below_airflow_s_own_path(pages: Pages, tokens: dict[str, str]) -> None:
    for path in EVERY:
        answer = pages.get(path, **cookie(tokens["viewer"]))
        assert f'href="{BASE}/healthomics/static/omics.css"' in answer.text


def test_each_mapped_gate_has_a_page(pages: Pages, tokens: dict[str, str]) -> None:
    run = quote(RUN, safe="")
    for index, status in (("0", 200), ("1", 200), ("2", 404), ("-1", 404), ("%7BMAP_INDEX%7D", 404)):
        answer = pages.get(f"/healthomics/run/cohort/{run}/mapped/{index}", **cookie(tokens["viewer"]))
        assert (answer.status, f"mapped {index}" in answer.text) == (status, status == 200)


def test_a_task_that_is_not_mapped_is_found_by_what_its_tab_says(
    pages: Pages, tokens: dict[str, str]
) -> None:
    address = f"/healthomics/run/cohort/{RUN}/gate/%7BMAP_INDEX%7D"
    assert "run of cohort" in pages.get(address, **cookie(tokens["viewer"])).text


@pytest.mark.parametrize(
    "path",
    [
        f"/run/cohort/{RUN}/gate/999999999",
        f"/run/cohort/{RUN}/gate/" + "9" * 3000,
        f"/run/cohort/{RUN}/gate/-1/",
        f"/run/cohort%2F{RUN}/gate/-1/x",
        f"/run/other%2F..%2Fcohort/{RUN}/gate/-1",
        f"/run/cohort/..%2F..%2Fother/{RUN}/gate/-1",
        f"/run/~/{RUN}/gate/-1",
        f"/cohort/~/{RUN}",
        f"/cohort/co%00hort/{RUN}",
        f"/cohort/cohort/{RUN}%00",
        "/cohort/cohort/%FF%FE",
        f"/cohort/cohort/{RUN.replace('+', '%20')}",
        f"/cohort/cohort/{RUN}?dag_id=other",
        f"/run/%C3%BC/{RUN}/gate/-1",
        "/docs",
        "/openapi.json",
        "/",
    ],
)
def test_an_address_of_nothing_shows_nothing(pages: Pages, tokens: dict[str, str], path: str) -> None:
    answer = pages.get(f"/healthomics{path}", **cookie(tokens["viewer"]))
    assert answer.status == (200 if "?dag_id=other" in path else 404)
    assert ("run of cohort" in answer.text) == (answer.status == 200)
    assert "run of other" not in answer.text
    assert "Traceback" not in answer.text


def test_nothing_went_wrong_inside(stack: Stack) -> None:
    """The last of these tests: the log of the API server has no traceback."""
    assert "Traceback" not in (stack.logs / "api-server.log").read_text()
