"""One try of the start operator in one world, with at most one accident: the product's own code."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import datetime
import functools
import json
import logging
import random
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest

from airflow_omics import _clock
from airflow_omics._compat import AirflowFailException
from airflow_omics._faults import Fault
from airflow_omics._identity import Target
from airflow_omics._waiting.ending import ending_to_event
from airflow_omics._waiting.poller import Poller
from airflow_omics._waiting.wait import Wait
from airflow_omics.hooks import OmicsHook
from airflow_omics.hooks.faults import fault_of
from airflow_omics.operators import OmicsStartRunOperator
from airflow_omics.triggers import OmicsStartedRunTrigger
from tests.simulation.exhaustive import broken
from tests.simulation.exhaustive.accidents import ACCIDENTS, Accident
from tests.simulation.exhaustive.broken import Judge
from tests.simulation.exhaustive.history import StateStore, World
from tests.simulation.exhaustive.log import Log, named_in
from tests.simulation.exhaustive.service import LASTS, Hook
from tests.simulation.exhaustive.ways import Ways
from tests.support.start_operators import OUTPUT, ROLE, TaskDeferred, WorkerDied

T0 = 4_000_000_000.0
BETWEEN = 100_000.0
"""Seconds from the beginning of one try to that of the next."""


class NoEndError(BaseException):
    """A try makes calls without end: nothing of the package catches it."""


MOST_MOMENTS = 1000
"""How many moments a try may have: the longest has about a hundred and fifty."""


class Played:
    """An operator with the log of a try, and ``cancel_on_kill`` as that decides when it is asked for."""

    own_try: Any = None

    @property
    def log(self) -> Any:
        return self.own_try.log

    @property
    def cancel_on_kill(self) -> bool:
        return bool(self.own_try.lasting("cancel_on_kill is") == "True")

    @cancel_on_kill.setter
    def cancel_on_kill(self, value: bool) -> None:
        pass


class Operator(Played, OmicsStartRunOperator):
    """The operator that starts a run."""


@functools.cache
def _operator(waits: str, on_clear: str) -> Operator:
    return Operator(
        task_id="start",
        workflow_id="1234567",
        role_arn=ROLE,
        output_uri=OUTPUT,
        retries=3,
        diagnose=False,
        poke_interval=2 * LASTS,
        wait_timeout=5 * LASTS,
        deferrable=waits == "deferred",
        wait_for_completion=waits != "not at all",
        on_clear=on_clear,
    )


class TaskInstance:
    """What the operator sees of Airflow's task instance."""

    dag_id, task_id, run_id, map_index = "dag", "start", "manual__1", -1

    def __init__(self, world: World, now: float, pushed: dict[str, Any]) -> None:
        self.try_number, self.max_tries = world.try_number, world.max_tries
        self.start_date = datetime.datetime.fromtimestamp(now, datetime.UTC)
        self._pushed = pushed

    def xcom_push(self, key: str, value: Any) -> None:
        self._pushed[key] = value


class DagRun:
    """What the operator sees of Airflow's DAG run."""

    start_date = datetime.datetime.fromtimestamp(T0, datetime.UTC)
    clear_number = 0


class Try:
    """One try: ``Try(world, ways)()`` changes the world, and says how the try ended in ``ended``.

    :param world: where it takes place; it is changed.
    :param ways: answers how it goes.
    :param accident: what happens to the worker, and at which of its ``positions``.
    :param is_last: whether every run that it watches is COMPLETED in the end.
    """

    now_playing: Try
    judge = Judge()

    def __init__(
        self, world: World, ways: Ways, accident: Accident | None = None, *, is_last: bool = False
    ) -> None:
        self.world, self.ways, self.accident, self.is_last = world, ways, accident, is_last
        world.try_number += 1
        self._now = T0 + BETWEEN * world.try_number
        self.positions: list[tuple[str, str, dict[str, str]]] = []
        """Where an accident may happen: what it would find; in words; and what was answered before."""
        self.log = Log(self.say)
        self.lines: list[str] = []
        self.pushed: dict[str, Any] = {}
        """The XComs of the task."""
        self.ended = ""
        self._dead = self._killing = self._in_trigger = False
        self._state: str | None = "running"
        self._operator: Any = None
        self._killed_at: set[str] = set()
        for run in world.service.runs:
            if run.is_active:
                run.due = self._now + LASTS

    # -- what differs between a run and a batch --------------------------------------------------------------

    def make_operator(self) -> Any:
        """Return the operator, which may be that of an earlier try."""
        return _operator(self.lasting("the task waits"), self.lasting("on_clear is"))

    def make_hook(self, **of_try: Any) -> Any:
        """Return what stands in for the hook."""
        return Hook(self.world.service, self.ask, self.time, self.at, **of_try)

    def wait_of(self, arguments: Mapping[str, Any]) -> tuple[Any, Wait]:
        """Return the trigger and the wait of a trigger's arguments."""
        wait = Wait(
            Target.parse(arguments["run_id"]),
            started_at=arguments["started_at"],
            timeout_at=arguments["timeout_at"],
            terminal_statuses=arguments["terminal_statuses"],
            created=arguments["created"],
            status=arguments["status"],
        )
        return OmicsStartedRunTrigger(**arguments), wait

    @classmethod
    def installed(cls) -> contextlib.AbstractContextManager[None]:
        """Let the package reach the try that is being played."""
        return installed()

    # -- what the package asks -------------------------------------------------------------------------------

    def time(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds + 0.001

    def ask(self, question: str, answers: tuple[str, ...]) -> str:
        """Answer how this history goes."""
        lasting = self.world.lasting
        if question in lasting or question in self.world.questions:
            if question not in lasting:
                lasting[question] = self.ways(question, self.world.questions[question])
            return lasting[question]
        if self.is_last and question.endswith(" then"):
            return "COMPLETED"
        return self.ways(question, answers)

    def lasting(self, question: str) -> str:
        return self.ask(question, ())

    def hook(self, *_: Any) -> Any:
        world = self.world
        return self.make_hook(
            wish=lambda: world.wish,
            started=lambda run: self.judge.started(world, run),
            cancelled=lambda run: self.judge.cancelled(world, run),
        )

    def task_state(self, *_: Any) -> str | None:
        self.at("before", "reading the task's state")
        return self._state

    def say(self, level: int, text: str) -> None:
        if self._dead:
            return
        self.lines.append(text)
        for named in named_in(level, text):
            for run in self.world.service.runs:
                run.is_named = run.is_named or run.id == named

    # -- the worker ------------------------------------------------------------------------------------------

    def __call__(self) -> Try:
        Try.now_playing = self
        random.seed(0)  # the jitter of pauses
        result: Any = None
        try:
            result = self._run()
        except WorkerDied:
            pass
        except AirflowFailException as error:
            self._failed(error, "failed for good")
        except Exception as error:
            self._failed(error, "failed")
        else:
            self.ended = "succeeded"
            waits = self.lasting("the task waits") != "not at all"
            self.judge.succeeded(self.world, result, waits=waits)
        return self

    def _failed(self, error: Exception, ended: str) -> None:
        self.ended = ended
        self.say(logging.ERROR, str(error))
        if self.is_last:
            self.judge.failed(self.world)

    def _run(self) -> Any:
        self.operator()
        go: Any = lambda: self._operator.execute(self._context())  # noqa: E731
        while True:
            try:
                return go()
            except TaskDeferred as deferred:
                self.at("before", "the deferral is stored")
                event = self._deferred(deferred.trigger)
                kwargs = json.loads(json.dumps(deferred.kwargs))
                self.operator()
                resume = getattr(self._operator, deferred.method_name)

                def go(resume: Any = resume, event: Any = event, kwargs: Any = kwargs) -> Any:
                    return resume(self._context(), event=event, **kwargs)

    def operator(self) -> None:
        """Let a worker have the task: it knows nothing but what is stored."""
        self._operator = copy.copy(self.make_operator())
        self._operator.own_try = self

    def _context(self) -> Any:
        ti = TaskInstance(self.world, T0 + BETWEEN * self.world.try_number, self.pushed)
        context = {"ti": ti, "task_instance": ti, "dag_run": DagRun}
        if self.lasting("the task state store is") == "there":
            context["task_state_store"] = StateStore(self.world, self.at)
        return context

    def _deferred(self, trigger: Any) -> dict[str, Any]:
        arguments = json.loads(json.dumps(trigger.serialize()[1]))
        self._state = "deferred"
        trigger, wait = self.wait_of(arguments)
        self.at("while", "the task is deferred", trigger=trigger)
        self._in_trigger = True
        poller = Poller(wait, self.hook, None, Log(lambda *_: None))
        while (ending := poller.look()) is None:
            self.sleep(wait.pause(arguments["poke_interval"], self.time()))
        self._in_trigger, self._state = False, "running"
        event: dict[str, Any] = json.loads(json.dumps(ending_to_event(ending, arguments["record_fields"])))
        return event

    # -- accidents -------------------------------------------------------------------------------------------

    def at(self, when: str, what: str, trigger: Any = None) -> None:
        """Take note of a moment in which an accident may happen; if this one has one, it happens."""
        if self._in_trigger:
            return  # a triggerer that dies is replaced, and the next one begins where it began
        if self._killing:
            self._at_in_kill(f"{when} {what}")
            return
        if len(self.positions) > MOST_MOMENTS:
            raise NoEndError(self.positions[-1])
        self.positions.append((self._would_find(trigger), f"{when} {what}", dict(self.ways.taken)))
        if self.accident is None or self.accident.position != len(self.positions) - 1:
            return
        happens = ACCIDENTS[self.accident.kind]
        if not happens.dies:
            raise ConnectionResetError("the network fails")
        if trigger is None:
            if happens.state is not None:
                self._kill(happens.state)
        else:
            self._kill_deferred(trigger, happens.state)
        self._dies(self.accident.kind)

    def _would_find(self, trigger: Any) -> str:
        """Return what an accident would find here: the world, and what a kill looks at in this process."""
        if self.accident is not None or self.is_last:
            return ""  # nobody asks
        running = getattr(self._operator, "_running", None)
        known: Any = None
        if running is not None:
            memory = running._memory
            known = (running._target, running._starting, memory._now, sorted(running._canceller._handled))
        return f"{self.world.key()} {known!r} {trigger is not None}"

    def _dies(self, kind: str) -> None:
        self._dead, self.ended = True, kind
        raise WorkerDied

    def _kill(self, state: str) -> None:
        """Let Airflow tell the worker to end, as when a person acts on the task, and then end it."""
        self.judge.acted(self.world, state, is_marked=False)
        self._state, self._killing = state, True
        self._operator.on_kill()
        self._killing = False
        if not self._dead:
            self.world.mark(broken.KILLED)

    def _at_in_kill(self, where: str) -> None:
        if self._dead:
            raise WorkerDied
        found = self.world.key()
        if found in self._killed_at:
            return  # nothing has changed since the last moment: the same comes of it
        self._killed_at.add(found)
        if self.ways(f"on_kill, {where}", ("goes on", "is cut off")) == "is cut off":
            self._dead = True
            self.world.mark(broken.CUT_OFF)
            raise WorkerDied

    def _kill_deferred(self, trigger: Any, state: str | None) -> None:
        self.judge.acted(self.world, state, is_marked=True)
        if state == "restarting":
            self.world.max_tries = self.world.try_number + 3
            state = None
        if self.ways("a triggerer", ("runs", "is not there")) == "runs":
            self._state, self._in_trigger = state, True
            _loop().run_until_complete(trigger.on_kill())
            self._in_trigger = False
        else:
            self.world.mark(broken.NO_TRIGGERER)


# -- the triggerer -------------------------------------------------------------------------------------------


class Watcher:
    """What stands in for the triggerer's watcher, when it cancels the run of a task that was killed."""

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[Watcher]:
        yield self

    async def turn(self, operation: str) -> None:
        pass

    def renew(self) -> None:
        pass

    async def read(self, target: Target, *, known: Any) -> Any:
        answer = self._call(target.resource.method, target.id)
        return answer if isinstance(answer, Fault) else (answer, 0.0)

    async def cancel(self, target: Target, known: Any) -> Any:
        return self._call(target.resource.cancel_method, target.id)

    def _call(self, method: str, resource_id: str) -> Any:
        hook = Try.now_playing.hook()
        try:
            return getattr(hook, method)(resource_id)
        except Exception as error:
            return fault_of(error, hook)


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


class TriggererLog(logging.Handler):
    """Hands the triggerer's lines to the try that is being played."""

    def emit(self, record: logging.LogRecord) -> None:
        Try.now_playing.say(record.levelno, record.getMessage())


def _of_a_thread(arguments: Any) -> None:
    """Take the error of a thread: that a worker died in it is meant."""
    if not isinstance(arguments.exc_value, WorkerDied):
        threading.__excepthook__(arguments)


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Let the package reach the service, the clock and the task's state of the try that is being played."""
    playing = lambda name: lambda *a: getattr(Try.now_playing, name)(*a)  # noqa: E731
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OmicsHook, "of", playing("hook"))
        patch.setattr(_clock, "time", playing("time"))
        patch.setattr(_clock, "monotonic", playing("time"))
        patch.setattr(_clock, "sleep", playing("sleep"))
        patch.setattr("airflow_omics._starting.worker_kill.task_state", playing("task_state"))
        patch.setattr(
            "airflow_omics._task.state_reader._states_of",
            lambda group: dict.fromkeys(group, Try.now_playing._state),
        )
        patch.setattr(
            "airflow_omics._steering.cancellations.Watcher.shared", staticmethod(lambda *_: Watcher())
        )
        patch.setattr("airflow_omics._task.from_trigger.HOLD", 0.0)
        # A task of these histories has a few runs, and its token is compared with that of each possible one.
        patch.setattr("airflow_omics._starting.attempt._MOST_GENERATIONS", 6)
        patch.setattr(threading, "excepthook", _of_a_thread)
        log = logging.getLogger("airflow_omics._steering.kills")
        handler = TriggererLog(logging.INFO)
        log.addHandler(handler)
        patch.setattr(log, "level", logging.INFO)
        patch.setattr(log, "propagate", False)
        try:
            yield
        finally:
            log.removeHandler(handler)
            _loop().close()
            _loop.cache_clear()
