"""Run groups: what GetRunGroup answers, and how a run group shows in errors and in the request log."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from airflow_omics.emulator import Emulator, mock_omics

from .support import aws, refused

HERE = {"region_name": "us-west-2"}


def test_a_run_group_has_what_the_test_said_of_it(client: Any, emulator: Emulator) -> None:
    emulator.run_group("77", name="cohort", max_runs=3, **HERE)
    group = client.get_run_group(id="77")
    del group["ResponseMetadata"]
    assert group.pop("creationTime").timestamp() == pytest.approx(emulator.now(), abs=5)
    assert group == {
        "arn": "arn:aws:omics:us-west-2:123456789012:runGroup/77",
        "id": "77",
        "name": "cohort",
        "maxRuns": 3,
        "tags": {},
    }


def test_a_run_group_of_another_region_is_not_found(client: Any, emulator: Emulator) -> None:
    emulator.run_group("77", region_name="us-east-1")
    assert refused(client.get_run_group, id="77") == (
        "ResourceNotFoundException",
        404,
        "Run group 77 not found",
    )


def test_a_denial_names_the_run_group(client: Any, emulator: Emulator) -> None:
    emulator.fault("GetRunGroup", "access-denied")
    code, _, message = refused(client.get_run_group, id="77")
    assert code == "AccessDeniedException"
    assert "omics:GetRunGroup on resource: arn:aws:omics:us-west-2:123456789012:runGroup/77 " in message


def test_the_id_of_a_run_group_is_not_taken_for_a_run_s(client: Any, emulator: Emulator) -> None:
    emulator.run_group("77", **HERE)
    emulator.fault("*", "throttle", run_id="77")
    assert client.get_run_group(id="77")["id"] == "77"
    refused(client.get_reference_store, id="7812345678")
    assert [(seen["operation"], seen["run_id"]) for seen in emulator.requests()] == [
        ("GetRunGroup", None),
        ("GetReferenceStore", None),
    ]


@pytest.mark.parametrize("run_group_id", ["cohort", "", "7a", "\u0667"])
def test_the_id_of_a_run_group_is_made_of_digits(run_group_id: str, emulator: Emulator) -> None:
    with pytest.raises(ValueError, match="ids of run groups are digits, such as '7'"):
        emulator.run_group(run_group_id)


def test_a_run_group_that_nobody_made_is_not_found() -> None:
    with mock_omics():
        client = aws(region_name="us-east-1", config=Config(retries={"total_max_attempts": 1}))
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            client.get_run_group(id="78")
