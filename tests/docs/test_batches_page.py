"""The samples of docs/use/batches.md are code that Airflow and the operators take."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from airflow_omics import operators, sensors
from airflow_omics._compat import BaseOperator
from airflow_omics.operators import OmicsStartRunBatchOperator

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.decorators import task

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "use" / "batches.md"
PUBLIC = {name: getattr(module, name) for module in (operators, sensors) for name in module.__all__}
INDENTED = re.compile(r"(?:^    .*\n(?:\n(?=    ))?)+", re.MULTILINE)
FENCED = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def samples() -> list[str]:
    """Return the blocks of Python on the page, in their order."""
    text = FENCED.sub("", PAGE.read_text())
    return [textwrap.dedent(block) for block in INDENTED.findall(text)]


@pytest.fixture(scope="module")
def named() -> dict[str, Any]:
    """Every name that the samples, run one after the other, give to something."""

    class S3Hook:
        def read_key(self, key: str) -> str:
            return json.dumps([key])

    names: dict[str, Any] = {**PUBLIC, "task": task, "json": json, "S3Hook": S3Hook}
    with DAG("page", schedule=None, params={"omics_batch_id": "7654321"}):
        names["check_quality"] = task(lambda runs: len(runs))
        for sample in samples():
            exec(sample, names)
    return names


def test_every_sample_runs(named: dict[str, Any]) -> None:
    assert len(samples()) >= 9
    tasks = {name for name, value in named.items() if isinstance(value, BaseOperator)}
    assert {"cohort", "completed", "gate"} <= tasks


def test_each_argument_that_is_shown_is_one_of_the_operators(named: dict[str, Any]) -> None:
    known = set(inspect.signature(OmicsStartRunBatchOperator.__init__).parameters)
    shown = {name: value for name, value in named.items() if name in known}
    assert {"run_settings", "max_failures", "rerun_failed", "rerun_with", "retry_by_class"} <= set(shown)
    least = {"workflow_id": "1", "role_arn": "arn:aws:iam::123456789012:role/r", "output_uri": "s3://bucket"}
    OmicsStartRunBatchOperator(task_id="task", **least, **shown)


def test_the_cohort_of_the_readme_is_a_task() -> None:
    [sample] = [
        text
        for kind, text in FENCED.findall((REPOSITORY / "README.md").read_text())
        if kind == "python" and "Batch" in text
    ]
    names: dict[str, Any] = dict(PUBLIC)
    with DAG("readme", schedule=None):
        exec(sample, names)
    assert isinstance(names["cohort"], OmicsStartRunBatchOperator)


def test_every_operator_of_batches_is_on_the_page() -> None:
    text = PAGE.read_text()
    for name in PUBLIC:
        assert "Batch" not in name or name in text, name


def test_every_json_on_the_page_is_json() -> None:
    blocks = [text for kind, text in FENCED.findall(PAGE.read_text()) if kind == "json"]
    assert len(blocks) >= 2
    for block in blocks:
        json.loads(block)
