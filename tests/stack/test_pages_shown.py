"""What a person sees on the pages of runs in Airflow's UI, of what `make up` opens on, in light and in dark.

The pictures of the README are taken on the way: into a temporary folder, or, as ``make screenshots`` does,
into the one that the environment variable ``SCREENSHOTS`` names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from airflow_omics.emulator import EmulatorClient
from scripts.stack import Stack
from scripts.stack.scene import Scene
from tests.support.browser import Browser, Scheme, windows

SCHEMES: tuple[Scheme, ...] = ("light", "dark")
FOLDER = os.environ.get("SCREENSHOTS")
# A worker begins each gate: 150 take a minute and more.
SAMPLES = 150 if FOLDER else 30
STATUSES = (
    {"completed": 86, "running": 36, "pending": 15, "failed": 8, "starting": 3, "cancelled": 2}
    if FOLDER
    else {"completed": 17, "running": 8, "pending": 3, "failed": 2}
)
MEMBERS = {"running": 25, "completed": 22, "failed": 3} if FOLDER else {"running": 5, "completed": 5}


@pytest.fixture(scope="module")
def scene(stack: Stack, omics: EmulatorClient) -> Iterator[Scene]:
    scene = Scene(stack, SAMPLES)
    scene.set()
    yield scene
    omics.set_pace(1)
    # No gate of it stays in the triggerer beside those of other tests.
    for name in ("running", "cohort", "batch"):
        dag_id, dag_run_id = scene.dag_run(name)
        stack.patch(f"{stack.airflow.api}/dags/{dag_id}/dagRuns/{dag_run_id}", {"state": "failed"})


@pytest.fixture(scope="module")
def browsers(stack: Stack, scene: Scene) -> Iterator[dict[Scheme, Browser]]:
    with windows(stack) as opened:
        browsers = {scheme: opened(scheme) for scheme in SCHEMES}
        for browser in browsers.values():
            browser.log_in()
        yield browsers


@pytest.fixture(params=SCHEMES)
def scheme(request: pytest.FixtureRequest) -> Scheme:
    chosen: Scheme = request.param
    return chosen


@pytest.fixture
def browser(browsers: dict[Scheme, Browser], scheme: Scheme) -> Browser:
    return browsers[scheme]


@pytest.fixture
def page(browser: Browser, scheme: Scheme) -> Iterator[Page]:
    """The tab of the browser; its console has no complaint in the end, such as of the page's CSP."""
    browser.complaints.clear()
    yield browser.page
    expect(browser.page.locator("html")).to_have_class(scheme)
    assert browser.complaints == []


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(FOLDER) if FOLDER else tmp_path_factory.mktemp("screenshots")


def test_a_link_of_the_gate_opens_the_page_of_a_run_that_goes_on(
    stack: Stack, scene: Scene, browser: Browser, page: Page, pictures: Path, scheme: Scheme
) -> None:
    browser.open_gate(*scene.dag_run("running"))
    browser.open_tab("Details")
    browser.complaints.clear()  # Airflow's own
    page.get_by_role("link", name="HealthOmics run page", exact=True).click()
    expect(page.get_by_role("heading", name="HG003")).to_contain_text("RUNNING")
    assert page.url == f"{stack.airflow_url}{scene.page('running')}"
    expect(page.get_by_text("8 of the 13 tasks known so far have ended")).to_be_visible()
    expect(page.get_by_text("the last 3 took 5 h 54 min to 6 h 27 min")).to_be_visible()
    browser.photograph(pictures / f"run-page-{scheme}.png", height=740)


def test_the_page_of_a_run_that_failed_says_why(
    stack: Stack, scene: Scene, browser: Browser, page: Page, pictures: Path, scheme: Scheme
) -> None:
    page.goto(f"{stack.airflow_url}{scene.page('failed')}")
    expect(page.get_by_role("heading", name="HG002")).to_contain_text("FAILED")
    expect(page.get_by_role("heading", name="OUT_OF_MEMORY_ERROR")).to_be_visible()
    expect(page.get_by_text("137, killed, usually out of memory", exact=True)).to_be_visible()
    last_words = page.get_by_text("java.lang.OutOfMemoryError: Java heap space").first
    expect(last_words).to_be_hidden()
    page.get_by_text("The last 5 lines of the log of call_variants_3").click()
    expect(last_words).to_be_visible()
    browser.photograph(pictures / f"run-page-failed-{scheme}.png", height=690)


def test_the_cohort_page_counts_the_runs_and_leads_to_each(
    stack: Stack, scene: Scene, browser: Browser, page: Page, pictures: Path, scheme: Scheme
) -> None:
    page.goto(f"{stack.airflow_url}{scene.page('cohort')}")
    expect(page.get_by_text(f"{SAMPLES} runs", exact=True)).to_be_visible()
    for status, number in STATUSES.items():
        expect(page.locator(".counts li", has_text=f"{number} {status}")).to_be_visible()
    cells = page.locator("a.cell")
    assert cells.count() == SAMPLES
    expect(page.get_by_role("row", name="OUT_OF_MEMORY_ERROR")).to_contain_text("the pipeline's author")
    browser.photograph(pictures / f"cohort-page-{scheme}.png", height=780)
    cells.nth(0).click()
    expect(page.get_by_role("heading", name="S001")).to_contain_text("COMPLETED")


def test_the_page_of_a_batch_counts_its_members(
    stack: Stack, scene: Scene, browser: Browser, page: Page, pictures: Path, scheme: Scheme
) -> None:
    page.goto(f"{stack.airflow_url}{scene.page('batch')}")
    expect(page.get_by_role("heading", name="INPROGRESS")).to_be_visible()
    for status, number in MEMBERS.items():
        expect(page.locator(".counts li", has_text=f"{number} {status}")).to_be_visible()
    browser.photograph(pictures / f"batch-page-{scheme}.png", height=330)


def test_a_page_refreshes_itself_and_leaves_open_what_is_open(
    stack: Stack, scene: Scene, browsers: dict[Scheme, Browser]
) -> None:
    # The last: it changes what the others see.
    page = browsers["light"].page
    page.goto(f"{stack.airflow_url}{scene.page('running')}")
    expect(page.get_by_text("8 of the 13 tasks known so far have ended")).to_be_visible()
    table = page.locator("details", has=page.get_by_text("The same as a table"))
    table.locator("summary").click()
    page.evaluate("window.isStillHere = true")
    scene.go_on(40 * 60)
    # Seen by the triggerer, left in XCom, read by the page.
    expect(page.get_by_text("9 of the 13 tasks known so far have ended")).to_be_visible(timeout=150_000)
    expect(table).to_have_attribute("open", "")
    assert page.evaluate("window.isStillHere") is True
