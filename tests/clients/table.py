"""The table of what each client did: in a terminal, and on the page about the emulator."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from .bench import Report, Result

PAGE = Path(__file__).parents[2] / "docs" / "use" / "emulator.md"
_BEGIN, _END = "<!-- clients -->", "<!-- /clients -->"


def is_green(report: Report) -> bool:
    """Return whether a client did all that it is driven to do, but for its own known bugs."""
    return all(result.excused or not result.failure for result in report.results)


def said(result: Result) -> str:
    """Return what came of a step, in one line."""
    if not result.failure:
        return "passed"
    return f"the client's own bug: {result.failure}" if result.excused else f"failed: {result.failure}"


def rendered(reports: Sequence[Report]) -> str:
    """Return the tables in Markdown: one of clients, and one of what they did."""
    lines = ["| client | version | steps that passed | operations | answered 501 |", "|---|---|---|---|---|"]
    for report in reports:
        passed = sum(not result.failure for result in report.results)
        excused = sum(result.excused for result in report.results)
        operations = sorted(set().union(*(result.operations for result in report.results)))
        refused = sorted(set().union(*(result.refused for result in report.results)))
        lines.append(
            _row(
                report.client,
                report.version,
                f"{passed} of {len(report.results)}" + (f"; its own bugs: {excused}" if excused else ""),
                ", ".join(name for name in operations if name not in refused),
                ", ".join(refused),
            )
        )
    lines += ["", "| client | what it did | result |", "|---|---|---|"]
    for report in reports:
        steps: dict[str, list[str]] = {"passed": []}
        for result in report.results:
            steps.setdefault(said(result), []).append(result.step)
        lines += [_row(report.client, "; ".join(names), what) for what, names in steps.items() if names]
    return "\n".join(lines) + "\n"


def write(reports: Sequence[Report], page: Path = PAGE) -> None:
    """Write the tables into the page, between its marks."""
    text = page.read_text()
    page.write_text(_between(text)[0] + _BEGIN + "\n" + rendered(reports) + _between(text)[2])


def written(page: Path = PAGE) -> str:
    """Return what the page has between its marks."""
    return _between(page.read_text())[1]


def _between(text: str) -> tuple[str, str, str]:
    found = re.fullmatch(f"(.*){_BEGIN}\n(.*)({_END}.*)", text, re.DOTALL)
    if found is None:
        raise ValueError(f"the page has no {_BEGIN} followed by {_END}, each on a line of its own")
    return found[1], found[2], found[3]


def _row(*cells: str) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(text: str) -> str:
    # What a client prints may look like markup.
    return re.sub(r"([|<>*_\[\]])", r"\\\1", text)
