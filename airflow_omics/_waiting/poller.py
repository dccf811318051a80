"""Looks at a run or batch for a task that waits in a worker, and the loop of every wait in a worker."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_omics import _clock
from airflow_omics._faults import Fault
from airflow_omics._waiting.task_lister import TaskLister
from airflow_omics._waiting.wait import Ending, Wait
from airflow_omics.exceptions import FaultKind

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsHook
    from airflow_omics.records import RunRecord


T = TypeVar("T")


def until_over(look: Callable[[], T | None], between_looks: Callable[[], object]) -> T:
    """Look until there is a result, and return it.

    :param look: returns None while there is reason to look again.
    :param between_looks: sleeps; or leaves the worker by raising, as deferring and rescheduling do.
    """
    while (result := look()) is None:
        between_looks()
    return result


class Poller:
    """Look at the run or batch of one wait, each time by one GetRun or GetBatch.

    If the run goes on, its tasks are listed every ten minutes at most.

    :param wait: what has been seen of the run, and what ends the wait.
    :param make_hook: makes a hook; called again after credentials failed or were denied.
    :param export: names for GetRun's ``export``, once the run has ended.
    :param log: the task's logger.
    :param gap: the seconds between two looks, if each is made by a process of its own.
    """

    def __init__(
        self,
        wait: Wait,
        make_hook: Callable[[], OmicsHook],
        export: Collection[str] | None,
        log: Any,
        *,
        gap: float | None = None,
    ) -> None:
        self._wait = wait
        self._make_hook = make_hook
        self._export_names = export
        self._log = log
        self._tasks = TaskLister(wait, gap)
        self._hook: OmicsHook | None = None
        self._replaces = False

    @property
    def hook(self) -> OmicsHook | None:
        """The hook of the last look; None if the next look makes another."""
        return self._hook

    def look(self) -> Ending | None:
        """Look once; return how the wait ended, or None while it goes on."""
        from airflow_omics.hooks.faults import fault_of

        try:
            record, skew = self._read()
        except Exception as error:
            fault = fault_of(error, self._hook)
            if fault is None:
                raise
            ending = self._wait.failed(self._weighed(fault), _clock.time(), _clock.monotonic())
        else:
            stands_in = self._hook is not None and self._hook.stands_in
            ending = self._wait.answered(
                record, _clock.time(), _clock.monotonic(), clock_skew=skew, stands_in=stands_in
            )
        if self._wait.wants_fresh_client:
            # The next look reads the Airflow connection again.
            self._hook, self._replaces = None, self._replaces or self._hook is not None
        elif ending is None and self._hook is not None:
            self._tasks.list_if_due(self._hook)
        self._wait.lines.write(self._log)
        return ending

    def _weighed(self, fault: Fault) -> Fault:
        """Return the fault; if the run was read before, with what makes its answer doubtful."""
        from airflow_omics.hooks.faults import weighed

        if self._hook is None or not self._wait.known.was_read:
            return fault
        return weighed(fault, self._hook, self._wait.known.home)

    def _read(self) -> tuple[RunRecord, float]:
        if self._hook is None:
            self._hook = self._make_hook()
            self._hook.replaces = self._replaces
        target = self._wait.target
        record = getattr(self._hook, target.resource.method)(target.id)
        if self._export_names and self._wait.is_over(record):
            record = self._export(self._hook, record, self._export_names)
        return record, self._hook.clock_skew

    @staticmethod
    def _export(hook: OmicsHook, record: RunRecord, export: Collection[str]) -> RunRecord:
        from airflow_omics.hooks.faults import fault_of

        try:
            return hook.get_run(record["id"], export)
        except Exception as error:
            fault = fault_of(error)
            if fault is not None and fault.kind is FaultKind.NOT_FOUND:
                return record  # removed since; how it ended is known
            raise
