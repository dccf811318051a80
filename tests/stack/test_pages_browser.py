"""The pages in a browser: the policy blocks nothing, axe objects to nothing, and the script does its work.

A small server of their own serves them: none of this needs an Airflow.
"""

from __future__ import annotations

import importlib.resources
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from scripts.setup.programs import chromium
from tests.support import cohorts
from tests.support.browser import OPTIONS
from tests.support.page_server import FRAME, Pages, page_server
from tests.support.run_pages import FOLDER

NAMES = sorted(path.stem for path in FOLDER.glob("*.html"))
AXE = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text()
RUNNING = (FOLDER / "run-running.html").read_text()
OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true; })"
LONGEST = 10_000  # milliseconds


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=chromium(), args=OPTIONS)
        yield program
        program.close()


@pytest.fixture
def pages() -> Iterator[Pages]:
    with page_server() as pages:
        pages.html |= {f"/{name}": (FOLDER / f"{name}.html").read_text() for name in NAMES}
        yield pages


@pytest.fixture
def new_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Return what opens a tab; at the end nothing may have been blocked or have gone wrong in one."""
    contexts: list[BrowserContext] = []
    said: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        # Answers that are errors are reported as well; here they are meant.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            said.append(message.text)

    def new(width: int = 1280, **options: Any) -> Page:
        size = {"width": width, "height": 900}
        context = browser.new_context(viewport=size, locale="en-GB", timezone_id="UTC", **options)
        contexts.append(context)
        context.set_default_timeout(LONGEST)
        page = context.new_page()
        page.on("console", listen)
        page.on("pageerror", lambda error: said.append(str(error)))
        return page

    yield new
    for context in contexts:
        context.close()
    assert said == []


@pytest.mark.parametrize(
    ("theme", "rules"), [("light", "{}"), ("dark", "{runOnly: ['color-contrast']}")], ids=["light", "dark"]
)
def test_axe_finds_nothing_on_any_page_with_all_of_it_open(
    pages: Pages, new_page: Callable[..., Page], theme: str, rules: str
) -> None:
    """In the dark only the colours are others."""
    # The policy holds for axe as for everybody, so this tab goes without.
    page = new_page(color_scheme=theme, bypass_csp=True, reduced_motion="reduce")
    found = {}
    for name in NAMES:
        page.goto(f"{pages.url}/{name}")
        page.evaluate(OPEN_ALL)
        page.evaluate(AXE)
        violations = page.evaluate(f"axe.run({rules}).then(found => found.violations)")
        found[name] = [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in violations]
    assert {name: violations for name, violations in found.items() if violations} == {}


@pytest.mark.parametrize("width", [420, 1280])
def test_no_page_is_wider_than_the_window_and_nothing_is_blocked(
    pages: Pages, new_page: Callable[..., Page], width: int
) -> None:
    page = new_page(width)
    for name in NAMES:
        page.goto(f"{pages.url}/{name}")
        page.evaluate(OPEN_ALL)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name


@pytest.mark.parametrize("width", [420, 800, 1280])
def test_the_labels_of_the_axis_do_not_touch_and_do_not_stick_out(
    pages: Pages, new_page: Callable[..., Page], width: int
) -> None:
    page = new_page(width)
    for name in NAMES:
        page.goto(f"{pages.url}/{name}")
        boxes = page.locator(".axis text").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect()).filter(box => box.width)"
            ".map(box => [box.left, box.right])"
        )
        edges = [edge for box in boxes for edge in box]
        assert edges == sorted(edges), name
        assert not edges or edges[-1] <= width, name


def refreshed(page: Page, pages: Pages, html: str) -> None:
    """Serve another page, and wait until it is shown."""
    pages.html["/run-running"] = html
    expect(page.locator("h1")).to_contain_text("changed", timeout=LONGEST)


def changed(number: int = 1) -> str:
    """Return the page of the running run with another name, that looks at itself each second."""
    html = RUNNING.replace("<span>NA12878 germline</span>", f"<span>changed {number}</span>")
    return html.replace('data-refresh="10"', 'data-refresh="0.2"')


def opened(page: Page, pages: Pages) -> None:
    pages.html["/run-running"] = RUNNING.replace('data-refresh="10"', 'data-refresh="0.2"')
    page.goto(f"{pages.url}/run-running")


def test_a_refresh_keeps_what_is_open_where_one_is_and_what_has_the_focus(
    pages: Pages, new_page: Callable[..., Page]
) -> None:
    page = new_page(420)
    opened(page, pages)
    page.locator("#tasks > summary").click()
    page.locator("#tasks-table").evaluate("box => box.scrollTo(120, 0)")
    page.evaluate("scrollTo(0, 300)")
    page.locator("#elsewhere a").first.evaluate("link => link.focus({preventScroll: true})")
    for number in (1, 2, 3):
        pages.html["/run-running"] = changed(number)
        # Read out to those who do not see it.
        expect(page.get_by_role("status")).to_contain_text(f"changed {number} RUNNING", timeout=LONGEST)
        assert page.locator("#tasks").evaluate("one => one.open")
        assert page.locator("#tasks-table").evaluate("box => box.scrollLeft") == 120
        assert page.evaluate("scrollY") == 300
        assert page.evaluate("document.activeElement.textContent") == "The run in the HealthOmics console"


def test_a_page_that_is_the_same_is_not_touched(pages: Pages, new_page: Callable[..., Page]) -> None:
    page = new_page()
    opened(page, pages)
    page.evaluate("window.first = document.querySelector('main')")
    asked = len(pages.asked)
    until(page, lambda: len(pages.asked) >= asked + 3)
    assert page.evaluate("window.first === document.querySelector('main')")
    refreshed(page, pages, changed())


def test_a_refresh_waits_while_text_is_selected(pages: Pages, new_page: Callable[..., Page]) -> None:
    page = new_page()
    opened(page, pages)
    page.locator("h1").evaluate("one => getSelection().selectAllChildren(one)")
    pages.html["/run-running"] = changed()
    asked = len(pages.asked)
    until(page, lambda: len(pages.asked) > asked + 3)
    assert "changed" not in page.locator("h1").inner_text()
    page.evaluate("getSelection().removeAllRanges()")
    expect(page.locator("h1")).to_contain_text("changed")


def until(page: Page, holds: Callable[[], bool]) -> None:
    """Wait until something holds; the browser's own requests go on meanwhile."""
    for _ in range(LONGEST // 50):
        if holds():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it never came to that")


def test_a_page_whose_task_has_ended_is_not_asked_for_again(
    pages: Pages, new_page: Callable[..., Page]
) -> None:
    page = new_page()
    opened(page, pages)
    refreshed(page, pages, changed().replace(' data-refresh="0.2"', ""))
    asked = len(pages.asked)
    page.wait_for_timeout(800)
    assert len(pages.asked) == asked


def test_after_an_error_the_page_stays_and_asks_less_and_less(
    pages: Pages, new_page: Callable[..., Page]
) -> None:
    page = new_page()
    opened(page, pages)
    pages.status = 500
    began = len(pages.asked)
    until(page, lambda: len(pages.asked) >= began + 5)
    moments = [moment for moment, _ in pages.asked[began:]]
    pauses = [after - before for before, after in itertools.pairwise(moments)]
    assert pauses == sorted(pauses)
    assert pauses[-1] > 1  # 0.2 seconds, doubled each time
    assert page.locator("h1").inner_text().startswith("NA12878")
    pages.status = 200
    refreshed(page, pages, changed())


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "Your session has ended"),
        (302, "Your session has ended"),  # a proxy's own login
        (403, "Airflow no longer shows you this page"),
        (404, "This page is gone"),
    ],
)
def test_a_page_that_is_refused_says_so_keeps_what_it_shows_and_comes_back(
    pages: Pages, new_page: Callable[..., Page], status: int, words: str
) -> None:
    page = new_page()
    opened(page, pages)
    pages.status = status
    notice = page.get_by_role("alert")
    expect(notice).to_contain_text(words)
    assert notice.get_by_role("link").get_attribute("href") == f"{pages.url}/"
    expect(page.locator("h1")).to_contain_text("NA12878 germline")
    pages.status = 200
    expect(notice).to_have_count(0)


def test_times_are_written_in_the_zone_that_is_chosen_in_airflow(
    pages: Pages, new_page: Callable[..., Page]
) -> None:
    page = new_page()
    page.goto(f"{pages.url}/run-completed")
    created = page.locator("time").first
    expect(created).to_have_text("2026-01-15 12:00:00")
    page.evaluate("localStorage.setItem('timezone', JSON.stringify('Asia/Tokyo'))")
    page.reload()
    expect(created).to_have_text("2026-01-15 21:00:00")
    page.evaluate("localStorage.setItem('timezone', 'No/Where')")
    page.reload()
    expect(created).to_have_text("2026-01-15 12:00:00 UTC")


def test_the_theme_is_airflow_s_and_follows_it(pages: Pages, new_page: Callable[..., Page]) -> None:
    page = new_page(color_scheme="light")
    pages.html["/frame"] = FRAME.format(theme="dark", source="/run-running")
    page.goto(f"{pages.url}/frame")
    root = page.frame_locator("iframe").locator("html")
    expect(root).to_have_class("framed dark")
    page.evaluate("document.documentElement.className = 'light'")
    expect(root).to_have_class("framed light")
    expect(page.frame_locator("iframe").get_by_role("link", name="The task in Airflow")).to_be_hidden()


def test_alone_the_theme_is_the_one_that_was_chosen_in_airflow(
    pages: Pages, new_page: Callable[..., Page]
) -> None:
    page = new_page(color_scheme="light")
    page.goto(f"{pages.url}/run-running")
    expect(page.locator("html")).to_have_class("light")
    page.evaluate("localStorage.setItem('theme', 'dark')")
    page.reload()
    expect(page.locator("html")).to_have_class("dark")
    assert page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"


def test_a_link_out_of_airflow_s_frame_opens_a_window_that_knows_nothing_of_it(
    pages: Pages, new_page: Callable[..., Page]
) -> None:
    page = new_page()
    page.context.route(
        "https://console.aws.amazon.com/**",
        lambda route: route.fulfill(content_type="text/html", body="<title>AWS</title>"),
    )
    pages.html["/frame"] = FRAME.format(theme="light", source="/run-running")
    page.goto(f"{pages.url}/frame")
    with page.expect_popup() as popup:
        page.frame_locator("iframe").get_by_role("link", name="The run in the HealthOmics console").click()
    popup.value.wait_for_load_state()
    assert popup.value.url.startswith("https://console.aws.amazon.com/omics/home")
    assert popup.value.evaluate("window.opener") is None


def test_the_keyboard_reaches_everything_and_shows_where_it_is(
    pages: Pages, new_page: Callable[..., Page]
) -> None:
    page = new_page()
    page.goto(f"{pages.url}/run-failed")
    wanted = page.locator("a, summary, [tabindex='0']").count()
    page.evaluate(OPEN_ALL)
    reached = set()
    for _ in range(wanted + 4):
        page.keyboard.press("Tab")
        found = page.evaluate(
            "(() => { const at = document.activeElement;"
            " return at === document.body ? null :"
            " [at.outerHTML.slice(0, 200), getComputedStyle(at).outlineStyle]; })()"
        )
        if found:
            assert found[1] == "solid", found[0]
            reached.add(found[0])
    assert len(reached) == wanted


def _tab_stops(page: Page) -> int:
    return int(page.locator(".cells a").evaluate_all("all => all.filter(one => one.tabIndex === 0).length"))


def _focused(page: Page) -> int:
    return int(
        page.locator(".cells a").evaluate_all("all => all.findIndex(one => one === document.activeElement)")
    )


def test_cells_are_one_stop_of_the_tab_key_with_arrow_keys_inside(
    pages: Pages, new_page: Callable[..., Page]
) -> None:
    page = new_page()
    html = cohorts.drawn(cohorts.cohort(100)).replace('data-refresh="10"', 'data-refresh="0.2"')
    pages.html["/cohort"] = html
    page.goto(f"{pages.url}/cohort")
    assert _tab_stops(page) == 1
    page.locator(".cells a").first.focus()
    tops = page.locator(".cells a").evaluate_all("all => all.map(one => one.getBoundingClientRect().top)")
    row = tops.count(tops[0])
    assert 40 < row < 60
    keys = ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "ArrowLeft", "End", "ArrowRight", "Home")
    at = []
    for key in keys:
        page.keyboard.press(key)
        at.append(_focused(page))
    assert at == [1, row + 1, row, 0, 0, 99, 99, 0]
    page.keyboard.press("End")
    # Another link to the same run, before the cells.
    last = page.locator(".cells a").last.get_attribute("href")
    html = html.replace("<h1>", f'<p><a href="{last}">the last</a></p><h1>', 1)
    # The next page keeps the focus where it is, and the other cells out of the Tab key's way.
    pages.html["/cohort"] = html.replace("<h1>HealthOmics", "<h1>changed, HealthOmics")
    expect(page.locator("h1")).to_contain_text("changed", timeout=LONGEST)
    assert _focused(page) == 99
    assert _tab_stops(page) == 1


def test_what_a_cell_says_is_shown_inside_the_window(pages: Pages, new_page: Callable[..., Page]) -> None:
    page = new_page(420)
    pages.html["/cohort"] = cohorts.drawn(cohorts.cohort(60))
    page.goto(f"{pages.url}/cohort")
    for index in range(20):
        cell = page.locator(".cells a").nth(index)
        cell.hover()
        box = cell.locator("span").bounding_box()
        assert box is not None
        assert box["width"] > 60
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 420
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_without_the_script_every_cell_can_be_reached(pages: Pages, new_page: Callable[..., Page]) -> None:
    page = new_page(java_script_enabled=False)
    pages.html["/cohort"] = cohorts.drawn(cohorts.cohort(5))
    page.goto(f"{pages.url}/cohort")
    page.locator(".cells a").first.focus()
    page.keyboard.press("Tab")
    expect(page.locator(".cells a").nth(1)).to_be_focused()
