"""How a deferred sensor ends: the table of the other modes, through a trigger and its event.

The sensor looks once and defers; the trigger goes through ``serialize`` and JSON, waits against the
emulator's server, and its event goes through JSON back into the sensor.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_omics import exceptions
from airflow_omics._compat import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferralError,
)
from airflow_omics.emulator import Emulator
from tests.support.deferred import Deferral, defer, kind, quick_clients, resume, sensor_of, wait_out
from tests.support.endings import AFTER, FLAGS, RAISED, TABLE, deleted
from tests.support.sensors import TaskInstance, context_of


@pytest.fixture(scope="module", autouse=True)
def _clients_are_built_quickly() -> Iterator[None]:
    with quick_clients():
        yield


@pytest.fixture(autouse=True)
def _graces_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_omics._waiting.wait.NOT_FOUND_GRACE", 3.0)
    monkeypatch.setattr("airflow_omics._waiting.wait.CREDENTIALS_GRACE", 1.0)
    monkeypatch.setattr("airflow_omics._waiting.wait.DENIED_SECOND_LOOK", 0.5)


def start(omics: Emulator, **members: Any) -> str:
    [run_id] = omics.start_runs(1, life="running-forever", **members)
    omics.move(run_id, "RUNNING")
    return run_id


def arguments_of(row: str) -> dict[str, Any]:
    arguments = dict(TABLE[row].arguments)
    if "timeout" in arguments:
        arguments["timeout"] = 1.5
    return arguments


# Seen by the sensor before it deferred, so that it is no longer a run that was never seen.
SEEN_BEFORE = {"unknown run": ("ended badly", "OmicsRunDeletedError", "DELETED")}


@pytest.mark.parametrize("row", TABLE)
def test_every_row_ends_the_same_by_way_of_the_triggerer(row: str, omics: Emulator) -> None:
    case, run_id, deferral = TABLE[row], start(omics), Deferral(omics)
    trigger = defer(sensor_of(run_id, **arguments_of(row)))
    case.arrange(deferral, run_id)

    event = wait_out(trigger, deferral)

    category, raised, xcom = SEEN_BEFORE.get(row, (case.category, case.error, case.xcom))
    found = {}
    for flag, flags in FLAGS.items():
        _, error, record = resume(sensor_of(run_id, **arguments_of(row), **flags), event)
        found[flag] = (kind(error), (record or {}).get("status"))
    expected = {flag: raised if end == RAISED else end for flag, end in AFTER[category].items()}
    assert found == {flag: (end, xcom) for flag, end in expected.items()}


@pytest.mark.parametrize("row", ["unknown run", "dead credentials"])
def test_a_run_that_no_look_ever_reached_ends_as_in_every_other_mode(row: str, omics: Emulator) -> None:
    case, run_id, deferral = TABLE[row], start(omics), Deferral(omics)
    case.arrange(deferral, run_id)
    trigger = defer(sensor_of(run_id))

    event = wait_out(trigger, deferral)

    found = {flag: kind(resume(sensor_of(run_id, **flags), event)[1]) for flag, flags in FLAGS.items()}
    skip = "AirflowSkipException"
    assert found == {
        "no flag": case.error,
        "soft_fail": case.error,
        "never_fail": skip,
        "silent_fail": case.error,
    }


@pytest.mark.parametrize("row", [name for name, row in TABLE.items() if row.looks == 1])
def test_a_run_already_over_needs_no_triggerer(row: str, omics: Emulator) -> None:
    case, run_id = TABLE[row], start(omics)
    case.arrange(Deferral(omics), run_id)
    found = {}
    for flag, flags in FLAGS.items():
        ti, error = TaskInstance(), None
        try:
            sensor_of(run_id, **case.arguments, **flags).execute(context_of(ti))
        except Exception as raised:
            error = raised
        found[flag] = kind(error)
    assert found == {flag: case.error if e == RAISED else e for flag, e in AFTER[case.category].items()}
    # A run that ended badly is looked into besides, by calls of other kinds.
    counts = omics.counts()
    assert (counts["GetRun"], counts.get("ListRuns", 0)) == (len(FLAGS), 0)


def test_the_last_look_is_at_the_absolute_deadline(omics: Emulator) -> None:
    run_id = start(omics)
    trigger = defer(sensor_of(run_id, poke_interval=600, timeout=3600))
    trigger.timeout_at = time.time() + 1.0
    event = wait_out(trigger, Deferral(omics))
    over = time.time()
    assert event["outcome"] == "timeout"
    assert event["record"]["status"] == "RUNNING"
    assert omics.counts()["GetRun"] == 2
    assert 0.0 <= over - trigger.timeout_at < 5.0


def test_a_deadline_that_passed_while_no_triggerer_ran_still_gets_its_last_look(
    omics: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A triggerer was down past the deadline, and the run has completed: that is a success."""
    monkeypatch.setattr("airflow_omics._watching.watcher._LATE", 1.0)
    run_id = start(omics)
    trigger = defer(sensor_of(run_id, poke_interval=600, timeout=3600))
    omics.move(run_id, "COMPLETED")
    trigger.timeout_at = time.time() - 1.0
    result, error, _ = resume(sensor_of(run_id), wait_out(trigger, Deferral(omics)))
    assert error is None
    assert result["status"] == "COMPLETED"


def test_a_run_that_ends_badly_is_not_retried(omics: Emulator) -> None:
    run_id = start(omics)
    trigger = defer(sensor_of(run_id, record_fields=[]))
    omics.move(run_id, "FAILED", "OUT_OF_MEMORY_ERROR", "A task ran out of memory.")
    _, error, record = resume(sensor_of(run_id, record_fields=[]), wait_out(trigger, Deferral(omics)))
    assert isinstance(error, exceptions.OmicsRunFailedError)
    assert isinstance(error, AirflowFailException)
    assert error.failure_reason == "OUT_OF_MEMORY_ERROR"
    assert error.status_message == "A task ran out of memory."
    assert record == {"id": run_id, "status": "FAILED"}


def test_no_xcom_is_pushed_if_the_task_pushes_none(omics: Emulator) -> None:
    run_id = start(omics)
    trigger = defer(sensor_of(run_id))
    omics.move(run_id, "FAILED", "SERVICE_ERROR")
    _, error, record = resume(sensor_of(run_id, do_xcom_push=False), wait_out(trigger, Deferral(omics)))
    assert kind(error) == "OmicsRunFailedError"
    assert record is None


def test_a_deleted_run_may_be_a_success_if_the_dag_says_so(omics: Emulator) -> None:
    run_id, wanted = start(omics), {"success_statuses": ["COMPLETED", "DELETED"]}
    trigger = defer(sensor_of(run_id, **wanted))
    deleted(Deferral(omics), run_id)  # type: ignore[arg-type]
    result, _, _ = resume(sensor_of(run_id, **wanted), wait_out(trigger, Deferral(omics)))
    assert result["status"] == "DELETED"


def test_export_adds_the_definition_once_the_run_has_ended(omics: Emulator) -> None:
    run_id = start(omics)
    trigger = defer(sensor_of(run_id, export=["DEFINITION"]))
    omics.move(run_id, "COMPLETED")
    result, _, _ = resume(sensor_of(run_id), wait_out(trigger, Deferral(omics)))
    assert "/definition/1234567/main.wdl.zip?" in result["definition"]
    exports = [request.get("query") for request in omics.requests("GetRun")]
    assert exports == [None, None, {"export": "DEFINITION"}]


def test_a_run_readable_by_the_sensor_and_then_denied_gets_a_second_look(omics: Emulator) -> None:
    run_id = start(omics)
    trigger = defer(sensor_of(run_id))
    omics.fault("GetRun", "access-denied", times=1)
    omics.move(run_id, "COMPLETED")
    event = wait_out(trigger, Deferral(omics))
    assert (event["outcome"], (event["record"] or {}).get("status")) == ("terminal", "COMPLETED")


AIRFLOW_S_TIMEOUTS = ["Trigger timeout", "Trigger/execution timeout"]


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("reason", AIRFLOW_S_TIMEOUTS)
def test_airflow_s_own_timeout_is_the_sensor_s(reason: str, flag: str) -> None:
    with pytest.raises((AirflowSensorTimeout, AirflowSkipException)) as caught:
        sensor_of("1234567", **FLAGS[flag]).resume_execution(
            "__fail__", {"error": reason}, context_of(TaskInstance())
        )
    expected = AFTER["timed out"][flag]
    assert kind(caught.value) == ("AirflowSensorTimeout" if expected == RAISED else expected)


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize(
    "kwargs", [{"error": "Trigger failure", "traceback": ["Traceback", "boom"]}, {}, None]
)
def test_a_trigger_that_crashed_is_an_error_and_no_skip(flag: str, kwargs: Any) -> None:
    ti = TaskInstance()
    with pytest.raises((TaskDeferralError, AirflowSkipException)) as caught:
        sensor_of("1234567", **FLAGS[flag]).resume_execution("__fail__", kwargs, context_of(ti))
    assert kind(caught.value) == ("AirflowSkipException" if flag == "never_fail" else "TaskDeferralError")
    assert ti.pushed == []


@pytest.mark.parametrize("event", [None, {}, {"outcome": "done"}, "terminal", 7])
def test_an_event_of_nobody_s_is_an_error(event: Any) -> None:
    _, error, record = resume(sensor_of("1234567"), event)
    assert kind(error) == "OmicsError"
    assert record is None
