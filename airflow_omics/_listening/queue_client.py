"""The client of a queue: built off the event loop, built again when calls fail, and never an error.

A call that fails is one warning, at growing distance while it goes on, and a pause that grows.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from airflow_omics import _clock
from airflow_omics._connection import AwsArguments
from airflow_omics._faults import Fault, backoff
from airflow_omics._opening import Opening
from airflow_omics._words import about
from airflow_omics.exceptions import FaultKind

if TYPE_CHECKING:
    from airflow_omics.hooks.queue import Message, OmicsQueueClient

log = logging.getLogger(__name__)

_FIRST_REMINDER: Final = 300.0  # seconds from the first warning of a fault to the second
_LAST_REMINDER: Final = 6 * 3600.0
_REBUILD_AFTER: Final = 3  # transient errors in a row: perhaps the connection has been edited

_DOING: Final = {
    "receive": "Receiving events from",
    "delete": "Deleting events that were handled from",
    "hand_back": "Handing back events to",
    "has_dead_letters": "Reading whether there is a dead-letter queue for",
}

_CHANGES: Final = ("delete", "hand_back")  # an answer to these may hold failures of single messages

T = TypeVar("T")


class QueueClient:
    """Calls of one queue. None of them raises: what fails is logged, and the caller gets None or False.

    :param arguments: returns how the queue is reached; it is asked whenever a client is built.
    :param queue_url: the queue.
    """

    def __init__(self, arguments: Callable[[], AwsArguments], queue_url: str) -> None:
        self._arguments = arguments
        self._queue_url = queue_url
        self._client: OmicsQueueClient | None = None
        self._used: Counter[OmicsQueueClient] = Counter()  # requests that each client waits for
        self._building = asyncio.Lock()
        self._closed = False
        self._troubles = {name: _Trouble(f"{doing} {queue_url}") for name, doing in _DOING.items()}

    async def receive(self, most: int, *, wait: int, hidden: int) -> list[Message] | None:
        """Return messages as :meth:`OmicsQueueClient.receive` does, or None if that fails."""
        return await self._call("receive", lambda client: client.receive(most, wait=wait, hidden=hidden))

    async def has_dead_letters(self) -> bool | None:
        """Return whether there is a queue for dead letters, or None if nobody may say."""
        return await self._call("has_dead_letters", lambda client: client.has_dead_letters())

    async def change(
        self, method: Literal["delete", "hand_back"], handles: Sequence[str], **named: int
    ) -> bool:
        """Delete messages or hand them back, 10 at most; return whether that request was answered."""
        reasons: list[str] | None = await self._call(
            method, lambda client: getattr(client, method)(handles, **named)
        )
        if reasons:  # AWS's, for single messages
            self._troubles[method].note(", ".join(reasons))
        elif reasons is not None:
            self._troubles[method].over()
        return reasons is not None

    def pause(self) -> float:
        """Return the seconds to wait before the next ``receive``, from half a second to a minute."""
        return backoff(max(1, self._troubles["receive"].failures))

    async def close(self) -> None:
        """Close the client; no call may follow."""
        self._closed = True
        await self._drop(self._client)

    async def _call(self, name: str, request: Callable[[OmicsQueueClient], Awaitable[T]]) -> T | None:
        trouble = self._troubles[name]
        client: OmicsQueueClient | None = None
        try:
            client = await self._current()
            answer = await self._asked(client, request)
        except Exception as error:
            await self._note(trouble, error, client)
            return None
        if name not in _CHANGES:
            trouble.over()
        return answer

    async def _asked(
        self, client: OmicsQueueClient, request: Callable[[OmicsQueueClient], Awaitable[T]]
    ) -> T:
        self._used[client] += 1
        try:
            return await request(client)
        finally:
            self._used[client] -= 1
            if not self._used[client]:
                del self._used[client]
                if client is not self._client:  # another call has dropped it meanwhile
                    await self._end(client)

    async def _note(self, trouble: _Trouble, error: Exception, client: OmicsQueueClient | None) -> None:
        from airflow_omics.hooks.faults import fault_of

        fault = fault_of(error, client)
        if fault is None:
            name = type(error).__name__
            fault = Fault(FaultKind.TRANSIENT, f"{name}: {error}", name)
        where = f" ({client.place})" if client is not None else ""
        trouble.note(f"{fault.message.rstrip('.')}{where}")
        # A rotated key, a policy that was repaired, a connection that was edited: a new client reads it.
        if fault.kind is not FaultKind.TRANSIENT or trouble.failures % _REBUILD_AFTER == 0:
            await self._drop(client)

    async def _drop(self, client: OmicsQueueClient | None) -> None:
        if client is None or client is not self._client:
            return
        self._client = None
        # One that still waits for messages may be given some: to close it now would lose sight of them.
        if self._closed or client not in self._used:
            await self._end(client)

    async def _end(self, client: OmicsQueueClient) -> None:
        try:
            await client.close()
        except Exception as error:
            log.debug("The client of %s could not be closed", self._queue_url, exc_info=error)

    async def _current(self) -> OmicsQueueClient:
        async with self._building:
            if self._closed:
                raise RuntimeError("this reader of the queue has ended")
            if self._client is None:
                self._client = await Opening(partial(_open, self._arguments(), self._queue_url)).client()
            return self._client


class _Trouble:
    """What goes on failing, and when it is said next.

    :param doing: what fails, for the log.
    """

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self.failures = 0
        self._since = self._say_at = 0.0
        self._pause = _FIRST_REMINDER

    def note(self, text: str) -> None:
        """Note a failure; say so if it is the first, or enough time has passed."""
        self.failures += 1
        now = _clock.monotonic()
        if self.failures == 1:
            self._since, self._pause = now, _FIRST_REMINDER
            log.warning("%s fails, and is tried again: %s.", self._doing, text)
        elif now >= self._say_at:
            self._pause = min(2 * self._pause, _LAST_REMINDER)
            log.warning("%s has failed for %s now: %s.", self._doing, about(now - self._since), text)
        else:
            log.debug("%s fails: %s.", self._doing, text)
            return
        self._say_at = now + self._pause

    def over(self) -> None:
        """Note that it works."""
        if self.failures:
            log.info("%s works again, after %s.", self._doing, about(_clock.monotonic() - self._since))
        self.failures = 0


def _open(arguments: AwsArguments, queue_url: str) -> OmicsQueueClient:
    from airflow_omics.hooks.queue import OmicsQueueClient

    return OmicsQueueClient.open(arguments, queue_url)
