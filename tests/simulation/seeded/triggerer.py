"""A triggerer of the model: TriggererJobRunner with its TriggerRunner, on an asyncio loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import json
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger

from airflow_omics.triggers import OmicsRunTrigger, OmicsStartedRunTrigger
from tests.simulation.seeded.rows import TriggerRow
from tests.simulation.seeded.virtual_time import Process, VirtualLoop

if TYPE_CHECKING:
    from tests.simulation.seeded.airflow_model import Airflow

HEALTH_THRESHOLD = 30.0
"""Seconds: ``[triggerer] triggerer_health_check_threshold``."""
WHO: contextvars.ContextVar[Any] = contextvars.ContextVar("who", default=None)
"""The task instance to whose log a trigger's lines belong."""
_USER_ACTION = "user-action"  # the message with which TriggerRunner.cancel_triggers cancels
_TRIGGERS = {c._class_path: c for c in (OmicsRunTrigger, OmicsStartedRunTrigger)}


class Triggerer:
    """A triggerer: TriggererJobRunner and its TriggerRunner."""

    def __init__(self, airflow: Airflow, process: Process) -> None:
        self.airflow, self.process = airflow, process
        self.loop = VirtualLoop(airflow.agenda, process)
        self.running: dict[TriggerRow, asyncio.Task[None]] = {}
        self.last_heartbeat: float | None = None
        """When it last gave a sign, if it stands still or is gone."""
        self.has_ended = False
        """Whether it has ended in order; Job.end_date."""
        self._is_queued = False
        self._fired: set[TriggerRow] = set()

    @property
    def is_healthy(self) -> bool:
        """The condition of ``Trigger.assign_unassigned``: no ``end_date``, and a heartbeat of late."""
        now = self.airflow.agenda.now
        if self in self.airflow.triggerers and self.process.paused_until <= now:
            return True
        return not self.has_ended and now - (self.last_heartbeat or 0.0) < HEALTH_THRESHOLD

    def sync_soon(self) -> None:
        """Look at the database within the next second or so."""
        if not self._is_queued:
            self._is_queued = True
            self.airflow.agenda.after(self.airflow.rng.uniform(0.1, 1.3), self._sync, self.process)

    def _sync(self) -> None:
        """``TriggerRunnerSupervisor.run_once``: load_triggers, handle_failed_triggers, clean_unused.

        A trigger whose task was ended or cleared is loaded like any other, and is cancelled one turn after it
        was cleaned away.
        """
        self._is_queued = False
        airflow = self.airflow
        for row in airflow.rows:  # Trigger.assign_unassigned
            if row.triggerer is None or not row.triggerer.is_healthy:
                row.triggerer = self
        mine = {row for row in airflow.rows if row.triggerer is self}  # Trigger.ids_for_triggerer
        for row in airflow.rows:
            if row in mine and row not in self.running and row.task.trigger is row:
                self._create(row)
        for row, task in list(self.running.items()):
            if row not in mine:
                # Airflow 3.3.0 to 3.3.2 say "user-action" also when another triggerer has taken over.
                task.cancel(_USER_ACTION)
                self._forget(row)
            elif task.done() and (task.cancelled() or row not in self._fired):
                self._forget(row)
                if not task.cancelled():
                    self._failed(row, task)
        airflow.clean_unused()

    def _forget(self, row: TriggerRow) -> None:
        del self.running[row]
        self._fired.discard(row)

    def _failed(self, row: TriggerRow, task: asyncio.Task[None]) -> None:
        """``TriggerRunner.cleanup_finished_triggers``: it ended, and there was no event."""
        self.loop.errors.append(
            {"message": "a trigger ended without an event", "exception": task.exception()}
        )
        self.airflow.submit_failure(row)

    def _create(self, row: TriggerRow) -> None:
        trigger = _TRIGGERS[row.path](**json.loads(row.kwargs))
        context = contextvars.Context()
        context.run(WHO.set, row.task)
        self.running[row] = self.loop.create_task(self._run_trigger(row, trigger), context=context)

    async def _run_trigger(self, row: TriggerRow, trigger: BaseTrigger) -> None:
        """``TriggerRunner.run_trigger``."""
        try:
            async for event in trigger.run():
                self._fired.add(row)
                # From the runner to its supervisor, and from there to the database.
                delay = self.airflow.rng.uniform(0.1, 1.5)
                submit = partial(self.airflow.submit_event, row, event.payload)
                self.airflow.agenda.after(delay, submit, self.process)
        except asyncio.CancelledError as cancelled:
            now = self.airflow.agenda.now + self.process.machine.skew
            if row.timeout_at is not None and row.timeout_at < now:
                raise  # it counts as cancelled for the timeout
            if cancelled.args and cancelled.args[0] == _USER_ACTION:
                with contextlib.suppress(TimeoutError, asyncio.CancelledError):
                    await asyncio.wait_for(trigger.on_kill(), timeout=30.0)
            raise
        except Exception:
            self.sync_soon()
            raise
        if row not in self._fired:
            self.sync_soon()

    def cancel_all(self) -> None:
        """``TriggerRunner.run``: ``asyncio.run`` cancels what is left when its main coroutine has ended."""
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
