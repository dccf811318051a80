"""Queues of SQS under several readers: each message to one at a time, at least once, and without delay."""

from __future__ import annotations

import collections
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from moto.backends import get_backend
from moto.core.utils import unix_time_millis

from airflow_omics.emulator import Emulator, EmulatorServer
from airflow_omics.emulator.other_services import queues

from .support import aws, refused

HERE = {"region_name": "us-west-2"}
COUNT = "ApproximateReceiveCount"


@pytest.fixture
def sqs(connect: Callable[..., Any]) -> Any:
    return connect("sqs", read_timeout=30)


@pytest.fixture
def queue(sqs: Any) -> str:
    return make(sqs, "queue")


@pytest.fixture
def _nobody_looks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "_NO_RULE_SECONDS", 30.0)


def make(sqs: Any, name: str, **attributes: str) -> str:
    return str(sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])


def make_with_dead_letters(sqs: Any, most: int, **attributes: str) -> tuple[str, str]:
    dead = make(sqs, "dead")
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": most})
    return make(sqs, "queue", RedrivePolicy=policy, **attributes), dead


def receive(sqs: Any, url: str, **options: Any) -> list[dict[str, Any]]:
    options = {"MaxNumberOfMessages": 10, "AttributeNames": ["All"], **options}
    return list(sqs.receive_message(QueueUrl=url, **options).get("Messages", []))


def fill(sqs: Any, url: str, count: int) -> None:
    for first in range(0, count, 10):
        entries = [{"Id": str(n), "MessageBody": str(n)} for n in range(first, min(first + 10, count))]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)


def until_a_reader_waits(name: str = "queue") -> None:
    lock: Any = get_backend("sqs")["123456789012"]["us-west-2"].queues[name]._messages_lock
    deadline = time.monotonic() + 10
    while not lock._waiters:
        assert time.monotonic() < deadline, "no reader waits"
        time.sleep(0.01)


def listen(connect: Callable[..., Any], url: str) -> None:
    events = connect("events")
    pattern = {
        "source": ["aws.omics"],
        "detail-type": ["Run Status Change"],
        "detail": {"status": ["COMPLETED"]},
    }
    events.put_rule(Name="ended", EventPattern=json.dumps(pattern))
    arn = f"arn:aws:sqs:us-west-2:123456789012:{url.rpartition('/')[2]}"
    events.put_targets(Rule="ended", Targets=[{"Id": "queue", "Arn": arn}])


@pytest.fixture
def together() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def test_two_readers_share_a_burst_of_a_thousand_events(
    server: EmulatorServer, connect: Callable[..., Any], sqs: Any, queue: str, together: ThreadPoolExecutor
) -> None:
    listen(connect, queue)
    server.control.freeze()
    ids = server.control.start_runs(1000, events=True, **HERE)
    server.control.advance(7200)
    began = time.monotonic()

    def read() -> list[str]:
        found: list[str] = []
        while messages := receive(sqs, queue, WaitTimeSeconds=1):
            assert all(message["Attributes"][COUNT] == "1" for message in messages)
            entries = [
                {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
                for n, message in enumerate(messages)
            ]
            deleted = sqs.delete_message_batch(QueueUrl=queue, Entries=entries)
            assert len(deleted["Successful"]) == len(messages)
            found += [json.loads(message["Body"])["detail"]["runId"] for message in messages]
        return found

    first, second = (reader.result() for reader in [together.submit(read) for _ in range(2)])
    # moto by itself takes minutes for it, and hands some of them to both.
    assert time.monotonic() - began < 60
    assert first
    assert second
    assert sorted(first + second) == sorted(ids)


def test_no_message_is_with_two_readers_at_once(sqs: Any, queue: str, together: ThreadPoolExecutor) -> None:
    fill(sqs, queue, 200)
    barrier = threading.Barrier(4)

    def read() -> list[str]:
        barrier.wait()
        found: list[str] = []
        while messages := receive(sqs, queue):
            found += [message["Body"] for message in messages]
        return found

    readers = [together.submit(read) for _ in range(4)]
    counts = collections.Counter(body for reader in readers for body in reader.result())
    assert counts == {str(n): 1 for n in range(200)}


@pytest.mark.usefixtures("_nobody_looks_again")
def test_a_message_comes_again_when_its_time_is_over(sqs: Any, queue: str) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="one")
    [first] = receive(sqs, queue, VisibilityTimeout=1)
    assert receive(sqs, queue) == []
    began = time.monotonic()
    [second] = receive(sqs, queue, WaitTimeSeconds=10)
    # When it may be received again, and not at a look some time after that.
    assert time.monotonic() - began < 1.8
    assert second["MessageId"] == first["MessageId"]
    assert second["ReceiptHandle"] != first["ReceiptHandle"]
    assert second["Attributes"][COUNT] == "2"


@pytest.mark.usefixtures("_nobody_looks_again")
def test_a_reader_that_waits_gets_at_once_what_another_hands_back(
    sqs: Any, queue: str, together: ThreadPoolExecutor
) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="one")
    [first] = receive(sqs, queue, VisibilityTimeout=30)
    waits = together.submit(receive, sqs, queue, WaitTimeSeconds=10)
    until_a_reader_waits()
    began = time.monotonic()
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)
    [second] = waits.result()
    assert time.monotonic() - began < 0.5
    assert second["MessageId"] == first["MessageId"]


@pytest.mark.usefixtures("_nobody_looks_again")
def test_a_reader_that_waits_gets_at_once_what_is_sent(
    sqs: Any, queue: str, together: ThreadPoolExecutor
) -> None:
    waits = together.submit(receive, sqs, queue, WaitTimeSeconds=10)
    until_a_reader_waits()
    began = time.monotonic()
    sqs.send_message(QueueUrl=queue, MessageBody="one")
    assert [message["Body"] for message in waits.result()] == ["one"]
    assert time.monotonic() - began < 0.5


def test_a_reader_that_waits_in_vain_waits_as_long_as_it_asked_for(sqs: Any, queue: str) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="one", DelaySeconds=30)
    began = time.monotonic()
    assert receive(sqs, queue, WaitTimeSeconds=1) == []
    assert 0.9 < time.monotonic() - began < 2.5


@pytest.mark.usefixtures("_nobody_looks_again")
def test_a_delayed_message_comes_when_its_delay_is_over(sqs: Any, queue: str) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="one", DelaySeconds=1)
    assert receive(sqs, queue) == []
    began = time.monotonic()
    assert [message["Body"] for message in receive(sqs, queue, WaitTimeSeconds=10)] == ["one"]
    assert time.monotonic() - began < 1.8


def test_a_message_that_was_received_too_often_is_with_the_dead_letters(sqs: Any) -> None:
    queue, dead = make_with_dead_letters(sqs, 3, VisibilityTimeout="0")
    sqs.send_message(QueueUrl=queue, MessageBody="garbage")
    sqs.send_message(QueueUrl=queue, MessageBody="good")
    for count in ("1", "2", "3"):
        messages = receive(sqs, queue)
        assert {message["Body"]: message["Attributes"][COUNT] for message in messages} == {
            "garbage": count,
            **({"good": "1"} if count == "1" else {}),
        }
        for message in messages:
            if message["Body"] == "good":
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        assert receive(sqs, dead) == []
    assert receive(sqs, queue) == []
    assert [message["Body"] for message in receive(sqs, dead)] == ["garbage"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert attributes["ApproximateNumberOfMessages"] == "0"
    assert attributes["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_each_of_many_dead_letters_is_there_once(sqs: Any, together: ThreadPoolExecutor) -> None:
    queue, dead = make_with_dead_letters(sqs, 1, VisibilityTimeout="0")
    fill(sqs, queue, 40)
    for _ in range(4):
        receive(sqs, queue)
    for reader in [together.submit(receive, sqs, queue) for _ in range(4)]:
        reader.result()
    bodies: list[str] = []
    while messages := receive(sqs, dead):
        bodies += [message["Body"] for message in messages]
    assert len(bodies) == len(set(bodies)) > 0
    left: list[str] = []
    while messages := receive(sqs, queue):
        left += [message["Body"] for message in messages]
    while messages := receive(sqs, dead):
        bodies += [message["Body"] for message in messages]
    assert sorted(bodies + left, key=int) == [str(n) for n in range(40)]


def test_a_queue_counts_what_may_be_received_is_with_a_reader_and_is_delayed(sqs: Any, queue: str) -> None:
    fill(sqs, queue, 5)
    sqs.send_message(QueueUrl=queue, MessageBody="later", DelaySeconds=30)
    receive(sqs, queue, MaxNumberOfMessages=2)
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert [attributes[f"ApproximateNumberOfMessages{which}"] for which in ("", "NotVisible", "Delayed")] == [
        "3",
        "2",
        "1",
    ]


def test_a_queue_that_is_deleted_says_so_to_who_waits(
    sqs: Any, queue: str, together: ThreadPoolExecutor
) -> None:
    waits = together.submit(refused, sqs.receive_message, QueueUrl=queue, WaitTimeSeconds=10)
    until_a_reader_waits()
    began = time.monotonic()
    sqs.delete_queue(QueueUrl=queue)
    assert waits.result()[0] == "AWS.SimpleQueueService.NonExistentQueue"
    assert time.monotonic() - began < 3


def test_a_handle_deletes_once_and_an_unknown_one_is_refused(sqs: Any, queue: str) -> None:
    fill(sqs, queue, 2)
    [message] = receive(sqs, queue, MaxNumberOfMessages=1, VisibilityTimeout=0)
    for _ in range(2):
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    assert len(receive(sqs, queue)) == 1
    assert refused(sqs.delete_message, QueueUrl=queue, ReceiptHandle="h")[0] == "ReceiptHandleIsInvalid"


def test_a_handle_of_an_earlier_receipt_deletes_as_well(sqs: Any, queue: str) -> None:
    # AWS says that the message might not be deleted then; moto deletes it.
    sqs.send_message(QueueUrl=queue, MessageBody="one")
    [first] = receive(sqs, queue, VisibilityTimeout=0)
    [second] = receive(sqs, queue, VisibilityTimeout=0)
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=first["ReceiptHandle"])
    assert receive(sqs, queue) == []
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=second["ReceiptHandle"])


def test_a_message_is_dropped_when_its_retention_is_over(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqs = aws("sqs")
    url = make(sqs, "queue", MessageRetentionPeriod="60")
    sqs.send_message(QueueUrl=url, MessageBody="old")
    monkeypatch.setattr(queues, "unix_time_millis", lambda: unix_time_millis() + 61_000)
    assert receive(sqs, url) == []
    monkeypatch.undo()
    assert receive(sqs, url) == []


def test_message_attributes_are_those_that_were_asked_for(sqs: Any, queue: str) -> None:
    attributes = {
        name: {"DataType": "String", "StringValue": "x"} for name in ("run.id", "run.name", "batch")
    }
    sqs.send_message(QueueUrl=queue, MessageBody="one", MessageAttributes=attributes)
    for names, shown in (
        ([], set()),
        (["batch"], {"batch"}),
        (["run.*"], {"run.id", "run.name"}),
        (["All"], set(attributes)),
        ([".*"], set(attributes)),
    ):
        [message] = receive(sqs, queue, VisibilityTimeout=0, MessageAttributeNames=names)
        assert set(message.get("MessageAttributes", {})) == shown


def test_a_fifo_queue_is_as_moto_has_it(sqs: Any) -> None:
    url = make(sqs, "queue.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    for body in ("one", "two"):
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="runs")
    [first] = receive(sqs, url, MaxNumberOfMessages=1)
    assert first["Body"] == "one"
    # The group waits for its first message.
    assert receive(sqs, url) == []
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    assert [message["Body"] for message in receive(sqs, url)] == ["two"]
