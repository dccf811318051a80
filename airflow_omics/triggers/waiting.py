"""What the deferred halves share: they wait in the triggerer, on a watcher that all waits share."""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar, Self, TypedDict

from airflow.triggers.base import BaseTrigger, TaskSkippedEvent, TaskSuccessEvent, TriggerEvent
from asgiref.sync import sync_to_async

from airflow_omics import _clock
from airflow_omics._compat import has_pages
from airflow_omics._connection import AwsArguments
from airflow_omics._identity import Target
from airflow_omics._monitoring.option import progress_is_on
from airflow_omics._resource import Resource
from airflow_omics._task import from_trigger
from airflow_omics._task.from_trigger import BACKSTOP, HOLD
from airflow_omics._waiting.ending import EndPolicy, ending_to_event
from airflow_omics._waiting.wait import Ending, Wait
from airflow_omics._watching.rate_limit import requests_per_second
from airflow_omics._watching.watcher import Watcher
from airflow_omics.records import RunRecord, narrow
from airflow_omics.triggers.snapshots import Snapshots

# Airflow finds out by the context in which a line is written to which log it belongs. A logger for each
# trigger would take a kilobyte for each wait.
log = logging.getLogger(__name__)


class WaitEvent(TriggerEvent):
    """How a wait ended: ``{"outcome": ..., "record": ..., "message": ...}``.

    The triggerer logs every event in its printed form, so an event prints no more of the record than id and
    status.
    """

    def __repr__(self) -> str:
        record: Mapping[str, Any] = self.payload.get("record") or {}
        return (
            f"{type(self).__name__}(outcome={self.payload.get('outcome')!r}, id={record.get('id')!r}, "
            f"status={record.get('status')!r})"
        )

    __str__ = __repr__


class WaitArguments(TypedDict, total=False):
    """The arguments that :class:`WaitingTrigger` takes, for the constructors of its subclasses."""

    started_at: float | None
    timeout_at: float | None
    timeout: float | None
    hold_until: float | None
    created: float | None
    status: str | None
    terminal_statuses: Sequence[str]
    success_statuses: Sequence[str]
    skip_statuses: Sequence[str]
    push_record: bool
    poke_interval: float
    record_fields: Sequence[str] | None
    aws_conn_id: str | None
    region_name: str | None
    verify: bool | str | None
    botocore_config: dict[str, Any] | None


class WaitingTrigger(BaseTrigger):
    """Wait in the triggerer for a run or batch to end, and fire one event that says how.

    Every argument is plain JSON and is returned by :meth:`serialize`; what each means,
    :class:`airflow_omics.triggers.OmicsRunTrigger` says. A subclass also takes what names its run or batch,
    and says in ``_own_arguments`` what else.
    """

    resource: ClassVar[Resource]
    """What it waits for; its own argument is ``resource.argument``."""
    event_class: ClassVar[type[WaitEvent]]
    export: list[str] | None = None
    _class_path: ClassVar[str]  # stored in databases, wherever the class lies
    _own_arguments: ClassVar[tuple[str, ...]] = ()  # of the subclass, besides the one that names the target

    def __init__(
        self,
        *,
        started_at: float | None = None,
        timeout_at: float | None = None,
        timeout: float | None = None,
        hold_until: float | None = None,
        created: float | None = None,
        status: str | None = None,
        terminal_statuses: Sequence[str] = (),
        success_statuses: Sequence[str] = (),
        skip_statuses: Sequence[str] = (),
        push_record: bool = True,
        poke_interval: float = 60.0,
        record_fields: Sequence[str] | None = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.timeout = timeout
        self.started_at, self.timeout_at = started_at, timeout_at
        if timeout is None:
            self.started_at = _clock.time() if started_at is None else started_at
            self.timeout_at = self.started_at + 7 * 24 * 3600.0 if timeout_at is None else timeout_at
        self.hold_until = hold_until
        self.created = created
        self.status = status
        self.terminal_statuses = list(terminal_statuses)
        self.success_statuses = list(success_statuses)
        self.skip_statuses = list(skip_statuses)
        self.push_record = push_record
        self.poke_interval = poke_interval
        self.record_fields = None if record_fields is None else list(record_fields)
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config

    @classmethod
    def of_wait(cls, wait: Wait, arguments: AwsArguments, **others: Any) -> Self:
        """Return the trigger that continues a wait which a worker has begun.

        :param arguments: how the run or batch is reached.
        :param others: what else the constructor takes.
        """
        handed_over = {**wait.for_trigger(), **arguments.serialize(), **others}
        return cls(hold_until=_clock.time() + from_trigger.HOLD, **handed_over)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and every argument of the constructor."""
        names = (self.resource.argument, *self._own_arguments, *WaitArguments.__annotations__)
        return self._class_path, {n: getattr(self, n) for n in names}

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Render what names the target and the AWS arguments, if Airflow 3.3 has begun with no worker.

        Airflow reads the whole DAG for each such wait, only to render. The context's DAG is dropped here:
        otherwise a triggerer would hold all those DAGs as long as the runs take.
        """
        if jinja_env is None:
            import jinja2

            # Airflow's own method renders a missing name as empty text, so that no connection would be named.
            jinja_env = self.get_template_env().overlay(undefined=jinja2.StrictUndefined)
        super().render_template_fields(context, jinja_env)
        context.pop("dag", None)
        context.pop("task", None)
        if (ti := context.get("ti")) is not None:
            ti.task = None

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and yield the one event."""
        try:
            target = Target.parse(getattr(self, self.resource.argument), self.resource)
            target.check_region(self.region_name)
            arguments = AwsArguments(
                self.aws_conn_id, self.region_name, self.verify, self.botocore_config
            ).in_region(target.region)
            rate = requests_per_second()
        except ValueError as error:
            ending, snapshots = Ending("error", None, str(error), "OmicsRequestError"), None
        else:
            started_at, timeout_at = self._times()
            wait = self._wait(
                target,
                started_at=started_at,
                timeout_at=timeout_at,
                terminal_statuses=self.terminal_statuses,
                created=self.created,
                status=self.status,
            )
            snapshots = self._snapshots(wait)
            try:
                ending = await Watcher.shared(arguments, rate, self.resource).wait(
                    wait, interval=self.poke_interval, export=self.export, logger=log, onlooker=snapshots
                )
            finally:
                if snapshots is not None:
                    snapshots.close()
        if self.hold_until is not None:
            # The clock of the worker that deferred may be ahead of this machine's.
            await asyncio.sleep(min(HOLD, max(0.0, self.hold_until - _clock.time())))
        event = await self._task_end(ending, snapshots)
        yield event or self.event_class(ending_to_event(ending, self.record_fields))  # type: ignore[call-arg]

    def _wait(self, target: Target, **arguments: Any) -> Wait:
        """Return the wait, from the arguments that every wait has."""
        return Wait(target, **arguments)

    def _times(self) -> tuple[float, float]:
        """Return when the wait began, and when it must end."""
        if self.timeout is None:
            assert self.started_at is not None
            assert self.timeout_at is not None
            return self.started_at, self.timeout_at
        # Airflow set and stored its own deadline when it handed the task to the triggerer. So the wait's
        # deadline stays the same when a triggerer restarts.
        started_at = _clock.time()
        if backstop := getattr(self, "timeout_after", None):
            backstop = backstop if backstop.tzinfo else backstop.replace(tzinfo=datetime.UTC)
            started_at = backstop.timestamp() - BACKSTOP - self.timeout
        return started_at, started_at + self.timeout

    def _result(self, record: RunRecord) -> RunRecord | None:
        """Return what the task leaves in XCom if it ends here; None if a worker must find that out."""
        return record

    def _snapshots(self, wait: Wait) -> Snapshots | None:
        """Return what leaves snapshots in XCom; None if nobody could see them, or wants none."""
        if self.task_instance is None or not has_pages() or not progress_is_on():
            return None
        return Snapshots(self.task_instance, wait, self.status, self.record_fields)

    async def _task_end(self, ending: Ending, snapshots: Snapshots | None) -> TriggerEvent | None:
        """Store the record and return the event that ends the task here; None if a worker must end it."""
        end_policy = EndPolicy(tuple(self.success_statuses), tuple(self.skip_statuses))
        state, ti = end_policy.state_of(ending), self.task_instance
        if state is None or ti is None or ending.record is None:
            return None
        if (record := self._result(ending.record)) is None:
            return None
        if self.push_record:
            try:
                await sync_to_async(_store, thread_sensitive=False)(ti, narrow(record, self.record_fields))
            except Exception as error:
                # Its text may hold the record.
                log.warning(
                    "The record could not be stored from the triggerer (%s); a worker does it",
                    type(error).__name__,
                )
                return None
        if snapshots is not None:
            await snapshots.leave_last(ending.record)
        log.info("%s", ending.message)
        return TaskSuccessEvent() if state == "success" else TaskSkippedEvent()


def _store(ti: Any, record: RunRecord) -> None:
    """Store the record as the task's result; in a thread, since an XCom backend may be of any kind.

    An event that ends a task may also hold XComs, but Airflow encodes those twice: downstream tasks receive
    them as text.
    """
    from airflow.sdk.execution_time.xcom import XCom

    map_index = -1 if ti.map_index is None else ti.map_index
    place = {"dag_id": ti.dag_id, "task_id": ti.task_id, "run_id": ti.run_id, "map_index": map_index}
    XCom.set(key="return_value", value=record, **place)
