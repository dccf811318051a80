"""Which tasks of a run are attempts of the same one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from airflow_omics._monitoring.task_table import RunTask


class Attempt(NamedTuple):
    """Which attempt a task is.

    :param number: from 1.
    :param of: attempts that are known.
    """

    number: int = 1
    of: int = 1

    @property
    def was_followed(self) -> bool:
        """Whether another attempt was made after it."""
        return self.number < self.of


def attempts_of(tasks: Sequence[RunTask]) -> list[Attempt]:
    """Return which attempt each task is.

    HealthOmics has no member for it. An attempt is a task of its own, of the same name, made after the one
    before has failed; tasks of one name that none of them failed before are not attempts of each other.

    :param tasks: in the order in which they were made.
    """
    failed: dict[str, list[list[int]]] = {}
    chain_of: list[list[int]] = []
    for at, task in enumerate(tasks):
        waiting = failed.get(task.name, [])
        chain = next((found for found in waiting if _follows(task, tasks[found[-1]])), None)
        if chain is None:
            chain = []
        else:
            waiting.remove(chain)
        chain.append(at)
        chain_of.append(chain)
        if task.status == "FAILED":
            failed.setdefault(task.name, []).append(chain)
    return [Attempt(chain.index(at) + 1, len(chain)) for at, chain in enumerate(chain_of)]


def _follows(task: RunTask, before: RunTask) -> bool:
    if task.created is None or before.stopped is None:
        return True
    return task.created >= before.stopped
