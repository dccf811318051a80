"""With a botocore that does not know batches, what is about one fails with one sentence; the rest works."""

from __future__ import annotations

import logging
from typing import Any

import botocore.model
import pytest

from airflow_omics import operators
from airflow_omics._batches.judge import judged
from airflow_omics._outcome import Tolerance
from airflow_omics.exceptions import OmicsRequestError
from airflow_omics.hooks import OmicsHook
from airflow_omics.sensors import OmicsRunBatchSensor
from tests.support.sensors import ONE_ATTEMPT, Gate, TaskInstance, context_of, new_run
from tests.support.start_batches import StartBatch

pytestmark = pytest.mark.usefixtures("clock")

OPERATORS = [name for name in operators.__all__ if "Batch" in name and "Start" not in name]
SENTENCE = (
    r"Batches of runs need botocore 1\.42\.74 \(and aiobotocore 3\.4\.0\) or newer, and botocore [0-9.]+ is "
    r"installed; upgrade 'apache-airflow-providers-amazon\[aiobotocore\]', or map OmicsStartRunOperator over "
    r"the samples\.$"
)
BEGINS = "Batches of runs need botocore 1.42.74 (and aiobotocore 3.4.0) or newer, "


@pytest.fixture(autouse=True)
def _old_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the installed botocore know no batches, unless it is so old that it does not."""

    def names(model: Any) -> list[str]:
        return [name for name in model._service_description["operations"] if "Batch" not in name]

    monkeypatch.setattr(botocore.model.ServiceModel, "operation_names", property(names))


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_is_parsed_and_fails_as_it_runs(omics: Any, name: str) -> None:
    task = getattr(operators, name)(task_id="task", batch_id="7654321", botocore_config=ONE_ATTEMPT)
    with pytest.raises(OmicsRequestError, match=SENTENCE) as caught:
        task.execute(context_of(TaskInstance()))
    assert caught.value.batch_id == "7654321"
    assert omics.counts() == {}


def test_a_batch_that_is_judged_says_why_nothing_is_known(omics: Any) -> None:
    record: Any = {"id": "7654321", "status": "PROCESSED", "totalRuns": 3}
    with pytest.raises(OmicsRequestError, match="Batches of runs need botocore"):
        judged(record, OmicsHook(), tolerance=Tolerance(3), log=logging.getLogger("judge"))
    assert omics.counts() == {}


def test_a_start_fails_with_one_sentence_and_no_call(start_batch: StartBatch, omics: Any) -> None:
    done = start_batch()()
    assert isinstance(done.error, OmicsRequestError)
    assert str(done.error).startswith(BEGINS)
    assert omics.counts() == {}


@pytest.mark.parametrize("flag", ["soft_fail", "never_fail", "silent_fail"])
def test_a_gate_fails_with_one_sentence_that_says_what_to_install(flag: str, gate: Gate) -> None:
    gate.sensor_class = OmicsRunBatchSensor
    end = gate(batch_id="7123456", **{flag: True})
    error: Any = end.error.__cause__ if flag == "never_fail" else end.error  # type: ignore[union-attr]
    assert isinstance(error, OmicsRequestError)
    assert str(error).startswith(f"HealthOmics batch 7123456: {BEGINS}")
    assert error.batch_id == "7123456"
    assert end.after < 1
    assert "GetBatch" not in gate.omics.counts()


def test_a_gate_on_a_run_works(gate: Gate) -> None:
    run_id = new_run(gate.omics)
    gate.omics.move(run_id, "COMPLETED")
    assert gate(run_id=run_id).kind == "success"
