"""Until when a try of a start operator waits for its runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from airflow_omics._task.checks import to_seconds

_FOREVER: Final = 10 * 365 * 24 * 3600.0  # seconds: no deadline of ours
_RESUME_WITHIN: Final = 60.0  # seconds before execution_timeout at which a deferred task is resumed, at most


class Deadlines:
    """When waiting must end, in seconds since the epoch, and which argument says so.

    ``wait_timeout`` counts while a run is waited for. The time in which a run is found or started does not
    count, since that may be hours in the queue for StartRun.

    :param operator: the start operator.
    :param began: when the task began, in this try.
    :param now: the time.
    """

    def __init__(self, operator: Any, began: float, now: float) -> None:
        seconds = to_seconds(operator.wait_timeout)
        self._forever = now + _FOREVER
        self._wait = None if seconds is None else now + seconds
        self._execution: float | None = None
        if operator.deferrable and operator.execution_timeout is not None:
            # In a worker Airflow ends the task. Airflow 2.11 goes on counting while the task is deferred, and
            # ends one that resumes too late before it can cancel anything.
            seconds = operator.execution_timeout.total_seconds()
            self._execution = began + seconds - min(_RESUME_WITHIN, seconds / 10)

    @property
    def first(self) -> tuple[float, str | None]:
        """The first deadline, and the argument that it comes from."""
        deadlines: list[tuple[float, str | None]] = [(self._forever, None)]
        if self._wait is not None:
            deadlines.append((self._wait, "wait_timeout"))
        if self._execution is not None:
            deadlines.append((self._execution, "execution_timeout"))
        return min(deadlines, key=lambda deadline: deadline[0])

    def put_off(self, seconds: float) -> None:
        """Do not count the time in which nobody waited for a run."""
        if self._wait is not None:
            self._wait += seconds

    def serialize(self) -> dict[str, float | None]:
        """Return the deadlines as plain JSON, to be carried over a deferral."""
        return {"wait_timeout": self._wait, "execution_timeout": self._execution}

    def resume(self, waited: Mapping[str, Any]) -> None:
        """Restore the deadlines that the task was deferred with."""
        carried = waited.get("deadlines")
        if carried is None and "deadline_is" in waited:  # deferred by version 0.1.0
            carried = {waited["deadline_is"]: waited.get("deadline")}
        if carried is not None:
            self._wait, self._execution = carried.get("wait_timeout"), carried.get("execution_timeout")
