"""OmicsRunEventTrigger on Airflow 3.3's own shared streams: a message is deleted once its event is stored."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from airflow.triggers.shared_stream import SharedStreamManager

from airflow_omics._listening import queue_client, queue_reader, readers
from airflow_omics._listening.events import Ended, ended_of
from airflow_omics.emulator import Emulator
from airflow_omics.hooks.queue import OmicsQueueClient
from airflow_omics.triggers import OmicsRunEventTrigger
from tests.support.event_queues import Dead, Queue, event, runs, stored, trigger, triggerer, until
from tests.support.triggers import run_loop


def test_a_run_that_ends_is_an_event_with_what_healthomics_says_of_it(omics: Emulator, queue: Queue) -> None:
    queue.listen()
    [good] = omics.start_runs(1, life="completed", events=True, name="NA12878")
    omics.start_runs(1, life="failed-out-of-memory-error", events=True)
    omics.advance(20_000)

    async def body() -> list[Any]:
        async with triggerer() as running:
            fired = running.start(trigger(queue))
            await fired.fires(1)
            await queue.holds(0, 0)
            return fired.events

    [payload] = run_loop(body)
    [run] = payload["runs"]
    assert len(run.pop("uuid")) == 36
    assert run.pop("time").endswith("Z")
    assert run == {
        "id": good,
        "arn": f"arn:aws:omics:us-east-1:123456789012:run/{good}",
        "status": "COMPLETED",
        "name": "NA12878",
        "runOutputUri": f"s3://airflow-omics-emulator/runs/{good}",
        "workflowId": "1234567",
        "account": "123456789012",
        "region": "us-east-1",
    }


def test_a_message_is_deleted_once_its_event_is_stored_and_not_before(queue: Queue) -> None:
    queue.send(event(1))

    async def body() -> None:
        async with triggerer(stores=False) as running:
            fired = running.start(trigger(queue))
            await fired.fires(1)
            queue.send(event(2))
            await fired.fires(2)
            await queue.holds(0, 2)
            running.store(fired)
            await queue.holds(0, 0)
            assert fired.ids == ["1", "2"]

    run_loop(body)


def test_an_event_that_airflow_was_cancelled_before_it_took_is_not_deleted(queue: Queue) -> None:
    """It logs an event before it takes it. To be cancelled there counts as having handled the batch."""
    queue.send(event(1))

    async def body() -> None:
        manager, left = SharedStreamManager(), stored(trigger(queue))
        key = left.shared_stream_key()
        assert key is not None
        events = left.filter_shared_stream(manager.subscribe(trigger_id=1, trigger=left, key=key))
        await anext(events)
        await manager.unsubscribe(1, key)
        assert queue.counts == (1, 0)
        await events.aclose()

    run_loop(body)


def test_an_event_that_is_never_stored_is_fired_again(queue: Queue) -> None:
    queue.send(event(1))

    async def body() -> None:
        async with triggerer(stores=False, ack_timeout=0.5) as running:
            fired = running.start(trigger(queue))
            await fired.fires(1)
            await until(lambda: fired.error is not None)
            await running.stop(fired)
            await queue.holds(1, 0)
            again = running.start(trigger(queue))
            await again.fires(1)
            running.store(again)
            await queue.holds(0, 0)

    run_loop(body)


@pytest.mark.parametrize("stored", [False, True])
def test_what_a_killed_triggerer_had_not_deleted_is_fired_by_the_next(
    queue: Queue, soon_again: None, dead: Dead, stored: bool
) -> None:
    # Killed after the event was stored, it is a double: nobody knows that it was.
    queue.send(event(1), event(2))

    async def body() -> None:
        async with triggerer() as running:
            with dead:
                async with triggerer(stores=stored) as killed:
                    fired = killed.start(trigger(queue))
                    await fired.fires(2)
            again = running.start(trigger(queue))
            await again.fires(2)
            assert sorted(again.ids) == ["1", "2"]
            await queue.holds(0, 0)

    run_loop(body)


def test_what_was_received_and_never_fired_can_be_received_at_once_when_a_triggerer_stops(
    queue: Queue,
    received: list[str],
) -> None:
    # The first answer is full: more may come, and it waits for that.
    queue.send(*(event(number) for number in range(1, 11)))

    async def body() -> None:
        async with triggerer() as running:
            fired = running.start(trigger(queue, spacing=60))
            await until(lambda: len(received) == 10)
            await running.stop(fired)
            assert fired.ids == []
            await queue.holds(10, 0)

    run_loop(body)


def test_runs_that_end_together_are_one_event(queue: Queue) -> None:
    queue.send(*(event(number) for number in range(1, 301)))

    async def body() -> None:
        async with triggerer() as running:
            fired = running.start(trigger(queue, spacing=60))  # the emulator takes a while for so many
            await fired.fires(300, timeout=60)
            assert len(fired.events) == 1
            assert sorted(fired.ids, key=int) == runs(range(1, 301))
            await queue.holds(0, 0)

    run_loop(body, 90)


def test_an_event_holds_no_more_than_so_many(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(queue_reader, "MOST", 25)
    queue.send(*(event(number) for number in range(1, 61)))

    async def body() -> None:
        async with triggerer() as running:
            fired = running.start(trigger(queue, spacing=1))
            await fired.fires(60)
            assert [len(one["runs"]) for one in fired.events] == [25, 25, 10]
            assert "Receiving events" not in caplog.text

    run_loop(body)


def test_events_are_so_far_apart_and_what_comes_meanwhile_shares_one(queue: Queue) -> None:
    queue.send(event(1))

    async def body() -> None:
        async with triggerer() as running:
            fired = running.start(trigger(queue, spacing=3))
            await fired.fires(1)
            for number in range(2, 7):
                queue.send(event(number))
            await fired.fires(6)
            assert [len(one["runs"]) for one in fired.events] == [1, 5]
            assert fired.moments[1] - fired.moments[0] >= 3

    run_loop(body)


def test_each_of_two_triggers_has_what_it_wants_and_a_message_stays_until_both_are_done(queue: Queue) -> None:
    async def body() -> None:
        async with triggerer(stores=False) as running:
            ended = running.start(trigger(queue, statuses=["COMPLETED", "FAILED"]))
            failed = running.start(trigger(queue, statuses=["FAILED"], workflow_id=["7654321"]))
            queue.send(event(1), event(2, "FAILED"), event(3, "FAILED", detail={"workflowId": "8"}))
            queue.send(event(4, "CANCELLED"))
            await ended.fires(3)
            await failed.fires(1)
            queue.send(event(5, "FAILED"))
            await ended.fires(4)
            await failed.fires(2)
            # Nobody wanted the cancelled one, and nothing else is stored yet.
            await queue.holds(0, 4)
            running.store(failed)
            await queue.holds(0, 4)
            running.store(ended)
            await queue.holds(0, 0)
            assert sorted(ended.ids) == ["1", "2", "3", "5"]
            assert sorted(failed.ids) == ["2", "5"]

    run_loop(body)


def test_the_largest_spacing_of_two_triggers_holds_for_both(queue: Queue) -> None:
    async def body() -> None:
        async with triggerer() as running:
            quick = running.start(trigger(queue, spacing=0))
            running.start(trigger(queue, spacing=3, statuses=["FAILED"]))
            queue.send(event(1))
            await quick.fires(1)
            queue.send(event(2))
            await quick.fires(2)
            assert quick.moments[1] - quick.moments[0] >= 3

    run_loop(body)


def test_a_copy_of_an_event_fires_nothing_and_is_deleted(queue: Queue) -> None:
    queue.send(
        event(1), event(1, id="another"), event(1, detail={"uuid": event(1)["detail"]["uuid"].upper()})
    )

    async def body() -> None:
        async with triggerer() as running:
            fired = running.start(trigger(queue))
            await fired.fires(1)
            queue.send(event(1), event(2))
            await fired.fires(2)
            await queue.holds(0, 0)
            assert fired.ids == ["1", "2"]

    run_loop(body)


def test_a_run_whose_events_come_out_of_order_has_both(queue: Queue) -> None:
    queue.send(event(1, "DELETED", time="2026-01-15T13:00:00Z"), event(1, "COMPLETED"))

    async def body() -> None:
        async with triggerer() as running:
            fired = running.start(trigger(queue, statuses=["COMPLETED", "DELETED"], spacing=1))
            await fired.fires(2)
            statuses = [run["status"] for one in fired.events for run in one["runs"]]
            assert statuses == ["COMPLETED", "DELETED"]

    run_loop(body)


def test_a_message_that_is_received_again_while_its_event_is_not_stored_yet_fires_once(
    queue: Queue, soon_again: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.send(event(1))
    handles: list[str] = []
    deleted: list[str] = []
    receive, delete = OmicsQueueClient.receive, OmicsQueueClient.delete

    async def noted(client: Any, *args: Any, **kwargs: Any) -> Any:
        messages = await receive(client, *args, **kwargs)
        handles.extend(message.handle for message in messages)
        return messages

    async def noted_too(client: Any, given: Any) -> Any:
        deleted.extend(given)
        return await delete(client, given)

    monkeypatch.setattr(OmicsQueueClient, "receive", noted)
    monkeypatch.setattr(OmicsQueueClient, "delete", noted_too)

    async def body() -> None:
        async with triggerer(stores=False) as running:
            fired = running.start(trigger(queue))
            await until(lambda: len(handles) == 2)
            running.store(fired)
            await queue.holds(0, 0)
            assert fired.ids == ["1"]
            # SQS may refuse the handle of an earlier receive.
            [handle] = deleted
            assert handle in handles[1:]

    run_loop(body)


def test_what_was_handled_and_not_deleted_is_news_to_no_trigger_that_comes_later(
    queue: Queue, soon_again: None, dead: Dead, caplog: pytest.LogCaptureFixture
) -> None:
    queue.send(event(1))

    async def body() -> None:
        async with triggerer() as running:
            with dead:
                first = running.start(trigger(queue))
                await first.fires(1)
                await until(lambda: "Deleting events that were handled from" in caplog.text)
                later = running.start(trigger(queue, workflow_id=7654321))
            await queue.holds(0, 0)
            assert later.ids == []
            assert first.ids == ["1"]

    run_loop(body)


def test_a_message_that_cannot_be_deleted_fires_once_and_is_deleted_later(
    queue: Queue, soon_again: None, dead: Dead, caplog: pytest.LogCaptureFixture
) -> None:
    queue.send(event(1))

    async def body() -> None:
        async with triggerer() as running:
            with dead:
                fired = running.start(trigger(queue))
                await fired.fires(1)
                await until(lambda: "Deleting events that were handled from" in caplog.text)
            await queue.holds(0, 0)
            assert fired.ids == ["1"]

    caplog.set_level(logging.INFO, logger="airflow_omics")
    run_loop(body)
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [text for text in said if text.startswith("Deleting events that were handled from")] == [
        f"Deleting events that were handled from {queue.url} fails, and is tried again: ConnectionError: "
        "this process is dead (in us-east-1, through the connection 'aws_default')."
    ]
    assert f"Deleting events that were handled from {queue.url} works again" in caplog.text


def test_no_more_is_received_than_so_much_that_is_not_stored(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_reader, "_MOST_HELD", 20)
    queue.send(*(event(number) for number in range(1, 61)))

    async def body() -> None:
        async with triggerer(stores=False) as running:
            fired = running.start(trigger(queue))
            await fired.fires(20)
            await queue.holds(40, 20)
            while len(fired.ids) < 60:
                before = len(fired.ids)
                running.store(fired)
                await fired.fires(before + 10)
            assert sorted(fired.ids, key=int) == runs(range(1, 61))

    run_loop(body)


def test_a_trigger_that_fails_is_no_matter_for_the_other_and_has_its_events_again(queue: Queue) -> None:
    """One could not store its event: the message comes again, and the other knows that it has fired."""
    queue.send(event(1))

    async def body() -> None:
        async with triggerer(stores=False, ack_timeout=1.5) as running:
            good = running.start(trigger(queue))
            bad = running.start(trigger(queue, spacing=0, workflow_id=7654321))
            await good.fires(1)
            await bad.fires(1)
            running.store(good)
            await until(lambda: bad.error is not None)
            await running.stop(bad)
            # Airflow takes a second or two to start it anew. The other must not be alone with the message.
            await queue.holds(0, 1)
            again = running.start(trigger(queue, spacing=0, workflow_id=7654321))
            await again.fires(1)
            running.store(again)
            await queue.holds(0, 0)
            assert good.error is None
            assert good.ids == ["1"]

    run_loop(body)


def test_an_error_of_its_own_ends_no_stream(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: Any) -> None:
        raise AssertionError("a mistake")

    queue.send(event(1))

    async def body() -> None:
        async with triggerer() as running:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(queue_reader.QueueReader, "delete", fails)
                fired = running.start(trigger(queue))
                await fired.fires(1)
            queue.send(event(2))
            await fired.fires(2)
            await queue.holds(0, 1)
            assert fired.error is None

    run_loop(body)


def test_the_connection_of_any_trigger_will_do(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_client, "backoff", lambda failures: 0.05)
    queue.send(event(1))

    async def body() -> None:
        async with triggerer() as running:
            broken = running.start(trigger(queue, aws_conn_id="nobody_has_made_it"))
            good = running.start(trigger(queue))
            await good.fires(1)
            await broken.fires(1)

    run_loop(body)


@pytest.mark.parametrize(("together", "warns"), [(0.0, 1), (3600.0, 0)])
def test_several_triggers_of_one_queue_are_warned_of_once_unless_one_replaces_the_other(
    queue: Queue,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    together: float,
    warns: int,
) -> None:
    monkeypatch.setattr(readers, "_REPLACING", together)
    queue.send(event(1))

    async def body() -> None:
        async with triggerer() as running:
            both = [running.start(trigger(queue)), running.start(trigger(queue, statuses=["FAILED"]))]
            await both[0].fires(1)
            queue.send(event(2, "FAILED"))
            await both[1].fires(1)

    run_loop(body)
    assert caplog.text.count(f"2 triggers read the queue {queue.url}") == warns


def test_nothing_is_deleted_while_nobody_reads() -> None:
    nobody = readers.Readers("https://localhost/1/q", OmicsRunEventTrigger("https://localhost/1/q"))
    ended = ended_of(json.dumps(event(1, "FAILED")))
    assert isinstance(ended, Ended)
    assert nobody.want(ended)
    with nobody.joined_by(OmicsRunEventTrigger("https://localhost/1/q")):
        assert not nobody.want(ended)
