"""Drives an OmicsStartRunOperator through tries, clears and worker deaths, on a clock turned by hand."""

from __future__ import annotations

import datetime
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_omics._compat import AirflowTaskTimeout
from airflow_omics._connection import AwsArguments
from airflow_omics._identity import Target
from airflow_omics._waiting.ending import ending_to_event
from airflow_omics._waiting.poller import Poller
from airflow_omics._waiting.wait import Wait
from airflow_omics.hooks import OmicsHook
from airflow_omics.operators import OmicsStartRunOperator
from tests.support.sensors import ONE_ATTEMPT, Clock

try:
    from airflow.sdk.exceptions import TaskDeferred
except ImportError:  # before Airflow 3.2
    from airflow.exceptions import TaskDeferred

ROLE = "arn:aws:iam::123456789012:role/omics-run"
OUTPUT = "s3://bucket/out"
ANSWERS = ("earlier", "conflict", "validation", "forgotten")
"""What StartRun may answer to a token that it has seen."""


class WorkerDied(BaseException):
    """The worker's process is gone, from one moment to the next: nothing of the package catches it."""


class Store:
    """Airflow 3.3's task state store: plain JSON, and it outlives a try."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any) -> None:
        self.values[key] = json.dumps(value)


@dataclass
class Try:
    """How one try ended: what it returned or raised, and what it pushed."""

    result: Any = None
    error: BaseException | None = None
    pushed: dict[str, Any] = field(default_factory=dict)
    triggers: list[Any] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """``success``, or the name of the class that was raised."""
        return "success" if self.error is None else type(self.error).__name__


class TaskInstance:
    """What the operator sees of Airflow's task instance."""

    def __init__(self, task: Task) -> None:
        self.dag_id, self.task_id, self.run_id = task.dag_id, task.task_id, task.run_id
        self.map_index, self.try_number, self.max_tries = task.map_index, task.try_number, task.max_tries
        self.start_date = datetime.datetime.fromtimestamp(task.clock.time(), tz=datetime.UTC)
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = json.loads(json.dumps(value))


@dataclass
class DagRun:
    """What the operator sees of Airflow's DAG run."""

    start_date: datetime.datetime
    clear_number: int = 0


class Task:
    """One task instance: ``task()`` is its next try, each in a process of its own.

    :param store: Airflow's task state store, or None for an Airflow that has none.
    :param arguments: the operator's.
    """

    def __init__(
        self,
        omics: Any,
        clock: Clock,
        *,
        store: Store | None = None,
        retries: int = 3,
        dag_id: str = "dag",
        run_id: str = "manual__1",
        map_index: int = -1,
        **arguments: Any,
    ) -> None:
        self.omics, self.clock, self.store, self.retries = omics, clock, store, retries
        self.dag_id, self.task_id, self.run_id, self.map_index = dag_id, "start", run_id, map_index
        self.try_number, self.max_tries = 0, retries
        self.arguments = arguments
        self.operator: OmicsStartRunOperator | None = None
        self.resumes_with: tuple[str, dict[str, Any]] | None = None
        """What Airflow's database has as ``next_method`` and ``next_kwargs``."""
        self.dag_run = DagRun(self._now())

    def _now(self) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(self.clock.time(), tz=datetime.UTC)

    def make(self, **arguments: Any) -> OmicsStartRunOperator:
        return make(**{"retries": self.retries, **self.arguments, **arguments})

    def context(self, ti: TaskInstance) -> dict[str, Any]:
        context: dict[str, Any] = {"ti": ti, "task_instance": ti, "dag_run": self.dag_run}
        if self.store is not None:
            context["task_state_store"] = self.store
        return context

    def clear(self) -> None:
        """Clear the task as Airflow does, when it is not running."""
        self.max_tries = self.try_number + self.retries

    def clear_dag_run(self) -> None:
        """Clear the whole DAG run, which has ended: Airflow resets its beginning."""
        self.clear()
        self.dag_run = DagRun(self._now(), self.dag_run.clear_number + 1)

    def make_dag_run_again(self) -> None:
        """Delete the DAG run and make another of the same id."""
        self.try_number, self.max_tries, self.store = 0, self.retries, self.store and Store()
        self.dag_run = DagRun(self._now())

    def __call__(self, **arguments: Any) -> Try:
        return self._next_try(lambda ti: self.operator.execute(self.context(ti)), arguments)

    def resume_again(self) -> Try:
        """Make the next try after a clear while a worker resumed the task: it resumes with the same event."""
        assert self.resumes_with is not None
        method, kwargs = self.resumes_with
        return self._next_try(lambda ti: getattr(self.operator, method)(self.context(ti), **kwargs), {})

    def _next_try(self, begin: Callable[[TaskInstance], Any], arguments: Mapping[str, Any]) -> Try:
        self.try_number += 1
        ti, done = TaskInstance(self), Try()
        self.operator = self.make(**arguments)
        self.clock.start()
        try:
            done.result = self._run(lambda: begin(ti), ti, done, arguments)
        except (Exception, AirflowTaskTimeout, WorkerDied) as error:
            done.error = error
        done.pushed = ti.pushed
        return done

    def _run(self, go: Callable[[], Any], ti: TaskInstance, done: Try, arguments: Mapping[str, Any]) -> Any:
        while True:
            try:
                return go()
            except TaskDeferred as deferred:
                event = self.fire(deferred.trigger)
                done.triggers.append(deferred.trigger)
                kwargs = {**json.loads(json.dumps(deferred.kwargs)), "event": event}
                self.resumes_with = deferred.method_name, kwargs
                # Another worker, which knows nothing but what was deferred.
                self.operator = self.make(**arguments)
                resume = getattr(self.operator, deferred.method_name)

                def go(resume: Any = resume, kwargs: Any = kwargs) -> Any:
                    return resume(self.context(ti), **kwargs)

    def fire(self, trigger: Any) -> dict[str, Any]:
        """Return the event that the trigger would fire, through JSON; its looks are made by the clock."""
        _, arguments = trigger.serialize()
        a = json.loads(json.dumps(arguments))
        target = Target.parse(a["run_id"])
        wait = Wait(
            target,
            started_at=a["started_at"],
            timeout_at=a["timeout_at"],
            terminal_statuses=a["terminal_statuses"],
            created=a["created"],
            status=a["status"],
            start_timeout=a["start_timeout"],
            stuck_after=a["stuck_after"],
        )
        aws = AwsArguments(a["aws_conn_id"], a["region_name"], a["verify"], a["botocore_config"])
        poller = Poller(wait, lambda: OmicsHook.of(aws), a["export"], logging.getLogger("triggerer"))
        while (ending := poller.look()) is None:
            self.clock.sleep(wait.pause(a["poke_interval"], self.clock.time()))
        event: dict[str, Any] = json.loads(json.dumps(ending_to_event(ending, a["record_fields"])))
        return event


StartTask = Callable[..., Task]
"""Makes a task of the test's emulator and clock: ``start_task(store=Store(), retries=2, **arguments)``."""


def make(**arguments: Any) -> OmicsStartRunOperator:
    """Return an operator with the least arguments, and those given."""
    least = {
        "task_id": "start",
        "workflow_id": "1234567",
        "role_arn": ROLE,
        "output_uri": OUTPUT,
        "botocore_config": ONE_ATTEMPT,
    }
    return OmicsStartRunOperator(**{**least, **arguments})


def store_of(stored: bool) -> Store | None:
    """Return a task state store, or None for an Airflow that has none."""
    return Store() if stored else None


def die_at(clock: Clock, seconds: float) -> None:
    """Let the worker die after so many seconds of waiting."""

    def vanish() -> None:
        raise WorkerDied

    clock.at(seconds, vanish)


def started(omics: Any) -> list[str]:
    """Return the ids of the runs that StartRun has answered with, each once, in their order."""
    ids = [request["run_id"] for request in omics.requests("StartRun") if request["run_id"]]
    return list(dict.fromkeys(ids))


def tokens(omics: Any) -> list[str]:
    """Return the tokens that StartRun was called with, each once, in their order."""
    return list(dict.fromkeys(r["request_id"] for r in omics.requests("StartRun") if "request_id" in r))


def read(run_id: str) -> Any:
    """Return the run's record."""
    return OmicsHook(aws_conn_id="aws_default").get_run(run_id)


def die_once(
    monkeypatch: pytest.MonkeyPatch, moment: str, omics: Any, error: BaseException | None = None
) -> None:
    """Let the worker die at one moment, once: ``before`` StartRun, ``unanswered``, or ``answered``.

    :param error: raised instead, if the worker lives and only its call fails.
    """
    start_run, get_run = OmicsHook.start_run, OmicsHook.get_run
    left = [error or WorkerDied()]

    def starting(self: Any, request: Any) -> Any:
        if moment == "before" and left:
            raise left.pop()
        answer = start_run(self, request)
        if moment == "unanswered" and left:
            raise left.pop()
        return answer

    def reading(self: Any, *args: Any) -> Any:
        if moment == "answered" and left and omics.counts().get("StartRun"):
            raise left.pop()
        return get_run(self, *args)

    monkeypatch.setattr(OmicsHook, "start_run", starting)
    monkeypatch.setattr(OmicsHook, "get_run", reading)
