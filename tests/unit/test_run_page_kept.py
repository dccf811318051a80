"""The pages of runs are those that are kept, and are pages that a strict policy and a screen reader take."""

from __future__ import annotations

import itertools

import pytest

from tests.support.parsed import faults_of, parsed
from tests.support.run_pages import FOLDER, PAGES, kept, page_of

pytestmark = pytest.mark.any_airflow


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_the_one_that_is_kept(name: str) -> None:
    """``python -m tests.support.write_run_pages`` writes them again."""
    assert page_of(name) == kept(name).read_text()


def test_no_page_is_kept_that_nothing_makes() -> None:
    assert {path.stem for path in FOLDER.glob("run-*.html")} == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_well_formed_and_holds_no_style_or_script(name: str) -> None:
    assert faults_of(parsed(page_of(name))) == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_one_heading_of_the_first_order_and_leaves_no_order_out(name: str) -> None:
    page = parsed(page_of(name))
    orders = [int(one.tag[1]) for one in page.all() if one.tag in ("h1", "h2", "h3", "h4")]
    assert orders.count(1) == 1
    assert orders[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(orders))
    assert len(list(page.all("main"))) == 1


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_open_at_first(name: str) -> None:
    assert [one for one in parsed(page_of(name)).all("details") if "open" in one.attributes] == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_never_says_how_many_percent_are_done(name: str) -> None:
    assert "%" not in parsed(page_of(name)).text
