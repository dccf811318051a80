"""OmicsListRunOutputsOperator lists what a run left in S3, and fails if an output is missing or empty."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_omics.operators import OmicsListRunOutputsOperator
from tests.support.sensors import ONE_ATTEMPT, TaskInstance, context_of

pytestmark = [pytest.mark.any_airflow, pytest.mark.usefixtures("clock")]


def list_outputs(**arguments: Any) -> Any:
    task = OmicsListRunOutputsOperator(**{"task_id": "list", "botocore_config": ONE_ATTEMPT, **arguments})
    result = task.execute(context_of(TaskInstance()))
    assert json.loads(json.dumps(result)) == result
    return result


def test_an_output_is_listed_with_all_that_s3_and_the_workflow_say(omics: Any) -> None:
    [run_id] = omics.start_runs(1, "completed", outputUri="s3://results/cohort", logs=True)
    omics.advance(20_000)
    [output] = list_outputs(run_id=run_id)
    assert output["uri"] == f"s3://results/cohort/{run_id}/out/variants/sample.vcf"
