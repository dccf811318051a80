"""Airflow's UI in a headless Chromium, as a person uses it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import (
    ConsoleMessage,
    Locator,
    Page,
    Route,
    ViewportSize,
    expect,
    sync_playwright,
)

from scripts.setup.programs import chromium
from scripts.stack import Stack

AWS_CONSOLE = "https://console.aws.amazon.com/"
# A container's root has no sandbox to give, and nothing may be asked of the network on the side.
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Seconds are too few for the first page of an API server that shares two cores with everything else.
_LONGEST_WAIT = 60_000  # milliseconds


class Browser:
    """One window on Airflow.

    :param page: its tab.
    :param stack: the Airflow that it looks at.
    :ivar complaints: what its console has as errors and warnings.
    """

    def __init__(self, page: Page, stack: Stack) -> None:
        self.page = page
        self._stack = stack
        self.complaints: list[str] = []
        page.on("console", self._keep)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _keep(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def log_in(self) -> None:
        """Open Airflow, which asks for a name and a password, and answer."""
        self.page.goto(self._stack.airflow_url)
        self.page.get_by_label("Username").fill(self._stack.user)
        self.page.locator("input[name=password]").fill(self._stack.password)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("link", name="Dags", exact=True)).to_be_visible()

    def open_gate(self, dag_id: str, dag_run_id: str) -> None:
        """Go from the page of a DAG run to its task ``gate``, and wait for the log."""
        dag_run = f"/dags/{dag_id}/runs/{dag_run_id}"
        self.page.goto(f"{self._stack.airflow_url}{dag_run}")
        # In the table of tasks: the grid beside it has a "gate" too, which leads to all of its runs.
        self.page.locator(f"a[href='{dag_run}/tasks/gate']", has_text="gate").click()
        expect(self.page.get_by_role("heading", name="gate")).to_be_visible()
        # A log opens at its end, and only lines in sight are there.
        first, last = (self.page.get_by_text(text) for text in ("Log message source details", "Post Execute"))
        expect(first.or_(last).first).to_be_visible()

    def state(self) -> Locator:
        """Return the badge beside the task's name; those of the grid have no text."""
        return self.page.get_by_test_id("state-badge").filter(has_text=re.compile("[a-z]"))

    def wrap_log(self) -> None:
        """Break long lines of a log, with the key that Airflow has for it."""
        self.page.keyboard.press("w")

    def scroll_to(self, text: str) -> None:
        """Scroll a log until the first line that holds ``text`` is its uppermost."""
        self.page.get_by_text(text).first.evaluate("line => line.scrollIntoView({block: 'start'})")

    def open_tab(self, name: str) -> None:
        """Open one of the tabs below the task's head."""
        self.page.get_by_role("link", name=name, exact=True).click()

    def open_xcom(self, key: str) -> None:
        """Open what the task left in XCom under a key, unfolded."""
        address, _, _ = self.page.url.partition("/tasks/gate")
        self.page.goto(f"{address}/tasks/gate/xcom?key_pattern={key}")
        self.page.get_by_label("Expand all extra JSON").click()

    def links(self) -> dict[str, str | None]:
        """Return the URL of each extra link to AWS that the page shows, by its label."""
        links = self.page.get_by_role("link", name="HealthOmics")
        links.first.wait_for()
        found = {link.inner_text(): link.get_attribute("href") for link in links.all()}
        return {label: url for label, url in found.items() if url and url.startswith(AWS_CONSOLE)}

    def follow(self, label: str) -> str:
        """Click an extra link; return the address that the new tab arrives at."""
        with self.page.expect_popup() as popup:
            self.page.get_by_role("link", name=label, exact=True).click()
        popup.value.wait_for_load_state()
        address = popup.value.url
        popup.value.close()
        return address

    def photograph(self, path: Path, height: int) -> None:
        """Write the upper ``height`` pixels of the page to a PNG file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.mouse.move(0, 0)
        self.page.screenshot(
            path=path, clip={"x": 0, "y": 0, "width": 1280, "height": height}, animations="disabled"
        )


Scheme = Literal["light", "dark"]


@contextmanager
def windows(stack: Stack) -> Iterator[Callable[[Scheme], Browser]]:
    """Start a browser; yield what opens a window of a new person, who prefers light or dark colours.

    In it AWS's console answers with an empty page, and nothing else outside answers.
    """
    browser = chromium()
    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=browser, args=OPTIONS)
        expect.set_options(timeout=_LONGEST_WAIT)

        def answer(route: Route) -> None:
            if route.request.url.startswith(stack.airflow_url):
                route.continue_()
            elif route.request.url.startswith(AWS_CONSOLE):
                route.fulfill(content_type="text/html", body="<title>AWS</title>")
            else:
                route.abort()

        def opened(scheme: Scheme) -> Browser:
            size = ViewportSize(width=1280, height=900)
            context = program.new_context(
                viewport=size, locale="en-GB", timezone_id="UTC", color_scheme=scheme
            )
            context.set_default_timeout(_LONGEST_WAIT)
            context.route("**/*", answer)
            return Browser(context.new_page(), stack)

        try:
            yield opened
        finally:
            program.close()


@contextmanager
def window(stack: Stack) -> Iterator[Browser]:
    """Open one window, in light colours; see :func:`windows`."""
    with windows(stack) as opened:
        yield opened("light")
