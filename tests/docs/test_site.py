"""The site builds without a warning, and what is made from the product is as the product is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from docs import tables

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a link that leads nowhere, on a page or in a docstring, is a warning and an error."""
    built = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "sphinx",
            "--fail-on-warning",
            "--keep-going",
            "--quiet",
            str(DOCS),
            str(built),
        ],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return built


def test_every_page_is_built(site: Path) -> None:
    pages = {path.relative_to(DOCS).with_suffix("") for path in DOCS.rglob("*.md")}
    assert pages == {
        path.relative_to(site).with_suffix("")
        for path in site.rglob("*.html")
        if path.name not in ("genindex.html", "py-modindex.html", "search.html")
    }


@pytest.mark.parametrize(
    "name",
    [
        "airflow_omics.sensors.OmicsRunSensor",
        "airflow_omics.operators.OmicsStartRunOperator",
        "airflow_omics.operators.OmicsDiagnoseRunOperator",
        "airflow_omics.triggers.OmicsRunTrigger",
        "airflow_omics.hooks.OmicsHook",
        "airflow_omics.exceptions.OmicsAccessError",
        "airflow_omics.links.OmicsRunLink",
        "airflow_omics.notifications.OmicsRunNotifier",
        "airflow_omics.records.RunRecord",
        "airflow_omics.failures.Failure",
        "airflow_omics.retry_policies.OmicsRetryPolicy",
        "airflow_omics.emulator.EmulatorServer",
        "airflow_omics.emulator.mock_omics",
    ],
)
def test_the_api_page_has_what_docstrings_say(site: Path, name: str) -> None:
    assert f'id="{name}"' in (site / "reference" / "api.html").read_text()


@pytest.mark.parametrize("name", tables.PAGES)
def test_what_is_made_from_the_product_is_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text() == tables.page(name), "run `make docs`"
