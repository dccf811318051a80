"""Write the parts of the pages that are made from the product: settings, metrics, IAM actions.

``make docs`` runs it, and a test fails if a page is not what it writes. The parts are kept in the pages, so
that they can be read without building the site.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent))

from airflow_omics._iam import USES, Use, policy  # noqa: E402
from airflow_omics.get_provider_info import METRICS, get_provider_info  # noqa: E402

BEGIN = "<!-- made by docs/tables.py, do not edit -->\n"
END = "<!-- end -->\n"


def settings() -> Iterable[str]:
    """Yield a section for each option of the section ``omics`` of Airflow's configuration."""
    for name, option in get_provider_info()["config"]["omics"]["options"].items():
        default = f"`{option['default']}`" if option["default"] else "empty"
        yield f"### {name}\n"
        yield f"{option['description']}\n"
        yield "| type | default | environment variable | since |"
        yield "|---|---|---|---|"
        variable = f"AIRFLOW__OMICS__{name.upper()}"
        yield f"| {option['type']} | {default} | `{variable}` | {option['version_added']} |\n"


def metrics() -> Iterable[str]:
    """Yield a table of the metrics."""
    yield "| metric | kind | meaning |"
    yield "|---|---|---|"
    for name, (kind, meaning) in METRICS.items():
        yield f"| `{name}` | {kind} | {meaning} |"


def iam() -> Iterable[str]:
    """Yield a section for each use of the package: its actions, and a policy."""
    for use in USES:
        yield f"### {use.name}\n"
        yield from _actions(use)
        yield "```json"
        yield from _policy(use)
        yield "```\n"


def _actions(use: Use) -> Iterable[str]:
    yield "| action | |"
    yield "|---|---|"
    for action in use.required:
        yield f"| `{action}` | **required** |"
    for action, purpose in use.optional.items():
        yield f"| `{action}` | optional: {purpose} |"
    yield ""


def _policy(use: Use) -> Iterable[str]:
    """Yield a policy, one statement a line."""
    made = policy((*use.required, *use.optional), region="us-west-2", account="123456789012")
    statements = ",\n".join(f"    {json.dumps(statement)}" for statement in made["Statement"])
    yield f'{{\n  "Version": "{made["Version"]}",\n  "Statement": [\n{statements}\n  ]\n}}'


PAGES: dict[str, Callable[[], Iterable[str]]] = {
    "reference/configuration.md": settings,
    "reference/metrics.md": metrics,
    "reference/iam.md": iam,
}


def page(name: str) -> str:
    """Return a page's text with its made part as it should be."""
    before, _, rest = (DOCS / name).read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    made = "\n".join(PAGES[name]()).rstrip("\n")
    return f"{before}{BEGIN}\n{made}\n\n{END}{after}"


def main() -> None:
    """Write each page again."""
    for name in PAGES:
        (DOCS / name).write_text(page(name))


if __name__ == "__main__":
    main()
