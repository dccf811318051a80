"""What a start operator does when its worker's process is asked to end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from airflow_omics._task.state import UnreadableStateError, is_killed, task_state
from airflow_omics._task.task_key import TaskKey

# Seconds: a supervisor kills a worker that has not ended five seconds after it was asked to.
WITHIN: Final = 4.2
_SAY_WITHIN: Final = 0.3


class WorkerKill:
    """Cancel the run of a task that a person has ended, within the seconds that the process has left.

    It runs in a signal handler, which may have interrupted code that holds the lock for requests to the
    supervisor, or that of the log. So it works in threads, and waits for them for a limited time.

    :param task: the task.
    :param on_clear: what a cleared task does about its run, ``new`` or ``reattach``.
    :param cancel: cancels what runs.
    :param which: describes the run, for the log.
    :param log: the task's logger.
    """

    def __init__(
        self, task: TaskKey, on_clear: str, cancel: Callable[[], object], which: Callable[[], str], log: Any
    ) -> None:
        self._task = task
        self._on_clear = on_clear
        self._cancel = cancel
        self._which = which
        self._log = log
        self._doing = "the state of the task was not read"

    def cancel_if_killed(self) -> None:
        """Cancel the run, if the task's state says that a person has ended the task."""
        self._within(self._cancel_if_killed)

    def _within(self, work: Callable[[], None]) -> None:
        worker = threading.Thread(target=work, daemon=True)
        worker.start()
        worker.join(WITHIN)
        if worker.is_alive():
            late = threading.Thread(target=self._say_that_it_is_late, daemon=True)
            late.start()
            late.join(_SAY_WITHIN)

    def _say_that_it_is_late(self) -> None:
        self._log.warning(
            "%s may go on, and cost: %s within %g s, and the task's process has to end now.",
            self._which(),
            self._doing,
            WITHIN,
        )

    def _cancel_if_killed(self) -> None:
        try:
            state = task_state(self._task)
        except UnreadableStateError as error:
            # A worker that has lost Airflow's API ends its tasks as well: perhaps no person ended this one.
            self._log.warning(
                "%s is not cancelled, since the task's state can't be read: %s", self._which(), error
            )
            return
        if is_killed(state, self._on_clear):
            self._cancel_now()
        else:
            # No person ended the task: its worker was asked to stop, or has lost the task to another.
            self._log.info("The task is %s: %s goes on, for the next try.", state, self._which())

    def _cancel_now(self) -> None:
        self._doing = "it was not confirmed that it is cancelled"
        self._cancel()
