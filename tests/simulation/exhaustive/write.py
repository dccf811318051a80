"""Writes what cannot be promised into docs/use/starting.md, and keeps the numbers of the histories.

``python -m tests.simulation.exhaustive.write`` does both; a test fails if either is not what it writes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.simulation.exhaustive import changes
from tests.simulation.exhaustive.batch_starts import all_batch_starts
from tests.simulation.exhaustive.broken import REASONS
from tests.simulation.exhaustive.history import LASTING
from tests.simulation.exhaustive.starts import Table, all_starts

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "use" / "starting.md"
STEERING = ROOT / "docs" / "use" / "steering.md"
NUMBERS = ROOT / "tests" / "data" / "start_histories.json"
BATCH_NUMBERS = NUMBERS.with_name("batch_histories.json")
BEGIN = "<!-- made by tests/simulation/exhaustive/write.py, do not edit -->\n"
END = "<!-- end -->\n"

_WHERE = {
    ("the task state store is", "there"): "with a task state store",
    ("the task state store is", "missing"): "without a task state store",
    ("the task waits", "in a worker"): "the task waits in a worker",
    ("the task waits", "deferred"): "`deferrable=True`",
    ("the task waits", "not at all"): "`wait_for_completion=False`",
    ("on_clear is", "new"): '`on_clear="new"`',
    ("on_clear is", "reattach"): '`on_clear="reattach"`',
    ("cancel_on_kill is", "True"): "`cancel_on_kill=True`",
    ("cancel_on_kill is", "False"): "`cancel_on_kill=False`",
    ("omics:ListRuns is", "denied"): "`omics:ListRuns` is denied",
    ("omics:ListRuns is", "allowed"): "`omics:ListRuns` is allowed",
    ("omics:CancelRun is", "denied"): "`omics:CancelRun` is denied",
    ("omics:CancelRun is", "allowed"): "`omics:CancelRun` is allowed",
}
_TOKENS = {
    "earlier": "the earlier run",
    "conflict": "`ConflictException`",
    "validation": "`ValidationException`",
    "forgotten": "another run",
}


def rows(table: Table) -> str:
    """Return the table of the page: a row for each reason that some history has."""
    lines = ["| what happens | only if | then |", "|---|---|---|"]
    for name, reason in REASONS.items():
        if name in table.worlds:
            lines.append(f"| {reason.when} | {_only_if(table.worlds[name]) or 'always'} | {reason.then} |")
    return "\n".join(lines) + "\n"


def _only_if(worlds: dict[str, set[str]]) -> str:
    parts = []
    for question, answers in LASTING.items():
        found = [answer for answer in answers if answer in worlds[question]]
        if len(found) == len(answers):
            continue
        if question.startswith("a repeated token"):
            parts.append(
                f"AWS answers a repeated token with {' or '.join(_TOKENS[answer] for answer in found)}"
            )
        else:
            parts.append(" or ".join(_WHERE[question, answer] for answer in found))
    return ", ".join(parts)


def numbers(table: Table) -> dict[str, Any]:
    """Return how many histories came to what."""
    by_outcome = sorted((outcome, branch.number) for outcome, branch in table.outcomes.items())
    return {"histories": table.histories, "tries played": table.plays, "outcomes": dict(by_outcome)}


def change_rows(histories: list[changes.Change]) -> str:
    """Return the table of the page about cancel and delete."""
    found = {name for done in histories for name in done.broken}
    lines = ["| what happens | then |", "|---|---|"]
    lines += [f"| {when} | {then} |" for name, (when, then) in changes.REASONS.items() if name in found]
    return "\n".join(lines) + "\n"


def page_with(text: str, table: str) -> str:
    """Return the page with the table in its place."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table}{END}{after}"


def main() -> None:
    table = all_starts()
    for page, made in ((PAGE, rows(table)), (STEERING, change_rows(changes.all_changes()))):
        page.write_text(page_with(page.read_text(encoding="utf-8"), made), encoding="utf-8")
    for kept, counted in ((NUMBERS, table), (BATCH_NUMBERS, all_batch_starts())):
        kept.write_text(json.dumps(numbers(counted), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
