"""One try of ``OmicsStartRunOperator``: what is a run's own of :class:`StartTry`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from airflow_omics import _clock
from airflow_omics._compat import Context
from airflow_omics._connection import AwsArguments
from airflow_omics._identity import Target
from airflow_omics._starting.arguments import StartArguments, settings_of_reruns
from airflow_omics._starting.attempt import Attempt
from airflow_omics._starting.kind import RUNS
from airflow_omics._starting.run_finish import RunFinish
from airflow_omics._starting.same_request import check_same_request
from airflow_omics._starting.start_try import StartTry
from airflow_omics._task.checks import limits_of, to_seconds
from airflow_omics._waiting.wait import Wait
from airflow_omics.hooks import OmicsHook
from airflow_omics.links import persist_links
from airflow_omics.records import RunRecord
from airflow_omics.triggers import OmicsStartedRunTrigger


class RunTry(StartTry):
    """One try of a task that starts a run."""

    kind = RUNS
    _finish: RunFinish

    def __init__(self, operator: Any, context: Context, hook_of: Callable[[AwsArguments], OmicsHook]) -> None:
        super().__init__(operator, context, hook_of)
        self._links: Any = None
        self._finish = RunFinish(
            operator, context, self._memory, self._canceller, lambda: self._aws_arguments
        )

    @functools.cached_property
    def _arguments(self) -> StartArguments:
        """What a run is started with; a task that only resumes, and starts none, does not need it."""
        return StartArguments.of(self._operator, self._context)

    def _check_arguments(self) -> None:
        _ = self._arguments

    def make_request(self, attempt: Attempt) -> Mapping[str, Any]:
        """Return StartRun's members for an attempt."""
        return self._arguments.request(attempt, self._finish.changes()[: self._operator.max_reruns])

    def check(self, attempt: Attempt, record: RunRecord) -> None:
        """Refuse a run of an earlier DAG run that had a different request; warn of one of this DAG run."""
        if attempt.generation > len(self._memory.ends) and self._operator.rerun_with:
            return  # which settings it was started with depends on runs that are gone
        is_before = self._try.is_before_dag_run(record, self._calls.hook.clock_skew)
        check_same_request(self.make_request(attempt), record, is_before=is_before, log=self._log)

    def _names(self, attempt: Attempt) -> tuple[str, ...]:
        return self._arguments.names(attempt, settings_of_reruns(self._operator).values())

    @property
    def _has_shared_name(self) -> bool:  # type: ignore[override]
        return self._arguments.has_shared_name

    def _seen(self, record: RunRecord) -> None:
        self._links = persist_links(self._context, record, self._links)

    def _new_wait(self, target: Target) -> Wait:
        return Wait(
            target,
            started_at=_clock.time(),
            timeout_at=self._deadlines.first[0],
            terminal_statuses=self._operator.success_statuses,
            **limits_of(self._operator),
        )

    def _trigger_of(self, wait: Wait) -> OmicsStartedRunTrigger:
        operator = self._operator
        return OmicsStartedRunTrigger.of_wait(
            wait,
            self._aws_arguments,
            task_key=self._try.task.serialize(),
            cancel_on_kill=operator.cancel_on_kill,
            on_clear=operator.on_clear,
            terminal_statuses=operator.success_statuses,
            poke_interval=to_seconds(operator.poke_interval) or 0.0,
            record_fields=operator.record_fields,
            **limits_of(operator),
        )
