"""Control, the same in process and over HTTP."""

from __future__ import annotations

import inspect
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from unittest import mock

import boto3
import pytest
from botocore.config import Config

from airflow_omics.emulator import Emulator, EmulatorClient, EmulatorServer, Life, Stage
from airflow_omics.emulator.control_table import CONTROLS
from airflow_omics.emulator.control_table import control as declare

from .support import KEYS, refused, start

Control = Emulator | EmulatorClient


@pytest.fixture(params=["in process", "over HTTP"])
def control(request: pytest.FixtureRequest, server: EmulatorServer) -> Control:
    """Both ways to control a server."""
    return server.control if request.param == "in process" else EmulatorClient(server.endpoint_url)


@pytest.fixture
def omics(connect: Callable[..., Any]) -> Any:
    return connect(region_name="us-east-1")


NAMES = sorted(name for name in dir(Emulator) if not name.startswith("_"))


def test_both_have_the_same_methods_with_the_same_parameters() -> None:
    assert sorted(name for name in dir(EmulatorClient) if not name.startswith("_")) == NAMES
    for name in NAMES:
        member = getattr(Emulator, name)
        if inspect.isfunction(member):
            assert inspect.signature(member) == inspect.signature(getattr(EmulatorClient, name)), name


def use(control: Control, name: str) -> None:
    """Read a property, or call a method with something for each argument that it needs."""
    member = getattr(Emulator, name)
    if isinstance(member, property):
        getattr(control, name)
        return
    needed = {
        each.name: 1
        for each in list(inspect.signature(member).parameters.values())[1:]
        if each.default is each.empty and each.kind is not each.VAR_KEYWORD
    }
    getattr(control, name)(**needed)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_a_client_does_is_done_in_its_own_process(name: str) -> None:
    with EmulatorServer() as server:
        nobody = EmulatorClient(server.endpoint_url)
    with pytest.raises(ConnectionError, match="no emulator answers at"):
        use(nobody, name)


def test_the_default_life_of_another_process_is_not_set_in_this_one() -> None:
    with EmulatorServer() as server:
        nobody = EmulatorClient(server.endpoint_url)
    with pytest.raises(ConnectionError):
        nobody.default_life = "cancelled"
    assert Emulator().default_life == "completed"


def test_one_declaration_makes_a_control(server: EmulatorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with mock.patch.dict(CONTROLS):

        @declare(reads=True)
        def doubled(self: Any, number: int, *, times: int = 1) -> int:
            """Return a number, doubled so many times."""
            return number * 2**times

        monkeypatch.setattr(Emulator, "doubled", doubled, raising=False)
        client: Any = EmulatorClient(server.endpoint_url)
        assert client.doubled(4) == server.control.doubled(4) == 8  # type: ignore[attr-defined]
        assert client.doubled(4, times=2) == 16
        assert ask(server, "POST", "doubled", b'{"number": 5}')[:2] == (200, {"result": 10})
        assert ask(server, "POST", "doubled", b"five")[1] == {
            "error": "/omics-emulator/doubled takes a JSON object with number, times, not b'five'"
        }


def test_clock(control: Control, omics: Any) -> None:
    assert control.pace == 1
    control.freeze()
    run = start(omics)
    now = control.now()
    control.advance(600)
    assert control.now() == now + 600
    assert omics.get_run(id=run["id"])["status"] == "RUNNING"
    control.set_pace(60)
    assert control.pace == 60


def test_lives(control: Control, omics: Any) -> None:
    control.freeze()
    control.add_life(Life("brief", (Stage("PENDING", 1), Stage("COMPLETED"))))
    assert "brief" in control.lives()
    assert control.default_life == "completed"
    control.default_life = "brief"
    assert control.default_life == "brief"
    run = start(omics)
    control.advance(1)
    assert omics.get_run(id=run["id"])["status"] == "COMPLETED"
    with pytest.raises(ValueError, match="life 'gone' is unknown; the lives are brief, cancelled"):
        control.default_life = "gone"


def test_start_runs(control: Control, omics: Any) -> None:
    ids = control.start_runs(3, "failed-service-error", name="sample-{n}", batchId="77")
    assert len(set(ids)) == 3
    record = omics.get_run(id=ids[1])
    assert (record["name"], record["status"]) == ("sample-2", "PENDING")
    assert [item["id"] for item in omics.list_runs(name="sample-3")["items"]] == ids[2:]
    assert control.counts() == {"GetRun": 1, "ListRuns": 1}


def test_start_runs_starts_twenty_thousand_in_a_moment(control: Control) -> None:
    began = time.monotonic()
    assert len(control.start_runs(20_000)) == 20_000
    assert time.monotonic() - began < 5


def test_move(control: Control, omics: Any) -> None:
    control.freeze()
    (run_id,) = control.start_runs(1)
    control.move(run_id, "RUNNING")
    record = omics.get_run(id=run_id)
    assert record["status"] == "RUNNING"
    assert "startTime" in record
    control.move(run_id, "PAUSED")
    control.advance(86_400)
    assert omics.get_run(id=run_id)["status"] == "PAUSED"
    control.move(run_id, "FAILED", "OUT_OF_MEMORY_ERROR", "No memory.")
    record = omics.get_run(id=run_id)
    assert (record["failureReason"], record["statusMessage"]) == ("OUT_OF_MEMORY_ERROR", "No memory.")
    assert "stopTime" in record
    with pytest.raises(ValueError, match="a run that has ended cannot become RUNNING"):
        control.move(run_id, "RUNNING")


@pytest.mark.parametrize(
    ("status", "meant"),
    [
        ("failed", "FAILED"),
        ("Running", "RUNNING"),
        ("COMPLETE", "COMPLETED"),
        ("CANCELED", "CANCELLED"),
        (" FAILED", "FAILED"),
        ("vanished", "VANISHED"),
    ],
)
def test_a_slip_in_a_status_is_no_new_status(status: str, meant: str, control: Control, omics: Any) -> None:
    (run_id,) = control.start_runs(1)
    with pytest.raises(ValueError, match=f"^status is '{status}'; did you mean '{meant}'"):
        control.move(run_id, status)
    assert omics.get_run(id=run_id)["status"] == "PENDING"
    with pytest.raises(ValueError, match=f"^status is '{status}'; did you mean '{meant}'"):
        control.add_life(
            {"name": "slip", "stages": [{"status": "PENDING", "seconds": 1}, {"status": status}]}
        )


@pytest.mark.parametrize("status", ["PAUSED", "ARCHIVED", "CANCELLING", "TIMED_OUT", "SUCCEEDED"])
def test_a_status_that_no_sdk_knows_can_be_played(status: str, control: Control, omics: Any) -> None:
    (run_id,) = control.start_runs(1)
    control.move(run_id, status)
    assert omics.get_run(id=run_id)["status"] == status


@pytest.mark.parametrize("run_group_id", ["abc", "", "7a", None])
def test_a_run_group_is_named_by_digits(run_group_id: Any, control: Control) -> None:
    with pytest.raises(ValueError, match=r"run_group_id is .*; ids of run groups are digits, such as '7'"):
        control.run_group(run_group_id, max_runs=1)


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), pytest.param(10**400, id="huge")])
def test_a_stage_lasts_a_number_of_seconds(seconds: float, control: Control) -> None:
    stages = [{"status": "PENDING", "seconds": seconds}, {"status": "COMPLETED"}]
    with pytest.raises(ValueError, match="stage PENDING: seconds is"):
        control.add_life({"name": "odd", "stages": stages})


def test_a_run_moved_to_completed_has_a_start_time(control: Control, omics: Any) -> None:
    (run_id,) = control.start_runs(1)
    control.move(run_id, "COMPLETED")
    assert {"startTime", "stopTime"} <= set(omics.get_run(id=run_id))


def test_vanish(control: Control, omics: Any) -> None:
    (run_id,) = control.start_runs(1)
    control.vanish(run_id)
    assert refused(omics.get_run, id=run_id)[0] == "ResourceNotFoundException"
    with pytest.raises(ValueError, match=f"run '{run_id}' is not in the emulator"):
        control.vanish(run_id)


def test_reuse_id(control: Control, omics: Any) -> None:
    control.freeze()
    (run_id,) = control.start_runs(1)
    before = omics.get_run(id=run_id)
    control.advance(60)
    uuid = control.reuse_id(run_id, "failed-service-error")
    after = omics.get_run(id=run_id)
    assert after["uuid"] == uuid != before["uuid"]
    assert (after["creationTime"] - before["creationTime"]).total_seconds() == pytest.approx(60)


def test_a_run_of_several_regions_must_be_named_whole(control: Control, connect: Callable[..., Any]) -> None:
    control.reset()
    ids = control.start_runs(1, region_name="us-west-2")
    control.move(ids[0], "RUNNING", region_name="us-west-2")
    with pytest.raises(ValueError, match="is not in the emulator"):
        control.move(ids[0], "RUNNING", region_name="eu-west-1")
    assert connect(region_name="us-west-2").get_run(id=ids[0])["status"] == "RUNNING"


def test_faults_and_limits(control: Control, omics: Any) -> None:
    assert control.fault("GetRun", "throttle", times=1, message="slower").startswith("fault-")
    assert refused(omics.get_run, id="1")[2] == "slower"
    control.fault("ListRuns", "hang")
    control.clear_faults()
    control.limit("ListRuns", 1 / 3600)
    omics.list_runs()
    assert refused(omics.list_runs)[0] == "ThrottlingException"
    with pytest.raises(ValueError, match="fault kind 'gremlins' is unknown"):
        control.fault("GetRun", "gremlins")


def test_requests(control: Control, omics: Any) -> None:
    omics.list_runs()
    assert control.wait_for("ListRuns", 1, 5) == 1
    assert [request["operation"] for request in control.requests()] == ["ListRuns"]
    with pytest.raises(TimeoutError, match="1 of 2 ListRuns seen"):
        control.wait_for("ListRuns", count=2, timeout=0.01)


def test_policies(control: Control, omics: Any) -> None:
    control.repeat_request_id("conflict")
    start(omics, requestId="once")
    assert refused(start, client=omics, requestId="once")[0] == "ConflictException"
    with pytest.raises(ValueError, match="policy 'never' is unknown"):
        control.cancel_ended_run("never")


def test_settle_writes_what_is_due(control: Control, omics: Any) -> None:
    control.freeze()
    start(omics)
    control.advance(3600)
    control.settle()
    assert control.counts() == {"StartRun": 1}


def test_reset_forgets_everything(control: Control, omics: Any, connect: Callable[..., Any]) -> None:
    connect("s3", region_name="us-east-1").create_bucket(Bucket="kept-not")
    control.start_runs(1)
    control.fault("*", "throttle")
    control.limit("*", 1)
    control.default_life = "cancelled"
    control.advance(86_400)
    control.reset()
    assert omics.list_runs()["items"] == []
    assert control.default_life == "completed"
    assert abs(control.now() - time.time()) < 5
    assert control.counts() == {"ListRuns": 1}
    assert connect("s3", region_name="us-east-1").list_buckets()["Buckets"] == []


@pytest.mark.parametrize("count", [-1, 1.5, "ten"])
def test_a_count_is_a_number(count: Any, control: Control) -> None:
    with pytest.raises(ValueError, match="count is"):
        control.start_runs(count)


def test_motos_own_reset_keeps_what_the_emulator_was_started_with() -> None:
    with EmulatorServer(pace=60, life="cancelled") as server:
        server.control.start_runs(2)
        server.control.set_pace(5)
        request = urllib.request.Request(f"{server.endpoint_url}/moto-api/reset", data=b"", method="POST")
        with urllib.request.urlopen(request, timeout=10) as response:
            assert json.load(response) == {"status": "ok"}
        assert (server.control.pace, server.control.default_life) == (60, "cancelled")
        config = Config(inject_host_prefix=False)
        client = boto3.client(
            "omics", region_name="us-east-1", endpoint_url=server.endpoint_url, config=config, **KEYS
        )
        assert client.list_runs()["items"] == []


def test_an_unknown_control_says_what_there_is(server: EmulatorServer) -> None:
    with pytest.raises(ValueError, match="'fly' is nothing the emulator can do; it can add_life, advance"):
        EmulatorClient(server.endpoint_url)._call("fly")


def test_a_wrong_argument_is_named(server: EmulatorServer) -> None:
    with pytest.raises(ValueError, match="freeze: got an unexpected keyword argument 'minutes'"):
        EmulatorClient(server.endpoint_url)._call("freeze", minutes=1)


def test_a_client_says_when_nothing_answers() -> None:
    with EmulatorServer() as server:
        url = server.endpoint_url
    with pytest.raises(ConnectionError, match=f"no emulator answers at {url}"):
        EmulatorClient(url).now()


def test_a_client_wants_a_url() -> None:
    with pytest.raises(ValueError, match="endpoint_url is 'localhost:4300'"):
        EmulatorClient("localhost:4300")


def test_the_first_page_of_control_can_be_read_with_curl(server: EmulatorServer) -> None:
    with urllib.request.urlopen(f"{server.endpoint_url}/omics-emulator/", timeout=10) as response:
        result = json.load(response)["result"]
    assert set(result) == {"now", "pace", "counts", "lives"}


CHANGES = (
    "set_pace", "freeze", "turn_back", "advance", "add_life", "start_runs", "move", "vanish", "reuse_id",
    "run_group", "fault", "clear_faults", "limit", "repeat_request_id", "cancel_ended_run", "settle", "reset",
)  # fmt: skip


def ask(server: EmulatorServer, method: str, path: str, body: bytes | None = None) -> tuple[int, Any, str]:
    """Return HTTP status, answer and ``Allow`` of a request to the control."""
    request = urllib.request.Request(f"{server.endpoint_url}/omics-emulator/{path}", data=body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response), response.headers.get("Allow", "")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), error.headers.get("Allow", "")


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_what_changes_something_is_a_post(method: str, name: str, server: EmulatorServer) -> None:
    (run_id,) = server.control.start_runs(1)
    status, answer, allowed = ask(server, method, name)
    assert (status, allowed) == (405, "POST")
    assert answer == {
        "error": f"/omics-emulator/{name} was asked with {method}; it takes POST, with arguments as JSON"
    }
    # Not even a reset.
    server.control.move(run_id, "RUNNING")


def test_the_default_life_is_not_set_by_a_get(server: EmulatorServer) -> None:
    assert ask(server, "GET", "default_life", b'{"value": "cancelled"}')[0] == 405
    assert ask(server, "GET", "default_life")[:2] == (200, {"result": "completed"})
    assert ask(server, "POST", "default_life", b'{"value": "cancelled"}')[:2] == (
        200,
        {"result": "cancelled"},
    )


@pytest.mark.parametrize("name", ["", "now", "pace", "lives", "requests", "counts"])
def test_a_control_that_only_reports_can_be_a_get(name: str, server: EmulatorServer) -> None:
    assert ask(server, "GET", name)[0] == 200


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        (
            "advance",
            b"seconds=5",
            "/omics-emulator/advance takes a JSON object with seconds, not b'seconds=5'",
        ),
        ("advance", b"[5]", "/omics-emulator/advance takes a JSON object with seconds, not b'[5]'"),
        ("advance", b"\xff", "/omics-emulator/advance takes a JSON object with seconds, not b'\\xff'"),
        ("limit", b"{", "/omics-emulator/limit takes a JSON object with operation, per_second, not b'{'"),
        ("freeze", b"now", "/omics-emulator/freeze takes no arguments: an empty body or {}, not b'now'"),
        ("default_life", b"x", "/omics-emulator/default_life takes a JSON object with value, not b'x'"),
    ],
)
def test_a_body_that_is_no_json_is_answered_with_what_was_wanted(
    name: str, body: bytes, says: str, server: EmulatorServer
) -> None:
    assert ask(server, "POST", name, body)[:2] == (400, {"error": says})


def test_a_long_body_is_not_repeated_whole(server: EmulatorServer) -> None:
    assert len(ask(server, "POST", "advance", b"x" * 100_000)[1]["error"]) < 200


@pytest.mark.parametrize("text", ["1e308", "NaN", "Infinity", "-1", pytest.param("1" + "0" * 400, id="huge")])
def test_a_clock_that_was_turned_wrongly_over_http_still_goes(
    text: str, server: EmulatorServer, omics: Any
) -> None:
    for name, argument in (("advance", "seconds"), ("set_pace", "pace")):
        status, answer, _ = ask(server, "POST", name, f'{{"{argument}": {text}}}'.encode())
        assert status == 400
        assert answer["error"].startswith(f"{argument} is ")
    assert start(omics)["status"] == "PENDING"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"region_name": "mars-1"}, "region_name is 'mars-1'; give a Region of AWS, such as us-east-1"),
        ({"account_id": "lab"}, "account_id is 'lab'; give a text of 12 digits"),
        ({"priority": "high"}, "StartRun would refuse such a run: .*'priority'.* must be of type integer"),
        ({"tags": "x"}, "StartRun would refuse such a run: .*'tags'.* must be of type map"),
        ({"runGroupId": []}, "StartRun would refuse such a run: .*'runGroupId'.* must be of type string"),
    ],
)
def test_runs_that_would_break_later_answers_are_not_started(
    arguments: dict[str, Any], says: str, control: Control
) -> None:
    with pytest.raises(ValueError, match=f"(?i)^{says}"):
        control.start_runs(1, **arguments)
    assert control.start_runs(1, priority=7)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((5,), "operation 5 is none of HealthOmics"),
        (("GetRun", "x"), "count is 'x'; give a number of requests, such as 3"),
        (("GetRun", 1, -1), "timeout is -1; give real seconds, such as 10"),
    ],
)
def test_what_cannot_be_waited_for(arguments: tuple[Any, ...], says: str, control: Control) -> None:
    with pytest.raises(ValueError, match=says):
        control.wait_for(*arguments)


def test_a_kind_of_fault_that_is_no_text(control: Control) -> None:
    with pytest.raises(ValueError, match=r"fault kind is \['hang'\]; the kinds are throttle, "):
        control.fault("GetRun", ["hang"])  # type: ignore[arg-type]
