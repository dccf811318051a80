"""One try of a task that starts a run or a batch: find or start it, wait for it, and end as the DAG says."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, cast

from airflow_omics import _clock
from airflow_omics._compat import AirflowTaskTimeout, Context
from airflow_omics._connection import AwsArguments
from airflow_omics._identity import Target
from airflow_omics._starting.attempt import Attempt, epoch_of
from airflow_omics._starting.calls import Calls
from airflow_omics._starting.canceller import KILL_WITHIN, TIMEOUT_WITHIN, Canceller
from airflow_omics._starting.context import TryContext
from airflow_omics._starting.deadlines import Deadlines
from airflow_omics._starting.finder import Finder, Found, Search
from airflow_omics._starting.finish import Finish
from airflow_omics._starting.kind import Kind
from airflow_omics._starting.memory import Memory
from airflow_omics._starting.starter import Started, Starter
from airflow_omics._starting.worker_kill import WorkerKill
from airflow_omics._task.checks import to_seconds, warn_of_short_interval
from airflow_omics._task.snapshots import Snapshots
from airflow_omics._waiting.ending import ending_from_event
from airflow_omics._waiting.poller import Poller, until_over
from airflow_omics._waiting.wait import Ending, Wait
from airflow_omics.hooks import OmicsHook
from airflow_omics.records import IDENTITY_KEYS, RunRecord, narrow


class StartTry(ABC):
    """One try of a task that starts a run or a batch. What differs between them is in the subclasses.

    :param operator: the operator, its templates rendered.
    :param context: the task's context.
    :param hook_of: makes a hook from AWS arguments.
    """

    kind: Kind
    """What the task starts."""
    _finish: Finish

    def __init__(self, operator: Any, context: Context, hook_of: Callable[[AwsArguments], OmicsHook]) -> None:
        self._operator = operator
        self._hook_of = hook_of
        self._log = operator.log
        self._context = context
        self._try = TryContext.of(context)
        self._memory = Memory.of(context, self._log)
        self._starting: Attempt | None = None
        self._calls = Calls(self._make_hook, self._log)
        self._canceller = Canceller(self._make_hook, lambda: self._calls.at_hand, self._log)
        self.snapshots = Snapshots(operator, context, lambda record: self._calls.hook)
        """What it leaves of what it starts, for people."""
        self._target: Target | None = None
        self._deadlines = Deadlines(operator, self._try.began or _clock.time(), _clock.time())

    # -- what differs ----------------------------------------------------------------------------------------

    @abstractmethod
    def make_request(self, attempt: Attempt) -> Mapping[str, Any]:
        """Return the request for an attempt, name and tags included, and no token."""

    @abstractmethod
    def check(self, attempt: Attempt, record: RunRecord) -> None:
        """Refuse what an earlier DAG run started with a different request; warn of what this one did."""

    @abstractmethod
    def _check_arguments(self) -> None:
        """Raise what is wrong with the arguments, before any call."""

    @abstractmethod
    def _names(self, attempt: Attempt) -> tuple[str, ...]:
        """Return the names that the task's runs may have."""

    @abstractmethod
    def _new_wait(self, target: Target) -> Wait:
        """Return the wait for what was found or started."""

    @abstractmethod
    def _trigger_of(self, wait: Wait) -> Any:
        """Return the trigger that goes on with a wait."""

    _has_shared_name = False

    def _carried(self) -> dict[str, Any]:
        """Return what a deferral carries besides, plain JSON."""
        return {}

    @abstractmethod
    def _seen(self, record: RunRecord) -> None:
        """Take a record that was read."""

    # -- the try ---------------------------------------------------------------------------------------------

    def execute(self) -> RunRecord:
        """Find or start what is meant, wait for it, and return its record."""
        operator = self._operator
        self._check_arguments()
        if operator.wait_for_completion and not operator.deferrable:
            warn_of_short_interval(to_seconds(operator.poke_interval) or 0.0)
        epoch = epoch_of(self._try.max_tries, self._memory.noted)
        self._memory.begin(epoch, self._try.max_tries, forget=self._starts_anew)
        if cleared := self._memory.run_of_cleared_wait:
            self._canceller.cancel_before_the_clear(
                Target.parse(cleared, self.kind.resource), may_cancel=operator.cancel_on_kill
            )
        first = Attempt(self._try.task, epoch if self._starts_anew else None, self._memory.generation)
        return self._go_on(first)

    def resume(self, event: Any, waited: Mapping[str, Any]) -> RunRecord:
        """Take the event of a trigger, and go on with what was known when the task was deferred.

        :param waited: what the task was deferred with.
        """
        if waited.get("try_number", self._try.number) != self._try.number:
            # A task that is cleared while a worker resumes it: Airflow hands the event to the next try.
            return self.execute()
        self._memory.resume(waited.get("memory", {}))
        self._target = self._remembered_target()
        attempt = Attempt(self._try.task, waited.get("epoch"), int(waited.get("generation", 0)))
        self._deadlines.resume(waited)
        ending = ending_from_event(event)
        self._note_published(ending.record or self._remembered_identity())
        if ending.record is not None:
            self._seen(ending.record)
            self.snapshots.note(ending.record)
        was_stopping = bool(waited.get("was_stopping"))
        if ending.argument == "start_timeout" and self._operator.on_timeout == "cancel":
            # The task may have waited long for this worker: a run that is RUNNING by now is not cancelled.
            ending = self._wait(attempt, was_stopping)
        return self._after_ending(ending, attempt, was_stopping) or self._go_on(attempt.next_generation())

    def _go_on(self, attempt: Attempt) -> RunRecord:
        while True:
            started = self._find_or_start(attempt)
            attempt, status = started.attempt, started.record.get("status")
            if not started.is_new and self._finish.has_ended_well(started.record):
                self._log.info("%s", self.kind.resource.sentence(started.record))
                return self._finish.succeeded(started.record)
            # A run that is stopping may be one that an earlier try cancelled: its end decides.
            was_stopping = status == "STOPPING" and not started.is_new
            if not self._operator.wait_for_completion and not was_stopping:
                return self._finish.succeeded(started.record)
            ending = self._wait(attempt, was_stopping)
            if (record := self._after_ending(ending, attempt, was_stopping)) is not None:
                return record
            attempt = attempt.next_generation()

    def _after_ending(self, ending: Ending, attempt: Attempt, was_stopping: bool) -> RunRecord | None:
        """Return the record if the task succeeds, None if another run is due, or raise."""
        if ending.outcome == "timeout":
            assert self._target is not None
            ending = self._finish.timed_out(ending, self._target, self._deadlines.first[1])
        return self._finish.after_ending(ending, attempt, self._target, was_stopping=was_stopping)

    def _find_or_start(self, attempt: Attempt) -> Started:
        began = _clock.monotonic()
        self._starting, self._target = attempt, None
        started = Starter(self, self._calls, self._log).find_or_start(attempt)
        self._deadlines.put_off(_clock.monotonic() - began)
        self._target = self._remembered_target()
        self._seen(started.record)
        self.snapshots.note(started.record, self._calls.at_hand)
        if started.is_new:
            self._log.info("Started %s.", self.kind.resource.named(str(started.record.get("id"))))
        return started

    def _remembered_target(self) -> Target | None:
        known = self._remembered_identity()
        return Target.parse(known, self.kind.resource) if known else None

    def _remembered_identity(self) -> dict[str, Any]:
        return {key: self._memory.run[key] for key in IDENTITY_KEYS if self._memory.run.get(key)}

    def _note_published(self, record: Mapping[str, Any]) -> None:
        """Note what is known of the run by now: an ``execution_timeout`` may end the task at any moment."""
        self._operator._note_published(narrow(cast("RunRecord", record), self._operator.record_fields))

    # -- what the starter asks and reports -------------------------------------------------------------------

    @property
    def is_repeated(self) -> bool:
        """Whether this task may have asked before."""
        return self._try.number > 1

    @property
    def remembered(self) -> Mapping[str, Any]:
        """What an earlier attempt wrote down."""
        return self._memory.run

    def is_kept(self, record: RunRecord) -> bool:
        """Return whether a run that was found goes on or ended well, so that no other is started."""
        return record.get("status") not in self.kind.resource.terminal or self._finish.has_ended_well(record)

    def search_of(self, attempt: Attempt) -> Search:
        """Return how the task's runs are looked for."""
        operator, max_tries = self._operator, self._try.max_tries
        retries, is_new = operator.retries or 0, self._starts_anew
        return Search(
            names=self._names(attempt),
            is_shared=self._has_shared_name,
            # A clear of the whole DAG run resets its start, and reattaching needs the runs from before that.
            since=self._try.dag_run_began if is_new or not self._try.is_dag_run_cleared else None,
            earlier_epochs=tuple(range(retries, max_tries)) if is_new and self.is_repeated else (),
            old_epoch=max(0, max_tries - retries) if is_new and self.is_repeated else None,
        )

    def remember(self, attempt: Attempt, record: RunRecord | None) -> None:
        """Write down an attempt, and its run once that is known."""
        self._starting = attempt  # a kill cancels the run of this one, not of one before that ended badly
        if record is not None:
            self._note_published(record)
        self._memory.note_run(attempt, record, waiting=self._operator.wait_for_completion)

    def ended(self, attempt: Attempt, record: RunRecord) -> None:
        """Note a run that ended badly."""
        self._memory.note_end(attempt, record, self._finish.noted_of(record))

    def may_go_on(self, record: RunRecord) -> bool:
        """Return whether what was found from before a clear may go on, and cost."""
        return record.get("status") in self.kind.resource.active

    def end_superseded(self, found: Found) -> None:
        """End an active run from before the task was cleared."""
        known = {key: found.record.get(key) for key in IDENTITY_KEYS}
        target = Target.parse(known, self.kind.resource)
        if found.attempt is not None and self._operator.wait_for_completion:
            self._canceller.cancel_before_the_clear(target, may_cancel=self._operator.cancel_on_kill)
        else:
            # This task did not wait for it, or its token does not fit this task's history: another may.
            self._log.warning(
                "%s, which this task started before, goes on beside the new one.",
                target,
            )

    @property
    def _starts_anew(self) -> bool:
        """Whether a clear leads to a new run, whatever became of the one before."""
        return bool(self._operator.on_clear == "new")

    # -- waiting ---------------------------------------------------------------------------------------------

    def _wait(self, attempt: Attempt, was_stopping: bool) -> Ending:
        target, operator = self._target, self._operator
        assert target is not None
        wait = self._new_wait(target)
        poller = Poller(wait, self._make_hook, None, self._log)

        def look() -> Ending | None:
            ending = poller.look()
            if wait.record is not None:
                self._seen(wait.record)
                self._note_published(wait.record)
            self.snapshots.looked(wait, poller.hook, is_over=ending is not None)
            return ending

        def between_looks() -> None:
            if operator.deferrable:
                self._defer(wait, attempt, was_stopping)
            _clock.sleep(wait.pause(to_seconds(operator.poke_interval) or 0.0, _clock.time()))

        return until_over(look, between_looks)

    def _defer(self, wait: Wait, attempt: Attempt, was_stopping: bool) -> NoReturn:
        waited = {
            **self._carried(),
            "epoch": attempt.epoch,
            "generation": attempt.generation,
            "was_stopping": was_stopping,
            "deadlines": self._deadlines.serialize(),
            "memory": self._memory.run,
            "try_number": self._try.number,
        }
        # No timeout of Airflow's: it would end the task without what is known of the run, and would ignore
        # on_timeout. The trigger has the deadline, also after an outage of all triggerers.
        trigger = self._trigger_of(wait)
        self._operator.defer(trigger=trigger, method_name="execute_complete", kwargs={"waited": waited})
        raise AssertionError("defer does not return")

    # -- killing ---------------------------------------------------------------------------------------------

    def kill(self) -> None:
        """Cancel the run, if a person has ended the task; Airflow calls it while the task's process ends."""
        if isinstance(sys.exc_info()[1], AirflowTaskTimeout):
            # This is execution_timeout, not a kill: on_timeout decides, as it does in a deferred task.
            if self._operator.on_timeout == "cancel":
                self._cancel_what_runs(TIMEOUT_WITHIN)
        elif self._operator.cancel_on_kill:
            WorkerKill(
                self._try.task,
                self._operator.on_clear,
                cancel=lambda: self._cancel_what_runs(KILL_WITHIN),
                which=lambda: self.kind.resource.named(self._memory.run.get("id") or "of this task"),
                log=self._log,
            ).cancel_if_killed()

    def _cancel_what_runs(self, within: float) -> None:
        target = self._target or self._target_of_start()
        if target is not None:
            self._canceller.cancel(target, confirm=False, within=within)

    def _target_of_start(self) -> Target | None:
        """Return the run of a start that is not finished; StartRun may have answered or not."""
        if self._starting is None:
            return None
        if self._memory.run.get("token") == self._starting.token and self._memory.run.get("id"):
            return self._remembered_target()
        finder = Finder(self.kind, Calls(self._make_hook, self._log), self.search_of, self._log)
        found = finder.runs_of(self._starting, wanted=self._starting)
        if not found:
            return None
        known = {key: found[0].record.get(key) for key in IDENTITY_KEYS}
        return Target.parse(known, self.kind.resource)

    # -- what is asked for -----------------------------------------------------------------------------------

    def _make_hook(self) -> OmicsHook:
        return self._hook_of(self._aws_arguments)

    @property
    def _aws_arguments(self) -> AwsArguments:
        arguments: AwsArguments = self._operator._given_aws_arguments
        return arguments
