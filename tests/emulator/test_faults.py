"""Every fault on demand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from airflow_omics.emulator import Emulator, EmulatorServer
from airflow_omics.emulator.world.faults import KINDS

from .support import refused, start

ERRORS = [
    ("throttle", "ThrottlingException", 429),
    ("internal-error", "InternalServerException", 500),
    ("timeout", "RequestTimeoutException", 408),
    ("quota", "ServiceQuotaExceededException", 402),
    ("conflict", "ConflictException", 409),
    ("validation", "ValidationException", 400),
    ("not-found", "ResourceNotFoundException", 404),
    ("access-denied", "AccessDeniedException", 403),
    ("expired-token", "ExpiredTokenException", 403),
    ("unrecognized-client", "UnrecognizedClientException", 403),
]


@pytest.mark.parametrize(("kind", "code", "status"), ERRORS)
def test_an_error_on_demand(kind: str, code: str, status: int, client: Any, emulator: Emulator) -> None:
    run = start(client)
    emulator.fault("GetRun", kind)
    assert refused(client.get_run, id=run["id"])[:2] == (code, status)
    emulator.clear_faults()
    assert client.get_run(id=run["id"])["id"] == run["id"]


def test_an_error_code_names_its_fault_too(client: Any, emulator: Emulator) -> None:
    emulator.fault("*", "ThrottlingException", message="slow down")
    assert refused(client.list_runs) == ("ThrottlingException", 429, "slow down")


def test_access_denied_names_action_and_resource(client: Any, emulator: Emulator) -> None:
    run = start(client)
    emulator.fault("GetRun", "access-denied")
    message = refused(client.get_run, id=run["id"])[2]
    assert f"not authorized to perform: omics:GetRun on resource: {run['arn']}" in message


def test_a_fault_strikes_only_its_operation(client: Any, emulator: Emulator) -> None:
    run = start(client)
    emulator.fault("ListRuns", "throttle")
    assert client.get_run(id=run["id"])


def test_a_fault_strikes_so_many_times(client: Any, emulator: Emulator) -> None:
    run = start(client)
    emulator.fault("GetRun", "throttle", times=2)
    for _ in range(2):
        assert refused(client.get_run, id=run["id"])[0] == "ThrottlingException"
    assert client.get_run(id=run["id"])


def test_a_fault_strikes_one_run(client: Any, emulator: Emulator) -> None:
    one, other = start(client), start(client)
    emulator.fault("GetRun", "internal-error", run_id=one["id"])
    assert refused(client.get_run, id=one["id"])[0] == "InternalServerException"
    assert client.get_run(id=other["id"])


def test_a_fault_strikes_a_share_of_the_calls(client: Any, emulator: Emulator) -> None:
    (run_id,) = emulator.start_runs(1, region_name="us-west-2")
    emulator.fault("GetRun", "throttle", rate=0.3)
    struck = 0
    for _ in range(200):
        try:
            client.get_run(id=run_id)
        except client.exceptions.ThrottlingException:
            struck += 1
    assert 35 <= struck <= 85


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("GetRun", "gremlins"), "fault kind 'gremlins' is unknown; the kinds are throttle"),
        (("GetRunz", "throttle"), "operation 'GetRunz' is not emulated"),
        (("GetRun", "throttle", 1.5), "rate is 1.5"),
        (("GetRun", "throttle", 1.0, 0), "times is 0"),
        (("GetRun", "list-lags"), "is one of ListRuns"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(
    arguments: tuple[Any, ...], says: str, emulator: Emulator
) -> None:
    with pytest.raises(ValueError, match=says):
        emulator.fault(*arguments)


@pytest.mark.parametrize("seconds", [-1, "soon", None, float("nan"), 1e308, pytest.param(10**400, id="huge")])
@pytest.mark.parametrize("kind", ["hang", "lost-answer", "list-lags"])
def test_a_fault_lasts_a_number_of_seconds(kind: str, seconds: Any, emulator: Emulator) -> None:
    with pytest.raises(
        ValueError, match=f"fault '{kind}': seconds is .*; give a number from 0 to 1000000000"
    ):
        emulator.fault("*", kind, seconds=seconds)


def test_an_option_that_a_fault_lacks_is_refused(emulator: Emulator) -> None:
    with pytest.raises(ValueError, match="'hang' has no option 'colour'; it has seconds"):
        emulator.fault("GetRun", "hang", colour="red")


class TestConnection:
    """No answer, or one that is not the service's."""

    def test_dropped_in_process(self, client: Any, emulator: Emulator) -> None:
        emulator.fault("GetRun", "drop", times=1)
        with pytest.raises(ConnectionClosedError):
            client.get_run(id="1234567")

    def test_dropped_over_http(self, server: EmulatorServer, connect: Callable[..., Any]) -> None:
        client = connect()
        run = start(client)
        server.control.fault("GetRun", "drop", times=1)
        with pytest.raises(ConnectionClosedError):
            client.get_run(id=run["id"])
        assert client.get_run(id=run["id"])["id"] == run["id"]

    def test_a_retry_gets_over_a_dropped_connection(
        self, server: EmulatorServer, connect: Callable[..., Any]
    ) -> None:
        run = start(connect())
        server.control.fault("GetRun", "drop", times=1)
        client = connect(retries={"mode": "standard", "total_max_attempts": 3})
        assert client.get_run(id=run["id"])["ResponseMetadata"]["RetryAttempts"] == 1

    def test_a_lost_answer_is_of_a_request_that_was_carried_out(
        self, client: Any, emulator: Emulator
    ) -> None:
        emulator.fault("StartRun", "lost-answer", times=1)
        with pytest.raises(ConnectionClosedError):
            start(client)
        assert len(client.list_runs()["items"]) == 1
        [request] = emulator.requests("StartRun")
        assert (request["status"], request["run_id"]) == (None, client.list_runs()["items"][0]["id"])

    def test_a_lost_answer_closes_the_connection_over_http(
        self, server: EmulatorServer, connect: Callable[..., Any]
    ) -> None:
        server.control.fault("StartRun", "lost-answer", times=1)
        client = connect()
        with pytest.raises(ConnectionClosedError):
            start(client)
        assert len(client.list_runs()["items"]) == 1

    def test_hangs_in_process_at_once(self, client: Any, emulator: Emulator) -> None:
        emulator.fault("GetRun", "hang")
        with pytest.raises(ReadTimeoutError):
            client.get_run(id="1234567")

    def test_hangs_over_http_until_the_client_gives_up(
        self, server: EmulatorServer, connect: Callable[..., Any]
    ) -> None:
        server.control.fault("GetRun", "hang")
        began = time.monotonic()
        with pytest.raises(ReadTimeoutError):
            connect(read_timeout=0.2).get_run(id="1234567")
        assert time.monotonic() - began < 5

    def test_clearing_the_faults_ends_a_hang(
        self, server: EmulatorServer, connect: Callable[..., Any]
    ) -> None:
        server.control.fault("GetRun", "hang")
        failed: list[BaseException] = []

        def call() -> None:
            try:
                connect(read_timeout=60).get_run(id="1234567")
            except ConnectionClosedError as error:
                failed.append(error)

        caller = threading.Thread(target=call)
        caller.start()
        server.control.wait_for("GetRun")
        server.control.clear_faults()
        caller.join(10)
        assert failed

    @pytest.mark.parametrize("status", [502, 503])
    def test_html_of_a_gateway(
        self, status: int, server: EmulatorServer, connect: Callable[..., Any]
    ) -> None:
        server.control.fault("GetRun", "html", status=status)
        with pytest.raises(ClientError) as caught:
            connect().get_run(id="1234567")
        metadata = caught.value.response["ResponseMetadata"]
        assert metadata["HTTPStatusCode"] == status
        assert metadata["HTTPHeaders"]["content-type"] == "text/html"

    def test_html_with_status_200_is_an_answer_without_members(
        self, server: EmulatorServer, connect: Callable[..., Any]
    ) -> None:
        server.control.fault("GetRun", "html", status=200)
        assert set(connect().get_run(id="1234567")) == {"ResponseMetadata"}


class TestListRuns:
    """Answers of ListRuns that are well-formed and wrong."""

    def test_lags(self, client: Any, emulator: Emulator) -> None:
        emulator.freeze()
        run = start(client)
        emulator.fault("ListRuns", "list-lags", seconds=30)
        assert client.list_runs()["items"] == []
        emulator.advance(40)
        assert client.get_run(id=run["id"])["status"] == "STARTING"
        (item,) = client.list_runs()["items"]
        assert item["status"] == "STARTING"
        emulator.advance(525)
        assert client.get_run(id=run["id"])["status"] == "RUNNING"
        (item,) = client.list_runs()["items"]
        assert item["status"] == "STARTING"
        assert "startTime" not in item

    def test_lags_behind_a_run_that_is_gone(self, client: Any, emulator: Emulator) -> None:
        emulator.freeze()
        run = start(client)
        emulator.advance(100)
        emulator.vanish(run["id"])
        emulator.fault("ListRuns", "list-lags", seconds=30)
        assert len(client.list_runs()["items"]) == 1
        emulator.advance(31)
        assert client.list_runs()["items"] == []

    def test_lies(self, client: Any, emulator: Emulator) -> None:
        run = start(client)
        emulator.advance(3600)
        emulator.fault("ListRuns", "list-lies")
        assert [item["status"] for item in client.list_runs()["items"]] == ["RUNNING"]
        assert client.list_runs(status="COMPLETED")["items"] == []
        assert client.get_run(id=run["id"])["status"] == "COMPLETED"

    def test_omits(self, client: Any, emulator: Emulator) -> None:
        one, other = start(client), start(client)
        emulator.fault("ListRuns", "list-omits", run_id=one["id"])
        assert [item["id"] for item in client.list_runs()["items"]] == [other["id"]]

    def test_gives_another_arn(self, client: Any, emulator: Emulator) -> None:
        run = start(client)
        emulator.fault("ListRuns", "list-wrong-arn")
        (item,) = client.list_runs()["items"]
        assert item["arn"] == f"arn:aws:omics:us-west-2:999999999999:run/{run['id']}"


def test_every_kind_of_fault_is_tested_here() -> None:
    lists = {"list-lags", "list-lies", "list-omits", "list-wrong-arn"}
    elsewhere = {"hang", "drop", "lost-answer", "html", *lists}
    assert {kind for kind, _, _ in ERRORS} | elsewhere == set(KINDS)
