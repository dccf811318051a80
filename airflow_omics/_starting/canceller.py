"""Ends the runs and batches of a start operator that nobody waits for any more."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from airflow_omics._identity import Target
from airflow_omics._resource import BATCH
from airflow_omics._steering.cancel import cancel_run
from airflow_omics._steering.cancel_batch import cancel_run_batch
from airflow_omics.exceptions import (
    FaultKind,
    OmicsAccessError,
    OmicsBatchNotFoundError,
    OmicsRequestError,
    OmicsRunNotFoundError,
)
from airflow_omics.records import RunRecord

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsHook

# Seconds for which CancelRun is tried, if it is not accepted at once.
CONFIRM_WITHIN: Final = 3600.0
"""Seconds for a run whose end is waited for, and for one that must not run beside a new one."""

TIMEOUT_WITHIN: Final = 300.0
"""Seconds for the run of a task that has used up its execution_timeout."""

KILL_WITHIN: Final = 20.0
"""Seconds for the run of a task that was killed: its process has less than that."""


class Canceller:
    """Cancels runs.

    :param make_hook: makes a hook, on the Airflow connection as it is now.
    :param at_hand: returns the hook that the run was started with, or None. It is there at once, but may be
        hours old: if its credentials have expired, the next hook reads the connection again.
    :param log: the task's logger.
    """

    def __init__(
        self, make_hook: Callable[[], OmicsHook], at_hand: Callable[[], OmicsHook | None], log: Any
    ) -> None:
        self._make_hook = make_hook
        self._at_hand = at_hand
        self._log = log
        self._handled: set[str] = set()

    def cancel(self, target: Target, *, confirm: bool, within: float) -> RunRecord | None:
        """Cancel a run and return its last record; None, and a warning, if that could not be done.

        :param confirm: whether to wait until the run has ended.
        :param within: seconds for all of it.
        """
        try:
            record = self._cancel(target, confirm=confirm, within=within)
        except Exception as error:  # whatever it is, the task ends as it would have ended
            self._log.warning("%s could not be cancelled: %s", target, error)
            return None
        self._log.info("%s", target.resource.sentence(record))
        return record

    def cancel_before_the_clear(self, target: Target, *, may_cancel: bool) -> None:
        """Cancel the run that the task had before it was cleared, or say in a warning that it goes on.

        :param may_cancel: the operator's ``cancel_on_kill``.
        :raises OmicsError: what prevents it may pass, and two runs at once would be worse than none yet.
        """
        run_id = target.id
        if run_id in self._handled:
            return
        self._handled.add(run_id)
        if not may_cancel:
            self._log.warning(
                "The task was cleared, and a new %s is started. %s, which it waited for, is not cancelled, "
                "since cancel_on_kill is False; it may go on, and cost.",
                target.resource.noun,
                target,
            )
            return
        self._log.info("The task was cleared: its earlier %s is cancelled.", target)
        try:
            record = self._cancel(target, confirm=False, within=CONFIRM_WITHIN)
        except (OmicsRunNotFoundError, OmicsBatchNotFoundError) as error:
            self._log.info("%s", error)
        except (OmicsAccessError, OmicsRequestError) as error:
            if error.kind is FaultKind.CREDENTIALS:
                raise
            self._log.warning(
                "A new %s is started. The earlier %s may go on beside it, and cost; it could not be "
                "cancelled: %s",
                target.resource.noun,
                target,
                error,
            )
        else:
            self._log.info("%s", target.resource.sentence(record))

    def _cancel(self, target: Target, *, confirm: bool, within: float) -> RunRecord:
        at_hand = [hook] if (hook := self._at_hand()) else []
        cancel: Any = cancel_run_batch if target.resource == BATCH else cancel_run
        record: RunRecord = cancel(
            lambda: at_hand.pop() if at_hand else self._make_hook(),
            target,
            confirm=confirm,
            within=within,
            poke_interval=30.0 if confirm else 1.0,
            log=self._log,
        )
        return record
