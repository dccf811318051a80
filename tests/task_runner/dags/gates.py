"""One DAG for each way to set a gate up: ``gate_<mode>_<setting>``.

``receive`` runs whatever becomes of the gate, and returns what kind of thing reached it, never the record.
"""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.decorators import task

from airflow_omics.sensors import OmicsRunSensor

MODES: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke"},
    "reschedule": {"mode": "reschedule"},
    "deferrable": {"deferrable": True},
    "from_trigger": {"start_from_trigger": True, "end_from_trigger": True},
}
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "soft_fail": {"soft_fail": True},
    "skip": {"skip_statuses": ("CANCELLED",)},
    "narrow": {"record_fields": ("failureReason",)},
    "retries": {"retries": 2, "retry_delay": 0.1},
}

for mode, mode_arguments in MODES.items():
    for setting, arguments in SETTINGS.items():
        dag_id = f"gate_{mode}_{setting}"
        with DAG(dag_id, schedule=None, params={"omics_run_id": ""}) as dag:
            gate = OmicsRunSensor(
                task_id="gate",
                run_id="{{ params.omics_run_id }}",
                poke_interval=0.1,
                **mode_arguments,
                **arguments,
            )

            @task(trigger_rule="all_done")
            def receive(record: Any) -> list[str]:
                return [type(record).__name__, *([record["status"]] if record else [])]

            receive(gate.output)
        globals()[dag_id] = dag
