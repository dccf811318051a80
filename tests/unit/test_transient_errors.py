"""Errors of GetRun that the sensor tolerates: throttling, errors of the service, the network, credentials."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
from botocore import exceptions as aws

from airflow_omics._faults import Fault
from airflow_omics._identity import Target
from airflow_omics._waiting.wait import Wait
from airflow_omics.emulator import mock_omics
from airflow_omics.exceptions import FaultKind, OmicsAccessError, OmicsRequestError
from tests.support.clocks import turn
from tests.support.sensors import FOR_PAGES, ONE_ATTEMPT, Clock, Gate, new_run

pytestmark = pytest.mark.any_airflow

WAITS = "waits"

# Every exception that the service model lists for GetRun, and how a sensor that meets it for good ends.
EXCEPTIONS = {
    "ThrottlingException": WAITS,
    "InternalServerException": WAITS,
    "RequestTimeoutException": WAITS,
    "ConflictException": WAITS,
    "ServiceQuotaExceededException": WAITS,
    "AccessDeniedException": "OmicsAccessError",
    "ValidationException": "OmicsRequestError",
    "ResourceNotFoundException": "OmicsRunNotFoundError",
}

# What no service model lists: a bad gateway's page, a proxy's page with status 200, no answer, no connection.
PAGES = [
    ("html", {"status": 500}),
    ("html", {"status": 502}),
    ("html", {"status": 503}),
    ("html", {"status": 429}),
    ("html", {"status": 200}),
    ("html", {"status": 403}),
    ("drop", {}),
    ("hang", {}),
]

TRANSIENT = [(name, {}) for name, end in EXCEPTIONS.items() if end == WAITS] + PAGES


def name_of(value: Any) -> str | None:
    return value if isinstance(value, str) else "-".join(str(item) for item in value.values()) or "plain"


def test_no_exception_of_get_run_is_forgotten() -> None:
    model = botocore.session.get_session().get_service_model("omics")
    listed = {shape.name for shape in model.operation_model("GetRun").error_shapes}
    assert listed == set(EXCEPTIONS)


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_every_exception_of_get_run_ends_as_the_table_says(name: str, gate: Gate, run_id: str) -> None:
    gate.omics.fault("GetRun", name, message="This is the service's own message.")
    end = gate(run_id=run_id, timeout=300)
    assert end.kind == ("AirflowSensorTimeout" if EXCEPTIONS[name] == WAITS else EXCEPTIONS[name])
    assert name in str(end.error)
    assert "This is the service's own message." in str(end.error)


@pytest.mark.parametrize(("kind", "options"), TRANSIENT, ids=name_of)
def test_transient_errors_are_retried(gate: Gate, run_id: str, kind: str, options: dict[str, Any]) -> None:
    gate.omics.fault("GetRun", kind, times=3, **options)
    gate.omics.move(run_id, "COMPLETED")
    end = gate(run_id=run_id)
    assert end.kind == "success"
    assert end.looks == 4


@pytest.mark.parametrize(("kind", "options"), TRANSIENT, ids=name_of)
def test_transient_errors_without_end_time_out(
    gate: Gate, run_id: str, kind: str, options: dict[str, Any]
) -> None:
    gate.omics.fault("GetRun", kind, **options)
    end = gate(run_id=run_id, timeout=400)
    assert end.kind == "AirflowSensorTimeout"
    assert end.after == pytest.approx(400, abs=1)


def test_a_timeout_under_transient_errors_leaves_the_last_record(poke_gate: Gate, run_id: str) -> None:
    poke_gate.clock.at(100, poke_gate.omics.fault, "GetRun", "throttle")
    end = poke_gate(run_id=run_id, timeout=900)
    assert end.kind == "AirflowSensorTimeout"
    assert end.xcom["status"] == "RUNNING"
    assert "ThrottlingException" in str(end.error)


def test_transient_errors_are_logged_and_not_at_every_look(
    poke_gate: Gate, run_id: str, output: Callable[[], str]
) -> None:
    poke_gate.omics.fault("GetRun", "throttle")
    end = poke_gate(run_id=run_id, timeout=7200)
    lines = [line for line in output().splitlines() if "still waiting: GetRun: ThrottlingException" in line]
    assert 1 <= len(lines) < end.looks


@pytest.mark.parametrize("kind", [FaultKind.TRANSIENT, FaultKind.CREDENTIALS, FaultKind.DENIED])
def test_errors_that_come_and_go_for_hours_fill_no_log(kind: FaultKind) -> None:
    """Half of the calls fail, as under a quota that others use up: that is no line for each look."""
    wait = Wait(Target.parse("1234567"), started_at=0.0, timeout_at=1e6)
    lines = []
    for look in range(480):
        if look % 2:
            wait.failed(Fault(kind, "it failed", "SomeException"), look * 30.0)
        else:
            wait.answered({"id": "1234567", "status": "RUNNING"}, look * 30.0)
        lines += wait.lines.take()
    assert 1 <= sum("it failed" in line for _, line in lines) <= 10


def test_an_error_is_a_line_again_once_there_was_none_for_a_while() -> None:
    wait = Wait(Target.parse("1234567"), started_at=0.0, timeout_at=1e6)
    lines = []
    for moment, message in ((0.0, "the first"), (30.0, "again"), (60.0, "once more"), (900.0, "much later")):
        wait.failed(Fault(FaultKind.TRANSIENT, message, "SomeException"), moment)
        wait.answered({"id": "1234567", "status": "RUNNING"}, moment + 1.0)
        lines += [line for level, line in wait.lines.take() if level == logging.WARNING]
    assert [line.partition("still waiting: ")[2] for line in lines] == ["the first", "again", "much later"]


def test_an_error_of_this_machine_is_not_transient(poke_gate: Gate, run_id: str) -> None:
    end = poke_gate(run_id=run_id, botocore_config={"no_such_setting": 1})
    assert isinstance(end.error, Exception)
    assert end.kind != "AirflowSensorTimeout"
    assert end.looks == 0


# -- pauses ------------------------------------------------------------------------------------------------

THROTTLED = Fault(
    FaultKind.TRANSIENT, "GetRun: ThrottlingException: Rate exceeded", "ThrottlingException", True
)


def pauses_of(interval: float, failures: int, rand: float, timeout: float = 1e6) -> list[float]:
    wait = Wait(Target.parse("1234567"), started_at=0.0, timeout_at=timeout)
    pauses = []
    for _ in range(failures):
        assert wait.failed(THROTTLED, 0.0) is None
        pauses.append(wait.pause(interval, 0.0, lambda: rand))
    return pauses


@pytest.mark.parametrize("rand", [0.0, 0.999999])
def test_pauses_grow_to_at_most_five_minutes(rand: float) -> None:
    pauses = pauses_of(60, 6, rand)
    assert pauses == sorted(pauses)
    assert pauses[-1] >= 2 * pauses[0]
    assert 150 <= pauses[-1] <= 300


def test_pauses_have_jitter() -> None:
    for early, late in zip(pauses_of(60, 6, 0.0), pauses_of(60, 6, 0.999999), strict=True):
        assert late - early >= 20


@pytest.mark.parametrize("rand", [0.0, 0.5])
@pytest.mark.parametrize("interval", [60, 900])
def test_transient_errors_never_make_looks_more_frequent(interval: float, rand: float) -> None:
    assert min(pauses_of(interval, 6, rand)) >= interval


def test_a_poke_interval_above_five_minutes_is_no_longer_than_twice_itself() -> None:
    assert max(pauses_of(3600, 12, 0.999999)) <= 7200


def test_pauses_never_pass_the_deadline() -> None:
    assert pauses_of(60, 6, 0.999999, timeout=45) == [45] * 6


def test_many_failures_overflow_nothing() -> None:
    assert max(pauses_of(60, 5000, 0.999999)) <= 300


def test_a_good_answer_brings_the_poke_interval_back() -> None:
    wait = Wait(Target.parse("1234567"), started_at=0.0, timeout_at=1e6)
    for _ in range(5):
        wait.failed(THROTTLED, 0.0)
    wait.answered({"id": "1234567", "status": "RUNNING"}, 0.0)
    assert wait.pause(60, 0.0) == 60


@pytest.mark.parametrize("kind", ["throttle", "drop", "expired-token"])
def test_no_busy_loop_while_it_lasts(gate: Gate, run_id: str, kind: str) -> None:
    gate.omics.fault("GetRun", kind)
    end = gate(run_id=run_id, timeout=900, poke_interval=30)
    # Not more often than without errors: 900 s are 31 looks.
    assert end.looks <= 31
    assert min(end.pauses[:-1]) >= 1


def test_sensors_thrown_back_together_do_not_come_back_together(poke_gate: Gate, run_id: str) -> None:
    poke_gate.omics.fault("GetRun", "throttle")
    ends = [poke_gate(run_id=run_id, timeout=1800).pauses[1:3] for _ in range(5)]
    assert len({tuple(pauses) for pauses in ends}) == 5


def test_the_airflow_s_exponential_backoff_may_go_on_for_a_week(poke_gate: Gate, run_id: str) -> None:
    """Airflow's own formula overflows after about 1020 pokes, whatever max_wait says."""
    poke_gate.clock.at(1060, poke_gate.omics.move, run_id, "COMPLETED")
    end = poke_gate(run_id=run_id, poke_interval=1, exponential_backoff=True, max_wait=1)
    assert end.kind == "success"


def test_exponential_backoff_grows_in_poke_mode(poke_gate: Gate, run_id: str) -> None:
    end = poke_gate(run_id=run_id, poke_interval=10, exponential_backoff=True, timeout=3600)
    assert end.kind == "AirflowSensorTimeout"
    assert end.looks < 15
    assert max(end.pauses) > 300


# -- if nothing was ever reached -----------------------------------------------------------------------------

ENDPOINT = "https://workflows-omics.us-east-1.amazonaws.com/"
UNREACHED: list[Any] = [
    aws.SSLError(endpoint_url=ENDPOINT, error="certificate verify failed"),
    aws.EndpointConnectionError(endpoint_url=ENDPOINT),
    aws.ConnectTimeoutError(endpoint_url=ENDPOINT),
    aws.ProxyConnectionError(proxy_url="http://proxy.lab.example:3128"),
]
REACHED: list[Any] = [
    aws.ReadTimeoutError(endpoint_url=ENDPOINT),
    aws.ConnectionClosedError(endpoint_url=ENDPOINT),
]
by_class = {"ids": lambda error: type(error).__name__}


@pytest.fixture
def out_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """Let every GetRun from now on raise an error of the network."""

    def go_out(error: Exception) -> None:
        def fails(*_: Any) -> Any:
            raise error

        monkeypatch.setattr("airflow_omics.hooks.OmicsHook.get_run", fails)

    return go_out


@pytest.mark.parametrize("error", UNREACHED, **by_class)
@pytest.mark.parametrize("flag", [{}, {"soft_fail": True}], ids=["plain", "soft_fail"])
def test_what_is_never_reached_is_an_error_after_an_hour(
    gate: Gate, run_id: str, out_with: Any, error: Exception, flag: dict[str, bool]
) -> None:
    out_with(error)
    end = gate(run_id=run_id, timeout=86400, **flag)
    assert isinstance(end.error, OmicsRequestError)
    assert 3600 <= end.after <= 3600 + 300
    assert f"for an hour, and none was ever made ({type(error).__name__}: " in str(end.error)
    assert "Check region_name" in str(end.error)


@pytest.mark.parametrize("error", UNREACHED, **by_class)
def test_what_was_reached_once_is_waited_for(
    gate: Gate, run_id: str, out_with: Any, error: Exception
) -> None:
    gate.clock.at(90, out_with, error)
    end = gate(run_id=run_id, timeout=86400)
    assert end.kind == "AirflowSensorTimeout"


@pytest.mark.parametrize("error", REACHED, **by_class)
def test_a_connection_that_is_made_is_waited_on(
    poke_gate: Gate, run_id: str, out_with: Any, error: Exception
) -> None:
    out_with(error)
    assert poke_gate(run_id=run_id, timeout=86400).kind == "AirflowSensorTimeout"


def test_an_outage_at_the_first_looks_is_waited_out(
    gate: Gate, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.MonkeyPatch.context() as patch:

        def fails(*_: Any) -> Any:
            raise UNREACHED[1]

        patch.setattr("airflow_omics.hooks.OmicsHook.get_run", fails)
        gate.clock.at(3000, patch.undo)
        gate.clock.at(4000, gate.omics.move, run_id, "COMPLETED")
        assert gate(run_id=run_id, timeout=86400).kind == "success"


# -- clocks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [3600.0, -3600.0], ids=["forward", "back"])
def test_a_clock_that_is_set_neither_shortens_nor_lengthens_what_is_tolerated(jump: float) -> None:
    lost = Fault(FaultKind.CREDENTIALS, "GetRun: ExpiredTokenException: old", "ExpiredTokenException")
    unknown = Fault(FaultKind.NOT_FOUND, "GetRun: ResourceNotFoundException: no", "ResourceNotFoundException")
    for fault, grace in ((lost, 300.0), (unknown, 120.0)):
        wait = Wait(Target.parse("1234567"), started_at=1e6, timeout_at=1e9)
        assert wait.failed(fault, 1e6, 50.0) is None
        assert wait.failed(fault, 1e6 + jump + grace - 1, 50.0 + grace - 1) is None
        assert wait.failed(fault, 1e6 + jump + grace, 50.0 + grace) is not None


def test_a_clock_that_is_set_forward_makes_no_run_younger() -> None:
    """The run was made an hour before the first look, by the service's clock and by ours as it was then."""
    wait = Wait(Target.parse("1234567"), started_at=7200.0, timeout_at=1e9)
    assert wait.failed(THROTTLED, 7200.0, 50.0) is None
    record: Any = {"id": "1234567", "status": "RUNNING", "creationTime": "1970-01-01T01:00:00+00:00"}
    assert wait.answered(record, 7260.0 + 7200.0, 110.0, clock_skew=-7200.0) is None


# -- credentials -------------------------------------------------------------------------------------------

LOST = ["expired-token", "unrecognized-client"]


@pytest.mark.parametrize("kind", LOST)
def test_lost_credentials_are_tolerated_for_five_minutes(gate: Gate, run_id: str, kind: str) -> None:
    gate.omics.fault("GetRun", kind)
    gate.clock.at(270, gate.omics.clear_faults)
    gate.clock.at(270, gate.omics.move, run_id, "COMPLETED")
    assert gate(run_id=run_id).kind == "success"


@pytest.mark.parametrize("flag", [{}, {"soft_fail": True}])
def test_credentials_dead_for_five_minutes_end_the_wait(
    gate: Gate, run_id: str, flag: dict[str, bool]
) -> None:
    gate.clock.at(90, gate.omics.fault, "GetRun", "expired-token")
    end = gate(run_id=run_id, **flag)
    assert isinstance(end.error, OmicsAccessError)
    assert 300 <= end.after <= 600


def test_dead_credentials_leave_the_last_record(poke_gate: Gate, run_id: str) -> None:
    poke_gate.clock.at(90, poke_gate.omics.fault, "GetRun", "expired-token")
    end = poke_gate(run_id=run_id)
    assert isinstance(end.error, OmicsAccessError)
    assert end.xcom["status"] == "RUNNING"
    assert end.error.run_id == run_id


def test_two_short_spells_of_lost_credentials_are_no_long_one(poke_gate: Gate, run_id: str) -> None:
    for begins in (0, 400, 800):
        poke_gate.clock.at(begins + 10, poke_gate.omics.fault, "GetRun", "expired-token")
        poke_gate.clock.at(begins + 250, poke_gate.omics.clear_faults)
    poke_gate.clock.at(1200, poke_gate.omics.move, run_id, "COMPLETED")
    assert poke_gate(run_id=run_id).kind == "success"


def test_lost_credentials_rebuild_the_client_from_the_connection(
    gate: Gate, run_id: str, connect: Callable[..., None]
) -> None:
    def carrying(mark: str) -> None:
        connect(region_name="us-east-1", config_kwargs={**ONE_ATTEMPT, "user_agent_extra": mark})

    carrying("before-rotation")
    gate.clock.at(50, gate.omics.fault, "GetRun", "expired-token", times=1)
    gate.clock.at(70, carrying, "after-rotation")
    gate.clock.at(100, gate.omics.move, run_id, "COMPLETED")
    end = gate(run_id=run_id, botocore_config=None)
    assert end.kind == "success"
    agents = [request["user_agent"] for request in gate.omics.requests("GetRun")]
    assert ["before-rotation" in agent for agent in agents] == [True, True, False]
    assert ["after-rotation" in agent for agent in agents] == [False, False, True]


def test_the_client_is_kept_through_transient_errors(
    poke_gate: Gate, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_omics.hooks import OmicsHook

    built: list[Any] = []
    plain = OmicsHook.of.__func__  # type: ignore[attr-defined]
    monkeypatch.setattr(
        OmicsHook, "of", classmethod(lambda cls, arguments: built.append(1) or plain(cls, arguments))
    )
    poke_gate.omics.fault("GetRun", "throttle", times=4)
    poke_gate.omics.move(run_id, "COMPLETED")
    assert poke_gate(run_id=run_id).kind == "success"
    assert len(built) == 1


def test_no_credentials_at_all_are_tolerated_as_well(
    monkeypatch: pytest.MonkeyPatch, connect: Callable[..., None]
) -> None:
    connect(region_name="us-east-1")
    with mock_omics(config={"core": {"mock_credentials": False}}) as omics:
        omics.freeze()
        clock = Clock(omics)
        turn(monkeypatch, clock)
        gate, run_id = Gate("poke", omics, clock), new_run(omics)
        omics.move(run_id, "COMPLETED")
        clock.at(100, connect, login="AKIAEXAMPLE", password="example", region_name="us-east-1")
        assert gate(run_id=run_id).kind == "success"
        assert omics.counts() == {"GetRun": 1, **FOR_PAGES}


def test_a_timeout_is_a_timeout_also_while_credentials_are_tolerated(gate: Gate, run_id: str) -> None:
    gate.omics.fault("GetRun", "expired-token")
    end = gate(run_id=run_id, timeout=120)
    assert end.kind == "AirflowSensorTimeout"
    assert 120 <= end.after < 125
