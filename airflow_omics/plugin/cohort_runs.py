"""The part of a cohort page that is about the runs of one task."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from airflow_omics._words import span
from airflow_omics.plugin import html, reasons
from airflow_omics.plugin.cells import folded, grid, such_as
from airflow_omics.plugin.cohort import Cohort
from airflow_omics.plugin.html import text
from airflow_omics.plugin.model import Gate
from airflow_omics.plugin.readable import line, when
from airflow_omics.plugin.shares import bar, legend, many
from airflow_omics.plugin.standing import Standing, is_active, reason_of, shares, stuck_for

_SEE_LOG: Final = "the task's log says why"
_SMALL: Final = 300
"""Cells at most that come first; more come last, so that what matters needs no scrolling."""


def runs(number: int, gates: Sequence[Gate], cohort: Cohort) -> str:
    """Return the section of a task whose gates are about runs.

    :param number: the section's own, for the ids of its elements.
    """
    task_id = line(gates[0].task_id, 250)
    matters = _stuck(number, gates, cohort) + _notes(gates, cohort)
    why = reasons.table(reasons.most_first(_reasons(gates, cohort)), f"Why runs of {task_id} ended badly")
    if len(gates) == 1 and gates[0].map_index < 0:
        size, body = "", f"{_alone(gates[0], cohort)}{matters}{why}"
    else:
        size = f' <span class="dim">{many(len(gates), "run")}</span>'
        cells = grid(gates, cohort, f"Runs of {task_id} by map index")
        first, last = (cells, "") if len(gates) <= _SMALL else ("", cells)
        found, listed = shares(gates), _listed(number, gates, cohort)
        body = f"{bar(found)}{legend(found)}{first}{_facts(gates, cohort)}{matters}{why}{listed}{last}"
    heading = f'<h2 id="task-{number}"><bdi>{text(task_id)}</bdi>{size}</h2>'
    return f'<section aria-labelledby="task-{number}">{heading}{body}</section>'


def _alone(gate: Gate, cohort: Cohort) -> str:
    found = Standing.of(gate)
    status = line(gate.run.get("status"), 40)
    mark = f'<span class="cell {found.css}" aria-hidden="true"></span> {text(found.word)}'
    said = html.badge(status) if status else mark
    began, took = when(gate.run.get("startTime")), _took(gate)
    if took is not None:
        said += f' <span class="dim">took {span(took)}</span>'
    elif began is not None and is_active(gate) and not gate.is_over:
        said += f' <span class="dim">for {span(cohort.now - began)}</span>'
    return f'<p class="alone">{cohort.link(gate)} {said}</p>'


def _bad(gates: Sequence[Gate]) -> list[Gate]:
    return [gate for gate in gates if Standing.of(gate).is_bad]


def _listed(number: int, gates: Sequence[Gate], cohort: Cohort) -> str:
    bad = _bad(gates)
    return folded(f"bad-{number}", f"{many(len(bad), 'run')} that ended badly", bad, _said, cohort)


def _said(gate: Gate) -> str:
    reason, _ = reason_of(gate)
    return ", ".join(filter(None, (Standing.of(gate).word, reason)))


def _reasons(gates: Sequence[Gate], cohort: Cohort) -> Iterator[reasons.Row]:
    groups: dict[tuple[str, str], list[Gate]] = defaultdict(list)
    for gate in _bad(gates):
        groups[_reason(gate)].append(gate)
    for (reason, owner), found in groups.items():
        yield reasons.Row(reason, owner, len(found), such_as(found, cohort))


def _reason(gate: Gate) -> tuple[str, str]:
    status = line(gate.run.get("status"), 40)
    if not status:
        return Standing.of(gate).word, _SEE_LOG
    reason, owner = reason_of(gate)
    return reason or ("" if status == "FAILED" else status), owner


def _facts(gates: Sequence[Gate], cohort: Cohort) -> str:
    """Return what has taken longest, what ended last, and how long those took that completed."""
    return html.facts(
        [
            *_longest("Running longest", gates, ("RUNNING", "STOPPING"), "startTime", cohort),
            *_longest("Waiting longest", gates, ("PENDING", "STARTING"), "creationTime", cohort),
            *_ended_last(gates),
            *_all_took(gates),
        ]
    )


def _longest(
    name: str, gates: Sequence[Gate], statuses: Sequence[str], since: str, cohort: Cohort
) -> Iterator[tuple[str, str]]:
    going_on = (gate for gate in gates if gate.run.get("status") in statuses and not cohort.is_left(gate))
    timed = [(began, gate) for gate in going_on if (began := when(gate.run.get(since))) is not None]
    if timed:
        began, gate = min(timed, key=lambda one: one[0])
        yield name, f"{span(cohort.now - began)} {html.note(cohort.link(gate))}"


def _ended_last(gates: Sequence[Gate]) -> Iterator[tuple[str, str]]:
    ends = [end for gate in gates if not is_active(gate) and (end := when(gate.run.get("stopTime")))]
    if ends:
        yield "Last ended", html.time(max(ends))


def _all_took(gates: Sequence[Gate]) -> Iterator[tuple[str, str]]:
    every = (_took(gate) for gate in gates if gate.run.get("status") == "COMPLETED")
    took = [one for one in every if one is not None]
    if len(took) == 1:
        yield "The completed one took", span(took[0])
    elif took:
        middle = html.note(f"half of them at most {span(statistics.median(took))}")
        yield f"The {len(took):,} completed took", f"{span(min(took))} to {span(max(took))} {middle}"


def _took(gate: Gate) -> float | None:
    began, ended = when(gate.run.get("startTime")), when(gate.run.get("stopTime"))
    return ended - began if began is not None and ended is not None and ended >= began else None


def _stuck(number: int, gates: Sequence[Gate], cohort: Cohort) -> str:
    stuck = [gate for gate in gates if stuck_for(gate, cohort.now) and not cohort.is_left(gate)]
    if not stuck:
        return ""
    if len(stuck) == 1:
        said = f"{cohort.link(stuck[0])} has not moved for {stuck_for(stuck[0], cohort.now)}."
        return f'<div class="warning"><p>{said}</p></div>'
    listed = folded(
        f"stuck-{number}", "All of them", stuck, lambda gate: f"for {stuck_for(gate, cohort.now)}", cohort
    )
    said = f"{len(stuck):,} runs have not moved for long: {such_as(stuck, cohort)}."
    return f'<div class="warning"><p>{said}</p>{listed}</div>'


def _notes(gates: Sequence[Gate], cohort: Cohort) -> str:
    """Return what the counts alone would leave unclear."""
    left = sum(map(cohort.is_left, gates))
    again = sum(gate.state == "up_for_retry" for gate in gates)
    failed = sum(gate.state == "failed" and gate.run.get("status") == "COMPLETED" for gate in gates)
    elsewhere = sum(gate.is_elsewhere for gate in gates)
    notes = (
        (left, f"{many(left, 'run')} went on when the task ended. What came after is not known here."),
        (again, f"{many(again, 'task')} will be retried."),
        (failed, f"{many(failed, 'task')} failed after the run had completed: {_SEE_LOG}."),
        (
            elsewhere,
            f"The XComs of {many(elsewhere, 'task')} are kept where the API server does not look. "
            "Of these, only Airflow's state is known.",
        ),
    )
    return "".join(f'<p class="note">{note}</p>' for number, note in notes if number)
