"""The async half: one client for as many waits as share a connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.config import Config

from airflow_omics._connection import AwsArguments
from airflow_omics._identity import home_of
from airflow_omics.hooks.batch_operations import check_batches
from airflow_omics.hooks.caller import home_by_sts
from airflow_omics.hooks.named import place_of
from airflow_omics.hooks.omics import OmicsHook
from airflow_omics.hooks.responses import UnusableAnswerError, checked_record, clock_skew
from airflow_omics.records import RunRecord

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunPage:
    """One page of ListRuns.

    :param items: the runs, each with ``id``, ``arn``, ``status`` and ``creationTime`` at least.
    :param next_token: for the next page; None on the last.
    """

    items: list[dict[str, Any]]
    next_token: str | None


@dataclass(frozen=True)
class TaskPage:
    """One page of ListRunTasks.

    :param items: the tasks, each with a ``taskId`` and a ``status`` in all likelihood.
    :param next_token: for the next page; None on the last.
    :param clock_skew: by how many seconds the service's clock is ahead of ours.
    """

    items: list[dict[str, Any]]
    next_token: str | None
    clock_skew: float


class OmicsAsyncClient:
    """One aiobotocore client, for as many waits as share a connection.

    It never retries by itself: whoever shares it counts the requests. A new operation is added here if a
    triggerer needs it, and in ``airflow_omics.hooks.operations`` if a worker does.
    """

    def __init__(
        self,
        client: Any,
        aws_conn_id: str | None = None,
        region_warning: str | None = None,
        stands_in: bool = False,
        home_by_sts: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._client = client
        self._home_by_sts = home_by_sts
        self.region: str = client.meta.region_name
        self.place = place_of(self.region, aws_conn_id)
        """Where its calls go: the Region and the connection, for errors."""
        self.region_warning = region_warning
        """A warning about the Region for when a call fails, or None."""
        self.stands_in = stands_in
        """Whether boto3's own chain of credentials stands in for a connection that was not found."""
        self.replaces = False
        """Whether this client replaces one that was given up after a fault."""
        self.homes: set[str] = set()
        """The accounts and Regions whose runs it has read, as ``_identity.home_of`` says."""
        self.own_home: str | None = None
        """The account and Region of its identity, as STS said; None if that is not known."""
        self.asked_sts = False
        """Whether STS was asked for it."""
        self.looked_around = False
        """Whether :meth:`look_around` was called."""
        self.finding_out = asyncio.Lock()
        """Held while either is under way, so that each is done once for as many calls as fail together."""

    @classmethod
    def open(cls, arguments: AwsArguments) -> OmicsAsyncClient:
        """Build a client; call it in a thread, since it blocks for about 0.1 s and may call STS."""
        hook = OmicsHook.of(arguments)
        # Waits on runs and on batches need up to 32 each, cancellations 16, and lists of tasks one.
        one_try = Config(retries={"total_max_attempts": 1}, max_pool_connections=81)
        config = hook.config.merge(one_try)
        context: Any = hook.get_client_type(region_name=hook.region_name, config=config, deferrable=True)
        # aiobotocore binds nothing to a loop before its first request, so this thread's may build it.
        client = asyncio.run(context.__aenter__())
        return cls(
            client,
            arguments.aws_conn_id,
            hook.region_warning(),
            hook.stands_in,
            partial(home_by_sts, hook, client),
        )

    async def close(self) -> None:
        """Close the client's connections."""
        await self._client.__aexit__(None, None, None)

    async def get_run(self, run_id: str, export: Collection[str] | None = None) -> tuple[RunRecord, float]:
        """Return the run's record, and by how many seconds the service's clock is ahead of ours."""
        request: dict[str, Any] = {"id": run_id}
        if export:
            request["export"] = list(export)
        answer = await self._client.get_run(**request)
        record = checked_record(answer)
        self._read_in(record.get("arn"))
        return record, clock_skew(answer)

    async def get_batch(
        self, batch_id: str, export: Collection[str] | None = None
    ) -> tuple[RunRecord, float]:
        """Return the batch's record, and by how many seconds the service's clock is ahead of ours.

        :param export: not used: GetBatch has no such member.

        See https://docs.aws.amazon.com/omics/latest/api/API_GetBatch.html
        """
        answer = await check_batches(self._client).get_batch(batchId=batch_id)
        record = checked_record(answer, "GetBatch")
        self._read_in(record.get("arn"))
        return record, clock_skew(answer)

    def _read_in(self, arn: Any) -> None:
        if home := home_of(arn):
            self.homes.add(home)

    async def ask_sts(self) -> None:
        """Learn in which account and Region these calls are made, if STS can say it."""
        # In a thread: a session is made for it, and perhaps a role assumed.
        self.own_home = await asyncio.to_thread(self._home_by_sts)
        self.asked_sts = True

    async def look_around(self) -> None:
        """Learn whose runs these calls read, by one page of ListRuns, if that is allowed."""
        self.looked_around = True
        try:
            answer = await self._client.list_runs(maxResults=1)
            for item in answer["items"]:
                self._read_in(item["arn"])
        except Exception as error:
            # Usually it is not allowed. It only helps: if the answer matters, its lack is reported.
            log.debug("Whose runs these calls read is not known", exc_info=error)

    async def cancel_run(self, run_id: str) -> None:
        """Ask HealthOmics to cancel the run.

        See https://docs.aws.amazon.com/omics/latest/api/API_CancelRun.html
        """
        await self._client.cancel_run(id=run_id)

    async def cancel_run_batch(self, batch_id: str) -> None:
        """Ask HealthOmics to cancel the runs of the batch.

        See https://docs.aws.amazon.com/omics/latest/api/API_CancelRunBatch.html
        """
        await check_batches(self._client).cancel_run_batch(batchId=batch_id)

    async def list_runs(self, status: str, token: str | None = None) -> RunPage:
        """Return a page of up to 100 runs that are in ``status``.

        See https://docs.aws.amazon.com/omics/latest/api/API_ListRuns.html
        """
        request: dict[str, Any] = {"status": status, "maxResults": 100}
        if token:
            request["startingToken"] = token
        answer = await self._client.list_runs(**request)
        items = _items(answer, "ListRuns")
        if not all(isinstance(item.get("id"), str) for item in items):
            raise UnusableAnswerError("ListRuns answered without a list of runs")
        for item in items[:1]:
            self._read_in(item.get("arn"))
        return RunPage(items, answer.get("nextToken"))

    async def list_run_tasks(self, run_id: str, token: str | None = None) -> TaskPage:
        """Return a page of up to 100 tasks of a run.

        See https://docs.aws.amazon.com/omics/latest/api/API_ListRunTasks.html
        """
        request: dict[str, Any] = {"id": run_id, "maxResults": 100}
        if token:
            request["startingToken"] = token
        answer = await self._client.list_run_tasks(**request)
        return TaskPage(_items(answer, "ListRunTasks"), answer.get("nextToken"), clock_skew(answer))


def _items(answer: Mapping[str, Any], operation: str) -> list[dict[str, Any]]:
    items = answer.get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise UnusableAnswerError(f"{operation} answered without a list")
    return items
