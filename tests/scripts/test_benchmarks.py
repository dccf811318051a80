"""The benchmark of batches, of a size that takes seconds."""

from __future__ import annotations

import pytest

from benchmarks.batch import measured

pytestmark = pytest.mark.any_airflow


def test_a_small_batch_is_measured_step_by_step() -> None:
    figures = measured("batch-rerun", members=200, failing=10)
    asked = [step["requests"] for step in figures["steps"]]
    assert [requests.get("StartRunBatch", 0) for requests in asked] == [1, 0, 1, 0, 0]
    assert [requests.get("GetRun", 0) for requests in asked] == [0, 0, 10, 0, 10]
    assert (figures["outcome"]["total"], figures["outcome"]["failed"], figures["reasons"]) == (200, 10, 5)
    assert all(step["cpu_s"] > 0 and step["mb"] > 0 for step in figures["steps"])
    assert figures["xcom_bytes"] < 5_000


def test_small_settings_are_measured() -> None:
    figures = measured("settings-csv", members=200)
    assert (figures["written"], figures["requests"]) == (200, {})
    assert figures["cpu_s"] > 0
