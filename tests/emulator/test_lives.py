"""What happens to a run of each life, seen through GetRun, ListRuns and ListRunTasks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from moto.moto_api import state_manager

from airflow_omics.emulator import LIFE_TAG, LIVES, Emulator, Life, Stage, Task

from .support import refused, start

pytestmark = pytest.mark.any_airflow

# Every failureReason of the user guide, "Run failure reasons", and that of StartRun's parametersUri.
DOCUMENTED_REASONS = [
    "ALL_PROFILES_INSTANCE_RESERVATION_FAILED",
    "ASSUME_ROLE_FAILED",
    "CANNOT_START_CONTAINER_ERROR",
    "CANNOT_START_CONTAINER_SIZE_ERROR",
    "ECR_PERMISSION_ERROR",
    "EXPORT_FAILED",
    "FILE_SYSTEM_OUT_OF_SPACE",
    "IMAGE_VERIFICATION_FAILURE",
    "IMPORT_FAILED",
    "INACTIVE_OMICS_STORAGE_RESOURCE",
    "INPUT_URI_NOT_FOUND",
    "INSTANCE_RESERVATION_FAILED",
    "INVALID_ECR_IMAGE_URI",
    "INVALID_RUN_PARAMETERS",
    "INVALID_TASK_RESOURCE_VALUE",
    "INVALID_URI_INPUT",
    "MODIFIED_INPUT_RESOURCE",
    "OUT_OF_MEMORY_ERROR",
    "RUN_TASK_FAILED",
    "RUN_TIMED_OUT",
    "SERVICE_ERROR",
    "TASK_TIMED_OUT",
    "UNSUPPORTED_GPU_INSTANCE_TYPE",
    "UNSUPPORTED_INPUT_SIZE",
    "WORKFLOW_RUN_FAILED",
    "WORKFLOW_VER_VALIDATION_FAILED",
]
DAY = 86_400


@pytest.fixture(autouse=True)
def _frozen(emulator: Emulator) -> None:
    emulator.freeze()


def statuses(client: Any, emulator: Emulator, run_id: str, step: float = 10, steps: int = 200) -> list[str]:
    """Return the statuses a run passes through, each once in a row."""
    seen: list[str] = []
    for _ in range(steps):
        try:
            status = client.get_run(id=run_id)["status"]
        except client.exceptions.ResourceNotFoundException:
            status = "404"
        if seen[-1:] != [status]:
            seen.append(status)
        emulator.advance(step)
    return seen


def test_the_everyday_run_takes_about_twenty_minutes(client: Any, emulator: Emulator) -> None:
    run = start(client)
    assert run["status"] == "PENDING"
    for seconds, status in (
        (0, "PENDING"),
        (3, "STARTING"),
        (560, "RUNNING"),
        (480, "STOPPING"),
        (160, "COMPLETED"),
    ):
        emulator.advance(seconds)
        assert client.get_run(id=run["id"])["status"] == status
    record = client.get_run(id=run["id"])
    assert (record["startTime"] - record["creationTime"]).total_seconds() == pytest.approx(562, abs=0.01)
    assert (record["stopTime"] - record["creationTime"]).total_seconds() == pytest.approx(1202, abs=0.01)


@pytest.mark.parametrize(
    ("life", "passes"),
    [
        ("pending-forever", ["PENDING"]),
        ("starting-forever", ["PENDING", "STARTING"]),
        ("running-forever", ["PENDING", "STARTING", "RUNNING"]),
        ("stopping-forever", ["PENDING", "STARTING", "RUNNING", "STOPPING"]),
        ("completed", ["PENDING", "STARTING", "RUNNING", "STOPPING", "COMPLETED"]),
        ("completed-on-gpu", ["PENDING", "STARTING", "RUNNING", "STOPPING", "COMPLETED"]),
        ("cancelled", ["PENDING", "STARTING", "RUNNING", "STOPPING", "CANCELLED"]),
        ("cancelled-while-pending", ["PENDING", "STOPPING", "CANCELLED"]),
        ("deleted", ["PENDING", "STARTING", "RUNNING", "STOPPING", "COMPLETED", "DELETED"]),
        ("deleted-then-gone", ["PENDING", "STARTING", "RUNNING", "STOPPING", "COMPLETED", "DELETED", "404"]),
        ("vanishes-while-running", ["PENDING", "STARTING", "RUNNING", "404"]),
        ("vanishes-after-completion", ["PENDING", "STARTING", "RUNNING", "STOPPING", "COMPLETED", "404"]),
        ("unknown-status", ["PENDING", "STARTING", "RUNNING", "PAUSED", "RUNNING", "STOPPING", "COMPLETED"]),
        ("unknown-status-forever", ["PENDING", "STARTING", "RUNNING", "STOPPING", "ARCHIVED"]),
        ("failed-assume-role-failed", ["PENDING", "STARTING", "STOPPING", "FAILED"]),
        ("failed-run-task-failed", ["PENDING", "STARTING", "RUNNING", "STOPPING", "FAILED"]),
    ],
)
def test_a_life_passes_through_its_statuses(
    life: str, passes: list[str], client: Any, emulator: Emulator
) -> None:
    run = start(client, life)
    assert statuses(client, emulator, run["id"]) == passes


def test_the_lives_cover_all_eight_statuses() -> None:
    ends = {life.outcome for life in LIVES.values()}
    assert {
        "PENDING",
        "STARTING",
        "RUNNING",
        "STOPPING",
        "COMPLETED",
        "FAILED",
        "CANCELLED",
        "DELETED",
    } <= ends


@pytest.mark.parametrize("reason", DOCUMENTED_REASONS)
def test_every_documented_failure_reason_has_a_life(reason: str, client: Any, emulator: Emulator) -> None:
    run = start(client, "failed-" + reason.lower().replace("_", "-"))
    emulator.advance(1)
    assert "failureReason" not in client.get_run(id=run["id"])
    emulator.advance(DAY)
    record = client.get_run(id=run["id"])
    assert (record["status"], record["failureReason"]) == ("FAILED", reason)
    assert record["statusMessage"]


def test_a_run_can_fail_without_a_reason(client: Any, emulator: Emulator) -> None:
    run, silent = start(client, "failed-without-reason"), start(client, "failed-without-a-word")
    emulator.advance(DAY)
    record = client.get_run(id=run["id"])
    assert record["statusMessage"]
    assert "failureReason" not in record
    assert not {"failureReason", "statusMessage"} & set(client.get_run(id=silent["id"]))


def test_a_run_can_fail_before_its_first_task(client: Any, emulator: Emulator) -> None:
    run = start(client, "failed-before-first-task")
    emulator.advance(DAY)
    assert client.get_run(id=run["id"])["status"] == "FAILED"
    assert client.list_run_tasks(id=run["id"])["items"] == []


def test_a_run_that_never_started_has_no_start_time(client: Any, emulator: Emulator) -> None:
    run = start(client, "cancelled-while-pending")
    emulator.advance(DAY)
    record = client.get_run(id=run["id"])
    assert "stopTime" in record
    assert "startTime" not in record


def test_a_completed_run_can_hold_a_failed_task(client: Any, emulator: Emulator) -> None:
    run = start(client, "completed-with-retried-task")
    emulator.advance(DAY)
    tasks = client.list_run_tasks(id=run["id"])["items"]
    assert [(task["name"], task["status"]) for task in tasks] == [
        ("AlignReads", "FAILED"),
        ("AlignReads", "COMPLETED"),
        ("CallVariants", "COMPLETED"),
    ]
    assert len({task["taskId"] for task in tasks}) == 3
    failed = client.get_run_task(id=run["id"], taskId=tasks[0]["taskId"])
    assert failed["failureReason"] == "SERVICE_ERROR"
    assert client.get_run(id=run["id"])["status"] == "COMPLETED"


def test_cached_tasks_have_no_times(client: Any, emulator: Emulator) -> None:
    run = start(client, "completed-with-cached-tasks")
    emulator.advance(DAY)
    for task in client.list_run_tasks(id=run["id"])["items"]:
        assert task["cacheHit"] is True
        assert task["cacheS3Uri"].startswith("s3://")
        assert not {"creationTime", "startTime", "stopTime", "instanceType"} & set(task)


def test_the_task_that_fails_carries_the_reason(client: Any, emulator: Emulator) -> None:
    run = start(client, "failed-out-of-memory-error")
    emulator.advance(DAY)
    first, second = client.list_run_tasks(id=run["id"])["items"]
    assert (first["status"], second["status"]) == ("COMPLETED", "FAILED")
    record = client.get_run_task(id=run["id"], taskId=second["taskId"])
    assert record["failureReason"] == "OUT_OF_MEMORY_ERROR"
    assert "failureReason" not in client.get_run_task(id=run["id"], taskId=first["taskId"])


def test_tasks_appear_and_end_while_the_run_is_running(client: Any, emulator: Emulator) -> None:
    run = start(client)
    emulator.advance(563)
    assert client.list_run_tasks(id=run["id"])["items"] == []
    emulator.advance(20)
    (task,) = client.list_run_tasks(id=run["id"])["items"]
    assert task["status"] == "PENDING"
    assert "startTime" not in task
    emulator.advance(130)
    (task,) = client.list_run_tasks(id=run["id"])["items"]
    assert task["status"] == "RUNNING"
    assert "stopTime" not in task


def test_a_timed_out_run_cancels_its_task(client: Any, emulator: Emulator) -> None:
    run = start(client, "failed-run-timed-out")
    emulator.advance(DAY)
    (task,) = client.list_run_tasks(id=run["id"])["items"]
    assert task["status"] == "CANCELLED"


def test_cancel_goes_through_stopping(client: Any, emulator: Emulator) -> None:
    run = start(client)
    emulator.advance(600)
    answer = client.cancel_run(id=run["id"])
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert statuses(client, emulator, run["id"], steps=20) == ["STOPPING", "CANCELLED"]
    record = client.get_run(id=run["id"])
    assert {"startTime", "stopTime"} <= set(record)
    assert {task["status"] for task in client.list_run_tasks(id=run["id"])["items"]} == {"CANCELLED"}


def test_cancel_of_a_stopping_run_comes_too_late(client: Any, emulator: Emulator) -> None:
    run = start(client)
    emulator.advance(1100)
    client.cancel_run(id=run["id"])
    assert statuses(client, emulator, run["id"], steps=40) == ["STOPPING", "COMPLETED"]


@pytest.mark.parametrize("life", ["id-reused-while-running", "id-reused-after-completion"])
def test_a_reused_id_is_another_run(life: str, client: Any, emulator: Emulator) -> None:
    run = start(client, life)
    emulator.advance(600)
    first = client.get_run(id=run["id"])
    assert first["status"] == "RUNNING"
    emulator.advance(700)
    second = client.get_run(id=run["id"])
    assert (second["id"], second["arn"]) == (first["id"], first["arn"])
    assert second["uuid"] != first["uuid"]
    assert second["creationTime"] > first["creationTime"]
    assert [item["id"] for item in client.list_runs()["items"]] == [run["id"]]


def test_an_unknown_life_is_refused_with_the_names_of_those_there_are(client: Any) -> None:
    code, status, message = refused(
        client.start_run,
        workflowId="1",
        roleArn="arn:aws:iam::123456789012:role/r",
        outputUri="s3://bucket/x",
        tags={LIFE_TAG: "happy"},
    )
    assert (code, status) == ("ValidationException", 400)
    assert "'happy' is unknown" in message
    assert "failed-service-error" in message


def test_the_default_life_can_be_set(client: Any, emulator: Emulator) -> None:
    emulator.default_life = "failed-service-error"
    run = start(client)
    emulator.advance(DAY)
    assert client.get_run(id=run["id"])["failureReason"] == "SERVICE_ERROR"


def test_a_life_of_your_own(client: Any, emulator: Emulator) -> None:
    emulator.add_life(
        Life(
            "brief",
            (Stage("PENDING", 1), Stage("RUNNING", 10), Stage("FAILED")),
            failure_reason="RUN_TASK_FAILED",
            tasks=(Task("Only", stages=(Stage("RUNNING", 5), Stage("FAILED")), failure_reason="BOOM"),),
        )
    )
    run = start(client, "brief")
    assert statuses(client, emulator, run["id"], step=1, steps=20) == ["PENDING", "RUNNING", "FAILED"]
    (task,) = client.list_run_tasks(id=run["id"])["items"]
    assert client.get_run_task(id=run["id"], taskId=task["taskId"])["failureReason"] == "BOOM"


@pytest.mark.parametrize("name", sorted(LIVES))
def test_every_life_survives_json(name: str) -> None:
    text = json.dumps(LIVES[name].to_dict())
    assert Life.from_dict(json.loads(text)) == LIVES[name]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"name": "", "stages": [{"status": "PENDING"}]}, "needs a name"),
        ({"name": "x", "stages": []}, "has no stages"),
        ({"name": "x", "stages": [{"status": "PENDING"}, {"status": "RUNNING"}]}, "lasts for ever"),
        ({"name": "x", "stages": [{"status": "PENDING", "seconds": -1}]}, "seconds is -1"),
        ({"name": "x", "stages": [{"status": "VANISHED"}]}, "cannot begin with VANISHED"),
        ({"name": "x", "stages": [{"status": "PENDING"}], "color": "red"}, "color"),
        ("completed", "is an object with"),
    ],
)
def test_a_life_that_cannot_be_played_is_refused(value: Any, says: str, emulator: Emulator) -> None:
    with pytest.raises(ValueError, match=says):
        emulator.add_life(value)


class TestStateManager:
    """moto's own way to steer transitions."""

    @pytest.fixture(autouse=True)
    def _transition_ends(self) -> Any:
        yield
        state_manager.unset_transition("omics::run")

    def test_manual_advances_one_stage_with_every_nth_get_run(self, client: Any, emulator: Emulator) -> None:
        state_manager.set_transition("omics::run", {"progression": "manual", "times": 2})
        run = start(client)
        emulator.advance(DAY)
        seen = [client.get_run(id=run["id"])["status"] for _ in range(9)]
        assert seen == ["PENDING", *["STARTING"] * 2, *["RUNNING"] * 2, *["STOPPING"] * 2, *["COMPLETED"] * 2]

    def test_manual_is_not_moved_by_list_runs(self, client: Any) -> None:
        state_manager.set_transition("omics::run", {"progression": "manual", "times": 1})
        start(client)
        assert [client.list_runs()["items"][0]["status"] for _ in range(3)] == ["PENDING"] * 3

    def test_immediate_jumps_to_the_end(self, client: Any) -> None:
        state_manager.set_transition("omics::run", {"progression": "immediate"})
        run = start(client, "failed-run-task-failed")
        record = client.get_run(id=run["id"])
        assert (record["status"], record["failureReason"]) == ("FAILED", "RUN_TASK_FAILED")
        assert [t["status"] for t in client.list_run_tasks(id=run["id"])["items"]] == ["COMPLETED", "FAILED"]

    def test_time_gives_every_stage_the_same_seconds(self, client: Any, emulator: Emulator) -> None:
        state_manager.set_transition("omics::run", {"progression": "time", "seconds": 7})
        run = start(client)
        seen = []
        for _ in range(5):
            seen.append(client.get_run(id=run["id"])["status"])
            emulator.advance(7)
        assert seen == ["PENDING", "STARTING", "RUNNING", "STOPPING", "COMPLETED"]
