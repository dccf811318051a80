"""How ``make docs`` builds the site: nothing is fetched, and a warning is an error."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

# Importing Airflow writes a configuration file into its home.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-omics-docs-"))
os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "WARNING"

from airflow_omics import __version__

project = "airflow-omics"
author = "the authors of airflow-omics"
version = release = __version__
language = "en"
html_title = f"airflow-omics {release}"
html_theme = "furo"
html_copy_source = False
html_show_copyright = False

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
# Every heading down to the fourth level can be linked to as GitHub spells it, and a link that leads nowhere
# is a warning.
myst_heading_anchors = 4

nitpicky = True
nitpick_ignore_regex = [
    # What other projects define. Their inventories would have to be fetched.
    (r"py:.*", r"(airflow|aiobotocore|botocore|moto)\..*"),
    (
        r"py:(class|exc)",
        r"(AirflowSensorTimeout|AirflowTaskTimeout|AirflowException|ValueError|TimeoutError)",
    ),
    # What is not public has no page.
    (r"py:.*", r"airflow_omics\.(.+\.)?_.*"),
]
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "exclude-members": "__init__, __new__"}

# Pages that lie at the top of the repository, where people and hosts look for them.
_AT_THE_TOP = {
    "develop/contributing": "CONTRIBUTING.md",
    "develop/security": "SECURITY.md",
    "develop/changes": "CHANGELOG.md",
}


def _read_from_the_top(app: Any, page: str, source: list[str]) -> None:
    """Take a page's text from the top of the repository, with its links as they are from here."""
    if page not in _AT_THE_TOP:
        return
    text = (Path(app.srcdir).parent / _AT_THE_TOP[page]).read_text().replace("](docs/", "](../")
    for here, file in _AT_THE_TOP.items():
        text = text.replace(f"]({file}", f"]({Path(here).name}.md")
    source[0] = text


def setup(app: Any) -> None:
    """Register what this file adds to Sphinx."""
    app.connect("source-read", _read_from_the_top)
