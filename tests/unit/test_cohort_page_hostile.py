"""Whatever an XCom, a name or a label holds, the page stays a page and shows it as text."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_omics.plugin.model import CohortView, Gate, RunView
from tests.support.cohorts import DAG, DAG_RUN, batch_gate, drawn, in_progress, judged, run_gate
from tests.support.page_tree import Tree

pytestmark = pytest.mark.any_airflow

EVIL = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</span></a></li></ol></main>",
    "<!-- --><style>*{display:none}</style>",
    "&lt;b&gt; &#0; &unknown;",
    "javascript:alert(1)",
    "\ud800 half a pair",
    "\u202egnp.exe \x00\x1b[31m\u2028",
    "{{ 7 * 7 }} {} {0} %s",
    "x" * 5_000,
    "",
)
words = st.sampled_from(EVIL) | st.text(st.characters(), max_size=40)
values: st.SearchStrategy[Any] = st.recursive(
    words | st.none() | st.booleans() | st.integers() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
STATUSES = st.sampled_from(
    ("COMPLETED", "FAILED", "RUNNING", "PENDING", "PROCESSED", "INPROGRESS", "SUBMITTING", "DELETED")
)
TIMES = st.sampled_from(("2026-01-15T12:00:00+00:00", "0001-01-01T00:00:00", "9999-12-31T23:59:59-14:00"))
MEMBERS = (
    "id",
    "uuid",
    "arn",
    "name",
    "failureReason",
    "creationTime",
    "startTime",
    "stopTime",
    "processedTime",
)
NUMBERS = st.sampled_from((-1, 0, 1, 250, 10**400, True, "7", 1.5, None))
COUNTS = ("completed", "failed", "running", "failedStart", "successfulStart", "total", "notStarted")

runs = st.fixed_dictionaries({"status": STATUSES | values}, optional=dict.fromkeys(MEMBERS, TIMES | values))
counts = st.dictionaries(st.sampled_from(COUNTS), NUMBERS) | values
snapshots = st.fixed_dictionaries(
    {"run": runs | values},
    optional={
        "kind": st.sampled_from(("run", "batch")) | values,
        "seen": TIMES | values,
        "stuck": TIMES | values,
        "reason": values,
        "owner": values,
        "total": NUMBERS,
        "counts": counts,
        "reasons": st.lists(st.tuples(values, values, NUMBERS) | values, max_size=4) | values,
    },
)
gates = st.builds(
    Gate,
    task_id=st.sampled_from(("gate", "cohort")) | words,
    map_index=st.integers(-1, 5),
    label=st.none() | words,
    state=st.sampled_from((None, "success", "failed", "deferred")) | words,
    operator=st.none() | words,
    snapshot=snapshots,
    is_elsewhere=st.booleans(),
)
failures = st.fixed_dictionaries(
    {"count": NUMBERS}, optional={"reason": values, "owner": values, "examples": values}
)
records = st.fixed_dictionaries(
    {},
    optional={
        "outcome": counts,
        "failures": st.lists(failures | values, max_size=3) | values,
        "members": values,
    },
)


def plain(text: str) -> str:
    """Return a name as quoting can take it: Airflow's database holds no half of a pair."""
    return text.encode(errors="replace").decode()


@settings(max_examples=80, deadline=None)
@given(st.lists(gates, max_size=6), words, words)
def test_a_cohort_of_anything_is_a_page(found: list[Gate], dag: str, dag_run: str) -> None:
    named = tuple(dataclasses.replace(gate, task_id=plain(gate.task_id)) for gate in found)
    page = drawn(CohortView(plain(dag), plain(dag_run), named))
    assert page.encode()
    assert Tree(page).check() == []


@settings(max_examples=80, deadline=None)
@given(gates, records, st.dictionaries(words, words, max_size=3))
def test_a_batch_of_anything_is_a_page(gate: Gate, record: dict[str, Any], links: dict[str, str]) -> None:
    named = dataclasses.replace(gate, task_id=plain(gate.task_id))
    page = drawn(RunView(DAG, DAG_RUN, named, record=record, links=links))
    assert page.encode()
    assert Tree(page).check() == []


@pytest.mark.parametrize("evil", EVIL[:6])
def test_a_hostile_name_is_shown_as_it_is(evil: str) -> None:
    gate = run_gate(0, "FAILED")
    snapshot = {**gate.snapshot, "run": {**gate.snapshot["run"], "name": evil}, "reason": evil, "owner": evil}
    tree = Tree(drawn(CohortView(DAG, DAG_RUN, (dataclasses.replace(gate, snapshot=snapshot),))))
    assert f"0 {evil}: failed, {evil}" in tree.texts
    batch = in_progress(0)
    named = {**batch.snapshot, "run": {**batch.snapshot["run"], "name": evil}, "reasons": [[evil, evil, 3]]}
    page = Tree(drawn(RunView(DAG, DAG_RUN, dataclasses.replace(batch, snapshot=named))))
    assert page.texts.count(evil) >= 2
    assert tree.check() == page.check() == []


def test_text_that_turns_text_around_or_never_ends_is_not_shown() -> None:
    evil = f"\u202egnp.exe\x00 {'long ' * 1_000}"
    gate = run_gate(0, "RUNNING", label=evil)
    page = drawn(CohortView(DAG, DAG_RUN, (gate,)))
    assert "\u202e" not in page
    assert "\x00" not in page
    assert len(page) < 3_000
    assert "gnp.exe long long" in page


def test_numbers_that_nobody_has_are_none() -> None:
    gate = batch_gate("INPROGRESS", 0, running=250)
    counts = {"running": 10**400, "completed": -3, "failed": True, "pending": "12", "stopping": 4}
    page = Tree(
        drawn(
            CohortView(
                DAG, DAG_RUN, (dataclasses.replace(gate, snapshot={**gate.snapshot, "counts": counts}),)
            )
        )
    )
    assert "250 runs 4 stopping 246 not counted" in page.said


def test_parameters_and_tags_reach_no_page() -> None:
    view = judged("failed")
    record = {
        **view.record,
        "parameters": {"patient": "SECRET"},
        "tags": {"a": "SECRET"},
        "defaultRunSetting": "SECRET",
    }
    run = {**view.gate.snapshot["run"], "parameters": "SECRET", "tags": {"SECRET": "SECRET"}}
    gate = dataclasses.replace(view.gate, snapshot={**view.gate.snapshot, "run": run})
    assert "SECRET" not in drawn(dataclasses.replace(view, record=record, gate=gate))
    assert "SECRET" not in drawn(CohortView(DAG, DAG_RUN, (gate,)))
