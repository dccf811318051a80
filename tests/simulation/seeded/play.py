"""Plays a plan, and finds the smallest plan that breaks the same law."""

from __future__ import annotations

import gc
import hashlib
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_omics.emulator.lives.script import LIFE_TAG
from airflow_omics.emulator.world.shared import WORLD
from airflow_omics.operators import OmicsStartRunOperator
from airflow_omics.sensors import OmicsRunSensor
from tests.simulation.seeded.airflow_model import Airflow
from tests.simulation.seeded.endings import BrokenLaw
from tests.simulation.seeded.laws import Laws
from tests.simulation.seeded.plan import DAY, HOUR, Plan
from tests.simulation.seeded.rows import Store, TaskInstance
from tests.simulation.seeded.seams import Connections, World, in_place
from tests.simulation.seeded.service import ACCOUNT, OTHER_ACCOUNT, Service, Span
from tests.simulation.seeded.virtual_time import Agenda, Machine

_OVERTIME = 12 * DAY  # seconds after the last task began in which every wait must be over
_TROUBLE = {
    "triggerer-killed": 60.0,
    "triggerer-stopped": 60.0,
    "triggerer-stands-still": 60.0,
    "worker-dies": 400.0,
    "worker-stopped": 400.0,
    "kill-many": 300.0,
    "rotated": 60.0,
    "clock-set": 300.0,
}


@dataclass(frozen=True)
class TaskSummary:
    """What has become of a task, in words that hold for the real Airflow as well.

    :ivar tries: the number of its last try.
    :ivar max_tries: as Airflow has it in the end.
    :ivar error: the class of what failed its last try; None if it did not fail by itself.
    :ivar started: how many runs StartRun has made for it.
    :ivar runs: the last status of each of its runs, the oldest first; a gate has the run that it waits for.
    :ivar cancelled: for how many of them a CancelRun was accepted.
    :ivar record: the status in the XCom ``return_value``, if that is of its last run; None if there is none.
    """

    state: str | None
    tries: int
    max_tries: int
    error: str | None
    started: int
    runs: tuple[str, ...]
    cancelled: int
    record: str | None


@dataclass
class Outcome:
    """How a simulation went.

    :ivar broken: the law that did not hold, if any.
    :ivar history: every transition, accident and log line.
    :ivar counts: what happened, by kind.
    :ivar tasks: what has become of each task, by its name.
    """

    broken: BrokenLaw | None = None
    history: list[str] = field(default_factory=list)
    counts: dict[str, float] = field(default_factory=dict)
    tasks: dict[str, TaskSummary] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """A digest of the history: the same plan gives the same."""
        return hashlib.sha256("\n".join(self.history).encode()).hexdigest()[:16]


def play(plan: Plan, *, keep_history: bool = True) -> Outcome:
    """Play a plan to its end, or until a law is broken."""
    outcome = Outcome()
    rng = random.Random(f"play/{plan.seed}")
    agenda = Agenda()
    service = Service(agenda, rng, [], plan.world["repeat_policy"])
    world = World(agenda, service, Connections(ACCOUNT, OTHER_ACCOUNT), rng)
    machines = [
        Machine(f"worker-{number + 1}", skew, rng.uniform(1e3, 1e6))
        for number, skew in enumerate(plan.world["skews"])
    ]
    was_enabled = gc.isenabled()
    gc.disable()  # what a dead process has left behind is let go of in the end, and not at any moment
    try:
        with in_place(world):
            airflow = Airflow(world, rng, machines, plan.world["triggerers"])
            if keep_history:

                def say(text: str) -> None:
                    outcome.history.append(f"{agenda.now:12.3f} {text}")

                airflow.say = say
            stage = _Stage(plan, world, airflow)
            sets = [abs(a["seconds"]) for a in plan.accidents if a["kind"] == "clock-set"]
            laws = Laws(world, airflow, stage.troubles, max(sets, default=0.0))
            stage.prepare()
            _go_through(plan, agenda, airflow, laws)
            outcome.broken = laws.broken
            outcome.counts = {
                "steps": agenda.steps,
                "days": agenda.now / DAY,
                "starts": len(laws.started),
                "longest_delay": laws.longest_delay,
            }
            outcome.tasks = {ti.name: _summary(ti, laws) for ti in airflow.tasks}
            _clean_up(agenda, airflow)
    finally:
        WORLD.reset()
        if was_enabled:
            gc.enable()
    return outcome


def _summary(ti: TaskInstance, laws: Laws) -> TaskSummary:
    started = [one.run for one in laws.started.values() if one.ti is ti]
    runs = [laws.service.runs[ti.plan["uuid"]]] if ti.plan["kind"] == "gate" else started
    record = ti.xcoms.get("return_value")
    is_of_run = record is not None and bool(runs) and record["id"] == runs[-1].id
    return TaskSummary(
        state=ti.state,
        tries=ti.try_number,
        max_tries=ti.max_tries,
        error=type(ti.error).__name__ if ti.error is not None else None,
        started=len(started),
        runs=tuple(laws.status(run) for run in runs),
        cancelled=sum(run.uuid in laws.cancelled for run in runs),
        record=record["status"] if is_of_run else record and "of another run",
    )


def _go_through(plan: Plan, agenda: Agenda, airflow: Airflow, laws: Laws) -> None:
    last = plan.days * DAY
    total = len(plan.tasks)

    def is_over() -> bool:
        return laws.broken is not None

    while laws.broken is None:
        agenda.run_until(agenda.now + HOUR, is_over)
        laws.hourly()
        ended = sum(ti.ended is not None for ti in airflow.tasks)
        if agenda.now >= last and ended == total:
            for _ in range(3):  # what a killed task has left to do takes an hour
                agenda.run_until(agenda.now + HOUR, is_over)
                laws.hourly()
            if all(ti.ended is not None for ti in airflow.tasks):
                break
        if agenda.now > last + _OVERTIME:
            break
    laws.at_the_end()


class _Stage:
    """Puts down on the agenda what a plan says."""

    def __init__(self, plan: Plan, world: World, airflow: Airflow) -> None:
        self.plan, self.world, self.airflow = plan, world, airflow
        self.agenda, self.service = world.agenda, world.service
        self.troubles = [
            (
                a["at"],
                a["at"]
                + abs(a.get("seconds", 0.0)) * (a["kind"] != "clock-set")
                + _TROUBLE.get(a["kind"], 0.0),
                a["kind"],
            )
            for a in plan.accidents
        ]

    def prepare(self) -> None:
        for task in (dict(task) for task in self.plan.tasks):  # what is learnt of it is no part of the plan
            life = self.service.life([(s, t) for s, t in task["life"]])
            if task["kind"] == "gate":
                self.agenda.at(max(0.0, task["at"] - task["age"]), self._run(task, life))
            else:
                self.agenda.at(task["at"], self._start(task, life))
        for accident in self.plan.accidents:
            happen = getattr(self, "_" + accident["kind"].replace("-", "_"), None)
            if happen is not None:
                self.agenda.at(accident["at"], self._said(accident, happen))
            else:
                self._fault(accident)

    def _said(self, accident: dict[str, Any], happen: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        def go() -> None:
            self.airflow.say(f"-- {accident['kind']} {accident.get('seconds', '')}")
            happen(accident)

        return go

    # -- tasks -----------------------------------------------------------------------------------------------

    def _run(self, task: dict[str, Any], life: Any) -> Callable[[], None]:
        def go() -> None:
            run = self.service.start(life)
            task["uuid"] = run.uuid
            given = {"id": run.id, "arn": run.arn, "record": {"id": run.id, "uuid": run.uuid, "arn": run.arn}}
            self.agenda.at(task["at"], lambda: self._gate(task, given[task["given"]]))

        return go

    def _gate(self, task: dict[str, Any], run_id: Any) -> None:
        mode = task["mode"]
        operator = OmicsRunSensor(
            task_id=task["name"],
            run_id=run_id,
            deferrable=mode == "defer",
            mode="reschedule" if mode == "reschedule" else "poke",
            poke_interval=task["interval"],
            timeout=task["timeout"],
            retries=task["retries"],
            aws_conn_id=self.plan.world["conn_id"],
            diagnose=False,
        )
        self._add(task, operator)

    def _start(self, task: dict[str, Any], life: Any) -> Callable[[], None]:
        def go() -> None:
            operator = OmicsStartRunOperator(
                task_id=task["name"],
                workflow_id="1234567",
                role_arn="arn:aws:iam::123456789012:role/omics-run",
                output_uri="s3://bucket/out",
                tags={LIFE_TAG: life.name},
                deferrable=task["mode"] == "defer",
                poke_interval=task["interval"],
                retries=task["retries"],
                on_clear=task["on_clear"],
                cancel_on_kill=task["cancel_on_kill"],
                wait_timeout=task["wait_timeout"],
                on_timeout=task["on_timeout"],
                aws_conn_id=self.plan.world["conn_id"],
                diagnose=False,
            )
            self._add(task, operator, Store(self.world) if self.plan.world["store"] else None)

        return go

    def _add(self, task: dict[str, Any], operator: Any, store: Store | None = None) -> None:
        self.airflow.add(
            TaskInstance(task["name"], operator, task["retries"], 60.0, self.agenda.now, task, store)
        )

    # -- accidents -------------------------------------------------------------------------------------------

    def _fault(self, accident: dict[str, Any]) -> None:
        begins, seconds = accident["at"], accident["seconds"]
        kind, operation, chance = (
            accident["kind"],
            accident.get("operation", "*"),
            accident.get("chance", 1.0),
        )
        if kind == "expired":
            kind = "expired-token"
        elif kind == "list-denied":
            kind, operation = "access-denied", "ListRuns"
        self.service._faults.append(Span(kind, begins, begins + seconds, operation, chance))

    def _list_lags(self, accident: dict[str, Any]) -> None:
        self._list_fault(accident, options={"seconds": 30.0})

    def _list_omits(self, accident: dict[str, Any]) -> None:
        self._list_fault(accident, rate=0.3)

    def _list_fault(self, accident: dict[str, Any], **how: Any) -> None:
        WORLD.faults.add("ListRuns", accident["kind"], **how)
        self.agenda.after(accident["seconds"], WORLD.faults.clear)

    def _pick(self, accident: dict[str, Any], among: list[Any]) -> Any:
        return among[accident["pick"] % len(among)] if among else None

    def _triggerer_killed(self, accident: dict[str, Any], *, graceful: bool = False) -> None:
        triggerer = self._pick(accident, self.airflow.triggerers)
        if triggerer is None:
            return
        self.airflow.remove_triggerer(triggerer, graceful=graceful)
        machine = triggerer.process.machine
        self.agenda.after(accident["seconds"], lambda: self.airflow.add_triggerer(machine))

    def _triggerer_stopped(self, accident: dict[str, Any]) -> None:
        self._triggerer_killed(accident, graceful=True)

    def _triggerer_stands_still(self, accident: dict[str, Any]) -> None:
        triggerer = self._pick(accident, self.airflow.triggerers)
        if triggerer is not None:
            self.airflow.pause_triggerer(triggerer, accident["seconds"])

    def _worker_dies(self, accident: dict[str, Any], *, graceful: bool = False) -> None:
        ti = self._pick(accident, [ti for ti in self.airflow.tasks if ti.state == "running"])
        if ti is not None:
            alone = accident.get("alone", accident["pick"] // 100 % 2 == 1)
            self.airflow.stop_worker(ti, graceful=graceful, alone=alone)

    def _worker_stopped(self, accident: dict[str, Any]) -> None:
        self._worker_dies(accident, graceful=True)

    def _clear(self, accident: dict[str, Any]) -> None:
        # Tasks that are under way, and starts, are cleared more often than what is long over.
        recent = [ti for ti in self.airflow.tasks if ti.ended is None or self.agenda.now - ti.ended < DAY]
        ti = self._pick(accident, recent)
        if ti is not None:
            self.airflow.clear(ti)

    def _mark_failed(self, accident: dict[str, Any]) -> None:
        self._mark(accident, "failed")

    def _mark_success(self, accident: dict[str, Any]) -> None:
        self._mark(accident, "success")

    def _mark(self, accident: dict[str, Any], state: str) -> None:
        under_way = [ti for ti in self.airflow.tasks if ti.ended is None]
        starts = [ti for ti in under_way if ti.plan["kind"] == "start"]
        ti = self._pick(accident, starts if accident["pick"] % 2 else under_way)
        if ti is not None:
            self.airflow.mark(ti, state)

    def _kill_many(self, accident: dict[str, Any]) -> None:
        for ti in [ti for ti in self.airflow.tasks if ti.ended is None]:
            self.airflow.mark(ti, "failed")

    def _connection(self, accident: dict[str, Any], **changes: Any) -> None:
        connections = self.world.connections
        before = {name: getattr(connections, name) for name in changes}
        for name, value in changes.items():
            setattr(connections, name, value)
        normal = {"is_readable": True, "exists": True, "account": ACCOUNT}

        def back() -> None:
            for name in before:
                setattr(connections, name, normal[name])

        self.agenda.after(accident["seconds"], back)

    def _unreadable(self, accident: dict[str, Any]) -> None:
        self._connection(accident, is_readable=False)

    def _missing(self, accident: dict[str, Any]) -> None:
        self._connection(accident, exists=False)

    def _elsewhere(self, accident: dict[str, Any]) -> None:
        # Somebody edits the connection; processes see it when they read it again.
        self._connection(accident, account=OTHER_ACCOUNT)
        self.service.generation += 1

    def _rotated(self, accident: dict[str, Any]) -> None:
        self.service.generation += 1

    def _clock_set(self, accident: dict[str, Any]) -> None:
        machines = [*self.airflow.machines, *(t.process.machine for t in self.airflow.triggerers)]
        machine = self._pick(accident, machines)
        machine.skew += accident["seconds"]


def _clean_up(agenda: Agenda, airflow: Airflow) -> None:
    """Let go of what is left of processes, without their code doing anything more."""
    agenda.is_over = True
    logging.disable(logging.CRITICAL)
    try:
        for process in airflow.gone:
            if hasattr(process, "bury"):
                process.bury()
        for ti in airflow.tasks:
            if ti.process is not None:
                ti.process.bury()
    finally:
        logging.disable(logging.NOTSET)


def shrink(plan: Plan, law: str, *, tries: int = 200) -> tuple[Plan, Outcome]:
    """Return a plan as small as can be found that breaks the same law, and how it went."""
    best, outcome = plan, play(plan)
    for name in ("tasks", "accidents"):
        size = max(1, len(getattr(best, name)) // 2)
        while size >= 1 and tries > 0:
            items, start, shrunk = getattr(best, name), 0, False
            while start < len(items) and tries > 0:
                fewer = items[:start] + items[start + size :]
                tries -= 1
                candidate = replace(best, **{name: fewer})
                seen = play(candidate)
                if seen.broken is not None and seen.broken.law == law:
                    best, outcome, items, shrunk = candidate, seen, fewer, True
                else:
                    start += size
            size = size // 2 if not shrunk or size > 1 else 0
    return best, outcome
