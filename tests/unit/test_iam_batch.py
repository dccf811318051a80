"""A sensor of a batch runs with the IAM actions of the table, and with no others."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_omics.exceptions import OmicsAccessError
from airflow_omics.sensors import OmicsRunBatchSensor
from tests.support.batch_waits import end_runs, going_batch
from tests.support.iam import OPTIONAL, REQUIRED, Asked, allow_only
from tests.support.sensors import ONE_ATTEMPT, Clock, TaskInstance, context_of

pytestmark = pytest.mark.any_airflow

NAME = "OmicsRunBatchSensor"


@pytest.fixture
def batch_id(omics: Any, clock: Clock) -> str:
    """A batch of which one run of three has failed."""
    started = going_batch(omics)
    end_runs(omics, started, ["COMPLETED", "FAILED", "COMPLETED"])
    return started


def wait(batch_id: str) -> Any:
    sensor = OmicsRunBatchSensor(
        task_id="gate", batch_id=batch_id, max_failures=1, botocore_config=ONE_ATTEMPT
    )
    return sensor.execute(context_of(TaskInstance()))


def test_the_required_action_is_enough(omics: Any, batch_id: str, asked: Asked) -> None:
    asked.actions.clear()
    allow_only(omics, REQUIRED[NAME])
    assert wait(batch_id)["outcome"]["failed"] == 1
    assert asked.actions == set(REQUIRED[NAME])


def test_every_action_of_the_table_is_asked_for_and_no_other(omics: Any, batch_id: str, asked: Asked) -> None:
    omics.batches(run_summary=False)
    asked.actions.clear()
    allow_only(omics, {*REQUIRED[NAME], *OPTIONAL[NAME]})
    assert wait(batch_id)["outcome"]["failed"] == 1
    assert asked.actions == {*REQUIRED[NAME], *OPTIONAL[NAME]}


@pytest.mark.parametrize("action", [*REQUIRED[NAME], *OPTIONAL[NAME]])
def test_without_an_action_that_is_needed_it_fails_and_names_it(
    omics: Any, batch_id: str, action: str
) -> None:
    omics.batches(run_summary=False)
    allow_only(omics, {*REQUIRED[NAME], *OPTIONAL[NAME]} - {action})
    with pytest.raises(OmicsAccessError, match=f"Allow {action} to the caller"):
        wait(batch_id)
