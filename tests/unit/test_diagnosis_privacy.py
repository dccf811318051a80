"""What programs print reaches no further than it is meant to, and is not read if that is not wanted."""

from __future__ import annotations

import json
import traceback
from typing import Any

import pytest
from botocore.client import BaseClient

from airflow_omics._connection import AwsArguments
from airflow_omics.diagnosis import Diagnosis, diagnose
from airflow_omics.emulator import Life, Stage, Task
from airflow_omics.exceptions import OmicsRunError, OmicsRunNotFoundError
from airflow_omics.get_provider_info import get_provider_info
from airflow_omics.hooks import OmicsHook
from airflow_omics.operators import OmicsDiagnoseRunOperator, OmicsStartRunOperator
from airflow_omics.records import RunRecord, with_status
from airflow_omics.sensors import OmicsRunSensor
from tests.support.sensors import ONE_ATTEMPT, TaskInstance, context_of
from tests.support.start_operators import StartTask

PRINTED = "patient-8c1f1f0e"
FAILED = (Stage("PENDING", 1), Stage("RUNNING", 60), Stage("FAILED"))
LIFE = Life(
    "printing",
    (Stage("PENDING", 2), Stage("STARTING", 60), Stage("RUNNING", 600), Stage("FAILED")),
    failure_reason="RUN_TASK_FAILED",
    status_message="A task failed.",
    engine_log=(f"engine: {PRINTED}",),
    tasks=(Task("Call", stages=FAILED, status_message="exited with code 3", log_lines=(PRINTED, "end")),),
)
ENGINE = Life(
    "engine-printing",
    LIFE.stages,
    failure_reason="WORKFLOW_RUN_FAILED",
    status_message="The engine gave up.",
    engine_log=(f"engine: {PRINTED}",),
)
NOT_READ = "Logs: not read, since this task or [omics] log_tails says so; the commands below show them."


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What CloudWatch Logs was asked for."""
    calls: list[str] = []
    real: Any = BaseClient._make_api_call  # type: ignore[attr-defined]

    def spy(client: Any, operation: str, arguments: Any) -> Any:
        if client.meta.service_model.service_name == "logs":
            calls.append(operation)
        return real(client, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", spy)
    return calls


@pytest.fixture
def not_by_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__OMICS__LOG_TAILS", "False")


def ended(omics: Any, life: Life | str = LIFE, **members: Any) -> str:
    if isinstance(life, Life):
        omics.add_life(life)
        life = life.name
    [run_id] = omics.start_runs(1, life=life, logs=True, **members)
    omics.advance(7200)
    return str(run_id)


def failure_of(run_id: str, ti: TaskInstance, **arguments: Any) -> OmicsRunError:
    sensor = OmicsRunSensor(task_id="gate", run_id=run_id, botocore_config=ONE_ATTEMPT, **arguments)
    with pytest.raises(OmicsRunError) as caught:
        sensor.execute(context_of(ti))
    return caught.value


# -- the error -----------------------------------------------------------------------------------------------


def test_what_programs_print_is_in_the_log_and_in_xcom_and_not_in_the_error(
    omics: Any, asked: list[str], output: Any
) -> None:
    ti = TaskInstance()
    error = failure_of(ended(omics), ti)
    assert asked == ["GetLogEvents"]
    # As OpenLineage makes its errorMessage and stackTrace of it.
    formatted = "".join(traceback.format_exception(error))
    assert PRINTED not in formatted
    lines = str(error).splitlines()
    assert "What it means: A task of the run failed." in lines
    assert "  log: the last 2 lines are in the Airflow task's own log" in lines
    logged = output()
    assert f"  | {PRINTED}" in logged
    assert "Failed task 1: Call (" in logged
    assert logged.count(PRINTED) == logged.count(f"  | {PRINTED}")
    assert f"    | {PRINTED}\n    | end\n" in ti.diagnoses[0]["text"]
    assert ti.diagnoses[0]["tasks"][0]["log"] == [PRINTED, "end"]


def test_what_the_engine_prints_is_not_in_the_error_either(omics: Any, output: Any) -> None:
    error = failure_of(ended(omics, ENGINE), TaskInstance())
    assert "\nEngine log: the last line is in the Airflow task's own log\n" in str(error)
    assert PRINTED not in str(error)
    assert f"  | engine: {PRINTED}" in output()


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_start_s_error_lacks_what_programs_print(
    start_task: StartTask, omics: Any, output: Any, deferrable: bool
) -> None:
    omics.add_life(LIFE)
    omics.default_life = LIFE.name
    done = start_task(deferrable=deferrable)()
    assert isinstance(done.error, OmicsRunError)
    assert "Failed task 1: Call (" in str(done.error)
    assert PRINTED not in "".join(traceback.format_exception(done.error))
    assert PRINTED in done.pushed["diagnosis"]["text"]
    assert f"  | {PRINTED}" in output()


def test_a_gate_that_is_skipped_logs_what_programs_print_once(omics: Any, output: Any) -> None:
    sensor = OmicsRunSensor(task_id="gate", run_id=ended(omics), soft_fail=True, botocore_config=ONE_ATTEMPT)
    with pytest.raises(Exception, match="Skipped, as soft_fail is set"):
        sensor.execute(context_of(TaskInstance()))
    logged = output()
    assert "What it means: A task of the run failed." in logged
    # Each line once, by whichever handlers this Airflow has.
    assert logged.count(f"| {PRINTED}") == logged.count("| end") == logged.count("Failed task 1: Call (")


# -- nothing is read -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "life", [LIFE, ENGINE, "failed-assume-role-failed"], ids=["task", "engine", "never-ran"]
)
def test_without_logs_nothing_is_asked_of_cloudwatch_logs(
    omics: Any, asked: list[str], output: Any, life: Any
) -> None:
    ti = TaskInstance()
    error = failure_of(ended(omics, life), ti, diagnose="without logs")
    assert asked == []
    assert PRINTED not in json.dumps(ti.diagnoses) + str(error) + output()
    assert ti.diagnoses[0]["notes"] == []
    if life == "failed-assume-role-failed":
        assert NOT_READ not in str(error)
    else:
        assert NOT_READ in str(error).splitlines()
        assert any(command.startswith("aws logs get-log-events") for command in ti.diagnoses[0]["commands"])


@pytest.mark.usefixtures("not_by_configuration")
def test_the_configuration_has_the_last_word(omics: Any, asked: list[str], output: Any) -> None:
    ti = TaskInstance()
    error = failure_of(ended(omics), ti, diagnose=True)
    assert asked == []
    assert "Failed task 1: Call (" in str(error)
    assert NOT_READ in str(error).splitlines()
    assert PRINTED not in json.dumps(ti.diagnoses) + str(error) + output()


def test_a_configuration_that_says_neither_reads_nothing(
    omics: Any, asked: list[str], output: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__OMICS__LOG_TAILS", "perhaps")
    assert NOT_READ in str(failure_of(ended(omics), TaskInstance())).splitlines()
    assert asked == []
    assert "No logs are read, since [omics] log_tails is neither True nor False" in output()


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_start_without_logs_asks_nothing_of_cloudwatch_logs(
    start_task: StartTask, omics: Any, asked: list[str], output: Any, deferrable: bool
) -> None:
    omics.add_life(LIFE)
    omics.default_life = LIFE.name
    done = start_task(deferrable=deferrable, diagnose="without logs")()
    assert asked == []
    assert NOT_READ in str(done.error).splitlines()
    assert PRINTED not in json.dumps(done.pushed) + str(done.error) + output()


def test_the_operator_that_explains_a_run_reads_no_logs_if_logs_is_false(
    omics: Any, asked: list[str], output: Any
) -> None:
    task = OmicsDiagnoseRunOperator(
        task_id="explain", run_id=ended(omics), logs=False, botocore_config=ONE_ATTEMPT
    )
    found = task.execute(context_of(TaskInstance()))
    assert asked == []
    assert NOT_READ in found["text"].splitlines()
    assert PRINTED not in json.dumps(found) + output()


@pytest.mark.parametrize("switch", ["argument", "configuration"])
def test_a_run_that_is_forgotten_is_not_looked_for_in_logs_that_may_not_be_read(
    omics: Any, asked: list[str], monkeypatch: pytest.MonkeyPatch, switch: str
) -> None:
    if switch == "configuration":
        monkeypatch.setenv("AIRFLOW__OMICS__LOG_TAILS", "False")
    run_id = ended(omics)
    OmicsHook.of(AwsArguments()).delete_run(run_id)
    task = OmicsDiagnoseRunOperator(
        task_id="explain", run_id=run_id, logs=switch == "configuration", botocore_config=ONE_ATTEMPT
    )
    with pytest.raises(OmicsRunNotFoundError):
        task.execute(context_of(TaskInstance()))
    assert asked == []


@pytest.mark.parametrize("status", ["DELETED", "PENDING", "STARTING", "RUNNING", "STOPPING", "CANCELLED"])
def test_no_status_asks_anything_of_logs_that_may_not_be_read(
    omics: Any, asked: list[str], status: str
) -> None:
    run_id = ended(omics)
    hook = OmicsHook.of(AwsArguments(botocore_config=ONE_ATTEMPT))
    found = diagnose(hook, with_status(hook.get_run(run_id), status), logs=False)
    assert asked == []
    expected = (
        [
            "The run's manifest was not read: it is in CloudWatch Logs, and this task or [omics] log_tails "
            "says that no logs are read."
        ]
        if status == "DELETED"
        else []
    )
    assert found.to_plain()["notes"] == expected


@pytest.mark.parametrize("value", ["no", "", 0, 1, None, "Without logs"], ids=repr)
@pytest.mark.parametrize(
    "task",
    [
        lambda **more: OmicsRunSensor(task_id="t", run_id="1234567", **more),
        lambda **more: OmicsStartRunOperator(
            task_id="t", workflow_id="1234567", role_arn="r", output_uri="s3://b/o", **more
        ),
    ],
    ids=["gate", "start"],
)
def test_diagnose_takes_true_false_or_without_logs(task: Any, value: Any) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        task(diagnose=value)
    assert str(caught.value) == f"diagnose is {value!r}; it takes True, False or 'without logs'."


def test_the_setting_is_declared_with_its_default() -> None:
    option = get_provider_info()["config"]["omics"]["options"]["log_tails"]
    assert (option["type"], option["default"]) == ("boolean", "True")


# -- record_fields -------------------------------------------------------------------------------------------

NEEDED = {"id", "uuid", "arn", "status", "workflowId", "failureReason", "statusMessage"}


def test_record_fields_narrow_the_run_of_the_diagnosis(omics: Any) -> None:
    ti = TaskInstance()
    error = failure_of(ended(omics), ti, record_fields=["stopTime"])
    assert set(ti.diagnoses[0]["run"]) == {*NEEDED, "stopTime"}
    assert set(error.diagnosis.findings.record) == {*NEEDED, "stopTime"}
    assert "When: created " in str(error)


def test_without_record_fields_the_run_of_the_diagnosis_is_as_it_was(omics: Any) -> None:
    ti = TaskInstance()
    failure_of(ended(omics), ti)
    assert {"startedBy", "creationTime", "storageType"} < set(ti.diagnoses[0]["run"])


def explained(omics: Any, status: str, fields: list[str] | None) -> tuple[Diagnosis, RunRecord]:
    hook = OmicsHook.of(AwsArguments(botocore_config=ONE_ATTEMPT))
    record = with_status(hook.get_run(ended(omics)), status)
    return diagnose(hook, record, record_fields=fields), record


@pytest.mark.parametrize("status", ["CANCELLED", "DELETED"])
def test_who_started_a_run_is_not_reported_if_record_fields_leave_that_out(omics: Any, status: str) -> None:
    found, record = explained(omics, status, [])
    assert record["startedBy"] not in json.dumps(found.to_plain()) + found.error_text


def test_who_started_a_run_is_reported_if_record_fields_name_it(omics: Any) -> None:
    found, record = explained(omics, "CANCELLED", ["startedBy"])
    assert f"It had been started by {record['startedBy']}." in found.text
    assert found.to_plain()["run"]["startedBy"] == record["startedBy"]


def test_record_fields_narrow_what_comes_from_the_manifest(omics: Any) -> None:
    found, _ = explained(omics, "DELETED", ["stopTime"])
    assert set(found.to_plain()["manifest"]) == {*NEEDED, "source", "stopTime"}
