"""How a sensor ends: one table, over every mode and every way of failing softly.

The rows are the table of the README; the flags are Airflow's own. What a flag does to a row is written out
in ``AFTER``, once for all modes, so that no mode can differ.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_omics import exceptions
from airflow_omics._compat import AirflowFailException, AirflowSensorTimeout, AirflowSkipException
from tests.support.endings import AFTER, FLAGS, RAISED, TABLE, deleted
from tests.support.sensors import Gate


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("row", TABLE)
def test_every_row_ends_the_same_in_every_mode(row: str, flag: str, gate: Gate, run_id: str) -> None:
    case = TABLE[row]
    case.arrange(gate, run_id)

    end = gate(run_id=run_id, **case.arguments, **FLAGS[flag])

    expected = AFTER[case.category][flag]
    assert end.kind == (case.error if expected == RAISED else expected)
    assert (end.xcom or {}).get("status") == case.xcom
    assert case.looks in (None, end.looks)


ENDED_BADLY = {name: row for name, row in TABLE.items() if row.category == "ended badly"}


@pytest.mark.parametrize("row", ENDED_BADLY)
def test_a_run_that_ended_badly_is_not_retried(row: str, gate: Gate, run_id: str) -> None:
    ENDED_BADLY[row].arrange(gate, run_id)
    error = gate(run_id=run_id, **ENDED_BADLY[row].arguments).error
    assert isinstance(error, AirflowFailException)
    assert isinstance(error, getattr(exceptions, ENDED_BADLY[row].error))
    assert isinstance(error, exceptions.OmicsRunError)
    assert isinstance(error, exceptions.OmicsError)


@pytest.mark.parametrize("row", [name for name, row in TABLE.items() if row.category == "not readable"])
def test_a_run_that_cannot_be_read_may_be_retried(row: str, gate: Gate, run_id: str) -> None:
    TABLE[row].arrange(gate, run_id)
    error = gate(run_id=run_id).error
    assert isinstance(error, exceptions.OmicsError)
    assert not isinstance(error, exceptions.OmicsRunError | AirflowFailException)


def test_a_failed_run_s_error_says_how_it_failed(gate: Gate, run_id: str) -> None:
    gate.omics.move(run_id, "FAILED", "RUN_TASK_FAILED", "Task CallVariants failed.")
    error = gate(run_id=run_id).error
    assert isinstance(error, exceptions.OmicsRunFailedError)
    assert error.run_id == run_id
    assert error.status == "FAILED"
    assert error.failure_reason == "RUN_TASK_FAILED"
    assert error.status_message == "Task CallVariants failed."
    assert error.record is not None
    assert error.record["workflowId"] == "1234567"
    for part in (run_id, "FAILED", "RUN_TASK_FAILED", "Task CallVariants failed."):
        assert part in str(error)


@pytest.mark.parametrize("row", ["access denied", "value refused", "unknown run"])
def test_an_error_of_a_run_never_seen_names_the_run(row: str, gate: Gate, run_id: str) -> None:
    TABLE[row].arrange(gate, run_id)
    error = gate(run_id=run_id).error
    assert isinstance(error, exceptions.OmicsError)
    assert run_id in str(error)
    assert error.run_id == run_id
    assert error.record is None


def test_a_skip_keeps_the_error_as_its_cause(gate: Gate, run_id: str) -> None:
    gate.omics.move(run_id, "FAILED", "SERVICE_ERROR")
    error = gate(run_id=run_id, soft_fail=True).error
    assert isinstance(error, AirflowSkipException)
    assert isinstance(error.__cause__, exceptions.OmicsRunFailedError)
    assert "soft_fail" in str(error)


def test_the_result_of_a_success_is_the_record(gate: Gate, run_id: str) -> None:
    gate.omics.move(run_id, "COMPLETED")
    end = gate(run_id=run_id)
    assert end.result["id"] == run_id
    assert end.result["runOutputUri"] == f"s3://airflow-omics-emulator/runs/{run_id}"
    assert end.pushed == []  # Airflow pushes what execute returns


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("row", ["FAILED", "CANCELLED in skip_statuses", "active at timeout"])
def test_no_xcom_is_pushed_if_the_task_pushes_none(row: str, flag: str, gate: Gate, run_id: str) -> None:
    TABLE[row].arrange(gate, run_id)
    end = gate(run_id=run_id, do_xcom_push=False, **TABLE[row].arguments, **FLAGS[flag])
    assert end.error is not None
    assert end.pushed == []


def test_the_record_is_pushed_once_before_an_error(gate: Gate, run_id: str) -> None:
    gate.omics.move(run_id, "FAILED", "SERVICE_ERROR")
    end = gate(run_id=run_id)
    assert [record["status"] for record in end.pushed] == ["FAILED"]


def test_record_fields_narrow_the_result(gate: Gate, run_id: str) -> None:
    gate.omics.move(run_id, "COMPLETED")
    end = gate(run_id=run_id, record_fields=["runOutputUri", "noSuchMember"])
    assert end.result == {
        "id": run_id,
        "status": "COMPLETED",
        "runOutputUri": f"s3://airflow-omics-emulator/runs/{run_id}",
    }


@pytest.mark.parametrize("fields", [[], ("id",), {"uuid"}])
def test_record_fields_narrow_what_is_pushed_before_an_error(fields: Any, gate: Gate, run_id: str) -> None:
    gate.omics.move(run_id, "FAILED", "OUT_OF_MEMORY_ERROR", "A task ran out of memory.")
    end = gate(run_id=run_id, record_fields=fields)
    assert set(end.xcom) == {"id", "status", *fields}
    assert isinstance(end.error, exceptions.OmicsRunFailedError)
    # The error still says how the run failed: an on_failure_callback relies on it.
    assert end.error.failure_reason == "OUT_OF_MEMORY_ERROR"
    assert end.error.status_message == "A task ran out of memory."
    assert "OUT_OF_MEMORY_ERROR" in str(end.error)


def test_record_fields_narrow_what_is_pushed_at_timeout(gate: Gate, run_id: str) -> None:
    end = gate(run_id=run_id, record_fields=[], timeout=0)
    assert end.xcom == {"id": run_id, "status": "RUNNING"}


def test_the_last_look_is_at_the_deadline_and_not_a_poke_interval_later(gate: Gate, run_id: str) -> None:
    end = gate(run_id=run_id, poke_interval=600, timeout=700)
    assert isinstance(end.error, AirflowSensorTimeout)
    assert end.looks == 3
    assert end.after == pytest.approx(700, abs=0.1)


def test_a_run_that_ends_just_before_the_deadline_is_a_success(gate: Gate, run_id: str) -> None:
    gate.clock.at(699, gate.omics.move, run_id, "COMPLETED")
    end = gate(run_id=run_id, poke_interval=600, timeout=700)
    assert end.kind == "success"


def test_a_timeout_of_zero_looks_once(gate: Gate, run_id: str) -> None:
    end = gate(run_id=run_id, timeout=0)
    assert end.kind == "AirflowSensorTimeout"
    assert end.looks == 1


def test_a_run_already_over_takes_one_look_even_with_a_timeout_of_zero(gate: Gate, run_id: str) -> None:
    gate.omics.move(run_id, "COMPLETED")
    assert gate(run_id=run_id, timeout=0).kind == "success"


def test_an_unknown_status_is_waited_out(gate: Gate, run_id: str) -> None:
    gate.omics.move(run_id, "PAUSED")
    gate.clock.at(900, gate.omics.move, run_id, "COMPLETED")
    assert gate(run_id=run_id).kind == "success"


def test_an_unknown_status_warns_at_once_and_every_ten_minutes(
    poke_gate: Gate, run_id: str, output: Callable[[], str]
) -> None:
    poke_gate.omics.move(run_id, "PAUSED")
    poke_gate(run_id=run_id, timeout=2000)
    # At 0, 600, 1200 and 1800 seconds.
    assert output().count("is PAUSED, a status this version of airflow-omics does not know") in (4, 8)


def test_a_deleted_run_may_be_a_success_if_the_dag_says_so(gate: Gate, run_id: str) -> None:
    deleted(gate, run_id)
    assert gate(run_id=run_id, success_statuses=["COMPLETED", "DELETED"]).kind == "success"


def test_export_adds_the_definition_once_the_run_has_ended(gate: Gate, run_id: str) -> None:
    gate.clock.at(70, gate.omics.move, run_id, "COMPLETED")
    end = gate(run_id=run_id, export=["DEFINITION"])
    assert end.result["definition"].startswith("https://")
    exports = [request.get("query") for request in gate.omics.requests("GetRun")]
    assert exports == [None, None, None, {"export": "DEFINITION"}]


def test_poke_ends_as_execute_does(poke_gate: Gate, run_id: str) -> None:
    from tests.support.sensors import TaskInstance, context_of

    sensor = poke_gate.sensor(run_id=run_id)
    assert not sensor.poke(context_of(TaskInstance()))
    poke_gate.omics.move(run_id, "COMPLETED")
    done = sensor.poke(context_of(TaskInstance()))
    assert done.is_done
    assert done.xcom_value["status"] == "COMPLETED"


def test_poke_raises_as_execute_does(poke_gate: Gate, run_id: str) -> None:
    from tests.support.sensors import TaskInstance, context_of

    poke_gate.omics.move(run_id, "CANCELLED")
    ti = TaskInstance()
    with pytest.raises(exceptions.OmicsRunCancelledError):
        poke_gate.sensor(run_id=run_id).poke(context_of(ti))
    assert [record["status"] for record in ti.pushed] == ["CANCELLED"]


def test_a_run_removed_before_its_export_still_ended_as_it_did(
    gate: Gate, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_omics.hooks import OmicsHook

    get_run = OmicsHook.get_run

    def vanishes_first(hook: OmicsHook, id_: str, export: Any = None) -> Any:
        if export:
            gate.omics.vanish(id_)
        return get_run(hook, id_, export)

    monkeypatch.setattr(OmicsHook, "get_run", vanishes_first)
    gate.clock.at(130, gate.omics.move, run_id, "COMPLETED")
    end = gate(run_id=run_id, export=["DEFINITION"])
    assert end.result["status"] == "COMPLETED"
    assert "definition" not in end.result
