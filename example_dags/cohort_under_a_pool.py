"""Start and gate one HealthOmics run for each sample of a cohort, no faster than the account may start them.

StartRun's default quota is about one a second. The pool lets one ``start`` through at a time; what is
throttled all the same is retried. Make it once, with ``airflow pools set healthomics_starts 1 StartRun``,
and trigger with ``{"workflow_id": "1234567", "role_arn": "arn:aws:iam::123456789012:role/omics-run",
"output_uri": "s3://bucket/folder", "samples": ["NA12878", "NA12891"]}``.

A sample that fails holds up no other, whether its run fails or could not be started: what is done with the
cohort gets the records of those that ran, and the DAG run succeeds. Clear the ``start`` of a sample, with
what follows, to run it again. A cohort has 1,024 samples at most by default; ``[core] max_map_length`` raises
that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.decorators import task

from airflow_omics.operators import OmicsStartRunOperator
from airflow_omics.sensors import OmicsRunSensor

PARAMS = {"workflow_id": "", "role_arn": "", "output_uri": "", "samples": []}

with DAG("cohort_under_a_pool", schedule=None, params=PARAMS, tags=["healthomics"]):

    @task
    def list_parameters(params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the parameters of each run."""
        return [{"sample": sample} for sample in (params or {})["samples"]]

    starts = OmicsStartRunOperator.partial(
        task_id="start",
        workflow_id="{{ params.workflow_id }}",
        role_arn="{{ params.role_arn }}",
        output_uri="{{ params.output_uri }}",
        wait_for_completion=False,
        pool="healthomics_starts",
        retries=2,
    ).expand(parameters=list_parameters())
    # Without its trigger rule one start that failed would leave every run unwatched. There is a gate for each
    # run that was started.
    gates = OmicsRunSensor.partial(task_id="gate", deferrable=True, trigger_rule="all_done").expand(
        run_id=starts.output
    )

    @task(trigger_rule="all_done")
    def collect(records: Iterable[dict[str, Any]]) -> dict[str, dict[str, str]]:
        """Return where the files of each sample are, and why others have none."""
        done: dict[str, dict[str, str]] = {"finished": {}, "failed": {}}
        for record in records:
            sample = record["parameters"]["sample"]
            if record["status"] == "COMPLETED":
                done["finished"][sample] = record["runOutputUri"]
            else:
                done["failed"][sample] = record.get("failureReason", record["status"])
        return done

    collect(gates.output)
