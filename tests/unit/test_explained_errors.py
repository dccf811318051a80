"""A gate whose run ended badly says why: in the error, in XCom, and in the log if it is skipped."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_omics.exceptions import OmicsRunError
from airflow_omics.sensors import OmicsRunSensor
from tests.support.sensors import FOR_PAGES, ONE_ATTEMPT, Gate, TaskInstance, context_of

LIFE = "failed-out-of-memory-error"
HEADLINE = "HealthOmics run {} of workflow 1234567 is FAILED: OUT_OF_MEMORY_ERROR: A task ran out of memory."


def failed(omics: Any, life: str = LIFE) -> str:
    [run_id] = omics.start_runs(1, life=life, logs=True)
    omics.advance(7200)
    return str(run_id)


def raised(sensor: OmicsRunSensor, ti: TaskInstance) -> OmicsRunError:
    with pytest.raises(OmicsRunError) as caught:
        sensor.execute(context_of(ti))
    return caught.value


def sensor_of(run_id: str, **arguments: Any) -> OmicsRunSensor:
    return OmicsRunSensor(task_id="gate", run_id=run_id, botocore_config=ONE_ATTEMPT, **arguments)


def test_the_error_is_the_report(gate: Gate, output: Any) -> None:
    run_id = failed(gate.omics)
    end = gate(run_id=run_id)
    lines = str(end.error).splitlines()
    assert lines[0] == HEADLINE.format(run_id)
    assert "What it means: A task used more memory than it had asked for." in lines
    assert "  log: the last 2 lines are in the Airflow task's own log" in lines
    assert "  | ERROR: The task ran out of memory (exit code 137)." in output()
    assert f"  aws omics get-run --id {run_id} --region us-east-1" in lines


def test_the_diagnosis_is_on_the_error_and_in_xcom(omics: Any) -> None:
    ti = TaskInstance()
    error = raised(sensor_of(failed(omics)), ti)
    assert error.diagnosis.failure.failure_class == "settings"
    assert ti.diagnoses == [error.diagnosis.to_plain()]
    assert ti.diagnoses[0]["owner"] == "pipeline author"


def test_after_a_deferral_the_worker_finds_out_why(omics: Any) -> None:
    run_id = failed(omics)
    ti = TaskInstance()
    # As the trigger narrows it if record_fields is given.
    record = {"id": run_id, "status": "FAILED", "failureReason": "OUT_OF_MEMORY_ERROR"}
    event = {"outcome": "terminal", "record": record, "message": HEADLINE.format(run_id)}
    with pytest.raises(OmicsRunError) as caught:
        sensor_of(run_id, deferrable=True).execute_complete(context_of(ti), event)
    assert "Failed task 1: CallVariants (" in str(caught.value)
    assert ti.diagnoses[0]["run"]["workflowId"] == "1234567"


@pytest.mark.parametrize("flag", ["soft_fail", "never_fail"])
def test_a_gate_that_is_skipped_logs_the_report_and_skips_with_one_line(
    poke_gate: Gate, output: Any, flag: str
) -> None:
    run_id = failed(poke_gate.omics)
    end = poke_gate(run_id=run_id, **{flag: True})
    assert str(end.error) == f"Skipped, as {flag} is set: {HEADLINE.format(run_id)}"
    assert "What it means: A task used more memory than it had asked for." in output()


def test_nothing_is_pushed_if_the_task_pushes_nothing(omics: Any) -> None:
    ti = TaskInstance()
    error = raised(sensor_of(failed(omics), do_xcom_push=False), ti)
    assert error.diagnosis is not None
    assert ti.diagnoses == []


def test_diagnose_false_asks_nothing_more(omics: Any) -> None:
    run_id, ti = failed(omics), TaskInstance()
    error = raised(sensor_of(run_id, diagnose=False), ti)
    assert str(error) == HEADLINE.format(run_id)
    assert error.diagnosis is None
    assert ti.diagnoses == []
    assert omics.counts() == {"GetRun": 1, **FOR_PAGES}


def test_a_run_that_ended_well_is_not_looked_into(omics: Any) -> None:
    ti = TaskInstance()
    sensor_of(failed(omics, "completed")).execute(context_of(ti))
    assert omics.counts() == {"GetRun": 1, **FOR_PAGES}
    assert ti.diagnoses == []


def test_a_diagnosis_that_breaks_leaves_the_error_as_it_was(
    omics: Any, monkeypatch: pytest.MonkeyPatch, output: Any
) -> None:
    def breaks(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr("airflow_omics.diagnosis.diagnose", breaks)
    run_id = failed(omics)
    assert str(raised(sensor_of(run_id), TaskInstance())) == HEADLINE.format(run_id)
    assert f"Why HealthOmics run {run_id} failed was not found out" in output()


def test_a_diagnosis_that_cannot_be_pushed_is_in_the_error_all_the_same(omics: Any) -> None:
    ti = TaskInstance()
    push = ti.xcom_push

    def refuses(key: str, value: Any) -> None:
        if key == "diagnosis":
            raise RuntimeError("too large")
        push(key, value)

    ti.xcom_push = refuses  # type: ignore[method-assign]
    assert "What it means:" in str(raised(sensor_of(failed(omics)), ti))
