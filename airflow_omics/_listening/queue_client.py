"""The client of a queue: built off the event loop, built again when calls fail, and never an error.

A call that fails is one warning, at growing distance while it goes on, and a pause that grows.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from asgiref.sync import sync_to_async

from airflow_omics import _clock
from airflow_omics._connection import AwsArguments
from airflow_omics._faults import Fault, backoff
from airflow_omics._words import about
from airflow_omics.exceptions import FaultKind

if TYPE_CHECKING:
    from airflow_omics.hooks.queue import OmicsQueueClient

log = logging.getLogger(__name__)

_FIRST_REMINDER: Final = 300.0  # seconds from the first warning of a fault to the second
_LAST_REMINDER: Final = 6 * 3600.0
_REBUILD_AFTER: Final = 3  # transient errors in a row: perhaps the connection has been edited

T = TypeVar("T")


class _Trouble:
    """What goes on failing, and when it is said next."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.failures = 0
        self._since = self._say_at = 0.0
        self._pause = _FIRST_REMINDER

    def note(self, text: str) -> None:
        """Note a failure; say so if it is the first, or enough time has passed."""
        self.failures += 1
        now = _clock.monotonic()
        if self.failures == 1:
            self._since, self._pause = now, _FIRST_REMINDER
            log.warning("%s: %s. It is tried again, at growing distance.", self._what, text)
        elif now >= self._say_at:
            self._pause = min(2 * self._pause, _LAST_REMINDER)
            log.warning("%s for %s now: %s", self._what, about(now - self._since), text)
        else:
            log.debug("%s: %s", self._what, text)
            return
        self._say_at = now + self._pause

    def over(self) -> None:
        """Note that it works."""
        if self.failures:
            log.info("%s no more, after %s.", self._what, about(_clock.monotonic() - self._since))
        self.failures = 0


class QueueClient:
    """Calls of one queue. None of them raises.

    :param arguments: returns how the queue is reached; it is asked whenever a client is built.
    :param queue_url: the queue.
    """

    def __init__(self, arguments: Callable[[], AwsArguments], queue_url: str) -> None:
        self._arguments = arguments
        self._queue_url = queue_url
        self._client: OmicsQueueClient | None = None
        self._building = asyncio.Lock()
        self._closed = False
        self._troubles: dict[str, _Trouble] = {}

    async def call(
        self, what: str, request: Callable[[OmicsQueueClient], Awaitable[T]], *, otherwise: T
    ) -> T:
        """Return what ``request`` returns, or ``otherwise`` if it fails.

        :param what: what cannot be done then, for the log.
        """
        trouble = self._trouble(what)
        client: OmicsQueueClient | None = None
        try:
            client = await self._current()
            answer = await request(client)
        except Exception as error:
            await self._note(trouble, error, client)
            return otherwise
        trouble.over()
        return answer

    async def change(self, what: str, method: Literal["delete", "hand_back"], handles: Sequence[str]) -> None:
        """Delete messages or hand them back, 10 at most.

        :param what: what cannot be done if that fails, for the log.
        """
        failed: list[str] = []
        reasons = await self.call(what, lambda client: getattr(client, method)(handles), otherwise=failed)
        if reasons:  # AWS's, for single messages of a request that did not fail itself
            self._trouble(what).note(", ".join(reasons))

    def pause(self, what: str) -> float:
        """Return the seconds to wait before ``what`` is tried again, from half a second to a minute."""
        return backoff(max(1, self._trouble(what).failures))

    async def close(self) -> None:
        """Close the client; no call may follow."""
        self._closed = True
        await self._drop(self._client)

    def _trouble(self, what: str) -> _Trouble:
        return self._troubles.setdefault(what, _Trouble(f"{what} {self._queue_url}"))

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
        try:
            await client.close()
        except Exception as error:
            log.debug("The client of %s could not be closed", self._queue_url, exc_info=error)

    async def _current(self) -> OmicsQueueClient:
        async with self._building:
            if self._closed:
                raise RuntimeError("the reader of this queue was closed")
            if self._client is None:
                self._client = await _Opening(self._arguments(), self._queue_url).client()
            return self._client


class _Opening:
    """Builds a client in a thread; one that nobody waits for any more is closed where it was built."""

    def __init__(self, arguments: AwsArguments, queue_url: str) -> None:
        self._arguments = arguments
        self._queue_url = queue_url
        self._lock = threading.Lock()
        self._client: OmicsQueueClient | None = None
        self._unwanted = False

    async def client(self) -> OmicsQueueClient:
        """Return the client."""
        try:
            return await sync_to_async(self._open, thread_sensitive=False)()
        except asyncio.CancelledError:
            with self._lock:
                client, self._unwanted = self._client, True
            if client is not None:
                await client.close()
            raise

    def _open(self) -> OmicsQueueClient:
        from airflow_omics.hooks.queue import OmicsQueueClient

        client = OmicsQueueClient.open(self._arguments, self._queue_url)
        with self._lock:
            self._client, unwanted = client, self._unwanted
        if unwanted:
            asyncio.run(client.close())
        return client
