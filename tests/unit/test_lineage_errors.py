"""A task that failed: the event that Airflow's provider sends of it has the reason, and no line of a log."""

from __future__ import annotations

import inspect
import json
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.openlineage.plugins.adapter import OpenLineageAdapter
from airflow.providers.openlineage.utils.utils import TaskInfoComplete
from openlineage.client.serde import Serde

from airflow_omics.emulator import Life, Stage, Task
from airflow_omics.exceptions import OmicsRunFailedError
from airflow_omics.sensors import OmicsRunSensor
from tests.support.sensors import ONE_ATTEMPT, TaskInstance, context_of

PRINTED = "patient-8c1f1f0e"
LIFE = Life(
    "printing",
    (Stage("PENDING", 2), Stage("STARTING", 60), Stage("RUNNING", 600), Stage("FAILED")),
    failure_reason="RUN_TASK_FAILED",
    status_message="A task failed.",
    engine_log=(f"engine: {PRINTED}",),
    tasks=(
        Task(
            "Call",
            stages=(Stage("PENDING", 1), Stage("RUNNING", 60), Stage("FAILED")),
            status_message="exited with code 3",
            log_lines=(PRINTED, "end"),
        ),
    ),
)


def event_of(task: Any, error: BaseException) -> dict[str, Any]:
    """Return what the provider sends of a task that failed with an error."""
    sent: list[Any] = []
    client: Any = SimpleNamespace(transport=SimpleNamespace(kind="recording"), emit=sent.append)
    adapter = OpenLineageAdapter(client=client)
    given: dict[str, Any] = {
        "run_id": "11111111-2222-3333-4444-555555555555",
        "job_name": "dag.gate",
        "end_time": "2026-01-01T00:00:00+00:00",
        "task": task.get_openlineage_facets_on_failure(SimpleNamespace()),
        "error": error,
    }
    # Which others there are depends on the provider's version.
    names = set(inspect.signature(adapter.fail_task).parameters) - {"job_description_type", "run_facets"}
    adapter.fail_task(**{**dict.fromkeys(names), **given})
    [event] = sent
    found: dict[str, Any] = json.loads(Serde.to_json(event))
    return found


@pytest.mark.parametrize("log_tails", ["True", "False"])
@pytest.mark.parametrize("diagnose", [True, "without logs", False])
def test_a_failure_has_its_reason_and_no_line_of_a_log(
    omics: Any, log_tails: str, diagnose: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__OMICS__LOG_TAILS", log_tails)
    omics.add_life(LIFE)
    [run_id] = omics.start_runs(1, life=LIFE.name, logs=True)
    omics.advance(7200)
    task = OmicsRunSensor(task_id="gate", run_id=run_id, botocore_config=ONE_ATTEMPT, diagnose=diagnose)
    ti = TaskInstance()
    with pytest.raises(OmicsRunFailedError) as caught:
        task.execute(context_of(ti))
    reads_logs = diagnose is True and log_tails == "True"
    assert (PRINTED in json.dumps(ti.diagnoses)) == reads_logs  # so there was something to leak
    event = event_of(task, caught.value)
    facets = event["run"]["facets"]
    assert facets["omics_run"]["failureReason"] == "RUN_TASK_FAILED"
    assert "RUN_TASK_FAILED" in facets["errorMessage"]["message"]
    assert facets["errorMessage"]["stackTrace"].startswith("Traceback")
    assert PRINTED not in json.dumps(event)
    assert PRINTED not in Serde.to_json({"task": TaskInfoComplete(task)})  # type: ignore[no-untyped-call]
