"""A small model of Airflow 3.3: task instances, tries, workers, triggerers, and the people who click.

Each transition names the function of Airflow that it stands for; tests/stack/test_model.py plays histories
here and on a real Airflow. Each task instance has a DAG run of its own. Delays are drawn: a scheduler that is
busy, a supervisor that looks every few seconds, a triggerer that asks the database once a second.
"""

from __future__ import annotations

import random
from typing import Any

from tests.simulation.seeded.rows import FINAL, TaskInstance
from tests.simulation.seeded.scheduler import Scheduler
from tests.simulation.seeded.seams import World
from tests.simulation.seeded.triggerer import HEALTH_THRESHOLD, Triggerer
from tests.simulation.seeded.virtual_time import Machine, Process, Worker

HEARTBEAT_TIMEOUT = 300.0
"""Seconds: ``[scheduler] task_instance_heartbeat_timeout``."""
HEARTBEAT_INTERVAL = 5.0
"""Seconds: ``[workers] min_heartbeat_interval``."""


class Airflow(Scheduler):
    """The scheduler, the workers and the triggerers, on one database, and what happens to them.

    :param machines: of the workers; each triggerer has one of its own.
    """

    def __init__(self, world: World, rng: random.Random, machines: list[Machine], triggerers: int) -> None:
        super().__init__(world, rng, machines)
        world.task_states = self._task_states
        for number in range(triggerers):
            self.add_triggerer(Machine(f"triggerer-{number + 1}", booted=rng.uniform(1e3, 1e6)))

    # -- triggerers ----------------------------------------------------------------------------------------

    def add_triggerer(self, machine: Machine) -> Triggerer:
        """Start a triggerer; ``TriggererJobRunner._execute``."""
        self._processes += 1
        triggerer = Triggerer(self, Process(self.agenda, f"{machine.name}/{self._processes}", machine))
        self.triggerers.append(triggerer)
        self.say(f"{triggerer.process.name} begins")
        triggerer.sync_soon()
        return triggerer

    def remove_triggerer(self, triggerer: Triggerer, *, graceful: bool) -> None:
        """Stop a triggerer, or kill it; another takes over what it had.

        Stopped (``TriggererJobRunner._exit_gracefully``), ``asyncio.run`` of the runner cancels what is left,
        without a message, so that no ``on_kill`` is called. ``Job.end_date`` is set once the runner is gone
        (``Job.complete_execution``). Killed, its last heartbeat has to become old.
        """
        if triggerer not in self.triggerers:
            return
        self.say(f"{triggerer.process.name} {'stops' if graceful else 'is killed'}")
        self.triggerers.remove(triggerer)
        triggerer.last_heartbeat = self.agenda.now
        if graceful:
            triggerer.cancel_all()
            self.agenda.after(2.0, lambda: self._gone(triggerer, has_ended=True))
            self.agenda.after(self.rng.uniform(2.0, 4.0), self.database_changed)
        else:
            self._gone(triggerer)
            self.agenda.after(HEALTH_THRESHOLD + self.rng.uniform(0.0, 5.0), self.database_changed)

    def _gone(self, triggerer: Triggerer, *, has_ended: bool = False) -> None:
        triggerer.has_ended = has_ended
        triggerer.process.kill()
        self.gone.append(triggerer.process)

    def pause_triggerer(self, triggerer: Triggerer, seconds: float) -> None:
        """Let a triggerer stand still; if that is long enough, another takes over what it has.

        ``Trigger.assign_unassigned`` takes the triggers of a triggerer whose last heartbeat is too old.
        """
        triggerer.last_heartbeat = self.agenda.now
        triggerer.process.pause(seconds)
        if seconds > HEALTH_THRESHOLD:
            self.agenda.after(HEALTH_THRESHOLD + self.rng.uniform(0.0, 5.0), self.database_changed)
        self.agenda.after(seconds + 0.001, triggerer.sync_soon)

    # -- people, and what happens to workers ---------------------------------------------------------------

    def mark(self, ti: TaskInstance, state: str) -> None:
        """Mark a task as failed or success; ``TaskInstance.set_state`` behind the REST API.

        It changes the state alone: a triggerer removes the trigger, a supervisor ends the process.
        """
        if ti.state in FINAL or ti.state is None:
            return
        ti.acts.append((self.agenda.now, state))
        before = ti.state
        ti.error = None
        self._set(ti, state)
        self._after_a_click(ti, before)

    def clear(self, ti: TaskInstance) -> None:
        """``clear_task_instances``: a running task is restarted, any other one is scheduled again.

        A running one keeps ``max_tries`` and ``next_method`` until its process has ended. The DAG run counts
        its clears, and begins anew if it was over.
        """
        if not ti.try_number:
            return
        ti.acts.append((self.agenda.now, "clear"))
        before = ti.state
        ti.ended = ti.error = None
        ti.clear_number += 1
        self._prepare_for_next_try(ti)
        if before in FINAL:
            ti.begun = None
        if before == "running":
            self._set(ti, "restarting")
        else:
            ti.max_tries = ti.try_number + ti.retries
            ti.next_method = ti.next_kwargs = None
            self._set(ti, None)
            self._schedule(ti)
        self._after_a_click(ti, before)

    def _after_a_click(self, ti: TaskInstance, before: str | None) -> None:
        """``ActivitySubprocess._send_heartbeat_if_needed``: 409 or 410, and the process is asked to end."""
        if before == "running" and (process := ti.process) is not None:
            self.agenda.after(self.rng.uniform(0.0, HEARTBEAT_INTERVAL), lambda: self._terminate(ti, process))
        self.database_changed()

    def _terminate(self, ti: TaskInstance, process: Worker) -> None:
        """``WatchedSubprocess.kill``: SIGTERM, which is ``on_kill``, and SIGKILL five seconds later."""
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

    def stop_worker(self, ti: TaskInstance, *, graceful: bool, alone: bool = False) -> None:
        """Let the machine of a running task go away, with a SIGTERM first, or without.

        The supervisor hands a SIGTERM on to the task, which goes on (``ActivitySubprocess.wait``).

        :param alone: only the task's process is killed, as by a kernel that is short of memory.
        """
        process = ti.process
        if process is None or process in self.gone:
            return
        self.say(f"{ti.name}: {process.name} {'is stopped' if graceful else 'dies'}")
        if graceful:
            process.interrupt(ti.running.on_kill)
            self.agenda.after(5.0, lambda: self._died(ti, process))
        elif alone:
            process.kill()
            self.agenda.after(self.rng.uniform(0.05, 1.0), lambda: self._exited(ti, process))
        else:
            self._died(ti, process)

    def _exited(self, ti: TaskInstance, process: Worker) -> None:
        """``ActivitySubprocess.final_state``: an exit code that is not 0 fails the try."""
        if process in self.gone:
            return
        if self._is_mine(ti, process):
            self._end_process(ti, process)
            self._fail(ti, may_retry=True)
        else:
            self._end_process(ti, process)

    def _died(self, ti: TaskInstance, process: Worker) -> None:
        """``SchedulerJobRunner._find_and_purge_task_instances_without_heartbeats``."""
        if process in self.gone:
            return
        process.kill()
        self.gone.append(process)
        delay = HEARTBEAT_TIMEOUT + self.rng.uniform(0.0, 30.0)
        self.agenda.after(delay, lambda: self._without_heartbeat(ti, process))

    def _without_heartbeat(self, ti: TaskInstance, process: Worker) -> None:
        """``TaskInstance.handle_failure``; one that is to be restarted has a retry in any case."""
        if ti.process is process and ti.state in ("running", "restarting"):
            ti.process = None
            if ti.state == "restarting":
                self._retry(ti)
            else:
                self._fail(ti, may_retry=True)

    # -- what the package asks Airflow ---------------------------------------------------------------------

    def _task_states(self, **asked: Any) -> dict[str, dict[str, Any]]:
        """``RuntimeTaskInstance.get_task_states``."""
        process = self.agenda.current
        if isinstance(process, Worker):
            process.sleep(self.world.latency())
        if self.world.service.strikes("", "airflow-down"):
            raise RuntimeError("Airflow's API did not answer")
        wanted = set(asked["task_ids"])
        return {"manual__1": {ti.name: ti.state for ti in self.tasks if ti.name in wanted}}
