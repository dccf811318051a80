"""The single steps of a diagnosis: each may fail by itself, and its error becomes a note."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

from airflow_omics import _clock
from airflow_omics.diagnosis.lines import clean_tail, clean_text
from airflow_omics.diagnosis.model import Limits, Listed

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsHook, OmicsLogsHook

T = TypeVar("T")

_NO_CLIENT: Final = "AWS could not be asked"


class OutOfTimeError(Exception):
    """The time is up."""


class Steps:
    """Calls about one run, within a deadline.

    :param hook: on the run's account and Region.
    :param may_read_logs: whether CloudWatch Logs may be read.
    """

    def __init__(self, hook: OmicsHook, run_id: str, limits: Limits, may_read_logs: bool) -> None:
        self._hook = hook
        self._logs: OmicsLogsHook | None = None
        self._may_read_logs = may_read_logs
        self._run_id = run_id
        self._limits = limits
        self.deadline = _clock.monotonic() + limits.max_seconds
        self._notes: list[str] = []
        self._denied: set[str] = set()
        self._missing: set[str] = set()
        self._created: float | None = None
        self._listed: dict[str, Listed] = {}

    def read_connection(self) -> bool:
        """Read the Airflow connection, for a thread that may not; return whether that succeeded."""
        try:
            self._hook.conn_config  # noqa: B018
        except Exception as error:  # of any kind: each secrets backend has its own
            self._note(_NO_CLIENT, error)
            return False
        return True

    def open_clients(self) -> bool:
        """Build the clients; return whether AWS can be asked.

        This may read the Airflow connection, and assume a role.
        """
        from airflow_omics.hooks import OmicsLogsHook

        self._check_time()
        try:
            self._hook.conn  # noqa: B018
        except Exception as error:
            self._note(_NO_CLIENT, error)
            return False
        if not self._may_read_logs:
            return True
        self._check_time()
        try:
            logs = OmicsLogsHook.beside(self._hook)
            logs.conn  # noqa: B018
            self._logs = logs
        except Exception as error:
            self._note("Logs could not be read", error)
        return True

    def _list_tasks(
        self, status: str, most: int, share: float = 1.0
    ) -> tuple[list[dict[str, Any]] | None, bool]:
        """Return up to ``most`` tasks in a status, and whether there may be more; None if unreadable.

        :param share: the part of the remaining time after which listing ends.
        """
        tasks: list[dict[str, Any]] = []
        now = _clock.monotonic()
        until = now + (self.deadline - now) * share

        def read() -> bool:
            pages: Iterator[dict[str, Any]] = self._hook.list_run_tasks(self._run_id, status=status)
            for task in pages:
                if len(tasks) == most or (len(tasks) % 100 == 0 and _clock.monotonic() >= until):
                    return True
                tasks.append(task)
            return False

        more = self._try("The run's tasks could not be listed", "ListRunTasks", read)
        if more is None and not tasks:
            return None, False
        self._listed[status] = Listed(tuple(tasks), more is not False)
        return tasks, more is not False

    def _read_log(self, what: str, stream: str, missing: str | None) -> tuple[str, ...] | None:
        """Return the last lines of a log; None, and a note, if it cannot be read.

        :param missing: why there may be no such log; None if that needs no note.
        """
        if self._logs is None or not self._limits.max_lines:
            return None

        def read() -> tuple[str, ...]:
            events = self._tail_events(stream, self._limits.max_lines)
            return clean_tail((event["message"] for event in events), self._limits.max_lines)

        def gone() -> None:
            self._missing.add(stream)
            if missing:
                self._notes.append(f"{what} does not exist: {missing}.")

        return self._try(f"{what} could not be read", "GetLogEvents", read, gone)

    def _tail_events(self, stream: str, most: int) -> list[dict[str, Any]]:
        if self._logs is None:
            return []
        return self._logs.tail(stream, most, since=self._created)

    def _try(
        self,
        what: str,
        operation: str,
        call: Callable[[], T],
        missing: Callable[[], None] | None = None,
    ) -> T | None:
        """Return what the call returns; None, and a note, if it fails.

        :param what: begins the note.
        :param missing: called instead of a note if AWS does not know what was asked for.
        """
        self._check_time()
        if operation in self._denied:
            return None
        try:
            return call()
        except OutOfTimeError:
            raise
        except Exception as error:
            self._note(what, error, operation, missing)
            return None

    def _note(
        self,
        what: str,
        error: Exception,
        operation: str | None = None,
        missing: Callable[[], None] | None = None,
    ) -> None:
        from airflow_omics.exceptions import FaultKind
        from airflow_omics.hooks.faults import fault_of

        fault = fault_of(error)
        if fault is not None and fault.kind is FaultKind.NOT_FOUND and missing is not None:
            missing()
            return
        if fault is not None and operation and fault.kind in (FaultKind.DENIED, FaultKind.CREDENTIALS):
            self._denied.add(operation)  # the next call would fail in the same way
        reason = fault.message if fault is not None else f"{type(error).__name__}: {error}"
        self._notes.append(f"{what}: {clean_text(reason).removesuffix('.')}.")

    def _check_time(self) -> None:
        if _clock.monotonic() >= self.deadline:
            raise OutOfTimeError
