"""The settings of members: inline or from S3, validated, and merged with those of all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_omics.emulator import LIFE_TAG, Emulator

from .batches import (
    CREATING,
    PENDING,
    VALIDATED,
    begin,
    members,
    needs_batches,
    put,
    runs,
    settings,
    shown,
    status,
    statuses,
)
from .support import ROLE, aws, refused

pytestmark = needs_batches


@pytest.fixture(autouse=True)
def frozen(emulator: Emulator) -> None:
    emulator.freeze()


def etag_of(uri: str) -> str:
    """Return the ETag that S3 gives of a file of settings."""
    key = uri.rpartition("/")[2]
    return str(aws("s3", "us-east-1").head_object(Bucket="omics-settings", Key=key)["ETag"].strip('"'))


def failure(client: Any, batch: Any, emulator: Emulator) -> str:
    """Return why a batch fails at the end of its validation."""
    began = shown(client, batch)["creationTime"]
    emulator.advance(VALIDATED - 0.5)
    assert status(client, batch) == "PENDING"
    emulator.advance(3600)
    record = shown(client, batch)
    assert record["status"] == "FAILED"
    assert (record["failedTime"] - began).total_seconds() == pytest.approx(VALIDATED)
    assert client.list_runs()["items"] == []
    return str(record["failureReason"])


class TestMerged:
    """What StartRun gets of a member."""

    def started(self, client: Any, emulator: Emulator, default: dict[str, Any], **setting: Any) -> Any:
        batch = begin(client, [{"runSettingId": "NA12878", **setting}], default=default)
        emulator.advance(VALIDATED + 1)
        (member,) = members(client, batch)
        assert member["submissionStatus"] == "SUCCESS"
        return client.get_run(id=member["runId"])

    def test_what_is_not_said_is_the_default_s(self, client: Any, emulator: Emulator) -> None:
        default = {
            "name": "cohort",
            "priority": 5,
            "parameters": {"a": 1},
            "storageType": "STATIC",
            "storageCapacity": 1200,
            "runGroupId": "42",
            "logLevel": "ERROR",
        }
        record = self.started(client, emulator, default)
        assert {name: record[name] for name in default} == default
        assert (record["workflowId"], record["roleArn"], record["tags"]) == ("1234567", ROLE, {})
        assert (record["workflowType"], record["retentionMode"]) == ("PRIVATE", "RETAIN")
        assert record["batchId"] == shown(client, {"id": record["batchId"]})["id"]
        assert record["runOutputUri"] == f"s3://omics-outputs/runs/{record['id']}"

    def test_what_a_member_says_goes_before(self, client: Any, emulator: Emulator) -> None:
        default = {"name": "cohort", "priority": 5, "engineSettings": {"profile": "test"}}
        own = {
            "name": "NA12878",
            "priority": 7,
            "outputUri": "s3://omics-outputs/NA12878",
            "engineSettings": {"engineVersion": "25.10"},
        }
        record = self.started(client, emulator, default, **own)
        assert {name: record[name] for name in own} == own

    def test_parameters_and_run_tags_are_merged(self, client: Any, emulator: Emulator) -> None:
        record = self.started(
            client,
            emulator,
            {"parameters": {"a": 1, "b": {"c": 1}}, "runTags": {"cohort": "7", "sample": "none"}},
            parameters={"b": {"d": 2}, "reads": ["s3://reads/1"]},
            runTags={"sample": "NA12878"},
        )
        assert record["parameters"] == {"a": 1, "b": {"d": 2}, "reads": ["s3://reads/1"]}
        assert record["tags"] == {"cohort": "7", "sample": "NA12878"}

    def test_the_tags_of_the_batch_are_not_the_run_s(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client, 1, tags={"cohort": "7"})
        emulator.advance(VALIDATED + 1)
        (run,) = runs(client, batch)
        assert client.get_run(id=run["id"])["tags"] == {}
        assert shown(client, batch)["tags"] == {"cohort": "7"}

    def test_the_life_is_the_member_s_or_the_default_s(self, client: Any, emulator: Emulator) -> None:
        given = settings(2)
        given[1]["runTags"] = {LIFE_TAG: "cancelled-while-pending"}
        batch = begin(client, given, default={"runTags": {LIFE_TAG: "completed-quickly"}})
        emulator.advance(VALIDATED + 120)
        assert [run["status"] for run in runs(client, batch)] == ["COMPLETED", "CANCELLED"]


class TestMembersThatFail:
    """A member that StartRun would refuse fails alone."""

    @pytest.mark.parametrize(
        ("setting", "says"),
        [
            ({"outputUri": "bucket/prefix"}, "not an S3 URI"),
            ({"runTags": {LIFE_TAG: "made-up"}}, "life 'made-up' is unknown"),
            (
                {"priority": "high"},
                "'runSetting.priority' failed to satisfy constraint: Member must be of type",
            ),
            ({"name": "n" * 129}, "length less than or equal to 128"),
            ({"storageType": "STATIC"}, "'storageType' is no member of a run setting"),
        ],
    )
    def test_with_a_validation_exception(
        self, setting: dict[str, Any], says: str, client: Any, emulator: Emulator
    ) -> None:
        given = settings(3)
        given[1] |= setting
        batch = begin(client, put(given))
        emulator.advance(VALIDATED + 3)
        assert list(statuses(client, batch).values()) == ["SUCCESS", "FAILED", "SUCCESS"]
        (failed,) = members(client, batch, submissionStatus="FAILED")
        assert failed["submissionFailureReason"] == "ValidationException"
        assert says in failed["submissionFailureMessage"]
        assert len(client.list_runs()["items"]) == 2

    def test_without_an_output_uri_anywhere(self, client: Any, emulator: Emulator) -> None:
        given = settings(2)
        given[1]["outputUri"] = "s3://omics-outputs/own"
        batch = begin(client, given, default={"outputUri": None})
        emulator.advance(VALIDATED + 2)
        assert list(statuses(client, batch).values()) == ["FAILED", "SUCCESS"]

    def test_by_a_share(self, client: Any, emulator: Emulator) -> None:
        emulator.batches(
            fail_share={"ThrottlingException": 0.25, "ResourceNotFoundException": 0.5}, starts_per_second=1000
        )
        batch = begin(client, put(settings(1000)))
        emulator.advance(VALIDATED + 1)
        reasons = [run.get("submissionFailureReason") for run in members(client, batch)]
        assert len(reasons) == 1000
        assert 200 < reasons.count("ThrottlingException") < 300
        assert 440 < reasons.count("ResourceNotFoundException") < 560
        assert 200 < reasons.count(None) < 300


class TestWorkflows:
    """What the runs of a batch use of what was made here."""

    def test_a_strict_service_knows_no_workflow_that_nobody_made(
        self, client: Any, emulator: Emulator
    ) -> None:
        emulator.strict()
        assert refused(begin, client=client)[:2] == ("ResourceNotFoundException", 404)
        assert client.list_batch()["items"] == []

    def test_a_workflow_that_is_deleted_meanwhile_fails_every_member(
        self, client: Any, emulator: Emulator
    ) -> None:
        emulator.strict()
        emulator.workflow("1234567", region_name="us-west-2")
        batch = begin(client)
        client.delete_workflow(id="1234567")
        emulator.advance(VALIDATED + 3)
        assert {run["submissionFailureReason"] for run in members(client, batch)} == {
            "ResourceNotFoundException"
        }
        assert status(client, batch) == "PROCESSED"

    def test_a_workflow_that_is_deleted_afterwards_changes_no_member(
        self, client: Any, emulator: Emulator
    ) -> None:
        emulator.strict()
        emulator.workflow("1234567", name="align", region_name="us-west-2")
        batch = begin(client, put(settings(1200)))
        emulator.advance(VALIDATED + 1300)
        before = runs(client, batch)
        assert {run["workflowName"] for run in before} == {"align"}
        client.cancel_run_batch(batchId=batch["id"])
        emulator.advance(60)
        client.delete_workflow(id="1234567")
        assert {run["workflowName"] for run in runs(client, batch)} == {"align"}
        assert client.get_run(id=before[0]["id"])["status"] == "COMPLETED"

    def test_what_a_workflow_requires_may_be_a_member_s_own(self, client: Any, emulator: Emulator) -> None:
        emulator.strict()
        template = {"reads": {"description": "FASTQ"}, "reference": {"description": "FASTA"}}
        emulator.workflow("1234567", parameter_template=template, region_name="us-west-2")
        given = settings(2)
        given[0]["parameters"] = {"reads": "s3://reads/1.fastq"}
        batch = begin(client, given, default={"parameters": {"reference": "s3://references/hg38.fa"}})
        emulator.advance(VALIDATED + 2)
        assert list(statuses(client, batch).values()) == ["SUCCESS", "FAILED"]
        (failed,) = members(client, batch, submissionStatus="FAILED")
        assert failed["submissionFailureMessage"] == (
            "parameters lacks reads, which workflow 1234567 requires"
        )


class TestValidation:
    """The batch fails once it was PENDING, in the documented words."""

    def test_a_setting_id_twice(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client, [*settings(2), *settings(1)])
        assert failure(client, batch, emulator) == "Expected 3 unique runSettingIds but there were 2"
        assert shown(client, batch).get("submissionSummary") is None
        assert members(client, batch) == []

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"[",
            b"[]",
            b"{}",
            b'{"runSettingId": "a"}',
            b'[{"runSettingId": "a"}',
            b'[{"runSettingId": "a"},]',
            b'[{"runSettingId": "a"} {"runSettingId": "b"}]',
            b'[{"runSettingId": "a"}] []',
            b'[{"name": "a"}]',
            b'[{"runSettingId": 7}]',
            b'["a"]',
            b'[{"runSettingId": "\xff"}]',
            b"runSettingId,name\na,b\n",
        ],
    )
    def test_what_is_no_list_of_settings(self, content: bytes, client: Any, emulator: Emulator) -> None:
        batch = begin(client, put(content))
        assert failure(client, batch, emulator) == "Invalid JSON format in run configurations"

    def test_more_than_100_000(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client, put(settings(100_001)))
        assert failure(client, batch, emulator) == "Batch has 100001 runs but 100000 runs is the max."

    @pytest.mark.parametrize("when", [1, CREATING + 1, CREATING + PENDING - 1])
    def test_a_file_that_changes_before_it_is_validated(
        self, when: float, client: Any, emulator: Emulator
    ) -> None:
        uri = put(settings(2))
        before = etag_of(uri)
        batch = begin(client, uri)
        emulator.advance(when)
        put(settings(3))
        emulator.advance(VALIDATED)
        record = shown(client, batch)
        assert (record["status"], record["failureReason"]) == (
            "FAILED",
            f"Expected s3UriConfigs etag: {before} but was: {etag_of(uri)}. "
            "s3UriConfigs have changed since calling StartRunBatch",
        )

    def test_a_file_that_changes_afterwards_changes_nothing(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client, put(settings(2)))
        emulator.advance(VALIDATED + 1)
        put(settings(5))
        emulator.advance(5)
        assert (status(client, batch), len(runs(client, batch))) == ("INPROGRESS", 2)

    def test_a_file_that_is_written_again_the_same_is_the_same(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client, put(settings(2)))
        put(settings(2))
        emulator.advance(VALIDATED + 2)
        assert status(client, batch) == "INPROGRESS"

    def test_a_file_that_is_deleted(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client, put(settings(2)))
        aws("s3", "us-east-1").delete_object(Bucket="omics-settings", Key="runs.json")
        emulator.advance(VALIDATED)
        assert shown(client, batch)["failureReason"].endswith("have changed since calling StartRunBatch")

    def test_the_file_may_be_of_any_layout(self, client: Any, emulator: Emulator) -> None:
        content = (
            b"\xef\xbb\xbf\n" + json.dumps(settings(3, name="Gr\u00f6\u00dfe"), indent=4).encode() + b"\r\n"
        )
        batch = begin(client, put(content))
        emulator.advance(VALIDATED + 3)
        assert [run["name"] for run in runs(client, batch)] == ["Gr\u00f6\u00dfe"] * 3

    def test_a_bucket_that_is_missing_is_refused_at_once(self, client: Any) -> None:
        code, _, message = refused(begin, client=client, given="s3://omics-none/runs.json")
        assert code == "ValidationException"
        assert "s3://omics-none/runs.json does not exist" in message
