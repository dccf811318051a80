"""A queue that is gone or denied, or filled with something else: a warning, a pause, and no error."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_omics import _clock
from airflow_omics._listening import queue_client, queue_reader
from airflow_omics.emulator import EmulatorServer
from airflow_omics.hooks.queue import OmicsQueueClient
from tests.support.event_queues import Dead, Fired, Queue, event, stored, trigger, until
from tests.support.fixtures import Connect
from tests.support.triggers import run_loop

URL = "http://127.0.0.1/123456789012/ended"


@pytest.fixture(autouse=True)
def _it_tries_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_client, "backoff", lambda failures: 0.05)
    monkeypatch.setattr(queue_reader, "LATE", 0.2)


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO, logger="airflow_omics")
    return lambda: [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name.startswith("airflow_omics")
    ]


def start(queue: Queue, **arguments: Any) -> Fired:
    return Fired(stored(trigger(queue, **arguments)).run())


def denied(operation: str, code: str = "AccessDenied") -> ClientError:
    answer = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    return ClientError(answer, operation)  # type: ignore[arg-type]


class Refused:
    """Lets a method of the queue's client fail, and counts that."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, method: str, error: Exception) -> None:
        self.times = 0
        self.ends = threading.Event()
        works = getattr(OmicsQueueClient, method)

        async def fails(client: Any, *args: Any, **kwargs: Any) -> Any:
            if self.ends.is_set():
                return await works(client, *args, **kwargs)
            self.times += 1
            raise error

        monkeypatch.setattr(OmicsQueueClient, method, fails)


def test_a_queue_that_is_not_there_is_one_warning_and_works_once_it_is(
    queue: Queue, warnings: Callable[[], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    queue.remove()

    async def body() -> None:
        fired = start(queue)
        await until(warnings)
        await asyncio.to_thread(queue.make)
        queue.send(event(1))
        await fired.fires(1)
        assert fired.error is None
        await fired.stop()

    run_loop(body)
    [said] = warnings()
    assert said.startswith(f"Receiving events from {queue.url} fails, and is tried again: ReceiveMessage: ")
    assert "NonExistentQueue" in said or "QueueDoesNotExist" in said
    assert said.endswith("(in us-east-1, through the connection 'aws_default').")
    assert f"Receiving events from {queue.url} works again, after " in caplog.text


def test_a_queue_that_is_deleted_and_made_again_is_read_on(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_reader, "_LONG_POLL", 1)  # the emulator waits on with the old queue
    queue.send(event(1))

    async def body() -> None:
        fired = start(queue)
        await fired.fires(1)
        queue.remove()
        queue.make()
        queue.send(event(2))
        await fired.fires(2)
        await fired.stop()

    run_loop(body)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("AccessDenied", "Allow sqs:ReceiveMessage to the caller"),
        ("ThrottlingException", "ThrottlingException: no"),
        ("ExpiredToken", "ExpiredToken: no"),
    ],
)
def test_a_call_that_goes_on_failing_is_one_warning_and_recovers(
    queue: Queue, warnings: Any, monkeypatch: pytest.MonkeyPatch, code: str, says: str
) -> None:
    refused = Refused(monkeypatch, "receive", denied("ReceiveMessage", code))
    queue.send(event(1))

    async def body() -> None:
        fired = start(queue)
        await until(lambda: refused.times >= 5)
        refused.ends.set()
        await fired.fires(1)
        assert fired.error is None
        await fired.stop()

    run_loop(body)
    [said] = warnings()
    assert says in said


def test_a_fault_that_lasts_is_said_again_at_growing_distance(
    warnings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(_clock, "monotonic", lambda: now)
    trouble = queue_client._Trouble("Receiving")
    said = []
    for second in range(0, 7200, 30):
        now = 1000.0 + second
        before = len(warnings())
        trouble.note("it is denied")
        said += [second] * (len(warnings()) - before)
    assert said == [0, 300, 900, 2100, 4500]
    assert warnings()[1] == "Receiving has failed for 5 min now: it is denied."
    trouble.over()
    trouble.note("it is denied")
    assert warnings()[-1] == "Receiving fails, and is tried again: it is denied."


def test_the_pause_grows_to_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()

    async def body() -> list[float]:
        client = queue_client.QueueClient(lambda: None, URL)  # type: ignore[arg-type,return-value]
        pauses = []
        for _ in range(12):
            client._troubles["receive"].note("it is denied")
            pauses.append(client.pause())
        return pauses

    pauses = run_loop(body)
    assert 0.5 <= pauses[0] <= 1
    assert 30 <= pauses[-1] <= 60


def test_credentials_that_are_repaired_are_read_again(
    server: EmulatorServer, queue: Queue, connect: Connect, warnings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A rotation: SQS refuses the old key from now on.
    built: list[str] = []
    works = OmicsQueueClient.receive

    async def with_the_key(client: Any, *args: Any, **kwargs: Any) -> Any:
        key = client._client._request_signer._credentials.access_key
        built.append(key)
        if key != "rotated":
            raise denied("ReceiveMessage", "InvalidClientTokenId")
        return await works(client, *args, **kwargs)

    monkeypatch.setattr(OmicsQueueClient, "receive", with_the_key)
    queue.send(event(1))

    async def body() -> None:
        fired = start(queue)
        await until(lambda: len(built) > 2)
        connect(login="rotated")
        await fired.fires(1)
        await fired.stop()

    run_loop(body)
    assert len(warnings()) == 1


def test_a_call_that_is_denied_breaks_off_no_other(
    queue: Queue, warnings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message is deleted while the next ones are waited for, with the same client."""
    monkeypatch.setattr(queue_reader, "LATE", 0.0)
    begun: list[int] = []
    works = OmicsQueueClient.receive

    async def noted(client: Any, *args: Any, **kwargs: Any) -> Any:
        begun.append(kwargs["wait"])
        return await works(client, *args, **kwargs)

    async def denied_later(client: Any, handles: Any) -> list[str]:
        await until(lambda: len(begun) >= 2)
        await asyncio.to_thread(lambda: queue.counts)  # a request takes so long, so that one is on its way
        raise denied("DeleteMessageBatch")

    monkeypatch.setattr(OmicsQueueClient, "receive", noted)
    monkeypatch.setattr(OmicsQueueClient, "delete", denied_later)
    queue.send(event(1))

    async def body() -> None:
        fired = start(queue)
        await fired.fires(1)
        await until(warnings)
        queue.send(event(2))
        await fired.fires(2)
        await fired.stop()

    run_loop(body)
    [said] = warnings()
    assert said.startswith("Deleting events that were handled from")


def test_a_connection_that_is_not_there_is_one_warning(queue: Queue, connect: Connect, warnings: Any) -> None:
    queue.send(event(1))

    async def body() -> None:
        fired = start(queue, aws_conn_id="of_the_queue")
        await until(lambda: len(warnings()) >= 1)
        connect("of_the_queue")
        await fired.fires(1)
        await fired.stop()

    run_loop(body)
    [said] = [text for text in warnings() if text.startswith("Receiving")]
    assert "the Airflow connection 'of_the_queue' could not be read" in said


def test_clients_are_built_off_the_event_loop_and_none_is_left(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, complaints: Callable[[], list[str]]
) -> None:
    threads: list[threading.Thread] = []
    opens = OmicsQueueClient.open.__func__  # type: ignore[attr-defined]

    def opened(cls: Any, *args: Any) -> Any:
        threads.append(threading.current_thread())
        return opens(cls, *args)

    monkeypatch.setattr(OmicsQueueClient, "open", classmethod(opened))
    queue.send(event(1))

    async def body() -> None:
        fired = start(queue)
        await fired.fires(1)
        await fired.stop()

    run_loop(body)
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()
    assert complaints() == []


@pytest.mark.parametrize("text", ["not JSON", "[1]", '{"source": "aws.omics"', "null", '{"a": 1}'])
def test_garbage_goes_to_the_queue_of_dead_letters_with_one_warning(
    server: EmulatorServer, omics: Any, soon_again: None, warnings: Any, text: str
) -> None:
    queue = Queue(server, dead_letters=2)
    queue.send(text, event(1))

    async def body() -> None:
        fired = start(queue)
        await fired.fires(1)
        assert queue.dead is not None
        await queue.dead.holds(1, 0)
        await fired.stop()

    run_loop(body)
    [said] = warnings()
    assert said.endswith("is no event of HealthOmics: it goes to the dead-letter queue.")
    assert text not in said


def test_garbage_is_deleted_with_one_warning_if_there_is_no_such_queue(queue: Queue, warnings: Any) -> None:
    queue.send("not JSON", event(1, detail={"arn": "arn:aws:omics:us-east-1:123456789012:task/1"}))

    async def body() -> None:
        fired = start(queue)
        await queue.holds(0, 0)
        assert fired.ids == []
        await fired.stop()

    run_loop(body)
    assert len(warnings()) == 2
    for said in warnings():
        assert said.endswith(
            "is no event of HealthOmics: it is deleted, since there is no dead-letter queue."
        )


def test_garbage_stays_if_nobody_may_say_where_dead_letters_go(
    queue: Queue, warnings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Refused(monkeypatch, "has_dead_letters", denied("GetQueueAttributes"))
    monkeypatch.setattr(queue_reader, "LATE", 60.0)
    queue.send("not JSON", event(1))

    async def body() -> None:
        fired = start(queue)
        await fired.fires(1)
        assert queue.counts == (0, 2)
        await fired.stop()

    run_loop(body)
    first, second = warnings()
    assert "Allow sqs:GetQueueAttributes to the caller" in first
    assert second.endswith("it stays there, until it goes to a dead-letter queue or is too old.")


def test_what_is_for_nobody_is_deleted_and_counted_in_one_line(
    queue: Queue, caplog: pytest.LogCaptureFixture, warnings: Any
) -> None:
    caplog.set_level(logging.DEBUG, logger="airflow_omics._listening")
    queue.send(
        event(1, source="aws.s3"),
        event(2, **{"detail-type": "Task Status Change"}),
        event(3, "RUNNING"),
        event(4, detail={"workflowId": "8"}),
        event(5, detail={"workflowId": None}),
        event(6),
    )

    async def body() -> None:
        fired = start(queue, workflow_id=7654321)
        await fired.fires(1)
        await queue.holds(0, 0)
        assert fired.ids == ["6"]
        await fired.stop()

    run_loop(body)
    assert f"5 messages of {queue.url} are not for this trigger: they are deleted" in caplog.text
    assert warnings() == []


def test_one_that_cannot_hand_back_says_so_and_ends(
    queue: Queue, received: list[str], dead: Dead, warnings: Any
) -> None:
    queue.send(*(event(number) for number in range(1, 11)))

    async def body() -> None:
        fired = start(queue, spacing=60)
        await until(lambda: len(received) == 10)
        with dead:
            await fired.stop()

    run_loop(body)
    [said] = warnings()
    assert said.startswith(f"Handing back events to {queue.url} fails")


def test_it_ends_in_time_if_the_network_is_silent(
    queue: Queue, received: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_reader, "_LAST_CALLS", 0.2)
    queue.send(*(event(number) for number in range(1, 11)))

    async def hangs(client: Any, handles: Any, after: int = 0) -> list[str]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(OmicsQueueClient, "hand_back", hangs)

    async def body() -> None:
        fired = start(queue, spacing=60)
        await until(lambda: len(received) == 10)
        async with asyncio.timeout(5):
            await fired.stop()

    run_loop(body)


def test_a_burst_that_breaks_off_fires_what_has_come(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    queue.send(*(event(number) for number in range(1, 16)))
    works, times = OmicsQueueClient.receive, 0

    async def once(client: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal times
        times += 1
        if times == 2:
            raise ConnectionError("the network is gone")
        return await works(client, *args, **kwargs)

    monkeypatch.setattr(OmicsQueueClient, "receive", once)

    async def body() -> None:
        fired = start(queue, spacing=60)
        await fired.fires(10)
        assert len(fired.ids) == 10
        await fired.stop()

    run_loop(body)


def test_a_short_read_timeout_ends_no_wait_for_messages(queue: Queue) -> None:
    async def body() -> int:
        arguments = stored(trigger(queue, botocore_config={"read_timeout": 8})).aws_arguments()
        client = await asyncio.to_thread(OmicsQueueClient.open, arguments, queue.url)
        await client.close()
        return client.longest_wait

    assert run_loop(body) == 3


def test_a_request_that_may_not_wait_is_not_made_all_the_time(queue: Queue) -> None:
    """A read_timeout of five seconds and less leaves no time to wait for messages."""
    asked: list[int] = []

    async def body() -> None:
        with pytest.MonkeyPatch.context() as patch:
            works = OmicsQueueClient.receive

            async def noted(client: Any, *args: Any, **kwargs: Any) -> Any:
                asked.append(client.longest_wait)
                return await works(client, *args, **kwargs)

            patch.setattr(OmicsQueueClient, "receive", noted)
            fired = start(queue, botocore_config={"read_timeout": 5})
            begun = asyncio.get_running_loop().time()
            await until(lambda: len(asked) >= 4)
            assert asyncio.get_running_loop().time() - begun >= 3
            await fired.stop()

    run_loop(body)
    assert set(asked) == {0}
