"""The operations beside the lives: validation, paging, filters, deletion, accounts and Regions."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config

from airflow_omics.emulator import Emulator, mock_omics

from .conftest import ROLE, aws, refused, start


def test_every_member_of_start_run_comes_back_from_get_run(client: Any) -> None:
    given = {
        "workflowId": "7654321",
        "workflowType": "PRIVATE",
        "name": "NA12878",
        "roleArn": ROLE,
        "cacheId": "1112223",
        "cacheBehavior": "CACHE_ON_FAILURE",
        "runGroupId": "4445556",
        "priority": 3,
        "parameters": {"reads": ["s3://reads/1.fastq"], "deep": {"empty": None, "on": True, "ratio": 0.5}},
        "storageType": "STATIC",
        "storageCapacity": 2400,
        "outputUri": "s3://omics-outputs/runs/",
        "logLevel": "ERROR",
        "tags": {"cohort": "7"},
        "retentionMode": "REMOVE",
        "workflowOwnerId": "210987654321",
        "workflowVersionName": "3.0.0",
    }
    known = client.meta.service_model.operation_model("StartRun").input_shape.members
    given = {name: value for name, value in given.items() if name in known}
    run = client.start_run(**given)
    record = client.get_run(id=run["id"])
    assert {name: record.get(name) for name in given} == given
    assert record["runOutputUri"] == run["runOutputUri"] == f"s3://omics-outputs/runs/{run['id']}"
    assert run["tags"] == {"cohort": "7"}


def test_what_was_not_given_is_not_shown(client: Any) -> None:
    record = client.get_run(id=start(client)["id"])
    assert not {"name", "runGroupId", "priority", "cacheId", "parameters", "batchId", "runId"} & set(record)
    assert not {"startTime", "stopTime", "resourceDigests", "accelerators", "definition"} & set(record)


def test_the_definition_is_shown_when_it_is_asked_for(client: Any) -> None:
    run = start(client)
    assert "definition" in client.get_run(id=run["id"], export=["DEFINITION"])


def test_a_rerun_takes_over_everything_but_the_tags(client: Any) -> None:
    first = start(client, name="NA12878", parameters={"a": 1}, tags={"cohort": "7"})
    second = client.start_run(runId=first["id"], roleArn=ROLE, outputUri="s3://omics-outputs/again")
    record = client.get_run(id=second["id"])
    assert (record["runId"], record["workflowId"], record["name"]) == (first["id"], "1234567", "NA12878")
    assert (record["parameters"], record["tags"]) == ({"a": 1}, {})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"outputUri": "bucket/prefix"}, "not an S3 URI"),
        ({"outputUri": None}, "outputUri"),
        ({"outputUri": "s3://"}, "not an S3 URI"),
        ({"outputUri": "s3:///x"}, "not an S3 URI"),
        ({"outputUri": "s3://b/x"}, "names the bucket 'b'; a bucket's name has at least 3 characters"),
        ({"roleArn": "OmicsRole"}, "'roleArn' failed to satisfy constraint"),
        ({"roleArn": None}, "Value null at 'roleArn'"),
        ({"workflowId": "abc"}, "'workflowId' failed to satisfy constraint"),
        ({"workflowId": None}, "workflowId or runId"),
        ({"storageType": "FLOPPY"}, "enum value set"),
        ({"priority": 100_001}, "less than or equal to 100000"),
        ({"name": "n" * 129}, "length less than or equal to 128"),
        ({"tags": {"a": 1}}, "must be of type string"),
    ],
)
def test_start_run_refuses_what_the_service_refuses(
    changes: dict[str, Any], says: str, emulator: Emulator
) -> None:
    client = aws(config=Config(parameter_validation=False))
    given = {"workflowId": "1234567", "roleArn": ROLE, "outputUri": "s3://omics-outputs/runs", **changes}
    call = {name: value for name, value in given.items() if value is not None}
    code, status, message = refused(client.start_run, requestId="1", **call)
    assert (code, status) == ("ValidationException", 400)
    assert says in message


def test_start_run_names_everything_that_is_wrong(emulator: Emulator) -> None:
    client = aws(config=Config(parameter_validation=False))
    _, _, message = refused(
        client.start_run, requestId="1", roleArn="r", workflowId="w", outputUri="s3://bucket/x"
    )
    assert message.startswith("2 validation errors detected: ")


@pytest.mark.parametrize("operation", ["get_run", "cancel_run", "delete_run", "list_run_tasks"])
def test_an_unknown_run_is_not_found(operation: str, client: Any) -> None:
    assert refused(getattr(client, operation), id="1234567")[:2] == ("ResourceNotFoundException", 404)


def test_an_unknown_task_is_not_found(client: Any) -> None:
    run = start(client)
    assert refused(client.get_run_task, id=run["id"], taskId="1")[:2] == ("ResourceNotFoundException", 404)


def test_an_operation_that_is_not_emulated_says_so(client: Any) -> None:
    code, status, message = refused(client.get_workflow, id="1234567")
    assert (code, status) == ("NotImplemented", 501)
    assert "GetWorkflow is not emulated" in message
    arn = "arn:aws:omics:us-west-2:123456789012:run/3264444"
    code, status, message = refused(client.tag_resource, resourceArn=arn, tags={"k": "v"})
    assert (code, status) == ("NotImplemented", 501)
    assert "TagResource is not emulated" in message


class TestList:
    """Paging and filters of ListRuns and ListRunTasks."""

    def test_pages_hold_every_run_once_in_order_of_creation(self, client: Any, emulator: Emulator) -> None:
        ids = emulator.start_runs(250, region_name="us-west-2")
        pages = list(client.get_paginator("list_runs").paginate(PaginationConfig={"PageSize": 100}))
        assert [len(page["items"]) for page in pages] == [100, 100, 50]
        assert [item["id"] for page in pages for item in page["items"]] == ids

    def test_a_full_last_page_has_no_next_token(self, client: Any, emulator: Emulator) -> None:
        emulator.start_runs(10, region_name="us-west-2")
        assert "nextToken" not in client.list_runs(maxResults=10)
        assert "nextToken" in client.list_runs(maxResults=9)

    def test_runs_that_start_between_pages_do_not_shift_them(self, client: Any, emulator: Emulator) -> None:
        ids = emulator.start_runs(4, region_name="us-west-2")
        first = client.list_runs(maxResults=2)
        emulator.vanish(ids[0])
        emulator.start_runs(1, region_name="us-west-2")
        second = client.list_runs(maxResults=2, startingToken=first["nextToken"])
        assert [item["id"] for item in second["items"]] == ids[2:]

    @pytest.mark.parametrize("results", [0, 101])
    def test_max_results_is_1_to_100(self, results: int, emulator: Emulator) -> None:
        client = aws(config=Config(parameter_validation=False))
        assert refused(client.list_runs, maxResults=results)[0] == "ValidationException"

    def test_a_token_of_elsewhere_is_refused(self, client: Any) -> None:
        assert refused(client.list_runs, startingToken="elsewhere")[0] == "ValidationException"

    def test_filters(self, client: Any, emulator: Emulator) -> None:
        where = {"region_name": "us-west-2"}
        (named,) = emulator.start_runs(1, name="sample", **where)
        emulator.start_runs(1, name="sample-2", **where)
        (grouped,) = emulator.start_runs(1, runGroupId="42", **where)
        emulator.move(grouped, "RUNNING")
        assert [item["id"] for item in client.list_runs(name="sample")["items"]] == [named]
        assert [item["id"] for item in client.list_runs(runGroupId="42")["items"]] == [grouped]
        assert [item["id"] for item in client.list_runs(status="RUNNING")["items"]] == [grouped]
        assert client.list_runs(status="RUNNING", name="sample")["items"] == []

    def test_items_have_no_more_than_the_service_gives(self, client: Any) -> None:
        start(client, name="sample", runGroupId="42")
        (item,) = client.list_runs()["items"]
        assert not {"uuid", "failureReason", "tags", "runOutputUri", "runGroupId", "parameters"} & set(item)

    def test_tasks_are_paged_and_filtered(self, client: Any, emulator: Emulator) -> None:
        run = start(client, "completed-with-retried-task")
        emulator.advance(3600)
        pages = list(
            client.get_paginator("list_run_tasks").paginate(id=run["id"], PaginationConfig={"PageSize": 2})
        )
        assert [len(page["items"]) for page in pages] == [2, 1]
        failed = client.list_run_tasks(id=run["id"], status="FAILED")["items"]
        assert [task["name"] for task in failed] == ["AlignReads"]


def test_a_deleted_run_is_not_found_and_not_listed(client: Any, emulator: Emulator) -> None:
    run = start(client)
    assert refused(client.delete_run, id=run["id"])[:2] == ("ConflictException", 409)
    emulator.advance(3600)
    assert client.delete_run(id=run["id"])["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert refused(client.get_run, id=run["id"])[0] == "ResourceNotFoundException"
    assert client.list_runs()["items"] == []


@pytest.mark.parametrize(
    ("policy", "code"), [("conflict", "ConflictException"), ("validation", "ValidationException")]
)
def test_cancel_of_an_ended_run_is_refused_either_way(
    policy: str, code: str, client: Any, emulator: Emulator
) -> None:
    run = start(client)
    emulator.advance(3600)
    emulator.cancel_ended_run(policy)
    assert refused(client.cancel_run, id=run["id"])[0] == code


class TestRepeatedRequestId:
    """Nobody has documented what a repeated ``requestId`` gets."""

    def test_earlier_answers_with_the_earlier_run_as_it_is_now(self, client: Any, emulator: Emulator) -> None:
        first = start(client, requestId="once")
        emulator.advance(600)
        second = start(client, requestId="once", name="other")
        assert (second["id"], second["uuid"], second["status"]) == (first["id"], first["uuid"], "RUNNING")
        assert len(client.list_runs()["items"]) == 1

    def test_conflict(self, client: Any, emulator: Emulator) -> None:
        emulator.repeat_request_id("conflict")
        start(client, requestId="once")
        with pytest.raises(client.exceptions.ConflictException):
            start(client, requestId="once")

    def test_validation_only_if_something_else_changed(self, client: Any, emulator: Emulator) -> None:
        emulator.repeat_request_id("validation")
        first = start(client, requestId="once")
        assert start(client, requestId="once")["id"] == first["id"]
        with pytest.raises(client.exceptions.ValidationException):
            start(client, requestId="once", name="other")

    def test_forgotten_starts_another(self, client: Any, emulator: Emulator) -> None:
        emulator.repeat_request_id("forgotten")
        first = start(client, requestId="once")
        assert start(client, requestId="once")["id"] != first["id"]

    def test_an_unknown_policy_is_refused(self, emulator: Emulator) -> None:
        with pytest.raises(ValueError, match="policy 'maybe' is unknown; give one of earlier, conflict"):
            emulator.repeat_request_id("maybe")


class TestAccounts:
    """Runs live in an account and Region."""

    @pytest.mark.parametrize(
        ("region", "partition"),
        [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
    )
    def test_arns_name_partition_region_and_account(
        self, region: str, partition: str, emulator: Emulator
    ) -> None:
        client = aws(region_name=region)
        run = start(client)
        assert run["arn"] == f"arn:{partition}:omics:{region}:123456789012:run/{run['id']}"
        record = client.get_run(id=run["id"])
        group = f"arn:{partition}:logs:{region}:123456789012:log-group:/aws/omics/WorkflowLog"
        stream = f"{group}:log-stream:run/{run['id']}"
        assert record["logLocation"] == {"engineLogStream": f"{stream}/engine", "runLogStream": stream}

    def test_regions_do_not_see_each_other(self, client: Any) -> None:
        run = start(client)
        other = aws(region_name="us-east-1")
        assert refused(other.get_run, id=run["id"])[0] == "ResourceNotFoundException"
        assert other.list_runs()["items"] == []

    def test_accounts_do_not_see_each_other(self, client: Any) -> None:
        run = start(client)
        role = aws("sts").assume_role(RoleArn="arn:aws:iam::210987654321:role/x", RoleSessionName="test")
        keys = role["Credentials"]
        other = boto3.client(
            "omics",
            region_name="us-west-2",
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )
        assert refused(other.get_run, id=run["id"])[0] == "ResourceNotFoundException"
        assert start(other)["arn"].startswith("arn:aws:omics:us-west-2:210987654321:run/")


def test_ids_have_seven_digits_and_are_repeatable_with_a_seed() -> None:
    seen = []
    for _ in range(2):
        with mock_omics(seed=7) as emulator:
            seen.append(emulator.start_runs(3))
    assert seen[0] == seen[1]
    assert all(len(run_id) == 7 and run_id.isdigit() for run_id in seen[0])
