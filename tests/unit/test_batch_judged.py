"""How a batch ended, whether that is tolerated, and why: by its counts, its lists, and GetRun."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from airflow_omics._batches.failures import explained, failure_of
from airflow_omics._batches.judge import Judged, judged
from airflow_omics._batches.members import BatchMembers
from airflow_omics._outcome import Outcome, Tolerance
from airflow_omics.exceptions import OmicsAccessError
from airflow_omics.failures import SUBMISSIONS, Failure, classify_submission
from airflow_omics.hooks import OmicsHook
from tests.support.batches import counting, needs_batches, settings, start_batch
from tests.support.sensors import Clock
from tests.unit.test_batch_members import listed, members_of

# Of Airflow they need what every other test of an operator needs.
pytestmark = [needs_batches, pytest.mark.any_airflow, pytest.mark.usefixtures("clock")]

NONE = Tolerance()
KEPT = Path(__file__).parents[1] / "data" / "reports" / "batches"
FIVE_REASONS = [
    ("completed", 200),
    ("failed-out-of-memory-error", 20),
    ("failed-import-failed", 12),
    ("failed-service-error", 6),
    ("failed-run-task-failed", 4),
    ("failed-unknown-reason", 1),
]
NOT_SUBMITTED = {
    **{f"late-{n}": "ThrottlingException" for n in range(1, 5)},
    **{f"late-{n}": "ValidationException" for n in range(5, 8)},
}
BY_REASON = {
    "OUT_OF_MEMORY_ERROR": ("settings", "pipeline author", 20),
    "IMPORT_FAILED": ("change", "data", 12),
    "SERVICE_ERROR": ("retry", "AWS", 6),
    "RUN_TASK_FAILED": ("look inside", "pipeline author", 4),
    "ThrottlingException": ("retry", "AWS", 4),
    "ValidationException": ("change", "platform", 3),
    "QUANTUM_DECOHERENCE": ("look inside", "platform", 1),
}


def judge(record: Any, tolerance: Tolerance = NONE, **options: Any) -> Judged:
    return judged(record, OmicsHook(), tolerance=tolerance, log=logging.getLogger("judge"), **options)


def cohort(omics: Any, *, named: bool = True, **rules: Any) -> Any:
    given = settings(FIVE_REASONS) + [{"runSettingId": name} for name in NOT_SUBMITTED]
    return start_batch(omics, given, named=named, fail=NOT_SUBMITTED, **rules)


def by_reason(found: Judged) -> dict[Any, tuple[str, str, int]]:
    return {row["reason"]: (row["class"], row["owner"], row["count"]) for row in found.failures}


# -- a batch of 250 ------------------------------------------------------------------------------------------


def test_failures_are_counted_by_reason_the_most_frequent_first(omics: Any) -> None:
    found = judge(cohort(omics))
    assert found.outcome == Outcome(250, completed=200, failed=43, not_started=7)
    assert by_reason(found) == BY_REASON
    assert [row["count"] for row in found.failures] == [20, 12, 6, 4, 4, 3, 1]
    assert found.record["failures"] == found.failures
    assert found.record["outcome"] == {
        "total": 250, "completed": 200, "failed": 43, "cancelled": 0, "deleted": 0, "notStarted": 7,
    }  # fmt: skip
    assert json.loads(json.dumps(found.record)) == found.record


@pytest.mark.parametrize("named", [True, False])
def test_each_reason_has_up_to_three_examples(omics: Any, named: bool) -> None:
    found = judge(cohort(omics, named=named))
    rows = {row["reason"]: row["examples"] for row in found.failures}
    assert [example["runSettingId"] for example in rows["OUT_OF_MEMORY_ERROR"]] == [
        "sample-201", "sample-202", "sample-203",
    ]  # fmt: skip
    example = rows["IMPORT_FAILED"][0]
    assert OmicsHook().get_run(example["runId"])["failureReason"] == "IMPORT_FAILED"
    assert rows["ThrottlingException"] == [{"runSettingId": f"late-{n}"} for n in (1, 2, 3)]
    assert len(rows["QUANTUM_DECOHERENCE"]) == 1


def test_it_takes_a_request_for_each_failed_run_and_three_for_all_the_rest(omics: Any) -> None:
    record = cohort(omics)
    requests = counting(omics)
    judge(record)
    assert requests() == {"ListRuns": 1, "GetRun": 43, "ListRunsInBatch": 1}


def test_its_report_is_read_in_one_look(omics: Any) -> None:
    found = judge(cohort(omics), Tolerance(12))
    assert found.report + "\n" == (KEPT / "five-reasons.txt").read_text()
    assert len(found.report.splitlines()) <= 40


@pytest.mark.parametrize(
    ("tolerance", "is_tolerated"),
    [(Tolerance(50), True), (Tolerance(49), False), (Tolerance(0, 0.2), True), (Tolerance(0, 0.19), False)],
)
def test_what_is_tolerated_is_judged_by_all_that_did_not_complete(
    omics: Any, tolerance: Tolerance, is_tolerated: bool
) -> None:
    found = judge(cohort(omics), tolerance, diagnose=False)
    assert found.is_tolerated is is_tolerated


def test_without_a_diagnosis_nothing_is_asked(omics: Any) -> None:
    record = cohort(omics)
    requests = counting(omics)
    found = judge(record, diagnose=False)
    assert found.outcome.bad == 50
    assert found.failures == []
    assert "failures" not in found.record
    assert requests() == {}


def test_a_batch_whose_runs_completed_is_asked_nothing_more(omics: Any) -> None:
    record = start_batch(omics, settings([("completed", 5)]))
    requests = counting(omics)
    found = judge(record)
    assert (found.outcome, found.failures, found.is_tolerated) == (Outcome(5, completed=5), [], True)
    assert "failures" not in found.record
    assert requests() == {}


# -- cancelled, deleted, never tried -------------------------------------------------------------------------


def test_cancelled_and_deleted_runs_are_rows_of_their_own(omics: Any) -> None:
    record = start_batch(omics, settings([("completed", 3), ("running-forever", 4)]), seconds=3000)
    runs = {m.setting_id: m.run_id for m in listed(record)}
    for number in (4, 5, 6):
        omics.move(runs[f"sample-{number}"], "CANCELLED")
    omics.move(runs["sample-7"], "FAILED", "IMPORT_FAILED")
    omics.advance(10)
    OmicsHook().delete_run(str(runs["sample-6"]))
    omics.advance(10)
    found = judge(OmicsHook().get_batch(record["id"]))
    assert found.outcome == Outcome(7, completed=3, failed=1, cancelled=2, deleted=1)
    assert by_reason(found) == {
        "CANCELLED": ("change", "platform", 2),
        "IMPORT_FAILED": ("change", "data", 1),
        "DELETED": ("change", "platform", 1),
    }
    [cancelled] = [row for row in found.failures if row["reason"] == "CANCELLED"]
    assert {example["runSettingId"] for example in cancelled["examples"]} == {"sample-4", "sample-5"}


def test_members_that_a_cancelled_batch_did_not_come_to_are_a_row_of_their_own(omics: Any) -> None:
    record = start_batch(omics, settings([("running-forever", 20)]), starts_per_second=1.0, seconds=35 + 5.5)
    OmicsHook().cancel_run_batch(record["id"])
    omics.advance(1000)
    found = judge(OmicsHook().get_batch(record["id"]))
    cancelled = found.outcome.cancelled
    assert found.outcome == Outcome(20, cancelled=cancelled, not_started=20 - cancelled)
    assert 4 <= cancelled <= 6
    assert by_reason(found)["NOT_SUBMITTED"] == ("retry", "platform", 20 - cancelled)


def cancelled_early(omics: Any, **rules: Any) -> Any:
    """Return the record of a batch of 20 that was cancelled after a few."""
    record = start_batch(
        omics, settings([("running-forever", 20)]), starts_per_second=1.0, seconds=35 + 5.5, **rules
    )
    OmicsHook().cancel_run_batch(record["id"])
    omics.advance(1000)
    return OmicsHook().get_batch(record["id"])


def test_members_are_not_called_untried_unless_the_list_says_so(omics: Any) -> None:
    record = cancelled_early(omics)
    omics.fault("ListRunsInBatch", "access-denied")
    assert set(by_reason(judge(record))) == {"CANCELLED", "not looked at"}


def test_without_counts_members_that_no_list_has_are_not_started(omics: Any) -> None:
    outcome = judge(cancelled_early(omics, run_summary=False)).outcome
    assert 4 <= outcome.cancelled <= 6
    assert outcome == Outcome(20, cancelled=outcome.cancelled, not_started=20 - outcome.cancelled)


def test_a_batch_of_which_nothing_is_listed_is_not_tolerated(
    omics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BatchMembers, "pages", lambda members: iter(()))
    found = judge({"id": "7", "status": "PROCESSED"}, Tolerance(5))
    assert found.is_tolerated is False
    assert "how its runs ended is not known" in found.report


# -- counts that say nothing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [True, False])
def test_without_usable_counts_the_members_are_listed(omics: Any, named: bool) -> None:
    record = cohort(omics, named=named, run_summary=False)
    assert "runSummary" not in record
    found = judge(record)
    assert found.outcome == Outcome(250, completed=200, failed=43, not_started=7)
    assert by_reason(found) == BY_REASON


def test_counts_that_do_not_add_up_are_not_believed(omics: Any) -> None:
    record = cohort(omics)
    record["runSummary"]["completedRunCount"] = 250
    assert judge(record, diagnose=False).outcome == Outcome(250, completed=200, failed=43, not_started=7)


def test_a_run_that_a_lagging_list_shows_as_running_is_read(omics: Any) -> None:
    record = start_batch(omics, settings([("completed", 3)]), run_summary=False)
    [run_id] = [m.run_id for m in listed(record) if m.setting_id == "sample-2"]
    omics.fault("ListRuns", "list-lies", run_id=run_id)
    assert judge(record).outcome == Outcome(3, completed=3)


def test_runs_that_were_removed_before_they_were_counted_are_deleted(omics: Any) -> None:
    record = start_batch(
        omics, settings([("completed", 3), ("vanishes-after-completion", 2)]), run_summary=False
    )
    found = judge(record)
    assert found.outcome == Outcome(5, completed=3, deleted=2)
    assert not found.is_tolerated


def test_if_nothing_can_be_found_out_what_prevents_it_is_the_error(omics: Any) -> None:
    """Else soft_fail would skip a cohort because of a policy that lacks an action."""
    record = cohort(omics, run_summary=False)
    omics.fault("ListRuns", "access-denied")
    omics.fault("ListRunsInBatch", "access-denied")
    with pytest.raises(OmicsAccessError, match="Allow omics:ListRuns to the caller"):
        judge(record, Tolerance(250))


def test_of_a_batch_that_did_not_end_well_it_is_a_line_of_the_report(omics: Any) -> None:
    record = cancelled_early(omics, run_summary=False)
    omics.fault("ListRuns", "access-denied")
    omics.fault("ListRunsInBatch", "access-denied")
    found = judge(record, Tolerance(250))
    assert found.is_tolerated is False
    assert "Allow omics:ListRuns to the caller" in found.report
    assert "how its runs ended is not known" in found.report


def test_a_batch_without_any_number_is_judged_by_its_list(omics: Any) -> None:
    record = start_batch(omics, settings([("completed", 1)]))
    for key in ("totalRuns", "runSummary", "submissionSummary"):
        record.pop(key, None)
    assert judge(record).outcome == Outcome(1, completed=1)
    omics.fault("ListRuns", "access-denied")
    with pytest.raises(OmicsAccessError):
        judge(record)


# -- what is denied, slow or gone ----------------------------------------------------------------------------


def test_denied_getrun_is_a_line_of_the_report(omics: Any) -> None:
    record = cohort(omics)
    omics.fault("GetRun", "access-denied")
    found = judge(record, Tolerance(50))
    assert found.is_tolerated
    assert by_reason(found) == {
        "not looked at": ("look inside", "platform", 43),
        "ThrottlingException": ("retry", "AWS", 4),
        "ValidationException": ("change", "platform", 3),
    }
    assert "Allow omics:GetRun to the caller" in found.report


def test_denied_lists_are_lines_of_the_report(omics: Any) -> None:
    record = cohort(omics)
    omics.fault("ListRuns", "access-denied")
    omics.fault("ListRunsInBatch", "access-denied")
    found = judge(record)
    assert by_reason(found) == {"not looked at": ("look inside", "platform", 50)}
    for action in ("omics:ListRuns", "omics:ListRunsInBatch"):
        assert f"Allow {action} to the caller" in found.report


def test_a_service_that_refuses_to_list_by_batch_leaves_the_other_list(omics: Any) -> None:
    record = cohort(omics)
    omics.fault("ListRuns", "validation")
    found = judge(record, within=600)
    assert by_reason(found) == BY_REASON


def test_at_most_200_failed_runs_are_read_and_the_rest_is_named(omics: Any) -> None:
    record = start_batch(omics, settings([("failed-import-failed", 230)]))
    requests = counting(omics)
    found = judge(record)
    assert by_reason(found) == {
        "IMPORT_FAILED": ("change", "data", 200),
        "not looked at": ("look inside", "platform", 30),
    }
    assert requests()["GetRun"] == 200
    assert by_reason(judge(record, most=None)) == {"IMPORT_FAILED": ("change", "data", 230)}


@pytest.mark.parametrize("trouble", ["slow", "throttle", "internal-error", "expired-token"])
def test_looking_into_reasons_ends_in_time(omics: Any, clock: Clock, trouble: str) -> None:
    record = cohort(omics)
    if trouble == "slow":
        within = 3.0
    else:
        within = 20.0
        omics.fault("GetRun", trouble)
    began = omics.now()
    found = judge(record, within=within)
    assert omics.now() - began <= within + 1.0
    assert sum(row["count"] for row in found.failures) == 50
    assert found.failures[-1]["reason"] == "not looked at"
    assert "The time for looking into it was up." in found.report or "GetRun" in found.report


def test_a_line_is_logged_now_and_then_while_it_takes_long(
    omics: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    record = start_batch(omics, settings([("failed-import-failed", 120)]))
    judge(record)
    lines = [line for line in caplog.messages if "failed runs read" in line]
    assert len(lines) == 2  # 24 seconds at 5 requests a second
    about = f"HealthOmics batch {record['id']}"
    assert lines[0] == f"{about}: the reasons of 50 failed runs read (10 s)"


def test_a_failed_run_that_is_gone_when_it_is_read_is_deleted(omics: Any) -> None:
    record = start_batch(omics, settings([("failed-import-failed", 2)]))
    [run_id] = [m.run_id for m in listed(record) if m.setting_id == "sample-2"]
    omics.fault("GetRun", "not-found", run_id=run_id)
    assert by_reason(judge(record)) == {
        "IMPORT_FAILED": ("change", "data", 1),
        "DELETED": ("change", "platform", 1),
    }


def test_a_rate_that_is_none_is_a_line_of_the_report(omics: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    record = cohort(omics)
    monkeypatch.setenv("AIRFLOW__OMICS__REQUESTS_PER_SECOND", "many")
    found = judge(record, Tolerance(50))
    assert found.is_tolerated
    assert "[omics] requests_per_second is 'many'" in found.report


# -- the report ----------------------------------------------------------------------------------------------


def test_a_report_is_short_however_many_reasons_there_are(omics: Any) -> None:
    lives = [life for life in omics.lives() if life.startswith("failed-")]
    assert len(lives) > 25
    found = judge(start_batch(omics, settings([(life, 3) for life in lives])), Tolerance(2))
    assert len(found.report.splitlines()) <= 40
    assert f"{len(found.failures) - 7} other reasons" in found.report


def test_neither_parameters_nor_tags_are_in_a_report_or_a_log(
    omics: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    given = settings([("failed-import-failed", 60)], parameters={"patient": "P-4711"})
    for setting in given:
        setting["runTags"]["patient"] = "P-4712"
    found = judge(start_batch(omics, given))
    for secret in ("P-4711", "P-4712"):
        assert secret not in found.report + caplog.text + json.dumps(found.failures)


# -- each member's reason ------------------------------------------------------------------------------------


def test_each_failed_member_has_its_reason_for_who_starts_it_again(omics: Any) -> None:
    record = cohort(omics)
    members = members_of(record)
    bad = (m for page in members.pages() for m in page if m.status != "COMPLETED")
    classes = {m.setting_id: failure_of(m).failure_class for m in explained(members.calls, bad)}
    assert len(classes) == 50
    assert classes["sample-201"] == "settings"
    assert classes["sample-233"] == "retry"
    assert classes["late-1"] == "retry"
    assert classes["late-5"] == "change"


@pytest.mark.parametrize(
    ("reason", "row"),
    [
        ("ThrottlingException", "THROTTLING"),
        ("THROTTLING", "THROTTLING"),
        ("THROTTLING_EXCEPTION", "THROTTLING"),
        ("InternalServerException", "INTERNAL_SERVER"),
        ("INTERNAL_SERVER_ERROR", "INTERNAL_SERVER"),
        ("RequestTimeoutException", "REQUEST_TIMEOUT"),
        ("ValidationException", "VALIDATION"),
        ("ACCESS_DENIED", "ACCESS_DENIED"),
        ("AccessDeniedException", "ACCESS_DENIED"),
        ("ResourceNotFoundException", "RESOURCE_NOT_FOUND"),
        ("ServiceQuotaExceededException", "SERVICE_QUOTA_EXCEEDED"),
        ("ConflictException", "CONFLICT"),
    ],
)
def test_a_failed_submission_is_classified_however_its_reason_is_written(reason: str, row: str) -> None:
    assert classify_submission(reason) == SUBMISSIONS[row]._replace(reason=reason)


def test_a_failed_submission_may_have_the_reason_of_a_run_or_one_that_nobody_knows() -> None:
    assert classify_submission("ASSUME_ROLE_FAILED").owner == "platform"
    unknown: Failure = classify_submission("QUANTUM")
    assert (unknown.reason, unknown.failure_class) == ("QUANTUM", "look inside")
    assert classify_submission(None).failure_class == "look inside"
