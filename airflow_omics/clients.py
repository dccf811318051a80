"""The client that a watcher's calls share: built off the event loop, and anew when credentials die."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from asgiref.sync import sync_to_async

from airflow_omics.connection import AwsArguments
from airflow_omics.exceptions import Fault, FaultKind

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsAsyncClient

log = logging.getLogger(__name__)

_REBUILD_PAUSE = 5.0  # seconds for which an attempt to build a client stands, good or bad

T = TypeVar("T")


@dataclass(eq=False)
class _Held:
    client: OmicsAsyncClient
    built_at: float
    users: int = 0
    retired: bool = False


class ClientKeeper:
    """Keeps one client for one AWS connection, and turns what its calls raise into faults.

    :param arguments: the connection.
    """

    def __init__(self, arguments: AwsArguments) -> None:
        self._arguments = arguments
        self._held: _Held | None = None
        self._building = asyncio.Lock()
        self._failure: tuple[float, Fault] | None = None
        self.region: str | None = arguments.region_name

    async def prepare(self) -> None:
        """Return when there is a client, or building one has failed."""
        await self._current()

    async def call(self, request: Callable[[OmicsAsyncClient], Awaitable[T]]) -> T | Fault:
        """Return what ``request`` returns for the client, or the fault that it met."""
        held = await self._current()
        if isinstance(held, Fault):
            return held
        held.users += 1
        try:
            return await request(held.client)
        except Exception as error:
            fault = _fault_of(error, held.client)
            if fault.kind is FaultKind.CREDENTIALS and time.monotonic() - held.built_at >= _REBUILD_PAUSE:
                held.retired = True  # the next call reads the Airflow connection anew
            if fault.kind is FaultKind.WEATHER and (warning := held.client.region_warning):
                # Where the task began in the triggerer, no worker has warned of it.
                fault = fault._replace(message=f"{fault.message}. {warning}")
            return fault
        finally:
            held.users -= 1
            if held.retired and held.users == 0 and held is not self._held:
                await held.client.close()

    async def close(self) -> None:
        """Close the client; nothing of it is left behind."""
        held, self._held = self._held, None
        if held is not None:
            await held.client.close()

    async def _current(self) -> _Held | Fault:
        async with self._building:
            if self._held is not None and not self._held.retired:
                return self._held
            now = time.monotonic()
            if self._failure is not None and now - self._failure[0] < _REBUILD_PAUSE:
                return self._failure[1]
            try:
                client = await sync_to_async(_open_client, thread_sensitive=False)(self._arguments)
            except Exception as error:
                self._failure = (now, _fault_of(error))
                return self._failure[1]
            old, self._held = self._held, _Held(client, now)
            self._failure = None
            self.region = client.region
            if old is not None and old.users == 0:
                await old.client.close()
            return self._held


def _open_client(arguments: AwsArguments) -> OmicsAsyncClient:
    # In a thread, the imports too: together they take more than a second the first time. One for each
    # connection: assuming the role of one may hang.
    from airflow_omics.hooks import OmicsAsyncClient

    return OmicsAsyncClient.open(arguments)


def _fault_of(error: Exception, client: OmicsAsyncClient | None = None) -> Fault:
    """Return what a failed call means; or, without ``client``, that none could be built."""
    from airflow_omics.hooks import fault_of

    fault = fault_of(error, client)
    if fault is None:
        # Not of AWS or the network: an Airflow connection that can't be read now, or a mistake of ours.
        # Either way it must pass or be told to everybody who waits, not end this loop.
        log.warning("A call to HealthOmics failed in an unexpected way", exc_info=error)
        kind = FaultKind.CREDENTIALS if client is None else FaultKind.WEATHER
        fault = Fault(kind, f"{type(error).__name__}: {error}", type(error).__name__)
    return fault
