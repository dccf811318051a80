"""How a sensor of a batch ends: one table, over every mode and every way of failing softly."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from airflow_omics import exceptions
from airflow_omics._compat import AirflowFailException, AirflowSkipException
from airflow_omics.hooks import OmicsHook
from airflow_omics.sensors import OmicsRunBatchSensor
from tests.support.batch_endings import TABLE, WELL, moves, runs_end
from tests.support.batch_waits import client, end_runs, going_batch, start_batch
from tests.support.endings import AFTER, FLAGS, RAISED, stays
from tests.support.fixtures import Output
from tests.support.sensors import MODES, Clock, Gate

MARKER = "PATIENT-4711"


@pytest.fixture(params=MODES)
def gate(request: pytest.FixtureRequest, omics: Any, clock: Clock) -> Gate:
    """A sensor's driver, in every mode."""
    return Gate(request.param, omics, clock, OmicsRunBatchSensor)


@pytest.fixture
def poke_gate(omics: Any, clock: Clock) -> Gate:
    return Gate("poke", omics, clock, OmicsRunBatchSensor)


@pytest.fixture
def batch_id(omics: Any) -> str:
    """A batch of three runs, which stay RUNNING until they are moved."""
    return going_batch(omics, default={"parameters": {"sample": MARKER}})


def with_status(monkeypatch: pytest.MonkeyPatch, status: str, until: Callable[[], bool]) -> None:
    """Let GetBatch answer with a status that AWS may add later."""
    get_batch: Any = OmicsHook.get_batch

    def changed(hook: OmicsHook, batch_id: str) -> Any:
        record = get_batch(hook, batch_id)
        return record if until() else {**record, "status": status}

    monkeypatch.setattr(OmicsHook, "get_batch", changed)


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("row", TABLE)
def test_every_row_ends_the_same_in_every_mode(row: str, flag: str, gate: Gate, batch_id: str) -> None:
    case = TABLE[row]
    case.arrange(gate, batch_id)

    end = gate(batch_id=batch_id, **case.arguments, **FLAGS[flag])

    expected = AFTER[case.category][flag]
    assert end.kind == (case.error if expected == RAISED else expected)
    assert (end.xcom or {}).get("status") == case.xcom
    assert case.looks in (None, end.looks)


@pytest.mark.parametrize("row", [name for name, row in TABLE.items() if row.category == "ended badly"])
def test_a_batch_that_ended_badly_is_not_retried(row: str, gate: Gate, batch_id: str) -> None:
    TABLE[row].arrange(gate, batch_id)
    error = gate(batch_id=batch_id, **TABLE[row].arguments).error
    assert isinstance(error, AirflowFailException)
    assert isinstance(error, exceptions.OmicsBatchError)
    assert isinstance(error, getattr(exceptions, TABLE[row].error))
    assert error.batch_id == batch_id
    assert error.status == TABLE[row].xcom
    assert batch_id in str(error)


@pytest.mark.parametrize("row", [name for name, row in TABLE.items() if row.category == "not readable"])
def test_a_batch_that_cannot_be_read_may_be_retried(row: str, gate: Gate, batch_id: str) -> None:
    TABLE[row].arrange(gate, batch_id)
    error = gate(batch_id=batch_id).error
    assert isinstance(error, exceptions.OmicsError)
    assert not isinstance(error, exceptions.OmicsBatchError | AirflowFailException)
    assert error.batch_id == batch_id
    assert error.run_id is None
    assert f"HealthOmics batch {batch_id}" in str(error)


def test_the_result_is_the_record_with_the_outcome(gate: Gate, batch_id: str) -> None:
    end_runs(gate.omics, batch_id, WELL)
    end = gate(batch_id=batch_id)
    assert end.result["id"] == batch_id
    assert end.result["totalRuns"] == 3
    assert end.result["defaultRunSetting"]["parameters"] == {"sample": MARKER}
    assert end.result["outcome"] == {
        "total": 3,
        "completed": 3,
        "failed": 0,
        "cancelled": 0,
        "deleted": 0,
        "notStarted": 0,
    }
    assert "failures" not in end.result
    assert end.pushed == []  # Airflow pushes what execute returns


def test_members_that_could_not_be_started_end_badly(gate: Gate) -> None:
    gate.omics.batches(fail={"sample-2": "ThrottlingException"})
    batch_id = going_batch(gate.omics)
    for run in client().list_runs(batchId=batch_id)["items"]:
        gate.omics.move(run["id"], "COMPLETED")
    end = gate(batch_id=batch_id)
    assert end.kind == "OmicsBatchMembersFailedError"
    assert (end.xcom["outcome"]["completed"], end.xcom["outcome"]["notStarted"]) == (2, 1)
    assert gate(batch_id=batch_id, max_failures=1).kind == "success"


def test_runs_are_listed_if_the_counts_do_not_say_how_they_ended(gate: Gate, batch_id: str) -> None:
    gate.omics.batches(run_summary=False)
    end_runs(gate.omics, batch_id, ("COMPLETED", "FAILED", "CANCELLED"))
    end = gate(batch_id=batch_id, max_failures=2)
    assert end.kind == "success"
    assert end.result["outcome"] == {
        "total": 3,
        "completed": 1,
        "failed": 1,
        "cancelled": 1,
        "deleted": 0,
        "notStarted": 0,
    }


@pytest.mark.parametrize("flag", FLAGS)
def test_runs_that_cannot_be_listed_are_never_a_success(flag: str, gate: Gate, batch_id: str) -> None:
    """A policy that lacks ListRuns must not turn a cohort green."""
    gate.omics.batches(run_summary=False)
    gate.omics.fault("ListRuns", "access-denied")
    end_runs(gate.omics, batch_id, WELL)
    end = gate(batch_id=batch_id, **FLAGS[flag])
    assert end.kind == ("AirflowSkipException" if flag == "never_fail" else "OmicsAccessError")
    assert end.xcom["status"] == "PROCESSED"
    error = end.error.__cause__ if flag == "never_fail" else end.error  # type: ignore[union-attr]
    assert "omics:ListRuns" in str(error)


@pytest.mark.parametrize("fields", [[], ("totalRuns",), ["outcome"]])
def test_record_fields_narrow_the_result_and_what_is_pushed(fields: Any, gate: Gate, batch_id: str) -> None:
    runs_end("FAILED", *WELL[1:])(gate, batch_id)
    end = gate(batch_id=batch_id, record_fields=fields)
    assert set(end.xcom) == {"id", "status", *fields}
    assert isinstance(end.error, exceptions.OmicsBatchMembersFailedError)
    assert gate(batch_id=batch_id, record_fields=fields, max_failures=1).result == end.xcom


def test_a_failed_batch_says_why(gate: Gate, batch_id: str) -> None:
    reason = "Expected 50 unique runSettingIds but there were 49"
    moves("FAILED", reason)(gate, batch_id)
    error = gate(batch_id=batch_id).error
    assert isinstance(error, exceptions.OmicsBatchFailedError)
    assert error.failure_reason == reason
    assert reason in str(error)


def test_a_skip_keeps_the_error_as_its_cause(gate: Gate, batch_id: str) -> None:
    end_runs(gate.omics, batch_id, ("FAILED", *WELL[1:]))
    error = gate(batch_id=batch_id, soft_fail=True).error
    assert isinstance(error, AirflowSkipException)
    assert isinstance(error.__cause__, exceptions.OmicsBatchMembersFailedError)
    assert "soft_fail" in str(error)


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("row", ["one failed", "CANCELLED in skip_statuses", "active at timeout"])
def test_no_xcom_is_pushed_if_the_task_pushes_none(row: str, flag: str, gate: Gate, batch_id: str) -> None:
    TABLE[row].arrange(gate, batch_id)
    end = gate(batch_id=batch_id, do_xcom_push=False, **TABLE[row].arguments, **FLAGS[flag])
    assert end.error is not None
    assert end.pushed == []


def test_a_batch_seen_before_that_vanishes_was_deleted(poke_gate: Gate, batch_id: str) -> None:
    moves("VANISHED", at=70)(poke_gate, batch_id)
    end = poke_gate(batch_id=batch_id)
    assert isinstance(end.error, exceptions.OmicsBatchDeletedError)
    assert end.xcom["status"] == "DELETED"
    assert end.xcom["totalRuns"] == 3


def test_another_batch_under_the_id_means_that_ours_was_deleted(gate: Gate, batch_id: str) -> None:
    ours = client().get_batch(batchId=batch_id)
    moves("REUSED", at=70)(gate, batch_id)
    end = gate(batch_id={"id": batch_id, "uuid": ours["uuid"]})
    assert isinstance(end.error, exceptions.OmicsBatchDeletedError)
    assert "another batch" in str(end.error)
    assert end.xcom["uuid"] == ours["uuid"]


def test_counts_that_lag_and_step_back_end_nothing(gate: Gate, batch_id: str) -> None:
    gate.omics.batches(counts_lag=120, counts_step_back=True)
    run_ids = [run["id"] for run in client().list_runs(batchId=batch_id)["items"]]
    for run_id in run_ids[:2]:
        gate.omics.move(run_id, "FAILED")
    gate.clock.at(900, gate.omics.move, run_ids[2], "COMPLETED")
    end = gate(batch_id=batch_id)
    assert end.kind == "OmicsBatchMembersFailedError"
    assert end.after > 900
    assert end.xcom["outcome"]["failed"] == 2


def test_an_unknown_status_is_waited_out(
    gate: Gate, batch_id: str, monkeypatch: pytest.MonkeyPatch, output: Output
) -> None:
    with_status(monkeypatch, "PAUSED", lambda: gate.clock.passed() > 700)
    end_runs(gate.omics, batch_id, WELL)
    end = gate(batch_id=batch_id)
    assert end.kind == "success"
    assert end.after > 700
    assert "PAUSED" in output()


@pytest.mark.parametrize("argument", ["success_statuses", "skip_statuses"])
def test_an_unknown_status_that_the_dag_names_ends_the_wait(
    argument: str, gate: Gate, batch_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_status(monkeypatch, "ARCHIVED", lambda: False)
    end_runs(gate.omics, batch_id, WELL)
    end = gate(batch_id=batch_id, **{argument: ("ARCHIVED",)})
    assert end.kind == ("success" if argument == "success_statuses" else "AirflowSkipException")
    assert end.looks == 1
    assert end.xcom["outcome"]["completed"] == 3


def test_a_batch_without_runs_yet_is_waited_for(gate: Gate) -> None:
    batch_id = start_batch(gate.omics)
    gate.clock.at(7300, lambda: end_runs(gate.omics, batch_id, WELL))
    assert gate(batch_id=batch_id, timeout=10_000).kind == "success"


def test_the_log_says_how_far_the_batch_is(poke_gate: Gate, batch_id: str, output: Output) -> None:
    omics = poke_gate.omics
    run_ids = [run["id"] for run in client().list_runs(batchId=batch_id)["items"]]
    omics.move(run_ids[0], "COMPLETED")
    poke_gate.clock.at(700, omics.move, run_ids[1], "FAILED")
    poke_gate(batch_id=batch_id, max_failures=2, timeout=1300)
    said = [line for line in output().splitlines() if f"Batch {batch_id} INPROGRESS" in line]
    # At 0, 600 and 1200 seconds.
    assert any(f"Batch {batch_id} INPROGRESS, 1 h 00: 3 runs: 1 done, 2 running." in line for line in said)
    assert any(
        f"Batch {batch_id} INPROGRESS, 1 h 20: 3 runs: 1 done, 1 failed, 1 running; "
        "1 of 2 tolerated failures used." in line
        for line in said
    )
    assert len(said) in (3, 6)


def test_no_log_and_no_error_has_the_runs_parameters(gate: Gate, batch_id: str, output: Output) -> None:
    for arrange in (stays, runs_end("FAILED", *WELL[1:])):
        arrange(gate, batch_id)
        end = gate(batch_id=batch_id, timeout=100)
        assert MARKER not in str(end.error)
        assert end.xcom["defaultRunSetting"]["parameters"] == {"sample": MARKER}
    assert MARKER not in output()


def test_no_rendered_field_has_the_runs_parameters(omics: Any, batch_id: str) -> None:
    record = OmicsHook(aws_conn_id="aws_default").get_batch(batch_id)
    sensor = OmicsRunBatchSensor(task_id="gate", batch_id=record)
    assert MARKER in str(record)
    assert set(sensor.batch_id) == {"id", "uuid", "arn"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"batch_id": "manual__2026-01-01"}, "This is Airflow's own run_id"),
        ({"batch_id": "arn:aws:omics:us-east-1:123456789012:run/7"}, "This ARN is not a batch's"),
        ({"batch_id": "7", "max_failures": -1}, "max_failures is -1; it takes a number of runs"),
        ({"batch_id": "7", "max_failures": 0.5}, "max_failures is 0.5"),
        ({"batch_id": "7", "max_failures": True}, "max_failures is True"),
        ({"batch_id": "7", "max_failure_ratio": 1.5}, "max_failure_ratio is 1.5; it takes a share"),
        ({"batch_id": "7", "max_failure_ratio": 5}, "max_failure_ratio is 5"),
        ({"batch_id": "7", "max_failure_ratio": "5%"}, "max_failure_ratio is '5%'"),
        ({"batch_id": "7", "success_statuses": ("COMPLETED",)}, "did you mean 'PROCESSED'?"),
        ({"batch_id": "7", "success_statuses": ("PROCESED",)}, "did you mean 'PROCESSED'?"),
        ({"batch_id": "7", "success_statuses": "PROCESSED"}, "such as ('PROCESSED',)"),
        ({"batch_id": "7", "skip_statuses": ("STOPPING",)}, "a status that a batch leaves again"),
        ({"batch_id": "7", "success_statuses": ()}, "success_statuses is empty"),
        ({"batch_id": "7", "timeout": -1}, "timeout is -1"),
        ({"batch_id": "7", "record_fields": "outcome"}, "such as ['outcome']"),
        ({"batch_id": "7", "diagnose": "yes"}, "diagnose is 'yes'"),
    ],
)
def test_what_cannot_be_right_is_refused_at_parse_time(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        OmicsRunBatchSensor(task_id="gate", **arguments)
