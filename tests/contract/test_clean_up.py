"""What a contract that is interrupted, or answered late, leaves: nothing but what it names."""

from __future__ import annotations

import json
import pathlib
import signal
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from airflow_omics.emulator import LIFE_TAG, EmulatorServer
from tests.contract import __main__ as command
from tests.contract import claims
from tests.contract.test_contract import LIVES, aws, contract, findings, others, server

__all__ = ["aws", "others", "server"]

FOREVER = {part: {LIFE_TAG: "pending-forever"} for part in LIVES}


@pytest.fixture
def everything(others: Callable[[], Any], aws: Callable[[str], Any]) -> Callable[[], Any]:
    omics, s3 = aws("omics"), aws("s3")

    def shown() -> Any:
        batches = omics.list_batch()["items"] if hasattr(omics, "list_batch") else []
        versions = s3.list_object_versions(Bucket="lab")
        objects = [*versions.get("Versions", ()), *versions.get("DeleteMarkers", ())]
        return {**others(), "batches": batches, "versions": [each["Key"] for each in objects]}

    return shown


@pytest.fixture
def after(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[..., None]], None]:
    """Do something once after a call, such as ``omics.StartRun``, before its answer is returned."""
    handlers: dict[str, Callable[..., None]] = {}

    def session(**settings: Any) -> boto3.Session:
        made = real(**settings)
        for call in handlers:
            made.events.register(f"after-call.{call}", lambda call=call, **rest: once(call, **rest))
        return made

    def once(call: str, **rest: Any) -> None:
        if call in handlers:
            handlers.pop(call)(**rest)

    real = boto3.Session
    monkeypatch.setattr(command.boto3, "Session", session)
    return handlers.__setitem__


def interrupt(*_: Any, **__: Any) -> Any:
    raise KeyboardInterrupt


def test_the_runs_of_a_second_batch_are_removed(
    server: EmulatorServer, everything: Callable[[], Any], tmp_path: pathlib.Path
) -> None:
    before = everything()
    server.control.repeat_request_id("forgotten")
    server.control.batches(page=1)
    assert contract("--json", str(tmp_path / "found.json")) == 0
    assert findings(tmp_path / "found.json")["the same StartRunBatch again"] == "another batch"
    assert everything() == before


@pytest.mark.parametrize("claim", ["_repeated", "_watched", "_refusals"])
def test_ctrl_c_in_a_batch_leaves_nothing(
    claim: str, everything: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything()
    monkeypatch.setattr(f"tests.contract.batch_claims.{claim}", interrupt)
    lives = LIVES if claim == "_refusals" else {**LIVES, "batch": {LIFE_TAG: "pending-forever"}}
    with pytest.raises(KeyboardInterrupt):
        contract(tags=lives)
    assert everything() == before


def test_the_runs_of_a_batch_are_removed_if_runs_cannot_be_listed(
    server: EmulatorServer,
    everything: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = everything()

    def refused(*_: Any) -> None:
        server.control.fault("ListRuns", "access-denied")
        server.control.advance(60)  # the batch has started its runs
        server.control.set_pace(1200)
        raise KeyboardInterrupt

    monkeypatch.setattr("tests.contract.batch_claims._watched", refused)
    assert contract() == 1
    assert "-batch may be left, look for it: " in capsys.readouterr().out
    server.control.clear_faults()
    assert everything() == before


@pytest.mark.parametrize(
    "call", ["iam.CreateRole", "omics.CreateWorkflow", "omics.StartRun", "omics.StartRunBatch"]
)
def test_what_was_made_is_found_when_its_answer_is_lost(
    call: str, everything: Callable[[], Any], after: Callable[..., None]
) -> None:
    before = everything()
    after(call, interrupt)
    with pytest.raises(KeyboardInterrupt):
        contract()
    assert everything() == before


def test_a_run_that_is_not_known_yet_is_removed_all_the_same(
    server: EmulatorServer, everything: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything()

    def not_yet(*_: Any) -> None:
        server.control.fault("GetRun", "not-found", times=2)
        server.control.fault("CancelRun", "not-found", times=1)
        raise KeyboardInterrupt

    monkeypatch.setattr(claims, "_readable", not_yet)
    with pytest.raises(KeyboardInterrupt):
        contract(tags=FOREVER)
    assert everything() == before


def test_a_run_that_is_never_known_is_named_as_left(
    server: EmulatorServer,
    aws: Callable[[str], Any],
    others: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = set(others()["runs"])

    def never(*_: Any) -> None:
        server.control.fault("GetRun", "not-found")
        raise KeyboardInterrupt

    monkeypatch.setattr(claims, "_readable", never)
    assert contract(known_within=0.1) == 1
    [run_id] = set(others()["runs"]) - before
    printed = capsys.readouterr().out
    assert f"\nrun {run_id} is left, remove it by hand: " in printed
    assert f"removed run {run_id}" not in printed


def test_a_run_that_the_contract_deleted_is_not_looked_for_again(
    everything: Callable[[], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    before = everything()
    assert contract(known_within=3.0) == 0
    printed = capsys.readouterr().out
    assert " is left" not in printed
    failed = printed.split("started run ")[1].split(":")[0]
    assert f"removed run {failed}\n" not in printed
    assert everything() == before


def test_cancelling_waits_until_the_run_is_known(
    server: EmulatorServer, others: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    cancelled = claims._cancelled

    def late(*args: Any) -> Any:
        server.control.fault("GetRun", "not-found", times=2)
        server.control.fault("CancelRun", "not-found", times=1)
        return cancelled(*args)

    monkeypatch.setattr(claims, "_cancelled", late)
    assert contract("--json", str(tmp_path / "found.json")) == 0
    assert findings(tmp_path / "found.json")["CancelRun in PENDING"].startswith("CANCELLED with stopTime; ")


def test_a_run_that_does_not_end_differs(
    everything: Callable[[], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    before = everything()
    assert contract(within=1.0, tags=FOREVER) == 1
    printed = capsys.readouterr().out
    assert "\nDIFFERS a run that fails before its first task: still PENDING after 1 s\n" in printed
    assert "\nopen    CancelRun of a run that has ended: not tried: the run has not ended\n" in printed
    assert " claims tried, " in printed
    assert everything() == before


def test_what_could_not_be_deleted_of_the_objects_is_named(
    others: Callable[[], Any], after: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    refused = {"Errors": [{"Key": "runs/log", "Code": "AccessDenied"}]}
    after("s3.DeleteObjects", lambda parsed, **_: parsed.update(refused))
    assert contract() == 1
    printed = capsys.readouterr().out
    assert "/ is left, remove it by hand: 1 of " in printed
    assert " could not be deleted, AccessDenied for runs/log for one\n" in printed


def test_no_version_of_an_object_is_left(aws: Callable[[str], Any], everything: Callable[[], Any]) -> None:
    everything()
    aws("s3").put_bucket_versioning(Bucket="lab", VersioningConfiguration={"Status": "Enabled"})
    before = everything()
    assert contract() == 0
    assert everything() == before


def _fails(parsed: Any, **_: Any) -> None:
    raise KeyError("a mistake")


def test_a_clean_up_goes_on_whatever_happens_to_one_thing(
    others: Callable[[], Any], after: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    before = others()
    after("omics.DeleteWorkflow", _fails)
    assert contract() == 1
    assert " is left, remove it by hand: 'a mistake'\n" in capsys.readouterr().out
    assert others() == before


@pytest.mark.parametrize("operation", ["DeleteRun", "DeleteWorkflow", "DeleteBatch"])
def test_what_is_still_there_when_its_deletion_says_not_found_is_named(
    operation: str, server: EmulatorServer, others: Callable[[], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    server.control.fault(operation, "not-found")
    assert contract() == 1
    error = f"An error occurred (ResourceNotFoundException) when calling the {operation} operation"
    assert f" is left, remove it by hand: {error}" in capsys.readouterr().out


def test_a_deletion_whose_answer_was_lost_is_one(
    server: EmulatorServer, everything: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything()
    monkeypatch.setattr(claims, "_cancelled", interrupt)
    for operation in ("DeleteRun", "DeleteWorkflow"):
        server.control.fault(operation, "lost-answer", times=1)
    with pytest.raises(KeyboardInterrupt):
        contract()
    assert everything() == before


@pytest.mark.parametrize("again", [lambda **_: signal.raise_signal(signal.SIGINT), interrupt])
def test_ctrl_c_during_the_clean_up_ends_it_when_all_is_done(
    again: Callable[..., None],
    everything: Callable[[], Any],
    after: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = everything()
    monkeypatch.setattr(claims, "_cancelled", interrupt)
    after("omics.DeleteRun", again)
    after("omics.DeleteWorkflow", again)
    after("iam.DeleteRolePolicy", again)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        contract()
    assert everything() == before
    assert signal.getsignal(signal.SIGINT) is handler


def test_ctrl_c_again_and_again_does_not_end_the_clean_up(
    everything: Callable[[], Any], after: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything()

    def again(**_: Any) -> None:
        after("omics.GetRun", again)
        signal.raise_signal(signal.SIGINT)

    def first(*_: Any) -> None:
        after("omics.GetRun", again)
        raise KeyboardInterrupt

    # What is known from the start on can be struck again and again.
    after("omics.GetRun", lambda **_: None)
    monkeypatch.setattr(claims, "_cancelled", first)
    with pytest.raises(KeyboardInterrupt):
        contract()
    assert everything() == before


def test_what_was_found_before_ctrl_c_is_written(
    others: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(claims, "_cancelled", interrupt)
    with pytest.raises(KeyboardInterrupt):
        contract("--json", str(tmp_path / "found.json"))
    assert len(findings(tmp_path / "found.json")) == 3
    assert "\n3 claims tried, 0 of them differ from what is claimed\n" in capsys.readouterr().out


@pytest.mark.parametrize(("left", "code"), [(False, 2), (True, 1)])
def test_a_claim_that_is_refused_ends_with_1_if_something_is_left(
    left: bool,
    code: int,
    server: EmulatorServer,
    others: Callable[[], Any],
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.control.fault("ListRunTasks", "access-denied")
    if left:
        server.control.fault("DeleteWorkflow", "access-denied")
    assert contract("--json", str(tmp_path / "found.json")) == code
    assert len(json.loads((tmp_path / "found.json").read_text())) == 8
    printed = capsys.readouterr()
    assert "\n8 claims tried, " in printed.out
    assert printed.err.startswith("the contract could not be tried: ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--role", "notanarn"], "ROLE is 'notanarn'; give the ARN of a service role, such as arn:aws:iam::"),
        (
            ["--json", "/nonexistent/x.json"],
            "JSON is '/nonexistent/x.json', which cannot be written: No such ",
        ),
        (["--json", "/"], "JSON is '/', which cannot be written: Is a directory\n"),
    ],
)
def test_a_setting_that_cannot_be_used_is_one_sentence(
    arguments: list[str], says: str, server: EmulatorServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert contract(*arguments, "--yes") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"the contract could not be tried: {says}")
    assert error.count("\n") == 1
    assert "StartRun" not in server.control.counts()
    assert "CreateWorkflow" not in server.control.counts()


def test_a_file_for_json_is_not_made_before_the_yes(
    others: Callable[[], Any], tmp_path: pathlib.Path
) -> None:
    assert contract("--json", str(tmp_path / "found.json"), ask=lambda question: "n") == 2
    assert not list(tmp_path.iterdir())


def test_a_point_of_which_a_claim_is_open_is_settled_partly(
    others: Callable[[], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    contract()
    printed = capsys.readouterr().out
    assert "\npartly   3  quotas, the order of ListRuns, and whether its filter by name is exact\n" in printed
    assert "\n            open: quotas of concurrent runs: not known: " in printed
