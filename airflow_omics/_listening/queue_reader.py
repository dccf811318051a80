"""Reads a queue of events for one trigger, or for several: messages in, batches of what has ended out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from airflow_omics import _clock
from airflow_omics._compat import stats
from airflow_omics._listening.events import Ended, ended_of
from airflow_omics._listening.queue_client import QueueClient
from airflow_omics._listening.readers import Readers
from airflow_omics._listening.remembered import Remembered

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
_MOST_HELD: Final = 4 * MOST
_ASK_AGAIN: Final = 600.0  # seconds for which it stands whether there is a queue for dead letters
_LAST_CALLS: Final = 5.0  # seconds for handing back when all ends
_LAST_ANSWER: Final = 1.5  # of them, seconds for a request that may be about to receive something
_PAUSE: Final = 1.0  # the least seconds that a request which receives nothing takes
_LOOK: Final = 5.0  # seconds after which a new spacing counts: that of an edited DAG file


class _Held:
    """A message that was received and is neither deleted nor handed back yet."""

    __slots__ = ("ended", "handle", "message_id")

    def __init__(self, message: Message, ended: Ended) -> None:
        self.message_id, self.handle, self.ended = message.id, message.handle, ended


class Batch(NamedTuple):
    """What is fired together.

    :param ended: what the messages say, in the order in which it happened.
    :param messages: the messages, for the reader.
    :param firing: the triggers that yield an event for it, until they go on: then Airflow has taken it.
    """

    ended: list[Ended]
    messages: list[_Held]
    firing: set[object]


class QueueReader:
    """Receives the messages of a queue, and keeps them until somebody says what became of them.

    Between two batches nothing is received: what waits is in the queue, and a process that is killed holds
    nothing but what it has just received and what it has fired.

    :param queue_url: the queue.
    :param readers: the triggers that read it.
    """

    def __init__(self, queue_url: str, readers: Readers) -> None:
        self._queue_url = queue_url
        self._readers = readers
        self._client = QueueClient(readers.arguments, queue_url)
        self._held: dict[str, _Held] = {}  # by message id
        self._unfired: list[_Held] = []
        self._room = asyncio.Event()
        self._handled = Remembered()  # ids of messages to delete if they are received again
        self._warned = Remembered()  # ids of messages that are no events
        self._fired_at: float | None = None
        self._late: set[asyncio.Task[None]] = set()
        self._dead_letters: tuple[float, bool | None] | None = None
        self._asking: asyncio.Future[list[Message] | None] | None = None
        self._handed_back_at = -math.inf
        self._closed = False

    async def batches(self) -> AsyncIterator[Batch]:
        """Yield batches for ever, with ``spacing`` seconds at least from one to the next."""
        while True:
            while self._fired_at is not None:
                left = self._fired_at + self._readers.spacing - _clock.monotonic()
                if left <= 0:
                    break
                await asyncio.sleep(min(left, _LOOK))
            while len(self._held) >= _MOST_HELD:
                self._room.clear()
                await self._room.wait()
            await self._gather()
            messages, self._unfired = self._unfired, []
            ended = sorted((held.ended for held in messages), key=lambda one: one.members.get("time", ""))
            self._fired_at = _clock.monotonic()
            yield Batch(ended, messages, set())

    async def delete(self, messages: Sequence[_Held]) -> None:
        """Delete messages. One that can't be deleted is deleted when it is received again."""
        handles = self._let_go(messages)
        for held in messages:
            self._handled.is_first(held.message_id)
        await self._change("delete", handles)

    def delete_late(self, messages: Sequence[_Held]) -> None:
        """Delete messages once their event must be stored, unless this process ends before."""
        task = asyncio.create_task(self._delete_late(messages))
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def hand_back(self, messages: Sequence[_Held], after: int = 0) -> None:
        """Let messages be received again, by anybody.

        :param after: seconds from now on.
        """
        self._handed_back_at = _clock.monotonic()
        await self._change("hand_back", self._let_go(messages), after=after)

    async def close(self) -> None:
        """Hand back what was received and never fired, and close the client."""
        if self._closed:
            return
        self._closed = True
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_CALLS):
                    answered = await self._last_answer()
                    unfired, self._unfired = self._unfired, []
                    await self.hand_back(unfired)
                    await self._change("hand_back", answered)
        finally:
            await self._client.close()

    async def _last_answer(self) -> list[str]:
        """Return the handles of what is received by the request that was not over when all ended.

        SQS may hand to it what is handed back now, and nobody would see that until it is visible again.
        """
        asking, self._asking = self._asking, None
        if asking is None:
            return []
        may_receive = self._unfired or _clock.monotonic() - self._handed_back_at < _LAST_ANSWER
        try:
            async with asyncio.timeout(_LAST_ANSWER if may_receive else 0):
                return [message.handle for message in await asking or ()]
        except TimeoutError:
            return []

    async def _gather(self) -> None:
        """Receive messages until there is something to fire, and what comes with it."""
        begun: float | None = None
        while True:
            asked_at = _clock.monotonic()
            count = await self._receive()
            if count is None:
                if self._unfired:
                    return  # it must not wait for the queue to work again
                await asyncio.sleep(self._client.pause())
                continue
            if not self._unfired:
                if not count:
                    await asyncio.sleep(asked_at + _PAUSE - _clock.monotonic())
                continue
            now, spacing = _clock.monotonic(), self._readers.spacing
            begun = now if begun is None else begun
            # A burst comes in full answers; stragglers get two seconds.
            longest = max(spacing, _GATHERING) if count == _A_REQUEST else min(spacing, _GATHERING)
            if not count or not spacing or len(self._unfired) >= MOST or now - begun >= longest:
                return

    async def _receive(self) -> int | None:
        """Receive messages once; return how many, or None if that failed."""
        most = min(_A_REQUEST, MOST - len(self._unfired))
        hidden = round(self._readers.spacing + LATE + _SLACK)
        wait = 1 if self._unfired else _LONG_POLL
        self._asking = asyncio.ensure_future(self._client.receive(most, wait=wait, hidden=hidden))
        messages = await asyncio.shield(self._asking)  # close() ends it
        self._asking = None
        if messages is None:
            return None
        handles: list[str] = []
        foreign, garbage = 0, []
        for message in messages:
            if message.id in self._handled:
                handles.append(message.handle)
            elif message.id in self._held:
                self._held[message.id].handle = message.handle
            elif isinstance(said := ended_of(message.body), Ended) and self._readers.want(said):
                self._held[message.id] = held = _Held(message, said)
                self._unfired.append(held)
            elif not isinstance(said, Ended) and said.garbage:
                garbage.append(message)
            else:
                foreign += 1
                handles.append(message.handle)
        if foreign:
            log.debug(
                "%d messages of %s are not for this trigger: they are deleted", foreign, self._queue_url
            )
        if foreign or garbage:
            stats().incr("omics.events.ignored", foreign + len(garbage))
        await self._change("delete", handles)
        await self._put_aside(garbage)
        return len(messages)

    async def _put_aside(self, garbage: Sequence[Message]) -> None:
        """Leave what is no event for the queue of dead letters, or delete it if there is none."""
        if not garbage:
            return
        kept = await self._has_dead_letters()
        becomes = {
            True: "it goes to the dead-letter queue",
            False: "it is deleted, since there is no dead-letter queue",
            None: "it stays there, until it goes to a dead-letter queue or is too old",
        }[kept]
        for message in garbage:
            if self._warned.is_first(message.id):
                log.warning(
                    "The message %s of %s is no event of HealthOmics: %s.",
                    message.id,
                    self._queue_url,
                    becomes,
                )
        if kept is False:
            await self._change("delete", [message.handle for message in garbage])

    async def _has_dead_letters(self) -> bool | None:
        """Return whether there is a queue for dead letters; None if nobody may say."""
        now = _clock.monotonic()
        if self._dead_letters is None or now - self._dead_letters[0] > _ASK_AGAIN:
            self._dead_letters = (now, await self._client.has_dead_letters())
        return self._dead_letters[1]

    def _let_go(self, messages: Sequence[_Held]) -> list[str]:
        """Hold messages no longer; return what they are deleted or handed back with."""
        for held in messages:
            self._held.pop(held.message_id, None)
        self._room.set()
        return [held.handle for held in messages]

    async def _change(
        self, method: Literal["delete", "hand_back"], handles: Sequence[str], **named: int
    ) -> None:
        for start in range(0, len(handles), _A_REQUEST):
            if not await self._client.change(method, handles[start : start + _A_REQUEST], **named):
                return  # the others would wait for their turn to fail

    async def _delete_late(self, messages: Sequence[_Held]) -> None:
        await asyncio.sleep(LATE)
        await self.delete(messages)
