"""Reads a queue of events for one trigger, or for several: messages in, batches of what has ended out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from airflow_omics import _clock
from airflow_omics._listening.events import Ended, ended_of
from airflow_omics._listening.queue_client import QueueClient
from airflow_omics._listening.readers import Readers

if TYPE_CHECKING:
    from airflow_omics.hooks.queue import Message

log = logging.getLogger(__name__)

MOST: Final = 500
"""Messages in one batch, and so runs in one event, at most."""

LATE: Final = 20.0
"""Seconds after which a message is deleted where nobody says that its event is stored."""

_SLACK: Final = 40.0  # seconds that a message stays hidden beyond what it is held for
_GATHERING: Final = 2.0  # seconds in which the first of a burst waits for the others
_LONG_POLL: Final = 20
_A_REQUEST: Final = 10  # messages that SQS takes in one request
_REMEMBERED: Final = 10_000
_ASK_AGAIN: Final = 600.0  # seconds for which it stands whether there is a queue for dead letters

_RECEIVE: Final = "No events can be received from"
_DELETE: Final = "Events that were handled cannot be deleted from"
_HAND_BACK: Final = "Events that were not handled cannot be handed back to"
_DEAD_LETTERS: Final = "It cannot be read whether there is a dead-letter queue for"


class _Held:
    """A message that was received and is not deleted yet."""

    __slots__ = ("ended", "handle", "id")

    def __init__(self, id: str, handle: str, ended: Ended) -> None:
        self.id, self.handle, self.ended = id, handle, ended


class Batch(NamedTuple):
    """What is fired together.

    :param ended: what the messages say, in the order in which it happened.
    :param messages: the messages, for the reader.
    """

    ended: list[Ended]
    messages: list[_Held]


class QueueReader:
    """Receives the messages of a queue, and keeps them until somebody says what became of them.

    :param queue_url: the queue.
    :param readers: the triggers that read it.
    """

    def __init__(self, queue_url: str, readers: Readers) -> None:
        self._queue_url = queue_url
        self._readers = readers
        self._client = QueueClient(readers.arguments, queue_url)
        self._held: dict[str, _Held] = {}  # by message id
        self._unfired: list[_Held] = []
        self._gone: dict[str, None] = {}  # ids of messages that are handled, in the order of that
        self._warned: dict[str, None] = {}  # ids of messages that are garbage
        self._fired_at: float | None = None
        self._late: set[asyncio.Task[None]] = set()
        self._dead_letters: tuple[float, bool | None] | None = None
        self._closed = False

    async def batches(self) -> AsyncIterator[Batch]:
        """Yield batches for ever, with ``spacing`` seconds at least from one to the next."""
        while True:
            if self._fired_at is not None:
                await asyncio.sleep(self._fired_at + self._readers.spacing - _clock.monotonic())
            await self._gather()
            batch, self._unfired = self._unfired, []
            self._fired_at = _clock.monotonic()
            yield Batch(
                sorted((held.ended for held in batch), key=lambda ended: ended.members.get("time", "")), batch
            )

    async def delete(self, messages: Iterable[_Held]) -> None:
        """Delete messages. One that can't be deleted is deleted when it is received again."""
        handles = []
        for held in messages:
            self._held.pop(held.id, None)
            _remember(self._gone, held.id)
            handles.append(held.handle)
        await self._delete(handles)

    def delete_late(self, batch: Batch) -> None:
        """Delete a batch's messages once its event must be stored, unless this process ends before."""
        task = asyncio.create_task(self._delete_late(batch.messages))
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def hand_back(self, messages: Iterable[_Held]) -> None:
        """Let messages be received again, by anybody, at once."""
        handles = []
        for held in messages:
            self._held.pop(held.id, None)
            handles.append(held.handle)
        for chunk in _chunks(handles):
            await self._client.change(_HAND_BACK, "hand_back", chunk)

    async def close(self) -> None:
        """Hand back what was received and never fired, and close the client."""
        if self._closed:
            return
        self._closed = True
        for task in self._late:
            task.cancel()
        unfired, self._unfired = self._unfired, []
        await self.hand_back(unfired)
        await self._client.close()

    async def _gather(self) -> None:
        """Receive messages until there is something to fire, and what comes with it."""
        begun = 0.0
        while True:
            waited = _LONG_POLL if not self._unfired else 1
            count = await self._receive(min(_A_REQUEST, MOST - len(self._unfired)), waited)
            if count is None:
                if self._unfired:
                    return
                await asyncio.sleep(self._client.pause(_RECEIVE))
                continue
            if not self._unfired:
                continue
            begun = begun or _clock.monotonic()
            passed, spacing = _clock.monotonic() - begun, self._readers.spacing
            full = count == _A_REQUEST and passed < max(spacing, _GATHERING)
            early = count > 0 and passed < min(spacing, _GATHERING)
            if len(self._unfired) >= MOST or not spacing or not (full or early):
                return

    async def _receive(self, most: int, wait: int) -> int | None:
        """Receive messages once; return how many, or None if that failed."""
        hidden = round(self._readers.spacing + LATE + _SLACK)
        none: list[Message] | None = None
        messages = await self._client.call(
            _RECEIVE, lambda client: client.receive(most, wait=wait, hidden=hidden), otherwise=none
        )
        if messages is None:
            return None
        unwanted: list[Message] = []
        again: list[str] = []
        garbage: list[Message] = []
        for message in messages:
            if message.id in self._gone:
                again.append(message.handle)
            elif message.id in self._held:
                self._held[message.id].handle = message.handle
            elif not isinstance(said := ended_of(message.body), Ended):
                (garbage if said.garbage else unwanted).append(message)
            elif not self._readers.want(said):
                unwanted.append(message)
            else:
                held = self._held[message.id] = _Held(message.id, message.handle, said)
                self._unfired.append(held)
        if unwanted:
            log.debug("%d messages in %s are for nobody and are deleted", len(unwanted), self._queue_url)
        await self._delete([*again, *(message.handle for message in unwanted)])
        await self._put_aside(garbage)
        return len(messages)

    async def _put_aside(self, garbage: Sequence[Message]) -> None:
        """Leave what is no event for the queue of dead letters, or delete it if there is none."""
        if not garbage:
            return
        kept = await self._has_dead_letters() is not False
        for message in garbage:
            if message.id in self._warned:
                continue
            _remember(self._warned, message.id)
            becomes = (
                "is left for the dead-letter queue" if kept else "is deleted: there is no dead-letter queue"
            )
            log.warning(
                "The message %s in %s is no event of HealthOmics, and %s.",
                message.id,
                self._queue_url,
                becomes,
            )
        if not kept:
            await self._delete([message.handle for message in garbage])

    async def _has_dead_letters(self) -> bool | None:
        """Return whether there is a queue for dead letters; None if nobody may say."""
        now = _clock.monotonic()
        if self._dead_letters is None or now - self._dead_letters[0] > _ASK_AGAIN:
            unknown: bool | None = None
            found = await self._client.call(
                _DEAD_LETTERS, lambda client: client.has_dead_letters(), otherwise=unknown
            )
            self._dead_letters = (now, found)
        return self._dead_letters[1]

    async def _delete(self, handles: Sequence[str]) -> None:
        for chunk in _chunks(handles):
            await self._client.change(_DELETE, "delete", chunk)

    async def _delete_late(self, messages: list[_Held]) -> None:
        await asyncio.sleep(LATE)
        await self.delete(messages)


def _chunks(handles: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(handles), _A_REQUEST):
        yield list(handles[start : start + _A_REQUEST])


def _remember(ids: dict[str, None], id: str) -> None:
    ids[id] = None
    while len(ids) > _REMEMBERED:
        del ids[next(islice(ids, 1))]
