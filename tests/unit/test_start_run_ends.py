"""How a start operator waits, is refused, times out, runs again with other settings, and what it leaves."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_omics._compat import AirflowFailException
from airflow_omics.exceptions import OmicsAccessError, OmicsRequestError
from tests.support.sensors import KEYS_FOR_PAGES, Clock
from tests.support.start_operators import (
    ROLE,
    StartTask,
    Store,
    TaskDeferred,
    TaskInstance,
    WorkerDied,
    die_once,
    read,
    started,
)

MODES = pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferrable"])
RERUN = {"OUT_OF_MEMORY_ERROR": {"storage_type": "DYNAMIC", "parameters": {"memory": 64}}}


# -- what AWS refuses ----------------------------------------------------------------------------------------


def test_a_full_account_says_what_to_do(start_task: StartTask, omics: Any) -> None:
    omics.fault("StartRun", "quota")
    done = start_task()()
    assert isinstance(done.error, OmicsRequestError)
    said = str(done.error)
    assert said.startswith("StartRun: ServiceQuotaExceededException: The request exceeds a service quota.")
    assert "(request id " in said
    assert "delete some (OmicsDeleteRunOperator), start runs with retention_mode='REMOVE'" in said
    assert omics.counts()["StartRun"] == 1


def test_a_denied_start_names_the_action(start_task: StartTask, omics: Any) -> None:
    omics.fault("StartRun", "access-denied")
    done = start_task()()
    assert isinstance(done.error, OmicsAccessError)
    assert str(done.error).startswith("StartRun: AccessDeniedException: User: ")
    assert "(request id " in str(done.error)
    assert str(done.error).endswith("Allow omics:StartRun to the caller.")
    assert omics.counts()["StartRun"] == 1


def test_what_only_aws_can_judge_comes_back_as_aws_said_it(start_task: StartTask, omics: Any) -> None:
    omics.fault("StartRun", "validation", message="Workflow 1234567 was not found")
    done = start_task()()
    assert isinstance(done.error, OmicsRequestError)
    assert str(done.error).startswith(
        "StartRun: ValidationException: Workflow 1234567 was not found (request id "
    )


def test_credentials_that_expire_are_tolerated_for_minutes(start_task: StartTask, omics: Any) -> None:
    omics.default_life = "completed"
    omics.fault("StartRun", "expired-token", times=3)
    assert start_task()().kind == "success"
    assert len(started(omics)) == 1
    omics.fault("StartRun", "expired-token")
    assert start_task(run_id="manual__2")().kind == "OmicsAccessError"


# -- throttling ----------------------------------------------------------------------------------------------


@pytest.mark.any_airflow
def test_200_mapped_starts_against_one_a_second_are_200_runs(
    start_task: StartTask, omics: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The limit also counts on this clock: as many tries as a pool of 20 would make, in minutes of its time.
    monkeypatch.setattr("airflow_omics.emulator.world.limits.time", clock)
    omics.limit("StartRun", 1)
    omics.default_life = "running-forever"
    clock.limit = 100_000
    for index in range(200):
        done = start_task(map_index=index, wait_for_completion=False)()
        assert done.kind == "success", done.error
    assert len(started(omics)) == 200
    assert omics.counts()["StartRun"] > 300  # most were thrown back at least once


def test_throttling_without_end_fails_after_two_hours(
    start_task: StartTask, omics: Any, clock: Clock
) -> None:
    omics.fault("StartRun", "throttle")
    done = start_task()()
    assert done.kind == "OmicsError"
    assert str(done.error).startswith("StartRun: ThrottlingException: Rate exceeded (request id ")
    assert 7200 < clock.passed() < 7300


# -- timeouts ------------------------------------------------------------------------------------------------


@MODES
@pytest.mark.parametrize("limit", ["wait_timeout", "execution_timeout"])
@pytest.mark.parametrize(("on_timeout", "status"), [("fail", "RUNNING"), ("cancel", "CANCELLED")])
def test_at_a_timeout_the_run_is_left_or_cancelled(
    start_task: StartTask, omics: Any, deferrable: bool, limit: str, on_timeout: str, status: str
) -> None:
    if limit == "execution_timeout" and not deferrable:
        return  # Airflow's own, in a worker: see the kills
    omics.default_life = "running-forever"
    value: Any = 7200 if limit == "wait_timeout" else datetime.timedelta(hours=2)
    task = start_task(deferrable=deferrable, on_timeout=on_timeout, store=Store(), **{limit: value})
    done = task()
    assert done.kind == ("OmicsRunTimeoutError" if limit == "wait_timeout" else "AirflowTaskTimeout")
    [run_id] = started(omics)
    assert f"of workflow 1234567 is RUNNING at the task's {limit}." in str(done.error)
    assert read(run_id)["status"] == status
    assert done.pushed["return_value"]["status"] == status
    omics.default_life = "completed"
    if on_timeout == "fail":
        omics.move(run_id, "COMPLETED")
    retried = task()
    assert retried.kind == "success"
    assert len(started(omics)) == (1 if on_timeout == "fail" else 2)


def test_a_timeout_cancels_with_credentials_that_are_alive(
    start_task: StartTask, omics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client that started the run may be hours old by then, and its keys rotated."""
    from botocore.exceptions import ClientError

    from airflow_omics.hooks import OmicsHook

    omics.default_life = "running-forever"
    cancel_run, clients = OmicsHook.cancel_run, []

    def cancel_unless_rotated(self: Any, run_id: str) -> None:
        clients.append(self)
        if self is clients[0]:
            error = {"Code": "ExpiredTokenException", "Message": "rotated"}
            raise ClientError(
                {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 403}},  # type: ignore[typeddict-item]
                "CancelRun",
            )
        cancel_run(self, run_id)

    monkeypatch.setattr(OmicsHook, "cancel_run", cancel_unless_rotated)
    start_task(wait_timeout=600, on_timeout="cancel")()
    [run_id] = started(omics)
    assert read(run_id)["status"] == "CANCELLED"
    assert len(clients) == 2


@pytest.mark.parametrize("end", ["COMPLETED", "timeout"])
def test_a_deferred_start_ends_though_its_parameter_file_is_gone_by_then(
    start_task: StartTask,
    omics: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    end: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.json").write_text('{"sample": "NA12878"}')
    omics.default_life = "completed" if end == "COMPLETED" else "running-forever"
    task = start_task(deferrable=True, parameters="p.json", wait_timeout=7200, on_timeout="cancel")
    fire = task.fire

    def fire_without_the_file(trigger: Any) -> Any:
        (tmp_path / "p.json").unlink()
        return fire(trigger)

    task.fire = fire_without_the_file
    done = task()
    [run_id] = started(omics)
    if end == "COMPLETED":
        assert (done.kind, done.result["status"]) == ("success", "COMPLETED")
    else:
        assert (done.kind, read(run_id)["status"]) == ("OmicsRunTimeoutError", "CANCELLED")


def test_a_deferred_start_has_no_timeout_of_airflow_s(start_task: StartTask, omics: Any) -> None:
    """If no triggerer was up at the deadline, Airflow's own would end it without ``on_timeout``."""
    task = start_task(deferrable=True, wait_timeout=7200, on_timeout="cancel")
    task.try_number = 1
    with pytest.raises(TaskDeferred) as deferred:
        task.make().execute(task.context(TaskInstance(task)))
    assert deferred.value.timeout is None
    assert deferred.value.trigger.timeout_at - deferred.value.trigger.started_at == pytest.approx(7200, abs=5)


@MODES
def test_a_run_that_completes_while_it_is_cancelled_is_a_success(
    start_task: StartTask, omics: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch, deferrable: bool
) -> None:
    from airflow_omics.hooks import OmicsHook

    omics.default_life = "running-forever"
    cancel_run = OmicsHook.cancel_run

    def too_late(self: Any, run_id: str) -> None:
        omics.move(run_id, "COMPLETED")
        cancel_run(self, run_id)

    monkeypatch.setattr(OmicsHook, "cancel_run", too_late)
    done = start_task(deferrable=deferrable, wait_timeout=600, on_timeout="cancel")()
    assert (done.kind, done.result["status"]) == ("success", "COMPLETED")


def test_a_run_never_read_while_deferred_is_cancelled_at_the_timeout(
    start_task: StartTask, omics: Any, clock: Clock
) -> None:
    omics.default_life = "running-forever"
    task = start_task(deferrable=True, wait_timeout=600, on_timeout="cancel")

    def blind() -> None:
        omics.fault("GetRun", "internal-error")
        clock.at(630, omics.clear_faults)

    clock.at(0.0001, blind)
    fire = task.fire

    def fire_blindly(trigger: Any) -> Any:
        clock.sleep(1)
        return fire(trigger)

    task.fire = fire_blindly
    done = task()
    assert done.kind == "OmicsRunTimeoutError"
    [run_id] = started(omics)
    assert f"HealthOmics run {run_id} could not be read at the task's wait_timeout." in str(done.error)
    assert read(run_id)["status"] == "CANCELLED"


@MODES
def test_a_timeout_under_transient_errors_says_what_was_seen_last_and_why_no_more(
    start_task: StartTask, omics: Any, clock: Clock, deferrable: bool
) -> None:
    omics.default_life = "running-forever"
    clock.at(5000, omics.fault, "GetRun", "internal-error")
    done = start_task(deferrable=deferrable, wait_timeout=7200)()
    assert done.kind == "OmicsRunTimeoutError"
    seen = "was RUNNING when last seen; it could not be read at the task's wait_timeout."
    assert f"{seen} The last look failed: " in str(done.error)
    assert "InternalServerException" in str(done.error)


def test_execution_timeout_while_deferred_leaves_time_to_resume(start_task: StartTask, omics: Any) -> None:
    # Airflow 2.11 counts on, and ends a task that resumes too late before it can do anything.
    omics.default_life = "running-forever"
    done = start_task(deferrable=True, execution_timeout=datetime.timedelta(hours=2))()
    [trigger] = done.triggers
    assert round(trigger.timeout_at - trigger.started_at) == 7140


# -- reruns and retries --------------------------------------------------------------------------------------


@MODES
@pytest.mark.parametrize("stored", [False, True], ids=["no-store", "store"])
def test_a_rerun_changes_the_settings_and_stays_within_the_try(
    start_task: StartTask, omics: Any, deferrable: bool, stored: bool, clock: Clock
) -> None:
    omics.default_life = "failed-out-of-memory-error"
    task = start_task(
        deferrable=deferrable,
        store=Store() if stored else None,
        rerun_with=RERUN,
        storage_type="STATIC",
        parameters={"sample": "a", "memory": 8},
    )

    def mend() -> None:
        omics.default_life = "completed"

    clock.at(30, mend)
    done = task()
    assert (done.kind, len(started(omics))) == ("success", 2)
    first, second = (read(run_id) for run_id in started(omics))
    assert (first["storageType"], first["parameters"]) == ("STATIC", {"sample": "a", "memory": 8})
    assert (second["storageType"], second["parameters"]) == ("DYNAMIC", {"sample": "a", "memory": 64})
    assert done.pushed["attempts"] == [
        {"generation": 0, "id": first["id"], "status": "FAILED", "failureReason": "OUT_OF_MEMORY_ERROR"},
        {"id": second["id"], "status": "COMPLETED"},
    ]


@MODES
@pytest.mark.parametrize(("max_reruns", "runs"), [(0, 1), (1, 2), (3, 4)])
def test_there_are_no_more_reruns_than_max_reruns(
    start_task: StartTask, omics: Any, deferrable: bool, max_reruns: int, runs: int
) -> None:
    omics.default_life = "failed-out-of-memory-error"
    task = start_task(deferrable=deferrable, rerun_with=RERUN, max_reruns=max_reruns)
    assert task().kind == "OmicsRunFailedError"
    assert len(started(omics)) == runs
    # Airflow's own retry starts one more, with the changed settings, and no rerun of it.
    assert task().kind == "OmicsRunFailedError"
    assert len(started(omics)) == runs + 1
    assert ("memory" in read(started(omics)[-1]).get("parameters", {})) == (max_reruns > 0)


@pytest.mark.parametrize("stored", [False, True], ids=["no-store", "store"])
def test_a_worker_that_dies_during_a_rerun_costs_none(
    start_task: StartTask, omics: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch, stored: bool
) -> None:
    omics.default_life = "failed-out-of-memory-error"
    omics.repeat_request_id("forgotten")
    task = start_task(store=Store() if stored else None, rerun_with=RERUN)

    def mend() -> None:
        omics.default_life = "completed"
        die_once(monkeypatch, "unanswered", omics)

    clock.at(30, mend)
    assert isinstance(task().error, WorkerDied)
    done = task()
    assert done.kind == "success"
    assert [end["id"] for end in done.pushed["attempts"]] == started(omics)
    assert len(started(omics)) == 2
    assert read(started(omics)[1])["storageType"] == "DYNAMIC"


def test_a_reason_that_has_no_rerun_fails(start_task: StartTask, omics: Any) -> None:
    omics.default_life = "failed-export-failed"
    assert start_task(rerun_with=RERUN)().kind == "OmicsRunFailedError"
    assert len(started(omics)) == 1


@MODES
@pytest.mark.parametrize(
    ("life", "by_class", "retries"),
    [
        ("failed-assume-role-failed", None, False),  # change
        ("failed-assume-role-failed", {"change": True}, True),
        ("failed-service-error", None, True),  # retry
        ("failed-service-error", {"retry": False}, False),
        ("failed-out-of-memory-error", {"change": False}, True),  # settings
        ("failed-run-task-failed", None, True),  # look inside
        ("failed-run-task-failed", {"look inside": False}, False),
        ("cancelled", None, False),  # a retry would start what somebody has stopped
        ("cancelled", {"change": True}, True),
    ],
)
def test_the_class_of_a_failure_decides_whether_airflow_may_retry(
    start_task: StartTask, omics: Any, deferrable: bool, life: str, by_class: Any, retries: bool
) -> None:
    omics.default_life = life
    done = start_task(retry_by_class=by_class, deferrable=deferrable)()
    assert done.kind == ("OmicsRunCancelledError" if life == "cancelled" else "OmicsRunFailedError")
    assert isinstance(done.error, AirflowFailException) is not retries


# -- what is left --------------------------------------------------------------------------------------------


@MODES
def test_record_fields_narrow_what_reaches_xcom(start_task: StartTask, omics: Any, deferrable: bool) -> None:
    omics.default_life = "completed"
    done = start_task(record_fields=["runOutputUri"], deferrable=deferrable, parameters={"a": 1})()
    assert set(done.result) == {"id", "status", "runOutputUri"}
    omics.default_life = "failed-service-error"
    failed = start_task(record_fields=["runOutputUri"], deferrable=deferrable, run_id="manual__2")()
    assert set(failed.pushed["return_value"]) <= {"id", "status", "runOutputUri"}


@MODES
def test_without_xcom_push_only_what_people_see_is_pushed(
    start_task: StartTask, omics: Any, deferrable: bool
) -> None:
    omics.default_life = "failed-out-of-memory-error"
    done = start_task(do_xcom_push=False, deferrable=deferrable, rerun_with=RERUN)()
    assert done.kind == "OmicsRunFailedError"
    assert set(done.pushed) == {"omics_run_links", *KEYS_FOR_PAGES}


@MODES
def test_success_statuses_say_what_a_success_is(start_task: StartTask, omics: Any, deferrable: bool) -> None:
    omics.default_life = "failed-run-task-failed"
    done = start_task(success_statuses=("COMPLETED", "FAILED"), deferrable=deferrable)()
    assert (done.kind, done.result["status"]) == ("success", "FAILED")
    omics.default_life = "completed"
    assert (
        start_task(success_statuses=("FAILED",), run_id="m2", deferrable=deferrable)().kind == "OmicsRunError"
    )


def test_without_waiting_startruns_answer_is_returned(start_task: StartTask, omics: Any) -> None:
    done = start_task(wait_for_completion=False)()
    assert (done.result["id"], done.result["status"]) == (started(omics)[0], "PENDING")
    assert set(done.result) >= {"arn", "id", "status", "tags", "uuid"}


def test_the_aws_arguments_and_the_task_reach_the_trigger_whole(
    start_task: StartTask, omics: Any, connect: Any
) -> None:
    connect("lab", region_name="us-east-1")
    omics.default_life = "completed"
    aws = {
        "aws_conn_id": "lab",
        "region_name": "eu-west-1",
        "verify": False,
        "botocore_config": {"read_timeout": 7},
    }
    done = start_task(deferrable=True, map_index=2, parameters={"who": "patient-7"}, **aws)()
    [trigger] = done.triggers
    path, arguments = trigger.serialize()
    assert path == "airflow_omics.triggers.OmicsStartedRunTrigger"
    assert {name: arguments[name] for name in aws} == aws
    assert arguments["task_key"] == {
        "dag_id": "dag",
        "run_id": "manual__1",
        "task_id": "start",
        "map_index": 2,
        "deployment": "",
    }
    assert set(arguments["run_id"]) == {"id", "uuid", "arn"}
    assert arguments["run_id"]["arn"].startswith("arn:aws:omics:eu-west-1:")
    assert "patient-7" not in str(arguments)


def test_a_template_file_is_not_looked_up_for_a_value(start_task: StartTask, omics: Any) -> None:
    omics.default_life = "completed"
    task = start_task(parameters={"samples": "cohort.json"}, role_arn=ROLE)
    assert tuple(task.make().template_ext) == ()
    done = task()
    assert done.result["parameters"] == {"samples": "cohort.json"}


# -- from when a timeout counts ------------------------------------------------------------------------------


@MODES
def test_wait_timeout_begins_when_the_run_is_known(
    start_task: StartTask, omics: Any, clock: Clock, deferrable: bool
) -> None:
    """The queue for StartRun may be longer: a run was started, and cancelled at once, in each try."""
    omics.default_life = "completed"
    omics.fault("StartRun", "throttle", times=80)
    done = start_task(deferrable=deferrable, wait_timeout=2700, on_timeout="cancel")()
    assert clock.passed() > 2700
    assert (done.kind, done.result["status"]) == ("success", "COMPLETED")
    assert "CancelRun" not in omics.counts()


@MODES
def test_the_queue_for_a_rerun_does_not_count_and_the_wait_before_it_does(
    start_task: StartTask, omics: Any, clock: Clock, deferrable: bool
) -> None:
    omics.default_life = "running-forever"
    task = start_task(deferrable=deferrable, wait_timeout=7200, rerun_with=RERUN)

    def fail_the_first() -> None:
        [first] = started(omics)
        omics.move(first, "FAILED", failure_reason="OUT_OF_MEMORY_ERROR")
        omics.fault("StartRun", "throttle", times=60)

    clock.at(3000, fail_the_first)
    done = task()
    assert (done.kind, len(started(omics))) == ("OmicsRunTimeoutError", 2)
    made = [datetime.datetime.fromisoformat(read(run_id)["creationTime"]) for run_id in started(omics)]
    queued = (made[1] - made[0]).total_seconds() - 3000
    assert queued > 1500
    assert clock.passed() == pytest.approx(7200 + queued, abs=150)


def test_a_deadline_is_carried_over_a_deferred_rerun(start_task: StartTask, omics: Any, clock: Clock) -> None:
    omics.default_life = "running-forever"
    limit = datetime.timedelta(hours=4)
    task = start_task(deferrable=True, wait_timeout=7200, execution_timeout=limit, rerun_with=RERUN)
    clock.at(5000, lambda: omics.move(started(omics)[0], "FAILED", failure_reason="OUT_OF_MEMORY_ERROR"))
    done = task()
    assert done.kind == "OmicsRunTimeoutError"
    first, second = done.triggers
    assert second.timeout_at == pytest.approx(first.timeout_at, abs=5)


# -- spread --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["StartRun", "GetRun", "ListRuns"])
def test_starts_that_are_thrown_back_together_do_not_come_back_together(
    start_task: StartTask, omics: Any, clock: Clock, operation: str
) -> None:
    omics.default_life = "completed"
    first_pauses = []
    for index in range(8):
        omics.fault(operation, "throttle", times=1)
        start_task(map_index=index)()
        first_pauses.append(clock.pauses[0])
    assert len(set(first_pauses)) == 8
    assert all(0.5 <= pause <= 1.0 for pause in first_pauses)


def test_cancels_that_are_thrown_back_together_do_not_come_back_together(
    start_task: StartTask, omics: Any, clock: Clock
) -> None:
    omics.default_life = "running-forever"
    pauses = []
    for index in range(8):
        task = start_task(map_index=index, wait_timeout=600, on_timeout="cancel")
        clock.at(599, lambda: omics.fault("CancelRun", "throttle", times=1))
        task()
        pauses += [pause for pause in clock.pauses if 0.5 <= pause < 1.0]
    assert len(pauses) == len(set(pauses)) == 8
