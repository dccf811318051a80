"""The deferred halves of the start operators: they wait like the sensors', and cancel when killed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_omics._connection import AwsArguments
from airflow_omics._identity import Target
from airflow_omics._steering.kills import Kill, Kills, TriggerLog, wait_a_while
from airflow_omics._task.task_key import TaskKey
from airflow_omics._watching.rate_limit import requests_per_second
from airflow_omics.triggers.run import OmicsRunTrigger
from airflow_omics.triggers.run_batch import OmicsRunBatchTrigger
from airflow_omics.triggers.waiting import WaitingTrigger

log = logging.getLogger(__name__)

_STAY = 20.0  # seconds; the triggerer gives on_kill 30 by default
_STAY_CANCELLED = 5.0  # before Airflow 3.3, which expects a cancelled trigger to end at once


class StartedTrigger(WaitingTrigger):
    """Wait for what the task started itself, and cancel it when a person kills the task.

    Airflow 3.3 calls a trigger's ``on_kill``. Earlier versions only cancel a trigger, as they also do when it
    is handed over. In every case the task's state is read first, and nothing is cancelled unless that says
    that nobody waits for it any more.
    """

    task_key: dict[str, Any]
    cancel_on_kill: bool
    on_clear: str

    def _set_task(self, task_key: Mapping[str, Any], cancel_on_kill: bool, on_clear: str) -> None:
        self.task_key = dict(task_key)
        self.cancel_on_kill = cancel_on_kill
        self.on_clear = on_clear

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and every argument of the constructor."""
        path, arguments = super().serialize()
        own = {"task_key": self.task_key, "cancel_on_kill": self.cancel_on_kill, "on_clear": self.on_clear}
        return path, {**arguments, **own}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and yield the one event."""
        if hasattr(BaseTrigger, "on_kill"):  # Airflow 3.3 calls on_kill
            async for event in super().run():
                yield event
            return
        with Kills.of_loop().attended() as loop_is_ending:
            try:
                async for event in super().run():
                    yield event
            except asyncio.CancelledError:
                # A triggerer that stops also cancels its triggers, and another one goes on with them.
                if not loop_is_ending():
                    await self._killed(_STAY_CANCELLED)
                raise

    async def on_kill(self) -> None:
        """Cancel what was started, if the task's state says that a person has ended the task.

        It returns once HealthOmics has accepted the request, or after a while; then the triggerer goes on
        with the rest, even when this trigger is gone.
        """
        await self._killed(_STAY)

    async def _killed(self, seconds: float) -> None:
        if not self.cancel_on_kill:
            return
        try:
            kill = self._kill()
        except (TypeError, ValueError) as error:
            named = self.resource.named(getattr(self, self.resource.argument))
            log.warning("%s could not be cancelled, and goes on: %s", named, error)
            return
        await wait_a_while(kill, seconds)

    def _kill(self) -> Kill:
        target = Target.parse(getattr(self, self.resource.argument), self.resource)
        task = TaskKey(**self.task_key)
        arguments = AwsArguments(self.aws_conn_id, self.region_name, self.verify, self.botocore_config)
        return Kill(
            target,
            task,
            self.on_clear,
            arguments.in_region(target.region),
            requests_per_second(),
            TriggerLog(task),
        )


class OmicsStartedRunTrigger(StartedTrigger, OmicsRunTrigger):
    """Wait for a run that the task started itself, and cancel it when a person kills the task.

    :param run_id: as for :class:`OmicsRunTrigger`.
    :param task_key: which task instance waits: the members of
        :class:`~airflow_omics._task.task_key.TaskKey`.
    :param cancel_on_kill: whether to cancel the run at all.
    :param on_clear: what a cleared task does about its run; only ``new`` cancels it.
    :param arguments: as for :class:`OmicsRunTrigger`.
    """

    _class_path = "airflow_omics.triggers.OmicsStartedRunTrigger"

    def __init__(
        self,
        run_id: Any,
        *,
        task_key: Mapping[str, Any],
        cancel_on_kill: bool = True,
        on_clear: str = "new",
        **arguments: Any,
    ) -> None:
        super().__init__(run_id, **arguments)
        self._set_task(task_key, cancel_on_kill, on_clear)


class OmicsStartedRunBatchTrigger(StartedTrigger, OmicsRunBatchTrigger):
    """Wait for a batch that the task started itself, and cancel it when a person kills the task.

    :param batch_id: as for :class:`OmicsRunBatchTrigger`.
    :param task_key: which task instance waits: the members of
        :class:`~airflow_omics._task.task_key.TaskKey`.
    :param cancel_on_kill: whether to cancel the batch at all.
    :param on_clear: what a cleared task does about its batch; only ``new`` cancels it.
    :param arguments: as for :class:`OmicsRunBatchTrigger`.
    """

    _class_path = "airflow_omics.triggers.OmicsStartedRunBatchTrigger"

    def __init__(
        self,
        batch_id: Any,
        *,
        task_key: Mapping[str, Any],
        cancel_on_kill: bool = True,
        on_clear: str = "new",
        **arguments: Any,
    ) -> None:
        super().__init__(batch_id, **arguments)
        self._set_task(task_key, cancel_on_kill, on_clear)
