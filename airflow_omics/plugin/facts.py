"""The facts of a run: its times, when it should end, and how many of its tasks have ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from airflow_omics._monitoring.forecast import Forecast
from airflow_omics._words import span
from airflow_omics.plugin.hours import hours_fact
from airflow_omics.plugin.html import KNOWN, facts, note, status_class, swatch, text, time
from airflow_omics.plugin.model import RunView
from airflow_omics.plugin.run_state import RunState
from airflow_omics.records import TERMINAL_STATUSES


def run_facts(state: RunState) -> str:
    """Return what is known of a run in numbers."""
    return facts([*_times(state), *_expected(state), *hours_fact(state), *_storage(state)])


def _times(state: RunState) -> Iterator[tuple[str, str]]:
    if state.created is not None:
        yield "Created", time(state.created)
    if state.waited is not None and (state.started is not None or state.is_active):
        yield ("Waited" if state.started is not None else "Waiting for"), span(state.waited)
    elif state.waited is not None and state.ended_badly and state.status != "DELETED":
        yield "Started", "never"
    if state.ran is not None:
        yield ("Running for" if state.is_active else "Ran for"), span(state.ran)
    if state.stopped is not None:
        yield "Ended", time(state.stopped)


def _expected(state: RunState) -> Iterator[tuple[str, str]]:
    found = state.forecast
    if found is None:
        return
    if found.left is None:
        earlier = f"all {found.number} earlier runs" if found.number > 1 else "the one earlier run"
        yield "Should end", f"it takes longer than {earlier}{note(_range(found))}"
    elif state.started is None:
        yield "Should end", f"about {about(found.left)} after its start{note(_range(found))}"
    else:
        when = note(f"at about {time(state.until + found.left)}")
        yield "Should end", f"in about {about(found.left)}{when}{note(_range(found))}"


def _range(found: Forecast) -> str:
    """Return how long earlier runs of the same task and workflow took."""
    shortest, longest = span(found.shortest), span(found.longest)
    if found.number == 1:
        return f"the one earlier run took {longest}"
    took = f"{shortest} to {longest}" if shortest != longest else f"{longest} each"
    words = f"the last {found.number} took {took}"
    if found.left is not None and found.longer < found.number:
        words += f", {found.longer} of them longer than this one so far"
    return words


def about(seconds: float) -> str:
    """Return a duration that is a guess: no seconds, unless there are no minutes."""
    return span(round(seconds / 60) * 60) if seconds >= 120 else span(seconds)


def _storage(state: RunState) -> Iterator[tuple[str, str]]:
    kind, capacity = state.member("storageType"), state.run.get("storageCapacity")
    if kind == "STATIC" and isinstance(capacity, int | float) and not isinstance(capacity, bool):
        yield "Storage", text(f"{kind}, {capacity:,} GiB")
    elif kind:
        yield "Storage", text(kind)


class Counts(NamedTuple):
    """The tasks of a run that are known so far.

    :param by_status: how many are in each status.
    :param cached: those that the run cache answered.
    :param left_out: tasks whose status is not known.
    :param more: whether there may be others that nobody counted.
    """

    by_status: Mapping[str, int]
    cached: int = 0
    left_out: int = 0
    more: bool = False

    @property
    def known(self) -> int:
        """All of them."""
        return sum(self.by_status.values())

    @property
    def ended(self) -> int:
        """Those that have ended."""
        return sum(number for status, number in self.by_status.items() if status in TERMINAL_STATUSES)


def counts_of(view: RunView) -> Counts | None:
    """Return the tasks of a run by status; None if they were not listed.

    The snapshot counted them before the table left some out.
    """
    table, snapshot = view.tasks, view.gate.snapshot
    listed = snapshot.get("tasks")
    if isinstance(listed, Mapping):
        by_status = {str(status): _count(number) for status, number in listed.items() if _count(number)}
        cached = snapshot.get("cached")
        counted = Counts(by_status, _count(cached), more=snapshot.get("more") is True)
        if table is None or (table.left_out and counted.known >= len(table.tasks)):
            return counted if by_status else None
    if table is None:
        return None
    by_status = Counter(task.status for task in table.tasks)
    return Counts(by_status, sum(task.cached for task in table.tasks), table.left_out, table.more)


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1e9 else 0


def progress(state: RunState) -> str:
    """Return how many tasks have ended, as a bar and in words: nobody knows the total."""
    counts = counts_of(state.view)
    if counts is None:
        return ""
    if not counts.known:
        return '<p class="progress">No tasks are known yet.</p>' if state.is_active else ""
    order = sorted(counts.by_status, key=_place)
    bar, at = [], 0.0
    for status in order:
        share = 100 * counts.by_status[status] / counts.known
        bar.append(f'<rect x="{at:.3f}%" width="{share:.3f}%" height="12" class="{status_class(status)}"/>')
        at += share
    listed = "".join(f"<li>{_counted(status, counts)}</li>" for status in order)
    return (
        f'<p class="progress strong">{_how_many(counts, is_active=state.is_active)}{_as_listed(state)}</p>'
        f'<svg class="bar" role="img" aria-label="{text(_in_words(counts, order))}">{"".join(bar)}</svg>'
        f'<ul class="counts">{listed}</ul>'
    )


def _how_many(counts: Counts, *, is_active: bool) -> str:
    known = f"{counts.known:,} task{'s' if counts.known != 1 else ''}"
    if counts.left_out:
        every = f"{counts.known + counts.left_out:,} tasks{' are known so far' if is_active else ''}"
        return f"{every}; shown are {counts.known:,} that go on, failed or took the longest"
    if not is_active:
        return f"At least {known}: not all of them could be listed" if counts.more else known
    if counts.known == 1:
        return f"The one task known so far has {'ended' if counts.ended else 'not ended yet'}"
    have = "have" if counts.ended != 1 else "has"
    return f"{counts.ended:,} of the {known} known so far {have} ended"


def _place(status: str) -> tuple[bool, int, str]:
    """Put what has ended first, so that the bar grows from the left."""
    return status not in TERMINAL_STATUSES, KNOWN.index(status) if status in KNOWN else len(KNOWN), status


def _counted(status: str, counts: Counts) -> str:
    words = f"{swatch(status_class(status))}{counts.by_status[status]:,} {text(status)}"
    if status == "COMPLETED" and counts.cached:
        words += f' <span class="note">({counts.cached:,} from the run cache)</span>'
    return words


def _as_listed(state: RunState) -> str:
    """Say when the tasks were listed, if that was long before the run was seen, or before it ended."""
    table = state.view.tasks
    if table is None or state.until - table.seen < 120:
        return ""
    return f' <span class="dim">as listed {time(table.seen, clock=True)}</span>'


def _in_words(counts: Counts, order: list[str]) -> str:
    return "Tasks: " + ", ".join(f"{counts.by_status[status]} {status}" for status in order)
