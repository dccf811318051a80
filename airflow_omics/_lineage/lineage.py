"""What OpenLineage is told of a task's run or batch."""

from __future__ import annotations

from typing import Any


def of_start(task: Any) -> Any:
    """Return what is told when the task starts."""
    return None


def of_end(task: Any, task_instance: Any, *, failed: bool) -> Any:
    """Return what is told when the task has ended.

    :param failed: whether it has failed.
    """
    return None
