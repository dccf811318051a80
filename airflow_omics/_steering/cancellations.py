"""Many cancellations in one event loop, on the client and within the rate that waits share.

``cancel.Cancellation`` decides what each answer means; here the calls are made, for as many runs as have to
be cancelled at once, and no run holds up another.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from typing import ClassVar, Final

from airflow_omics import _clock
from airflow_omics._connection import AwsArguments
from airflow_omics._faults import NOT_FOUND_GRACE, Fault
from airflow_omics._identity import Target
from airflow_omics._resource import BATCH
from airflow_omics._steering.cancel import BatchCancellation, Cancellation
from airflow_omics._steering.change import judged
from airflow_omics._watching.limited_client import LimitedClient
from airflow_omics._watching.shared_client import Known
from airflow_omics._watching.watcher import Watcher

WITHIN: Final = 3600.0
"""Seconds for which the cancellation of a run is retried."""

_POKE_INTERVAL: Final = 10.0  # seconds between two looks at a run that HealthOmics does not know yet
_MOST_IN_FLIGHT: Final = 16  # of the 80 connections that the client has; the waits need up to 64
_MOST_IN_LINE: Final = 3  # GetRuns that may stand in line at once, among those of the waits

Say = Callable[[int, str], object]


class Cancellations:
    """Cancels runs for one AWS connection in one event loop; use :meth:`shared` to get one.

    :param arguments: the connection.
    :param requests_per_second: the most requests for any one operation.
    """

    _of_loop: ClassVar[weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Cancellations]]] = (
        weakref.WeakKeyDictionary()
    )

    def __init__(self, arguments: AwsArguments, requests_per_second: float) -> None:
        self._arguments = arguments
        self._rate = requests_per_second
        self._under_way: dict[tuple[str, str], asyncio.Future[str]] = {}
        self._in_flight = asyncio.Semaphore(_MOST_IN_FLIGHT)
        self._in_line = asyncio.Semaphore(_MOST_IN_LINE)
        self._has_asked = False

    @classmethod
    def shared(cls, arguments: AwsArguments, requests_per_second: float) -> Cancellations:
        """Return the one object of this event loop and connection; it is gone with its last run."""
        of_connection = cls._of_loop.setdefault(asyncio.get_running_loop(), {})
        found = of_connection.get(arguments.key)
        return found or of_connection.setdefault(arguments.key, cls(arguments, requests_per_second))

    async def cancel(self, target: Target, say: Say) -> str:
        """Cancel a run, and return what it is now: ``accepted``, or the status that it has ended in.

        Nobody waits for the run any more, so its end is not waited for either. A run that is being
        cancelled already is not cancelled twice: a second caller gets the result of the first.

        :param say: takes a log line, with its level.
        :raises OmicsError: why it could not be cancelled, within an hour.
        """
        key = target.resource.noun, target.id
        first = self._under_way.get(key)
        if first is not None:
            return await asyncio.shield(first)
        outcome = self._under_way[key] = asyncio.get_running_loop().create_future()
        outcome.add_done_callback(_retrieved)
        try:
            status = await self._cancel(target, say)
        except BaseException as error:  # also if the loop ends: the others must not wait for ever
            if isinstance(error, asyncio.CancelledError):
                outcome.cancel()
            else:
                outcome.set_exception(error)
            raise
        else:
            outcome.set_result(status)
            return status
        finally:
            del self._under_way[key]
            if not self._under_way:
                self._forget()

    def _forget(self) -> None:
        of_connection = self._of_loop.get(asyncio.get_running_loop(), {})
        if of_connection.get(self._arguments.key) is self:
            del of_connection[self._arguments.key]

    async def _cancel(self, target: Target, say: Say) -> str:
        change = (_UnattendedBatch if target.resource == BATCH else _Unattended)(
            target,
            confirm=False,
            started_at=_clock.monotonic(),
            within=WITHIN,
            poke_interval=_POKE_INTERVAL,
            not_found_grace=NOT_FOUND_GRACE,
        )
        watcher = Watcher.shared(self._arguments, self._rate)
        async with watcher.held() as client:
            while True:
                async with self._in_flight:
                    await self._make_calls(change, client)
                for level, line in change.lines.take():
                    say(level, line)
                if change.asked:
                    return "accepted"
                if change.error is not None:
                    raise change.error
                if change.result is not None:
                    return str(change.result.get("status"))
                # Not in flight meanwhile: a run that can't be reached leaves its place to others.
                await asyncio.sleep(change.pause(_clock.monotonic()))

    async def _make_calls(self, change: Cancellation, client: LimitedClient) -> None:
        """Read the run or batch, and if it is to be cancelled, do so at once.

        CancelRun names a run by its id alone, and ids are reused. So CancelRun's turn is waited for before
        GetRun is sent: nothing comes between reading the run's ``uuid`` and the request.
        """
        if self._has_asked:
            await client.first_answer()
        self._has_asked = True
        await client.turn(change.operation)
        async with self._in_line:
            await client.turn(change.target.resource.read)
        known = Known(bool(change.target.uuid), change.known.home)
        answer = await client.read(change.target, known=known)
        if isinstance(answer, Fault):
            if answer.doubt:
                client.renew()
            change.failed(judged(answer), _clock.monotonic())
            return
        change.answered(answer[0], _clock.monotonic())
        if change.wants_fresh_client:  # the answer was another account's
            client.renew()
        if change.step != "ask" or change.error is not None or change.result is not None:
            return
        fault = await client.cancel(change.target, known)
        if fault is not None:
            change.failed(judged(fault), _clock.monotonic())
        else:
            change.accepted(_clock.monotonic())


class _Unattended(Cancellation):
    """A cancellation that nobody waits for: lost credentials are tolerated as long as transient errors."""

    def _without_credentials(self, fault: Fault, now: float) -> None:
        self._credentials_lost_at = now
        self._try_again(now)


class _UnattendedBatch(_Unattended, BatchCancellation):
    """The same of a batch. Runs that the batch cannot cancel go on: nobody waits for its end."""


def _retrieved(outcome: asyncio.Future[str]) -> None:
    # Without a second caller, nobody reads the error.
    if not outcome.cancelled():
        outcome.exception()
