"""Bad input and defaults of the deferred half: no aiobotocore, a rate that is none, Airflow's own default."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import Any

import pytest

from airflow_omics.emulator import Emulator
from airflow_omics.exceptions import OmicsRequestError
from airflow_omics.sensors import OmicsRunSensor
from airflow_omics.triggers import OmicsRunTrigger
from tests.support.sensors import TaskInstance, context_of
from tests.support.triggers import fire, run_loop


@pytest.fixture
def without_aiobotocore(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        "airflow_omics._task.waiting_sensor.importlib.util.find_spec",
        lambda name, *args: None if name.split(".")[0] == "aiobotocore" else find_spec(name, *args),
    )


@pytest.mark.usefixtures("without_aiobotocore")
def test_deferrable_without_aiobotocore_names_the_extra_before_any_call(omics: Emulator) -> None:
    [run_id] = omics.start_runs(1)
    sensor = OmicsRunSensor(task_id="gate", run_id=run_id, deferrable=True)
    with pytest.raises(OmicsRequestError) as caught:
        sensor.execute(context_of(TaskInstance()))
    assert "apache-airflow-providers-amazon[aiobotocore]" in str(caught.value)
    assert "deferrable" in str(caught.value)
    assert omics.counts() == {}


@pytest.mark.usefixtures("without_aiobotocore")
def test_a_sensor_that_does_not_defer_needs_no_aiobotocore(omics: Emulator) -> None:
    [run_id] = omics.start_runs(1)
    omics.move(run_id, "COMPLETED")
    sensor = OmicsRunSensor(task_id="gate", run_id=run_id, deferrable=False)
    assert sensor.execute(context_of(TaskInstance()))["status"] == "COMPLETED"


def default_of_deferrable(environment: dict[str, str]) -> str:
    import os

    code = (
        "from airflow_omics.sensors import OmicsRunSensor\n"
        "print('deferrable:', OmicsRunSensor(task_id='gate', run_id='1234567').deferrable)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip().rpartition("deferrable: ")[2]


def test_airflow_s_default_deferrable_is_honoured() -> None:
    assert default_of_deferrable({"AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True"}) == "True"
    sensor = OmicsRunSensor(task_id="gate", run_id="1234567")
    assert sensor.deferrable is False


@pytest.mark.parametrize("value", ["0", "-1", "0.0", "nan", "inf", "-inf", "", "many", "5/s"])
def test_a_rate_that_is_no_positive_number_is_an_error_that_names_the_option(
    value: str, omics: Emulator, rate: Any
) -> None:
    rate(value)
    [run_id] = omics.start_runs(1)
    event = run_loop(lambda: fire(OmicsRunTrigger(run_id)))
    assert event["outcome"] == "error"
    assert event["error"] == "OmicsRequestError"
    assert event["record"] is None
    assert "[omics] requests_per_second" in event["message"]
    assert repr(value) in event["message"]
    assert omics.counts() == {}


@pytest.mark.parametrize("run_id", [None, "", "manual__2026-01-01", {}, {"id": None}, [], "{{ x }}"])
def test_a_run_id_that_names_no_run_is_an_error_before_any_call(run_id: Any, omics: Emulator) -> None:
    event = run_loop(lambda: fire(OmicsRunTrigger(run_id)))
    assert (event["outcome"], event["error"]) == ("error", "OmicsRequestError")
    assert "run_id is" in event["message"]
    assert omics.counts() == {}


@pytest.mark.parametrize("extra", [{"region_name": None}])
def test_a_connection_without_a_region_is_an_error_that_says_so(
    extra: Any, omics: Emulator, connect: Any
) -> None:
    connect(**extra)
    [run_id] = omics.start_runs(1)
    event = run_loop(lambda: fire(OmicsRunTrigger(run_id, poke_interval=0.5)))
    assert (event["outcome"], event["error"]) == ("error", "OmicsRequestError")
    assert "region_name" in event["message"]


def test_a_run_in_another_account_than_its_arn_says_is_an_error(omics: Emulator) -> None:
    [run_id] = omics.start_runs(1)
    arn = f"arn:aws:omics:us-east-1:999999999999:run/{run_id}"
    event = run_loop(lambda: fire(OmicsRunTrigger(arn, poke_interval=0.5)))
    assert (event["outcome"], event["error"]) == ("error", "OmicsRequestError")
    assert "another account" in event["message"]
