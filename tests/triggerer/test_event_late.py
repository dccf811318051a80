"""OmicsRunEventTrigger on Airflow 3.0 to 3.2, which never say that an event is stored: messages go late."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_omics import _clock
from airflow_omics._listening import queue_reader
from airflow_omics.hooks.queue import OmicsQueueClient
from tests.support.event_queues import Dead, Fired, Queue, event, runs, stored, trigger, until
from tests.support.triggers import run_loop


def start(queue: Queue, **arguments: Any) -> Fired:
    return Fired(stored(trigger(queue, **arguments)).run())


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_reader, "LATE", 1.5)


def test_its_message_is_deleted_a_while_after_it_has_fired(queue: Queue, late: None) -> None:
    queue.send(event(1), event(2, "FAILED"))

    async def body() -> None:
        fired = start(queue)
        await fired.fires(1)
        await queue.holds(0, 1, timeout=1.0)
        await queue.holds(0, 0)
        assert asyncio.get_running_loop().time() - fired.moments[0] >= 1.5
        assert fired.ids == ["1"]
        await fired.stop()

    run_loop(body)


@pytest.mark.parametrize("killed", [True, False])
def test_a_triggerer_that_ends_before_deletes_nothing_that_it_has_fired(
    queue: Queue, soon_again: None, dead: Dead, killed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_reader, "LATE", 0.5)
    queue.send(event(1), event(2))

    async def body() -> None:
        fired = start(queue)
        await fired.fires(2)
        if killed:
            with dead:
                await fired.stop()
        else:
            await fired.stop()
        again = start(queue)
        await again.fires(2)
        assert sorted(again.ids) == ["1", "2"]
        await queue.holds(0, 0)
        await again.stop()

    run_loop(body)


def test_what_was_received_and_never_fired_can_be_received_at_once_when_it_stops(
    queue: Queue, received: list[str]
) -> None:
    queue.send(*(event(number) for number in range(1, 11)))

    async def body() -> None:
        fired = start(queue, spacing=60)
        await until(lambda: len(received) == 10)
        await fired.stop()
        assert fired.ids == []
        await queue.holds(10, 0)

    run_loop(body)


def test_a_trigger_that_is_left_where_it_fired_is_tidied_up(queue: Queue, late: None) -> None:
    """Airflow may cancel the task of a trigger between two events: then its generator is not closed."""
    queue.send(event(1))

    async def body() -> None:
        left = stored(trigger(queue))
        events = left.run()
        await anext(events)
        await left.cleanup()
        await left.cleanup()
        assert queue.counts == (0, 1)
        await events.aclose()

    run_loop(body)


def test_two_triggerers_that_run_the_same_trigger_fire_once_for_each_run(queue: Queue) -> None:
    """Airflow 3.0 and 3.1 run the trigger of an asset on every triggerer."""
    queue.send(*(event(number) for number in range(1, 61)))

    async def body() -> None:
        both = [start(queue), start(queue)]
        await until(lambda: sum(len(one.ids) for one in both) >= 60, 30)
        await asyncio.gather(*(one.stop() for one in both))
        assert sorted([*both[0].ids, *both[1].ids], key=int) == runs(range(1, 61))

    run_loop(body, 60)


def test_a_copy_fires_nothing_and_is_deleted(queue: Queue, late: None) -> None:
    queue.send(event(1))

    async def body() -> None:
        fired = start(queue)
        await fired.fires(1)
        queue.send(event(1, id="a-copy"), event(2))
        await fired.fires(2)
        await queue.holds(0, 0)
        assert fired.ids == ["1", "2"]
        await fired.stop()

    run_loop(body)


def test_events_are_so_far_apart_whatever_the_clock_is_set_to(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_clock, "time", lambda: pytest.fail("it reads a clock that may be set"))
    queue.send(event(1))

    async def body() -> None:
        fired = start(queue, spacing=3)
        await fired.fires(1)
        queue.send(event(2), event(3))
        await fired.fires(3)
        assert [len(one["runs"]) for one in fired.events] == [1, 2]
        assert fired.moments[1] - fired.moments[0] >= 3
        await fired.stop()

    run_loop(body)


def test_a_smaller_spacing_of_an_edited_dag_file_counts_soon(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_reader, "_LOOK", 0.1)
    queue.send(event(1))

    async def body() -> None:
        running = stored(trigger(queue, spacing=3600))
        fired = Fired(running.run())
        await fired.fires(1)
        queue.send(event(2))
        running.spacing = 0  # as Readers.spacing does once the other has joined and this one has left
        await fired.fires(2)
        await fired.stop()

    run_loop(body)


def test_batches_have_their_counts_as_numbers(queue: Queue) -> None:
    arn = "arn:aws:omics:us-east-1:123456789012:runBatch/7123456"
    counts = {"totalRuns": "3", "completedRunCount": "2", "failedRunCount": "1", "cancelledRunCount": "none"}
    detail = {"arn": arn, "status": "PROCESSED", "uuid": "U-1", "batchName": "cohort", **counts}
    of_batch = event(detail=detail, **{"detail-type": "RunBatch Status Change"})
    queue.send(event(1), of_batch)

    async def body() -> None:
        fired = start(queue, kind="batch")
        await fired.fires(1)
        [payload] = fired.events
        assert payload == {
            "batches": [
                {
                    "id": "7123456",
                    "uuid": "U-1",
                    "arn": arn,
                    "status": "PROCESSED",
                    "name": "cohort",
                    "workflowId": "7654321",
                    "totalRuns": 3,
                    "completedRunCount": 2,
                    "failedRunCount": 1,
                    "account": "123456789012",
                    "region": "us-east-1",
                    "time": "2026-01-15T12:00:00Z",
                }
            ]
        }
        await fired.stop()

    run_loop(body)


@pytest.mark.parametrize(("spacing", "hidden"), [(0, 60), (30, 90), (3600, 3660)])
def test_a_message_is_hidden_for_as_long_as_it_may_be_held(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, spacing: int, hidden: int
) -> None:
    """It waits for others for ``spacing`` at most, and is deleted 20 seconds after it has fired."""
    asked: list[Any] = []

    async def receive(client: Any, most: int, **arguments: Any) -> Any:
        asked.append((most, arguments))
        await asyncio.Event().wait()

    monkeypatch.setattr(OmicsQueueClient, "receive", receive)

    async def body() -> None:
        fired = start(queue, spacing=spacing)
        await until(lambda: asked)
        await fired.stop()

    run_loop(body)
    assert asked == [(10, {"wait": 20, "hidden": hidden})]
