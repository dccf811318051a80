"""What a diagnosis finds out, within which bounds, and what it makes of everything that goes wrong."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import boto3
import pytest

from airflow_omics._connection import AwsArguments
from airflow_omics.diagnosis import Diagnosis, diagnose, forgotten_run
from airflow_omics.diagnosis.model import Limits
from airflow_omics.emulator import EmulatorServer, Life, Stage, Task
from airflow_omics.hooks import OmicsHook
from airflow_omics.records import narrow
from tests.support.reports import knows_images
from tests.support.sensors import ONE_ATTEMPT

pytestmark = pytest.mark.any_airflow
GROUP = "/aws/omics/WorkflowLog"
FAILED = (Stage("PENDING", 1), Stage("STARTING", 1), Stage("RUNNING", 60), Stage("FAILED"))
DONE = (Stage("PENDING", 1), Stage("STARTING", 1), Stage("RUNNING", 60), Stage("COMPLETED"))
RUN = (Stage("PENDING", 2), Stage("STARTING", 60), Stage("RUNNING", 1000), Stage("STOPPING", 60))


def failed_run(*tasks: Task, **changes: Any) -> Life:
    values = {
        "failure_reason": "RUN_TASK_FAILED",
        "status_message": "A task failed.",
        "engine_log": ("gave up",),
    }
    return Life("ours", (*RUN, Stage("FAILED")), tasks=tasks, **{**values, **changes})


def failing(name: str = "Call", **changes: Any) -> Task:
    values = {"stages": FAILED, "status_message": "exited with code 3", "log_lines": ("first", "last")}
    return Task(name, **{**values, **changes})


def started(omics: Any, life: Life | str, **members: Any) -> str:
    if isinstance(life, Life):
        omics.add_life(life)
        life = life.name
    # Answers give the time in whole seconds, by their Date.
    omics.advance(1.25 - omics.now() % 1)
    [run_id] = omics.start_runs(1, life=life, logs=True, **members)
    omics.advance(7200)
    return str(run_id)


def hook() -> OmicsHook:
    return OmicsHook.of(AwsArguments(botocore_config=ONE_ATTEMPT))


def explained(omics: Any, life: Life | str, limits: Limits | None = None, **members: Any) -> Diagnosis:
    run_id = started(omics, life, **members)
    reader = hook()
    return diagnose(reader, reader.get_run(run_id), limits=limits)


# -- tasks ---------------------------------------------------------------------------------------------------


def test_the_failing_tasks_own_reason_is_the_cause_of_a_run_that_only_says_that_a_task_failed(
    omics: Any,
) -> None:
    diagnosis = explained(omics, failed_run(failing(failure_reason="OUT_OF_MEMORY_ERROR")))
    assert diagnosis.failure is not None
    assert diagnosis.failure.failure_class == "settings"
    assert (
        "What it means: A task of the run failed. The task's own reason is OUT_OF_MEMORY_ERROR: A task used "
        "more memory than it had asked for." in diagnosis.text
    )


def test_tasks_that_failed_for_different_reasons_are_no_single_cause(omics: Any) -> None:
    tasks = (failing("A", failure_reason="OUT_OF_MEMORY_ERROR"), failing("B", failure_reason="SERVICE_ERROR"))
    diagnosis = explained(omics, failed_run(*tasks))
    assert diagnosis.to_plain()["class"] == "look inside"


def test_a_task_is_reported_with_message_exit_code_image_machine_and_log(omics: Any) -> None:
    task = failing(cpus=2, memory=8, instance_type="omics.m.large", image="registry.example/gatk:4")
    [found] = explained(omics, failed_run(task)).to_plain()["tasks"]
    assert {key: found[key] for key in ("name", "status", "status_message", "exit_code")} == {
        "name": "Call",
        "status": "FAILED",
        "status_message": "exited with code 3",
        "exit_code": 3,
    }
    assert found["image"] == ("registry.example/gatk:4" if knows_images() else None)
    assert (found["instance_type"], found["cpus"], found["memory"]) == ("omics.m.large", 2, 8)
    assert found["log"] == ["first", "last"]


def test_a_failed_attempt_whose_retry_completed_is_recognised_and_is_not_the_failure(omics: Any) -> None:
    retried = (failing("Align"), Task("Align", at=100, stages=DONE))
    diagnosis = explained(omics, failed_run(*retried, failing("Call", at=200)))
    plain = diagnosis.to_plain()
    assert [task["name"] for task in plain["tasks"]] == ["Call"]
    assert [task["name"] for task in plain["retried_tasks"]] == ["Align"]
    assert "Tasks: 1 failed, 1 completed." in diagnosis.text
    assert "Failed attempts that were followed by another of the same task: Align (" in diagnosis.text


def test_of_a_task_that_failed_at_each_attempt_the_last_attempt_is_the_failure(omics: Any) -> None:
    plain = explained(omics, failed_run(failing(status_message="one"), failing(at=100, status_message="two")))
    [task], [earlier] = plain.to_plain()["tasks"], plain.to_plain()["retried_tasks"]
    assert task["status_message"] == "two"
    assert earlier["task_id"] != task["task_id"]


def test_if_every_failed_attempt_was_made_good_the_engine_log_is_shown(omics: Any) -> None:
    diagnosis = explained(omics, failed_run(failing("Align"), Task("Align", at=100, stages=DONE)))
    assert diagnosis.to_plain()["failed_tasks"] == 0
    assert diagnosis.to_plain()["engine_log"] == ["gave up"]


def test_cached_tasks_without_times_are_counted(omics: Any) -> None:
    cached = Task("Align", stages=DONE, cache_hit=True, cache_s3_uri="s3://cache/a")
    diagnosis = explained(omics, failed_run(cached, Task("Sort", stages=DONE), failing()))
    assert "Tasks: 1 failed, 2 completed (1 of them from the run cache)." in diagnosis.text


def test_the_earliest_to_fail_is_shown_first_and_no_more_than_asked_for(omics: Any) -> None:
    tasks = [failing(f"T{number}", at=600 - 100 * number) for number in range(5)]
    diagnosis = explained(omics, failed_run(*tasks), Limits(max_tasks=2))
    assert [task["name"] for task in diagnosis.to_plain()["tasks"]] == ["T4", "T3"]
    assert "Tasks: 5 failed, 0 completed, the first 2 to fail are shown." in diagnosis.text


def test_no_task_and_no_line_may_be_asked_for(omics: Any) -> None:
    diagnosis = explained(omics, failed_run(failing()), Limits(max_tasks=0, max_lines=0))
    assert "Tasks: 1 failed, 0 completed, none is shown." in diagnosis.text
    assert "log, the last" not in diagnosis.text


def test_a_run_of_5000_tasks_is_explained_with_few_calls(omics: Any) -> None:
    tasks = [
        failing(f"F{number}") if number % 2 else Task(f"D{number}", stages=DONE) for number in range(5000)
    ]
    run_id = started(omics, failed_run(*tasks))
    reader = hook()
    record = reader.get_run(run_id)
    before = omics.counts()
    began = time.monotonic()
    diagnosis = diagnose(reader, record)
    assert time.monotonic() - began < 35
    calls = {name: count - before.get(name, 0) for name, count in omics.counts().items()}
    assert calls["ListRunTasks"] <= 22
    assert calls.get("GetRunTask", 0) <= 5
    assert "Tasks: 1,000 or more failed" in diagnosis.text
    assert len(diagnosis.text) < 20_000


def test_a_run_that_never_ran_has_no_tasks_and_nothing_is_asked_about_them(omics: Any) -> None:
    diagnosis = explained(omics, "failed-assume-role-failed")
    assert "Tasks: none; the run ended before it was RUNNING." in diagnosis.text
    assert "ListRunTasks" not in omics.counts()


def test_a_record_that_was_narrowed_is_read_again(omics: Any) -> None:
    run_id = started(omics, failed_run(failing()))
    reader = hook()
    record = narrow(reader.get_run(run_id), ("uuid", "failureReason"))
    text = diagnose(reader, record).text
    assert "Failed task 1: Call (" in text
    assert "ended " in text


# -- run groups and cancels ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "limits", "sentence"),
    [
        (
            {},
            None,
            "it ran in no run group, so it was the account's quota (maximum run duration, 7 days by default) "
            "or, for a Ready2Run workflow, that workflow's own.",
        ),
        ({"runGroupId": "77"}, {"max_duration": 15}, "its run group 77 allows 15 minutes (maxDuration)."),
        (
            {"runGroupId": "77"},
            {"max_duration": 9000},
            "its run group 77 allows 9000 minutes (maxDuration), more than it ran: it was the account's "
            "quota, or the run group has been changed since.",
        ),
        (
            {"runGroupId": "77"},
            {"max_runs": 3},
            "its run group 77 sets no maxDuration, so it was the account's quota.",
        ),
        (
            {"runGroupId": "77"},
            None,
            "maxDuration of its run group 77, or the account's quota (7 days by default).",
        ),
    ],
)
def test_a_run_that_timed_out_is_reported_with_its_limit(
    omics: Any, members: dict[str, str], limits: dict[str, int] | None, sentence: str
) -> None:
    if limits is not None:
        omics.run_group("77", region_name="us-east-1", **limits)
    life = failed_run(failure_reason="RUN_TIMED_OUT", status_message="Run timeout after 15 minutes.")
    assert f"Which limit: {sentence}" in explained(omics, life, **members).text


def test_tasks_under_way_when_a_run_was_cancelled_are_named_and_so_is_where_the_canceller_is_recorded(
    omics: Any,
) -> None:
    slow = Task("Slow", stages=(Stage("PENDING", 1), Stage("RUNNING", 9000), Stage("COMPLETED")))
    diagnosis = explained(omics, Life("ours", (*RUN, Stage("CANCELLED")), tasks=(slow,)))
    assert "Not finished when the run ended: Slow (" in diagnosis.text
    assert "AWS CloudTrail does, for 90 days, as the event CancelRun." in diagnosis.text
    assert (
        "aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=CancelRun "
        "--region us-east-1" in diagnosis.commands
    )


# -- what goes wrong -----------------------------------------------------------------------------------------


def test_denied_logs_are_one_line_that_names_the_action_to_allow(omics: Any) -> None:
    omics.fault("GetLogEvents", "access-denied")
    diagnosis = explained(omics, failed_run(failing("A"), failing("B"), failing("C")))
    [note] = diagnosis.to_plain()["notes"]
    assert note.startswith("The log of task A (")
    assert "AccessDeniedException" in note
    assert note.endswith("Allow logs:GetLogEvents to the caller.")
    assert "Failed task 3: C (" in diagnosis.text


@pytest.mark.parametrize("operation", ["ListRunTasks", "GetRunTask"])
def test_a_denied_call_is_one_line_that_names_the_action_to_allow(omics: Any, operation: str) -> None:
    omics.fault(operation, "access-denied")
    [note] = explained(omics, failed_run(failing("A"), failing("B"))).to_plain()["notes"]
    assert note.endswith(f"Allow omics:{operation} to the caller.")


def test_if_the_tasks_may_not_be_listed_the_engine_log_is_shown(omics: Any) -> None:
    omics.fault("ListRunTasks", "access-denied")
    diagnosis = explained(omics, failed_run(failing()))
    assert "Engine log, the last line:\n  | gave up" in diagnosis.text
    assert "\nTasks:" not in diagnosis.text


@pytest.mark.parametrize(
    "kind", ["throttle", "internal-error", "drop", "html", "hang", "validation", "not-found"]
)
@pytest.mark.parametrize("operation", ["ListRunTasks", "GetRunTask", "GetRunGroup"])
def test_no_fault_of_a_call_is_the_cause_of_another_failure(omics: Any, operation: str, kind: str) -> None:
    life = failed_run(failing(), failure_reason="RUN_TIMED_OUT")
    omics.fault(operation, kind)
    diagnosis = explained(omics, life, runGroupId="7")
    assert diagnosis.text.startswith("HealthOmics run ")
    assert diagnosis.to_plain()["notes"]
    json.dumps(diagnosis.to_plain())


@pytest.mark.parametrize("kind", ["throttle", "internal-error", "validation", "expired-token", "not-found"])
def test_no_fault_of_the_logs_is_the_cause_of_another_failure(omics: Any, kind: str) -> None:
    omics.fault("GetLogEvents", kind)
    diagnosis = explained(omics, failed_run(failing()))
    assert "Failed task 1: Call (" in diagnosis.text
    assert len(diagnosis.to_plain()["notes"]) == 1


@pytest.mark.parametrize(
    "answer",
    [{}, {"items": None}, {"items": [{}]}, {"items": [{"name": None, "status": 7, "startTime": None}]}],
)
def test_an_answer_that_makes_no_sense_is_no_reason_to_fail(
    omics: Any, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]
) -> None:
    run_id = started(omics, failed_run(failing()))
    reader = hook()
    record = reader.get_run(run_id)
    client: Any = reader.conn
    monkeypatch.setattr(client, "list_run_tasks", lambda **_: answer)
    monkeypatch.setattr(client, "get_run_task", lambda **_: {"imageDetails": 3, "statusMessage": ["x"]})
    diagnosis = diagnose(reader, record)
    assert "RUN_TASK_FAILED" in diagnosis.text
    json.dumps(diagnosis.to_plain())


def test_a_record_of_nothing_but_an_id_and_a_status_is_explained(omics: Any) -> None:
    assert diagnose(hook(), {"id": "1234567", "status": "FAILED"}).text.startswith(
        "HealthOmics run 1234567 is FAILED.\n\nWhat it means: HealthOmics gave no reason."
    )


def test_a_connection_that_does_not_work_is_a_line_of_the_report(
    omics: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect("broken")
    reader = OmicsHook.of(AwsArguments("broken"))
    record: Any = {"id": "1234567", "status": "FAILED", "creationTime": "2026-01-15T12:00:00Z"}
    diagnosis = diagnose(reader, {**record, "startTime": "2026-01-15T12:10:00Z"})
    assert "no AWS Region is set" in diagnosis.text


def test_an_empty_log_and_a_missing_one_are_reported_differently(omics: Any) -> None:
    run_id = started(omics, failed_run(failing("Silent", log_lines=()), failing("Empty", at=5, log_lines=())))
    reader = hook()
    empty = next(task for task in reader.list_run_tasks(run_id) if task["name"] == "Empty")
    logs = boto3.client("logs", region_name="us-east-1")
    logs.create_log_stream(logGroupName=GROUP, logStreamName=f"run/{run_id}/task/{empty['taskId']}")
    diagnosis = diagnose(reader, reader.get_run(run_id))
    assert "  log: empty" in diagnosis.text
    [note] = diagnosis.to_plain()["notes"]
    assert note.startswith("The log of task Silent (")
    assert note.endswith(") does not exist: the task printed nothing, or logs were off.")


def test_a_missing_log_group_is_one_line_for_each_log(omics: Any) -> None:
    [note] = explained(omics, failed_run(failing()), logLevel="OFF").to_plain()["notes"]
    assert note.endswith("does not exist: the task printed nothing, or logs were off.")


def test_escapes_bytes_and_secrets_of_a_log_do_not_reach_the_report(omics: Any) -> None:
    lines = ("\x1b[31mERROR\x1b[0m \x00\x01\ufffd", "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMIbPxRfiCY")
    plain = explained(omics, failed_run(failing(log_lines=lines))).to_plain()
    assert plain["tasks"][0]["log"] == ["ERROR", "AWS_SECRET_ACCESS_KEY=***"]
    assert "wJalrXUtn" not in json.dumps(plain)


def test_of_a_long_log_the_last_lines_are_read(omics: Any) -> None:
    lines = tuple(f"line {number}" for number in range(500))
    plain = explained(omics, failed_run(failing(log_lines=lines)), Limits(max_lines=3)).to_plain()
    assert plain["tasks"][0]["log"] == ["line 497", "line 498", "line 499"]


def test_lines_of_another_run_that_had_the_id_before_are_left_out(omics: Any) -> None:
    run_id = started(omics, failed_run(failing()))
    reader = hook()
    record = reader.get_run(run_id)
    stream = f"run/{run_id}/engine"
    logs = boto3.client("logs", region_name="us-east-1")
    earlier = int(omics.now() * 1000) - 86_400_000
    logs.put_log_events(
        logGroupName=GROUP, logStreamName=stream, logEvents=[{"timestamp": earlier, "message": "not ours"}]
    )
    omics.fault("ListRunTasks", "access-denied")
    assert "not ours" not in diagnose(reader, record).text


def test_a_service_that_hangs_holds_nobody_longer_than_the_limit(connect: Any) -> None:
    with EmulatorServer(seed=1) as server:
        server.control.add_life(failed_run(failing()))
        [run_id] = server.control.start_runs(1, life="ours")
        server.control.advance(7200)
        connect(
            login="access", password="secret-key", region_name="us-east-1", endpoint_url=server.endpoint_url
        )
        reader = hook()
        record = reader.get_run(run_id)
        server.control.fault("GetRunTask", "hang")
        began = time.monotonic()
        diagnosis = diagnose(reader, record, limits=Limits(max_seconds=2))
        assert time.monotonic() - began < 5
        assert diagnosis.to_plain()["notes"] == [
            "The search ended after 2 s, its limit; there may be more to find."
        ]
        assert "Failed task 1: Call (" in diagnosis.text


# -- the manifest --------------------------------------------------------------------------------------------


def manifest(omics: Any, run_id: str, uuid: str, *lines: Any, ago: float = 0) -> None:
    logs = boto3.client("logs", region_name="us-east-1")
    stream = f"manifest/run/{run_id}/{uuid}"
    with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    events = [
        {
            "timestamp": int((omics.now() - ago) * 1000),
            "message": line if isinstance(line, str) else json.dumps(line),
        }
        for line in lines
    ]
    logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)


ARN = "arn:aws:omics:us-east-1:123456789012"
RUN_LINE = {
    "arn": f"{ARN}:run/8192875",
    "uuid": "0ac95438-54ee-6348-a98d-4cadd3b692cd",
    "name": "sample-1",
    "status": "FAILED",
    "failureReason": "RUN_TASK_FAILED",
    "statusMessage": None,
    "workflow": f"{ARN}:workflow/1234567",
    "runGroup": f"{ARN}:runGroup/77",
    "creationTime": "2024-10-20T05:26:46.789Z",
    "startTime": "2024-10-20T05:37:57",
    "stopTime": "2024-10-20T07:02:53Z",
    "parameters": {"patient": "P-4711"},
}
TASK_LINE = {
    "arn": f"{ARN}:task/1637537",
    "run": f"{ARN}:run/8192875",
    "name": "GenomeSize",
    "status": "FAILED",
    "failureReason": "OUT_OF_MEMORY_ERROR",
    "creationTime": None,
    "startTime": None,
    "stopTime": "2024-10-20T05:43:51Z",
    "instanceType": "omics.c.large",
    "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/amazonlinux:2023",
    "cpus": 1.0,
    "memory": None,
}


def test_a_forgotten_run_is_rebuilt_from_its_manifest(omics: Any) -> None:
    manifest(omics, "8192875", RUN_LINE["uuid"], RUN_LINE, TASK_LINE)
    assert forgotten_run(hook(), "8192875") == {
        "id": "8192875",
        "arn": "arn:aws:omics:us-east-1:123456789012:run/8192875",
        "uuid": "0ac95438-54ee-6348-a98d-4cadd3b692cd",
        "name": "sample-1",
        "status": "FAILED",
        "failureReason": "RUN_TASK_FAILED",
        "workflowId": "1234567",
        "runGroupId": "77",
        "creationTime": "2024-10-20T05:26:46.789000+00:00",
        "startTime": "2024-10-20T05:37:57+00:00",
        "stopTime": "2024-10-20T07:02:53+00:00",
        "parameters": {"patient": "P-4711"},
        "source": "manifest",
    }


def test_a_manifest_with_whole_second_times_nulls_cached_tasks_and_no_json_is_reported(omics: Any) -> None:
    cached = {"arn": f"{ARN}:task/5", "name": "Align", "status": "COMPLETED", "cacheHit": True}
    manifest(
        omics, "8192875", RUN_LINE["uuid"], "not JSON", "[]", "null", {"arn": 3}, TASK_LINE, cached, RUN_LINE
    )
    reader = hook()
    record = forgotten_run(reader, "8192875")
    assert record is not None
    diagnosis = diagnose(reader, record)
    text = diagnosis.text
    assert text.startswith(
        "HealthOmics run 8192875 'sample-1' of workflow 1234567 is FAILED: RUN_TASK_FAILED. HealthOmics has "
        "forgotten it; this is what its manifest says."
    )
    assert "ended 2024-10-20 07:02:53 UTC, 1 h 24 min after its start." in text
    assert "Tasks: 1 failed, 1 completed (1 of them from the run cache)." in text
    assert "Failed task 1: GenomeSize (1637537), on omics.c.large (asked for 1 vCPU)" in text
    assert "  reason: OUT_OF_MEMORY_ERROR: A task used more memory than it had asked for." in text
    plain = diagnosis.to_plain()
    assert plain["run"]["source"] == "manifest"
    assert plain["class"] == "settings"
    assert "P-4711" not in json.dumps(plain)


def test_of_several_runs_that_had_an_id_the_newest_is_reported(omics: Any) -> None:
    manifest(
        omics, "8192875", "11111111-54ee-6348-a98d-4cadd3b692cd", {**RUN_LINE, "name": "older"}, ago=86_400
    )
    manifest(omics, "8192875", RUN_LINE["uuid"], RUN_LINE)
    record = forgotten_run(hook(), "8192875")
    assert record is not None
    assert record["name"] == "sample-1"
    older = forgotten_run(hook(), "8192875", "11111111-54ee-6348-a98d-4cadd3b692cd")
    assert older is not None
    assert older["name"] == "older"


def test_a_run_without_a_manifest_is_not_rebuilt(omics: Any) -> None:
    assert forgotten_run(hook(), "8192875") is None
    assert forgotten_run(hook(), "8192875", "0ac95438-54ee-6348-a98d-4cadd3b692cd") is None


def test_a_deleted_run_is_reported_with_how_it_had_ended(omics: Any) -> None:
    run_id = started(omics, failed_run(failing(failure_reason="OUT_OF_MEMORY_ERROR")))
    reader = hook()
    record = {**reader.get_run(run_id), "status": "DELETED"}
    omics.vanish(run_id)
    text = diagnose(reader, record).text  # type: ignore[arg-type]
    assert "How it had ended, by its manifest: FAILED: RUN_TASK_FAILED: A task failed." in text
    assert "Failed task 1: Call (" in text
    assert "    | last" in text


def test_a_denied_manifest_is_one_line_that_names_the_action_to_allow(omics: Any) -> None:
    run_id = started(omics, "completed")
    reader = hook()
    record: Any = {**reader.get_run(run_id), "status": "DELETED"}
    omics.fault("GetLogEvents", "access-denied")
    [note] = diagnose(reader, record).to_plain()["notes"]
    assert note.endswith("Allow logs:GetLogEvents to the caller.")


# -- a run that goes on --------------------------------------------------------------------------------------


def test_a_run_in_a_full_run_group_waits_for_its_max_runs(omics: Any) -> None:
    omics.run_group("77", region_name="us-east-1", max_runs=2, max_cpus=3000)
    first, second = omics.start_runs(2, life="running-forever", runGroupId="77")
    diagnosis = explained(omics, "pending-forever", runGroupId="77")
    assert "Since when: PENDING for 2 h, since " in diagnosis.text
    assert "Run group 77 allows 2 runs (maxRuns), 3000 vCPUs (maxCpus)." in diagnosis.text
    assert f"Runs of the group that are past PENDING: 2 ({first}, {second})." in diagnosis.text
    assert (
        "What it waits for: maxRuns of the group; it starts when another of its runs has ended."
        in diagnosis.text
    )
    assert diagnosis.failure is None
    assert diagnosis.to_plain()["class"] is None


def test_five_runs_of_a_large_run_group_are_named(omics: Any) -> None:
    omics.run_group("77", region_name="us-east-1", max_runs=7)
    ids = omics.start_runs(7, life="running-forever", runGroupId="77")
    text = explained(omics, "pending-forever", runGroupId="77").text
    [line] = [
        line for line in text.splitlines() if line.startswith("Runs of the group that are past PENDING")
    ]
    assert line.startswith("Runs of the group that are past PENDING: 7 (")
    assert line.endswith(", ...).")
    assert sum(run_id in line for run_id in ids) == 5


def test_what_cannot_be_known_of_a_waiting_run_is_said(omics: Any) -> None:
    omics.run_group("77", region_name="us-east-1", max_runs=2)
    diagnosis = explained(omics, "pending-forever", runGroupId="77")
    assert (
        "What it waits for: not maxRuns of the group. Its vCPUs and GPUs in use, and the account's own "
        "quotas, cannot be seen from here." in diagnosis.text
    )


def test_a_run_group_that_may_not_be_read_is_a_line_of_the_report(omics: Any) -> None:
    omics.fault("GetRunGroup", "access-denied")
    diagnosis = explained(omics, "pending-forever", runGroupId="77")
    [note] = diagnosis.to_plain()["notes"]
    assert note.startswith("The limits of run group 77 could not be read: ")
    assert note.endswith("Allow omics:GetRunGroup to the caller.")


def test_a_running_run_is_reported_with_its_tasks(omics: Any) -> None:
    forever = (Stage("PENDING", 1), Stage("RUNNING", 900_000), Stage("COMPLETED"))
    waiting = (Stage("PENDING", 900_000), Stage("COMPLETED"))
    life = Life(
        "ours",
        (Stage("PENDING", 2), Stage("STARTING", 60), Stage("RUNNING")),
        tasks=(
            Task("Slow", stages=forever),
            Task("Next", stages=waiting),
            Task("Done", stages=DONE),
            failing(),
        ),
    )
    diagnosis = explained(omics, life)
    assert "Since when: RUNNING for 1 h 58 min, since " in diagnosis.text
    assert "Tasks: 1 RUNNING, 1 PENDING, 1 FAILED, 1 COMPLETED." in diagnosis.text
    assert "Under way: Slow (" in diagnosis.text


def test_if_the_run_log_is_denied_it_is_not_known_since_when_a_run_is_starting(omics: Any) -> None:
    omics.fault("GetLogEvents", "access-denied")
    diagnosis = explained(omics, "starting-forever")
    assert "Since when: not known; it was created " in diagnosis.text
