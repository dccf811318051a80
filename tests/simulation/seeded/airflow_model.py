"""A small model of Airflow 3.3: task instances, tries, workers, triggerers, and the people who click.

Each transition names the function of Airflow that it stands for. Delays are drawn: a scheduler that is busy,
a supervisor that looks every few seconds, a triggerer that asks the database once a second.
"""

from __future__ import annotations

import copy
import datetime
import json
import logging
import random
import traceback
from collections.abc import Callable
from typing import Any

from airflow_omics._compat import AirflowFailException, AirflowRescheduleException, AirflowSkipException
from tests.simulation.seeded.rows import FINAL, DagRun, SeenTaskInstance, TaskInstance, TriggerRow
from tests.simulation.seeded.seams import World
from tests.simulation.seeded.triggerer import HEALTH_THRESHOLD, WHO, Triggerer
from tests.simulation.seeded.virtual_time import EPOCH, Machine, Process, Worker

try:
    from airflow.sdk.exceptions import TaskDeferred
except ImportError:  # before Airflow 3.2
    from airflow.exceptions import TaskDeferred

HEARTBEAT_TIMEOUT = 300.0
"""Seconds: ``[scheduler] task_instance_heartbeat_timeout``."""
_MISTAKES = (AttributeError, TypeError, KeyError, IndexError, AssertionError, NameError)


class Airflow:
    """The scheduler, the workers and the triggerers, on one database.

    :param machines: of the workers; each triggerer has one of its own.
    """

    def __init__(self, world: World, rng: random.Random, machines: list[Machine], triggerers: int) -> None:
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
        world.task_states = self._task_states
        for number in range(triggerers):
            self.add_triggerer(Machine(f"triggerer-{number + 1}", booted=rng.uniform(1e3, 1e6)))

    # -- the scheduler -------------------------------------------------------------------------------------

    def add(self, ti: TaskInstance) -> None:
        """Schedule a new task instance; DagRun.schedule_tis."""
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
        """DagRun.schedule_tis: a new try gets a new number, one that resumes or reschedules keeps it."""
        number = ti.try_number
        if ti.state in (None, "up_for_retry"):
            number += 1
        waiting_in = ti.state

        def due() -> None:
            if ti.state is not waiting_in and ti.state != waiting_in:
                return
            ti.try_number = number
            self._set(ti, "queued")
            token = ti.tries[-1:] and ti.tries[-1]
            self.agenda.after(self.rng.uniform(0.5, 4.0), lambda: self._run(ti, token))

        self.agenda.after(delay + self.rng.uniform(0.2, 5.0), due)

    def _run(self, ti: TaskInstance, token: Any) -> None:
        """``ti_run`` of the execution API: only a queued task starts."""
        if ti.state != "queued":
            return
        self._processes += 1
        machine = self.machines[self._processes % len(self.machines)]
        process = ti.process = Worker(self.agenda, f"worker-{self._processes}", machine)
        resumes = ti.next_method is not None
        wall = EPOCH + self.agenda.now + machine.skew
        if not resumes:
            ti.xcoms.clear()
            if ti.first_reschedule is None:
                ti.tries.append((self.agenda.now, ti.try_number, ti.max_tries))
                ti.start_date = wall
        ti.error = None
        ti.running = operator = copy.copy(ti.operator)
        self._set(ti, "running")
        seen = SeenTaskInstance(ti, wall)
        dag_run = DagRun(datetime.datetime.fromtimestamp(EPOCH + ti.begun, tz=datetime.UTC))
        context: dict[str, Any] = {"ti": seen, "task_instance": seen, "dag_run": dag_run}
        if ti.store is not None:
            context["task_state_store"] = ti.store
        if resumes:
            method, kwargs = ti.next_method, ti.next_kwargs
            ti.next_method = ti.next_kwargs = None

            def body() -> Any:
                return operator.resume_execution(method, kwargs, context)
        else:

            def body() -> Any:
                return operator.execute(context)

        process.start(lambda: self._task_runner(ti, process, body, wall))

    def _task_runner(self, ti: TaskInstance, process: Worker, body: Callable[[], Any], began: float) -> None:
        """``task_runner.run``: what the operator returns or raises becomes the state."""
        try:
            result = body()
        except TaskDeferred as deferred:
            self._report(process)
            self._defer(ti, process, deferred)
            return
        except AirflowRescheduleException as later:
            self._report(process)
            if self._is_mine(ti, process):
                ti.first_reschedule = ti.first_reschedule or began
                self._end_process(ti, process)
                self._set(ti, "up_for_reschedule")
                due = later.reschedule_date.timestamp() - EPOCH
                self._schedule(ti, max(0.0, due - self.agenda.now))
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
            self._fail(ti, may_retry=not isinstance(failure, AirflowFailException))
        else:
            self._set(ti, state)

    def _report(self, process: Worker) -> None:
        process.sleep(self.world.latency())

    def _is_mine(self, ti: TaskInstance, process: Worker) -> bool:
        """The execution API answers 409 if the task is not running in this process any more."""
        return ti.process is process and ti.state == "running"

    def _end_process(self, ti: TaskInstance, process: Worker) -> None:
        self.gone.append(process)
        if ti.process is process:
            ti.process = None
            if ti.state == "restarting":
                # The executor reports that the process is gone; TaskInstance.is_eligible_to_retry.
                self.agenda.after(self.rng.uniform(1.0, 5.0), lambda: self._restarted(ti))

    def _restarted(self, ti: TaskInstance) -> None:
        if ti.state == "restarting":
            self._retry(ti)

    def _fail(self, ti: TaskInstance, *, may_retry: bool) -> None:
        """``_is_eligible_to_retry`` of the execution API."""
        if may_retry and ti.max_tries and ti.try_number <= ti.max_tries:
            self._retry(ti)
        else:
            self._set(ti, "failed")

    def _retry(self, ti: TaskInstance) -> None:
        ti.next_method = ti.next_kwargs = ti.first_reschedule = None
        self._set(ti, "up_for_retry")
        self._schedule(ti, ti.retry_delay)

    # -- deferring -----------------------------------------------------------------------------------------

    def _defer(self, ti: TaskInstance, process: Worker, deferred: Any) -> None:
        """``ti_update_state`` with DeferTask."""
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
        self._database_changed()

    def _check_trigger_timeout(self, ti: TaskInstance, row: TriggerRow) -> None:
        """SchedulerJobRunner.check_trigger_timeouts."""
        if ti.state == "deferred" and ti.trigger is row:
            ti.next_method, ti.next_kwargs = "__fail__", {"error": "Trigger timeout"}
            self._resume(ti)

    def _resume(self, ti: TaskInstance) -> None:
        ti.trigger = None
        self._set(ti, "scheduled")
        self._schedule(ti)
        self._database_changed()

    def submit_event(self, row: TriggerRow, payload: dict[str, Any]) -> None:
        """Trigger.submit_event: it resumes the task that is deferred on this trigger, if any still is."""
        ti = row.task
        if ti.state == "deferred" and ti.trigger is row:
            ti.next_kwargs = {**(ti.next_kwargs or {}), "event": json.loads(json.dumps(payload))}
            self.fired(ti, payload)
            self._resume(ti)

    def _database_changed(self) -> None:
        for triggerer in self.triggerers:
            triggerer.sync_soon()

    # -- triggerers ----------------------------------------------------------------------------------------

    def add_triggerer(self, machine: Machine) -> Triggerer:
        """Start a triggerer."""
        self._processes += 1
        triggerer = Triggerer(self, Process(self.agenda, f"{machine.name}/{self._processes}", machine))
        self.triggerers.append(triggerer)
        self.say(f"{triggerer.process.name} begins")
        triggerer.sync_soon()
        return triggerer

    def remove_triggerer(self, triggerer: Triggerer, *, graceful: bool) -> None:
        """Stop a triggerer, or kill it; another takes over what it had."""
        if triggerer not in self.triggerers:
            return
        self.say(f"{triggerer.process.name} {'stops' if graceful else 'is killed'}")
        self.triggerers.remove(triggerer)
        triggerer.last_heartbeat = self.agenda.now
        if graceful:
            # asyncio.run cancels what is left; Job.complete_execution sets end_date.
            triggerer.cancel_all()
            triggerer.has_ended = True
            self.agenda.after(2.0, lambda: self._gone(triggerer))
            self.agenda.after(self.rng.uniform(2.0, 4.0), self._database_changed)
        else:
            self._gone(triggerer)
            self.agenda.after(HEALTH_THRESHOLD + self.rng.uniform(0.0, 5.0), self._database_changed)

    def _gone(self, triggerer: Triggerer) -> None:
        triggerer.process.kill()
        self.gone.append(triggerer.process)

    def pause_triggerer(self, triggerer: Triggerer, seconds: float) -> None:
        """Let a triggerer stand still; if that is long enough, another takes over what it has."""
        triggerer.last_heartbeat = self.agenda.now
        triggerer.process.pause(seconds)
        if seconds > HEALTH_THRESHOLD:
            self.agenda.after(HEALTH_THRESHOLD + self.rng.uniform(0.0, 5.0), self._database_changed)
        self.agenda.after(seconds + 0.001, triggerer.sync_soon)

    # -- people, and what happens to workers ---------------------------------------------------------------

    def mark(self, ti: TaskInstance, state: str) -> None:
        """Mark a task as failed or success; ``set_state`` of the REST API."""
        if ti.state in FINAL or ti.state is None:
            return
        ti.acts.append((self.agenda.now, state))
        before = ti.state
        ti.error = None
        ti.next_method = ti.next_kwargs = ti.trigger = None
        self._set(ti, state)
        self._after_a_click(ti, before)

    def clear(self, ti: TaskInstance) -> None:
        """``clear_task_instances``: a running one is restarted, another one is scheduled anew."""
        if not ti.try_number:
            return
        ti.acts.append((self.agenda.now, "clear"))
        before = ti.state
        ti.ended = ti.error = None
        if before == "running":
            self._set(ti, "restarting")
        elif before != "restarting":
            ti.max_tries = ti.try_number + ti.retries
            ti.next_method = ti.next_kwargs = ti.trigger = ti.first_reschedule = None
            self._set(ti, None)
            self._schedule(ti)
        self._after_a_click(ti, before)

    def _after_a_click(self, ti: TaskInstance, before: str | None) -> None:
        if before == "running" and (process := ti.process) is not None:
            # The supervisor's next heartbeat is answered with 409: SIGTERM, and SIGKILL five seconds later.
            self.agenda.after(self.rng.uniform(0.0, 10.0), lambda: self._terminate(ti, process))
        self._database_changed()

    def _terminate(self, ti: TaskInstance, process: Worker) -> None:
        if not process.alive or process in self.gone:
            return
        operator = ti.running
        self.say(f"{ti.name}: SIGTERM for {process.name}")
        process.interrupt(operator.on_kill)
        self.agenda.after(5.0, lambda: self._killed(ti, process))

    def _killed(self, ti: TaskInstance, process: Worker) -> None:
        process.kill()
        if process not in self.gone:
            self._end_process(ti, process)

    def stop_worker(self, ti: TaskInstance, *, graceful: bool) -> None:
        """Let the machine of a running task go away, with a SIGTERM first, or without."""
        process = ti.process
        if process is None or process in self.gone:
            return
        self.say(f"{ti.name}: {process.name} {'is stopped' if graceful else 'dies'}")
        if graceful:
            process.interrupt(ti.running.on_kill)
            self.agenda.after(5.0, lambda: self._died(ti, process))
        else:
            self._died(ti, process)

    def _died(self, ti: TaskInstance, process: Worker) -> None:
        if process in self.gone:
            return
        process.kill()
        self.gone.append(process)
        # SchedulerJobRunner._find_task_instances_without_heartbeats
        delay = HEARTBEAT_TIMEOUT + self.rng.uniform(0.0, 30.0)
        self.agenda.after(delay, lambda: self._without_heartbeat(ti, process))

    def _without_heartbeat(self, ti: TaskInstance, process: Worker) -> None:
        if ti.process is process and ti.state in ("running", "restarting"):
            ti.process = None
            if ti.state == "restarting":
                self._retry(ti)
            else:
                self._fail(ti, may_retry=True)

    # -- what the package asks Airflow ---------------------------------------------------------------------

    def _task_states(self, **asked: Any) -> dict[str, dict[str, Any]]:
        process = self.agenda.current
        if isinstance(process, Worker):
            process.sleep(self.world.latency())
        if self.world.service.strikes("", "airflow-down"):
            raise RuntimeError("Airflow's API did not answer")
        wanted = set(asked["task_ids"])
        return {"manual__1": {ti.name: ti.state for ti in self.tasks if ti.name in wanted}}

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
