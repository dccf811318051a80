"""The page of a DAG run: how its runs and batches stand, why they ended badly, and who can act."""

from __future__ import annotations

import dataclasses

import pytest

from airflow_omics.plugin.model import CohortView, Gate
from tests.support.cohorts import (
    DAG,
    DAG_RUN,
    FOLDER,
    HOUR,
    NOW,
    VIEWS,
    batch_gate,
    cohort,
    drawn,
    mixed,
    page_of,
    run_gate,
    stateful,
)
from tests.support.page_tree import Tree

pytestmark = pytest.mark.any_airflow

QUOTED = "manual__2026-01-15T12%3A00%3A00%2B00%3A00"


def page(*gates: Gate, root: str = "/") -> Tree:
    return Tree(drawn(CohortView(DAG, DAG_RUN, gates), root))


def cells(tree: Tree) -> list[str]:
    return [(found.get("class") or "") for found in tree.all("a", "cell")]


def hrefs(tree: Tree) -> list[str]:
    return [found.get("href") or "" for found in tree.all("a")]


@pytest.mark.parametrize("name", VIEWS)
def test_the_page_is_the_one_that_was_looked_at(name: str) -> None:
    assert page_of(name) == (FOLDER / f"{name}.html").read_text(encoding="utf-8")


def test_no_page_is_kept_that_nobody_makes() -> None:
    kept = {path.stem for kind in ("cohort", "batch") for path in FOLDER.glob(f"{kind}-*.html")}
    assert kept == set(VIEWS)


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("root", ["/", "/team/airflow/"])
def test_a_page_holds_nothing_that_a_strict_policy_refuses(name: str, root: str) -> None:
    assert Tree(drawn(VIEWS[name](), root)).check(root) == []


def test_counts_stand_beside_the_bar_in_words() -> None:
    tree = page(*(run_gate(i, s) for i, s in enumerate(("RUNNING", "COMPLETED", "RUNNING", "PENDING"))))
    assert "gate 4 runs" in tree.said
    assert "1 completed 2 running 1 pending" in tree.said
    assert [found["class"] for found in tree.all("rect")] == ["s-COMPLETED", "s-RUNNING", "s-PENDING"]
    assert [found["width"] for found in tree.all("rect")] == ["25.00%", "50.00%", "25.00%"]
    assert [found["x"] for found in tree.all("rect")] == ["0.00%", "25.00%", "75.00%"]


def test_one_of_thousands_can_be_seen() -> None:
    tree = page(*(run_gate(i, "FAILED" if i == 7 else "COMPLETED") for i in range(2000)))
    widths = [float((found["width"] or "").rstrip("%")) for found in tree.all("rect")]
    assert widths[1] > 0.3
    assert sum(widths) == pytest.approx(100, abs=0.02)


def test_each_mapped_gate_has_a_cell_that_opens_its_page() -> None:
    tree = page(run_gate(11, "RUNNING"), run_gate(2, "FAILED"), stateful(5, "queued"))
    links = [found["href"] for found in tree.all("a", "cell")]
    assert links == [f"/healthomics/run/germline/{QUOTED}/gate/{index}" for index in (2, 5, 11)]
    assert cells(tree) == ["cell s-FAILED", "cell t-waits", "cell s-RUNNING"]


def test_a_cell_says_which_run_it_is_how_it_stands_and_why() -> None:
    tree = page(
        run_gate(2, "FAILED", label="sample A"),
        run_gate(3, "RUNNING", stuck=True),
        stateful(4, "upstream_failed"),
        stateful(5, "failed", label="sample B"),
    )
    assert "2 sample A · NA12002: failed, OUT_OF_MEMORY_ERROR" in tree.texts
    assert "3 NA12003: running, nothing has moved for 3 h 30 min" in tree.texts
    assert "index 4: not begun, as a task before it failed" in tree.texts
    assert "5 sample B: failed before a run was seen" in tree.texts
    assert cells(tree)[1] == "cell s-RUNNING stuck"


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (None, "not scheduled yet"),
        ("scheduled", "scheduled"),
        ("queued", "queued"),
        ("running", "begun, no run was seen yet"),
        ("deferred", "deferred, no run was seen yet"),
        ("up_for_reschedule", "between two looks, no run was seen yet"),
        ("up_for_retry", "to be retried, no run was seen yet"),
        ("restarting", "restarting"),
        ("success", "succeeded, no run was seen"),
        ("failed", "failed before a run was seen"),
        ("skipped", "skipped"),
        ("upstream_failed", "not begun, as a task before it failed"),
        ("removed", "removed"),
        ("a state of Airflow 4", "a state of Airflow 4"),
    ],
)
def test_a_gate_without_a_run_shows_the_state_of_the_task(state: str | None, word: str) -> None:
    assert f"1 {word}" in page(stateful(0, state)).said


def test_what_is_kept_elsewhere_is_not_said_to_be_missing() -> None:
    tree = page(stateful(0, "failed", is_elsewhere=True), stateful(1, "deferred", is_elsewhere=True))
    assert "before a run was seen" not in tree.said
    assert "The XComs of 2 tasks are kept where the API server does not look." in tree.said


def test_reasons_have_their_number_who_can_act_what_helps_and_examples() -> None:
    tree = page(*(run_gate(i, "FAILED") for i in (0, 1, 2, 9, 3)), run_gate(12, "CANCELLED"))
    said = tree.said.split("Who can act ")[1]
    assert said.startswith(
        "OUT_ OF_ MEMORY_ ERROR Give the task more memory in the workflow definition or by a parameter. "
        "Such as 0 NA12000 , 1 NA12001 , 2 NA12002 and 1 other 4 the pipeline's author"
    )
    assert "1 whoever provides the data CANCELLED Ask who cancelled it before it is started again." in said
    assert "Such as 12 NA12012 1 the platform team" in said
    assert "6 runs that ended badly" in said


def test_what_failed_before_a_run_was_seen_is_a_reason() -> None:
    tree = page(stateful(0, "failed"), stateful(1, "failed"), stateful(2, "upstream_failed"))
    assert "Such as index 0 , index 1 2 the task's log says why" in tree.said
    assert "2 runs that ended badly" in tree.said


def test_a_run_that_failed_without_a_reason_is_said_to_have_none() -> None:
    gate = Gate("gate", 0, state="failed", snapshot={"kind": "run", "run": {"id": "1", "status": "FAILED"}})
    assert "no reason given Such as 0 1 1 not known" in page(gate).said


def test_a_long_list_of_what_ended_badly_says_how_many_more_there_are() -> None:
    tree = page(*(run_gate(i, "FAILED") for i in range(62)))
    assert "62 runs that ended badly" in tree.said
    assert "49 NA12049 failed, INPUT_URI_NOT_FOUND and 12 more" in tree.said
    exact = page(*(run_gate(i, "FAILED") for i in range(50)))
    assert "49 NA12049 failed, INPUT_URI_NOT_FOUND" in exact.said
    assert "more" not in exact.said.split("50 runs that ended badly")[1].split("0 NA12000: ")[0]


def test_how_long_the_completed_took() -> None:
    # An hour, and 97 seconds more for each map index.
    tree = page(*(run_gate(i, "COMPLETED") for i in (0, 10, 29)), run_gate(25, "FAILED"))
    assert "The 3 completed took 1 h to 1 h 46 min half of them at most 1 h 16 min" in tree.said
    assert "The completed one took 1 h 16 min" in page(run_gate(10, "COMPLETED")).said


def test_what_takes_longest_and_what_ended_last() -> None:
    gates = [*(run_gate(i, "RUNNING") for i in (30, 12)), run_gate(60, "PENDING"), run_gate(20, "COMPLETED")]
    gates.append(run_gate(0, "FAILED"))
    tree = page(*gates)
    # The twelfth was created 4 h 56 min ago and started ten minutes later; the sixtieth 4 h 40 min ago.
    assert "Running longest 4 h 46 min 12 NA12012 Waiting longest 4 h 40 min 60 NA12060" in tree.said
    # Created at 13:06:40, started at 13:16:40, and 1 h 32 min 20 s long.
    assert "Last ended 2026-01-15 14:49:00 UTC" in tree.said


def test_a_run_that_moves_no_more_is_named() -> None:
    tree = page(run_gate(3, "RUNNING", stuck=True), run_gate(4, "COMPLETED", stuck=True))
    assert "3 NA12003 has not moved for 3 h 30 min." in tree.said
    several = page(*(run_gate(i, "RUNNING", stuck=True) for i in range(5)))
    assert "5 runs have not moved for long: 0 NA12000 , 1 NA12001 , 2 NA12002 and 2 others." in several.said
    assert "4 NA12004 for 3 h 30 min" in several.said


def test_several_tasks_are_summed_up_and_one_run_counts_once() -> None:
    started = [run_gate(i, "PENDING", task_id="start", state="success") for i in range(3)]
    waited = [run_gate(i, s) for i, s in enumerate(("COMPLETED", "RUNNING", "FAILED"))]
    tree = page(*started, *waited, run_gate(77, "PENDING", task_id="other"))
    assert "4 runs in this DAG run 1 completed 1 running 1 pending 1 failed" in tree.said
    assert tree.said.count("3 runs 1 completed 1 running 1 failed") == 2
    assert "in this DAG run" not in page(*waited).said


def test_what_was_seen_last_counts_whichever_task_saw_it() -> None:
    newer = run_gate(0, "COMPLETED")
    older = dataclasses.replace(
        run_gate(0, "RUNNING", task_id="after"),
        snapshot={**run_gate(0, "RUNNING").snapshot, "seen": "2026-01-15T10:00:00+00:00"},
    )
    for gates in ((newer, older), (older, newer)):
        assert cells(page(*gates)) == ["cell s-COMPLETED"] * 2


def test_a_run_that_nobody_waits_for_any_more_is_said_to_be_so() -> None:
    left = run_gate(1, "RUNNING", state="failed")
    assert "1 run went on when the task ended. What came after is not known here." in page(left).said
    assert "Running longest" not in page(left).said
    watched = page(run_gate(1, "RUNNING", task_id="start", state="success"), run_gate(1, "RUNNING"))
    assert "went on when the task ended" not in watched.said


def test_it_is_said_so_as_well_if_record_fields_leave_out_what_identifies_the_run() -> None:
    left = run_gate(0, "RUNNING", state="failed")
    narrowed = {**left.snapshot, "run": {"id": "1", "status": "RUNNING"}}
    left = dataclasses.replace(left, snapshot=narrowed)
    assert "1 run went on when the task ended." in page(left, stateful(1, "deferred")).said
    nameless = dataclasses.replace(left, snapshot={**left.snapshot, "run": {"status": "RUNNING"}})
    assert "1 run went on when the task ended." in page(nameless, stateful(1, "deferred")).said
    start = dataclasses.replace(left, task_id="start", state="success")
    gate = dataclasses.replace(left, task_id="gate", state="deferred")
    watched = page(start, gate).said
    assert "went on when the task ended" not in watched
    assert "1 run in this DAG run" in watched
    batch = dataclasses.replace(gate, task_id="batch", snapshot={**narrowed, "kind": "batch"})
    assert "1 run went on when the task ended." in page(left, batch).said


def test_tasks_that_say_something_else_than_their_runs_are_noted() -> None:
    assert "1 task will be retried." in page(run_gate(1, "FAILED", state="up_for_retry")).said
    failed = page(run_gate(1, "COMPLETED", state="failed"), run_gate(2, "COMPLETED", state="failed"))
    assert "2 tasks failed after the run had completed: the task's log says why." in failed.said
    assert "will be retried" not in failed.said
    assert "failed after the run" not in page(run_gate(1, "COMPLETED"), run_gate(2, "FAILED")).said


def test_a_task_that_is_not_mapped_is_one_line() -> None:
    tree = page(run_gate(-1, "COMPLETED", task_id="panel"))
    running = page(run_gate(-1, "RUNNING", task_id="reference"))
    assert "reference NA11999 RUNNING for 3 h 10 min" in running.said
    assert "panel NA11999 COMPLETED took 1 h 46 min" in tree.said
    assert cells(tree) == cells(running) == []


def test_a_status_that_nobody_knows_is_shown_as_one_that_goes_on() -> None:
    gate = run_gate(0, "SUSPENDED", stuck=True)
    tree = page(gate)
    assert cells(tree) == ["cell s-OTHER stuck"]
    assert "1 SUSPENDED" in tree.said
    assert "1 run went on" in page(dataclasses.replace(gate, state="success")).said


def test_batches_have_their_members_counted_and_lead_to_their_pages() -> None:
    tree = Tree(drawn(mixed()))
    said = tree.said.split("cohort 3 batches of 500 runs ")[1]
    counted = "120 completed 90 running 6 starting 14 pending 14 failed 6 not started"
    assert said.startswith(f"0 cohort-1 INPROGRESS 250 runs {counted}")
    assert "1 cohort-2 PROCESSED 250 runs 244 completed 4 failed 2 not started" in said
    assert "index 2 queued" in said
    assert "Such as 0 cohort-1 9 the pipeline's author" in said
    assert f"/healthomics/run/germline/{QUOTED}/cohort/1" in hrefs(tree)
    assert "3 batches : 1 processed with failures, 1 in progress, 1 queued" in tree.said


def test_a_batch_that_is_submitted_says_how_far_that_is() -> None:
    gate = batch_gate("SUBMITTING", 0, successfulStart=118, failedStart=2, running=100, completed=18)
    said = page(gate).said
    assert "120 of 250 runs submitted" in said
    assert "130 not submitted yet" in said


def test_many_batches_have_cells() -> None:
    tree = page(*(batch_gate("INPROGRESS", i, running=250) for i in range(25)))
    assert len(cells(tree)) == 25
    assert len(tree.all("div", "batch")) == 20
    assert "and 5 more: each has a cell above." in tree.said
    assert "cohort 25 batches of 6,250 runs" in tree.said
    assert cells(page(*(batch_gate("INPROGRESS", i) for i in range(20)))) == []


@pytest.mark.parametrize("state", ["queued", "deferred", "up_for_retry", "running", None])
def test_it_refreshes_itself_while_a_task_goes_on(state: str | None) -> None:
    over = run_gate(0, "COMPLETED")
    assert page(over, stateful(1, state)).all("main") == [{"data-refresh": "10"}]
    assert page(over, stateful(1, "failed")).all("main") == [{}]


def test_a_dag_run_without_runs_says_so() -> None:
    tree = Tree(page_of("cohort-none"))
    assert "has no task that starts or waits for HealthOmics runs" in tree.said
    assert tree.all("main") == [{}]
    assert f"/dags/germline/runs/{QUOTED}" in hrefs(tree)


def test_what_has_no_place_is_said_to_be_missing() -> None:
    view = dataclasses.replace(cohort(20), left_out=1_200)
    assert "1,200 more tasks of this DAG run have no place here." in Tree(drawn(view)).said
    assert "no place here" not in Tree(drawn(cohort(20))).said


@pytest.mark.parametrize("size", [1_000, 5_000])
def test_a_large_cohort_stays_small(size: int) -> None:
    text = drawn(cohort(size))
    tree = Tree(text)
    assert len(cells(tree)) == size
    assert len(text.encode()) < 220 * size + 20_000
    assert tree.check() == []
    # What matters needs no scrolling.
    assert tree.said.index("runs that ended badly") < tree.said.index("0 NA12000: completed")


def test_the_oldest_clock_and_the_newest_are_no_fault() -> None:
    run = {"id": "1", "status": "RUNNING", "startTime": "0001-01-01T00:00:00+00:00"}
    later = {**run, "startTime": "9999-12-31T23:59:59+00:00"}
    gates = [
        Gate("gate", index, state="deferred", snapshot={"kind": "run", "run": one, "stuck": one["startTime"]})
        for index, one in enumerate((run, later))
    ]
    assert page(*gates).check() == []
    assert NOW > HOUR
