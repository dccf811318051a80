"""Building a client in a thread, off the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from asgiref.sync import sync_to_async


class _Client(Protocol):
    async def close(self) -> None: ...


C = TypeVar("C", bound=_Client)


class Opening(Generic[C]):
    """Builds a client in a thread; a client that nobody waits for any more is closed where it was built.

    In a thread, the imports too: together they take more than a second the first time. In one for each
    connection: assuming the role of one may hang.

    :param build: builds the client; it may block.
    """

    def __init__(self, build: Callable[[], C]) -> None:
        self._build = build
        self._lock = threading.Lock()
        self._client: C | None = None
        self._unwanted = False

    async def client(self) -> C:
        """Return the client, or raise what building it raised."""
        try:
            return await sync_to_async(self._open, thread_sensitive=False)()
        except asyncio.CancelledError:
            with self._lock:
                client, self._unwanted = self._client, True
            if client is not None:  # built, but this task was cancelled before it got to know of it
                await client.close()
            raise

    def _open(self) -> C:
        client = self._build()
        with self._lock:
            self._client, unwanted = client, self._unwanted
        if unwanted:
            asyncio.run(client.close())
        return client
