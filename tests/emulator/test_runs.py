"""Runs beside what their lives say: lists, cancel, delete, accounts and Regions."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config

from airflow_omics.emulator import Emulator

from .support import aws, refused, start


@pytest.mark.parametrize("operation", ["get_run", "cancel_run", "delete_run", "list_run_tasks"])
def test_an_unknown_run_is_not_found(operation: str, client: Any) -> None:
    assert refused(getattr(client, operation), id="1234567")[:2] == ("ResourceNotFoundException", 404)


class TestList:
    """Paging and filters of ListRuns."""

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
