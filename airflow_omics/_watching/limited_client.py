"""The shared client within the rate limit: each request waits for its turn, and is counted."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow_omics._compat import stats
from airflow_omics._connection import AwsArguments
from airflow_omics._faults import Fault
from airflow_omics._identity import Target
from airflow_omics._watching.rate_limit import RATES
from airflow_omics._watching.shared_client import Known, SharedClient
from airflow_omics.records import RunRecord

if TYPE_CHECKING:
    from airflow_omics.hooks.async_client import TaskPage

_SHARES: Final = {"ListRunTasks": 0.1}
"""The share of ``requests_per_second`` that an operation gets, if that is not all: nobody's wait needs it."""

_FIRST_ANSWER: Final = 1.0  # seconds to wait at most for the first answer, before requests overlap


class LimitedClient:
    """The requests of the watchers of one connection, and of whoever shares their client.

    Use :meth:`shared` to get one. Whoever sends a request has waited for its :meth:`turn`, and keeps the
    client open by :meth:`in_use`. Each request returns what AWS answered, or the call's fault.

    :param arguments: the AWS connection that it uses.
    :param requests_per_second: the most requests for any one operation.
    """

    _of_loop: ClassVar[
        weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.WeakValueDictionary[str, LimitedClient]]
    ] = weakref.WeakKeyDictionary()

    def __init__(self, arguments: AwsArguments, requests_per_second: float) -> None:
        self.requests_per_second = requests_per_second
        self._shared = SharedClient(arguments)
        self._account: str | None = None
        self._users = 0
        self._first_answer = asyncio.Event()
        self.clock_skew = 0.0
        """By how many seconds the service's clock is ahead of ours, as the last GetRun or GetBatch said."""

    @classmethod
    def shared(cls, arguments: AwsArguments, requests_per_second: float) -> LimitedClient:
        """Return the one client of this event loop and connection; it lives as long as somebody has it."""
        clients = cls._of_loop.setdefault(asyncio.get_running_loop(), weakref.WeakValueDictionary())
        client = clients.get(arguments.key)
        if client is None:
            client = clients[arguments.key] = cls(arguments, requests_per_second)
        return client

    @contextlib.asynccontextmanager
    async def in_use(self) -> AsyncIterator[LimitedClient]:
        """Keep the client open; the last of its users closes it, with everything that it holds."""
        self._users += 1
        try:
            yield self
        finally:
            self._users -= 1
            if not self._users:
                await self._shared.close()

    async def prepare(self) -> None:
        """Wait until there is a usable client, or building one has failed."""
        await self._shared.prepare()

    async def turn(self, operation: str) -> None:
        """Wait until the next request of an operation may be sent."""
        # Requests saved up while a client is built would be sent all at once.
        await self.prepare()
        await self._may_send(operation)

    async def read(
        self, target: Target, export: Sequence[str] | None = None, *, known: Known
    ) -> tuple[RunRecord, float] | Fault:
        """Return the record of a run or batch, and by how many seconds the service's clock is ahead of ours.

        :param export: names for GetRun's ``export``.
        :param known: what is known of it.
        """
        resource = target.resource
        answer: tuple[RunRecord, float] | Fault = await self._shared.call(
            lambda client: getattr(client, resource.method)(target.id, export),
            known=known,
            may_list=partial(self._may_send, "ListRuns"),
        )
        self._first_answer.set()
        self._count(resource.read, answer)
        if not isinstance(answer, Fault):
            self.clock_skew = answer[1]
            if self._account is None:
                self._account = _account_of(answer[0])
        return answer

    async def list_runs(
        self, status: str, token: str | None
    ) -> tuple[list[dict[str, Any]], str | None] | Fault:
        """Return one page of the runs in a status, and the token of the next page."""
        page = await self._shared.call(lambda client: client.list_runs(status, token))
        self._count("ListRuns", page)
        return page if isinstance(page, Fault) else (page.items, page.next_token)

    async def list_run_tasks(self, run_id: str, token: str | None) -> TaskPage | Fault:
        """Return one page of the tasks of a run; all of them together get a tenth of the rate."""
        page = await self._shared.call(lambda client: client.list_run_tasks(run_id, token))
        self._count("ListRunTasks", page)
        return page

    async def cancel(self, target: Target, known: Known) -> Fault | None:
        """Ask for the cancellation of a run or batch; return None once it is accepted."""
        resource = target.resource
        answer: Fault | None = await self._shared.call(
            lambda client: getattr(client, resource.cancel_method)(target.id), known=known
        )
        self._count(resource.cancel, answer)
        return answer

    @property
    def has_answered(self) -> bool:
        """Whether a GetRun or GetBatch has come to its end, well or not."""
        return self._first_answer.is_set()

    async def first_answer(self) -> None:
        """Wait for that, a second at most.

        A client's first request takes long to send, and others would leave together with it.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_ANSWER):
                await self._first_answer.wait()

    @property
    def stands_in(self) -> bool:
        """Whether boto3's own chain of credentials stands in for a connection that was not found."""
        return self._shared.stands_in

    def renew(self) -> None:
        """Let the next call read the Airflow connection again."""
        self._shared.renew()

    def _count(self, operation: str, answer: object) -> None:
        stats().incr("omics.watcher.requests")
        if isinstance(answer, Fault) and answer.throttled:
            stats().incr("omics.watcher.throttled")
            RATES.limiter(operation, *self._whose, self._ceiling(operation)).throttled()

    async def _may_send(self, operation: str) -> None:
        await RATES.acquire(operation, *self._whose, self._ceiling(operation))

    def _ceiling(self, operation: str) -> float:
        return self.requests_per_second * _SHARES.get(operation, 1.0)

    @property
    def _whose(self) -> tuple[str, str | None]:
        """The Region, and the account if it is known, whose quota the requests use."""
        return self._shared.region or "", self._account


def _account_of(record: RunRecord) -> str | None:
    """Return the AWS account that a record's ARN names, if it has one."""
    parts = str(record.get("arn", "")).split(":")
    return parts[4] if len(parts) > 5 and parts[4] else None
