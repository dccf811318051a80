"""Every example DAG on a real Airflow, from its trigger to its end, through the REST API alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.config import Config

from airflow_omics.emulator import EmulatorClient
from scripts.stack import EXAMPLE_DAGS, Stack
from tests.support.pipeline import Pipeline

STARTED = {"role_arn": "arn:aws:iam::123456789012:role/omics-run", "output_uri": "s3://results"}
RUN_PAGE = "https://console.aws.amazon.com/omics/home?region=us-east-1#/runs/"


@dataclass(frozen=True)
class Example:
    """What an example DAG does when its runs end in a certain way.

    In ``conf``, ``returns``, ``logs`` and ``links``, ``<0>`` stands for the id of the first run, ``<1>`` for
    that of the second.

    :ivar endings: for each run in the order of their start, ``GetRun``'s status and failureReason at its end.
    :ivar conf: what the DAG is triggered with. The runs that it names are there before; others it starts.
    :ivar over: how many of the runs have ended before the DAG is triggered.
    :ivar life: the emulator's life of the runs; whatever it is, they end when the test ends them.
    :ivar states: the state of every task at the end.
    :ivar statuses: the status in the record that a task left in XCom.
    :ivar returns: what a task left in XCom.
    :ivar logs: words in the log of a task.
    :ivar links: the run that the extra link of a task leads to.
    """

    dag_id: str
    endings: tuple[str, ...]
    conf: dict[str, Any]
    states: dict[str, str]
    over: int = 0
    life: str = "pending-forever"
    statuses: dict[str, str] = field(default_factory=dict)
    returns: dict[str, Any] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.dag_id}-{'-'.join(self.endings)}"


EXAMPLES = [
    Example(
        "gate_and_use_record",
        endings=("COMPLETED",),
        conf={"omics_run_id": "<0>"},
        states={"gate": "success", "find_outputs": "success"},
        statuses={"gate": "COMPLETED"},
        returns={"find_outputs": "s3://results/<0>/out"},
        logs={"gate": "run <0> of workflow 1234567 is COMPLETED."},
        links={"gate": "<0>"},
    ),
    Example(
        "branch_on_outcome",
        endings=("COMPLETED",),
        conf={"omics_run_id": "<0>"},
        states={"gate": "success", "choose": "success", "publish": "success", "explain": "skipped"},
        statuses={"gate": "COMPLETED"},
        returns={"publish": "s3://results/<0>"},
        logs={"gate": "run <0> of workflow 1234567 is COMPLETED."},
        links={"gate": "<0>"},
    ),
    Example(
        "branch_on_outcome",
        endings=("CANCELLED",),
        conf={"omics_run_id": "<0>"},
        states={"gate": "success", "choose": "success", "publish": "skipped", "explain": "success"},
        statuses={"gate": "CANCELLED"},
        returns={"explain": "run <0> is CANCELLED: no reason given"},
        logs={"gate": "run <0> of workflow 1234567 is CANCELLED."},
        links={"gate": "<0>"},
    ),
    Example(
        "gate_allowed_to_fail",
        endings=("FAILED OUT_OF_MEMORY_ERROR",),
        conf={"omics_run_id": "<0>"},
        states={"gate": "failed", "report": "success"},
        statuses={"gate": "FAILED"},
        returns={"report": "<0> FAILED OUT_OF_MEMORY_ERROR"},
        logs={"gate": "OUT_OF_MEMORY_ERROR"},
        links={"gate": "<0>"},
    ),
    Example(
        "many_runs_mapped",
        endings=("COMPLETED", "COMPLETED", "COMPLETED"),
        conf={"omics_run_ids": ["<0>", "<1>", "<2>"]},
        states={
            "list_runs": "success",
            "gate[0]": "success",
            "gate[1]": "success",
            "gate[2]": "success",
            "collect": "success",
        },
        statuses={"gate[0]": "COMPLETED", "gate[1]": "COMPLETED", "gate[2]": "COMPLETED"},
        returns={
            "collect": {"<0>": "s3://results/<0>", "<1>": "s3://results/<1>", "<2>": "s3://results/<2>"}
        },
        logs={"gate[1]": "run <1> of workflow 1234567 is COMPLETED."},
        links={"gate[0]": "<0>", "gate[1]": "<1>", "gate[2]": "<2>"},
    ),
    Example(
        "start_gate_use",
        endings=("COMPLETED",),
        conf={**STARTED, "workflow_id": "1234567", "sample": "NA12878"},
        states={"start": "success", "gate": "success", "use": "success"},
        statuses={"start": "PENDING", "gate": "COMPLETED"},
        returns={"use": "s3://results/<0>/out"},
        logs={"gate": "run <0>"},
        links={"start": "<0>", "gate": "<0>"},
    ),
    Example(
        "cohort_under_a_pool",
        endings=("COMPLETED", "FAILED SERVICE_ERROR"),
        conf={**STARTED, "workflow_id": "1234567", "samples": ["NA12878", "NA12891"]},
        states={
            "list_parameters": "success",
            "start[0]": "success",
            "start[1]": "success",
            "gate[0]": "success",
            "gate[1]": "failed",
            "collect": "success",
        },
        statuses={
            "start[0]": "PENDING",
            "start[1]": "PENDING",
            "gate[0]": "COMPLETED",
            "gate[1]": "FAILED",
        },
        returns={
            "collect": {"finished": {"NA12878": "s3://results/<0>"}, "failed": {"NA12891": "SERVICE_ERROR"}}
        },
    ),
    Example(
        "rerun_with_a_cache",
        endings=("FAILED RUN_TASK_FAILED", "COMPLETED"),
        conf={**STARTED, "omics_run_id": "<0>", "cache_id": "7654321"},
        states={"rerun": "success", "tasks": "success", "count_cached": "success"},
        over=1,
        life="completed-with-cached-tasks",
        statuses={"rerun": "COMPLETED"},
        returns={"count_cached": "2 of 2"},
        logs={"rerun": "run <1>"},
        links={"rerun": "<1>"},
    ),
    Example(
        "cost_after_the_run",
        endings=("FAILED RUN_TASK_FAILED",),
        conf={"omics_run_id": "<0>"},
        states={"gate": "failed", "cost": "success", "report": "success"},
        statuses={"gate": "FAILED", "cost": "FAILED"},
        logs={"cost": "HealthOmics run <0> costs"},
        links={"gate": "<0>", "cost": "<0>"},
    ),
    Example(
        "map_over_outputs",
        endings=("COMPLETED",),
        conf={"omics_run_id": "<0>"},
        states={"gate": "success", "outputs": "success", "use[0]": "success"},
        life="completed",
        statuses={"gate": "COMPLETED"},
        returns={"use[0]": "s3://results/<0>/out/variants/sample.vcf has 60 bytes"},
        logs={"outputs": "run <0>: outputs listed: 1, 60 bytes"},
        links={"gate": "<0>", "outputs": "<0>"},
    ),
]

WITH_A_BATCH = {"cohort_from_a_sample_sheet", "batch_then_map"}
"""What test_example_dags_batch.py runs."""
ON_EVENTS = {"start_on_events"}
"""What test_events.py runs."""


@pytest.mark.parametrize("dag_id", sorted(path.stem for path in EXAMPLE_DAGS.glob("*.py")))
def test_an_example_has_a_case_here(dag_id: str) -> None:
    assert dag_id in {example.dag_id for example in EXAMPLES} | WITH_A_BATCH | ON_EVENTS


@pytest.fixture(scope="module")
def pool(stack: Stack) -> None:
    """Make the pool that an example asks its reader to make."""
    stack.post("/api/v2/pools", {"name": "healthomics_starts", "slots": 1})


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_an_example_does_what_it_says(
    stack: Stack, omics: EmulatorClient, pool: None, example: Example
) -> None:
    service = Service(stack, omics, example.life)
    run_ids = service.start(str(example.conf).count("<"))
    for run_id, ending in zip(run_ids[: example.over], example.endings, strict=False):
        service.end(run_id, ending)
    given = len(run_ids)
    pipeline = Pipeline(stack, example.dag_id, filled(example.conf, run_ids))
    for number in range(example.over, len(example.endings)):
        if number >= given:
            run_ids.append(service.started_by_dag(number))
        service.until_looked_at(run_ids[number])
        service.end(run_ids[number], example.endings[number])
    assert pipeline.until_ended() == example.states
    for task, status in example.statuses.items():
        assert pipeline.xcom(task)["status"] == status
    for task, value in example.returns.items():
        assert pipeline.xcom(task) == filled(value, run_ids)
    for task, words in example.logs.items():
        assert filled(words, run_ids) in pipeline.log(task)
    for task, run_id in example.links.items():
        assert pipeline.links(task)["HealthOmics run"] == f"{RUN_PAGE}{filled(run_id, run_ids)}"


class Service:
    """HealthOmics, where runs stay as they are until a test moves them."""

    def __init__(self, stack: Stack, omics: EmulatorClient, life: str) -> None:
        self._stack = stack
        self._omics = omics
        self._client: Any = boto3.client(
            "omics",
            endpoint_url=stack.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(inject_host_prefix=False),
        )
        omics.default_life = life
        self._before = set(self._ids())

    def start(self, count: int) -> list[str]:
        return self._omics.start_runs(count, logs=True, outputUri="s3://results")

    def started_by_dag(self, number: int) -> str:
        """Wait until the DAG has started the example's ``number``-th run, from 0; return the run's id."""

        def new() -> list[str]:
            return [run_id for run_id in self._ids() if run_id not in self._before]

        self._stack.wait_for("the DAG's next run", lambda: len(new()) > number, 120)
        return new()[number]

    def until_looked_at(self, run_id: str) -> None:
        """Wait until Airflow has seen the run, so that it sees it change."""

        def looked_at() -> bool:
            return any(request["run_id"] == run_id for request in self._omics.requests("GetRun"))

        self._stack.wait_for("a look at the run", looked_at, 120)

    def end(self, run_id: str, ending: str) -> None:
        status, _, reason = ending.partition(" ")
        self._omics.move(run_id, status, reason or None)

    def _ids(self) -> list[str]:
        """Return the ids of all runs, oldest first."""
        runs = [run for page in self._client.get_paginator("list_runs").paginate() for run in page["items"]]
        return [run["id"] for run in sorted(runs, key=lambda run: run["creationTime"])]


def filled(value: Any, run_ids: list[str]) -> Any:
    """Return a value with run ids in the place of ``<0>``, ``<1>`` ..."""
    if isinstance(value, dict):
        return {filled(key, run_ids): filled(inner, run_ids) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, run_ids) for inner in value]
    for number, run_id in enumerate(run_ids):
        value = value.replace(f"<{number}>", run_id) if isinstance(value, str) else value
    return value
