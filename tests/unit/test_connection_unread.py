"""An Airflow connection that cannot be read is a credentials fault: tolerated, read again, never replaced."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

from airflow_omics import operators
from airflow_omics._compat import AirflowNotFoundException
from airflow_omics.exceptions import FaultKind, OmicsAccessError
from airflow_omics.hooks import OmicsHook, OmicsLogsHook, UnreadableConnectionError
from airflow_omics.hooks.faults import fault_of
from tests.support.fixtures import Connect, Output
from tests.support.sensors import Clock, Gate, TaskInstance, context_of
from tests.support.start_operators import StartTask, Store, WorkerDied, die_at, started

COULD_NOT = "the Airflow connection 'lab' could not be read"


def lose(monkeypatch: pytest.MonkeyPatch, conn_id: str = "lab") -> Callable[[], None]:
    """Make the connection unknown to Airflow; return what brings it back."""
    name = f"AIRFLOW_CONN_{conn_id.upper()}"
    value = os.environ[name]
    monkeypatch.delenv(name)
    return lambda: monkeypatch.setenv(name, value)


def break_airflow(monkeypatch: pytest.MonkeyPatch, error: Exception) -> Callable[[], None]:
    """Let Airflow raise when it is asked for a connection; return what mends it."""
    broken = True
    get_connection = AwsBaseHook.get_connection

    def fails(cls: Any, conn_id: str) -> Any:
        if broken:
            raise error
        return get_connection(conn_id)

    def mend() -> None:
        nonlocal broken
        broken = False

    monkeypatch.setattr(AwsBaseHook, "get_connection", classmethod(fails))
    return mend


@pytest.fixture(autouse=True)
def _lab(connect: Connect) -> None:
    connect("lab", login="AKIAEXAMPLE", password="a-key-that-nothing-else-prints", region_name="us-east-1")


class AirflowRuntimeError(Exception):
    """As Airflow 3 calls what its API server answers instead of a connection."""


ERRORS = [
    AirflowNotFoundException("The conn_id `lab` isn't defined"),
    AirflowRuntimeError("API_SERVER_ERROR: 503"),
    RuntimeError("the secrets backend is sealed"),
    OSError("connection reset by the supervisor"),
    ImportError("cannot import name 'SUPERVISOR_COMMS'"),
]


# -- gates -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_gate_tolerates_it_for_a_while(
    gate: Gate, run_id: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate.clock.at(200, break_airflow(monkeypatch, error))
    gate.omics.move(run_id, "COMPLETED")
    end = gate(run_id=run_id, aws_conn_id="lab")
    assert end.kind == "success"
    assert end.looks == 1


def test_a_gate_ends_after_five_minutes_and_names_the_connection(
    gate: Gate, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose(monkeypatch)
    end = gate(run_id=run_id, aws_conn_id="lab", soft_fail=True)
    assert isinstance(end.error, OmicsAccessError)
    assert COULD_NOT in str(end.error)
    assert 300 <= end.after <= 420
    # boto3's own chain of credentials would have found the run.
    assert end.looks == 0


def test_a_connection_that_goes_while_credentials_expire(
    poke_gate: Gate, run_id: str, monkeypatch: pytest.MonkeyPatch, output: Output
) -> None:
    gate = poke_gate
    gate.clock.at(100, gate.omics.fault, "GetRun", "expired-token", times=1)
    come_back: list[Callable[[], None]] = []
    gate.clock.at(100, lambda: come_back.append(lose(monkeypatch)))
    gate.clock.at(350, lambda: come_back[0]())
    gate.clock.at(400, gate.omics.move, run_id, "COMPLETED")
    end = gate(run_id=run_id, aws_conn_id="lab")
    assert end.kind == "success"
    times = [request["status"] for request in gate.omics.requests("GetRun")]
    # At 0, 60 and 120 s, and again from 360 s on: nothing in between.
    assert times == [200, 200, 403, 200, 200]
    assert f"trying fresh credentials: {COULD_NOT}" in output()


# -- operators ---------------------------------------------------------------------------------------------

OPERATORS = {
    "OmicsGetRunOperator": "COMPLETED",
    "OmicsListRunTasksOperator": "COMPLETED",
    "OmicsDiagnoseRunOperator": "COMPLETED",
    "OmicsEstimateRunCostOperator": "COMPLETED",
    "OmicsCancelRunOperator": "RUNNING",
    "OmicsDeleteRunOperator": "COMPLETED",
}


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_tolerates_it_for_a_while(
    name: str, clock: Clock, omics: Any, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    omics.move(run_id, OPERATORS[name])
    clock.start()
    clock.at(200, lose(monkeypatch))
    if name == "OmicsCancelRunOperator":
        clock.at(260, omics.move, run_id, "CANCELLED")
    getattr(operators, name)(task_id="t", run_id=run_id, aws_conn_id="lab").execute(
        context_of(TaskInstance())
    )
    assert clock.passed() >= 200
    assert {request["status"] for request in omics.requests("GetRun")} <= {200, 404}


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_gives_up_after_five_minutes(
    name: str, clock: Clock, omics: Any, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose(monkeypatch)
    clock.start()
    operator = getattr(operators, name)(task_id="t", run_id=run_id, aws_conn_id="lab")
    with pytest.raises(OmicsAccessError, match=COULD_NOT):
        operator.execute(context_of(TaskInstance()))
    assert 300 <= clock.passed() <= 420
    assert omics.counts() == {}


def test_a_start_tolerates_it_for_a_while(
    start_task: StartTask, clock: Clock, omics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    omics.default_life = "completed"
    clock.start()
    clock.at(200, lose(monkeypatch))
    done = start_task(aws_conn_id="lab")()
    assert done.kind == "success"
    assert omics.counts()["StartRun"] == 1


@pytest.mark.usefixtures("sts_out_of_reach")
@pytest.mark.parametrize("comes_back", [True, False])
def test_a_retry_starts_no_second_run_on_the_word_of_boto3_s_own_identity(
    comes_back: bool,
    start_task: StartTask,
    clock: Clock,
    omics: Any,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A new worker that does not find ``aws_default`` asks another account, which does not know the run."""
    connect(region_name="us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    omics.default_life = "completed"

    def vanish() -> None:
        raise WorkerDied

    task = start_task(store=Store())
    clock.at(200, vanish)
    task()
    monkeypatch.setattr("airflow_omics.hooks.named._READ", set())  # a process of its own
    come_back = lose(monkeypatch, "aws_default")
    if comes_back:
        clock.at(250, come_back)
    done = task()
    assert done.kind == ("success" if comes_back else "OmicsAccessError"), done.error
    assert len(started(omics)) == 1
    if not comes_back:
        assert "the named Airflow connection was not found" in str(done.error)


@pytest.mark.usefixtures("sts_out_of_reach")
def test_a_clear_starts_no_second_run_while_the_first_is_unknown_to_boto3_s_own_identity(
    start_task: StartTask, clock: Clock, omics: Any, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials die while the earlier run is cancelled, and ``aws_default`` is lost at that moment."""
    connect(region_name="us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    omics.default_life = "running-forever"
    task = start_task(store=Store(), wait_timeout=3600)
    assert task().kind == "OmicsRunTimeoutError"
    task.clear()
    omics.fault("CancelRun", "expired-token", times=1)
    cancel_run = OmicsHook.cancel_run

    def cancel(hook: OmicsHook, run_id: str) -> None:
        lose(monkeypatch, "aws_default")
        monkeypatch.setattr("airflow_omics.hooks.named._READ", set())
        cancel_run(hook, run_id)

    monkeypatch.setattr(OmicsHook, "cancel_run", cancel)
    done = task()
    assert done.kind == "OmicsAccessError", done.error
    assert "the named Airflow connection was not found" in str(done.error)
    assert len(started(omics)) == 1


@pytest.mark.usefixtures("sts_out_of_reach")
def test_a_retry_starts_no_second_run_on_the_word_of_a_client_that_was_made_anew(
    start_task: StartTask, clock: Clock, omics: Any
) -> None:
    """New credentials may be another account's, which does not know the run; nothing can be listed there."""
    omics.default_life = "running-forever"
    task = start_task(store=Store())
    die_at(clock, 200)
    task()
    omics.fault("GetRun", "expired-token", times=1)
    omics.fault("GetRun", "not-found")
    omics.fault("ListRuns", "access-denied")
    done = task()
    assert done.kind == "OmicsAccessError", done.error
    assert "its client was replaced after a fault" in str(done.error)
    assert len(started(omics)) == 1


@pytest.mark.parametrize("name", ["OmicsCancelRunOperator", "OmicsDeleteRunOperator"])
@pytest.mark.parametrize("comes_back", [True, False])
def test_a_change_takes_no_run_for_deleted_that_boto3_s_own_identity_does_not_know(
    name: str,
    comes_back: bool,
    clock: Clock,
    omics: Any,
    run_id: str,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run taken for gone would go on, and cost."""
    omics.move(run_id, OPERATORS[name])
    record = OmicsHook(aws_conn_id="lab").get_run(run_id)
    known = {key: record[key] for key in ("id", "uuid")}
    connect(region_name="us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    come_back = lose(monkeypatch, "aws_default")
    clock.start()
    if comes_back:
        clock.at(200, come_back)
        clock.at(260, lambda: omics.move(run_id, "CANCELLED") if "Cancel" in name else None)
    operator = getattr(operators, name)(task_id="t", run_id=known)
    if comes_back:
        operator.execute(context_of(TaskInstance()))
        assert omics.counts()["CancelRun" if "Cancel" in name else "DeleteRun"] == 1
    else:
        with pytest.raises(OmicsAccessError, match="the named Airflow connection was not found"):
            operator.execute(context_of(TaskInstance()))
        assert 300 <= clock.passed() <= 540


# -- hooks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", [OmicsHook, OmicsLogsHook])
def test_a_hook_has_no_other_identity(hook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "boto3finds")
    come_back = lose(monkeypatch)
    made = hook(aws_conn_id="lab")
    for _ in range(2):
        with pytest.raises(UnreadableConnectionError, match=COULD_NOT) as caught:
            made.conn  # noqa: B018
    fault = fault_of(caught.value)
    assert fault is not None
    assert fault.kind is FaultKind.CREDENTIALS
    come_back()
    assert made.get_credentials().access_key == "AKIAEXAMPLE"


@pytest.mark.parametrize("conn_id", ["aws_default", None])
def test_if_nobody_has_defined_aws_default_boto3_finds_its_own(
    conn_id: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "boto3finds")
    hook = OmicsHook(aws_conn_id=conn_id, region_name="us-east-1")
    assert hook.get_credentials().access_key == "boto3finds"
    assert hook.stands_in is (conn_id is not None)


def test_aws_default_that_was_there_is_missed(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(region_name="us-east-1")
    assert OmicsHook(aws_conn_id="aws_default").stands_in is False
    assert OmicsHook(aws_conn_id="aws_default").region_name == "us-east-1"
    lose(monkeypatch, "aws_default")
    with pytest.raises(UnreadableConnectionError, match="'aws_default' could not be read"):
        OmicsHook(aws_conn_id="aws_default").conn  # noqa: B018


@pytest.mark.parametrize("error", ERRORS[:2], ids=lambda error: type(error).__name__)
def test_what_airflow_itself_raises_is_a_credentials_fault(error: Exception) -> None:
    fault = fault_of(error)
    assert fault is not None
    assert fault.kind is FaultKind.CREDENTIALS
    assert str(error) in fault.message


# -- reschedule mode: each look has a client of its own ------------------------------------------------------


def test_aws_default_that_is_gone_for_one_look_in_reschedule_mode_ends_nothing(
    reschedule_gate: Gate, run_id: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new process has never read it, and what boto3 finds in its place knows no such run."""
    from airflow_omics.hooks import named

    gate = reschedule_gate
    monkeypatch.setattr(named, "_READ", _Nothing())
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    come_back: list[Callable[[], None]] = []
    gate.clock.at(290, lambda: come_back.append(lose(monkeypatch, "aws_default")))
    gate.clock.at(350, lambda: come_back[0]())
    gate.clock.at(400, gate.omics.move, run_id, "COMPLETED")
    assert gate(run_id=run_id).kind == "success"
    assert 404 in {request["status"] for request in gate.omics.requests("GetRun")}


class _Nothing(set):  # type: ignore[type-arg]
    def add(self, item: str) -> None:
        """Forget at once, as a process does that ends."""


def test_a_run_nobody_can_find_without_aws_default_is_not_found_in_the_end(
    reschedule_gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose(monkeypatch, "aws_default")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    end = reschedule_gate(run_id="7654321")
    assert end.kind == "OmicsRunNotFoundError"
    assert "the named Airflow connection was not found" in str(end.error)
    assert end.after <= 540
