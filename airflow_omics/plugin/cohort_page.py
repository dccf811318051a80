"""The page of a DAG run: how all of its runs and batches stand, what ended badly, and who can act."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from airflow_omics.plugin import html
from airflow_omics.plugin.cohort import Cohort
from airflow_omics.plugin.cohort_batches import batches
from airflow_omics.plugin.cohort_runs import runs
from airflow_omics.plugin.html import text
from airflow_omics.plugin.model import CohortView, Gate
from airflow_omics.plugin.readable import line
from airflow_omics.plugin.shares import bar, in_words, legend, many
from airflow_omics.plugin.standing import is_about_batch, run_key, shares

NOTHING: Final = (
    "This DAG run has no task that starts or waits for HealthOmics runs, or none was scheduled yet."
)


def render(view: CohortView, root: str, now: float) -> str:
    """Return the page.

    :param root: Airflow's own path, with a slash at its end.
    :param now: seconds since the epoch.
    """
    cohort = Cohort(view, root, now)
    tasks = _by_task(cohort.gates)
    sections = [
        (batches if any(map(is_about_batch, gates)) else runs)(number, gates, cohort)
        for number, gates in enumerate(tasks.values(), 1)
    ]
    body = _head(view, root) + (_summary(cohort.gates) if len(tasks) > 1 else "")
    body += "".join(sections) or f'<p class="plain">{NOTHING}</p>'
    if view.left_out > 0:
        body += (
            f'<p class="warning">{many(view.left_out, "more task")} of this DAG run have no place here.</p>'
        )
    is_active = any(not gate.is_over for gate in cohort.gates)
    return html.page(
        f"HealthOmics runs of {line(view.dag_run_id, 200)}", body, root, is_active=is_active, extra="cohort"
    )


def _head(view: CohortView, root: str) -> str:
    path = html.dag_run_path(view.dag_id, view.dag_run_id)
    return (
        '<nav class="back only-alone" aria-label="Pages around this one">'
        f'<a href="{text(root + path)}">The DAG run in Airflow</a></nav>'
        "<header><h1>HealthOmics runs</h1>"
        f'<p class="dim only-alone">DAG {text(line(view.dag_id, 250))}, '
        f"DAG run {text(line(view.dag_run_id, 250))}</p></header>"
    )


def _by_task(gates: Iterable[Gate]) -> Mapping[str, list[Gate]]:
    tasks: dict[str, list[Gate]] = {}
    for gate in sorted(gates, key=lambda gate: gate.map_index):
        tasks.setdefault(gate.task_id, []).append(gate)
    return {task_id: tasks[task_id] for task_id in dict.fromkeys(gate.task_id for gate in gates)}


def _summary(gates: Iterable[Gate]) -> str:
    """Return how all runs stand, each counted once, however many tasks are about it."""
    once: dict[object, Gate] = {}
    for gate in gates:
        once[(gate.is_batch, run_key(gate) or (gate.task_id, gate.map_index))] = gate
    kinds = Counter(map(is_about_batch, once.values()))
    alone = shares(gate for gate in once.values() if not is_about_batch(gate))
    said = (
        [f"<p><b>{many(kinds[False], 'run')}</b> in this DAG run</p>{bar(alone)}{legend(alone)}"]
        if alone
        else []
    )
    if kinds[True]:
        stand = in_words(shares(gate for gate in once.values() if is_about_batch(gate)))
        said.append(f"<p><b>{many(kinds[True], 'batch', 'batches')}</b>: {text(stand)}</p>")
    return f'<section aria-label="All tasks" class="total">{"".join(said)}</section>'
