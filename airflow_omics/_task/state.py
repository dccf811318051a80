"""Find out whether a person killed this task, or Airflow still means it to run.

A worker calls ``on_kill`` when a person acts on the task, but also when it has lost its task to another try,
or is asked to stop. A triggerer of Airflow 3.3.0 to 3.3.2 calls it also when it hands its triggers to another
triggerer (https://github.com/apache/airflow/pull/73454). Only the task's state in Airflow's database shows
which of these it was.
"""

from __future__ import annotations

from typing import Any, Final

from airflow_omics._task.task_key import TaskKey

_ENDED: Final = frozenset(("failed", "success", "skipped", "upstream_failed", "removed"))
_CLEARED: Final = frozenset((None, "none", "restarting"))


class UnreadableStateError(Exception):
    """Airflow did not say in which state the task is."""


def is_killed(state: str | None, on_clear: str) -> bool:
    """Return whether a task in this state no longer needs the run that it waited for.

    :param state: the task's state in Airflow's database, while its process or trigger is asked to end.
    :param on_clear: what a cleared task does about its run, ``new`` or ``reattach``.
    """
    return state in _ENDED or (state in _CLEARED and on_clear == "new")


def task_state(task: TaskKey) -> str | None:
    """Return the task's state, as Airflow's database has it now. It blocks: call it in a thread.

    :raises UnreadableStateError: it can't be read, or no such task is known.
    """
    try:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
    except ImportError:  # Airflow 2.11
        return _state_in_database(task)
    try:
        states = RuntimeTaskInstance.get_task_states(
            dag_id=task.dag_id, task_ids=[task.task_id], run_ids=[task.run_id], map_index=task.map_index
        )
        of_run: dict[str, Any] = states[task.run_id]
        # A mapped task stands under its id and index, joined.
        name = task.task_id if task.map_index < 0 else f"{task.task_id}_{task.map_index}"
        state = of_run[name]
    except Exception as error:
        raise UnreadableStateError(f"{type(error).__name__}: {error}") from error
    return None if state is None else str(getattr(state, "value", state))


def _state_in_database(task: TaskKey) -> str | None:
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    try:
        with create_session() as session:
            row = (
                session.query(TaskInstance.state)
                .filter_by(
                    dag_id=task.dag_id, run_id=task.run_id, task_id=task.task_id, map_index=task.map_index
                )
                .one()
            )
    except Exception as error:
        raise UnreadableStateError(f"{type(error).__name__}: {error}") from error
    state = row[0]
    return None if state is None else str(getattr(state, "value", state))
