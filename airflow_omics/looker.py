"""Looks at a run on behalf of a task that waits in a worker, and writes that task's log."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from airflow_omics.exceptions import FaultKind
from airflow_omics.hooks import fault_of
from airflow_omics.wait import Ending, RunWait

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsHook
    from airflow_omics.records import RunRecord


class Looker:
    """Look at the run of one wait, each time by one GetRun.

    :param wait: what has been seen of the run, and what ends the wait.
    :param make_hook: makes a hook; called anew after credentials failed.
    :param export: what to export along once the run has ended.
    :param log: the task's logger.
    """

    def __init__(
        self, wait: RunWait, make_hook: Callable[[], OmicsHook], export: Collection[str] | None, log: Any
    ) -> None:
        self._wait = wait
        self._make_hook = make_hook
        self._export_names = export
        self._log = log
        self._hook: OmicsHook | None = None

    def look(self) -> Ending | None:
        """Look once; return how the wait ended, or None while it goes on."""
        try:
            record, skew = self._read()
        except Exception as error:
            fault = fault_of(error, self._hook)
            if fault is None:
                raise
            if fault.kind is FaultKind.CREDENTIALS:
                self._hook = None  # the next look reads the Airflow connection anew
            ending = self._wait.failed(fault, time.time())
        else:
            ending = self._wait.answered(record, time.time(), clock_skew=skew)
        for level, line in self._wait.news():
            self._log.log(level, line)
        return ending

    def _read(self) -> tuple[RunRecord, float]:
        if self._hook is None:
            self._hook = self._make_hook()
        run_id = self._wait.target.run_id
        record = self._hook.get_run(run_id)
        if self._export_names and self._wait.is_over(record):
            record = self._export(self._hook, record, self._export_names)
        return record, self._hook.clock_skew

    @staticmethod
    def _export(hook: OmicsHook, record: RunRecord, export: Collection[str]) -> RunRecord:
        try:
            return hook.get_run(record["id"], export)
        except Exception as error:
            fault = fault_of(error)
            if fault is not None and fault.kind is FaultKind.NOT_FOUND:
                return record  # removed since; how it ended is known
            raise
