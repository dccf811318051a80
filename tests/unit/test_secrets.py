"""Parameters, tags and session policies may hold patient data: it is in no log, error or rendered field."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from airflow_omics.hooks import OmicsHook
from airflow_omics.operators import OmicsGetRunOperator
from airflow_omics.sensors import OmicsRunSensor
from tests.support.sensors import ONE_ATTEMPT, Gate, TaskInstance, context_of, new_run

MARKER = "PATIENT-4711"
MEMBERS: dict[str, Any] = {
    "parameters": {"sample": MARKER, "reads": [f"s3://bucket/{MARKER}.fastq.gz"]},
    "tags": {"patient": MARKER},
    "sessionPolicy": json.dumps({"Version": "2012-10-17", "Sid": MARKER}),
}
Output = Callable[[], str]


@pytest.fixture
def private_run(omics: Any) -> str:
    return new_run(omics, **MEMBERS)


def completes(gate: Gate, run_id: str) -> None:
    gate.omics.move(run_id, "COMPLETED")


def completes_later(gate: Gate, run_id: str) -> None:
    gate.clock.at(100, gate.omics.move, run_id, "COMPLETED")


def fails(gate: Gate, run_id: str) -> None:
    gate.omics.move(run_id, "FAILED", "RUN_TASK_FAILED", "Task X failed.")


def cancelled(gate: Gate, run_id: str) -> None:
    gate.omics.move(run_id, "CANCELLED")


def stays(gate: Gate, run_id: str) -> None:
    """Run into the timeout."""


def vanishes(gate: Gate, run_id: str) -> None:
    gate.clock.at(100, gate.omics.vanish, run_id)


def is_replaced(gate: Gate, run_id: str) -> None:
    gate.clock.at(100, gate.omics.reuse_id, run_id)


def pauses(gate: Gate, run_id: str) -> None:
    gate.omics.move(run_id, "PAUSED")


def meets(kind: str) -> Callable[[Gate, str], None]:
    def later(gate: Gate, run_id: str) -> None:
        gate.clock.at(100, gate.omics.fault, "GetRun", kind)

    return later


ENDINGS: dict[str, Callable[[Gate, str], None]] = {
    "completed": completes,
    "completed later": completes_later,
    "failed": fails,
    "cancelled": cancelled,
    "timeout": stays,
    "vanished": vanishes,
    "replaced": is_replaced,
    "unknown status": pauses,
    **{
        kind: meets(kind)
        for kind in ("access-denied", "validation", "throttle", "drop", "html", "expired-token")
    },
}


def text_of(error: BaseException | None) -> str:
    """What Airflow logs of an error: its text and its causes'."""
    return "" if error is None else "".join(traceback.format_exception(error)) + repr(error)


@pytest.mark.parametrize("flag", [{}, {"never_fail": True}], ids=["fails", "skips"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_no_ending_of_a_sensor_shows_private_data(
    gate: Gate, private_run: str, output: Output, ending: str, flag: dict[str, bool]
) -> None:
    record = OmicsHook(aws_conn_id="aws_default").get_run(private_run)
    assert MARKER in json.dumps(record["parameters"])
    ENDINGS[ending](gate, private_run)

    end = gate(run_id=record, timeout=400, **flag)

    logged = output()
    # What is looked through is really there.
    assert "OmicsRunSensor" in logged
    assert end.kind == "success" or private_run in text_of(end.error)
    assert MARKER not in logged
    assert MARKER not in text_of(end.error)


def test_the_record_in_xcom_has_what_the_logs_have_not(gate: Gate, private_run: str) -> None:
    gate.omics.move(private_run, "COMPLETED")
    assert gate(run_id=private_run).xcom["parameters"] == MEMBERS["parameters"]


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED"])
def test_record_fields_keep_private_data_out_of_xcom_and_errors(
    gate: Gate, private_run: str, status: str
) -> None:
    gate.omics.move(private_run, status)
    end = gate(run_id=private_run, record_fields=["runOutputUri"])
    assert MARKER not in json.dumps(end.xcom)
    assert MARKER not in json.dumps(getattr(end.error, "record", {}))


def test_a_callback_s_error_record_is_narrowed_at_every_level(gate: Gate, private_run: str) -> None:
    """An error's attributes end up in alerts; a narrowed record must not come along under another name."""
    gate.omics.move(private_run, "FAILED")
    error = gate(run_id=private_run, record_fields=[], soft_fail=True).error
    while error is not None:
        assert MARKER not in repr(vars(error))
        error = error.__cause__ or error.__context__  # type: ignore[assignment]


@pytest.mark.parametrize("kind", [None, "access-denied", "validation", "not-found", "throttle"], ids=str)
def test_an_operator_shows_no_private_data(
    omics: Any, private_run: str, output: Output, kind: str | None
) -> None:
    record = OmicsHook(aws_conn_id="aws_default").get_run(private_run)
    task = OmicsGetRunOperator(task_id="read", run_id=record, botocore_config=ONE_ATTEMPT)
    if kind:
        omics.fault("GetRun", kind)
    error: BaseException | None = None
    try:
        task.execute(context_of(TaskInstance()))
    except Exception as raised:
        error = raised
    logged = output()
    assert private_run in logged + text_of(error) or kind == "throttle"
    assert MARKER not in logged + text_of(error)


@pytest.mark.parametrize("task", [OmicsRunSensor, OmicsGetRunOperator], ids=["sensor", "operator"])
def test_no_rendered_field_holds_private_data(omics: Any, private_run: str, task: Any) -> None:
    record = OmicsHook(aws_conn_id="aws_default").get_run(private_run)
    made = task(task_id="t", run_id="{{ ti.xcom_pull('start') }}")
    made.run_id = record  # as Airflow does when it renders the template natively
    rendered = {name: getattr(made, name) for name in made.template_fields}
    assert rendered["run_id"]["id"] == private_run
    assert MARKER not in repr(rendered)


def test_no_template_field_could_hold_credentials() -> None:
    for task in (OmicsRunSensor, OmicsGetRunOperator):
        assert set(task.template_fields) == {"run_id", "aws_conn_id", "region_name", "verify"}


@pytest.mark.parametrize("ending", ["failed", "access-denied", "expired-token", "throttle"])
def test_nothing_shows_credentials(
    gate: Gate, run_id: str, output: Output, connect: Callable[..., None], ending: str
) -> None:
    connect(region_name="us-east-1", login="AKIAEXAMPLE", password="S3CR3T-KEY")
    ENDINGS[ending](gate, run_id)
    end = gate(run_id=run_id, timeout=700)
    assert "S3CR3T-KEY" not in output() + text_of(end.error)
