"""DAGs that start runs, for the tests that kill what runs them."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Any

from airflow.sdk import DAG

from airflow_omics.operators import OmicsStartRunOperator


def log_pid(context: Any) -> None:
    """Write down which process runs this try, so that a test can kill it."""
    ti = context["ti"]
    folder = Path(os.environ["AIRFLOW_HOME"]) / "pids"
    folder.mkdir(exist_ok=True)
    (folder / f"{ti.run_id.replace('/', '_')}-{ti.try_number}").write_text(str(os.getpid()))


COHORT = 12
ARGUMENTS: dict[str, Any] = {
    "task_id": "start",
    "workflow_id": "1234567",
    "role_arn": "arn:aws:iam::123456789012:role/omics-run",
    "output_uri": "s3://results/cohort",
    # What differs from try to try is what AWS may refuse with a token it has seen.
    "parameters": {"sample": "NA12878", "try": "{{ ti.try_number }}"},
    "poke_interval": 1,
    "retries": 3,
    "retry_delay": datetime.timedelta(seconds=1),
    "pre_execute": log_pid,
}

with DAG("start_in_worker", schedule=None):
    OmicsStartRunOperator(deferrable=False, **ARGUMENTS)

with DAG("start_in_worker_reattach", schedule=None):
    OmicsStartRunOperator(deferrable=False, on_clear="reattach", **ARGUMENTS)

with DAG("start_deferred", schedule=None):
    OmicsStartRunOperator(deferrable=True, **ARGUMENTS)

with DAG("start_deferred_once_more", schedule=None):
    OmicsStartRunOperator(deferrable=True, **{**ARGUMENTS, "retries": 1})

with DAG("start_cohort", schedule=None):
    OmicsStartRunOperator.partial(
        deferrable=True, **{name: value for name, value in ARGUMENTS.items() if name != "parameters"}
    ).expand(parameters=[{"sample": f"NA{number}"} for number in range(COHORT)])
