"""The DAGs of benchmarks/airflow_gates.py: a cohort as one mapped gate, and cohorts of unmapped ones.

Beside each of ours stands the same with Airflow's own DateTimeSensorAsync.
"""

from __future__ import annotations

import os
from typing import Any

from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync
from airflow.sdk import DAG, task

from airflow_omics.sensors import OmicsRunSensor

UNMAPPED = int(os.environ["GATES_IN_A_COHORT"])
BOTH: dict[str, Any] = {"start_from_trigger": True, "end_from_trigger": True}
COMMON: dict[str, Any] = {"params": {"given": []}, "max_active_runs": 1000}


@task
def give(params: dict[str, Any] | None = None) -> list[str]:
    """Return what the gates of this DAG run wait for."""
    return list((params or {})["given"])


with DAG("ours_mapped", schedule=None, max_active_tasks=10_000, **COMMON):
    OmicsRunSensor.partial(task_id="gate", deferrable=True).expand(run_id=give())

with DAG("floor_mapped", schedule=None, max_active_tasks=10_000, **COMMON):
    DateTimeSensorAsync.partial(task_id="gate").expand(target_time=give())

with DAG("ours_unmapped", schedule=None, max_active_tasks=10_000, **COMMON):
    for number in range(UNMAPPED):
        OmicsRunSensor(task_id=f"gate_{number}", run_id=f"{{{{ params.given[{number}] }}}}", **BOTH)

with DAG("floor_unmapped", schedule=None, max_active_tasks=10_000, **COMMON):
    for number in range(UNMAPPED):
        DateTimeSensorAsync(task_id=f"gate_{number}", target_time=f"{{{{ params.given[{number}] }}}}", **BOTH)
