"""Work that takes no longer than it may, even if an endpoint, or STS, does not answer.

It is done in a thread, which is left behind when its time is up: its connections have time-outs of their
own, and it ends with the process.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def ends_within(seconds: float, work: Callable[[], object], name: str) -> bool:
    """Do the work; return whether it has ended, at the latest after ``seconds``.

    :param work: raises nothing.
    :param name: of the thread.
    """
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    thread.join(max(0.0, seconds))
    return not thread.is_alive()


def result_within(seconds: float, work: Callable[[], T], name: str) -> T:
    """Return what the work returns, or raise what it raises.

    :raises TimeoutError: it has not ended after ``seconds``.
    """
    results: list[T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:
            errors.append(error)  # raised below, in the thread of the one who asked

    if not ends_within(seconds, run, name):
        raise TimeoutError(f"no end after {seconds:g} s")
    if errors:
        raise errors[0]
    return results[0]


def may_read_connections() -> bool:
    """Return whether such a thread may read an Airflow connection.

    Airflow 2.11 reads it from the database, in a session of the thread's own. On Airflow 3 a task asks its
    supervisor, over one socket. From 3.2 on a lock keeps requests apart: if a thread was left behind while it
    waits for its answer, the task's next request waits until that answer has come. Before 3.2 the task would
    take the thread's answer as its own.
    """
    runner: Any = sys.modules.get("airflow.sdk.execution_time.task_runner")
    comms = getattr(runner, "SUPERVISOR_COMMS", None)
    return comms is None or hasattr(comms, "_thread_lock")
