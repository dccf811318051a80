"""``start_timeout``: a run that is not RUNNING in time ends the wait, and the error says why."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from airflow_omics._faults import Fault
from airflow_omics._identity import Target
from airflow_omics._waiting.ending import ending_from_event, ending_to_event
from airflow_omics._waiting.wait import Wait
from airflow_omics.emulator import Life, Stage
from airflow_omics.exceptions import FaultKind
from airflow_omics.operators import OmicsStartRunBatchOperator, OmicsStartRunOperator
from airflow_omics.sensors import OmicsRunBatchSensor, OmicsRunSensor
from airflow_omics.triggers import OmicsRunTrigger, OmicsStartedRunTrigger
from tests.support.fixtures import Output
from tests.support.sensors import Clock, Gate
from tests.support.start_operators import StartTask, Store, read, started

pytestmark = pytest.mark.any_airflow

MODES = pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferrable"])
HOUR = 3600.0


def new_run(omics: Any, life: str = "pending-forever", **members: Any) -> str:
    [run_id] = omics.start_runs(1, life=life, **members)
    return str(run_id)


def slow_start(omics: Any, pending: float, starting: float) -> str:
    stages = (
        Stage("PENDING", pending),
        Stage("STARTING", starting),
        Stage("RUNNING", 60),
        Stage("COMPLETED"),
    )
    omics.add_life(Life("slow-start", stages, "Takes its time until it is RUNNING."))
    return new_run(omics, "slow-start")


# -- a sensor ------------------------------------------------------------------------------------------------


def test_a_run_that_stays_pending_ends_the_sensor(gate: Gate, omics: Any) -> None:
    end = gate(run_id=new_run(omics), start_timeout=600)
    assert end.kind == "AirflowSensorTimeout"
    assert end.xcom["status"] == "PENDING"
    assert 600 <= end.after < 605
    # Looks at 0, 60, ..., 540 and 600 s, and one that the service's whole seconds may make early.
    assert 11 <= end.looks <= 12
    assert " is PENDING 10 min after its creation; start_timeout is 10 min." in str(end.error)


def test_pending_and_starting_count_together(gate: Gate, omics: Any) -> None:
    end = gate(run_id=slow_start(omics, 400, 400), start_timeout=700)
    assert end.kind == "AirflowSensorTimeout"
    assert end.xcom["status"] == "STARTING"
    assert 700 <= end.after < 705


def test_a_run_that_is_running_in_time_goes_on(gate: Gate, omics: Any) -> None:
    end = gate(run_id=slow_start(omics, 400, 290), start_timeout=700, poke_interval=300)
    assert end.kind == "success"


def test_a_run_that_runs_exactly_at_the_limit_goes_on(gate: Gate, omics: Any, clock: Clock) -> None:
    run_id = new_run(omics)
    clock.at(599.9, omics.move, run_id, "RUNNING")
    clock.at(2000, omics.move, run_id, "COMPLETED")
    end = gate(run_id=run_id, start_timeout=600, poke_interval=250)
    assert end.kind == "success"


@pytest.mark.parametrize("status", ["RUNNING", "STOPPING", "PAUSED"])
def test_only_pending_and_starting_count(gate: Gate, omics: Any, clock: Clock, status: str) -> None:
    run_id = new_run(omics)
    omics.move(run_id, status)
    clock.at(2000, omics.move, run_id, "COMPLETED")
    assert gate(run_id=run_id, start_timeout=60).kind == "success"


def test_a_run_that_is_cancelled_while_it_is_pending_ends_as_cancelled(
    gate: Gate, omics: Any, clock: Clock
) -> None:
    run_id = new_run(omics)
    clock.at(550, omics.move, run_id, "STOPPING")
    clock.at(700, omics.move, run_id, "CANCELLED")
    assert gate(run_id=run_id, start_timeout=600).kind == "OmicsRunCancelledError"


def test_it_counts_from_the_run_s_creation(gate: Gate, omics: Any) -> None:
    run_id = new_run(omics)
    omics.advance(2 * HOUR)
    end = gate(run_id=run_id, start_timeout=datetime.timedelta(hours=1))
    assert (end.kind, end.looks, end.after) == ("AirflowSensorTimeout", 1, 0)
    assert " is PENDING 2 h after its creation; start_timeout is 1 h." in str(end.error)


def test_the_shorter_limit_ends_the_sensor(gate: Gate, omics: Any) -> None:
    end = gate(run_id=new_run(omics), start_timeout=900, timeout=300)
    assert end.kind == "AirflowSensorTimeout"
    assert "the sensor's timeout" in str(end.error)
    assert end.after < 310


@pytest.mark.parametrize("ahead", [-HOUR, HOUR])
def test_the_service_s_clock_counts(gate: Gate, omics: Any, clock: Clock, ahead: float) -> None:
    """Another account of time on the worker neither hastens nor delays the end."""
    clock.ahead = ahead
    run_id = new_run(omics)
    end = gate(run_id=run_id, start_timeout=600)
    assert end.kind == "AirflowSensorTimeout"
    assert 600 <= end.after < 605


def test_a_clock_that_is_set_on_the_way_does_not_count(poke_gate: Gate, omics: Any, clock: Clock) -> None:
    clock.at(100, setattr, clock, "ahead", HOUR)
    end = poke_gate(run_id=new_run(omics), start_timeout=900, timeout=10 * HOUR)
    assert 900 <= end.after < 905


def test_errors_at_the_limit_do_not_end_the_wait(gate: Gate, omics: Any, clock: Clock) -> None:
    """Only a record says that the run was not started."""
    run_id = new_run(omics)
    clock.at(590, omics.fault, "GetRun", "internal-error")
    clock.at(1500, omics.clear_faults)
    clock.at(1400, omics.move, run_id, "RUNNING")
    clock.at(2500, omics.move, run_id, "COMPLETED")
    end = gate(run_id=run_id, start_timeout=600)
    assert end.kind == "success"
    assert end.looks < 60  # no look after look, without a pause, from the limit on


def test_errors_at_the_limit_put_the_end_off(gate: Gate, omics: Any, clock: Clock) -> None:
    clock.at(590, omics.fault, "GetRun", "internal-error")
    clock.at(1000, omics.clear_faults)
    end = gate(run_id=new_run(omics), start_timeout=600)
    assert end.kind == "AirflowSensorTimeout"
    assert 1000 <= end.after < 1400


@pytest.mark.parametrize("flag", ["soft_fail", "never_fail"])
def test_flags_skip_as_at_a_timeout(gate: Gate, omics: Any, output: Output, flag: str) -> None:
    end = gate(run_id=new_run(omics), start_timeout=60, **{flag: True})
    assert end.kind == "AirflowSkipException"
    assert end.xcom["status"] == "PENDING"
    assert "What it waits for: " in output()  # no error has the report


def test_without_it_a_run_may_be_pending_for_ever(poke_gate: Gate, omics: Any) -> None:
    end = poke_gate(run_id=new_run(omics), poke_interval=HOUR, timeout=100 * HOUR)
    assert "the sensor's timeout" in str(end.error)


# -- what the run waits for ----------------------------------------------------------------------------------


def full_group(omics: Any) -> list[str]:
    omics.run_group("77", region_name="us-east-1", max_runs=2)
    ids: list[str] = omics.start_runs(2, life="running-forever", runGroupId="77")
    omics.advance(HOUR)
    return ids


def test_the_error_says_what_the_run_waits_for_and_who_fills_the_group(gate: Gate, omics: Any) -> None:
    first, second = full_group(omics)
    end = gate(run_id=new_run(omics, runGroupId="77"), start_timeout=600)
    said = str(end.error)
    assert "Run group 77 allows 2 runs (maxRuns)." in said
    assert f"Runs of the group that are past PENDING: 2 ({first}, {second})." in said
    assert "What it waits for: maxRuns of the group; it starts when another of its runs has ended." in said
    assert omics.counts()["GetRunGroup"] == 1


def test_it_says_so_though_the_record_is_narrowed(gate: Gate, omics: Any) -> None:
    full_group(omics)
    end = gate(run_id=new_run(omics, runGroupId="77"), start_timeout=600, record_fields=["runOutputUri"])
    assert "What it waits for: maxRuns of the group" in str(end.error)
    assert "runGroupId" not in end.xcom


def test_with_diagnose_off_it_asks_for_nothing_more(gate: Gate, omics: Any) -> None:
    full_group(omics)
    end = gate(run_id=new_run(omics, runGroupId="77"), start_timeout=600, diagnose=False)
    assert str(end.error).endswith(" is PENDING 10 min after its creation; start_timeout is 10 min.")
    assert set(omics.counts()) == {"GetRun"}


def test_what_may_not_be_read_changes_nothing_about_the_end(gate: Gate, omics: Any) -> None:
    full_group(omics)
    for operation in ("GetRunGroup", "ListRuns"):
        omics.fault(operation, "access-denied")
    end = gate(run_id=new_run(omics, runGroupId="77"), start_timeout=600)
    assert end.kind == "AirflowSensorTimeout"
    assert "Allow omics:GetRunGroup to the caller." in str(end.error)


def test_no_request_is_made_for_it_on_the_way(gate: Gate, omics: Any) -> None:
    with_it = gate(run_id=slow_start(omics, 400, 290), start_timeout=100_000)
    asked = omics.counts()
    without = gate(run_id=slow_start(omics, 400, 290))
    assert with_it.looks == without.looks
    assert omics.counts() == {name: 2 * number for name, number in asked.items()}


# -- a start -------------------------------------------------------------------------------------------------


@MODES
@pytest.mark.parametrize(("on_timeout", "status"), [("fail", "PENDING"), ("cancel", "CANCELLED")])
def test_a_start_ends_as_at_its_wait_timeout(
    start_task: StartTask, omics: Any, clock: Clock, deferrable: bool, on_timeout: str, status: str
) -> None:
    full_group(omics)
    omics.default_life = "pending-forever"
    task = start_task(
        deferrable=deferrable, on_timeout=on_timeout, start_timeout=HOUR, run_group_id="77", store=Store()
    )
    done = task()
    assert done.kind == "OmicsRunTimeoutError"
    [run_id] = started(omics)
    assert HOUR <= clock.passed() < HOUR + 600  # a run that is cancelled takes a while
    said = str(done.error)
    assert " is PENDING 1 h after its creation; start_timeout is 1 h.\n" in said
    # The group is looked at before the run is cancelled.
    assert "What it waits for: maxRuns of the group; it starts when another of its runs has ended." in said
    assert said.endswith("is CANCELLED.") == (on_timeout == "cancel")
    assert read(run_id)["status"] == status
    assert done.pushed["return_value"]["status"] == status
    assert done.pushed["diagnosis"]["run"]["status"] == "PENDING"


@MODES
def test_a_retry_finds_the_run_and_counts_from_its_creation(
    start_task: StartTask, omics: Any, clock: Clock, deferrable: bool
) -> None:
    omics.default_life = "pending-forever"
    task = start_task(deferrable=deferrable, start_timeout=HOUR, store=Store())
    assert task().kind == "OmicsRunTimeoutError"
    again = task()
    assert again.kind == "OmicsRunTimeoutError"
    assert clock.passed() < 5
    [run_id] = started(omics)
    omics.move(run_id, "RUNNING")
    clock.at(600, omics.move, run_id, "COMPLETED")
    assert task().kind == "success"
    assert started(omics) == [run_id]


@MODES
def test_a_retry_after_a_cancellation_starts_another_run(
    start_task: StartTask, omics: Any, deferrable: bool
) -> None:
    omics.default_life = "pending-forever"
    task = start_task(deferrable=deferrable, start_timeout=HOUR, on_timeout="cancel", store=Store())
    assert task().kind == "OmicsRunTimeoutError"
    omics.default_life = "completed"
    assert task().kind == "success"
    assert len(started(omics)) == 2


@pytest.mark.parametrize(("on_timeout", "kind"), [("cancel", "success"), ("fail", "OmicsRunTimeoutError")])
def test_a_run_that_began_to_run_before_a_worker_resumed_the_task_is_not_cancelled(
    start_task: StartTask,
    omics: Any,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    on_timeout: str,
    kind: str,
) -> None:
    """A task that is resumed may wait for a place in its pool for hours."""
    omics.default_life = "pending-forever"
    task = start_task(deferrable=True, start_timeout=HOUR, on_timeout=on_timeout, store=Store())
    fire = task.fire

    def fire_and_run(trigger: Any) -> dict[str, Any]:
        event = fire(trigger)
        for run_id in started(omics):
            if read(run_id)["status"] == "PENDING":
                omics.move(run_id, "RUNNING")
        return event

    monkeypatch.setattr(task, "fire", fire_and_run)
    clock.at(2 * HOUR, lambda: [omics.move(run_id, "COMPLETED") for run_id in started(omics)])
    done = task()
    assert done.kind == kind
    assert "CancelRun" not in omics.counts()
    assert "diagnosis" in done.pushed if on_timeout == "fail" else "diagnosis" not in done.pushed


@MODES
def test_the_first_limit_ends_a_start(start_task: StartTask, omics: Any, deferrable: bool) -> None:
    omics.default_life = "pending-forever"
    done = start_task(deferrable=deferrable, start_timeout=HOUR, wait_timeout=600)()
    assert str(done.error).endswith("is PENDING at the task's wait_timeout.")


@MODES
def test_a_start_that_is_running_in_time_goes_on(start_task: StartTask, omics: Any, deferrable: bool) -> None:
    omics.default_life = "completed"
    assert start_task(deferrable=deferrable, start_timeout=700)().kind == "success"


@MODES
def test_a_start_with_diagnose_off_has_one_line(start_task: StartTask, omics: Any, deferrable: bool) -> None:
    omics.default_life = "pending-forever"
    done = start_task(deferrable=deferrable, start_timeout=HOUR, on_timeout="cancel", diagnose=False)()
    assert "\n" not in str(done.error)
    assert "; start_timeout is 1 h. HealthOmics run " in str(done.error)


# -- arguments -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["start_timeout", "stuck_after"])
@pytest.mark.parametrize("value", ["1h", -1, True, float("nan"), datetime.timedelta(days=-1), "{{ x }}"])
@pytest.mark.parametrize(
    "make",
    [
        lambda **given: OmicsRunSensor(task_id="gate", run_id="1234567", **given),
        lambda **given: OmicsStartRunOperator(
            task_id="start", workflow_id="1", role_arn="arn:aws:iam::1:role/x", output_uri="s3://b/o", **given
        ),
    ],
)
def test_what_is_no_span_of_time_is_refused(make: Any, name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name} is .*; it takes seconds, zero or more, as a "):
        make(**{name: value})


def test_batches_do_not_take_it() -> None:
    with pytest.raises(Exception, match="start_timeout"):
        OmicsRunBatchSensor(task_id="gate", batch_id="1234567", start_timeout=60)
    with pytest.raises(Exception, match="start_timeout"):
        OmicsStartRunBatchOperator(task_id="start", workflow_id="1", start_timeout=60)


def test_a_trigger_of_an_earlier_version_has_no_limit() -> None:
    run = OmicsRunTrigger("1234567", timeout_at=2.0, started_at=1.0)
    start = OmicsStartedRunTrigger("1234567", task_key={})
    for trigger in (run, start):
        arguments = trigger.serialize()[1]
        assert arguments.pop("start_timeout") is arguments.pop("stuck_after") is None
        assert type(trigger)(**arguments).start_timeout is None


def test_an_event_says_which_limit_it_was() -> None:
    ending = new_wait(start_timeout=600).answered(pending(), 600.0)
    assert ending is not None
    event = ending_to_event(ending, ["runOutputUri"])
    assert (event["outcome"], event["argument"]) == ("timeout", "start_timeout")
    assert ending_from_event(event).argument == "start_timeout"
    assert ending_from_event({**event, "argument": "another"}).argument is None
    del event["argument"]
    assert ending_from_event(event).argument is None


# -- when the next look is due -------------------------------------------------------------------------------


def new_wait(**arguments: Any) -> Wait:
    return Wait(Target.parse("1234567"), started_at=0.0, timeout_at=10.0**10, **arguments)


def pending(created: str = "1970-01-01T00:00:00Z", status: str = "PENDING") -> Any:
    return {"id": "1234567", "status": status, "creationTime": created}


def test_a_look_is_due_at_the_limit_and_at_the_timeout() -> None:
    wait = new_wait(created=100.0, start_timeout=600)
    assert wait.deadline == 700.0
    assert wait.pause(1000.0, 50.0) == 650.0
    assert new_wait(created=100.0).deadline == 10.0**10
    assert new_wait(start_timeout=600).deadline == 10.0**10
    assert (
        Wait(
            Target.parse("1234567"), started_at=0.0, timeout_at=500.0, created=100.0, start_timeout=600
        ).deadline
        == 500.0
    )


def test_the_look_is_due_by_the_service_s_clock() -> None:
    wait = new_wait(start_timeout=600)
    wait.answered(pending(), 100.0, clock_skew=30.0)
    assert wait.deadline == 570.0


def test_no_look_is_due_at_the_limit_of_a_run_that_a_list_shows_running() -> None:
    wait = new_wait(start_timeout=600)
    wait.answered(pending(), 100.0)
    assert wait.deadline == 600.0
    wait.listed("STARTING", 200.0)
    assert wait.deadline == 600.0
    wait.listed("RUNNING", 200.0)
    assert wait.deadline == 10.0**10


def test_a_list_ends_no_wait() -> None:
    wait = new_wait(start_timeout=600)
    wait.answered(pending(), 100.0)
    wait.listed("PENDING", 5000.0)
    assert wait.answered(pending(status="RUNNING"), 5000.0) is None


def test_a_look_that_failed_is_not_repeated_at_once() -> None:
    wait = new_wait(start_timeout=600)
    wait.answered(pending(), 100.0)
    assert wait.failed(Fault(FaultKind.TRANSIENT, "out of order"), 600.0) is None
    assert wait.pause(60.0, 600.0) > 0
    ending = wait.answered(pending(), 650.0)
    assert ending is not None
    assert ending.argument == "start_timeout"


def test_a_service_that_tells_whole_seconds_is_not_asked_again_and_again() -> None:
    wait = new_wait(start_timeout=600)
    assert wait.answered(pending(), 600.0, clock_skew=-0.9) is None
    assert wait.pause(60.0, 600.0) == 1.0
