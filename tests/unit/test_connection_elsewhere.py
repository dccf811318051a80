"""A connection that leads to another account for a while, in a process that begins just then.

Its first client has read nothing, and "not found" is the answer of an account that never had the run.
"""

from __future__ import annotations

import logging
from typing import Any

import pytest

from airflow_omics import operators
from airflow_omics.exceptions import OmicsAccessError
from airflow_omics.hooks import OmicsHook
from airflow_omics.hooks.caller import _client
from tests.support.fixtures import Connect
from tests.support.iam import denial
from tests.support.sensors import Clock, Gate, TaskInstance, context_of
from tests.support.start_operators import ROLE, StartTask, Store, die_at, started
from tests.support.sts import Sts, give_key

pytestmark = pytest.mark.any_airflow

HERE = "account 123456789012 in us-east-1"
ELSEWHERE = "account 999999999999 in us-east-1"
OTHER_KEY = "AKIAANOTHERACCOUNT00"


class Leads:
    """Edits the connection, to lead to another account and back."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    def away(self) -> None:
        self._connect(login=OTHER_KEY, password="test", region_name="us-east-1")

    def back(self) -> None:
        self._connect(region_name="us-east-1")


@pytest.fixture
def leads(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Leads:
    give_key(monkeypatch, "999999999999", OTHER_KEY)
    return Leads(connect)


# -- a start -----------------------------------------------------------------------------------------------


def begun(start_task: StartTask, omics: Any, clock: Clock, store: Store | None) -> Any:
    """A start whose worker has died while its run went on."""
    omics.default_life = "completed"
    task = start_task(store=store)
    die_at(clock, 200)
    task()
    assert len(started(omics)) == 1
    return task


def test_a_retry_starts_no_second_run_in_another_account(
    start_task: StartTask, omics: Any, clock: Clock, leads: Leads, sts: Sts
) -> None:
    task = begun(start_task, omics, clock, Store())
    listed = omics.counts()["ListRuns"]
    leads.away()
    done = task()
    assert isinstance(done.error, OmicsAccessError)
    assert f"read runs of {ELSEWHERE}, not of {HERE}" in str(done.error)
    assert 300 <= clock.passed() <= 600
    assert len(started(omics)) == 1
    assert omics.counts()["ListRuns"] == listed
    leads.back()
    done = task()
    assert (done.kind, [done.result["id"]]) == ("success", started(omics))
    assert omics.counts()["StartRun"] == 1


def test_a_retry_waits_until_the_connection_leads_back(
    start_task: StartTask, omics: Any, clock: Clock, leads: Leads
) -> None:
    task = begun(start_task, omics, clock, Store())
    leads.away()
    clock.at(350, leads.back)
    done = task()
    assert (done.kind, [done.result["id"]]) == ("success", started(omics))
    assert omics.counts()["StartRun"] == 1


def test_without_a_state_store_no_account_but_the_role_s_own_starts_a_run(
    start_task: StartTask, omics: Any, clock: Clock, leads: Leads
) -> None:
    """Nothing is known of the first run. AWS refuses to pass a role of another account.

    https://repost.aws/knowledge-center/iam-passrole-error
    """
    task = begun(start_task, omics, clock, None)
    leads.away()
    says = denial("iam:PassRole", ROLE).replace("sts::123456789012", "sts::999999999999")
    omics.fault("StartRun", "access-denied", message=says)
    done = task()
    assert isinstance(done.error, OmicsAccessError)
    assert "999999999999" in str(done.error)
    assert "123456789012" in str(done.error)
    omics.clear_faults()
    leads.back()
    done = task()
    assert (done.kind, [done.result["id"]]) == ("success", started(omics))


@pytest.mark.parametrize("fault", [None, "expired-token"], ids=["a first client", "one made after a fault"])
@pytest.mark.parametrize("others", [0, 1])
def test_a_retry_recognises_a_run_that_was_deleted_without_any_list(
    start_task: StartTask, omics: Any, clock: Clock, sts: Sts, fault: str | None, others: int
) -> None:
    task = begun(start_task, omics, clock, Store())
    [first] = started(omics)
    omics.start_runs(others)
    omics.vanish(first)
    omics.fault("ListRuns", "access-denied")
    if fault:
        omics.fault("GetRun", fault, times=1)
    done = task()
    assert done.kind == "success", done.error
    assert started(omics) == [first, done.result["id"]]
    assert sts.asked == 1


@pytest.mark.usefixtures("sts_out_of_reach")
def test_without_sts_and_lists_the_named_connection_is_believed(
    start_task: StartTask, omics: Any, clock: Clock
) -> None:
    task = begun(start_task, omics, clock, Store())
    omics.vanish(started(omics)[0])
    omics.fault("ListRuns", "access-denied")
    done = task()
    assert (done.kind, len(started(omics))) == ("success", 2)


def test_without_sts_a_list_shows_the_other_account(
    start_task: StartTask, omics: Any, clock: Clock, leads: Leads, sts_out_of_reach: Sts
) -> None:
    task = begun(start_task, omics, clock, Store())
    omics.start_runs(1, account_id="999999999999")
    leads.away()
    done = task()
    assert isinstance(done.error, OmicsAccessError)
    assert f"read runs of {ELSEWHERE}, not of {HERE}" in str(done.error)
    assert len(started(omics)) == 1


# -- a gate whose looks are processes of their own -----------------------------------------------------------


def record_of(run_id: str) -> Any:
    return OmicsHook(aws_conn_id="aws_default").get_run(run_id)


def test_a_gate_in_reschedule_mode_waits_until_the_connection_leads_back(
    reschedule_gate: Gate, run_id: str, leads: Leads
) -> None:
    gate, given = reschedule_gate, record_of(run_id)
    gate.clock.at(290, leads.away)
    gate.clock.at(490, leads.back)
    gate.clock.at(490, gate.omics.move, run_id, "COMPLETED")
    assert gate(run_id=given).kind == "success"


def test_a_gate_in_reschedule_mode_ends_after_five_minutes_and_names_both_accounts(
    reschedule_gate: Gate, run_id: str, leads: Leads
) -> None:
    gate, given = reschedule_gate, record_of(run_id)
    gate.clock.at(290, leads.away)
    gate.clock.at(690, leads.back)
    end = gate(run_id=given)
    # Not seen by this process; a retry looks for it again.
    assert end.kind == "OmicsRunNotFoundError"
    assert f"read runs of {ELSEWHERE}, not of {HERE}" in str(end.error)
    assert end.after == pytest.approx(600, abs=70)


def test_a_run_that_is_gone_costs_a_gate_in_reschedule_mode_no_time(
    reschedule_gate: Gate, run_id: str, sts: Sts
) -> None:
    gate, given = reschedule_gate, record_of(run_id)
    gate.clock.at(290, gate.omics.vanish, run_id)
    end = gate(run_id=given)
    assert (end.kind, sts.asked) == ("OmicsRunNotFoundError", 1)
    assert end.after == pytest.approx(300, abs=1)


# -- cancelling and deleting -------------------------------------------------------------------------------


@pytest.mark.parametrize("comes_back", [True, False])
@pytest.mark.parametrize(
    ("name", "operation", "status"),
    [
        ("OmicsCancelRunOperator", "CancelRun", "RUNNING"),
        ("OmicsDeleteRunOperator", "DeleteRun", "COMPLETED"),
    ],
)
def test_a_change_takes_no_run_for_deleted_that_another_account_does_not_know(
    name: str,
    operation: str,
    status: str,
    comes_back: bool,
    clock: Clock,
    omics: Any,
    run_id: str,
    leads: Leads,
) -> None:
    omics.move(run_id, status)
    known = {key: value for key, value in record_of(run_id).items() if key in ("id", "uuid", "arn")}
    leads.away()
    clock.start()
    if comes_back:
        clock.at(200, leads.back)
        clock.at(260, lambda: omics.move(run_id, "CANCELLED") if status == "RUNNING" else None)
    operator = getattr(operators, name)(task_id="t", run_id=known)
    if comes_back:
        operator.execute(context_of(TaskInstance()))
        assert omics.counts()[operation] == 1
    else:
        with pytest.raises(OmicsAccessError, match=f"read runs of {ELSEWHERE}, not of {HERE}"):
            operator.execute(context_of(TaskInstance()))
        assert 300 <= clock.passed() <= 540
        assert operation not in omics.counts()


@pytest.mark.usefixtures("omics")
def test_the_account_of_a_connection_is_read_again_with_it(leads: Leads) -> None:
    hook = OmicsHook(aws_conn_id="aws_default")
    hook.ask_sts()
    leads.away()
    assert (hook.asked_sts, hook.own_home) == (True, HERE)
    hook.forget()
    assert (hook.asked_sts, hook.own_home) == (False, None)
    hook.ask_sts()
    assert hook.own_home == ELSEWHERE


# -- which STS is asked, and for how long ------------------------------------------------------------------

LOCAL = {"endpoint_url": "http://127.0.0.1:4300"}
OTHER_LOCAL = {"endpoint_url": "http://127.0.0.1:5000"}
IN_A_VPC = {"endpoint_url": "https://vpce-1.omics.us-east-1.vpce.amazonaws.com"}


@pytest.mark.usefixtures("omics")
@pytest.mark.parametrize(
    ("extra", "environment", "asked"),
    [
        pytest.param({}, (), True, id="AWS"),
        pytest.param({"service_config": {"omics": LOCAL}}, (), False, id="HealthOmics by connection"),
        pytest.param({}, ("AWS_ENDPOINT_URL_OMICS", LOCAL), False, id="HealthOmics by environment"),
        pytest.param({}, ("AWS_ENDPOINT_URL", LOCAL), True, id="all by environment"),
        pytest.param(LOCAL, (), True, id="all by connection"),
        pytest.param(LOCAL, ("AWS_ENDPOINT_URL_STS", OTHER_LOCAL), True, id="the connection wins"),
        pytest.param({**LOCAL, "service_config": {"sts": OTHER_LOCAL}}, (), False, id="two emulators"),
        pytest.param({"service_config": {"omics": IN_A_VPC}}, (), True, id="an endpoint in a VPC"),
    ],
)
def test_sts_is_asked_only_where_healthomics_is(
    extra: Any,
    environment: Any,
    asked: bool,
    sts_out_of_reach: Sts,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise the real AWS would be asked who it is that a local HealthOmics answers."""
    connect(region_name="us-east-1", login="test", password="test", **extra)
    if environment:
        monkeypatch.setenv(environment[0], environment[1]["endpoint_url"])
    OmicsHook(aws_conn_id="aws_default").ask_sts()
    assert sts_out_of_reach.asked == int(asked)


@pytest.mark.usefixtures("omics")
@pytest.mark.parametrize(("given", "limit"), [({}, 5), ({"connect_timeout": 2, "read_timeout": 2}, 2)])
def test_sts_is_asked_once_and_not_for_long(given: dict[str, int], limit: int) -> None:
    client = _client(OmicsHook(aws_conn_id="aws_default", config=given))
    config = client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (limit, limit)
    assert config.retries["total_max_attempts"] == 1


def test_what_sts_raises_is_a_debug_line(
    omics: Any, run_id: str, sts: Sts, caplog: pytest.LogCaptureFixture
) -> None:
    sts.error = RuntimeError("a mistake of a session factory")
    caplog.set_level(logging.DEBUG, "airflow_omics.hooks.caller")
    hook = OmicsHook(aws_conn_id="aws_default")
    hook.ask_sts()
    assert hook.own_home is None
    [line] = [record for record in caplog.records if record.name == "airflow_omics.hooks.caller"]
    assert line.levelno == logging.DEBUG
