"""Queues of the emulator for events, and triggers that read them as each Airflow's triggerer lets them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import boto3
import pytest

from airflow_omics import _compat
from airflow_omics.emulator import EmulatorServer
from airflow_omics.hooks.queue import OmicsQueueClient
from airflow_omics.triggers import OmicsRunEventTrigger

ACCOUNT = "123456789012"
HAS_EVENT_TRIGGERS = _compat.has_event_triggers()
try:
    from airflow.triggers.shared_stream import SharedStreamManager

    HAS_SHARED_STREAMS = True
except ImportError:  # before Airflow 3.3
    HAS_SHARED_STREAMS = False


def uuid_of(run_id: int) -> str:
    return f"00000000-0000-4000-8000-{run_id:012d}"


def event(run_id: int = 1, status: str = "COMPLETED", **others: Any) -> dict[str, Any]:
    """Return an event of a run as AWS documents it; ``detail`` and other members may be given."""
    arn = f"arn:aws:omics:us-east-1:{ACCOUNT}:run/{run_id}"
    detail = {
        "omicsVersion": "1.0.0",
        "arn": arn,
        "status": status,
        "uuid": uuid_of(run_id),
        # AWS's documentation gives something else here than the run's id.
        "runId": uuid_of(run_id),
        "runName": f"sample-{run_id}",
        "runOutputUri": f"s3://bucket/runs/{run_id}",
        "workflowId": "7654321",
    }
    detail |= others.pop("detail", {})
    return {
        "version": "0",
        "id": f"event-{run_id}-{status}",
        "detail-type": "Run Status Change",
        "source": "aws.omics",
        "account": ACCOUNT,
        "time": "2026-01-15T12:00:00Z",
        "region": "us-east-1",
        "resources": [arn],
        "detail": detail,
        **others,
    }


class Queue:
    """A queue of the emulator.

    :param dead_letters: after how many receives a message goes to a queue of dead letters; None for never.
    """

    def __init__(self, server: EmulatorServer, name: str = "ended", dead_letters: int | None = None) -> None:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        self._client = lambda service: boto3.client(
            service, endpoint_url=server.endpoint_url, region_name="us-east-1", **keys
        )
        self.sqs = self._client("sqs")
        self.name, self.dead = name, None
        attributes: dict[str, str] = {}
        if dead_letters is not None:
            self.dead = Queue(server, f"{name}-dead")
            policy = {"deadLetterTargetArn": self.dead.arn, "maxReceiveCount": dead_letters}
            attributes["RedrivePolicy"] = json.dumps(policy)
        self._attributes = attributes
        self.url = self.make()
        self.arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"

    def make(self) -> str:
        return str(self.sqs.create_queue(QueueName=self.name, Attributes=self._attributes)["QueueUrl"])

    def remove(self) -> None:
        self.sqs.delete_queue(QueueUrl=self.url)

    def listen(self, detail_type: str = "Run Status Change") -> None:
        """Let a rule send every event of a type here."""
        pattern = {"source": ["aws.omics"], "detail-type": [detail_type]}
        events = self._client("events")
        events.put_rule(Name=self.name, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=self.name, Targets=[{"Id": "queue", "Arn": self.arn}])

    def send(self, *bodies: Any) -> None:
        """Send messages: events, or texts as they are."""
        texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
        for start in range(0, len(texts), 10):
            chunk = texts[start : start + 10]
            entries = [{"Id": str(n), "MessageBody": text} for n, text in enumerate(chunk)]
            self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)

    @property
    def counts(self) -> tuple[int, int]:
        """How many messages may be received, and how many are hidden."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        said = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return int(said[names[0]]), int(said[names[1]])

    async def holds(self, visible: int, hidden: int, timeout: float = 15.0) -> None:
        """Wait until the queue holds so many."""
        await until(lambda: self.counts == (visible, hidden), timeout, lambda: self.counts)


async def until(
    condition: Callable[[], Any], timeout: float = 15.0, otherwise: Callable[[], Any] = lambda: ""
) -> None:
    """Wait until a condition holds that is looked at in a thread: it may ask the emulator."""
    try:
        async with asyncio.timeout(timeout):
            while not await asyncio.to_thread(condition):
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"it did not come to that: {await asyncio.to_thread(otherwise)}") from None


def trigger(queue: Queue, **arguments: Any) -> OmicsRunEventTrigger:
    """Return a trigger of a queue, without spacing unless that is given."""
    return OmicsRunEventTrigger(queue.url, **{"spacing": 0, **arguments})


class Dead:
    """As long as its context lasts, no request of this process changes a queue: it was killed."""

    def __init__(self) -> None:
        self.patch = pytest.MonkeyPatch()

    def __enter__(self) -> None:
        for name in ("delete", "hand_back"):
            self.patch.setattr(OmicsQueueClient, name, self._fails)

    def __exit__(self, *_: object) -> None:
        self.patch.undo()

    @staticmethod
    async def _fails(self: Any, handles: Any, after: int = 0) -> list[str]:
        raise ConnectionError("this process is dead")


def stored(trigger: OmicsRunEventTrigger) -> OmicsRunEventTrigger:
    """Return a trigger as a triggerer makes it: from Airflow's database, in plain JSON."""
    path, kwargs = trigger.serialize()
    assert path == "airflow_omics.triggers.OmicsRunEventTrigger"
    return OmicsRunEventTrigger(**json.loads(json.dumps(kwargs)))


class Fired:
    """A trigger that runs, and what it has fired.

    :param stream: yields its events.
    """

    def __init__(self, stream: AsyncIterator[Any], on_event: Callable[[Any], None] = lambda event: None):
        self.events: list[Any] = []
        self.moments: list[float] = []
        self.error: Exception | None = None
        self._on_event = on_event
        self.task = asyncio.create_task(self._run(stream))

    async def _run(self, stream: AsyncIterator[Any]) -> None:
        try:
            async for one in stream:
                self.moments.append(asyncio.get_running_loop().time())
                self.events.append(json.loads(json.dumps(one.payload)))
                self._on_event(one)
        except Exception as error:
            self.error = error

    @property
    def ids(self) -> list[str]:
        """The ids of all runs, or batches, that it has fired for."""
        return [one["id"] for payload in self.events for members in payload.values() for one in members]

    async def fires(self, count: int, timeout: float = 20.0) -> None:
        """Wait until it has fired for so many runs."""
        await until(lambda: len(self.ids) >= count, timeout, lambda: f"fired for {self.ids}")

    async def stop(self) -> None:
        """End it as a triggerer does that stops, or to which the trigger belongs no more."""
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


class Triggerer:
    """Runs event triggers on shared streams, as the triggerer of Airflow 3.3 does.

    :param stores: whether it stores events by itself; otherwise when :meth:`store` is called.
    """

    def __init__(self, *, stores: bool = True, ack_timeout: float = 300.0) -> None:
        self._manager = SharedStreamManager(ack_timeout=ack_timeout)
        self._stores = stores
        self._numbers: dict[int, list[int]] = {}
        self._running: dict[int, tuple[Fired, Any]] = {}

    def start(self, trigger: OmicsRunEventTrigger) -> Fired:
        """Start a trigger."""
        trigger, number = stored(trigger), len(self._running)
        key = trigger.shared_stream_key()
        waiting = self._numbers[number] = []

        def on_event(_: Any) -> None:
            seq = self._manager.bind_pending_event(trigger_id=number, key=key)
            assert seq is not None
            waiting.append(seq)
            if self._stores:
                self.store(fired)

        stream = self._manager.subscribe(trigger_id=number, trigger=trigger, key=key)
        fired = Fired(trigger.filter_shared_stream(stream), on_event)
        self._running[number] = (fired, key)
        return fired

    def store(self, fired: Fired) -> None:
        """Say that a trigger's events are in Airflow's database."""
        [number] = [number for number, (one, _) in self._running.items() if one is fired]
        waiting = self._numbers[number]
        seqs, waiting[:] = list(waiting), []
        # As with Airflow, that is known a while later.
        asyncio.get_running_loop().call_soon(self._manager.confirm_persisted, seqs)

    async def stop(self, *stopped: Fired) -> None:
        """End triggers, all if none is named, as Airflow does when it stops."""
        for number, (fired, key) in self._running.items():
            if not stopped or fired in stopped:
                await fired.stop()
                await self._manager.unsubscribe(number, key)


@contextlib.asynccontextmanager
async def triggerer(**arguments: Any) -> AsyncIterator[Triggerer]:
    """Run a triggerer of Airflow 3.3 as long as the context lasts."""
    running = Triggerer(**arguments)
    try:
        yield running
    finally:
        await running.stop()


def runs(numbers: Iterable[int]) -> list[str]:
    return [str(number) for number in numbers]
