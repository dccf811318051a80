"""``execute({})``: how somebody's test calls a task, with no task instance to push anything to."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_omics import operators
from airflow_omics.exceptions import OmicsRunFailedError
from airflow_omics.sensors import OmicsRunSensor
from tests.support.sensors import ONE_ATTEMPT, Clock, new_run


def execute(task: Any, **arguments: Any) -> Any:
    return task(task_id="task", botocore_config=ONE_ATTEMPT, **arguments).execute({})


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_a_sensor_ends_as_it_does_in_airflow(omics: Any, clock: Clock, run_id: str, mode: str) -> None:
    omics.move(run_id, "COMPLETED")
    assert execute(OmicsRunSensor, run_id=run_id, mode=mode)["status"] == "COMPLETED"


@pytest.mark.parametrize("diagnose", [True, False])
def test_a_sensor_fails_with_the_run(
    omics: Any, clock: Clock, run_id: str, diagnose: bool, output: Any
) -> None:
    omics.move(run_id, "FAILED", "EXPORT_FAILED", "Nothing was exported.")
    with pytest.raises(OmicsRunFailedError) as raised:
        execute(OmicsRunSensor, run_id=run_id, diagnose=diagnose)
    assert (raised.value.failure_reason, raised.value.run_id) == ("EXPORT_FAILED", run_id)
    assert (raised.value.diagnosis is not None) == diagnose
    assert "was not pushed to XCom" not in output()


def test_an_operator_returns_what_it_does_in_airflow(omics: Any, clock: Clock, run_id: str) -> None:
    assert execute(operators.OmicsGetRunOperator, run_id=run_id)["id"] == run_id
    [task] = execute(operators.OmicsListRunTasksOperator, run_id=run_id, max_tasks=1)
    assert task["name"] == "AlignReads"
    cancelled = execute(operators.OmicsCancelRunOperator, run_id=run_id, wait_for_completion=False)
    assert cancelled["status"] == "STOPPING"
    ended = new_run(omics)
    omics.move(ended, "FAILED", "EXPORT_FAILED", "Nothing was exported.")
    assert execute(operators.OmicsDiagnoseRunOperator, run_id=ended)["run"]["id"] == ended
    assert execute(operators.OmicsEstimateRunCostOperator, run_id=ended)["id"] == ended
    assert execute(operators.OmicsDeleteRunOperator, run_id=ended)["status"] == "DELETED"
