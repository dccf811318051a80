"""Every link in the repository's Markdown leads somewhere, heading included, also outside the site."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import hatch_build

REPOSITORY = Path(__file__).parents[2]
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def links(page: Path) -> list[str]:
    text = CODE.sub("", page.read_text())
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", CODE.sub("", page.read_text()), re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")
        number = 1
        while (anchor := name if number == 1 else f"{name}-{number - 1}") in found:
            number += 1
        found.add(anchor)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in links(page):
        target, _, anchor = link.partition("#")
        file = page.parent / target if target else page
        assert file.exists(), f"{link}: there is no such file"
        if anchor:
            assert anchor in anchors(file), f"{link}: there is no such heading"


@pytest.mark.parametrize("folder", ["airflow_omics", "scripts", "benchmarks", "example_dags", "tests", ".ci"])
def test_every_page_that_code_names_exists(folder: str) -> None:
    for path in (REPOSITORY / folder).rglob("*"):
        if path.suffix in (".py", "") and path.is_file():
            for named in re.findall(r"\bdocs/[\w/.-]+\.(?:md|png|svg)\b", path.read_text()):
                assert (REPOSITORY / named).exists(), f"{path}: {named}"


def test_the_readme_has_absolute_links_on_a_package_index() -> None:
    text = (REPOSITORY / "README.md").read_text()
    shown = hatch_build.for_index(text, "https://example.org/airflow-omics", "1.2.3")
    targets = re.findall(r"\]\(([^)\s]+)\)", shown)
    assert len(targets) > 10
    assert all(target.startswith(("https://", "#")) for target in targets)
    at = "https://example.org/airflow-omics"
    assert f"]({at}/blob/v1.2.3/docs/use/waiting.md)" in shown
    assert f"]({at}/raw/v1.2.3/docs/images/gate-failed.png)" in shown


def test_the_readme_has_no_dead_link_if_the_repository_has_no_address() -> None:
    shown = hatch_build.for_index((REPOSITORY / "README.md").read_text(), None, "1.2.3")
    assert all("://" in target for target in re.findall(r"\]\(([^)\s]+)\)", shown))
    assert "\n> A gate that failed: " in shown
