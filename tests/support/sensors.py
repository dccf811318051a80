"""Drives a sensor to its end in each mode, against the emulator, on a clock turned by hand."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from airflow_omics._compat import AirflowRescheduleException, has_pages
from airflow_omics.sensors import OmicsRunBatchSensor, OmicsRunSensor

# One attempt for each call: botocore's own retries would really sleep between them.
ONE_ATTEMPT = {"retries": {"mode": "standard", "total_max_attempts": 1}}

# What a task does at the end of a run for the pages in Airflow's UI, where there are pages: it asks for up to
# a hundred tasks, once, and leaves two XComs.
FOR_PAGES = {"ListRunTasks": 1} if has_pages() else {}
KEYS_FOR_PAGES = {"omics_run", "omics_tasks"} if has_pages() else set()

# A sleep never returns early, and a scheduler never comes early.
LAG = 0.001


class Clock:
    """Stands for the ``time`` module of a worker; turning it turns the emulator's clock as well.

    :param omics: the emulator's control.
    """

    def __init__(self, omics: Any) -> None:
        self._omics = omics
        self._began = omics.now()
        self._plan: list[tuple[float, Callable[[], Any]]] = []
        self.ahead = 0.0
        """Seconds by which the worker's clock is ahead of the service's."""
        self.pauses: list[float] = []
        self.limit = 3000
        """Pauses after which a sensor counts as one that never ends."""

    def time(self) -> float:
        return float(self._omics.now()) + self.ahead

    monotonic = time

    def start(self) -> None:
        """Begin to count: a sensor starts now."""
        self._began = self._omics.now()
        self.pauses.clear()

    def passed(self) -> float:
        """Seconds since the sensor's start."""
        return float(self._omics.now()) - self._began

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0, f"asked to sleep for {seconds} s"
        self.pauses.append(seconds)
        assert len(self.pauses) <= self.limit, f"no end after {self.limit} pauses"
        self._turn(seconds + LAG)

    def at(self, seconds: float, action: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Do something once the sensor has waited for ``seconds``."""
        self._plan.append((seconds, lambda: action(*args, **kwargs)))
        self._plan.sort(key=lambda item: item[0])

    def _turn(self, seconds: float) -> None:
        until = self.passed() + seconds
        while self._plan and self._plan[0][0] <= until:
            moment, action = self._plan.pop(0)
            self._omics.advance(max(0.0, moment - self.passed()))
            action()
        self._omics.advance(max(0.0, until - self.passed()))


class TaskInstance:
    """What a sensor sees of Airflow's task instance."""

    dag_id, task_id, run_id, map_index, try_number, max_tries = "dag", "gate", "manual__1", -1, 1, 0

    def __init__(self) -> None:
        self.pushed: list[Any] = []
        self.links: list[Any] = []
        self.diagnoses: list[Any] = []
        self.snapshots: list[Any] = []
        self.tables: list[Any] = []
        self.first_reschedule: datetime.datetime | None = None

    def xcom_push(self, key: str, value: Any) -> None:
        pushed = {
            "return_value": self.pushed,
            "omics_run_links": self.links,
            "diagnosis": self.diagnoses,
            "omics_run": self.snapshots,
            "omics_tasks": self.tables,
        }
        assert key in pushed, f"pushed the key {key!r}"
        pushed[key].append(value)

    def get_first_reschedule_date(self, context: Any) -> datetime.datetime | None:
        return self.first_reschedule


@dataclass
class End:
    """How a sensor ended.

    :param result: what ``execute`` returned.
    :param error: what it raised.
    :param pushed: the ``return_value`` it pushed itself.
    :param xcom: the ``return_value`` that downstream tasks find.
    :param looks: the number of GetRuns, or of GetBatches.
    :param after: seconds from start to end.
    :param pauses: the seconds it paused between looks.
    """

    result: Any
    error: Exception | None
    pushed: list[Any]
    xcom: Any
    looks: int
    after: float
    pauses: list[float] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """``success``, or the name of the class that was raised."""
        return "success" if self.error is None else type(self.error).__name__


@dataclass
class Gate:
    """Runs a sensor to its end in one mode: ``gate(run_id="1234567", soft_fail=True)``.

    :param sensor_class: the sensor, of runs or of batches.
    """

    mode: str
    omics: Any
    clock: Clock
    sensor_class: type[OmicsRunSensor | OmicsRunBatchSensor] = OmicsRunSensor

    def sensor(self, **arguments: Any) -> Any:
        defaults = {"task_id": "gate", "poke_interval": 60, "timeout": 3600, "botocore_config": ONE_ATTEMPT}
        return self.sensor_class(**{**defaults, **_MODES[self.mode][0], **arguments})

    def looks(self) -> int:
        """Return how many looks there have been, at any run or batch."""
        return int(self.omics.counts().get(self.sensor_class.resource.read, 0))

    def __call__(self, **arguments: Any) -> End:
        looks = self.looks()
        self.clock.start()
        ti, result, error = TaskInstance(), None, None
        try:
            result = _MODES[self.mode][1](self, arguments, ti)
        except Exception as raised:
            error = raised
        pushes_result = arguments.get("do_xcom_push", True) and error is None
        xcom = result if pushes_result else (ti.pushed[-1] if ti.pushed else None)
        return End(
            result,
            error,
            ti.pushed,
            xcom,
            self.looks() - looks,
            self.clock.passed(),
            list(self.clock.pauses),
        )


def new_run(omics: Any, **members: Any) -> str:
    """Start a run that has been RUNNING for a while and stays so until it is moved; return its id."""
    [started] = omics.start_runs(1, life="running-forever", **members)
    omics.advance(3600)
    return str(started)


def context_of(ti: TaskInstance) -> Any:
    """Return as much of a task's context as a sensor reads."""
    return {"ti": ti, "task_instance": ti}


def _poke(gate: Gate, arguments: dict[str, Any], ti: TaskInstance) -> Any:
    return gate.sensor(**arguments).execute(context_of(ti))


def _reschedule(gate: Gate, arguments: dict[str, Any], ti: TaskInstance) -> Any:
    while True:
        # Each look is a process of its own, and Airflow clears its XComs.
        sensor = gate.sensor(**arguments)
        ti.pushed.clear()
        began = datetime.datetime.fromtimestamp(gate.clock.time(), tz=datetime.UTC)
        try:
            return sensor.execute(context_of(ti))
        except AirflowRescheduleException as later:
            ti.first_reschedule = ti.first_reschedule or began
            gate.clock.sleep(max(0.0, later.reschedule_date.timestamp() - gate.clock.time()))


_MODES: dict[str, tuple[dict[str, Any], Callable[[Gate, dict[str, Any], TaskInstance], Any]]] = {
    "poke": ({"mode": "poke"}, _poke),
    "reschedule": ({"mode": "reschedule"}, _reschedule),
}
MODES = tuple(_MODES)
