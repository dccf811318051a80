"""The rows of Airflow's database that a simulation needs, and what an operator sees of them."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.simulation.seeded.seams import World
from tests.simulation.seeded.virtual_time import Worker

if TYPE_CHECKING:
    from tests.simulation.seeded.triggerer import Triggerer

FINAL = frozenset(("success", "failed", "skipped"))
"""States in which a task stays until a person clears it."""


class Store:
    """The task state store of Airflow 3.3."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.values: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        self._asked()
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any) -> None:
        text = json.dumps(value)
        self._asked()
        self.values[key] = text
        self._asked()

    def _asked(self) -> None:
        process = self._world.agenda.current
        assert isinstance(process, Worker)
        process.sleep(self._world.latency())
        if self._world.service.strikes("", "airflow-down"):
            raise RuntimeError("Airflow's API did not answer")


@dataclass(eq=False)
class TaskInstance:
    """A row of the table ``task_instance``, and what Airflow keeps for it elsewhere."""

    name: str
    operator: Any
    retries: int
    retry_delay: float
    begun: float | None
    """When its DAG run began; None while that is queued again."""
    plan: dict[str, Any]
    store: Store | None = None
    clear_number: int = 0
    """How often its DAG run was cleared."""
    key: int = 0
    """Stands for the id, which each try has for itself."""
    state: str | None = None
    try_number: int = 0
    max_tries: int = 0
    start_date: float | None = None
    next_method: str | None = None
    next_kwargs: dict[str, Any] | None = None
    trigger: TriggerRow | None = None
    first_reschedule: float | None = None
    xcoms: dict[str, Any] = field(default_factory=dict)
    process: Worker | None = None
    running: Any = None
    """The operator of the running process."""
    error: BaseException | None = None
    ended: float | None = None
    lines: list[tuple[float, int, str]] = field(default_factory=list)
    acts: list[tuple[float, str]] = field(default_factory=list)
    """What people did to it: ``clear``, ``failed`` or ``success``, and when."""
    tries: list[tuple[float, int, int]] = field(default_factory=list)
    """When each try began, its number, and ``max_tries`` then."""


@dataclass(eq=False)
class TriggerRow:
    """A row of the table ``trigger``."""

    number: int
    path: str
    kwargs: str
    task: TaskInstance
    timeout_at: float | None
    triggerer: Triggerer | None = None


class SeenTaskInstance:
    """What an operator sees of its task instance in a worker."""

    dag_id, run_id, map_index = "dag", "manual__1", -1

    def __init__(self, ti: TaskInstance, began: float) -> None:
        self._ti = ti
        self.task_id, self.try_number, self.max_tries = ti.name, ti.try_number, ti.max_tries
        self.start_date = datetime.datetime.fromtimestamp(ti.start_date or began, tz=datetime.UTC)

    def xcom_push(self, key: str, value: Any) -> None:
        self._ti.xcoms[key] = value

    def get_first_reschedule_date(self, context: Any) -> datetime.datetime | None:
        first = self._ti.first_reschedule
        return None if first is None else datetime.datetime.fromtimestamp(first, tz=datetime.UTC)


class DagRun:
    """What an operator sees of its DAG run."""

    def __init__(self, start_date: datetime.datetime, clear_number: int) -> None:
        self.start_date, self.clear_number = start_date, clear_number
