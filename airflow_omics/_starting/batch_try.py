"""One try of ``OmicsStartRunBatchOperator``: what is a batch's own of :class:`StartTry`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from typing import Any

from airflow_omics import _clock
from airflow_omics._batches.settings import Prepared
from airflow_omics._batches.settings_file import SettingsFolder
from airflow_omics._batches.sources import is_in_s3
from airflow_omics._compat import Context
from airflow_omics._connection import AwsArguments
from airflow_omics._identity import Target
from airflow_omics._outcome import going_on
from airflow_omics._resource import BATCH
from airflow_omics._starting.attempt import Attempt
from airflow_omics._starting.batch_arguments import BatchArguments
from airflow_omics._starting.batch_finish import BatchFinish
from airflow_omics._starting.canceller import CONFIRM_WITHIN
from airflow_omics._starting.cohort import CohortHasEndedWellError
from airflow_omics._starting.kind import BATCHES
from airflow_omics._starting.members_file import MembersFile
from airflow_omics._starting.same_request import check_same_settings
from airflow_omics._starting.start_try import StartTry
from airflow_omics._task.checks import to_seconds
from airflow_omics._waiting.batch import BatchWait
from airflow_omics._waiting.wait import Ending
from airflow_omics.exceptions import OmicsBatchDeletedError, OmicsRequestError, without_retry
from airflow_omics.hooks import OmicsHook
from airflow_omics.records import RunRecord
from airflow_omics.triggers import OmicsStartedRunBatchTrigger


class BatchTry(StartTry):
    """One try of a task that starts a batch of runs."""

    kind = BATCHES
    _finish: BatchFinish

    def __init__(self, operator: Any, context: Context, hook_of: Callable[[AwsArguments], OmicsHook]) -> None:
        super().__init__(operator, context, hook_of)
        self._stops_early = operator.on_too_many_failures == "cancel" and not operator.rerun_failed
        self._finish = BatchFinish(
            operator,
            context,
            self._memory,
            self._canceller,
            lambda: self._aws_arguments,
            hook_of=lambda: self._calls.hook,
            members_file=MembersFile(
                lambda: self._calls.hook,
                lambda: (self._arguments.folder, str(self._memory.run.get("token") or "members")),
                self._log,
            ),
            timeout_at=lambda: self._deadlines.first[0],
            asked=self._asked,
        )
        self._all: Prepared | None = None

    @functools.cached_property
    def _arguments(self) -> BatchArguments:
        """What a batch is started with; a task that only resumes, and starts none, does not need it."""
        return BatchArguments.of(self._operator, self._context)

    # -- the try ---------------------------------------------------------------------------------------------

    def execute(self) -> RunRecord:
        """Find or start the batch, wait for it, and return its record."""
        try:
            return super().execute()
        except CohortHasEndedWellError as ended:
            return self._finish.succeeded(ended.record)
        finally:
            self._close()

    def resume(self, event: Any, waited: Mapping[str, Any]) -> RunRecord:
        """Take the event of a trigger, and go on with what was known when the task was deferred."""
        if waited.get("try_number") == self._try.number:
            self._finish.first_of_try = waited.get("first_generation")
            self._finish.epoch = waited.get("clear_epoch")
            self._stops_early = bool(waited.get("stops_early"))
        try:
            return super().resume(event, waited)
        except CohortHasEndedWellError as ended:
            return self._finish.succeeded(ended.record)
        finally:
            self._close()

    def _carried(self) -> dict[str, Any]:
        return {
            "first_generation": self._finish.first_of_try,
            "clear_epoch": self._finish.epoch,
            "stops_early": self._stops_early,
        }

    def _close(self) -> None:
        """Delete the temporary file of the settings."""
        if self._all is not None:
            self._all.close()

    def _check_arguments(self) -> None:
        # A file in S3 is looked for when a batch is to be started: a retry may find its batch without it.
        if not is_in_s3(self._arguments.run_settings):
            self._all = self._prepared(Attempt(self._try.task))

    def _names(self, attempt: Attempt) -> tuple[str, ...]:
        return (self._arguments.name_of(attempt),)

    def _seen(self, record: RunRecord) -> None:
        if self._finish.first_of_try is None and self._starting is not None:
            self._finish.first_of_try = self._starting.generation

    # -- what the starter asks -------------------------------------------------------------------------------

    def is_kept(self, record: RunRecord) -> bool:
        """Return whether a batch that was found goes on or ended well, so that no other is started."""
        self._finish.epoch = self._epoch
        return super().is_kept(record)

    def make_request(self, attempt: Attempt) -> Mapping[str, Any]:
        """Return StartRunBatch's members for an attempt: for all members, or for those that are left."""
        self._finish.epoch = self._epoch
        rest = self._finish.rest() if self._memory.ends else None
        changes = rest.changes if rest else ()
        if rest is None:
            self._all = self._all or self._prepared(attempt)
            return self._arguments.request(attempt, self._all, self._files, epoch=self._epoch)
        with self._prepared(attempt, changes, rest.wants) as prepared:
            if not prepared.ids:
                raise self._finish.nothing_left()
            number = len(prepared.ids)
            members = "1 member is" if number == 1 else f"{number:,} members are"
            self._log.info("%s run again.", members)
            return self._arguments.request(attempt, prepared, self._files, epoch=self._epoch, changes=changes)

    def ended(self, attempt: Attempt, record: RunRecord) -> None:
        """Note a batch that ended badly, if it is the one that is meant."""
        self.check(attempt, record)
        super().ended(attempt, record)

    def check(self, attempt: Attempt, record: RunRecord) -> None:
        """Refuse a batch of an earlier DAG run with other settings; warn of one of this DAG run.

        :raises OmicsBatchDeletedError: a batch before this one is gone, and so which members it completed.
        """
        if attempt.generation:
            self._check_those_before(attempt)
            return  # its members depend on what became of the batches before
        if not record.get("tags"):
            return  # it was deleted
        is_before = self._try.is_before_dag_run(record, self._calls.hook.clock_skew)
        wanted = self._arguments.fingerprint(attempt, self._all, self._files)
        check_same_settings(wanted, record, is_before=is_before, log=self._log)

    def _check_those_before(self, attempt: Attempt) -> None:
        known = {end["generation"] for end in self._memory.ends}
        if not known.issuperset(range(attempt.generation)):
            raise without_retry(
                OmicsBatchDeletedError(
                    "An earlier batch of this task was deleted, so which members have completed is not "
                    "known, and none is started again. Give what is left to a task of its own, or clear this "
                    "one with on_clear='new', which starts all members."
                )
            )

    def may_go_on(self, record: RunRecord) -> bool:
        """Return whether a batch from before a clear may have runs that go on: also one that failed."""
        return super().may_go_on(record) or (record.get("status") == "FAILED" and going_on(record) > 0)

    def _asked(self) -> Collection[str] | None:
        """Return the ids of all members, or None if they are in a file in S3 or can't be read any more."""
        if is_in_s3(self._arguments.run_settings):
            return None
        if self._all is None:
            try:
                self._all = self._prepared(Attempt(self._try.task))
            except OmicsRequestError as error:
                self._log.warning("The members are taken as they were: %s", error)
                return None
        return self._all.ids

    def _cancel_what_runs(self, within: float) -> None:
        super()._cancel_what_runs(within)
        self._cancel_those_left(within)

    def _cancel_those_left(self, within: float) -> None:
        """Cancel the runs that a batch has left behind that failed."""
        for end in self._memory.ends:
            if end.get("status") == "FAILED":
                known = {key: end.get(key) for key in ("id", "uuid")}
                self._canceller.cancel(Target.parse(known, BATCH), confirm=False, within=within)

    def _prepared(self, attempt: Attempt, *arguments: Any) -> Prepared:
        return self._arguments.prepare(attempt, self._files, *arguments)

    @functools.cached_property
    def _files(self) -> SettingsFolder:
        return SettingsFolder(self._calls.hook, self._log)

    @property
    def _epoch(self) -> int:
        return int(self._memory.run.get("epoch") or 0)

    # -- waiting ---------------------------------------------------------------------------------------------

    def _new_wait(self, target: Target) -> BatchWait:
        return BatchWait(
            target,
            started_at=_clock.time(),
            timeout_at=self._deadlines.first[0],
            tolerance=self._finish.tolerance,
            stop_when_exceeded=self._stops_early,
        )

    def _trigger_of(self, wait: Any) -> OmicsStartedRunBatchTrigger:
        operator = self._operator
        return OmicsStartedRunBatchTrigger.of_wait(
            wait,
            self._aws_arguments,
            task_key=self._try.task.serialize(),
            cancel_on_kill=operator.cancel_on_kill,
            on_clear=operator.on_clear,
            poke_interval=to_seconds(operator.poke_interval) or 0.0,
        )

    def _after_ending(self, ending: Ending, attempt: Attempt, was_stopping: bool) -> RunRecord | None:
        while ending.outcome == "too_many_failures":
            ending = self._cancelled(ending) or self._wait(attempt, was_stopping)
        if ending.outcome == "timeout" and self._operator.on_timeout == "cancel":
            self._cancel_those_left(CONFIRM_WITHIN)
        if was_stopping:
            # An earlier try cancelled it, and its members are not run again by this one: they are run.
            self._finish.first_of_try = attempt.generation + 1
        return super()._after_ending(ending, attempt, was_stopping)

    def _cancelled(self, ending: Ending) -> Ending | None:
        """Cancel a batch of which too many members have ended badly, once that is certain."""
        target = self._target
        assert target is not None
        if not self._finish.confirms_excess(target, ending.record or {}):
            self._stops_early = False  # the counts can't be relied on, so all members may end
            return None
        self._log.warning("%s The rest is cancelled.", ending.message)
        record = self._canceller.cancel(target, confirm=True, within=CONFIRM_WITHIN)
        if record is None:
            self._stops_early = False
            return None
        self._finish.has_cancelled = True
        return Ending("terminal", record, ending.message)
