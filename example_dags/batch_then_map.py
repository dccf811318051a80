"""Run many samples as one batch, and then do something for each sample whose run has completed.

One task starts the runs and waits for them, however many they are; the tasks that follow are mapped, so that
each sample has a state, a log and retries of its own there. Trigger it with ``{"workflow_id": "1234567",
"role_arn": "arn:aws:iam::123456789012:role/omics-run", "output_uri": "s3://bucket/folder", "samples":
["NA12878", "NA12891"]}``.

Airflow maps a task 1,024 times at most by default. For more samples give ``completed`` a ``chunk_size``, so
that each mapped task gets a list of them, and a higher ``max_runs``. If ``batch`` is cleared, what did not
complete is run in a batch of its own, and ``completed`` lists that one alone.
"""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.decorators import task

from airflow_omics.operators import OmicsListRunsInBatchOperator, OmicsStartRunBatchOperator

PARAMS = {"workflow_id": "", "role_arn": "", "output_uri": "", "samples": []}

with DAG("batch_then_map", schedule=None, params=PARAMS, tags=["healthomics"]):

    @task
    def list_samples(params: dict[str, Any] | None = None) -> dict[str, dict[str, Any]]:
        """Return the parameters of each sample's run."""
        return {sample: {"sample": sample} for sample in (params or {})["samples"]}

    # The list below is of one batch. So rerun_failed, which would start a second one, stays 0.
    batch = OmicsStartRunBatchOperator(
        task_id="batch",
        workflow_id="{{ params.workflow_id }}",
        role_arn="{{ params.role_arn }}",
        output_uri="{{ params.output_uri }}",
        run_settings=list_samples(),
        max_failure_ratio=0.5,
        deferrable=True,
    )
    completed = OmicsListRunsInBatchOperator(
        task_id="completed",
        batch_id=batch.output,
        statuses=["COMPLETED"],
        fields=["runSettingId", "runId"],
    )

    @task
    def use(run: dict[str, str], output_uri: str) -> str:
        """Return where HealthOmics put a sample's files."""
        return f"{run['runSettingId']}: {output_uri}/{run['runId']}/out"

    use.partial(output_uri="{{ params.output_uri }}").expand(run=completed.output)
