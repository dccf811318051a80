"""The tasks of a run as a table: what the timeline draws, in words."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_omics._words import span
from airflow_omics.plugin.html import badge, folded, scrolling, text, time
from airflow_omics.plugin.rows import Told

_HEADS = ("Task", "Status", "Waited", "Started", "Took", "Instance", "Asked for", "Id")


def tasks_table(tasks: Sequence[Told], seen: float) -> str:
    """Return the table, folded; an empty text without a task.

    :param seen: when the tasks were listed.
    """
    if not tasks:
        return ""
    heads = "".join(f'<th scope="col">{head}</th>' for head in _HEADS)
    rows = "".join(_row(one, seen) for one in tasks)
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    return folded("tasks", "The same as a table", scrolling("tasks-table", "Tasks of the run", table))


def _row(one: Told, seen: float) -> str:
    task, attempt = one
    until = task.stopped if task.stopped is not None else seen if task.is_active else None
    begun = task.started if task.started is not None else until
    waited = "" if task.created is None or begun is None else span(begun - task.created)
    took = "" if task.started is None or until is None else span(until - task.started)
    name = text(task.name)
    if attempt.of > 1:
        name += f' <span class="note">attempt {attempt.number} of {attempt.of}</span>'
    cells = (
        badge(task.status) + (' <span class="note">from the run cache</span>' if task.cached else ""),
        waited,
        "" if task.started is None else time(task.started),
        took + (" so far" if took and task.is_active else ""),
        text(task.instance or ""),
        _asked(one),
        text(task.id),
    )
    row = "".join(f'<td class="brief">{cell}</td>' for cell in cells)
    return f'<tr><th scope="row" class="wide">{name}</th>{row}</tr>'


def _asked(one: Told) -> str:
    task = one.task
    asked = ((task.cpus, "vCPU"), (task.memory, "GiB"), (task.gpus, "GPU"))
    return ", ".join(f"{number:g} {unit}" for number, unit in asked if number)
