"""How StartRun begins a run: what it takes, what it refuses, and a repeated ``requestId``."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.config import Config

from airflow_omics.emulator import Emulator, mock_omics

from .support import ROLE, aws, refused, start


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


def test_ids_have_seven_digits_and_are_repeatable_with_a_seed() -> None:
    seen = []
    for _ in range(2):
        with mock_omics(seed=7) as emulator:
            seen.append(emulator.start_runs(3))
    assert seen[0] == seen[1]
    assert all(len(run_id) == 7 and run_id.isdigit() for run_id in seen[0])
