"""The deferred half of the start operator: waits as the sensor's does, and cancels its run when killed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from airflow_omics.connection import AwsArguments
from airflow_omics.identity import RunTarget
from airflow_omics.starting.attempt import TaskKey
from airflow_omics.starting.kill import UnreadableStateError, is_killed, task_state
from airflow_omics.triggers import OmicsRunTrigger

log = logging.getLogger(__name__)

_WITHIN = 20.0  # seconds; the triggerer gives on_kill 30 by default


class OmicsStartedRunTrigger(OmicsRunTrigger):
    """Wait for a run that the task started itself, and cancel it when a person kills the task.

    Airflow 3.3 tells a trigger of a kill; before, a trigger is only cancelled, as it also is when its
    triggerer stops or hands it over. In every case the task's state is read first, and a run is cancelled
    only where that says that nobody waits for it any more.

    :param run_id: as for :class:`OmicsRunTrigger`.
    :param task_key: which task instance waits: the members of
        :class:`~airflow_omics.starting.attempt.TaskKey`.
    :param cancel_on_kill: whether to cancel the run at all.
    :param on_clear: what a cleared task does about its run, ``new`` or ``reattach``.
    :param arguments: as for :class:`OmicsRunTrigger`.
    """

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
        try:
            async for event in super().run():
                yield event
        except asyncio.CancelledError:
            # A trigger of Airflow 3.3 is told of a kill through on_kill.
            if not hasattr(BaseTrigger, "on_kill"):
                await self.on_kill()
            raise

    async def on_kill(self) -> None:
        """Cancel the run, if the task's state says that a person has ended the task."""
        if not self.cancel_on_kill:
            return
        try:
            in_thread = sync_to_async(self._cancel_if_killed, thread_sensitive=False)
            await asyncio.wait_for(in_thread(), _WITHIN)
        except Exception as error:
            log.warning(
                "HealthOmics run %s could not be cancelled, and goes on: %s: %s",
                self.run_id,
                type(error).__name__,
                error,
            )

    @property
    def _target(self) -> RunTarget:
        return RunTarget.parse(self.run_id)

    def _cancel_if_killed(self) -> None:
        target = self._target
        try:
            state = task_state(TaskKey(**self.task_key))
        except UnreadableStateError as error:
            log.warning(
                "HealthOmics run %s (%s) is not cancelled, since the task's state can't be read: %s",
                target.run_id,
                target.arn,
                error,
            )
            return
        if not is_killed(state, self.on_clear):
            log.info("HealthOmics run %s goes on: the task is %s.", target.run_id, state)
            return
        from airflow_omics.cancelling import cancel_run
        from airflow_omics.hooks import OmicsHook

        arguments = AwsArguments(
            self.aws_conn_id, self.region_name, self.verify, self.botocore_config
        ).in_region(target.region)
        log.info("The task is %s: HealthOmics run %s is cancelled.", state, target.run_id)
        record = cancel_run(
            lambda: OmicsHook.of(arguments),
            target,
            confirm=False,
            patience=_WITHIN,
            poke_interval=1.0,
            log=log,
        )
        log.info("HealthOmics run %s is %s.", target.run_id, record.get("status"))
