"""The states of many tasks, read off the event loop in a few questions.

A triggerer's supervisor answers one question at a time, with some database queries for each. A cohort that is
killed at once asks for hundreds of states in the same second. So everybody who asks while a question is under
way is answered by the next one, and one question covers as many tasks of a DAG run as it can.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from asgiref.sync import sync_to_async

from airflow_omics._task.own_thread import OwnThread
from airflow_omics._task.state import UnreadableStateError
from airflow_omics._task.task_key import TaskKey

LONGEST_READ: Final = 30.0
"""Seconds after which a question counts as unanswered. A triggerer's first question takes some seconds,
while Airflow builds what answers it."""

_MANY: Final = 5  # mapped tasks that are worth a question for the whole map
_MOST_NAMES: Final = 200  # task ids in one question

State = str | None | UnreadableStateError


class StateReader:
    """Reads task states for as many as ask, in one event loop.

    :param read: returns the state of each of many tasks; it blocks, and is called in a thread.
    """

    def __init__(self, read: Callable[[Iterable[TaskKey]], Mapping[TaskKey, State]] | None = None) -> None:
        self._read = read or task_states
        self._asked: dict[TaskKey, asyncio.Future[State]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._calls: set[asyncio.Task[Mapping[TaskKey, State]]] = set()

    async def state(self, task: TaskKey) -> str | None:
        """Return the task's state, as Airflow's database has it now.

        :raises UnreadableStateError: it can't be read, or no such task is known.
        """
        answer = self._asked.get(task)
        if answer is None:
            answer = self._asked[task] = asyncio.get_running_loop().create_future()
        if self._reading is None or self._reading.done():
            # The one who asked first may be gone before the others have their answer.
            self._reading = asyncio.create_task(self._read_all(), context=contextvars.Context())
        state = await answer
        if isinstance(state, UnreadableStateError):
            raise state
        return state

    async def _read_all(self) -> None:
        while self._asked:
            asked, self._asked = self._asked, {}
            states: Mapping[TaskKey, State] = {}
            try:
                states = await self._read_once(list(asked))
            finally:
                missing = UnreadableStateError("the read was given up")
                for task, answer in asked.items():
                    if not answer.done():
                        answer.set_result(states.get(task, missing))

    async def _read_once(self, tasks: list[TaskKey]) -> Mapping[TaskKey, State]:
        own_thread: Any = OwnThread("airflow-omics-task-states")  # asgiref's types know only one executor
        read = sync_to_async(self._read, thread_sensitive=False, executor=own_thread)
        call = asyncio.ensure_future(read(tasks))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        # Given up, but never cancelled: Airflow 3.0 and 3.1 would take the answer, when it comes, for the
        # answer to the triggerer's own next question, and the triggerer ends.
        done, _ = await asyncio.wait({call}, timeout=LONGEST_READ)
        if not done:
            error = UnreadableStateError(f"no answer within {LONGEST_READ:.0f} s")
            return dict.fromkeys(tasks, error)
        if (failure := call.exception()) is not None:
            error = UnreadableStateError(reason_of(failure))
            return dict.fromkeys(tasks, error)
        return call.result()


def task_states(tasks: Iterable[TaskKey]) -> dict[TaskKey, State]:
    """Return the state of each task, or why it can't be read. It blocks: call it in a thread."""
    states: dict[TaskKey, State] = {}
    for group in _groups(tasks):
        try:
            known = _states_of(group)
        except Exception as error:  # of any kind: the supervisor's, the database's, a changed interface's
            states.update(dict.fromkeys(group, UnreadableStateError(reason_of(error))))
            continue
        for task in group:
            states[task] = _text(known[task]) if task in known else UnreadableStateError("no such task")
    return states


def reason_of(error: BaseException) -> str:
    """Return an error as text; never an empty one, as a TimeoutError's own is."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _groups(tasks: Iterable[TaskKey]) -> Iterator[list[TaskKey]]:
    """Yield the tasks that one question can cover: of a DAG run, those not mapped, or those of one map."""
    groups: dict[tuple[str, str, str | None], list[TaskKey]] = {}
    for task in tasks:
        mapped = task.task_id if task.map_index >= 0 else None
        groups.setdefault((task.dag_id, task.run_id, mapped), []).append(task)
    for (_, _, mapped), group in groups.items():
        # A question for a whole map loads every task of it; one for tasks by name has all names in a URL.
        size = 1 if mapped and len(group) < _MANY else _MOST_NAMES if mapped is None else len(group)
        yield from (group[start : start + size] for start in range(0, len(group), size))


def _states_of(group: list[TaskKey]) -> dict[TaskKey, Any]:
    try:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
    except ImportError:  # Airflow 2.11
        return _states_in_database(group)
    first = group[0]
    answer: dict[str, dict[str, Any]] = RuntimeTaskInstance.get_task_states(
        dag_id=first.dag_id,
        task_ids=sorted({task.task_id for task in group}),
        run_ids=[first.run_id],
        map_index=first.map_index if len(group) == 1 else None,
    )
    states = answer.get(first.run_id, {})
    return {task: states[name] for task in group if (name := _name(task)) in states}


def _name(task: TaskKey) -> str:
    # A mapped task stands under its id and index, joined.
    return task.task_id if task.map_index < 0 else f"{task.task_id}_{task.map_index}"


def _states_in_database(group: list[TaskKey]) -> dict[TaskKey, Any]:
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    first, of = group[0], {(task.task_id, task.map_index): task for task in group}
    with create_session() as session:
        rows = (
            session.query(TaskInstance.task_id, TaskInstance.map_index, TaskInstance.state)
            .filter_by(dag_id=first.dag_id, run_id=first.run_id)
            .filter(TaskInstance.task_id.in_({task.task_id for task in group}))
            .all()
        )
    return {of[task_id, map_index]: state for task_id, map_index, state in rows if (task_id, map_index) in of}


def _text(state: Any) -> str | None:
    return None if state is None else str(getattr(state, "value", state))
