"""The shared client within the rate limit: each request waits for its turn, and is counted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from airflow_omics._compat import stats
from airflow_omics._connection import AwsArguments
from airflow_omics._faults import Fault
from airflow_omics._watching.rate_limit import RATES
from airflow_omics._watching.shared_client import Known, SharedClient
from airflow_omics.records import RunRecord


class LimitedClient:
    """The requests of one watcher, and of whoever shares its client.

    Whoever sends a request has waited for its :meth:`turn`. Each request returns what AWS answered, or the
    call's fault.

    :param arguments: the AWS connection that it uses.
    :param requests_per_second: the most requests for any one operation.
    """

    def __init__(self, arguments: AwsArguments, requests_per_second: float) -> None:
        self.requests_per_second = requests_per_second
        self._shared = SharedClient(arguments)
        self._account: str | None = None
        self.has_answered = False
        """Whether a GetRun has come to its end, well or not."""

    async def prepare(self) -> None:
        """Wait until there is a usable client, or building one has failed."""
        await self._shared.prepare()

    async def turn(self, operation: str) -> None:
        """Wait until the next request of an operation may be sent."""
        # Requests saved up while a client is built would be sent all at once.
        await self.prepare()
        await self._may_send(operation)

    async def get_run(
        self, run_id: str, export: Sequence[str] | None = None, *, known: Known
    ) -> tuple[RunRecord, float] | Fault:
        """Return the run's record, and the seconds by which the service's clock is ahead of ours."""
        answer = await self._shared.call(
            lambda client: client.get_run(run_id, export),
            known=known,
            may_list=partial(self._may_send, "ListRuns"),
        )
        self.has_answered = True
        self._count("GetRun", answer)
        if self._account is None and not isinstance(answer, Fault):
            self._account = _account_of(answer[0])
        return answer

    async def list_runs(
        self, status: str, token: str | None
    ) -> tuple[list[dict[str, Any]], str | None] | Fault:
        """Return one page of the runs in a status, and the token of the next page."""
        page = await self._shared.call(lambda client: client.list_runs(status, token))
        self._count("ListRuns", page)
        return page if isinstance(page, Fault) else (page.items, page.next_token)

    async def cancel_run(self, run_id: str, known: Known) -> Fault | None:
        """Ask for a cancellation; return None once it is accepted."""
        answer = await self._shared.call(lambda client: client.cancel_run(run_id), known=known)
        self._count("CancelRun", answer)
        return answer

    @property
    def stands_in(self) -> bool:
        """Whether boto3's own chain of credentials stands in for a connection that was not found."""
        return self._shared.stands_in

    def renew(self) -> None:
        """Let the next call read the Airflow connection again."""
        self._shared.renew()

    async def close(self) -> None:
        """Close the client, and everything that it holds."""
        await self._shared.close()

    def _count(self, operation: str, answer: object) -> None:
        stats().incr("omics.watcher.requests")
        if isinstance(answer, Fault) and answer.throttled:
            stats().incr("omics.watcher.throttled")
            RATES.limiter(operation, *self._whose, self.requests_per_second).throttled()

    async def _may_send(self, operation: str) -> None:
        await RATES.acquire(operation, *self._whose, self.requests_per_second)

    @property
    def _whose(self) -> tuple[str, str | None]:
        """The Region, and the account if it is known, whose quota the requests use."""
        return self._shared.region or "", self._account


def _account_of(record: RunRecord) -> str | None:
    """Return the AWS account that a record's ARN names, if it has one."""
    parts = str(record.get("arn", "")).split(":")
    return parts[4] if len(parts) > 5 and parts[4] else None
