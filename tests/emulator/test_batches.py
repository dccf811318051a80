"""Batches of runs: what the seven operations take, answer and refuse."""

from __future__ import annotations

import re
from typing import Any

import pytest
from botocore.config import Config

from airflow_omics.emulator import LIFE_TAG, Emulator

from .batches import VALIDATED, begin, counts, members, needs_batches, put, settings, shown, status, statuses
from .support import ROLE, aws, refused, start

pytestmark = needs_batches
ENDED = VALIDATED + 3600


@pytest.fixture(autouse=True)
def frozen(emulator: Emulator) -> None:
    emulator.freeze()


@pytest.fixture
def loose(emulator: Emulator) -> Any:
    """A client that sends whatever it is given."""
    return aws(config=Config(parameter_validation=False, retries={"total_max_attempts": 1}))


class TestStart:
    """StartRunBatch."""

    def test_it_answers_at_once_with_a_batch_that_is_creating(self, client: Any) -> None:
        batch = begin(client, batchName="cohort-7", tags={"cohort": "7"})
        del batch["ResponseMetadata"]
        assert re.fullmatch(r"\d{7}", batch["id"])
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", batch.pop("uuid"))
        assert batch == {
            "id": batch["id"],
            "arn": f"arn:aws:omics:us-west-2:123456789012:runBatch/{batch['id']}",
            "status": "CREATING",
            "tags": {"cohort": "7"},
        }

    @pytest.mark.parametrize(
        ("given", "says"),
        [
            ({"inlineSettings": settings(101)}, "length less than or equal to 100"),
            ({"inlineSettings": []}, "length greater than or equal to 1"),
            ({"inlineSettings": [{"name": "NA12878"}]}, "runSettingId"),
            (
                {"inlineSettings": [{"runSettingId": "a", "priority": 100_001}]},
                "less than or equal to 100000",
            ),
            ({"inlineSettings": settings(1), "s3UriSettings": "s3://omics-settings/x"}, "exactly one of"),
            ({}, "exactly one of"),
            ({"s3UriSettings": "omics-settings/runs.json"}, "is not the S3 URI of a file"),
            ({"s3UriSettings": "s3://omics-settings/"}, "is not the S3 URI of a file"),
            ({"s3UriSettings": "s3://omics-settings/gone.json"}, "does not exist"),
        ],
    )
    def test_settings_that_are_refused_at_once(self, given: Any, says: str, loose: Any) -> None:
        default = {"workflowId": "1234567", "roleArn": ROLE}
        code, http, message = refused(
            loose.start_run_batch, requestId="1", defaultRunSetting=default, batchRunSettings=given
        )
        assert (code, http) == ("ValidationException", 400)
        assert says in message
        assert loose.list_batch()["items"] == []

    @pytest.mark.parametrize(
        ("default", "says"),
        [
            ({"workflowType": "READY2RUN"}, "only PRIVATE workflows"),
            ({"outputUri": "bucket/prefix"}, "not an S3 URI"),
            ({"networkingMode": "VPC"}, "configurationName is required"),
            ({"runTags": {LIFE_TAG: "made-up"}}, "life 'made-up' is unknown"),
            ({"roleArn": None}, "roleArn"),
            ({"workflowId": "abc"}, "workflowId"),
        ],
    )
    def test_common_settings_that_are_refused_at_once(
        self, default: dict[str, Any], says: str, loose: Any
    ) -> None:
        code, _, message = refused(begin, client=loose, default=default, requestId="1")
        assert code == "ValidationException"
        assert says in message

    def test_a_repeated_request_is_answered_with_the_batch_as_it_is_now(
        self, client: Any, emulator: Emulator
    ) -> None:
        batch = begin(client, requestId="once")
        emulator.advance(10)
        again = begin(client, requestId="once")
        assert (again["id"], again["uuid"], again["status"]) == (batch["id"], batch["uuid"], "PENDING")
        assert len(client.list_batch()["items"]) == 1

    @pytest.mark.parametrize(
        ("policy", "code"), [("conflict", "ConflictException"), ("validation", "ValidationException")]
    )
    def test_a_repeated_request_is_answered_as_a_run_s(
        self, policy: str, code: str, client: Any, emulator: Emulator
    ) -> None:
        emulator.repeat_request_id(policy)
        begin(client, requestId="once")
        assert refused(begin, client=client, given=2, requestId="once")[0] == code

    def test_forgotten_starts_another(self, client: Any, emulator: Emulator) -> None:
        emulator.repeat_request_id("forgotten")
        first = begin(client, requestId="once")
        assert begin(client, requestId="once")["id"] != first["id"]

    def test_the_request_log_has_it(self, client: Any, emulator: Emulator) -> None:
        begin(client, requestId="once", batchName="cohort-7")
        (seen,) = emulator.requests("StartRunBatch")
        assert (seen["request_id"], seen["name"], seen["status"]) == ("once", "cohort-7", 201)


class TestGet:
    """GetBatch."""

    def test_a_batch_that_is_creating_has_no_counts(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client, default={"priority": 5, "runTags": {"a": "b"}})
        record = shown(client, batch)
        assert record.pop("creationTime").timestamp() == pytest.approx(emulator.now(), abs=0.001)
        assert record == {
            **{name: batch[name] for name in ("id", "arn", "uuid", "tags")},
            "status": "CREATING",
            "defaultRunSetting": {
                "workflowId": "1234567",
                "roleArn": ROLE,
                "outputUri": "s3://omics-outputs/runs",
                "priority": 5,
                "runTags": {"a": "b"},
            },
        }

    def test_a_batch_that_is_processed_has_all(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client, batchName="cohort-7")
        began = shown(client, batch)["creationTime"]
        emulator.advance(ENDED)
        record = shown(client, batch)
        assert (record["name"], record["totalRuns"]) == ("cohort-7", 3)
        assert (record["submittedTime"] - began).total_seconds() == VALIDATED + 3
        assert (record["processedTime"] - began).total_seconds() == VALIDATED + 3 + 1202
        assert record["submissionSummary"] == {
            "successfulStartSubmissionCount": 3,
            "failedStartSubmissionCount": 0,
            "pendingStartSubmissionCount": 0,
            "successfulCancelSubmissionCount": 0,
            "failedCancelSubmissionCount": 0,
            "successfulDeleteSubmissionCount": 0,
            "failedDeleteSubmissionCount": 0,
        }
        assert record["runSummary"] == {
            "pendingRunCount": 0,
            "startingRunCount": 0,
            "runningRunCount": 0,
            "stoppingRunCount": 0,
            "completedRunCount": 3,
            "deletedRunCount": 0,
            "failedRunCount": 0,
            "cancelledRunCount": 0,
        }
        assert not {"failedTime", "failureReason"} & set(record)

    @pytest.mark.parametrize(
        "operation",
        ["get_batch", "list_runs_in_batch", "cancel_run_batch", "delete_run_batch", "delete_batch"],
    )
    def test_an_unknown_batch_is_not_found(self, operation: str, client: Any) -> None:
        assert refused(getattr(client, operation), batchId="7654321") == (
            "ResourceNotFoundException",
            404,
            "Batch 7654321 not found",
        )

    def test_the_run_summary_can_be_missing(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client)
        emulator.advance(ENDED)
        emulator.batches(run_summary=False)
        record = shown(client, batch)
        assert "runSummary" not in record
        assert record["submissionSummary"]["successfulStartSubmissionCount"] == 3

    def test_regions_do_not_see_each_other_s(self, client: Any) -> None:
        batch = begin(client)
        assert refused(aws(region_name="us-east-1").get_batch, batchId=batch["id"])[1] == 404


class TestList:
    """ListBatch."""

    def test_items_have_what_the_service_gives(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client, batchName="cohort-7")
        (item,) = client.list_batch()["items"]
        created = item.pop("createdAt")
        assert created == shown(client, batch)["creationTime"]
        assert item == {
            "id": batch["id"],
            "name": "cohort-7",
            "status": "CREATING",
            "workflowId": "1234567",
        }
        emulator.advance(6)
        (item,) = client.list_batch()["items"]
        assert (item["status"], item["totalRuns"]) == ("PENDING", 3)

    def test_filters(self, client: Any, emulator: Emulator) -> None:
        first = begin(client, batchName="cohort", default={"runGroupId": "42"})
        emulator.advance(ENDED)
        second = begin(client, batchName="cohort-2")

        def found(**filters: Any) -> list[str]:
            return [item["id"] for item in client.list_batch(**filters)["items"]]

        assert found() == [first["id"], second["id"]]
        assert found(name="cohort") == [first["id"]]
        assert found(runGroupId="42") == [first["id"]]
        assert found(status="CREATING") == [second["id"]]
        assert found(status="FAILED") == []

    def test_it_takes_one_filter(self, client: Any) -> None:
        code, http, message = refused(client.list_batch, name="cohort", status="PENDING")
        assert (code, http) == ("ValidationException", 400)
        assert message == "give only one of status, name, runGroupId, not status and name"

    def test_pages(self, client: Any, emulator: Emulator) -> None:
        ids = [begin(client)["id"] for _ in range(5)]
        pages = list(client.get_paginator("list_batch").paginate(PaginationConfig={"PageSize": 2}))
        assert [[item["id"] for item in page["items"]] for page in pages] == [ids[:2], ids[2:4], ids[4:]]
        emulator.batches(page=3)
        assert [len(page["items"]) for page in client.get_paginator("list_batch").paginate()] == [3, 2]


class TestListRuns:
    """ListRunsInBatch."""

    def test_members_that_were_tried_are_shown_with_their_runs(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client)
        emulator.advance(VALIDATED + 2)
        first, second = members(client, batch)
        run = client.get_run(id=first["runId"])
        assert first == {
            "runSettingId": "sample-1",
            "runId": run["id"],
            "runInternalUuid": run["uuid"],
            "runArn": run["arn"],
            "submissionStatus": "SUCCESS",
        }
        assert second["runSettingId"] == "sample-2"

    def test_members_that_were_not_tried_can_be_shown_without_status(
        self, client: Any, emulator: Emulator
    ) -> None:
        batch = begin(client)
        emulator.batches(untried="listed")
        assert members(client, batch) == []
        emulator.advance(VALIDATED + 1)
        assert members(client, batch)[1:] == [{"runSettingId": "sample-2"}, {"runSettingId": "sample-3"}]

    def test_one_that_failed_says_why_and_has_no_run(self, client: Any, emulator: Emulator) -> None:
        emulator.batches(
            fail={"sample-1": "ThrottlingException", "sample-2": ["AccessDeniedException", "No such tag."]}
        )
        batch = begin(client)
        emulator.advance(ENDED)
        assert members(client, batch, submissionStatus="FAILED") == [
            {
                "runSettingId": "sample-1",
                "submissionStatus": "FAILED",
                "submissionFailureReason": "ThrottlingException",
                "submissionFailureMessage": "Rate exceeded",
            },
            {
                "runSettingId": "sample-2",
                "submissionStatus": "FAILED",
                "submissionFailureReason": "AccessDeniedException",
                "submissionFailureMessage": "No such tag.",
            },
        ]
        assert counts(client, batch) == {"successfulStart": 1, "failedStart": 2, "completed": 1}

    def test_filters(self, client: Any, emulator: Emulator) -> None:
        emulator.batches(fail={"sample-2": "ValidationException"})
        batch = begin(client)
        emulator.advance(ENDED)
        first, second, third = members(client, batch)
        assert members(client, batch, submissionStatus="SUCCESS") == [first, third]
        assert members(client, batch, submissionStatus="CANCEL_SUCCESS") == []
        assert members(client, batch, runSettingId="sample-2") == [second]
        assert members(client, batch, runSettingId="sample-4") == []
        assert members(client, batch, runId=third["runId"]) == [third]
        assert members(client, batch, runId="1") == []

    def test_it_takes_one_filter(self, client: Any) -> None:
        batch = begin(client)
        code, http, message = refused(
            client.list_runs_in_batch, batchId=batch["id"], runId="1", runSettingId="sample-1"
        )
        assert (code, http) == ("ValidationException", 400)
        assert message == "give only one of submissionStatus, runSettingId, runId, not runSettingId and runId"

    def test_pages_of_100_and_shorter_ones(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client, put(settings(230)))
        emulator.advance(ENDED)

        def pages() -> list[int]:
            found = list(client.get_paginator("list_runs_in_batch").paginate(batchId=batch["id"]))
            ids = [run["runSettingId"] for page in found for run in page["runs"]]
            assert ids == [f"sample-{number}" for number in range(1, 231)]
            return [len(page["runs"]) for page in found]

        assert pages() == [100, 100, 30]
        emulator.batches(page=90)
        assert pages() == [90, 90, 50]
        page = client.list_runs_in_batch(batchId=batch["id"], maxItems=7)
        assert len(page["runs"]) == 7
        assert refused(client.list_runs_in_batch, batchId=batch["id"], startingToken="no")[1] == 400


class TestDelete:
    """DeleteRunBatch and DeleteBatch."""

    def test_runs_are_deleted(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client)
        emulator.advance(ENDED)
        run = members(client, batch)[0]
        answer = client.delete_run_batch(batchId=batch["id"])
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
        assert status(client, batch) == "RUNS_DELETING"
        emulator.advance(30)
        assert status(client, batch) == "RUNS_DELETED"
        assert counts(client, batch) == {"successfulStart": 3, "successfulDelete": 3, "deleted": 3}
        assert set(statuses(client, batch).values()) == {"DELETE_SUCCESS"}
        assert refused(client.get_run, id=run["runId"])[0] == "ResourceNotFoundException"
        assert client.list_runs()["items"] == []

    def test_some_cannot_be_deleted_and_can_at_the_second_time(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client)
        emulator.advance(ENDED)
        emulator.batches(delete_failures=["sample-2"])
        client.delete_run_batch(batchId=batch["id"])
        emulator.advance(30)
        assert status(client, batch) == "RUNS_DELETE_FAILED"
        assert statuses(client, batch) == {
            "sample-1": "DELETE_SUCCESS",
            "sample-2": "DELETE_FAILED",
            "sample-3": "DELETE_SUCCESS",
        }
        expected = {"successfulStart": 3, "successfulDelete": 2, "failedDelete": 1, "deleted": 2}
        assert counts(client, batch) == {**expected, "completed": 1}
        (left,) = client.list_runs()["items"]
        assert left["id"] == members(client, batch)[1]["runId"]
        emulator.batches(delete_failures=0)
        client.delete_run_batch(batchId=batch["id"])
        emulator.advance(30)
        assert status(client, batch) == "RUNS_DELETED"
        assert counts(client, batch) == {"successfulStart": 3, "successfulDelete": 3, "deleted": 3}

    @pytest.mark.parametrize(
        ("policy", "code"), [("conflict", "ConflictException"), ("validation", "ValidationException")]
    )
    def test_runs_of_a_batch_that_goes_on_cannot_be_deleted(
        self, policy: str, code: str, client: Any, emulator: Emulator
    ) -> None:
        emulator.batches(refusal=policy)
        batch = begin(client)
        for seconds in (0, 10, VALIDATED - 9, 60):
            emulator.advance(seconds)
            assert refused(client.delete_run_batch, batchId=batch["id"])[0] == code
            assert refused(client.delete_batch, batchId=batch["id"])[0] == code

    def test_a_second_deletion_at_once_is_a_conflict(self, client: Any, emulator: Emulator) -> None:
        emulator.batches(refusal="validation")
        batch = begin(client)
        emulator.advance(ENDED)
        client.delete_run_batch(batchId=batch["id"])
        assert refused(client.delete_run_batch, batchId=batch["id"])[0] == "ConflictException"
        assert refused(client.cancel_run_batch, batchId=batch["id"])[0] == "ConflictException"

    def test_a_batch_that_is_deleted_is_not_found_and_its_runs_are(
        self, client: Any, emulator: Emulator
    ) -> None:
        batch = begin(client)
        emulator.advance(ENDED)
        run = members(client, batch)[0]
        answer = client.delete_batch(batchId=batch["id"])
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
        assert refused(client.get_batch, batchId=batch["id"])[0] == "ResourceNotFoundException"
        assert client.list_batch()["items"] == []
        assert client.get_run(id=run["runId"])["batchId"] == batch["id"]
        assert len(client.list_runs(batchId=batch["id"])["items"]) == 3


def test_tags_of_a_batch_can_be_changed(client: Any) -> None:
    batch = begin(client, tags={"cohort": "7"})
    client.tag_resource(resourceArn=batch["arn"], tags={"owner": "lab"})
    client.untag_resource(resourceArn=batch["arn"], tagKeys=["cohort"])
    assert client.list_tags_for_resource(resourceArn=batch["arn"])["tags"] == {"owner": "lab"}
    assert shown(client, batch)["tags"] == {"owner": "lab"}
    assert refused(begin, client=client, tags={f"key-{n}": "" for n in range(51)})[0] == "ValidationException"


class TestFaults:
    """Faults and limits hold for batches as for all else."""

    def test_an_error(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client)
        emulator.fault("GetBatch", "throttle", times=1)
        assert refused(client.get_batch, batchId=batch["id"])[:2] == ("ThrottlingException", 429)
        assert status(client, batch) == "CREATING"

    def test_a_denial_names_the_batch(self, client: Any, emulator: Emulator) -> None:
        emulator.fault("*", "access-denied")
        message = refused(client.get_batch, batchId="77")[2]
        assert "omics:GetBatch on resource: arn:aws:omics:us-west-2:123456789012:runBatch/77 " in message

    def test_an_answer_that_is_lost_leaves_a_batch(self, client: Any, emulator: Emulator) -> None:
        emulator.fault("StartRunBatch", "lost-answer", times=1)
        with pytest.raises(Exception, match="closed"):
            begin(client, requestId="once")
        (item,) = client.list_batch()["items"]
        assert begin(client, requestId="once")["id"] == item["id"]

    def test_a_fault_of_one_run_strikes_a_member(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client)
        emulator.advance(ENDED)
        first, second, _ = members(client, batch)
        emulator.fault("GetRun", "not-found", run_id=first["runId"])
        assert refused(client.get_run, id=first["runId"])[1] == 404
        assert client.get_run(id=second["runId"])["status"] == "COMPLETED"

    def test_a_limit(self, client: Any, emulator: Emulator) -> None:
        emulator.limit("ListBatch", 1 / 3600)
        assert client.list_batch()["items"] == []
        assert refused(client.list_batch)[0] == "ThrottlingException"

    def test_members_use_up_the_limit_of_start_run(self, client: Any, emulator: Emulator) -> None:
        emulator.limit("StartRun", 1)
        begin(client)
        emulator.advance(VALIDATED + 1)
        assert refused(start, client=client)[0] == "ThrottlingException"

    def test_members_that_are_not_submitted_yet_do_not(self, client: Any, emulator: Emulator) -> None:
        emulator.limit("StartRun", 1)
        begin(client)
        emulator.advance(VALIDATED)
        assert start(client)["status"] == "PENDING"

    def test_members_are_submitted_no_faster_than_the_limit(self, client: Any, emulator: Emulator) -> None:
        emulator.limit("StartRun", 0.5)
        batch = begin(client)
        emulator.advance(VALIDATED + 3)
        assert counts(client, batch) == {"successfulStart": 1, "pendingStart": 2, "pending": 1}
        emulator.limit("StartRun", None)
        for submitted in (1, 2, 3):
            assert counts(client, batch)["successfulStart"] == submitted
            emulator.advance(1)

    @pytest.mark.parametrize("look", [True, False])
    def test_a_limit_slows_members_from_when_it_is_set(
        self, look: bool, client: Any, emulator: Emulator
    ) -> None:
        batch = begin(client, 10)
        submitted = []
        # Until then, 3 are submitted without a limit, 2 with it, and 3 without it again.
        for seconds, limit in ((VALIDATED + 3, 0.5), (4, None), (3, None)):
            emulator.advance(seconds)
            if look:
                submitted.append(counts(client, batch)["successfulStart"])
            emulator.limit("StartRun", limit)
        assert submitted in ([3, 5, 8], [])
        assert counts(client, batch)["successfulStart"] == 8

    def test_a_pace_changes_what_the_limit_means_from_then_on(self, client: Any, emulator: Emulator) -> None:
        emulator.limit("StartRun", 1)
        emulator.batches(starts_per_second=10)
        batch = begin(client, 100)
        emulator.advance(VALIDATED + 5)
        # Ten members in a second of such a clock are far fewer than one in a real second.
        emulator.set_pace(1e-4)
        assert counts(client, batch)["successfulStart"] == 5
        emulator.freeze()
        emulator.advance(2)
        assert counts(client, batch)["successfulStart"] == 7


class TestRules:
    """Wrong rules are refused in one sentence."""

    @pytest.mark.parametrize(
        ("rules", "says"),
        [
            (
                {"start_per_second": 5},
                "batches have no rule 'start_per_second'; did you mean 'starts_per_sec",
            ),
            ({"x": 5}, "batches have no rule 'x'; there are creating_seconds, pending_seconds, "),
            ({"starts_per_second": 0}, "starts_per_second is 0; give a number from 0.001 to 1000000"),
            (
                {"creating_seconds": -1},
                "creating_seconds is -1; give a number of seconds from 0 to 1000000000",
            ),
            ({"counts_lag": True}, "counts_lag is True; give a number of seconds"),
            ({"fail": ["sample-1"]}, "fail is ['sample-1']; give a mapping such as"),
            (
                {"fail": {"sample-1": "Throttling"}},
                "fail has 'Throttling' for 'sample-1'; give one of AccessDen",
            ),
            (
                {"fail": {"a": ["ThrottlingException"]}},
                "fail has ['ThrottlingException'] for 'a'; give one of",
            ),
            ({"fail_share": 0.5}, "fail_share is 0.5; give a mapping such as"),
            ({"fail_share": {"Throttling": 1}}, "fail_share has the reason 'Throttling'; give AccessDenied"),
            (
                {"fail_share": {"ConflictException": 2}},
                "fail_share has 2 for ConflictException; give a share",
            ),
            (
                {"fail_share": {"ConflictException": 0.6, "ThrottlingException": 0.5}},
                "fail_share adds up to 1.1; all shares together are at most 1",
            ),
            ({"fails_after": -1}, "fails_after is -1; give a number of members >= 0, or None for never"),
            ({"fails_after": True}, "fails_after is True"),
            ({"failure_reason": ""}, "failure_reason is ''; give a text"),
            ({"retry": "never"}, "retry is 'never'; give one of new, same, conflict"),
            ({"cancel_failures": "sample-1"}, "cancel_failures is 'sample-1'; give a share of the members"),
            (
                {"delete_failures": 1.5},
                "delete_failures is 1.5; give a share of the members from 0 to 1, or a l",
            ),
            ({"refusal": 5}, "refusal is 5; give one of conflict, validation"),
            ({"run_summary": 1}, "run_summary is 1; give True or False"),
            ({"untried": "no"}, "untried is 'no'; give one of absent, listed"),
            ({"page": 0}, "page is 0; give a number of items from 1 to 100"),
            ({"list_runs": "none"}, "list_runs is 'none'; give one of both, one filter"),
        ],
    )
    def test_refused(self, rules: dict[str, Any], says: str, emulator: Emulator) -> None:
        with pytest.raises(ValueError, match=re.escape(says)):
            emulator.batches(**rules)

    def test_none_changes_if_one_is_wrong(self, client: Any, emulator: Emulator) -> None:
        with pytest.raises(ValueError, match="page is 0"):
            emulator.batches(creating_seconds=100, page=0)
        batch = begin(client)
        emulator.advance(6)
        assert status(client, batch) == "PENDING"

    def test_a_reset_forgets_them(self, client: Any, emulator: Emulator) -> None:
        emulator.batches(creating_seconds=100)
        emulator.reset()
        emulator.freeze()
        batch = begin(client)
        emulator.advance(6)
        assert status(client, batch) == "PENDING"

    def test_a_batch_keeps_the_script_it_was_started_with(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client)
        emulator.batches(creating_seconds=100, starts_per_second=5, fail={"sample-1": "ConflictException"})
        emulator.advance(VALIDATED + 1)
        assert counts(client, batch) == {"successfulStart": 1, "pendingStart": 2, "pending": 1}
