"""Estimate what a HealthOmics run has cost once it has ended, well or badly, and what would have been enough.

Trigger it with ``{"omics_run_id": "1234567"}``. Prices are those of the file that ``[omics] price_list``
names, else of AWS's Pricing API, which needs the IAM action ``pricing:GetProducts``.
"""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.decorators import task

from airflow_omics.operators import OmicsEstimateRunCostOperator
from airflow_omics.sensors import OmicsRunSensor

with DAG("cost_after_the_run", schedule=None, params={"omics_run_id": ""}, tags=["healthomics"]):
    gate = OmicsRunSensor(task_id="gate", run_id="{{ params.omics_run_id }}", deferrable=True)
    # A run that failed has cost money as well.
    cost = OmicsEstimateRunCostOperator(
        task_id="cost", run_id=gate.output, rightsize=True, headroom=0.1, trigger_rule="all_done"
    )

    @task
    def report(cost: dict[str, Any]) -> list[str]:
        """Return the total, and each step that a smaller instance would have been enough for."""
        at_least = "at least " if cost["lower_bound"] else ""
        return [
            f"run {cost['id']} is {cost['status']}: {at_least}{cost['total']:.4f} {cost['currency']}",
            *(
                f"{step['name']}: {step['would_do']} would do, not {' or '.join(step['instance_types'])}"
                for step in cost["rightsizing"]["by_name"]
                if (step["saving"] or 0) > 0
            ),
        ]

    report(cost.output)
