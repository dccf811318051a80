"""The contract, tried on the emulator; and that it touches nothing that it did not make."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from airflow_omics.emulator import LIFE_TAG, EmulatorServer
from tests.contract.__main__ import main
from tests.contract.clean_up import clean_up
from tests.contract.world import LOG_GROUP, Settings, World

QUICK = {"poll": 0.02, "settles": 0.0, "within": 20.0, "known_within": 5.0}
LIVES = {
    part: {LIFE_TAG: life}
    for part, life in {
        "fails": "failed-workflow-run-failed",
        "batch": "failed-workflow-run-failed",
        "cancel": "pending-forever",
    }.items()
}
WITHOUT_PREFIX = Config(inject_host_prefix=False)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatorServer]:
    with EmulatorServer(pace=1200) as running:
        running.control.strict(True)
        for name, value in {
            "AWS_ENDPOINT_URL": running.endpoint_url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-west-2",
        }.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def aws(server: EmulatorServer) -> Callable[[str], Any]:
    return lambda service: boto3.client(service, config=WITHOUT_PREFIX)


@pytest.fixture
def others(server: EmulatorServer, aws: Callable[[str], Any]) -> Callable[[], Any]:
    """Make what belongs to others, and return what shows all that there is."""
    aws("s3").create_bucket(Bucket="lab", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    aws("s3").put_object(Bucket="lab", Key="runs/airflow-omics-contract", Body=b"theirs")
    aws("iam").create_role(RoleName="theirs", AssumeRolePolicyDocument="{}")
    theirs = server.control.start_runs(2, "completed-quickly", logs=True, region_name="us-west-2")

    def everything() -> Any:
        server.control.settle()
        streams = aws("logs").describe_log_streams(logGroupName=LOG_GROUP)["logStreams"]
        return {
            "runs": [run["id"] for run in aws("omics").list_runs()["items"]],
            "workflows": [each["name"] for each in aws("omics").list_workflows(type="PRIVATE")["items"]],
            "roles": [role["RoleName"] for role in aws("iam").list_roles()["Roles"]],
            "objects": [found["Key"] for found in aws("s3").list_objects_v2(Bucket="lab")["Contents"]],
            "of whom": {
                stream["logStreamName"].split("/")[-2 if "task" in stream["logStreamName"] else 1]
                for stream in streams
            }
            & set(theirs)
            or streams,
        }

    return everything


def contract(
    *arguments: str,
    ask: Callable[[str], str] = lambda question: "y",
    **settings: Any,
) -> int:
    return main(
        ["--output", "s3://lab/runs", *arguments],
        ask,
        WITHOUT_PREFIX,
        **{**QUICK, "tags": LIVES, **settings},
    )


def findings(path: pathlib.Path) -> dict[str, str]:
    return {finding["claim"]: finding["says"] for finding in json.loads(path.read_text())}


def test_every_claim_holds_for_the_emulator_and_nothing_is_left(
    others: Callable[[], Any], capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    before = others()
    code = contract("--json", str(tmp_path / "found.json"))
    printed = capsys.readouterr().out
    assert "DIFFERS" not in printed, printed
    assert code == 0
    assert others() == before
    assert "as arn:aws:sts::123456789012:" in printed
    assert "costs the runs' storage for those minutes: less than 0.50 USD" in printed
    found = findings(tmp_path / "found.json")
    assert found["the same StartRun again"] == "the earlier run"
    assert found["CancelRun of a run that has ended"] == "ConflictException"
    assert found["CancelRun in PENDING"].startswith("CANCELLED with stopTime; ")
    for point in ("1", "2", "4", "6"):
        assert f"\nsettled  {point}  " in printed


def test_another_answer_where_nothing_is_documented_is_found_out(
    server: EmulatorServer, others: Callable[[], Any], tmp_path: pathlib.Path
) -> None:
    server.control.repeat_request_id("conflict")
    server.control.cancel_ended_run("validation")
    assert contract("--json", str(tmp_path / "found.json")) == 0
    found = findings(tmp_path / "found.json")
    assert found["the same StartRun again"] == "ConflictException"
    assert found["CancelRun of a run that has ended"] == "ValidationException"


def test_what_differs_is_said_and_ends_with_an_error(
    others: Callable[[], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    before = others()
    assert contract(tags={**LIVES, "fails": {LIFE_TAG: "completed-quickly"}}) == 1
    printed = capsys.readouterr().out
    assert "\nDIFFERS a run that fails before its first task: COMPLETED with no failureReason\n" in printed
    assert others() == before


@pytest.mark.parametrize("operation", ["CreateWorkflow", "StartRun"])
def test_a_contract_that_cannot_go_on_leaves_nothing(
    operation: str, server: EmulatorServer, others: Callable[[], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    before = others()
    server.control.fault(operation, "access-denied")
    assert contract() == 2
    error = capsys.readouterr().err
    assert error.startswith("the contract could not be tried: ")
    assert f"omics:{operation}" in error
    assert others() == before


def test_ctrl_c_leaves_nothing(
    server: EmulatorServer, others: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = others()

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tests.contract.claims._cancelled", interrupt)
    with pytest.raises(KeyboardInterrupt):
        contract()
    assert others() == before


def test_what_cannot_be_removed_is_named(
    server: EmulatorServer, others: Callable[[], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    server.control.fault("DeleteWorkflow", "access-denied")
    assert contract() == 1
    [workflow] = others()["workflows"]
    printed = capsys.readouterr().out
    assert workflow.startswith("airflow-omics-contract-")
    assert " is left, remove it by hand: An error occurred (AccessDeniedException)" in printed


@pytest.mark.parametrize("answer", ["", "n", "no", "later"])
def test_without_a_yes_nothing_is_made(answer: str, others: Callable[[], Any]) -> None:
    before = others()
    assert contract(ask=lambda question: answer) == 2
    assert others() == before


def test_where_nobody_can_be_asked_nothing_is_made(
    others: Callable[[], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    before = others()

    def nobody(question: str) -> str:
        raise EOFError

    assert contract(ask=nobody) == 2
    assert "nobody can be asked here; give YES=1 to go on\n" in capsys.readouterr().out
    assert others() == before


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("lab/runs", "OUTPUT is 'lab/runs'; give an S3 URI of yours, such as s3://bucket/prefix\n"),
        ("", "OUTPUT is ''; give an S3 URI of yours, such as s3://bucket/prefix\n"),
        ("s3://nobodys/runs", "nothing was made: the credentials, or the bucket nobodys, cannot be used: "),
    ],
)
def test_an_output_that_cannot_be_used_is_one_sentence(
    output: str, says: str, others: Callable[[], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert contract("--output", output) == 2
    assert capsys.readouterr().err.startswith(f"the contract could not be tried: {says}")


def test_a_request_that_should_be_refused_and_is_not_differs(
    server: EmulatorServer, others: Callable[[], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    before = others()
    server.control.strict(False)  # the emulator takes any workflow then
    assert contract() == 1
    assert "\nDIFFERS StartRun of a workflow that nobody has: accepted\n" in capsys.readouterr().out
    assert others() == before


def test_log_streams_of_a_run_whose_id_only_begins_alike_stay(aws: Callable[[str], Any]) -> None:
    logs = aws("logs")
    logs.create_log_group(logGroupName=LOG_GROUP)
    for name in ("run/12", "run/12/engine", "manifest/run/12/uuid", "run/123", "run/123/task/12"):
        logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName=name)
    aws("s3").create_bucket(Bucket="lab", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    world = World(boto3.Session(), Settings("s3://lab/runs"), lambda text: None, WITHOUT_PREFIX)
    world.adopt("12", "fails")
    world.deleted.add("12")
    assert clean_up(world) == []
    left = logs.describe_log_streams(logGroupName=LOG_GROUP)["logStreams"]
    assert {stream["logStreamName"] for stream in left} == {"run/123", "run/123/task/12"}
