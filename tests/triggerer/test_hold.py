"""An event that follows its deferral too soon makes Airflow take the task for killed, so it is held."""

from __future__ import annotations

import time
from typing import Any

import pytest

from airflow_omics.emulator import Emulator
from airflow_omics.sensors import OmicsRunSensor
from airflow_omics.triggers import OmicsRunTrigger
from tests.support.triggers import run_loop

pytestmark = pytest.mark.any_airflow

try:
    from airflow.sdk.exceptions import TaskDeferred
except ImportError:  # before Airflow 3.2
    from airflow.exceptions import TaskDeferred


def test_an_event_is_held_until_its_time(omics: Emulator) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    omics.move(run_id, "COMPLETED")
    due = time.time() + 1.5

    async def body() -> tuple[Any, float]:
        [event] = [event async for event in OmicsRunTrigger(run_id, hold_until=due).run()]
        return event, time.time()

    event, fired_at = run_loop(body)
    assert event.payload["outcome"] == "terminal"
    assert fired_at >= due


def test_the_sensor_holds_events_for_ten_seconds_after_it_deferred(
    omics: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_omics._task.from_trigger.HOLD", 10.0)
    [run_id] = omics.start_runs(1, life="pending-forever")
    before = time.time()
    with pytest.raises(TaskDeferred) as deferred:
        OmicsRunSensor(task_id="gate", run_id=run_id, deferrable=True).execute({})
    assert before + 10 <= deferred.value.trigger.serialize()[1]["hold_until"] <= time.time() + 10
