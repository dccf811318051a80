"""Why runs ended badly: how many for each reason, who can act, and what helps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from airflow_omics.failures import (
    ENDINGS,
    FAILURES,
    LOOK_INSIDE,
    NOT_LOOKED_AT,
    NOT_SUBMITTED,
    OWNERS,
    classify_submission,
)
from airflow_omics.plugin.html import text
from airflow_omics.plugin.shares import many

_MOST: Final = 20


class Row(NamedTuple):
    """Runs that ended badly for one reason.

    :param owner: who can act, as a snapshot has it; empty if nobody knows.
    :param examples: HTML.
    """

    reason: str
    owner: str
    number: int
    examples: str = ""


def table(rows: Sequence[Row], caption: str) -> str:
    """Return a table of reasons in the order of the rows; empty if there is none."""
    if not rows:
        return ""
    body = "".join(map(_row, rows[:_MOST]))
    if rest := rows[_MOST:]:
        number = f'<td class="num">{sum(row.number for row in rest):,}</td>'
        body += f'<tr><th scope="row">{many(len(rest), "other reason")}</th>{number}<td></td></tr>'
    head = '<th scope="col">Why</th><th scope="col" class="num">Runs</th><th scope="col">Who can act</th>'
    return (
        f'<table class="reasons"><caption>{text(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def most_first(rows: Iterable[Row]) -> list[Row]:
    """Return the rows, the most frequent first."""
    return sorted(rows, key=lambda row: -row.number)


def _row(row: Row) -> str:
    # A long name in capitals may break where its words end.
    name = text(row.reason or "no reason given").replace("_", "_<wbr>")
    advice = f"<p>{text(helps)}</p>" if (helps := advice_for(row.reason)) else ""
    examples = f"<p>Such as {row.examples}</p>" if row.examples else ""
    owner = "" if row.reason == NOT_LOOKED_AT.reason else OWNERS.get(row.owner, row.owner) or "not known"
    return (
        f'<tr><th scope="row"><b>{name}</b>{advice}{examples}</th>'
        f'<td class="num">{row.number:,}</td><td>{text(owner)}</td></tr>'
    )


def advice_for(reason: str) -> str:
    """Return what helps against a reason of a run, an ending or a submission; empty if nobody knows."""
    if known := FAILURES.get(reason) or ENDINGS.get(reason):
        return known.advice
    if reason == NOT_SUBMITTED.reason:
        return NOT_SUBMITTED.advice
    submission = classify_submission(reason)
    return "" if submission.failure_class == LOOK_INSIDE else submission.advice
