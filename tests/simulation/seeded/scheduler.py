"""The scheduler of the model: tries, retries, deferrals, and what a worker's process reports."""

from __future__ import annotations

import copy
import datetime
import json
import logging
import random
import traceback
from collections.abc import Callable
from typing import Any

from airflow_omics._compat import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
)
from tests.simulation.seeded.rows import FINAL, DagRun, SeenTaskInstance, TaskInstance, TriggerRow
from tests.simulation.seeded.seams import World
from tests.simulation.seeded.triggerer import WHO, Triggerer
from tests.simulation.seeded.virtual_time import EPOCH, Machine, Process, Worker

try:
    from airflow.sdk.exceptions import TaskDeferred
except ImportError:  # before Airflow 3.2
    from airflow.exceptions import TaskDeferred

_MISTAKES = (AttributeError, TypeError, KeyError, IndexError, AssertionError, NameError)


class Scheduler:
    """What Airflow does by itself with the rows of its database; see :mod:`.airflow_model`.

    :param machines: of the workers.
    """

    def __init__(self, world: World, rng: random.Random, machines: list[Machine]) -> None:
        self.world, self.agenda, self.rng, self.machines = world, world.agenda, rng, machines
        self.tasks: list[TaskInstance] = []
        self.rows: list[TriggerRow] = []
        self.triggerers: list[Triggerer] = []
        self.gone: list[Process] = []
        self.changed: Callable[[TaskInstance, str | None], None] = lambda ti, before: None
        self.fired: Callable[[TaskInstance, dict[str, Any]], None] = lambda ti, event: None
        self.say: Callable[[str], None] = lambda text: None
        self._rows = 0
        self._processes = 0
        world.log = self._logged

    # -- the scheduler -------------------------------------------------------------------------------------

    def add(self, ti: TaskInstance) -> None:
        """Schedule a new task instance; ``DagRun.verify_integrity``, then ``DagRun.schedule_tis``."""
        ti.max_tries = ti.retries
        self.tasks.append(ti)
        self._schedule(ti)

    def _set(self, ti: TaskInstance, state: str | None) -> None:
        before, ti.state = ti.state, state
        if state in FINAL:
            ti.ended = self.agenda.now
        self.say(f"{ti.name}: {before} -> {state}")
        self.changed(ti, before)

    def _schedule(self, ti: TaskInstance, delay: float = 0.0) -> None:
        """``DagRun.schedule_tis``, then ``SchedulerJobRunner._critical_section_enqueue_task_instances``.

        A new try gets a new number in ``schedule_tis``. A rescheduled task keeps its number there, and one
        that resumes is past it: it is ``scheduled`` already.
        """
        number, key = ti.try_number, ti.key
        if ti.state in (None, "up_for_retry"):
            number += 1
        waiting_in = ti.state

        def due() -> None:
            if ti.state != waiting_in or ti.key != key:
                return
            ti.try_number = number
            if ti.begun is None:
                ti.begun = self.agenda.now
            self._set(ti, "queued")
            self.agenda.after(self.rng.uniform(0.5, 4.0), lambda: self._run(ti, key))

        self.agenda.after(delay + self.rng.uniform(0.2, 5.0), due)

    def _run(self, ti: TaskInstance, key: int) -> None:
        """``ti_run`` of the execution API: a task that is queued, under the id that the worker was given.

        A task that resumes keeps its XComs and its ``start_date``. Its ``next_method`` stays in the database
        until the task ends, is retried or rescheduled.
        """
        if ti.state != "queued" or ti.key != key:
            return
        self._processes += 1
        machine = self.machines[self._processes % len(self.machines)]
        process = ti.process = Worker(self.agenda, f"worker-{self._processes}", machine)
        wall = EPOCH + self.agenda.now + machine.skew
        if not ti.tries or ti.tries[-1][1] != ti.try_number:
            ti.tries.append((self.agenda.now, ti.try_number, ti.max_tries))
        if ti.next_method is None:
            ti.xcoms.clear()
            ti.start_date = wall
        ti.error = None
        ti.running = operator = copy.copy(ti.operator)
        self._set(ti, "running")
        seen = SeenTaskInstance(ti, wall)
        assert ti.begun is not None
        begun = datetime.datetime.fromtimestamp(EPOCH + ti.begun, tz=datetime.UTC)
        dag_run = DagRun(begun, ti.clear_number)
        context: dict[str, Any] = {"ti": seen, "task_instance": seen, "dag_run": dag_run}
        if ti.store is not None:
            context["task_state_store"] = ti.store
        if ti.next_method is not None:
            method, kwargs = ti.next_method, copy.deepcopy(ti.next_kwargs)

            def body() -> Any:
                return operator.resume_execution(method, kwargs, context)
        else:

            def body() -> Any:
                return operator.execute(context)

        process.start(lambda: self._task_runner(ti, process, body))

    def _task_runner(self, ti: TaskInstance, process: Worker, body: Callable[[], Any]) -> None:
        """``task_runner.run``: what the operator returns or raises becomes the state.

        The supervisor reports it to ``ti_update_state``, which refuses it if the task is not running.
        """
        try:
            result = body()
        except TaskDeferred as deferred:
            self._report(process)
            self._defer(ti, process, deferred)
            return
        except AirflowRescheduleException as later:
            self._report(process)
            if self._is_mine(ti, process):
                # TaskReschedule.start_date is the moment of the report, by the API server's clock.
                ti.first_reschedule = ti.first_reschedule or EPOCH + self.agenda.now
                ti.next_method = ti.next_kwargs = None
                self._end_process(ti, process)
                self._set(ti, "up_for_reschedule")
                due = later.reschedule_date.timestamp() - EPOCH
                self._schedule(ti, max(0.0, due - self.agenda.now))
            else:
                self._end_process(ti, process)
            return
        except AirflowSkipException as error:
            state, failure = "skipped", error
        except Exception as error:
            state, failure = "failed", error
            # The task runner logs what failed a task.
            self._logged(logging.ERROR, "".join(traceback.format_exception_only(error)).strip())
            if isinstance(error, _MISTAKES):
                self.say("".join(traceback.format_exception(error)))
        else:
            state, failure = "success", None
            if result is not None:
                ti.xcoms["return_value"] = result
        self._report(process)
        if not self._is_mine(ti, process):
            self._end_process(ti, process)
            return
        self._end_process(ti, process)
        ti.error = failure
        if state == "failed":
            self._fail(ti, may_retry=not isinstance(failure, AirflowFailException | AirflowSensorTimeout))
        else:
            ti.next_method = ti.next_kwargs = None
            self._set(ti, state)

    def _report(self, process: Worker) -> None:
        process.sleep(self.world.latency())

    def _is_mine(self, ti: TaskInstance, process: Worker) -> bool:
        """``ti_update_state``: 409 if the task is not running, 404 if it has another id since."""
        return ti.process is process and ti.state == "running"

    def _end_process(self, ti: TaskInstance, process: Worker) -> None:
        """``ActivitySubprocess.wait`` returns, and the executor reports that its work is done."""
        self.gone.append(process)
        if ti.process is process:
            ti.process = None
            if ti.state == "restarting":
                key = ti.key
                self.agenda.after(self.rng.uniform(0.2, 5.0), lambda: self._restarted(ti, key))

    def _restarted(self, ti: TaskInstance, key: int) -> None:
        """``SchedulerJobRunner.process_executor_events``: a cleared task whose process has ended.

        It has the retries of a cleared task, no delay, and what it was to resume with.
        """
        if ti.state == "restarting" and ti.key == key:
            ti.max_tries = ti.try_number + ti.retries
            self._set(ti, None)
            self._schedule(ti)

    def _fail(self, ti: TaskInstance, *, may_retry: bool) -> None:
        """``_is_eligible_to_retry`` of the execution API, ``TaskInstance.is_eligible_to_retry``."""
        if may_retry and ti.max_tries and ti.try_number <= ti.max_tries:
            self._retry(ti)
        else:
            ti.next_method = ti.next_kwargs = None
            self._set(ti, "failed")

    def _retry(self, ti: TaskInstance) -> None:
        """``ti_update_state`` with RetryTask, ``TaskInstance.fetch_handle_failure_context``."""
        ti.next_method = ti.next_kwargs = None
        self._prepare_for_next_try(ti)
        self._set(ti, "up_for_retry")
        self._schedule(ti, ti.retry_delay)

    def _prepare_for_next_try(self, ti: TaskInstance) -> None:
        """``TaskInstance.prepare_db_for_next_try``: a new id, and no reschedules."""
        ti.key += 1
        ti.first_reschedule = None

    # -- deferring -----------------------------------------------------------------------------------------

    def _defer(self, ti: TaskInstance, process: Worker, deferred: Any) -> None:
        """``ti_update_state`` with TIDeferredStatePayload; see ``task_runner._defer_task``."""
        if not self._is_mine(ti, process):
            self._end_process(ti, process)
            return
        path, kwargs = deferred.trigger.serialize()
        self._rows += 1
        now = self.agenda.now
        timeout_at = None if deferred.timeout is None else now + deferred.timeout.total_seconds()
        ti.next_method = deferred.method_name
        ti.next_kwargs = json.loads(json.dumps(deferred.kwargs or {}))
        row = ti.trigger = TriggerRow(self._rows, path, json.dumps(kwargs), ti, timeout_at)
        self.rows.append(row)
        self._end_process(ti, process)
        self._set(ti, "deferred")
        if timeout_at is not None:
            self.agenda.at(timeout_at, lambda: self._check_trigger_timeout(ti, row))
        self.database_changed()

    def _check_trigger_timeout(self, ti: TaskInstance, row: TriggerRow) -> None:
        """``SchedulerJobRunner.check_trigger_timeouts``: a worker fails the task."""
        if ti.state == "deferred" and ti.trigger is row:
            self._resume_to_fail(ti, "Trigger timeout")

    def _resume_to_fail(self, ti: TaskInstance, error: str) -> None:
        ti.next_method, ti.next_kwargs = "__fail__", {"error": error}
        self._resume(ti)

    def submit_failure(self, row: TriggerRow) -> None:
        """``Trigger.submit_failure``: the trigger ended without an event; a worker fails the task."""
        if row.task.state == "deferred" and row.task.trigger is row:
            self._resume_to_fail(row.task, "Trigger failure")

    def _resume(self, ti: TaskInstance) -> None:
        ti.trigger = None
        self._set(ti, "scheduled")
        self._schedule(ti)
        self.database_changed()

    def submit_event(self, row: TriggerRow, payload: dict[str, Any]) -> None:
        """``Trigger.submit_event``: it resumes the task that is deferred on this trigger, if any still is."""
        ti = row.task
        if ti.state == "deferred" and ti.trigger is row:
            ti.next_kwargs = {**(ti.next_kwargs or {}), "event": json.loads(json.dumps(payload))}
            self.fired(ti, payload)
            self._resume(ti)

    def clean_unused(self) -> None:
        """``Trigger.clean_unused``: a task that is not deferred loses its trigger, and that is deleted."""
        before = len(self.rows)
        for row in self.rows:
            if row.task.trigger is row and row.task.state != "deferred":
                row.task.trigger = None
        self.rows = [row for row in self.rows if row.task.trigger is row]
        if len(self.rows) < before:
            self.database_changed()

    def database_changed(self) -> None:
        """Let each triggerer look; ``TriggerRunnerSupervisor.run`` does once a second in any case."""
        for triggerer in self.triggerers:
            triggerer.sync_soon()

    # -- the log ------------------------------------------------------------------------------------------

    def _logged(self, level: int, text: str) -> None:
        process = self.agenda.current
        ti = WHO.get()
        if ti is None and isinstance(process, Worker):
            ti = next((t for t in self.tasks if t.process is process), None)
        name = ti.name if ti is not None else process.name if process else "?"
        self.say(f"{name} logs {logging.getLevelName(level)}: {text}")
        if ti is not None:
            ti.lines.append((self.agenda.now, level, text))
        self.lines.append((self.agenda.now, level, text))

    @property
    def lines(self) -> list[tuple[float, int, str]]:
        """Every line at INFO or above."""
        return self.__dict__.setdefault("_lines", [])
