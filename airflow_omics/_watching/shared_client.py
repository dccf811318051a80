"""The client that a watcher's calls share: built off the event loop, and again when credentials fail."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from airflow_omics import _clock
from airflow_omics._connection import AwsArguments
from airflow_omics._faults import Fault
from airflow_omics._opening import Opening
from airflow_omics.exceptions import FaultKind

if TYPE_CHECKING:
    from airflow_omics.hooks.async_client import OmicsAsyncClient

log = logging.getLogger(__name__)

_REBUILD_PAUSE = 5.0  # seconds for which an attempt to build a client stands, good or bad

T = TypeVar("T")


class Known(NamedTuple):
    """What is known of the run or batch that a call is about.

    :param was_readable: whether it was read before.
    :param home: its account and Region, by :func:`airflow_omics._identity.home_of`.
    """

    was_readable: bool = False
    home: str | None = None


@dataclass(eq=False)
class _Held:
    client: OmicsAsyncClient
    built_at: float
    users: int = 0
    retired: bool = False  # no use any more
    stale: bool = False  # of use until another one is built


class SharedClient:
    """Keeps one client for one AWS connection, and turns what its calls raise into faults.

    :param arguments: the connection.
    """

    def __init__(self, arguments: AwsArguments) -> None:
        self._arguments = arguments
        self._held: _Held | None = None
        self._building = asyncio.Lock()
        self._failure: tuple[float, Fault] | None = None
        self._has_answered = False
        self.region: str | None = arguments.region_name

    async def prepare(self) -> None:
        """Wait until there is a usable client, or building one has failed."""
        if self._held is None or self._held.retired:
            await self._current()

    @property
    def stands_in(self) -> bool:
        """Whether boto3's own chain of credentials stands in for a connection that was not found."""
        return self._held is not None and self._held.client.stands_in

    async def call(
        self,
        request: Callable[[OmicsAsyncClient], Awaitable[T]],
        *,
        known: Known | None = None,
        may_list: Callable[[], Awaitable[None]] | None = None,
    ) -> T | Fault:
        """Return what ``request`` returns for the client, or the fault of the call.

        :param known: of what the call is about, so that a fault says whether its answer counts.
        :param may_list: waits until a ListRuns may be sent, if one is needed to find that out.
        """
        held = await self._current()
        if isinstance(held, Fault):
            return self._noted(held)
        held.users += 1
        try:
            answer = await request(held.client)
            self._has_answered = True
            return answer
        except Exception as error:
            fault = self._noted(_fault_of(error, held.client))
            if fault.kind is FaultKind.CREDENTIALS and _clock.monotonic() - held.built_at >= _REBUILD_PAUSE:
                held.retired = True  # the next call reads the Airflow connection again
            if fault.kind is FaultKind.TRANSIENT and (warning := held.client.region_warning):
                # If the task began in the triggerer, no worker has warned of it.
                fault = fault._replace(message=f"{fault.message}. {warning}")
            if known is not None and known.was_readable:
                fault = await self._weighed(fault, held.client, known.home, may_list)
            return fault
        finally:
            held.users -= 1
            if held.retired and held.users == 0 and held is not self._held:
                await held.client.close()

    def renew(self) -> None:
        """Let the next call read the Airflow connection again; if that fails, this client stays in use."""
        if self._held is not None:
            self._held.stale = True

    def _noted(self, fault: Fault) -> Fault:
        """Return the fault; once anything has answered, "no connection" is an outage like any other."""
        if not fault.no_connection and fault.kind is not FaultKind.CREDENTIALS:
            self._has_answered = True
        return fault._replace(no_connection=fault.no_connection and not self._has_answered)

    async def _weighed(
        self,
        fault: Fault,
        client: OmicsAsyncClient,
        home: str | None,
        may_list: Callable[[], Awaitable[None]] | None,
    ) -> Fault:
        """Return the fault with what makes its answer doubtful, in ``doubt``."""
        from airflow_omics.hooks.faults import doubt_of, next_question

        denied = fault.kind is FaultKind.DENIED
        if not denied and fault.kind is not FaultKind.NOT_FOUND:
            return fault
        async with client.finding_out:
            while (question := next_question(client, home, denied=denied)) is not None:
                if question == "STS":
                    await client.ask_sts()
                elif may_list is not None:
                    await may_list()
                    await client.look_around()
                else:
                    break
        return fault._replace(doubt=doubt_of(client, home, denied=denied))

    async def close(self) -> None:
        """Close the client, and everything that it holds."""
        held, self._held = self._held, None
        if held is not None:
            await held.client.close()

    async def _current(self) -> _Held | Fault:
        if self._held is not None and not self._held.retired and self._building.locked():
            return self._held  # of use as long as its successor is being built
        async with self._building:
            held, now = self._held, _clock.monotonic()
            of_use = held if held is not None and not held.retired else None
            if of_use is not None and (not of_use.stale or now - of_use.built_at < _REBUILD_PAUSE):
                return of_use
            if self._failure is not None and now - self._failure[0] < _REBUILD_PAUSE:
                return of_use or self._failure[1]
            try:
                client = await Opening(partial(_open, self._arguments)).client()
            except Exception as error:
                self._failure = (now, _fault_of(error))
                return of_use or self._failure[1]
            client.replaces = held is not None
            self._held = _Held(client, now)
            self._failure = None
            self.region = client.region
            if held is not None:
                held.retired = True
                if held.users == 0:
                    await held.client.close()
            return self._held


def _open(arguments: AwsArguments) -> OmicsAsyncClient:
    from airflow_omics.hooks.async_client import OmicsAsyncClient

    return OmicsAsyncClient.open(arguments)


def _fault_of(error: Exception, client: OmicsAsyncClient | None = None) -> Fault:
    """Return what a failed call means; without ``client``, that none could be built."""
    from airflow_omics.hooks.faults import fault_of

    fault = fault_of(error, client)
    if fault is None:
        # Not from AWS or the network: an Airflow connection that can't be read now, or a mistake of ours.
        # It must not end this loop: either it passes, or everybody who waits gets to know of it.
        log.warning("A call to HealthOmics failed in an unexpected way", exc_info=error)
        kind = FaultKind.CREDENTIALS if client is None else FaultKind.TRANSIENT
        fault = Fault(kind, f"{type(error).__name__}: {error}", type(error).__name__)
    return fault
