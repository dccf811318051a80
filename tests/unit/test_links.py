"""Extra links lead to the run and its logs, in the partition and Region of the run."""

from __future__ import annotations

import contextlib
import json
from typing import Any
from urllib.parse import quote_plus

import pytest

from airflow_omics import links
from airflow_omics.exceptions import OmicsRunFailedError
from airflow_omics.get_provider_info import get_provider_info
from airflow_omics.links import (
    RUN_LINKS,
    OmicsEngineLogLink,
    OmicsRunLink,
    OmicsRunLogLink,
    persist_links,
    run_links,
)
from airflow_omics.operators import (
    OmicsCancelRunOperator,
    OmicsDeleteRunOperator,
    OmicsDiagnoseRunOperator,
    OmicsEstimateRunCostOperator,
    OmicsGetRunOperator,
    OmicsListRunTasksOperator,
)
from airflow_omics.sensors import OmicsRunSensor
from tests.support.sensors import Clock, Gate, TaskInstance, context_of, new_run

try:
    from airflow.sdk.exceptions import TaskDeferred
except ImportError:  # before Airflow 3.2
    from airflow.exceptions import TaskDeferred

TASKS = [
    OmicsCancelRunOperator,
    OmicsDeleteRunOperator,
    OmicsDiagnoseRunOperator,
    OmicsEstimateRunCostOperator,
    OmicsGetRunOperator,
    OmicsListRunTasksOperator,
    OmicsRunSensor,
]
LOGS = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/omics/WorkflowLog:log-stream:run/"


def record(**members: Any) -> Any:
    arn = "arn:aws:omics:us-west-2:123456789012:run/7830534"
    return {"id": "7830534", "arn": arn, "status": "RUNNING", **members}


def urls(run: Any) -> list[str]:
    made = run_links(run)
    assert made is not None
    assert json.loads(json.dumps(made)) == made
    return [link.url(made) for link in RUN_LINKS]


@pytest.mark.parametrize(
    ("partition", "region", "console"),
    [
        ("aws", "eu-central-1", "console.aws.amazon.com"),
        ("aws-us-gov", "us-gov-west-1", "console.amazonaws-us-gov.com"),
        ("aws-cn", "cn-north-1", "console.amazonaws.cn"),
    ],
)
def test_the_urls_are_of_the_arn_s_partition_and_region(partition: str, region: str, console: str) -> None:
    run = record(arn=f"arn:{partition}:omics:{region}:123456789012:run/7830534")
    streams = f"https://{console}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/"
    assert urls(run) == [
        f"https://{console}/omics/home?region={region}#/runs/7830534",
        streams + "%2Faws%2Fomics%2FWorkflowLog/log-events/run%2F7830534",
        streams + "%2Faws%2Fomics%2FWorkflowLog/log-events/run%2F7830534%2Fengine",
    ]


def test_the_log_streams_are_those_that_the_record_names() -> None:
    group = "arn:aws:logs:us-east-2:123456789012:log-group:/other/group:log-stream:"
    run = record(logLocation={"runLogStream": f"{group}a/b", "engineLogStream": f"{group}c"})
    assert urls(run)[1:] == [
        "https://console.aws.amazon.com/cloudwatch/home?region=us-east-2"
        "#logsV2:log-groups/log-group/%2Fother%2Fgroup/log-events/a%2Fb",
        "https://console.aws.amazon.com/cloudwatch/home?region=us-east-2"
        "#logsV2:log-groups/log-group/%2Fother%2Fgroup/log-events/c",
    ]


def test_a_run_that_writes_no_logs_has_no_links_to_them() -> None:
    assert urls(record(logLevel="OFF")) == [
        "https://console.aws.amazon.com/omics/home?region=us-west-2#/runs/7830534",
        "",
        "",
    ]


def test_a_partition_whose_console_is_not_known_has_no_links() -> None:
    run = record(arn="arn:aws-iso:omics:us-iso-east-1:123456789012:run/7830534")
    assert urls(run) == ["", "", ""]


@pytest.mark.parametrize("arn", [None, "", "7830534", "arn:aws:omics"])
def test_a_record_without_an_arn_makes_no_links(arn: Any) -> None:
    assert run_links(record(arn=arn)) is None


def test_the_shapes_are_those_of_the_amazon_provider_s_own_links() -> None:
    from airflow.providers.amazon.aws.links.base_aws import BASE_AWS_CONSOLE_LINK, BaseAwsLink
    from airflow.providers.amazon.aws.links.logs import CloudWatchEventsLink

    for partition in ("aws", "aws-us-gov", "aws-cn"):
        domain = BaseAwsLink.get_aws_domain(partition)
        run = record(arn=f"arn:{partition}:omics:x-1:123456789012:run/7830534")
        console, run_log, _ = urls(run)
        assert console.startswith(BASE_AWS_CONSOLE_LINK.format(aws_domain=domain) + "/")
        assert run_log == CloudWatchEventsLink.format_str.format(
            aws_domain=domain,
            awslogs_region="x-1",
            awslogs_group=quote_plus("/aws/omics/WorkflowLog"),
            awslogs_stream_name=quote_plus("run/7830534"),
        )


# -- from the XCom to the link -------------------------------------------------------------------------------


def test_a_link_reads_the_xcom_of_its_task_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    xcoms = {("key of the task", "omics_run_links"): run_links(record())}
    monkeypatch.setattr(links, "xcom_value", lambda ti_key, key: xcoms.get((ti_key, key)))
    run = OmicsRunLink().get_link(None, ti_key="key of the task")
    assert run == "https://console.aws.amazon.com/omics/home?region=us-west-2#/runs/7830534"
    for link in RUN_LINKS:
        assert link.get_link(None, ti_key="key of a task that has not begun") == ""


def test_the_worker_that_stored_them_does_not_read_them_back(
    monkeypatch: pytest.MonkeyPatch, poke_gate: Gate, run_id: str
) -> None:
    """Airflow 3 asks for every link each time a task defers or ends, and a read is a request to its API."""
    read = []
    monkeypatch.setattr(links, "xcom_value", lambda ti_key, key: read.append(ti_key))
    poke_gate.omics.move(run_id, "COMPLETED")
    ti, another = TaskInstance(), TaskInstance()
    poke_gate.sensor(run_id=run_id).execute(context_of(ti))
    made = [link.get_link(None, ti_key=ti) for link in RUN_LINKS]  # type: ignore[arg-type]
    assert [url.endswith(end) for url, end in zip(made, ["", run_id, "engine"], strict=True)] == [True] * 3
    assert made[0] == f"https://console.aws.amazon.com/omics/home?region=us-east-1#/runs/{run_id}"
    assert read == []
    assert OmicsRunLink().get_link(None, ti_key=another) == ""  # type: ignore[arg-type]
    assert read == [another]


def test_a_link_that_cannot_be_made_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Airflow 3.0 the task's process would end with an error."""

    def refuse(ti_key: Any, key: str) -> Any:
        raise RuntimeError("the database is away")

    monkeypatch.setattr(links, "xcom_value", refuse)
    assert [link.get_link(None, ti_key="key") for link in RUN_LINKS] == ["", "", ""]


@pytest.mark.parametrize("stored", ["text", 7, ["list"], {"arn": 7}, {"run_log": None}], ids=str)
def test_an_xcom_that_somebody_else_wrote_raises_nothing(
    monkeypatch: pytest.MonkeyPatch, stored: Any
) -> None:
    monkeypatch.setattr(links, "xcom_value", lambda ti_key, key: stored)
    assert [link.get_link(None, ti_key="key") for link in RUN_LINKS] == ["", "", ""]


def test_an_xcom_that_cannot_be_stored_fails_no_task() -> None:
    class Broken(TaskInstance):
        def xcom_push(self, key: str, value: Any) -> None:
            raise RuntimeError("the XCom backend is away")

    assert persist_links(context_of(Broken()), record()) is None


def test_a_context_without_a_task_instance_stores_nothing() -> None:
    empty: Any = {}
    assert persist_links(empty, record()) is None


# -- who stores them, and when -------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.__name__)
def test_everything_that_knows_a_run_has_the_three_links(task: Any) -> None:
    made = task(task_id="t", run_id="1234567")
    assert [link.name for link in made.operator_extra_links] == [
        "HealthOmics run",
        "HealthOmics run log",
        "HealthOmics engine log",
    ]


def test_the_provider_declares_every_link() -> None:
    declared = {
        f"airflow_omics.links.{link.__name__}" for link in (OmicsRunLink, OmicsRunLogLink, OmicsEngineLogLink)
    }
    assert set(get_provider_info()["extra-links"]) == declared


@pytest.mark.parametrize("do_xcom_push", [True, False])
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.__name__)
def test_they_are_stored_once_a_worker_has_seen_the_run(
    omics: Any, clock: Clock, task: Any, do_xcom_push: bool
) -> None:
    run_id = new_run(omics)
    if task is not OmicsCancelRunOperator:
        omics.move(run_id, "COMPLETED")
    ti = TaskInstance()
    task(task_id="t", run_id=run_id, do_xcom_push=do_xcom_push).execute(context_of(ti))
    assert ti.links == [
        {
            "arn": f"arn:aws:omics:us-east-1:123456789012:run/{run_id}",
            "run_log": f"{LOGS}{run_id}",
            "engine_log": f"{LOGS}{run_id}/engine",
        }
    ]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.__name__)
def test_nothing_in_them_may_hold_private_data(omics: Any, clock: Clock, task: Any) -> None:
    run_id = new_run(
        omics, parameters={"sample": "PATIENT-4711"}, tags={"p": "PATIENT-4711"}, name="PATIENT-4711"
    )
    if task is not OmicsCancelRunOperator:
        omics.move(run_id, "COMPLETED")
    ti = TaskInstance()
    task(task_id="t", run_id=run_id).execute(context_of(ti))
    assert ti.links
    assert "PATIENT-4711" not in repr(ti.links)


def test_a_gate_stores_them_at_its_first_look_and_not_again(poke_gate: Gate, run_id: str) -> None:
    ti = TaskInstance()
    stored_after: list[float] = []
    push = ti.xcom_push

    def note(key: str, value: Any) -> None:
        if key == "omics_run_links":
            stored_after.append(poke_gate.clock.passed())
        push(key, value)

    ti.xcom_push = note  # type: ignore[method-assign]
    poke_gate.clock.start()
    poke_gate.clock.at(600, poke_gate.omics.move, run_id, "COMPLETED")
    poke_gate.sensor(run_id=run_id).execute(context_of(ti))
    assert len(ti.links) == 1
    assert stored_after == [0]


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED"])
def test_a_gate_has_them_however_the_run_ends(poke_gate: Gate, run_id: str, status: str) -> None:
    ti = TaskInstance()
    poke_gate.omics.move(run_id, status)
    with contextlib.suppress(OmicsRunFailedError):
        poke_gate.sensor(run_id=run_id, record_fields=[]).execute(context_of(ti))
    assert [stored["run_log"] for stored in ti.links] == [f"{LOGS}{run_id}"]


def test_a_gate_that_never_saw_its_run_has_none(poke_gate: Gate) -> None:
    ti = TaskInstance()
    with pytest.raises(Exception, match="9999999"):
        poke_gate.sensor(run_id="9999999").execute(context_of(ti))
    assert ti.links == []


def test_a_gate_has_them_before_it_defers(omics: Any, clock: Clock, run_id: str) -> None:
    ti = TaskInstance()
    sensor = OmicsRunSensor(task_id="gate", run_id=run_id, deferrable=True)
    with pytest.raises(TaskDeferred):
        sensor.execute(context_of(ti))
    assert [stored["arn"] for stored in ti.links] == [f"arn:aws:omics:us-east-1:123456789012:run/{run_id}"]


def test_a_gate_that_only_sees_the_end_has_them_then(run_id: str, omics: Any) -> None:
    """As if the wait began in the triggerer; the trigger's event brings along what the links need."""
    ti = TaskInstance()
    event = {
        "outcome": "terminal",
        "record": record(status="COMPLETED", logLocation={"runLogStream": f"{LOGS}7830534"}),
        "message": "ended",
    }
    sensor = OmicsRunSensor(task_id="gate", run_id="7830534", record_fields=[])
    assert sensor.execute_complete(context_of(ti), event) == {"id": "7830534", "status": "COMPLETED"}
    assert [stored["run_log"] for stored in ti.links] == [f"{LOGS}7830534"]
