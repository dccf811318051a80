"""Workers leave snapshots of a run or batch in XCom: when, of what, at what cost, and whatever fails."""

from __future__ import annotations

import datetime
import json
import logging
import threading
from typing import Any

import pytest

from airflow_omics import _compat
from airflow_omics._monitoring.task_table import TaskTable
from airflow_omics._task import ended_tasks, snapshots
from airflow_omics._task.snapshots import Snapshots, are_wanted
from airflow_omics._waiting.poller import Poller
from airflow_omics.emulator import Life, Stage, Task
from airflow_omics.exceptions import OmicsRunFailedError
from airflow_omics.hooks import OmicsHook
from airflow_omics.hooks.listing import Listing
from airflow_omics.sensors import OmicsRunBatchSensor, OmicsRunSensor
from tests.support.batches import needs_batches, settings
from tests.support.batches import start_batch as batch_of
from tests.support.sensors import ONE_ATTEMPT, Clock, Gate, TaskInstance, context_of, new_run
from tests.support.start_batches import StartBatch, cohort
from tests.support.start_operators import StartTask

try:
    from airflow.sdk.exceptions import AirflowTaskTimeout, TaskDeferred
except ImportError:  # before Airflow 3.2
    from airflow.exceptions import AirflowTaskTimeout, TaskDeferred

pytestmark = pytest.mark.any_airflow

MARKER = "PATIENT-4711"


@pytest.fixture(autouse=True)
def _clock_of_the_worker(clock: Clock) -> None:
    """Every test turns the clock."""


@pytest.fixture(autouse=True)
def _an_airflow_with_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left depends on the AWS libraries as well, of which the oldest come with an older Airflow."""
    monkeypatch.setattr("airflow_omics._task.snapshots.has_pages", lambda: True)


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What is pushed beside the record: keys and values, in their order."""
    pushed: list[tuple[str, Any]] = []
    push = TaskInstance.xcom_push

    def note(self: TaskInstance, key: str, value: Any) -> None:
        push(self, key, value)
        pushed.append((key, json.loads(json.dumps(value))))

    monkeypatch.setattr(TaskInstance, "xcom_push", note)
    return pushed


def of(left: list[tuple[str, Any]], key: str) -> list[Any]:
    return [value for pushed, value in left if pushed == key]


def statuses(left: list[tuple[str, Any]]) -> list[str]:
    return [value["run"]["status"] for value in of(left, "omics_run")]


def ended_run(omics: Any, life: str = "completed", **members: Any) -> str:
    [run_id] = omics.start_runs(1, life, **members)
    omics.advance(100_000)
    return str(run_id)


def run_with(omics: Any, count: int) -> str:
    stages = (Stage("RUNNING", 7200), Stage("COMPLETED"))
    omics.add_life(Life("many", stages=stages, tasks=tuple(Task(f"Shard-{n}", at=1) for n in range(count))))
    return ended_run(omics, "many")


def moment(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


# -- when ----------------------------------------------------------------------------------------------------


def test_poke_mode_leaves_one_at_each_change(omics: Any, clock: Clock, left: list[Any]) -> None:
    [run_id] = omics.start_runs(1, "completed")
    end = Gate("poke", omics, clock)(run_id=run_id, timeout=100_000)
    assert end.kind == "success"
    assert end.looks > 10
    assert statuses(left) == ["PENDING", "STARTING", "RUNNING", "STOPPING", "COMPLETED"]


def test_reschedule_mode_leaves_one_at_each_look(omics: Any, clock: Clock, left: list[Any]) -> None:
    """Airflow clears the XComs between two looks."""
    run_id = new_run(omics)
    clock.at(150, omics.move, run_id, "COMPLETED")
    end = Gate("reschedule", omics, clock)(run_id=run_id)
    assert end.looks == len(statuses(left)) == 4
    assert statuses(left) == ["RUNNING", "RUNNING", "RUNNING", "COMPLETED"]


def test_a_gate_leaves_one_before_it_defers(omics: Any, left: list[Any]) -> None:
    sensor = OmicsRunSensor(task_id="t", run_id=new_run(omics), deferrable=True)
    with pytest.raises(TaskDeferred):
        sensor.execute(context_of(TaskInstance()))
    assert statuses(left) == ["RUNNING"]
    assert "ListRunTasks" not in omics.counts()


def test_a_gate_leaves_one_after_its_deferral(omics: Any, clock: Clock, left: list[Any]) -> None:
    run_id = ended_run(omics)
    record = OmicsHook().get_run(run_id)
    sensor = OmicsRunSensor(
        task_id="t", run_id="1234567", deferrable=True
    )  # rendered again, it names another
    sensor.execute_complete(
        context_of(TaskInstance()), {"outcome": "terminal", "record": record, "message": ""}
    )
    assert statuses(left) == ["COMPLETED"]
    assert [request["run_id"] for request in omics.requests("ListRunTasks")] == [run_id]
    [snapshot], [table] = of(left, "omics_run"), of(left, "omics_tasks")
    # What read the run is gone with the triggerer: it is as it was when it ended, in the service's clock.
    assert moment(snapshot["seen"]) == moment(table["seen"]) == int(moment(record["stopTime"]))


def test_a_gate_that_times_out_leaves_nothing_that_is_known(
    omics: Any, clock: Clock, left: list[Any]
) -> None:
    end = Gate("poke", omics, clock)(run_id=new_run(omics), timeout=600)
    assert end.kind == "AirflowSensorTimeout"
    assert statuses(left) == ["RUNNING"]
    assert "ListRunTasks" not in omics.counts()


def test_a_poke_of_ones_own_leaves_one_at_the_end(omics: Any, left: list[Any]) -> None:
    sensor = OmicsRunSensor(task_id="t", run_id=ended_run(omics))
    assert sensor.poke(context_of(TaskInstance())).is_done
    assert statuses(left) == ["COMPLETED"]


def test_a_run_that_was_never_seen_leaves_none(omics: Any, clock: Clock, left: list[Any]) -> None:
    assert Gate("poke", omics, clock)(run_id="7654321").kind == "OmicsRunNotFoundError"
    assert left == []


def test_a_deleted_run_leaves_its_status_and_asks_for_no_tasks(
    omics: Any, clock: Clock, left: list[Any]
) -> None:
    run_id = new_run(omics)
    clock.at(100, omics.vanish, run_id)
    end = Gate("poke", omics, clock)(run_id=run_id, diagnose=False)
    assert end.kind == "OmicsRunDeletedError"
    assert statuses(left) == ["RUNNING", "DELETED"]
    assert "ListRunTasks" not in omics.counts()


@pytest.mark.parametrize("ahead", [-7200.0, 0.0, 7200.0])
def test_the_time_is_the_service_s(omics: Any, clock: Clock, left: list[Any], ahead: float) -> None:
    clock.ahead = ahead
    run_id = new_run(omics)
    clock.at(90, omics.move, run_id, "COMPLETED")
    began = omics.now()
    assert Gate("poke", omics, clock)(run_id=run_id).kind == "success"
    seen = [moment(value["seen"]) for value in of(left, "omics_run")]
    # The Date header has whole seconds.
    assert seen == pytest.approx([began, omics.now()], abs=1)
    assert moment(of(left, "omics_tasks")[0]["seen"]) == pytest.approx(omics.now(), abs=1)


# -- the tasks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (1, 1), (100, 1), (101, 2), (250, 3)])
def test_a_completed_run_costs_one_request_for_a_hundred_tasks(
    omics: Any, clock: Clock, left: list[Any], count: int, requests: int
) -> None:
    end = Gate("poke", omics, clock)(run_id=run_with(omics, count))
    assert end.kind == "success"
    assert omics.counts() == {"GetRun": 1, "ListRunTasks": requests}
    [table], [snapshot] = of(left, "omics_tasks"), of(left, "omics_run")
    assert len(table["tasks"]) == count
    assert (table["left_out"], table["more"]) == (0, False)
    assert sum(snapshot["tasks"].values()) == count
    assert "more" not in snapshot


def test_a_thousand_tasks_are_listed_and_no_more(omics: Any, clock: Clock, left: list[Any]) -> None:
    assert Gate("poke", omics, clock)(run_id=run_with(omics, 1050)).kind == "success"
    assert omics.counts()["ListRunTasks"] == 10
    [table], [snapshot] = of(left, "omics_tasks"), of(left, "omics_run")
    assert (len(table["tasks"]), table["left_out"], table["more"]) == (300, 700, True)
    assert (snapshot["tasks"], snapshot["more"]) == ({"COMPLETED": 1000}, True)


def test_a_failed_run_is_listed_once_for_diagnosis_and_table(
    omics: Any, clock: Clock, left: list[Any]
) -> None:
    end = Gate("poke", omics, clock)(run_id=ended_run(omics, "failed-out-of-memory-error", logs=True))
    assert end.kind == "OmicsRunFailedError"
    asked = [request["query"].get("status") for request in omics.requests("ListRunTasks")]
    assert asked == ["FAILED", "COMPLETED", "CANCELLED"]  # the last is the table's own
    [table] = of(left, "omics_tasks")
    assert [row[2] for row in table["tasks"]] == ["COMPLETED", "FAILED"]
    [snapshot] = of(left, "omics_run")
    assert (snapshot["reason"], snapshot["owner"]) == ("OUT_OF_MEMORY_ERROR", "pipeline author")
    assert snapshot["tasks"] == {"COMPLETED": 1, "FAILED": 1}


def test_the_reason_of_the_failing_task_is_better_than_the_run_s_own(
    omics: Any, clock: Clock, left: list[Any]
) -> None:
    tasks = (
        Task(
            "CallVariants",
            at=1,
            stages=(Stage("RUNNING", 60), Stage("FAILED")),
            failure_reason="OUT_OF_MEMORY_ERROR",
        ),
    )
    stages = (Stage("RUNNING", 120), Stage("FAILED"))
    omics.add_life(Life("points", stages=stages, tasks=tasks, failure_reason="RUN_TASK_FAILED"))
    run_id = ended_run(omics, "points", logs=True)
    for mode in ("poke", "soft"):
        left.clear()
        end = Gate("poke", omics, clock)(run_id=run_id, soft_fail=mode == "soft")
        error = end.error if mode == "poke" else end.error.__cause__  # type: ignore[union-attr]
        assert isinstance(error, OmicsRunFailedError)
        [snapshot] = of(left, "omics_run")
        assert snapshot["run"]["failureReason"] == "RUN_TASK_FAILED"
        assert snapshot["reason"] == "OUT_OF_MEMORY_ERROR"


def test_without_a_diagnosis_a_failed_run_is_listed_at_once(
    omics: Any, clock: Clock, left: list[Any]
) -> None:
    run_id = ended_run(omics, "failed-out-of-memory-error")
    Gate("poke", omics, clock)(run_id=run_id, diagnose=False)
    assert omics.counts() == {"GetRun": 1, "ListRunTasks": 1}
    assert [row[2] for row in of(left, "omics_tasks")[0]["tasks"]] == ["COMPLETED", "FAILED"]
    assert of(left, "omics_run")[0]["reason"] == "OUT_OF_MEMORY_ERROR"


def test_a_cancelled_run_has_all_of_its_tasks(omics: Any, clock: Clock, left: list[Any]) -> None:
    run_id = ended_run(omics, "cancelled")
    Gate("poke", omics, clock)(run_id=run_id)
    asked = [request["query"].get("status") for request in omics.requests("ListRunTasks")]
    assert asked[-1] is None
    assert statuses(left) == ["CANCELLED"]


def test_a_run_that_never_ran_has_no_tasks_to_ask_for(omics: Any, clock: Clock, left: list[Any]) -> None:
    [run_id] = omics.start_runs(1, "pending-forever")
    omics.move(run_id, "CANCELLED")
    assert "startTime" not in OmicsHook().get_run(run_id)
    Gate("poke", omics, clock)(run_id=run_id, diagnose=False)
    assert statuses(left) == ["CANCELLED"]
    assert "ListRunTasks" not in omics.counts()


def test_a_run_that_was_deleted_has_the_tasks_of_its_manifest(
    omics: Any, clock: Clock, left: list[Any]
) -> None:
    run_id = ended_run(omics, "failed-out-of-memory-error", logs=True)
    record = OmicsHook().get_run(run_id)
    omics.vanish(run_id)
    end = Gate("poke", omics, clock)(run_id=record, success_statuses=("COMPLETED",))
    sensor = OmicsRunSensor(task_id="t", run_id=record, botocore_config=ONE_ATTEMPT)
    event = {"outcome": "terminal", "record": {**record, "status": "DELETED"}, "message": ""}
    before = omics.counts().get("ListRunTasks", 0)
    with pytest.raises(Exception, match=run_id):
        sensor.execute_complete(context_of(TaskInstance()), event)
    assert end.kind == "OmicsRunNotFoundError"
    assert omics.counts().get("ListRunTasks", 0) == before
    [table] = of(left, "omics_tasks")
    assert [row[2] for row in table["tasks"]] == ["COMPLETED", "FAILED"]
    assert all(row[0].isdigit() and row[3] is not None for row in table["tasks"])


def test_tables_of_the_wait_are_left_once_each(
    omics: Any, clock: Clock, left: list[Any], monkeypatch: Any
) -> None:
    look = Poller.look
    table = TaskTable.of([{"taskId": "1", "status": "RUNNING"}], omics.now())

    def listing(self: Poller) -> Any:
        if clock.passed() >= 60:
            self._wait.tasks_listed(table, omics.now())
        return look(self)

    monkeypatch.setattr(Poller, "look", listing)
    run_id = new_run(omics)
    clock.at(600, omics.move, run_id, "COMPLETED")
    assert Gate("poke", omics, clock)(run_id=run_id).kind == "success"
    assert [value.get("tasks") for value in of(left, "omics_run")][:2] == [None, {"RUNNING": 1}]
    assert [key for key, _ in left].count("omics_run") == 3
    first, last = of(left, "omics_tasks")
    assert [row[2] for row in first["tasks"]] == ["RUNNING"]
    assert "RUNNING" not in [row[2] for row in last["tasks"]]


def test_a_run_that_is_stuck_says_so_until_it_moves(omics: Any, clock: Clock, left: list[Any]) -> None:
    tasks = (Task("Align", at=1, stages=(Stage("RUNNING", 50_000), Stage("COMPLETED"))),)
    omics.add_life(Life("slow", stages=(Stage("RUNNING", 100_000), Stage("COMPLETED")), tasks=tasks))
    [run_id] = omics.start_runs(1, "slow")
    clock.at(20_000, omics.move, run_id, "COMPLETED")
    end = Gate("poke", omics, clock)(run_id=run_id, timeout=100_000, stuck_after=7200)
    assert end.kind == "success"
    stuck = [value.get("stuck") for value in of(left, "omics_run")]
    assert stuck[0] is None
    assert stuck[-1] is None  # it has ended
    assert any(stuck)


# -- starts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferrable"])
def test_a_start_leaves_them(start_task: StartTask, omics: Any, deferrable: bool) -> None:
    omics.default_life = "completed"
    done = start_task(deferrable=deferrable, do_xcom_push=False)()
    assert done.kind == "success"
    assert done.pushed["omics_run"]["run"]["status"] == "COMPLETED"
    assert done.pushed["omics_run"]["tasks"] == {"COMPLETED": len(done.pushed["omics_tasks"]["tasks"])}
    assert omics.counts()["ListRunTasks"] == 1


@pytest.mark.parametrize("limit", ["wait_timeout", "execution_timeout"])
@pytest.mark.parametrize(("on_timeout", "status"), [("fail", "RUNNING"), ("cancel", "CANCELLED")])
def test_a_start_that_times_out_after_its_deferral_leaves_what_became_of_the_run(
    start_task: StartTask, omics: Any, limit: str, on_timeout: str, status: str
) -> None:
    omics.default_life = "running-forever"
    value: Any = 7200 if limit == "wait_timeout" else datetime.timedelta(hours=2)
    done = start_task(deferrable=True, on_timeout=on_timeout, **{limit: value})()
    assert done.kind == ("OmicsRunTimeoutError" if limit == "wait_timeout" else "AirflowTaskTimeout")
    assert done.pushed["omics_run"]["run"]["status"] == status


def test_a_start_that_does_not_wait_leaves_one_and_lists_nothing(start_task: StartTask, omics: Any) -> None:
    done = start_task(wait_for_completion=False)()
    assert done.pushed["omics_run"]["run"]["id"] == done.result["id"]
    assert "omics_tasks" not in done.pushed
    omics.advance(100_000)
    again = start_task(wait_for_completion=False, run_id="manual__1")()
    assert again.pushed["omics_run"]["run"]["id"]
    assert "ListRunTasks" not in omics.counts()


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferrable"])
def test_a_run_that_is_started_after_another_has_none_of_its_tasks(
    start_task: StartTask, omics: Any, left: list[Any], deferrable: bool, monkeypatch: Any
) -> None:
    pushed: list[tuple[str, Any]] = []
    push = Snapshots._push

    def note(self: Snapshots, key: str, value: Any) -> None:
        pushed.append((key, value))
        push(self, key, value)

    monkeypatch.setattr(Snapshots, "_push", note)
    omics.default_life = "failed-out-of-memory-error"
    done = start_task(
        rerun_with={"OUT_OF_MEMORY_ERROR": {"storage_type": "DYNAMIC"}},
        deferrable=deferrable,
        poke_interval=600,
    )()
    assert done.kind == "OmicsRunFailedError"
    ids = list(dict.fromkeys(value["run"]["id"] for key, value in pushed if key == "omics_run"))
    assert len(ids) == 2
    first_of_second = next(
        n for n, (key, value) in enumerate(pushed) if value.get("run", {}).get("id") == ids[1]
    )
    key, table = pushed[first_of_second - 1]
    assert (key, table["tasks"], table["left_out"]) == ("omics_tasks", [], 0)
    assert len(done.pushed["omics_tasks"]["tasks"]) == 2
    assert done.pushed["omics_run"]["reason"] == "OUT_OF_MEMORY_ERROR"


# -- batches -------------------------------------------------------------------------------------------------


@needs_batches
def test_a_batch_leaves_its_counts_and_reasons(omics: Any, clock: Clock, left: list[Any]) -> None:
    lives = [("completed", 3), ("failed-out-of-memory-error", 2), ("failed-import-failed", 1)]
    batch = batch_of(omics, settings(lives))
    end = Gate("poke", omics, clock, OmicsRunBatchSensor)(batch_id=batch)
    assert end.kind == "OmicsBatchMembersFailedError"
    [snapshot] = of(left, "omics_run")
    assert snapshot["kind"] == "batch"
    assert (snapshot["total"], snapshot["counts"]["completed"], snapshot["counts"]["failed"]) == (6, 3, 3)
    assert snapshot["reasons"] == [
        ["OUT_OF_MEMORY_ERROR", "pipeline author", 2],
        ["IMPORT_FAILED", snapshot["reasons"][1][1], 1],
    ]
    assert of(left, "omics_tasks") == []


@needs_batches
def test_a_batch_whose_failures_are_tolerated_leaves_reasons_as_well(
    omics: Any, clock: Clock, left: list[Any]
) -> None:
    batch = batch_of(omics, settings([("completed", 3), ("failed-out-of-memory-error", 1)]))
    arguments: dict[str, Any] = {"batch_id": batch, "max_failures": 1}
    assert Gate("poke", omics, clock, OmicsRunBatchSensor)(**arguments).kind == "success"
    narrowed = Gate("poke", omics, clock, OmicsRunBatchSensor)(**arguments, record_fields=["outcome"])
    assert narrowed.kind == "success"
    whole, narrow = of(left, "omics_run")
    assert whole["reasons"] == [["OUT_OF_MEMORY_ERROR", "pipeline author", 1]]
    assert set(narrow) == {"v", "kind", "seen", "run"}


@needs_batches
@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferrable"])
def test_a_start_of_a_batch_leaves_them(start_batch: StartBatch, omics: Any, deferrable: bool) -> None:
    given = cohort(4, {2: "failed-out-of-memory-error"})
    done = start_batch(run_settings=given, deferrable=deferrable, poke_interval=600)()
    assert done.kind == "OmicsBatchMembersFailedError"
    assert done.pushed["omics_run"]["counts"]["completed"] == 3
    assert done.pushed["omics_run"]["reasons"] == [["OUT_OF_MEMORY_ERROR", "pipeline author", 1]]
    assert "omics_tasks" not in done.pushed


# -- what may be left ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("life", ["completed", "failed-out-of-memory-error"])
@pytest.mark.parametrize("fields", [None, ["stopTime"]], ids=["all", "narrowed"])
def test_nothing_that_may_name_a_patient_is_left(
    omics: Any, clock: Clock, left: list[Any], life: str, fields: Any
) -> None:
    private = {"parameters": {"sample": MARKER}, "tags": {"patient": MARKER}}
    Gate("poke", omics, clock)(run_id=ended_run(omics, life, **private), record_fields=fields)
    ours = of(left, "omics_run") + of(left, "omics_tasks")
    assert len(ours) == 2
    assert MARKER not in json.dumps(ours)
    if fields:
        assert set(ours[0]["run"]) == {"id", "status", "stopTime"}
        assert "reason" not in ours[0]


def test_a_worst_name_is_within_600_bytes(omics: Any, clock: Clock, left: list[Any]) -> None:
    run_id = ended_run(omics, "failed-out-of-memory-error", name="\N{DNA DOUBLE HELIX}" * 128)
    Gate("poke", omics, clock)(run_id=run_id)
    [snapshot] = of(left, "omics_run")
    assert snapshot["run"]["name"].startswith("\N{DNA DOUBLE HELIX}")
    assert len(json.dumps(snapshot)) <= 600


def test_every_other_xcom_is_as_it_was(omics: Any, clock: Clock, left: list[Any], monkeypatch: Any) -> None:
    run_id = ended_run(omics, "failed-out-of-memory-error", logs=True)
    gate = Gate("poke", omics, clock)
    gate(run_id=run_id)
    with_them = [
        (key, value) for key, value in left if not key.startswith("omics_run") or key.endswith("links")
    ]
    left.clear()
    monkeypatch.setenv("AIRFLOW__OMICS__PROGRESS", "False")
    gate(run_id=run_id)
    assert [key for key, _ in left] == ["omics_run_links", "return_value", "diagnosis"]
    assert [pair for pair in with_them if pair[0] != "omics_tasks"] == left


# -- switched off --------------------------------------------------------------------------------------------


def test_the_option_turns_all_of_it_off(
    omics: Any, clock: Clock, left: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__OMICS__PROGRESS", "False")
    assert Gate("poke", omics, clock)(run_id=ended_run(omics)).kind == "success"
    assert [key for key, _ in left] == ["omics_run_links"]
    assert omics.counts() == {"GetRun": 1}


def test_an_option_that_is_unclear_turns_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert are_wanted()
    monkeypatch.setenv("AIRFLOW__OMICS__PROGRESS", "perhaps")
    assert not are_wanted()


def test_an_airflow_without_pages_gets_none(
    omics: Any, clock: Clock, left: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "has_pages", lambda: False)
    assert Gate("poke", omics, clock)(run_id=ended_run(omics)).kind == "success"
    assert [key for key, _ in left] == ["omics_run_links"]
    assert omics.counts() == {"GetRun": 1}


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.0.6", False),
        ("1.1.0", True),
        ("1.1.0rc1", True),
        ("1.3.2", True),
        ("2.0.0", True),
        ("1.10.0", True),
    ],
)
def test_pages_are_there_from_airflow_3_1_on(
    monkeypatch: pytest.MonkeyPatch, version: str, expected: bool
) -> None:
    sdk = pytest.importorskip("airflow.sdk")
    monkeypatch.setattr(sdk, "__version__", version)
    assert _compat.has_pages.__wrapped__() is expected


def test_without_a_task_instance_nothing_is_left_and_asked(omics: Any) -> None:
    empty: Any = {}
    assert OmicsRunSensor(task_id="t", run_id=ended_run(omics)).execute(empty)["status"] == "COMPLETED"
    assert omics.counts() == {"GetRun": 1}


# -- what fails ----------------------------------------------------------------------------------------------


@pytest.fixture
def at_debug(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, "airflow_omics._task")
    return caplog


def _lines_above_debug(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.message
        for record in caplog.records
        if record.levelno > logging.DEBUG and record.name.startswith("airflow_omics._task.")
    ]


@pytest.mark.parametrize(
    "kind", ["access-denied", "throttle", "internal-error", "expired-token", "not-found"]
)
def test_tasks_that_cannot_be_listed_are_a_debug_line(
    omics: Any, clock: Clock, left: list[Any], at_debug: pytest.LogCaptureFixture, kind: str
) -> None:
    run_id = ended_run(omics)
    omics.fault("ListRunTasks", kind)
    end = Gate("poke", omics, clock)(run_id=run_id)
    assert (end.kind, end.xcom["status"]) == ("success", "COMPLETED")
    assert statuses(left) == ["COMPLETED"]
    assert of(left, "omics_tasks") == []
    assert f"The tasks of run {run_id} could not be listed" in at_debug.text
    assert _lines_above_debug(at_debug) == []
    assert end.pauses == []


@pytest.mark.parametrize("life", ["completed", "failed-out-of-memory-error"])
@pytest.mark.parametrize("key", ["omics_run", "omics_tasks"])
def test_an_xcom_that_cannot_be_stored_changes_no_end(
    omics: Any, clock: Clock, at_debug: pytest.LogCaptureFixture, monkeypatch: Any, life: str, key: str
) -> None:
    run_id = ended_run(omics, life)
    gate = Gate("poke", omics, clock)
    expected = gate(run_id=run_id)
    push = TaskInstance.xcom_push

    def refuse(self: TaskInstance, pushed: str = "", value: Any = None, **named: Any) -> None:
        if named["key"] == key:
            raise RuntimeError("the XCom backend is away")
        push(self, named["key"], value)

    monkeypatch.setattr(TaskInstance, "xcom_push", refuse)
    end = gate(run_id=run_id)
    assert (end.kind, end.xcom, str(end.error)) == (expected.kind, expected.xcom, str(expected.error))
    assert "No snapshot was left" in at_debug.text


def test_a_snapshot_that_was_not_stored_is_tried_again_at_the_next_look(
    omics: Any, clock: Clock, left: list[Any], monkeypatch: Any
) -> None:
    push, refused = TaskInstance.xcom_push, []

    def refuse_once(self: TaskInstance, key: str, value: Any) -> None:
        if key == "omics_run" and not refused:
            refused.append(value)
            raise RuntimeError("the XCom backend is away")
        push(self, key, value)

    monkeypatch.setattr(TaskInstance, "xcom_push", refuse_once)
    run_id = new_run(omics)
    clock.at(200, omics.move, run_id, "COMPLETED")
    Gate("poke", omics, clock)(run_id=run_id)
    assert statuses(left) == ["RUNNING", "COMPLETED"]


@pytest.mark.parametrize("page", [1, 2])
def test_a_list_that_does_not_answer_is_left_behind(
    omics: Any, clock: Clock, left: list[Any], monkeypatch: Any, page: int
) -> None:
    """The pages that came are kept, and the table says that there may be more."""
    monkeypatch.setattr(ended_tasks, "SECONDS", 0.2)
    gone, pages = threading.Event(), iter(range(1, 9))
    next_page = Listing.next_page

    def silent(self: Listing) -> Any:
        if next(pages) == page:
            gone.wait(60)
            raise RuntimeError("too late")
        return next_page(self)

    monkeypatch.setattr(Listing, "next_page", silent)
    try:
        end = Gate("poke", omics, clock)(run_id=run_with(omics, 150))
    finally:
        gone.set()
    assert end.kind == "success"
    tables = of(left, "omics_tasks")
    assert [(len(table["tasks"]), table["more"]) for table in tables] == ([] if page == 1 else [(100, True)])


@pytest.mark.parametrize(("seconds", "requests"), [(9, 0), (11, 1)])
def test_an_execution_timeout_that_is_near_leaves_no_time_to_list(
    omics: Any, clock: Clock, left: list[Any], seconds: float, requests: int
) -> None:
    arguments: dict[str, Any] = {"execution_timeout": datetime.timedelta(seconds=seconds)}
    assert Gate("poke", omics, clock)(run_id=ended_run(omics), **arguments).kind == "success"
    assert omics.counts().get("ListRunTasks", 0) == requests
    assert statuses(left) == ["COMPLETED"]


def test_the_time_that_a_worker_has_waited_counts_for_an_execution_timeout(
    omics: Any, clock: Clock, left: list[Any]
) -> None:
    run_id = new_run(omics)
    clock.at(100, omics.move, run_id, "COMPLETED")
    Gate("poke", omics, clock)(run_id=run_id, execution_timeout=datetime.timedelta(seconds=125))
    assert "ListRunTasks" not in omics.counts()


def test_a_timeout_while_a_snapshot_is_left_ends_the_task(omics: Any, monkeypatch: Any) -> None:
    class Late(TaskInstance):
        def xcom_push(self, key: str, value: Any) -> None:
            if key == "omics_run":
                raise AirflowTaskTimeout

    with pytest.raises(AirflowTaskTimeout):
        OmicsRunSensor(task_id="t", run_id=ended_run(omics)).execute(context_of(Late()))
