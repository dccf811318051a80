"""The way of a batch through its statuses: on the clock, cancelled, failed, moved by a test."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_omics.emulator import LIFE_TAG, Emulator
from airflow_omics.emulator.service import batches_members
from airflow_omics.emulator.service.batches_state import locate

from .batches import (
    COMPLETED,
    PENDING,
    VALIDATED,
    begin,
    counts,
    members,
    needs_batches,
    runs,
    settings,
    shown,
    status,
    statuses,
)
from .support import refused

pytestmark = needs_batches
TRANSIENT = "There was a transient error in the service. Retry the batch."


@pytest.fixture(autouse=True, params=["runs", "numbers"])
def frozen(request: pytest.FixtureRequest, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Members are runs at once in a small batch, and numbers until they are looked at in a large one."""
    monkeypatch.setattr(batches_members, "MOST_MADE", 1000 if request.param == "runs" else 0)
    emulator.freeze()


class TestClock:
    """Nothing but the clock moves a batch."""

    def test_each_status_at_its_moment(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client)
        seen = []
        for seconds in (0, 4.5, 0.5, 29.5, 0.5, 2.5, 0.5, COMPLETED - 0.5, 0.5, 86_400):
            emulator.advance(seconds)
            seen.append(status(client, batch))
        assert seen == [
            *("CREATING", "CREATING", "PENDING", "PENDING", "SUBMITTING"),
            *("SUBMITTING", "INPROGRESS", "INPROGRESS", "PROCESSED", "PROCESSED"),
        ]

    def test_one_long_look_away_gives_the_same_times(self, client: Any, emulator: Emulator) -> None:
        watched, unwatched = begin(client, batchName="watched"), begin(client, batchName="unwatched")
        for _ in range(130):
            emulator.advance(10)
            shown(client, watched)
        one, other = shown(client, watched), shown(client, unwatched)
        assert one["status"] == other["status"] == "PROCESSED"
        for name in ("creationTime", "submittedTime", "processedTime", "runSummary"):
            assert one[name] == other[name], name

    def test_the_seconds_and_the_rate_are_a_test_s(self, client: Any, emulator: Emulator) -> None:
        emulator.batches(creating_seconds=100, pending_seconds=50, starts_per_second=2)
        batch = begin(client, 10)
        seen = []
        for seconds in (99, 1, 49, 1, 4.5, 0.5):
            emulator.advance(seconds)
            seen.append(status(client, batch))
        assert seen == ["CREATING", "PENDING", "PENDING", "SUBMITTING", "SUBMITTING", "INPROGRESS"]

    def test_members_are_submitted_one_a_second(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client, 5)
        emulator.advance(VALIDATED)
        for number in range(5):
            assert counts(client, batch).get("successfulStart", 0) == number
            assert len(client.list_runs()["items"]) == number
            emulator.advance(1)
        created = [run["creationTime"].timestamp() for run in runs(client, batch)]
        assert [later - created[0] for later in created] == pytest.approx([0, 1, 2, 3, 4])

    def test_counts_follow_the_lives_of_the_members(self, client: Any, emulator: Emulator) -> None:
        given = [
            {"runSettingId": name, "runTags": {LIFE_TAG: life}}
            for name, life in (
                ("a", "completed"),
                ("b", "failed-assume-role-failed"),
                ("c", "cancelled-while-pending"),
            )
        ]
        emulator.batches(starts_per_second=1000)
        batch = begin(client, given)
        seen = []
        for seconds in (VALIDATED + 1, 58, 7, 240, 40, 220, 500, 200):
            emulator.advance(seconds)
            seen.append({n: c for n, c in counts(client, batch).items() if n != "successfulStart"})
        # 1, 59, 66, 306, 346, 566, 1066 and 1266 seconds after the start
        assert seen == [
            {"pending": 3},
            {"starting": 2, "pending": 1},
            {"starting": 2, "cancelled": 1},
            {"starting": 1, "stopping": 1, "cancelled": 1},
            {"starting": 1, "failed": 1, "cancelled": 1},
            {"running": 1, "failed": 1, "cancelled": 1},
            {"stopping": 1, "failed": 1, "cancelled": 1},
            {"completed": 1, "failed": 1, "cancelled": 1},
        ]
        assert status(client, batch) == "PROCESSED"

    def test_a_batch_is_not_processed_while_a_run_goes_on(self, client: Any, emulator: Emulator) -> None:
        given = settings(2)
        given[1]["runTags"] = {LIFE_TAG: "running-forever"}
        batch = begin(client, given)
        emulator.advance(VALIDATED + 86_400)
        assert (status(client, batch), counts(client, batch)) == (
            "INPROGRESS",
            {"successfulStart": 2, "completed": 1, "running": 1},
        )
        client.cancel_run(id=members(client, batch)[1]["runId"])
        emulator.advance(60)
        assert (status(client, batch), counts(client, batch)) == (
            "PROCESSED",
            {"successfulStart": 2, "completed": 1, "cancelled": 1},
        )

    def test_a_batch_without_any_run_is_processed(self, client: Any, emulator: Emulator) -> None:
        emulator.batches(fail_share={"AccessDeniedException": 1})
        batch = begin(client)
        emulator.advance(VALIDATED + 3)
        assert (status(client, batch), counts(client, batch)) == ("PROCESSED", {"failedStart": 3})

    def test_a_status_that_has_no_count_is_counted_as_running(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client, default={"runTags": {LIFE_TAG: "unknown-status-forever"}})
        emulator.advance(VALIDATED + 86_400)
        assert status(client, batch) == "INPROGRESS"
        assert counts(client, batch)["running"] == 3


class TestCounts:
    """Counts that are not of this moment."""

    def test_they_lag_until_the_batch_is_processed(self, client: Any, emulator: Emulator) -> None:
        emulator.batches(counts_lag=20, starts_per_second=10)
        batch = begin(client, 100)
        emulator.advance(VALIDATED + 10)
        assert counts(client, batch) == {}
        emulator.advance(15)
        assert counts(client, batch) == {"successfulStart": 50, "pending": 20, "starting": 30}
        emulator.advance(COMPLETED - 15)
        assert (status(client, batch), counts(client, batch)["completed"]) == ("PROCESSED", 100)

    def test_they_step_back(self, client: Any, emulator: Emulator) -> None:
        emulator.batches(counts_step_back=True)
        batch = begin(client, 100)
        emulator.advance(VALIDATED + 90)
        seen = [counts(client, batch)["successfulStart"] for _ in range(4)]
        assert seen == [90, 30, 90, 30]
        emulator.batches(counts_lag=10)
        assert [counts(client, batch)["successfulStart"] for _ in range(2)] == [80, 70]
        emulator.advance(COMPLETED + 10)
        assert [counts(client, batch)["completed"] for _ in range(2)] == [100, 100]

    def test_the_history_has_the_counts_of_each_moment(self, client: Any, emulator: Emulator) -> None:
        emulator.batches(starts_per_second=10)
        batch = begin(client, 100)
        emulator.advance(86_400)
        shown(client, batch)
        _, kept = locate(batch["id"], None, None)
        began = kept.history[0].service
        submitted = VALIDATED + 10
        assert [(entry.status, round(entry.service - began, 6)) for entry in kept.history] == [
            ("CREATING", 0),
            ("PENDING", 5),
            ("SUBMITTING", VALIDATED),
            ("INPROGRESS", submitted),
            ("PROCESSED", submitted + COMPLETED),
        ]
        assert kept.history[0].counts == {}
        assert kept.history[1].counts["submissionSummary"]["pendingStartSubmissionCount"] == 100
        run_summary = kept.history[3].counts["runSummary"]
        assert (run_summary["pendingRunCount"], run_summary["startingRunCount"]) == (20, 80)
        assert kept.history[4].counts["runSummary"]["completedRunCount"] == 100
        assert shown(client, batch)["processedTime"].timestamp() == pytest.approx(kept.history[4].reported)


class TestCancel:
    """CancelRunBatch in every status."""

    def test_in_pending_nothing_is_submitted(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client)
        emulator.advance(10)
        answer = client.cancel_run_batch(batchId=batch["id"])
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
        assert status(client, batch) == "CANCELLED"
        emulator.advance(86_400)
        assert (status(client, batch), counts(client, batch)) == ("CANCELLED", {})
        assert members(client, batch) == []
        assert client.list_runs()["items"] == []

    def test_in_submitting_the_rest_is_not_submitted(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client, 10)
        emulator.advance(VALIDATED + 4)
        client.cancel_run_batch(batchId=batch["id"])
        assert status(client, batch) == "STOPPING"
        assert counts(client, batch) == {"successfulStart": 4, "successfulCancel": 4, "stopping": 4}
        emulator.advance(59)
        assert status(client, batch) == "STOPPING"
        emulator.advance(1)
        assert (status(client, batch), counts(client, batch)) == (
            "CANCELLED",
            {"successfulStart": 4, "successfulCancel": 4, "cancelled": 4},
        )
        assert [run["status"] for run in runs(client, batch)] == ["CANCELLED"] * 4
        assert list(statuses(client, batch).values()) == ["CANCEL_SUCCESS"] * 4

    def test_in_progress_what_has_ended_stays(self, client: Any, emulator: Emulator) -> None:
        given = settings(3)
        given[0]["runTags"] = {LIFE_TAG: "completed-quickly"}
        given[1]["runTags"] = {LIFE_TAG: "stopping-forever"}
        batch = begin(client, given)
        emulator.advance(VALIDATED + 1060)
        client.cancel_run_batch(batchId=batch["id"])
        assert statuses(client, batch) == {
            "sample-1": "SUCCESS",
            "sample-2": "CANCEL_SUCCESS",
            "sample-3": "CANCEL_SUCCESS",
        }
        emulator.advance(86_400)
        # As after CancelRun, a run that was STOPPING ends as it was going to.
        assert [run["status"] for run in runs(client, batch)] == ["COMPLETED", "STOPPING", "COMPLETED"]
        assert status(client, batch) == "CANCELLED"

    @pytest.mark.parametrize(
        ("policy", "code"), [("conflict", "ConflictException"), ("validation", "ValidationException")]
    )
    def test_it_is_refused_before_and_after(
        self, policy: str, code: str, client: Any, emulator: Emulator
    ) -> None:
        emulator.batches(refusal=policy)
        batch, failed = begin(client), begin(client, [*settings(1), *settings(1)])
        assert refused(client.cancel_run_batch, batchId=batch["id"])[0] == code
        emulator.advance(VALIDATED + 3 + COMPLETED)
        assert (status(client, batch), status(client, failed)) == ("PROCESSED", "FAILED")
        assert refused(client.cancel_run_batch, batchId=batch["id"])[0] == code
        assert refused(client.cancel_run_batch, batchId=failed["id"])[0] == code

    def test_a_second_one_at_once_is_a_conflict(self, client: Any, emulator: Emulator) -> None:
        emulator.batches(refusal="validation")
        batch = begin(client)
        emulator.advance(VALIDATED + 3)
        client.cancel_run_batch(batchId=batch["id"])
        assert refused(client.cancel_run_batch, batchId=batch["id"])[0] == "ConflictException"
        assert refused(client.delete_run_batch, batchId=batch["id"])[0] == "ConflictException"
        emulator.advance(60)
        assert refused(client.cancel_run_batch, batchId=batch["id"])[0] == "ValidationException"

    def test_some_cannot_be_cancelled_and_go_on(self, client: Any, emulator: Emulator) -> None:
        emulator.batches(cancel_failures=["sample-2"])
        batch = begin(client)
        emulator.advance(VALIDATED + 3)
        client.cancel_run_batch(batchId=batch["id"])
        emulator.advance(60)
        assert (status(client, batch), counts(client, batch)) == (
            "CANCELLED",
            {
                "successfulStart": 3,
                "successfulCancel": 2,
                "failedCancel": 1,
                "starting": 1,
                "cancelled": 2,
            },
        )
        assert statuses(client, batch)["sample-2"] == "CANCEL_FAILED"
        emulator.advance(COMPLETED)
        assert [run["status"] for run in runs(client, batch)] == ["CANCELLED", "COMPLETED", "CANCELLED"]

    def test_what_was_cancelled_can_be_deleted(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client)
        emulator.advance(VALIDATED + 2)
        client.cancel_run_batch(batchId=batch["id"])
        emulator.advance(60)
        client.delete_run_batch(batchId=batch["id"])
        emulator.advance(30)
        assert (status(client, batch), counts(client, batch)) == (
            "RUNS_DELETED",
            {"successfulStart": 2, "successfulCancel": 2, "successfulDelete": 2, "deleted": 2},
        )


class TestFailed:
    """A batch that fails as a whole."""

    def test_after_some_have_started_these_go_on(self, client: Any, emulator: Emulator) -> None:
        emulator.batches(fails_after=2)
        batch = begin(client, 5)
        emulator.advance(VALIDATED + 2)
        record = shown(client, batch)
        assert (record["status"], record["failureReason"]) == ("FAILED", TRANSIENT)
        assert (record["failedTime"] - record["creationTime"]).total_seconds() == VALIDATED + 2
        emulator.advance(86_400)
        assert counts(client, batch) == {"successfulStart": 2, "completed": 2}
        assert [run["status"] for run in runs(client, batch)] == ["COMPLETED", "COMPLETED"]
        assert not {"submittedTime", "processedTime"} & set(shown(client, batch))

    def test_before_any_has_started(self, client: Any, emulator: Emulator) -> None:
        emulator.batches(fails_after=0, failure_reason="Something went wrong.")
        batch = begin(client)
        emulator.advance(86_400)
        record = shown(client, batch)
        assert (record["status"], record["failureReason"]) == ("FAILED", "Something went wrong.")
        assert (record["failedTime"] - record["creationTime"]).total_seconds() == VALIDATED
        assert runs(client, batch) == []

    def test_never_if_there_are_not_so_many(self, client: Any, emulator: Emulator) -> None:
        emulator.batches(fails_after=4)
        batch = begin(client, 3)
        emulator.advance(86_400)
        assert status(client, batch) == "PROCESSED"

    def test_the_same_request_starts_another_one(self, client: Any, emulator: Emulator) -> None:
        emulator.batches(fails_after=1)
        batch = begin(client, requestId="once")
        assert begin(client, requestId="once")["id"] == batch["id"]
        emulator.advance(VALIDATED + 1)
        emulator.batches(fails_after=None)
        again = begin(client, requestId="once")
        assert again["id"] != batch["id"]
        emulator.advance(VALIDATED + 3)
        assert [status(client, each) for each in (batch, again)] == ["FAILED", "INPROGRESS"]
        assert begin(client, requestId="once")["id"] == again["id"]

    def test_the_same_request_gives_the_failed_one(self, client: Any, emulator: Emulator) -> None:
        emulator.batches(fails_after=1, retry="same")
        batch = begin(client, requestId="once")
        emulator.advance(VALIDATED + 1)
        again = begin(client, requestId="once")
        assert (again["id"], again["status"]) == (batch["id"], "FAILED")

    def test_the_same_request_is_a_conflict(self, client: Any, emulator: Emulator) -> None:
        emulator.batches(fails_after=1, retry="conflict")
        begin(client, requestId="once")
        assert begin(client, requestId="once")
        emulator.advance(VALIDATED + 1)
        assert refused(begin, client=client, requestId="once")[0] == "ConflictException"

    def test_a_batch_that_failed_by_its_own_fault_is_not_retried(
        self, client: Any, emulator: Emulator
    ) -> None:
        given = [*settings(2), *settings(1)]
        batch = begin(client, given, requestId="once")
        emulator.advance(VALIDATED)
        assert begin(client, given, requestId="once")["id"] == batch["id"]


class TestMoved:
    """``move_batch``."""

    def test_a_batch_stays_where_it_was_put(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client)
        emulator.advance(VALIDATED + 1)
        assert emulator.move_batch(batch["id"], "SUBMITTING") == batch["uuid"]
        emulator.advance(86_400)
        assert status(client, batch) == "SUBMITTING"

    def test_one_that_fails_leaves_what_has_started(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client, 5)
        emulator.advance(VALIDATED + 2)
        emulator.move_batch(batch["id"], "FAILED", "Out of luck.")
        emulator.advance(86_400)
        record = shown(client, batch)
        assert (record["status"], record["failureReason"]) == ("FAILED", "Out of luck.")
        assert counts(client, batch) == {"successfulStart": 2, "completed": 2}

    def test_one_that_is_put_back_can_be_cancelled(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client)
        emulator.advance(PENDING)
        emulator.move_batch(batch["id"], "PENDING")
        client.cancel_run_batch(batchId=batch["id"])
        emulator.advance(1)
        assert status(client, batch) == "CANCELLED"

    def test_one_that_vanishes(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client)
        emulator.advance(VALIDATED + 1)
        emulator.move_batch(batch["id"], "VANISHED")
        assert refused(client.get_batch, batchId=batch["id"])[1] == 404
        emulator.advance(2)
        assert len(client.list_runs()["items"]) == 3

    def test_an_id_that_is_reused(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client)
        emulator.advance(VALIDATED + 1)
        uuid = emulator.move_batch(batch["id"], "REUSED")
        record = shown(client, batch)
        assert uuid == record["uuid"] != batch["uuid"]
        assert (record["id"], record["arn"], record["status"]) == (batch["id"], batch["arn"], "CREATING")
        emulator.advance(VALIDATED + 3)
        assert status(client, batch) == "INPROGRESS"
        assert len(runs(client, batch)) == 6

    @pytest.mark.parametrize("word", ["failed", "COMPLETED", "", None])
    def test_a_word_that_is_no_status_is_refused(self, word: Any, client: Any, emulator: Emulator) -> None:
        batch = begin(client)
        with pytest.raises(ValueError, match=rf"status is {word!r}; give one of CREATING, PENDING, "):
            emulator.move_batch(batch["id"], word)

    def test_a_batch_that_is_not_there_is_refused(self, client: Any, emulator: Emulator) -> None:
        with pytest.raises(ValueError, match="batch '77' is not in the emulator"):
            emulator.move_batch("77", "FAILED")
