"""Each operator and sensor runs with the IAM actions of the table, and with no others."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from airflow_omics import operators, sensors, triggers
from airflow_omics._iam import RESOURCES, USES, policy
from airflow_omics.exceptions import (
    OmicsAccessError,
    OmicsRunFailedError,
    OmicsRunNotFoundError,
    OmicsRunTimeoutError,
)
from airflow_omics.hooks import OmicsHook
from airflow_omics.operators import (
    OmicsCancelRunBatchOperator,
    OmicsCancelRunOperator,
    OmicsDeleteRunBatchOperator,
    OmicsDeleteRunOperator,
    OmicsDiagnoseRunOperator,
    OmicsEstimateRunCostOperator,
    OmicsGetBatchOperator,
    OmicsGetRunOperator,
    OmicsListRunOutputsOperator,
    OmicsListRunsInBatchOperator,
    OmicsListRunTasksOperator,
)
from airflow_omics.sensors import OmicsRunSensor
from tests.support.batches import needs_batches, settings, start_batch
from tests.support.fixtures import Output
from tests.support.iam import OPTIONAL, REQUIRED, Asked, allow_only, allow_only_in_s3
from tests.support.sensors import ONE_ATTEMPT, Clock, Gate, TaskInstance, context_of
from tests.support.start_operators import Task

pytestmark = pytest.mark.any_airflow

ARN = "arn:aws:omics:us-east-1:123456789012:run/{}"
# One run whose task fails, and one whose time is up in a run group: all that a diagnosis may ask for.
FAILURES = ("failed-out-of-memory-error", "failed-run-timed-out")


BATCH: dict[str, Any] = {}


@pytest.fixture(autouse=True)
def _clock(clock: Clock) -> None:
    """Every test turns the clock."""


@pytest.fixture(autouse=True)
def _batch(omics: Any, request: pytest.FixtureRequest) -> None:
    """Start a batch, before anything is denied, that a batch's operator has all to do with."""
    name = getattr(request.node, "callspec", None) and request.node.callspec.params.get("name")
    if "batch" in str(name).lower():
        life = "running-forever" if "Cancel" in name else "completed"
        of_one = {"cancel_failures": ["sample-2"], "delete_failures": ["sample-2"]}
        BATCH["record"] = start_batch(omics, settings([(life, 3)]), seconds=20_000, **of_one)
        if "ListRunsInBatch" in name:
            [first, *_] = OmicsHook().list_runs(batch_id=BATCH["record"]["id"])
            omics.vanish(first["id"])


def run(omics: Any, life: str, seconds: float = 20_000, **members: Any) -> str:
    omics.run_group("7", max_duration=60, limits=False)
    [run_id] = omics.start_runs(1, life=life, logs=True, runGroupId="7", **members)
    omics.advance(seconds)
    return str(run_id)


def execute(operator: Callable[..., Any], **arguments: Any) -> str:
    task = operator(task_id="task", botocore_config=ONE_ATTEMPT, **arguments)
    return json.dumps(task.execute(context_of(TaskInstance())))


def reports(attempt: Callable[[str], Any]) -> str:
    """Return the errors of tasks whose run failed; any other error goes on."""
    reported = ""
    for life in FAILURES:
        with pytest.raises(OmicsRunFailedError) as caught:
            attempt(life)
        reported += str(caught.value)
    return reported


def gate(omics: Any, clock: Clock) -> str:
    assert "COMPLETED" in execute(OmicsRunSensor, run_id=run(omics, "completed"))
    return reports(lambda life: execute(OmicsRunSensor, run_id=run(omics, life)))


def started(task: Task) -> Any:
    done = task()
    if done.error is not None:
        raise done.error
    return done.result


def start(omics: Any, clock: Clock) -> str:
    omics.default_life = "completed"
    slow = Task(omics, clock, poke_interval=300, wait_timeout=900)
    with pytest.raises(OmicsRunTimeoutError):
        started(slow)
    assert started(slow)["status"] == "COMPLETED"
    omics.default_life = "running-forever"
    with pytest.raises(OmicsRunTimeoutError):
        started(Task(omics, clock, run_id="manual__2", wait_timeout=900, on_timeout="cancel"))

    def attempt(life: str) -> None:
        omics.default_life = life
        omics.run_group("7", max_duration=60, limits=False)
        started(Task(omics, clock, run_id=life, poke_interval=600, run_group_id="7"))

    return reports(attempt)


def start_and_go(omics: Any, clock: Clock) -> str:
    task = Task(omics, clock, wait_for_completion=False)
    first = started(task)
    assert started(task)["id"] == first["id"]
    return ""


def diagnose(omics: Any, clock: Clock) -> str:
    lives = ("pending-forever", *FAILURES)
    reported = [execute(OmicsDiagnoseRunOperator, run_id=run(omics, life)) for life in lives]
    forgotten = run(omics, "failed-out-of-memory-error")
    omics.vanish(forgotten)
    with contextlib.suppress(OmicsRunNotFoundError):  # if its manifest may not be read
        reported.append(execute(OmicsDiagnoseRunOperator, run_id=forgotten))
    return "".join(reported)


def estimate(omics: Any, clock: Clock) -> str:
    ended, going = run(omics, "completed"), run(omics, "running-forever", storageType="STATIC")
    reported = [execute(OmicsEstimateRunCostOperator, run_id=run_id) for run_id in (ended, going)]
    omics.vanish(ended)
    with contextlib.suppress(OmicsRunNotFoundError):  # if its manifest may not be read
        reported.append(execute(OmicsEstimateRunCostOperator, run_id=ended))
    return "".join(reported)


def of_a_run(operator: Callable[..., Any], life: str, **arguments: Any) -> Callable[[Any, Clock], str]:
    return lambda omics, clock: execute(operator, run_id=run(omics, life), **arguments)


def of_the_batch(operator: Callable[..., Any], **arguments: Any) -> Callable[[Any, Clock], str]:
    return lambda omics, clock: execute(operator, batch_id=BATCH["record"], **arguments)


def outputs_of_the_batch(omics: Any, clock: Clock) -> str:
    reported = of_the_batch(OmicsListRunOutputsOperator)(omics, clock)
    omics.fault("ListRuns", "ValidationException")  # it does not take a batch's id
    return reported + of_the_batch(OmicsListRunOutputsOperator)(omics, clock)


def with_provenance(omics: Any, clock: Clock) -> str:
    runs = [run(omics, "completed"), run(omics, "completed", workflowVersionName="1.0")]
    # The second try compares its manifest with the one that is there.
    tries = [*runs, runs[0]]
    return "".join(execute(OmicsListRunOutputsOperator, run_id=one, provenance=True) for one in tries)


USED: dict[str, Callable[[Any, Clock], str]] = {
    "OmicsRunSensor": gate,
    "OmicsStartRunOperator": start,
    "OmicsStartRunOperator(wait_for_completion=False)": start_and_go,
    "OmicsGetRunOperator": of_a_run(OmicsGetRunOperator, "completed"),
    "OmicsCancelRunOperator": of_a_run(OmicsCancelRunOperator, "running-forever"),
    "OmicsDeleteRunOperator": of_a_run(OmicsDeleteRunOperator, "completed"),
    "OmicsListRunTasksOperator": of_a_run(OmicsListRunTasksOperator, "completed"),
    "OmicsListRunTasksOperator(details=True)": of_a_run(OmicsListRunTasksOperator, "completed", details=True),
    "OmicsGetBatchOperator": of_the_batch(OmicsGetBatchOperator),
    "OmicsListRunsInBatchOperator": of_the_batch(OmicsListRunsInBatchOperator),
    "OmicsCancelRunBatchOperator": of_the_batch(OmicsCancelRunBatchOperator),
    "OmicsDeleteRunBatchOperator": of_the_batch(OmicsDeleteRunBatchOperator),
    "OmicsDeleteRunBatchOperator(runs=False, batch=True)": of_the_batch(
        OmicsDeleteRunBatchOperator, runs=False, batch=True
    ),
    "OmicsEstimateRunCostOperator": estimate,
    "OmicsListRunOutputsOperator": of_a_run(OmicsListRunOutputsOperator, "completed"),
    "OmicsListRunOutputsOperator(batch_id=...)": outputs_of_the_batch,
    "OmicsListRunOutputsOperator(provenance=True)": with_provenance,
    "OmicsDiagnoseRunOperator": diagnose,
}


def marks_of(name: str) -> Any:
    return needs_batches if "batch" in name.lower() else ()


WITH_BATCHES = [pytest.param(name, marks=marks_of(name), id=name) for name in USED]
# A botocore that knows no versions does not say either which version a run had: then nobody asks for any.
KNOWS_VERSIONS = hasattr(boto3.client("omics", "us-east-1"), "get_workflow_version")
OF_WORKFLOWS = set() if KNOWS_VERSIONS else {"omics:GetWorkflow", "omics:GetWorkflowVersion"}
# Those that list runs only if it is in doubt whose account answers, which the last test brings about.
ONLY_IN_DOUBT = ("OmicsRunSensor", "OmicsCancelRunOperator", "OmicsDeleteRunOperator")
IN_TEST_IAM_BATCH = ("OmicsRunBatchSensor", "OmicsStartRunBatchOperator")
OF_A_WORKER = [
    use.name for use in USES if not use.name.endswith("Trigger") and use.name not in IN_TEST_IAM_BATCH
]


def test_every_operator_and_sensor_is_in_the_table() -> None:
    names = {use.name.partition("(")[0] for use in USES}
    tasks = {name for name in operators.__all__ if name.endswith("Operator")}
    trigger_names = {name for name in triggers.__all__ if name.endswith("Trigger")}
    assert names == {*tasks, *sensors.__all__, *trigger_names}
    assert list(USED) == OF_A_WORKER


@pytest.mark.parametrize("name", WITH_BATCHES)
def test_the_required_actions_are_enough(
    omics: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    allow_only(omics, REQUIRED[name])
    allow_only_in_s3(monkeypatch, REQUIRED[name])
    USED[name](omics, clock)


@pytest.mark.parametrize("name", WITH_BATCHES)
def test_every_action_of_the_table_is_asked_for_and_no_other(
    omics: Any, clock: Clock, asked: Asked, name: str
) -> None:
    expected = {*REQUIRED[name], *OPTIONAL[name]} - ({"omics:ListRuns"} if name in ONLY_IN_DOUBT else set())
    expected -= OF_WORKFLOWS
    allow_only(omics, {*REQUIRED[name], *OPTIONAL[name]})
    USED[name](omics, clock)
    assert asked.actions == expected


@pytest.mark.parametrize(
    ("name", "action"),
    [pytest.param(name, action, marks=marks_of(name)) for name in USED for action in REQUIRED[name]],
)
def test_without_a_required_action_it_fails_and_names_it(
    omics: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch, name: str, action: str
) -> None:
    allow_only(omics, set(REQUIRED[name]) - {action})
    allow_only_in_s3(monkeypatch, set(REQUIRED[name]) - {action})
    with pytest.raises(OmicsAccessError, match=f"Allow {action} to the caller"):
        USED[name](omics, clock)


@pytest.mark.parametrize(
    ("name", "action"),
    [
        pytest.param(name, action, marks=marks_of(name))
        for name in USED
        for action in OPTIONAL[name]
        if not (name in ONLY_IN_DOUBT and action == "omics:ListRuns") and action not in OF_WORKFLOWS
    ],
)
def test_without_an_optional_action_it_does_its_work_and_names_it(
    omics: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch, output: Output, name: str, action: str
) -> None:
    allow_only(omics, {*REQUIRED[name], *OPTIONAL[name]} - {action})
    allow_only_in_s3(monkeypatch, {*REQUIRED[name], *OPTIONAL[name]} - {action})
    reported = USED[name](omics, clock) + output()
    assert f"Allow {action} to the caller" in reported


@pytest.fixture
def nobody_defined_aws_default(omics: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3's own credentials are used, which may be those of another account."""
    monkeypatch.delenv("AIRFLOW_CONN_AWS_DEFAULT")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    run(omics, "completed")  # any run that a list can show


@pytest.mark.usefixtures("nobody_defined_aws_default", "sts_out_of_reach")
@pytest.mark.parametrize("may_list", [True, False])
@pytest.mark.parametrize("name", ["OmicsCancelRunOperator", "OmicsDeleteRunOperator"])
def test_a_list_of_runs_shows_whose_answer_not_found_is(
    omics: Any, asked: Asked, name: str, may_list: bool
) -> None:
    gone = run(omics, "completed")
    omics.vanish(gone)
    record = {"id": gone, "uuid": "00000000-0000-4000-8000-000000000000", "arn": ARN.format(gone)}
    allow_only(omics, {*REQUIRED[name], *(OPTIONAL[name] if may_list else ())})
    if may_list:
        assert json.loads(execute(getattr(operators, name), run_id=record))["status"] == "DELETED"
    else:
        with pytest.raises(OmicsAccessError, match="have read no run"):
            execute(getattr(operators, name), run_id=record)
    assert "omics:ListRuns" in asked.actions


@pytest.mark.usefixtures("nobody_defined_aws_default")
@pytest.mark.parametrize("name", ["OmicsCancelRunOperator", "OmicsDeleteRunOperator"])
def test_sts_shows_whose_answer_not_found_is_and_needs_no_permission(
    omics: Any, asked: Asked, name: str
) -> None:
    gone = run(omics, "completed")
    omics.vanish(gone)
    record = {"id": gone, "uuid": "00000000-0000-4000-8000-000000000000", "arn": ARN.format(gone)}
    allow_only(omics, REQUIRED[name])
    assert json.loads(execute(getattr(operators, name), run_id=record))["status"] == "DELETED"
    assert asked.actions == {"omics:GetRun", "sts:GetCallerIdentity"}


@pytest.mark.usefixtures("nobody_defined_aws_default", "sts_out_of_reach")
@pytest.mark.parametrize(("may_list", "kind"), [(True, "OmicsRunDeletedError"), (False, "OmicsAccessError")])
def test_a_list_of_runs_shows_a_gate_whose_answer_not_found_is(
    omics: Any, poke_gate: Gate, asked: Asked, may_list: bool, kind: str
) -> None:
    run_id = run(omics, "running-forever")
    allow_only(omics, {"omics:GetRun", *(["omics:ListRuns"] if may_list else [])})
    poke_gate.clock.at(30, omics.fault, "GetRun", "expired-token", times=1)  # its client is replaced
    poke_gate.clock.at(30, omics.vanish, run_id)
    assert poke_gate(run_id=run_id, diagnose=False).kind == kind
    assert "omics:ListRuns" in asked.actions


def test_a_policy_names_each_action_on_its_resources() -> None:
    actions = ["omics:StartRun", "omics:TagResource", "omics:GetRun", "omics:ListRuns", "iam:PassRole"]
    assert policy(actions, region="eu-west-1", account="111122223333", run_role="run") == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "omics:StartRun",
                "Resource": [
                    "arn:aws:omics:eu-west-1:111122223333:run/*",
                    "arn:aws:omics:eu-west-1:111122223333:workflow/*",
                    "arn:aws:omics:eu-west-1:111122223333:runGroup/*",
                ],
            },
            {
                "Effect": "Allow",
                "Action": ["omics:TagResource", "omics:GetRun"],
                "Resource": "arn:aws:omics:eu-west-1:111122223333:run/*",
            },
            {"Effect": "Allow", "Action": "omics:ListRuns", "Resource": "*"},
            {
                "Effect": "Allow",
                "Action": "iam:PassRole",
                "Resource": "arn:aws:iam::111122223333:role/run",
                "Condition": {"StringEquals": {"iam:PassedToService": "omics.amazonaws.com"}},
            },
        ],
    }


def test_every_action_of_the_table_has_its_resources() -> None:
    assert {action for use in USES for action in (*use.required, *use.optional)} == set(RESOURCES)


def test_the_table_imports_neither_airflow_nor_botocore() -> None:
    code = "import sys, airflow_omics._iam; print(sorted({'airflow', 'botocore'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
