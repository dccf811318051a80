"""Run a whole cohort as one task: each row of a sample sheet becomes a HealthOmics run of one batch.

The sheet, ``cohort.csv``, lies beside this file; replace it by your own, of up to 100,000 samples. Trigger
it with ``{"workflow_id": "1234567", "role_arn": "arn:aws:iam::123456789012:role/omics-run", "output_uri":
"s3://bucket/folder"}``.

One sample in twenty may fail: the cohort goes on without them, and ``list_failures`` says which they are and
why. If more failed, those whose failure may pass are run once more; a sample that completed never is. If too
many are left, ``cohort`` fails with a report. Clear it with what follows once their trouble is gone: it runs
only what did not complete.
"""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.decorators import task

from airflow_omics.operators import OmicsStartRunBatchOperator, SampleSheet

PARAMS = {"workflow_id": "", "role_arn": "", "output_uri": ""}

with DAG("cohort_from_a_sample_sheet", schedule=None, params=PARAMS, tags=["healthomics"]):
    cohort = OmicsStartRunBatchOperator(
        task_id="cohort",
        workflow_id="{{ params.workflow_id }}",
        role_arn="{{ params.role_arn }}",
        output_uri="{{ params.output_uri }}",
        run_settings=SampleSheet("cohort.csv", id_column="sample", types={"depth": int}),
        parameters={"reference": "GRCh38"},
        rerun_failed=1,
        max_failure_ratio=0.05,
        deferrable=True,
    )

    @task
    def list_failures(record: dict[str, Any]) -> list[str]:
        """Return a line for each reason: how many samples, who can act, and up to three of them."""
        return [
            f"{row['count']} {row['reason']} ({row['owner']}): "
            + ", ".join(example["runSettingId"] for example in row["examples"])
            for row in record.get("failures", [])
        ]

    list_failures(cohort.output)
