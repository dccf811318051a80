"""What is said of a run that HealthOmics does not know: only what is true, and not at every look."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.fixtures import Connect, Output
from tests.support.sensors import Gate, TaskInstance, context_of

NOBODY = "7654321"


def test_a_run_that_was_read_and_is_gone_was_known(poke_gate: Gate, run_id: str, output: Output) -> None:
    poke_gate.clock.at(15, poke_gate.omics.vanish, run_id)
    end = poke_gate(run_id=run_id, poke_interval=5)
    assert end.kind == "OmicsRunDeletedError"
    assert end.after == pytest.approx(120, abs=6)
    said = output()
    assert "HealthOmics does not know it any more; it was RUNNING when last seen" in said
    assert "yet" not in said


def test_a_run_that_is_gone_is_not_logged_at_every_look(
    poke_gate: Gate, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_omics._waiting.log_lines import LogLines

    lines: list[str] = []
    plain = LogLines.take

    def listening(self: LogLines) -> Any:
        found = plain(self)
        lines.extend(line for _, line in found)
        return found

    monkeypatch.setattr(LogLines, "take", listening)
    poke_gate.clock.at(15, poke_gate.omics.vanish, run_id)
    end = poke_gate(run_id=run_id, poke_interval=5)
    assert end.looks > 20
    assert len([line for line in lines if "does not know it" in line]) == 1
    lines.clear()
    end = poke_gate(run_id=NOBODY, poke_interval=5)
    assert end.looks > 20
    assert lines == [f"HealthOmics run {NOBODY}: HealthOmics does not know it yet"]


def test_a_second_spell_is_logged_again(poke_gate: Gate, run_id: str, output: Output) -> None:
    poke_gate.omics.fault("GetRun", "not-found", times=2)
    poke_gate.clock.at(35, poke_gate.omics.fault, "GetRun", "not-found", times=2)
    poke_gate.clock.at(90, poke_gate.omics.move, run_id, "COMPLETED")
    assert poke_gate(run_id=run_id, poke_interval=10).kind == "success"
    said = output()
    assert "HealthOmics does not know it yet" in said
    assert "HealthOmics does not know it any more; it was RUNNING when last seen" in said


def test_a_process_that_has_not_seen_the_run_does_not_say_yet_if_another_may_have(
    reschedule_gate: Gate, run_id: str, output: Output
) -> None:
    reschedule_gate.clock.at(15, reschedule_gate.omics.vanish, run_id)
    reschedule_gate(run_id=run_id, poke_interval=30)
    said = output()
    assert "HealthOmics does not know it" in said
    assert "yet" not in said


@pytest.mark.parametrize("kind", ["vanish", "throttle"])
def test_a_status_that_could_not_be_read_at_the_timeout_is_of_the_past(
    poke_gate: Gate, run_id: str, kind: str
) -> None:
    change = (poke_gate.omics.vanish, run_id) if kind == "vanish" else (poke_gate.omics.fault, "GetRun", kind)
    poke_gate.clock.at(25, *change)
    end = poke_gate(run_id=run_id, poke_interval=10, timeout=60)
    assert end.kind == "AirflowSensorTimeout"
    message = str(end.error)
    assert "was RUNNING when last seen; it could not be read after 60 s, the sensor's timeout. The last" in (
        message
    )
    assert "is RUNNING" not in message


def test_a_status_that_was_read_at_the_timeout_is_of_the_present(poke_gate: Gate, run_id: str) -> None:
    end = poke_gate(run_id=run_id, poke_interval=10, timeout=60)
    assert "is RUNNING after 60 s, the sensor's timeout." in str(end.error)


def test_a_run_that_was_never_read_ends_its_sentence(gate: Gate, run_id: str) -> None:
    gate.omics.fault("GetRun", "throttle")
    end = gate(run_id=run_id, timeout=14)
    assert end.kind == "AirflowSensorTimeout"
    assert "never read after 14 s, the sensor's timeout. The last look failed: " in str(end.error)


# -- where it was looked for ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conn_id", "through"),
    [("lab", "through the connection 'lab'"), (None, "through no Airflow connection")],
)
def test_an_unknown_run_is_said_with_region_and_connection(
    gate: Gate, connect: Connect, conn_id: str | None, through: str
) -> None:
    connect("lab", region_name="us-west-2")
    end = gate(run_id=NOBODY, aws_conn_id=conn_id, region_name="us-west-2")
    assert end.kind == "OmicsRunNotFoundError"
    assert "deleted, or never existed in this account and Region" in str(end.error)
    assert f"in us-west-2, {through}" in str(end.error)


@pytest.mark.parametrize(
    "name",
    [
        "OmicsGetRunOperator",
        "OmicsCancelRunOperator",
        "OmicsListRunTasksOperator",
        "OmicsEstimateRunCostOperator",
    ],
)
def test_every_operator_says_where_it_looked(clock: Any, name: str) -> None:
    from airflow_omics import operators
    from airflow_omics.exceptions import OmicsRunNotFoundError

    operator = getattr(operators, name)(task_id="t", run_id=NOBODY)
    with pytest.raises(
        OmicsRunNotFoundError, match=r"in us-east-1, through the connection 'aws_default'"
    ) as caught:
        operator.execute(context_of(TaskInstance()))
    assert caught.value.run_id == NOBODY
