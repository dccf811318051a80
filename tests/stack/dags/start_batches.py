"""DAGs that start batches, for the tests that kill what runs them."""

from __future__ import annotations

import datetime
from typing import Any

from airflow.sdk import DAG
from start_runs import log_pid

from airflow_omics.operators import OmicsStartRunBatchOperator

ARGUMENTS: dict[str, Any] = {
    "task_id": "start",
    "workflow_id": "1234567",
    "role_arn": "arn:aws:iam::123456789012:role/omics-run",
    "output_uri": "s3://results/cohort",
    "run_settings": {f"s{number}": {"sample": f"NA{number}"} for number in (1, 2, 3)},
    # What differs from try to try is what AWS may refuse with a token it has seen.
    "parameters": {"try": "{{ ti.try_number }}"},
    "poke_interval": 1,
    "retries": 6,
    "retry_delay": datetime.timedelta(seconds=1),
    "pre_execute": log_pid,
}

with DAG("start_batch_in_worker", schedule=None):
    OmicsStartRunBatchOperator(deferrable=False, rerun_failed=1, **ARGUMENTS)

with DAG("start_batch_deferred", schedule=None):
    OmicsStartRunBatchOperator(deferrable=True, **ARGUMENTS)
