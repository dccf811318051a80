"""The page of a batch: how far its runs are, how they ended, and why."""

from __future__ import annotations

import dataclasses

import pytest

from airflow_omics.plugin import batch_page, run_page
from airflow_omics.plugin.model import Gate, RunView
from tests.support.cohorts import (
    DAG,
    DAG_RUN,
    NOW,
    batch_gate,
    batch_view,
    drawn,
    in_progress,
    judged,
    page_of,
)
from tests.support.page_tree import Tree

pytestmark = pytest.mark.any_airflow


def said(name: str) -> str:
    return Tree(page_of(name)).said


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("batch-unseen", "The task has not seen its batch yet."),
        ("batch-never-seen", "The task has ended, and left nothing of a batch."),
        ("batch-creating", "HealthOmics is making the batch. None of its runs has been started."),
        ("batch-submitting", "HealthOmics is starting the runs, one after the other."),
        ("batch-in-progress", "A start of each run was tried, and some of the runs go on."),
        ("batch-tolerated", "All runs of the batch have ended."),
        ("batch-cancelled", "Runs that it had not come to were not started."),
        ("batch-failed", "HealthOmics could not start the batch, or not all of it."),
        ("batch-deleted", "so its counts do not say how they had ended."),
        ("batch-left", "The task has ended since, so this is not how the batch stands now."),
    ],
)
def test_a_status_is_explained(name: str, words: str) -> None:
    assert words in said(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("batch-creating", "250 runs 250 not submitted yet"),
        ("batch-submitting", "18 completed 100 running 130 not submitted yet 2 not started"),
        ("batch-submitting", "120 of 250 runs submitted."),
        (
            "batch-in-progress",
            "120 completed 90 running 6 starting 14 pending 14 failed 6 not started",
        ),
        ("batch-cancelled", "90 completed 60 cancelled 100 not started"),
        ("batch-failed", "250 runs 250 not started"),
        ("batch-deleted", "250 deleted"),
    ],
)
def test_members_are_counted(name: str, words: str) -> None:
    assert words in said(name)


def test_counts_that_lag_behind_leave_a_rest_that_is_said() -> None:
    tree = Tree(drawn(batch_view(batch_gate("INPROGRESS", running=100, completed=18))))
    assert "18 completed 100 running 132 not counted" in tree.said
    going_on = Tree(drawn(batch_view(batch_gate("FAILED", running=100, completed=18))))
    assert "18 completed 100 running 132 not counted" in going_on.said


def test_the_outcome_counts_more_than_what_was_seen_last() -> None:
    # The last counts had 40 failed runs, and three that nothing was known of.
    assert "250 runs 200 completed 43 failed 7 not started" in said("batch-tolerated")


def test_it_says_what_the_task_made_of_the_bad_ends() -> None:
    assert "50 of 250 runs did not complete, which the task tolerated." in said("batch-tolerated")
    assert "50 of 250 runs did not complete, and the task failed." in said("batch-too-many")
    assert "50 of 250 runs did not complete." in Tree(drawn(judged("up_for_retry"))).said
    assert "Every run completed." in said("batch-completed")
    assert "did not complete" not in said("batch-in-progress")


def test_failures_have_their_number_who_can_act_what_helps_and_examples() -> None:
    page = said("batch-too-many").split("Who can act ")[1]
    assert page.startswith(
        "OUT_ OF_ MEMORY_ ERROR Give the task more memory in the workflow definition or by a parameter. "
        "Such as sample-201 (run 4400000) , sample-202 (run 4400001) , sample-203 (run 4400002) "
        "20 the pipeline's author"
    )
    assert "ThrottlingException Start the member again, with less beside the batch" in page
    assert "7 AWS" in page
    # Nobody can act on what nobody has read.
    assert "not looked at 11 8 members" in page


def test_before_the_task_has_judged_reasons_are_those_of_the_snapshot() -> None:
    page = said("batch-in-progress").split("Who can act ")[1]
    assert "9 the pipeline's author" in page
    assert "4 whoever provides the data" in page


def test_members_are_listed_folded() -> None:
    page = said("batch-too-many").split("8 members ")[1]
    assert page.startswith("Sample Run Status sample-0 4400000 FAILED")
    assert "sample-7 4400007 COMPLETED" in page


def test_a_long_list_of_members_ends() -> None:
    members = [{"runSettingId": f"s{i}", "runId": f"{i}", "status": "COMPLETED"} for i in range(5_000)]
    view = judged("success")
    page = Tree(drawn(dataclasses.replace(view, record={**view.record, "members": members})))
    assert "100 members" in page.said
    assert "s99 99 COMPLETED" in page.said
    assert "s100 " not in page.said


def test_times_are_those_of_the_record() -> None:
    assert "Created 2026-01-15 14:00:00 UTC All submitted 2026-01-15 14:30:00 UTC" in said("batch-too-many")
    assert "Processed 2026-01-15 17:00:00 UTC Took 3 h" in said("batch-too-many")
    assert "Failed 2026-01-15 17:00:00 UTC Took 3 h" in said("batch-failed")
    assert "Going on for 4 h" in said("batch-in-progress")
    assert "Going on for" not in said("batch-left")


def test_why_a_batch_failed_is_said_at_once() -> None:
    tree = Tree(page_of("batch-failed"))
    assert "The settings file cannot be read." in tree.said
    assert tree.all("div", "alert")


def test_it_refreshes_itself_until_the_task_has_ended() -> None:
    assert Tree(page_of("batch-in-progress")).all("main") == [{"data-refresh": "10"}]
    assert Tree(page_of("batch-unseen")).all("main") == [{"data-refresh": "10"}]
    assert Tree(page_of("batch-too-many")).all("main") == [{}]


def test_badges_say_whether_all_is_well() -> None:
    badges = {
        name: Tree(page_of(name)).all("span", "badge")[0]["class"]
        for name in ("batch-completed", "batch-too-many", "batch-in-progress", "batch-unseen")
    }
    assert badges == {
        "batch-completed": "badge s-COMPLETED",
        "batch-too-many": "badge s-PARTLY",
        "batch-in-progress": "badge s-RUNNING",
        "batch-unseen": "badge s-OTHER",
    }


def test_links_lead_to_pages_of_https_alone() -> None:
    view = dataclasses.replace(
        judged("failed"),
        links={"console": "https://aws/", "bad": "javascript:alert(1)", "none": "//elsewhere"},
    )
    tree = Tree(drawn(view))
    assert [a["href"] for a in tree.all("a") if a.get("target")] == ["https://aws/"]
    assert tree.check() == []


def test_a_batch_that_left_no_snapshot_is_shown_by_its_record() -> None:
    view = judged("failed")
    record = {**view.record, **view.gate.snapshot["run"]}
    page = Tree(
        drawn(dataclasses.replace(view, record=record, gate=dataclasses.replace(view.gate, snapshot={})))
    )
    assert "cohort-0 PROCESSED Batch 7706183" in page.said
    assert "200 completed 43 failed 7 not started" in page.said
    assert "Processed 2026-01-15 17:00:00 UTC Took 3 h" in page.said


def test_the_run_page_of_a_batch_is_this_one() -> None:
    for view in (judged("failed"), RunView(DAG, DAG_RUN, Gate("cohort", operator="OmicsRunBatchSensor"))):
        assert run_page.render(view, "/", NOW) == batch_page.render(view, "/", NOW)


def test_ways_back() -> None:
    at = "manual__2026-01-15T12%3A00%3A00%2B00%3A00"
    links = [found["href"] for found in Tree(drawn(batch_view(in_progress(3)), "/base/")).all("a")]
    assert links == [
        f"/base/dags/germline/runs/{at}/tasks/cohort/mapped/3",
        f"/base/healthomics/cohort/germline/{at}",
    ]


def test_members_that_no_count_names_join_those_of_the_same_kind() -> None:
    gate = batch_gate("CANCELLED", state="failed", completed=90, cancelled=60, failedStart=10)
    assert "90 completed 60 cancelled 100 not started" in Tree(drawn(batch_view(gate))).said
