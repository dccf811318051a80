"""How far a run is, in words: for the line of a task's log, and for the warning that nothing moves.

Pure: no call, no clock. Names of tasks are other people's text, so they are cleaned and cut.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from airflow_omics._monitoring.task_table import RunTask, TaskTable, epoch
from airflow_omics._words import about, span
from airflow_omics.diagnosis.lines import clean_text
from airflow_omics.links import OmicsRunLogLink, run_links

LONGEST_LINE: Final = 300
"""Characters of a line in which tasks are named."""

WITH_TASKS: Final = ("RUNNING", "STOPPING")
"""The statuses of a run that goes on and may have tasks."""

_OLD: Final = 600.0  # seconds after which a line says how old the list of tasks is
_MOST_NAMED: Final = 3
_LONGEST_NAME: Final = 24
_LONGEST_READ: Final = 200  # of a name, before it is cut
_WORDS: Final = (
    ("FAILED", "failed"),
    ("CANCELLED", "cancelled"),
    ("RUNNING", "running"),
    ("STARTING", "starting"),
    ("STOPPING", "stopping"),
    ("PENDING", "waiting"),
)
_DONE: Final = "COMPLETED"


def with_tasks(
    plain: str,
    *,
    status: str,
    before: str | None,
    record: Mapping[str, Any],
    tasks: TaskTable | None,
    now: float,
    room: int = LONGEST_LINE,
) -> str:
    """Return the text of a line about a run's status, with its tasks if they are known.

    :param plain: the text without them: ``is RUNNING (600 s since the first look)``.
    :param before: the status before; None if it is not known.
    :param record: the run's record.
    :param tasks: its tasks, as they were listed last.
    :param now: the time by the service's clock, in seconds since the epoch; as those in the record and table.
    :param room: characters that the text may have.
    """
    if status not in WITH_TASKS or tasks is None or not tasks.tasks:
        return plain
    started = epoch(record.get("startTime"))
    if status == "RUNNING" and before in (None, status) and started is not None:
        plain = f"is RUNNING {about(now - started)}"
    age = now - tasks.seen
    ago = f" ({about(age)} ago)" if age > _OLD else ""
    return f"{plain}: {_counts(tasks, room - len(plain) - len(ago) - 2)}{ago}"


def newest_movement(tasks: TaskTable, record: Mapping[str, Any]) -> float | None:
    """Return when a task was made, started or stopped last; without tasks, when the run was started.

    In seconds since the epoch, by the service's clock; None if nothing of that is known.
    """
    moments = [epoch(record.get("startTime"))]
    for task in tasks.tasks:
        moments += (task.created, task.started, task.stopped)
    return max((moment for moment in moments if moment is not None), default=None)


def stuck_in_words(tasks: TaskTable, record: Mapping[str, Any], *, since: float, stuck_after: float) -> str:
    """Return the warning that nothing has moved: for how long, what goes on, and where to look.

    :param since: when something moved last, in seconds since the epoch, by the service's clock.
    :param stuck_after: the seconds after which that is worth a warning.
    """
    text = (
        f"nothing has moved for {about(tasks.seen - since)} (stuck_after is {span(stuck_after)}): "
        f"no task was made, started or stopped. {' '.join(_what_goes_on(tasks))}"
    )
    return f"{text} {_where_to_look(record)}"


def moves_again(tasks: TaskTable, stuck_since: float) -> str:
    """Return the line after such a warning, once something has moved."""
    return f"moves again, after {about(tasks.seen - stuck_since)} in which nothing had moved"


def _what_goes_on(tasks: TaskTable) -> Iterable[str]:
    active = _longest_first(tasks, ("RUNNING", "STARTING", "STOPPING"))
    if active:
        yield f"Active: {_named(active, tasks.seen, _MOST_NAMED)}."
    waiting = _longest_first(tasks, ("PENDING",))
    if waiting:
        yield (
            f"Waiting to start: {_named(waiting, tasks.seen, _MOST_NAMED)}; there is no capacity, or the run "
            "is at its maximum of concurrent tasks."
        )
    elif not active:
        none = "No task is active" if tasks.tasks else "No task was made yet"
        yield f"{none}: files are imported or exported, or the workflow's engine is stuck."


def _where_to_look(record: Mapping[str, Any]) -> str:
    arn = str(record.get("arn") or "")
    region = arn.split(":")[3] if arn.count(":") >= 5 else ""
    at = f" --region {shlex.quote(region)}" if region else ""
    text = f"To see more: aws omics list-run-tasks --id {shlex.quote(str(record.get('id')))}{at}"
    links = run_links(record)  # type: ignore[arg-type]
    url = OmicsRunLogLink().url(links) if links else ""
    return f"{text}, and the run's log, {url}" if url else text


def _counts(tasks: TaskTable, room: int) -> str:
    """Return how many tasks there are of each kind; as many names as there is room for."""
    texts = [_counts_with(tasks, most) for most in range(_MOST_NAMED, -1, -1)]
    return next((text for text in texts if len(text) <= room), texts[-1])


def _counts_with(tasks: TaskTable, most_named: int) -> str:
    counts = tasks.counts
    number = Counter(counts.by_status)
    done = number.pop(_DONE, 0)
    from_cache = f" ({counts.cached:,} from cache)" if counts.cached else ""
    parts = [f"{f'{done:,}' if done else 'no'} {'task' if done < 2 else 'tasks'} done{from_cache}"]
    for status, word in _WORDS:
        if count := number.pop(status, 0):
            names = ""
            if status in ("RUNNING", "FAILED") and most_named:
                names = f" ({_named(_longest_first(tasks, (status,)), tasks.seen, most_named)})"
            parts.append(f"{count:,} {word}{names}")
    if others := sum(number.values()):
        parts.append(f"{others:,} in another status")
    if counts.more:
        parts.append("more not listed")
    return ", ".join(parts)


def _longest_first(tasks: TaskTable, statuses: Collection[str]) -> list[RunTask]:
    chosen = [task for task in tasks.tasks if task.status in statuses]
    return sorted(chosen, key=lambda task: -_lasted(task, tasks.seen))


def _lasted(task: RunTask, seen: float) -> float:
    """Return for how long a task has run or waited, or ran."""
    since = task.created if task.started is None else task.started
    return 0.0 if since is None else (seen if task.stopped is None else task.stopped) - since


def _named(tasks: Collection[RunTask], seen: float, most: int) -> str:
    shown = [_with_duration(task, seen) for task in list(tasks)[:most]]
    return ", ".join(shown + ["..."] * (len(tasks) > most))


def _with_duration(task: RunTask, seen: float) -> str:
    name = clean_text(task.name, _LONGEST_READ)
    if len(name) > _LONGEST_NAME:
        name = f"{name[: _LONGEST_NAME - 3].rstrip()}..."
    lasts = task.is_active and (task.created is not None or task.started is not None)
    return f"{name or 'unnamed'} {about(_lasted(task, seen))}" if lasts else name or "unnamed"
