"""Who may see the pages under the auth manager of the FAB provider, which knows roles and single DAGs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from scripts.stack import Stack, running
from tests.support.fab_users import USERS
from tests.support.pages_asked import PAGES, SETTINGS, Pages, bearer, cookie, ended, fill

MANAGER = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
NONE, ONE, BOTH = set[str](), {"cohort"}, {"cohort", "other"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    no_dags = tmp_path_factory.mktemp("dags")
    with running(
        Stack(
            pace=1,
            poke_interval=1,
            settings={**SETTINGS, "AIRFLOW__CORE__AUTH_MANAGER": MANAGER},
            parts=("api-server",),
            login=True,
            dags_folder=no_dags,
            prepare="tests.support.fab_users",
        )
    ) as stack:
        fill(f"sqlite:///{stack.folder}/airflow/airflow.db")
        yield stack


@pytest.fixture(scope="module")
def pages(stack: Stack) -> Pages:
    return Pages(stack)


@pytest.fixture(scope="module")
def tokens(stack: Stack, pages: Pages) -> dict[str, str]:
    passwords = {"admin": stack.password, **{user: user for user in USERS}}
    return {user: pages.token(user, password) for user, password in passwords.items()}


@pytest.mark.parametrize("way", [bearer, cookie])
@pytest.mark.parametrize(
    ("user", "readable"),
    [
        ("admin", BOTH),
        ("op", BOTH),
        ("user", BOTH),
        ("viewer", BOTH),
        ("public", NONE),
        ("cohort_reader", ONE),
        ("cohort_without_xcoms", NONE),
    ],
)
def test_a_page_is_for_who_may_read_its_dag_and_xcoms(
    pages: Pages, tokens: dict[str, str], user: str, readable: set[str], way: Any
) -> None:
    found = {path: pages.get(path, **way(tokens[user])) for paths in PAGES.values() for path in paths}
    expected = {path: 200 if dag in readable else 403 for dag, paths in PAGES.items() for path in paths}
    assert {path: answer.status for path, answer in found.items()} == expected
    for dag in PAGES:
        assert any(f"run of {dag}" in answer.text for answer in found.values()) == (dag in readable)


def test_another_dag_s_run_is_not_found_in_the_address_of_one_s_own(
    pages: Pages, tokens: dict[str, str]
) -> None:
    mine = cookie(tokens["cohort_reader"])
    for path in PAGES["other"]:
        assert pages.get(f"{path}?dag_id=cohort", **mine).status == 403
    tail = PAGES["other"][0].partition("/other/")[2]
    for path in (f"/run/cohort/..%2Fother/{tail}", f"/run/cohort%2F..%2Fother/{tail}", f"/run/~/{tail}"):
        answer = pages.get(f"/healthomics{path}", **mine)
        assert (answer.status, "run of other" in answer.text) == (404, False)


def test_who_is_not_known_sees_nothing(pages: Pages, tokens: dict[str, str]) -> None:
    for path in PAGES["cohort"]:
        assert [
            pages.get(path, **headers).status
            for headers in ({}, cookie(ended(tokens["viewer"])), cookie("nonsense"), bearer("nonsense"))
        ] == [401, 401, 403, 403]


def test_viewers_see_no_tab(pages: Pages, tokens: dict[str, str]) -> None:
    """So the links come first: docs/use/pages.md says what such a role needs for tabs."""
    status = {user: pages.get("/api/v2/plugins", **bearer(tokens[user])).status for user in ("op", "viewer")}
    assert status == {"op": 200, "viewer": 403}
