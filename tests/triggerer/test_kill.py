"""Deferred starts that are killed, one or a cohort at once: which runs are cancelled, and what is said."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from airflow.triggers.base import BaseTrigger

from airflow_omics._steering.kills import Kills
from airflow_omics._watching.rate_limit import RATES
from airflow_omics.emulator import Emulator, EmulatorServer
from airflow_omics.hooks.async_client import OmicsAsyncClient
from airflow_omics.triggers import OmicsRunTrigger, OmicsStartedRunTrigger
from tests.support.iam import OPTIONAL, REQUIRED, Asked, allow_only
from tests.support.triggers import (
    LISTENING,
    Clients,
    Lines,
    fire,
    identity,
    moments,
    most_within,
    run_loop,
    seen,
    seen_more,
    stop,
)

TASK = {"dag_id": "cohort", "run_id": "manual__1", "task_id": "start", "map_index": -1, "deployment": ""}
NO_ANSWER = "no answer"
REPORTS_KILLS = hasattr(BaseTrigger, "on_kill")


class Supervisor:
    """Says in which state tasks are, as Airflow does: to any thread, one question at a time."""

    def __init__(self) -> None:
        self.state: str | None = "failed"
        self.of_task: dict[str, str | None] = {}
        self.questions: list[list[str]] = []
        self.unanswered = 0
        self.go_on = threading.Event()
        self.go_on.set()
        self._busy = threading.Lock()

    def states(self, task_ids: Iterable[str], indexes: Iterable[int], **_: Any) -> dict[str, str | None]:
        names = [t if index < 0 else f"{t}_{index}" for t in task_ids for index in indexes]
        with self._busy:
            self.questions.append(names)
            assert self.go_on.wait(30.0)
            if self.unanswered:
                self.unanswered -= 1
                raise ConnectionError(NO_ANSWER)
            if self.state == NO_ANSWER:
                raise ConnectionError(NO_ANSWER)
            return {name: self.of_task.get(name, self.state) for name in names}


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    """What Airflow knows of every task; failed, as long as a test says nothing else."""
    supervisor = Supervisor()
    try:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
    except ImportError:  # Airflow 2.11

        def of_group(group: list[Any]) -> dict[Any, Any]:
            known = supervisor.states([t.task_id for t in group], sorted({t.map_index for t in group}))
            return {t: known[t.task_id if t.map_index < 0 else f"{t.task_id}_{t.map_index}"] for t in group}

        monkeypatch.setattr("airflow_omics._task.state_reader._states_in_database", of_group)
        return supervisor

    def get_task_states(
        dag_id: str, map_index: int | None = None, task_ids: Any = (), run_ids: Any = (), **_: Any
    ) -> Any:
        # As Airflow: every index, if none is named or it is below zero.
        indexes = range(-1, 100) if map_index is None or map_index < 0 else [map_index]
        return {run_ids[0]: supervisor.states(task_ids, indexes)}

    monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", staticmethod(get_task_states))
    return supervisor


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_omics._steering.kills.backoff", lambda failures: 0.05)
    monkeypatch.setattr("airflow_omics._steering.change.backoff", lambda failures, rand=None: 0.05)


def trigger_of(server: EmulatorServer, run_id: str, index: int = -1, **arguments: Any) -> Any:
    task_key = {**TASK, "map_index": index}
    arguments = {"task_key": task_key, "poke_interval": 0.5, **arguments}
    return OmicsStartedRunTrigger(identity(server, run_id), **arguments)


def cancelled(omics: Emulator) -> list[str]:
    """Return the runs whose CancelRun was accepted, in order."""
    return [r["run_id"] for r in omics.requests("CancelRun") if r["status"] is not None and r["status"] < 300]


async def nothing_is_under_way(timeout: float = 20.0) -> None:
    """Wait until whatever the kills have left behind in the loop has ended."""
    async with asyncio.timeout(timeout):
        while tasks := list(Kills.of_loop()._tasks.values()):
            await asyncio.wait(tasks)


async def as_triggerer(trigger: Any, log: Lines | None = None) -> None:
    """Run a trigger until it is cancelled, and report the kill to it, as Airflow 3.3 does."""
    LISTENING.set(log)
    try:
        async for _ in trigger.run():
            return
    except asyncio.CancelledError:
        if REPORTS_KILLS:
            await trigger.on_kill()
        raise


async def kill_all(tasks: Iterable[asyncio.Task[Any]], again_after: float = 0.2) -> None:
    """Cancel triggers until they are gone, again and again, as every Airflow does; it does so each second."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
            await asyncio.sleep(0)
        _, left = await asyncio.wait(left, timeout=again_after)


async def killed(trigger: Any, log: Lines | None = None) -> None:
    """Kill a trigger that has begun to wait, and return when all that comes of it is over."""
    task = asyncio.create_task(as_triggerer(trigger, log))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    await nothing_is_under_way()


# -- a cohort ------------------------------------------------------------------------------------------------


def test_every_run_of_a_cohort_that_is_killed_at_once_is_cancelled(
    server: EmulatorServer,
    omics: Emulator,
    airflow: Supervisor,
    rate: Any,
    clients: Clients,
    complaints: Callable[[], list[str]],
) -> None:
    """Airflow cancels a trigger again each second until it is gone, and on_kill with it."""
    rate(25)
    run_ids = omics.start_runs(60, life="pending-forever")
    triggers = [trigger_of(server, run_id, index) for index, run_id in enumerate(run_ids)]
    for operation in ("GetRun", "CancelRun"):
        omics.limit(operation, 50)

    async def body() -> None:
        waits = [asyncio.create_task(as_triggerer(trigger)) for trigger in triggers]
        await seen_more(omics, "GetRun", 1)
        begun = time.monotonic()
        await kill_all(waits)
        assert time.monotonic() - begun < 3.0  # not one of them waits for its turn
        await nothing_is_under_way()

    run_loop(body)
    assert sorted(cancelled(omics)) == sorted(run_ids)
    assert not [r for r in omics.requests() if r["error"]]
    assert most_within(moments(omics.requests("CancelRun")), 0.9) <= 25
    assert most_within(moments(omics.requests("GetRun"))[-60:], 0.9) <= 25
    assert clients.closed == clients.opened
    assert complaints() == []
    assert len(airflow.questions) < 30


def test_each_cancellation_costs_a_getrun_and_a_cancelrun(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor
) -> None:
    run_ids = omics.start_runs(10, life="pending-forever")
    triggers = [trigger_of(server, run_id, index) for index, run_id in enumerate(run_ids)]
    before = omics.counts()["GetRun"]

    async def body() -> None:
        await asyncio.gather(*(trigger.on_kill() for trigger in triggers))

    run_loop(body)
    assert omics.counts()["GetRun"] == before + 10
    assert omics.counts()["CancelRun"] == 10


def test_the_run_is_read_right_before_it_is_cancelled_however_long_the_line(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor
) -> None:
    """CancelRun knows no uuid: what was read half a minute before may be another run by then."""
    for account in (None, "123456789012"):  # CancelRun is slower than GetRun, as after some throttling
        RATES.limiter("CancelRun", "us-east-1", account, 10.0)
    run_ids = omics.start_runs(20, life="pending-forever")
    triggers = [trigger_of(server, run_id, index) for index, run_id in enumerate(run_ids)]
    before = len(omics.requests())

    async def body() -> None:
        await asyncio.gather(*(trigger.on_kill() for trigger in triggers))

    run_loop(body)
    looked: dict[str, float] = {}
    requests = omics.requests()[before:]
    for request, at in zip(requests, moments(requests), strict=True):
        if request["operation"] == "GetRun":
            looked[request["run_id"]] = at
        else:
            assert at - looked[request["run_id"]] < 0.5
    assert sorted(cancelled(omics)) == sorted(run_ids)
    assert most_within(moments(omics.requests("CancelRun")), 0.9) <= 10


def test_the_rate_of_cancellations_holds_although_the_first_requests_take_long(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for account in (None, "123456789012"):
        RATES.limiter("CancelRun", "us-east-1", account, 10.0)
    run_ids = omics.start_runs(20, life="pending-forever")
    triggers = [trigger_of(server, run_id, index) for index, run_id in enumerate(run_ids)]
    connected_at = time.monotonic() + 0.3
    get_run = OmicsAsyncClient.get_run

    async def get_run_once_connected(self: OmicsAsyncClient, *arguments: Any) -> Any:
        await asyncio.sleep(max(0.0, connected_at - time.monotonic()))
        return await get_run(self, *arguments)

    monkeypatch.setattr(OmicsAsyncClient, "get_run", get_run_once_connected)

    async def body() -> None:
        await asyncio.gather(*(trigger.on_kill() for trigger in triggers))

    run_loop(body)
    assert sorted(cancelled(omics)) == sorted(run_ids)
    assert most_within(moments(omics.requests("CancelRun")), 0.9) <= 10


def test_a_run_that_cannot_be_reached_holds_up_no_other(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor
) -> None:
    run_ids = omics.start_runs(30, life="pending-forever")
    triggers = [trigger_of(server, run_id, index) for index, run_id in enumerate(run_ids)]
    omics.fault("CancelRun", "hang", run_id=run_ids[0])
    omics.fault("GetRun", "throttle", run_id=run_ids[1], times=8)
    omics.fault("GetRun", "expired-token", run_id=run_ids[2], times=3)
    omics.fault("CancelRun", "drop", run_id=run_ids[3], times=3)
    omics.fault("CancelRun", "internal-error", run_id=run_ids[4], times=3)
    omics.fault("CancelRun", "html", run_id=run_ids[5], times=2)

    async def body() -> None:
        kills = [asyncio.create_task(trigger.on_kill()) for trigger in triggers]
        while len(cancelled(omics)) < 29:
            await asyncio.sleep(0.05)
        assert run_ids[0] not in cancelled(omics)
        omics.clear_faults()  # what hangs is dropped, and tried again
        await asyncio.gather(*kills)

    run_loop(body)
    assert set(cancelled(omics)) == set(run_ids)


def test_waits_that_go_on_have_their_share_while_a_cohort_is_cancelled(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor, rate: Any
) -> None:
    rate(40)
    omics.fault("ListRuns", "access-denied")
    awaited = omics.start_runs(40, life="pending-forever")
    run_ids = omics.start_runs(60, life="pending-forever")
    triggers = [trigger_of(server, run_id, index) for index, run_id in enumerate(run_ids)]
    waits = [OmicsRunTrigger(identity(server, run_id), poke_interval=0.5) for run_id in awaited]

    async def body() -> None:
        tasks = [asyncio.create_task(fire(wait)) for wait in waits]
        await seen_more(omics, "GetRun", 40)
        kills = [asyncio.create_task(trigger.on_kill()) for trigger in triggers]
        await seen(omics, "CancelRun", 5)
        before = omics.counts()["GetRun"]
        await seen(omics, "CancelRun", 45)
        looks = [request["run_id"] for request in omics.requests("GetRun")[before:]]
        assert sum(run_id in awaited for run_id in looks) >= 0.15 * len(looks)
        await asyncio.gather(*kills)
        await stop(tasks)

    run_loop(body)
    assert sorted(cancelled(omics)) == sorted(run_ids)


def test_a_service_that_hangs_leaves_connections_to_the_waits_that_go_on(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor
) -> None:
    [awaited, *run_ids] = omics.start_runs(71, life="pending-forever")
    triggers = [trigger_of(server, run_id, index) for index, run_id in enumerate(run_ids)]
    omics.fault("CancelRun", "hang")

    async def body() -> None:
        wait = asyncio.create_task(fire(OmicsRunTrigger(identity(server, awaited), poke_interval=0.5)))
        kills = [asyncio.create_task(trigger.on_kill()) for trigger in triggers]
        await seen(omics, "CancelRun", 16)
        omics.move(awaited, "COMPLETED")
        assert (await wait)["record"]["status"] == "COMPLETED"
        assert omics.counts()["CancelRun"] == 16
        assert not any(kill.done() for kill in kills)

    asyncio.run(body())


def test_the_shared_client_stays_open_until_the_last_run_is_cancelled(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor, clients: Clients, rate: Any
) -> None:
    rate(20)
    [other, *run_ids] = omics.start_runs(21, life="pending-forever")
    triggers = [trigger_of(server, run_id, index) for index, run_id in enumerate(run_ids)]

    async def body() -> None:
        wait = asyncio.create_task(fire(OmicsRunTrigger(identity(server, other), poke_interval=0.5)))
        await seen_more(omics, "GetRun", 1)
        kills = [asyncio.create_task(trigger.on_kill()) for trigger in triggers]
        await seen(omics, "CancelRun", 2)
        await stop([wait])  # the last that waits
        assert clients.closed == []
        await asyncio.gather(*kills)

    run_loop(body)
    assert sorted(cancelled(omics)) == sorted(run_ids)
    assert len(clients.opened) == 1
    assert clients.closed == clients.opened


# -- which runs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "on_clear", "is_cancelled"),
    [
        ("failed", "new", True),
        ("success", "reattach", True),
        ("skipped", "new", True),
        ("removed", "reattach", True),
        (None, "new", True),
        (None, "reattach", False),
        ("restarting", "new", True),
        ("restarting", "reattach", False),
        # Handed to another triggerer, or about to go on: the run is awaited.
        *((state, on_clear, False) for state in ("deferred", "queued", "scheduled", "running", "up_for_retry")
          for on_clear in ("new", "reattach")),
    ],
)  # fmt: skip
def test_a_killed_trigger_cancels_the_run_only_if_nobody_needs_it(
    server: EmulatorServer,
    omics: Emulator,
    airflow: Supervisor,
    state: Any,
    on_clear: str,
    is_cancelled: bool,
) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    airflow.state = state
    trigger = trigger_of(server, run_id, on_clear=on_clear)
    run_loop(lambda: killed(trigger))
    assert cancelled(omics) == ([run_id] if is_cancelled else [])


def test_each_task_of_a_cohort_has_its_own_state(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor
) -> None:
    run_ids = omics.start_runs(20, life="pending-forever")
    airflow.of_task = {f"start_{index}": "deferred" for index in range(0, 20, 2)}
    airflow.of_task["start"] = "deferred"
    triggers = [trigger_of(server, run_id, index) for index, run_id in enumerate(run_ids)]

    async def body() -> None:
        await asyncio.gather(*(trigger.on_kill() for trigger in triggers))

    run_loop(body)
    assert sorted(cancelled(omics)) == sorted(run_ids[1::2])


def test_a_trigger_that_may_not_cancel_cancels_nothing(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor
) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    trigger = trigger_of(server, run_id, cancel_on_kill=False)
    run_loop(lambda: killed(trigger))
    assert airflow.questions == []
    assert cancelled(omics) == []


def test_another_run_under_the_id_is_left_alone_though_ours_was_read_a_moment_before(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor
) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    log = Lines()
    trigger = trigger_of(server, run_id)

    async def body() -> None:
        wait = asyncio.create_task(as_triggerer(trigger, log))
        await log.said("is PENDING")
        omics.reuse_id(run_id, "running-forever")
        wait.cancel()
        await asyncio.wait({wait})
        await nothing_is_under_way()

    run_loop(body)
    assert "CancelRun" not in omics.counts()
    assert any(f"HealthOmics run {run_id} is DELETED." in line for _, line in log.lines)


def test_a_run_that_ended_meanwhile_is_left_alone(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor
) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    trigger, log = trigger_of(server, run_id), Lines()
    omics.move(run_id, "COMPLETED")
    run_loop(lambda: _on_kill(trigger, log))
    assert "CancelRun" not in omics.counts()
    assert any(f"HealthOmics run {run_id} is COMPLETED." in line for _, line in log.lines)


def test_a_run_that_ends_between_the_look_and_the_request_is_no_failure(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor
) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    trigger, log = trigger_of(server, run_id), Lines()
    omics.fault("CancelRun", "conflict", times=1)

    async def body() -> None:
        kill = asyncio.create_task(_on_kill(trigger, log))
        await seen(omics, "CancelRun", 1)
        omics.move(run_id, "FAILED", "SERVICE_ERROR", "An error in the service.")
        await kill

    run_loop(body)
    assert not [line for level, line in log.lines if "could not be cancelled" in line]


@pytest.mark.parametrize("index", [-1, 3], ids=["another-task", "the-same-task"])
def test_two_kills_of_a_run_make_one_cancellation(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor, caplog: pytest.LogCaptureFixture, index: int
) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    triggers = [trigger_of(server, run_id, 3), trigger_of(server, run_id, index)]

    async def body() -> None:
        await asyncio.gather(*(trigger.on_kill() for trigger in triggers))

    before = omics.counts()["GetRun"]
    with caplog.at_level(logging.INFO, "airflow_omics"):
        run_loop(body)
    assert cancelled(omics) == [run_id]
    assert len([r for r in caplog.records if "is to be cancelled" in r.getMessage()]) == (
        2 if index < 0 else 1
    )
    assert omics.counts()["GetRun"] == before + 1


# -- what cannot be done is named ----------------------------------------------------------------------------


async def _on_kill(trigger: Any, log: Lines) -> None:
    LISTENING.set(log)
    await trigger.on_kill()


def test_a_kill_asks_for_no_other_action_than_the_table_has(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor, asked: Asked
) -> None:
    allow_only(omics, {"omics:GetRun", "omics:CancelRun"})
    [run_id] = omics.start_runs(1, life="pending-forever")
    run_loop(lambda: _on_kill(trigger_of(server, run_id), Lines()))
    assert cancelled(omics) == [run_id]
    assert asked.actions == {"omics:GetRun", "omics:CancelRun"}
    assert REQUIRED["OmicsStartedRunTrigger"] == ("omics:GetRun",)
    assert OPTIONAL["OmicsStartedRunTrigger"] == ("omics:ListRuns", "omics:ListRunTasks", "omics:CancelRun")


@pytest.mark.parametrize(
    ("fault", "reason"), [("access-denied", "omics:CancelRun"), ("validation", "ValidationException")]
)
def test_a_run_that_may_not_be_cancelled_is_named_with_the_reason(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor, fault: str, reason: str
) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    trigger, log = trigger_of(server, run_id), Lines()
    omics.fault("CancelRun", fault)
    run_loop(lambda: _on_kill(trigger, log))
    [line] = [line for level, line in log.lines if level == logging.WARNING and "goes on" in line]
    arn = f"arn:aws:omics:us-east-1:123456789012:run/{run_id}"
    assert line.startswith(f"HealthOmics run {run_id} ({arn}) could not be cancelled, and goes on: ")
    assert reason in line


def test_a_run_that_could_not_be_reached_in_time_is_named_with_the_last_reason(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_omics._steering.cancellations.WITHIN", 0.5)
    [run_id] = omics.start_runs(1, life="pending-forever")
    trigger, log = trigger_of(server, run_id), Lines()
    omics.fault("CancelRun", "throttle")
    run_loop(lambda: _on_kill(trigger, log))
    [line] = [line for _, line in log.lines if "could not be cancelled" in line]
    assert f":run/{run_id}) could not be cancelled, and goes on: " in line
    assert "CancelRun was never accepted. The last call failed: CancelRun: ThrottlingException" in line


def test_a_mistake_without_a_text_is_named_by_its_kind(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    trigger, log = trigger_of(server, run_id), Lines()

    def fail(*_: Any, **__: Any) -> None:
        raise TimeoutError

    monkeypatch.setattr("airflow_omics._steering.cancellations._Unattended", fail)
    run_loop(lambda: _on_kill(trigger, log))
    assert any(
        line.endswith(f":run/{run_id}) could not be cancelled, and goes on: TimeoutError")
        for _, line in log.lines
    )


@pytest.mark.parametrize("arguments", [{"run_id": "nonsense"}, {"run_id": "1234567", "region_name": None}])
def test_nothing_is_raised_for_a_trigger_whose_arguments_make_no_sense(
    arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Lines()
    if arguments["run_id"] != "nonsense":
        monkeypatch.setenv("AIRFLOW__OMICS__REQUESTS_PER_SECOND", "none")
    trigger = OmicsStartedRunTrigger(task_key=TASK, **arguments)
    run_loop(lambda: _on_kill(trigger, log))
    [(level, line)] = log.lines
    assert level == logging.WARNING
    assert f"HealthOmics run {arguments['run_id']} could not be cancelled, and goes on: " in line


def test_a_triggerer_that_stops_names_the_runs_that_go_on_in_one_line(
    server: EmulatorServer,
    omics: Emulator,
    airflow: Supervisor,
    caplog: pytest.LogCaptureFixture,
    clients: Clients,
    complaints: Callable[[], list[str]],
) -> None:
    run_ids = sorted(omics.start_runs(20, life="pending-forever"))
    triggers = [trigger_of(server, run_id, index) for index, run_id in enumerate(run_ids)]
    for run_id in run_ids[5:]:
        omics.fault("CancelRun", "hang", run_id=run_id)
    log = Lines()

    async def body() -> None:
        waits = [asyncio.create_task(as_triggerer(trigger, log)) for trigger in triggers]
        await asyncio.sleep(0)
        await kill_all(waits)
        while len(cancelled(omics)) < 5:
            await asyncio.sleep(0.05)

    with caplog.at_level(logging.INFO, "airflow_omics"):
        asyncio.run(body())
    [line] = [r.getMessage() for r in caplog.records if "This triggerer stops" in r.getMessage()]
    assert line == (
        "This triggerer stops before it could cancel the runs of killed tasks, and they go on: "
        "arn:aws:omics:us-east-1:123456789012:run/" + ", ".join(run_ids[5:])
    )
    assert line not in [text for _, text in log.lines]  # it is of many triggers, and no one's
    assert sorted(cancelled(omics)) == run_ids[:5]
    assert set(clients.closed) == set(clients.opened)
    assert complaints() == []


# -- the task's state ----------------------------------------------------------------------------------------


def test_the_states_of_a_cohort_are_asked_for_together(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor
) -> None:
    run_ids = omics.start_runs(50, life="pending-forever")
    triggers = [trigger_of(server, run_id, index) for index, run_id in enumerate(run_ids[:40])]
    triggers += [trigger_of(server, run_id, task_key={**TASK, "task_id": f"one_{run_id}"})
                 for run_id in run_ids[40:]]  # fmt: skip

    airflow.go_on.clear()

    async def body() -> None:
        kills = [asyncio.create_task(trigger.on_kill()) for trigger in triggers]
        while not airflow.questions:
            await asyncio.sleep(0.01)
        airflow.go_on.set()
        await asyncio.gather(*kills)

    run_loop(body)
    assert len(cancelled(omics)) == 50
    assert len(airflow.questions) <= 3


def test_a_state_that_cannot_be_read_at_once_is_read_again(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor
) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    airflow.unanswered = 3
    trigger = trigger_of(server, run_id)
    run_loop(lambda: killed(trigger))
    assert cancelled(omics) == [run_id]


def test_a_run_whose_tasks_state_cannot_be_read_goes_on_and_is_named(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_omics._steering.kills.STATE_WITHIN", 0.3)
    [run_id] = omics.start_runs(1, life="pending-forever")
    airflow.state = NO_ANSWER
    trigger, log = trigger_of(server, run_id), Lines()
    run_loop(lambda: _on_kill(trigger, log))
    assert cancelled(omics) == []
    [line] = [line for level, line in log.lines if level == logging.WARNING]
    assert line == (
        f"HealthOmics run {run_id} (arn:aws:omics:us-east-1:123456789012:run/{run_id}) is not cancelled, "
        "since the task's state can't be read: ConnectionError: no answer"
    )


def test_an_airflow_that_does_not_answer_blocks_nothing_and_is_asked_again(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_omics._task.state_reader.LONGEST_READ", 0.2)
    [run_id] = omics.start_runs(1, life="pending-forever")
    trigger = trigger_of(server, run_id)
    airflow.go_on.clear()

    async def body() -> None:
        kill = asyncio.create_task(trigger.on_kill())
        while len(threads_that_ask()) < 3:
            await asyncio.sleep(0.01)
        airflow.go_on.set()
        await kill
        await nothing_is_under_way()

    run_loop(body)
    assert cancelled(omics) == [run_id]


def threads_that_ask() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "airflow-omics-task-states"]


# -- which log -----------------------------------------------------------------------------------------------


def test_what_comes_of_a_kill_stands_in_the_tasks_own_log(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor
) -> None:
    run_ids = omics.start_runs(2, life="pending-forever")
    logs = {run_id: Lines() for run_id in run_ids}
    triggers = {run_id: trigger_of(server, run_id, i) for i, run_id in enumerate(run_ids)}

    async def body() -> None:
        await asyncio.gather(
            *(asyncio.create_task(_on_kill(triggers[run_id], log)) for run_id, log in logs.items())
        )

    run_loop(body)
    for run_id, log in logs.items():
        assert [line for _, line in log.lines] == [
            f"The task is failed: HealthOmics run {run_id} is to be cancelled.",
            f"HealthOmics run {run_id}: CancelRun was accepted",
        ]


def test_a_trigger_that_is_gone_has_said_where_to_look_and_lines_then_name_the_task(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    [run_id, other] = omics.start_runs(2, life="pending-forever")
    log, others = Lines(), Lines()
    trigger = trigger_of(server, run_id, 7)
    airflow.go_on.clear()

    async def body() -> None:
        wait = asyncio.create_task(as_triggerer(trigger, log))
        neighbour = asyncio.create_task(as_triggerer(trigger_of(server, other), others))
        await log.said("is PENDING")
        await kill_all([wait], again_after=0.1)
        assert log.lines[-1][1] == (
            f"HealthOmics run {run_id}: the triggerer goes on with it, and reports the result in its own log."
        )
        airflow.go_on.set()
        await seen(omics, "CancelRun", 1)
        airflow.state = "deferred"
        await stop([neighbour])
        await nothing_is_under_way()

    with caplog.at_level(logging.INFO, "airflow_omics"):
        run_loop(body)
    said = [record.getMessage() for record in caplog.records]
    assert (
        f"HealthOmics run {run_id}: CancelRun was accepted (task start[7] of DAG cohort, DAG run manual__1)"
        in said
    )
    assert not [line for _, line in others.lines if run_id in line]


# -- before Airflow 3.3 --------------------------------------------------------------------------------------


@pytest.fixture
def before_3_3(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow does not report a kill to a trigger: it only cancels the trigger."""
    monkeypatch.delattr(BaseTrigger, "on_kill", raising=False)
    monkeypatch.setattr("tests.triggerer.test_kill.REPORTS_KILLS", False)


@pytest.mark.usefixtures("before_3_3")
def test_a_cancelled_trigger_reads_the_state_if_airflow_reports_no_kill(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor
) -> None:
    run_ids = omics.start_runs(30, life="pending-forever")
    airflow.of_task = {"start_0": "deferred"}
    triggers = [trigger_of(server, run_id, index) for index, run_id in enumerate(run_ids)]

    async def body() -> None:
        waits = [asyncio.create_task(as_triggerer(trigger)) for trigger in triggers]
        await seen_more(omics, "GetRun", 1)
        await kill_all(waits)
        await nothing_is_under_way()

    run_loop(body)
    assert sorted(cancelled(omics)) == sorted(run_ids[1:])


def test_a_cancelled_trigger_reads_no_state_if_airflow_reports_kills(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BaseTrigger, "on_kill", lambda self: None, raising=False)
    monkeypatch.setattr("tests.triggerer.test_kill.REPORTS_KILLS", False)
    [run_id] = omics.start_runs(1, life="pending-forever")
    trigger = trigger_of(server, run_id)
    run_loop(lambda: killed(trigger))
    assert airflow.questions == []
    assert "CancelRun" not in omics.counts()


@pytest.mark.usefixtures("before_3_3")
def test_a_triggerer_that_stops_is_held_up_by_nothing_and_cancels_nothing(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor, complaints: Callable[[], list[str]]
) -> None:
    """Its triggers are cancelled as well; another triggerer goes on with them."""
    run_ids = omics.start_runs(20, life="pending-forever")
    airflow.go_on.clear()
    triggers = [trigger_of(server, run_id, index) for index, run_id in enumerate(run_ids)]

    async def body() -> float:
        waits = [asyncio.create_task(as_triggerer(trigger)) for trigger in triggers]
        await seen_more(omics, "GetRun", 1)
        assert len(waits) == 20
        return time.monotonic()

    ended = asyncio.run(body())
    assert time.monotonic() - ended < 3.0
    assert complaints() == []
    assert airflow.questions == []
    assert "CancelRun" not in omics.counts()


@pytest.mark.usefixtures("before_3_3")
def test_a_trigger_that_ends_by_itself_leaves_nothing_behind(
    server: EmulatorServer, omics: Emulator, airflow: Supervisor
) -> None:
    [first, second] = omics.start_runs(2, life="pending-forever")

    async def body() -> None:
        for run_id in (first, second):
            wait = asyncio.create_task(as_triggerer(trigger_of(server, run_id)))
            await seen_more(omics, "GetRun", 1)
            omics.move(run_id, "COMPLETED")
            await wait

    run_loop(body)
    assert airflow.questions == []


def test_a_triggerer_that_stops_before_it_knows_the_states_names_the_runs(
    server: EmulatorServer,
    omics: Emulator,
    airflow: Supervisor,
    caplog: pytest.LogCaptureFixture,
    complaints: Callable[[], list[str]],
) -> None:
    run_ids = sorted(omics.start_runs(3, life="pending-forever"))
    airflow.go_on.clear()
    triggers = [trigger_of(server, run_id, index) for index, run_id in enumerate(run_ids)]

    async def body() -> None:
        kills = [asyncio.create_task(trigger.on_kill()) for trigger in triggers]
        while not airflow.questions:
            await asyncio.sleep(0.01)
        assert not any(kill.done() for kill in kills)

    with caplog.at_level(logging.INFO, "airflow_omics"):
        asyncio.run(body())
    airflow.go_on.set()
    [line] = [r.getMessage() for r in caplog.records if "This triggerer stops" in r.getMessage()]
    assert line == (
        "This triggerer stops before it could read whether the tasks of these runs were killed, and they "
        "go on: "
        "arn:aws:omics:us-east-1:123456789012:run/" + ", ".join(run_ids)
    )
    assert complaints() == []
