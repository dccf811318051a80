"""on_kill cancels the run that a person gave up, and no other, in a worker."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from airflow_omics._compat import AirflowTaskTimeout
from airflow_omics._task.state import UnreadableStateError, task_state
from airflow_omics._task.task_key import TaskKey
from airflow_omics.hooks import OmicsHook
from airflow_omics.triggers import OmicsRunEvent, OmicsStartedRunTrigger
from tests.support.sensors import Clock
from tests.support.start_operators import StartTask, Store, WorkerDied, die_once, read, started, store_of

pytestmark = pytest.mark.usefixtures("clock")

UNREADABLE = "unreadable"
AWAITED = ("queued", "scheduled", "up_for_retry", "deferred", UNREADABLE)
TASK = {"dag_id": "dag", "run_id": "manual__1", "task_id": "start", "map_index": -1, "deployment": ""}

# state, on_clear, whether tries are left, whether the run is cancelled
KILLS = [
    *((state, on_clear, left, True) for state in ("failed", "success", "skipped", "removed")
      for on_clear in ("new", "reattach") for left in (True, False)),
    *((state, "new", left, True) for state in ("restarting", None) for left in (True, False)),
    *((state, "reattach", left, False) for state in ("restarting", None) for left in (True, False)),
    *((state, on_clear, left, False) for state in AWAITED
      for on_clear in ("new", "reattach") for left in (True, False)),
    ("running", "new", True, False),
    ("running", "reattach", True, False),
    # A worker that is asked to stop is no person, not even in the last try: a clear finds the run again.
    ("running", "new", False, False),
    ("running", "reattach", False, False),
]  # fmt: skip


def say_state(monkeypatch: pytest.MonkeyPatch, state: str | None) -> list[TaskKey]:
    asked: list[TaskKey] = []

    def task_state(task: TaskKey) -> str | None:
        asked.append(task)
        if state == UNREADABLE:
            raise UnreadableStateError("ConnectionError: no answer")
        return state

    monkeypatch.setattr("airflow_omics._starting.worker_kill.task_state", task_state)
    return asked


def kill_at(clock: Clock, task: Any, seconds: float = 300) -> None:
    """Let Airflow ask the task to end, and then end its process."""

    def ask_to_end() -> None:
        task.operator.on_kill()
        raise WorkerDied

    clock.at(seconds, ask_to_end)


@pytest.mark.parametrize(("state", "on_clear", "tries_left", "cancelled"), KILLS)
def test_a_killed_worker_cancels_the_run_only_where_nobody_needs_it(
    start_task: StartTask,
    omics: Any,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    state: str | None,
    on_clear: str,
    tries_left: bool,
    cancelled: bool,
) -> None:
    omics.default_life = "running-forever"
    asked = say_state(monkeypatch, state)
    task = start_task(on_clear=on_clear, retries=3 if tries_left else 0, map_index=4)
    kill_at(clock, task)
    assert isinstance(task().error, WorkerDied)
    assert asked == [TaskKey("dag", "manual__1", "start", 4, "")]
    assert omics.counts().get("CancelRun", 0) == (1 if cancelled else 0)
    [run_id] = started(omics)
    assert read(run_id)["status"] == ("STOPPING" if cancelled else "STARTING")


def test_cancel_on_kill_false_cancels_nothing(
    start_task: StartTask, omics: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    omics.default_life = "running-forever"
    say_state(monkeypatch, "failed")
    task = start_task(cancel_on_kill=False)
    kill_at(clock, task)
    task()
    assert "CancelRun" not in omics.counts()


def test_another_run_under_the_id_is_not_cancelled(
    start_task: StartTask, omics: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    omics.default_life = "running-forever"
    say_state(monkeypatch, "failed")
    task = start_task()
    clock.at(299, lambda: omics.reuse_id(started(omics)[0], "running-forever"))
    kill_at(clock, task)
    task()
    assert "CancelRun" not in omics.counts()


def test_a_run_that_ended_meanwhile_is_left_alone(
    start_task: StartTask, omics: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    omics.default_life = "running-forever"
    say_state(monkeypatch, "failed")
    task = start_task()
    clock.at(299, lambda: omics.move(started(omics)[0], "COMPLETED"))
    kill_at(clock, task)
    task()
    assert "CancelRun" not in omics.counts()


@pytest.mark.parametrize("listed", [True, False], ids=["listruns", "listruns-denied"])
@pytest.mark.parametrize("moment", ["unanswered", "answered"])
def test_a_kill_during_startrun_cancels_the_run_that_came_of_it(
    start_task: StartTask, omics: Any, monkeypatch: pytest.MonkeyPatch, moment: str, listed: bool
) -> None:
    omics.default_life = "running-forever"
    say_state(monkeypatch, "failed")
    if not listed:
        omics.fault("ListRuns", "access-denied")
    task = start_task()

    die_once(monkeypatch, moment, omics)
    task()
    task.operator.on_kill()  # the signal's handler runs inside the call
    [run_id] = started(omics)
    found = listed or moment == "answered"
    assert read(run_id)["status"] == ("STOPPING" if found else "PENDING")


def test_a_kill_during_the_startrun_of_a_rerun_cancels_that_run(
    start_task: StartTask, omics: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    omics.default_life = "failed-out-of-memory-error"
    say_state(monkeypatch, "failed")
    task = start_task(rerun_with={"OUT_OF_MEMORY_ERROR": {"storage_type": "DYNAMIC"}})

    def second(omics: Any = omics) -> None:
        omics.default_life = "running-forever"
        die_once(monkeypatch, "unanswered", omics)

    clock.at(300, second)
    assert isinstance(task().error, WorkerDied)
    assert len(started(omics)) == 2
    task.operator.on_kill()
    assert read(started(omics)[1])["status"] == "STOPPING"


@pytest.mark.parametrize("stored", [False, True], ids=["no-store", "store"])
@pytest.mark.parametrize("operation", ["StartRun", "GetRun"])
def test_a_kill_as_a_retry_starts_another_run_cancels_the_new_one(
    start_task: StartTask,
    omics: Any,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    stored: bool,
) -> None:
    """The run of the try before had ended badly: the kill looked for that one, and the new one went on."""
    omics.default_life = "failed-out-of-memory-error"
    say_state(monkeypatch, "failed")
    task = start_task(store=store_of(stored))
    assert task().kind == "OmicsRunFailedError"
    omics.default_life = "running-forever"
    method = {"StartRun": "start_run", "GetRun": "get_run"}[operation]
    call = getattr(OmicsHook, method)

    def dying(self: Any, *args: Any) -> Any:
        answer = call(self, *args)
        if len(started(omics)) == 2:
            monkeypatch.setattr(OmicsHook, method, call)
            raise WorkerDied
        return answer

    monkeypatch.setattr(OmicsHook, method, dying)
    assert isinstance(task().error, WorkerDied)
    task.operator.on_kill()
    assert read(started(omics)[1])["status"] == "STOPPING"


def test_a_deferred_task_resumes_without_a_call_during_which_a_kill_would_not_find_its_run(
    start_task: StartTask, omics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store was read before the task knew its run again: a kill during that call left the run going."""
    omics.default_life = "running-forever"
    get, reads = Store.get, []

    def reading(store: Store, *arguments: Any) -> Any:
        reads.append(len(started(omics)))
        return get(store, *arguments)

    monkeypatch.setattr(Store, "get", reading)
    done = start_task(store=Store(), deferrable=True, wait_timeout=300)()
    assert (done.kind, len(done.triggers)) == ("OmicsRunTimeoutError", 1)
    assert reads == [0]  # by the worker that then started the run, and not by the one that resumed


def test_a_kill_before_anything_was_asked_for_calls_nothing(start_task: StartTask, omics: Any) -> None:
    start_task().make().on_kill()
    assert omics.counts() == {}


@pytest.mark.parametrize(("on_timeout", "status"), [("fail", "STARTING"), ("cancel", "STOPPING")])
def test_execution_timeout_is_no_kill_and_on_timeout_decides(
    start_task: StartTask,
    omics: Any,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    on_timeout: str,
    status: str,
) -> None:
    omics.default_life = "running-forever"
    say_state(monkeypatch, "running")
    task = start_task(on_timeout=on_timeout, retries=0)

    def time_out() -> None:
        try:
            raise AirflowTaskTimeout("Timeout, PID: 1")
        except AirflowTaskTimeout:  # as Airflow's task runner does
            task.operator.on_kill()
            raise

    clock.at(300, time_out)
    assert task().kind == "AirflowTaskTimeout"
    [run_id] = started(omics)
    assert read(run_id)["status"] == status


@pytest.mark.parametrize("stuck", ["state", "cancel"])
def test_a_kill_that_comes_to_no_end_in_time_names_the_run(
    start_task: StartTask,
    omics: Any,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    output: Any,
    stuck: str,
) -> None:
    """The signal may have interrupted whoever holds the lock of the way to the supervisor, or AWS is slow."""
    omics.default_life = "running-forever"
    say_state(monkeypatch, "failed")
    monkeypatch.setattr("airflow_omics._starting.worker_kill.WITHIN", 1.5)
    released = threading.Event()
    task = start_task()

    def hold(*_: Any) -> None:
        released.wait(30)

    def stick() -> None:
        if stuck == "state":
            monkeypatch.setattr("airflow_omics._starting.worker_kill.task_state", hold)
        else:
            monkeypatch.setattr(OmicsHook, "cancel_run", hold)

    clock.at(299, stick)
    kill_at(clock, task)
    output()
    before = set(threading.enumerate())
    try:
        assert isinstance(task().error, WorkerDied)
    finally:
        released.set()
        for held in set(threading.enumerate()) - before:
            held.join(30)  # it must not go on into the next test
    [run_id] = started(omics)
    why = {
        "state": "the state of the task was not read",
        "cancel": "it was not confirmed that it is cancelled",
    }[stuck]
    assert (
        f"HealthOmics run {run_id} may go on, and cost: {why} within 1.5 s, and the task's process has to end"
        in output()
    )


def test_a_timed_out_task_is_cancelled_though_aws_throttles_for_a_minute(
    start_task: StartTask, omics: Any, clock: Clock
) -> None:
    omics.default_life = "running-forever"
    task = start_task(on_timeout="cancel", retries=0)

    def time_out() -> None:
        omics.fault("CancelRun", "throttle", times=6)
        try:
            raise AirflowTaskTimeout("Timeout, PID: 1")
        except AirflowTaskTimeout:
            task.operator.on_kill()
            raise

    clock.at(300, time_out)
    assert task().kind == "AirflowTaskTimeout"
    assert read(started(omics)[0])["status"] == "STOPPING"


# -- the trigger; its kills are in tests/triggerer/test_kill.py ----------------------------------------------


def test_every_argument_of_the_trigger_survives_serialize() -> None:
    arguments = {
        "run_id": {"id": "1234567", "uuid": "11111111-2222-3333-4444-555555555555"},
        "task_key": {**TASK, "map_index": 3, "deployment": "lab"},
        "cancel_on_kill": False,
        "on_clear": "reattach",
        "started_at": 1.5,
        "timeout_at": 2.5,
        "timeout": None,
        "hold_until": 1767225610.5,
        "created": 0.5,
        "status": "RUNNING",
        "terminal_statuses": ["COMPLETED", "ARCHIVED"],
        "success_statuses": [],
        "skip_statuses": [],
        "push_record": True,
        "poke_interval": 7.0,
        "export": None,
        "record_fields": ["runOutputUri"],
        "start_timeout": 3.5,
        "stuck_after": 4.5,
        "aws_conn_id": "lab",
        "region_name": "us-east-1",
        "verify": "/ca.pem",
        "botocore_config": {"read_timeout": 5},
    }
    path, once = OmicsStartedRunTrigger(**arguments).serialize()
    assert path == "airflow_omics.triggers.OmicsStartedRunTrigger"
    assert once == arguments
    assert OmicsStartedRunTrigger(**json.loads(json.dumps(once))).serialize() == (path, arguments)


@pytest.mark.parametrize(("map_index", "name"), [(-1, "start"), (0, "start_0"), (12, "start_12")])
def test_the_state_of_a_mapped_task_is_read_under_its_index(
    monkeypatch: pytest.MonkeyPatch, map_index: int, name: str
) -> None:
    runner = pytest.importorskip("airflow.sdk.execution_time.task_runner") if _has_sdk() else None
    if runner is None:
        return
    states = {"manual__1": {"start": "failed", "start_0": "failed", "start_12": "failed"}}
    states["manual__1"][name] = "deferred"
    monkeypatch.setattr(runner.RuntimeTaskInstance, "get_task_states", staticmethod(lambda **_: states))
    assert task_state(TaskKey("dag", "manual__1", "start", map_index)) == "deferred"
    states["manual__1"].pop(name)
    with pytest.raises(UnreadableStateError):
        task_state(TaskKey("dag", "manual__1", "start", map_index))


def _has_sdk() -> bool:
    try:
        import airflow.sdk.execution_time.task_runner
    except ImportError:
        return False
    return bool(airflow.sdk.execution_time.task_runner)


def test_the_event_prints_no_record() -> None:
    event = OmicsRunEvent(  # type: ignore[call-arg]
        {"outcome": "terminal", "record": {"id": "1", "status": "FAILED", "parameters": {"who": "patient"}}}
    )
    assert "patient" not in f"{event!r} {event}"
