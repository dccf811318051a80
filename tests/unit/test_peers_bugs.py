"""Bugs that other providers have shipped, each as a test that ours stays without them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_omics._compat import AirflowSensorTimeout
from airflow_omics.exceptions import OmicsRunCancelledError, OmicsRunFailedError
from airflow_omics.operators import OmicsGetRunOperator
from tests.support.sensors import Gate, TaskInstance, context_of

# Long enough that a sensor which goes on waiting is noticed.
WEEK = 7 * 86400


def test_cancelled_is_no_success(gate: Gate, run_id: str) -> None:
    # airbyte: a cancelled job was a success when deferred.
    gate.omics.move(run_id, "CANCELLED")
    assert isinstance(gate(run_id=run_id).error, OmicsRunCancelledError)


def test_no_success_without_a_look(gate: Gate, run_id: str) -> None:
    # Databricks SQL sensor: success without polling when not deferrable.
    end = gate(run_id=run_id, timeout=120)
    assert end.kind == "AirflowSensorTimeout"
    assert end.looks == 3


@pytest.mark.parametrize("timeout", [1, 45, 100, 600])
def test_the_sensor_s_timeout_is_kept(gate: Gate, run_id: str, timeout: int) -> None:
    # BatchSensor: ignored timeout.
    end = gate(run_id=run_id, timeout=timeout)
    assert isinstance(end.error, AirflowSensorTimeout)
    assert end.after == pytest.approx(timeout, abs=0.1)


def test_the_timeout_of_a_long_poke_interval_is_kept(gate: Gate, run_id: str) -> None:
    # BatchSensor: a timeout shorter than the interval was noticed an interval later.
    end = gate(run_id=run_id, poke_interval=3600, timeout=10)
    assert end.after == pytest.approx(10, abs=0.1)


def test_botocore_config_arrives(gate: Gate, run_id: str) -> None:
    # BatchSensor: dropped the botocore config on its way.
    gate.omics.move(run_id, "COMPLETED")
    gate(run_id=run_id, botocore_config={"user_agent_extra": "lab-7"})
    assert "lab-7" in gate.omics.requests("GetRun")[0]["user_agent"]


def test_verify_and_region_arrive(gate: Gate, run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Several triggers of the Amazon provider: verify or region_name dropped.
    from airflow_omics.hooks import OmicsHook

    seen: list[Any] = []
    plain = OmicsHook.of.__func__  # type: ignore[attr-defined]
    monkeypatch.setattr(
        OmicsHook, "of", classmethod(lambda cls, given: seen.append(given) or plain(cls, given))
    )
    gate.omics.move(run_id, "COMPLETED")
    gate(run_id=run_id, region_name="us-east-1", verify=False, aws_conn_id="aws_default")
    assert (seen[0].aws_conn_id, seen[0].region_name, seen[0].verify) == ("aws_default", "us-east-1", False)


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_soft_fail_skips_in_every_mode(gate: Gate, run_id: str, status: str) -> None:
    # Framework: a plain AirflowException of a FAILED job skipped when deferred and failed when poked.
    gate.omics.move(run_id, status)
    assert gate(run_id=run_id, soft_fail=True).kind == "AirflowSkipException"


def test_soft_fail_does_not_skip_a_denied_call(gate: Gate, run_id: str) -> None:
    # Framework: resume_execution turned any AirflowException into a skip.
    gate.omics.fault("GetRun", "access-denied")
    assert gate(run_id=run_id, soft_fail=True).kind == "OmicsAccessError"


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_silent_fail_does_not_poll_a_dead_run(gate: Gate, run_id: str, status: str) -> None:
    # Framework: silent_fail swallowed the error and polled the dead job until the timeout.
    gate.omics.move(run_id, status)
    end = gate(run_id=run_id, silent_fail=True, timeout=WEEK)
    assert end.looks == 1
    assert isinstance(end.error, OmicsRunFailedError | OmicsRunCancelledError)


def test_no_other_status_is_called_failed(gate: Gate, run_id: str) -> None:
    # boto3's waiter: "terminal failure state FAILED" for whatever it did not expect.
    gate.omics.move(run_id, "CANCELLED")
    assert "FAILED" not in str(gate(run_id=run_id).error)


def test_an_internal_server_exception_is_tolerated(gate: Gate, run_id: str) -> None:
    # Amazon provider's waiters: InternalServerException ended the wait.
    gate.omics.fault("GetRun", "InternalServerException", times=5)
    gate.omics.move(run_id, "COMPLETED")
    assert gate(run_id=run_id).kind == "success"


def test_endless_throttling_ends_at_the_timeout(gate: Gate, run_id: str) -> None:
    # A loop around throttled calls that nothing ended.
    gate.omics.fault("GetRun", "ThrottlingException")
    end = gate(run_id=run_id, timeout=600)
    assert end.kind == "AirflowSensorTimeout"
    assert end.after == pytest.approx(600, abs=1)


def test_cancelled_does_not_loop(gate: Gate, run_id: str) -> None:
    # Step Functions samples: the Choice state's Default went round for ever on CANCELLED.
    gate.omics.move(run_id, "CANCELLED")
    assert gate(run_id=run_id, timeout=WEEK).looks == 1


@pytest.mark.parametrize("life", ["failed-before-start", "cancelled-while-pending"])
def test_a_run_that_ended_before_it_started_has_no_start_time(gate: Gate, life: str) -> None:
    # KeyError on startTime for runs that fail before they start.
    if life not in gate.omics.lives():
        gate.omics.add_life(
            {
                "name": life,
                "stages": [{"status": "PENDING", "seconds": 60}, {"status": "FAILED"}],
                "failure_reason": "ASSUME_ROLE_FAILED",
            }
        )
    [run_id] = gate.omics.start_runs(1, life=life)
    end = gate(run_id=run_id)
    assert end.kind in ("OmicsRunFailedError", "OmicsRunCancelledError")
    assert "startTime" not in end.xcom
    assert "stopTime" in end.xcom


def test_whole_second_times_are_read() -> None:
    # strptime with %f died of a time on the whole second.
    from airflow_omics._identity import Target
    from airflow_omics._waiting.wait import Wait

    # 2023-04-07T16:44:22Z, when the sensor looked first.
    wait = Wait(Target.parse("1234567"), started_at=1680885862.0, timeout_at=1680985862.0)
    earlier: Any = {"id": "1234567", "status": "RUNNING", "creationTime": "2023-04-07T16:40:00+00:00"}
    assert wait.answered(earlier, 1680885862.0) is None
    later = Wait(Target.parse("1234567"), started_at=1680885862.0, timeout_at=1680985862.0)
    ending = later.answered({**earlier, "creationTime": "2023-04-07T16:50:00+00:00"}, 1680889000.0)
    assert ending is not None
    assert ending.record == {"id": "1234567", "status": "DELETED"}


def test_a_record_without_creation_time_is_waited_for() -> None:
    # A null creationTime: the member is simply not there.
    from airflow_omics._identity import Target
    from airflow_omics._waiting.wait import Wait

    wait = Wait(Target.parse("1234567"), started_at=0.0, timeout_at=600.0)
    assert wait.answered({"id": "1234567", "status": "RUNNING"}, 60.0) is None
    assert wait.answered({"id": "1234567", "status": "RUNNING"}, 120.0) is None


def test_what_reaches_xcom_is_json(gate: Gate, run_id: str) -> None:
    # datetime objects in XCom broke every backend but pickle.
    gate.omics.move(run_id, "COMPLETED")
    xcom = gate(run_id=run_id).xcom
    assert json.loads(json.dumps(xcom, allow_nan=False)) == xcom


def test_the_operator_s_result_is_json(omics: Any, run_id: str) -> None:
    record = OmicsGetRunOperator(task_id="t", run_id=run_id).execute(context_of(TaskInstance()))
    assert json.loads(json.dumps(record, allow_nan=False)) == record
