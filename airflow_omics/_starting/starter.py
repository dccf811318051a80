"""Find the run or batch that a task started before, or start it: one for each that is meant.

StartRun and StartRunBatch take a token, but AWS documents neither what a repeated token returns nor how long
it is remembered. So everything that the task has had is looked for first, and each of the four possible
answers to a repeated token is handled: the earlier run, ConflictException, ValidationException, and a second
run because the token was forgotten.
https://docs.aws.amazon.com/omics/latest/dev/starting-a-run.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol, cast

from airflow_omics import _clock
from airflow_omics._faults import NOT_FOUND_GRACE, Fault, named
from airflow_omics._identity import Target
from airflow_omics._starting.attempt import Attempt, is_run_of
from airflow_omics._starting.calls import Calls
from airflow_omics._starting.finder import Finder, Found, Search
from airflow_omics._starting.kind import Kind
from airflow_omics.exceptions import FaultKind, OmicsRequestError
from airflow_omics.records import RunRecord, parse_time, with_status

# Clocks are compared through the Date header, which has whole seconds.
_CLOCK_MARGIN: Final = 5.0


class Started(NamedTuple):
    """The run that a task has now.

    :param record: GetRun's answer for a run found, StartRun's for one just started.
    :param attempt: the attempt whose token the run carries.
    :param is_new: whether this process started it.
    """

    record: RunRecord
    attempt: Attempt
    is_new: bool


class StartingTask(Protocol):
    """What the starter asks of the task for which it starts a run, and what it reports to it."""

    @property
    def kind(self) -> Kind:
        """What the task starts."""

    def is_kept(self, record: RunRecord) -> bool:
        """Return whether a run that was found goes on or ended well, so that no other is started."""

    @property
    def is_repeated(self) -> bool:
        """Whether the task may have asked for its run before: another try, or a clear."""

    @property
    def remembered(self) -> Mapping[str, Any]:
        """The run that an earlier attempt wrote down: ``token``, ``id``, ``uuid`` and ``arn``."""

    def make_request(self, attempt: Attempt) -> Mapping[str, Any]:
        """Return the request for an attempt, name and tags included, and no token."""

    def search_of(self, attempt: Attempt) -> Search:
        """Return how the task's runs are looked for."""

    def remember(self, attempt: Attempt, record: RunRecord | None) -> None:
        """Write down an attempt: before its run is asked for, and again with the run."""

    def ended(self, attempt: Attempt, record: RunRecord) -> None:
        """Note a run that ended badly, before the next one is considered."""

    def check(self, attempt: Attempt, record: RunRecord) -> None:
        """Raise OmicsRequestError if a run that is kept is not the one that is meant."""

    def may_go_on(self, record: RunRecord) -> bool:
        """Return whether a run from before the task was cleared may go on."""

    def end_superseded(self, found: Found) -> None:
        """End an active run from before the task was cleared, or name it in the log."""


class Starter:
    """Find or start the run, or the batch, of one task.

    :param task: the task.
    :param calls: makes the calls.
    :param log: the task's logger.
    """

    def __init__(self, task: StartingTask, calls: Calls, log: Any) -> None:
        self._task = task
        self._kind = task.kind
        self._calls = calls
        self._log = log
        self._finder = Finder(task.kind, calls, task.search_of, log)
        self._runs: list[Found] | None = None

    def find_or_start(self, attempt: Attempt) -> Started:
        """Return the task's run: one that goes on or ended well, or a new one.

        :param attempt: the first attempt to consider; each whose run ended badly leads to the next.
        :raises OmicsError: AWS refuses or denies a call, or transient errors last too long.
        """
        self._runs = None
        while True:
            is_new = False
            attempt, record = self._find(attempt)
            if record is None:
                record, is_new = self._start(attempt)
            if is_new or self._task.is_kept(record):
                if not is_new:
                    self._task.check(attempt, record)
                self._task.remember(attempt, record)
                return Started(record, attempt, is_new)
            self._log.info(
                "%s of an earlier attempt ended as %s: a new %s is started.",
                self._named(record),
                record.get("status"),
                self._kind.resource.noun,
            )
            self._task.ended(attempt, record)
            attempt = attempt.next_generation()

    # -- looking -----------------------------------------------------------------------------------------

    def _find(self, attempt: Attempt) -> tuple[Attempt, RunRecord | None]:
        """Return the last attempt that has a run, from this one on, and its run."""
        remembered = self._task.remembered
        if remembered.get("token") == attempt.token and remembered.get("id"):
            return attempt, self._remembered_run(remembered)
        if self._runs is None:
            self._runs = self._look_up(attempt)
        runs = {
            run.attempt: run.record
            for run in self._runs
            if run.is_own and run.attempt is not None and run.attempt.generation >= attempt.generation
        }
        if not runs:
            return attempt, None
        *before, last = sorted(runs, key=lambda known: known.generation)
        for known in before:
            self._task.ended(known, runs[known])
        self._log.info("%s was started by an earlier attempt.", self._named(runs[last]))
        return last, runs[last]

    def _remembered_run(self, remembered: Mapping[str, Any]) -> RunRecord:
        record = self._finder.read(
            str(remembered["id"]), remembered.get("uuid"), arn=remembered.get("arn"), grace=NOT_FOUND_GRACE
        )
        if record is not None:
            self._log.info("%s was started by an earlier attempt.", self._named(record))
            return record
        known = {key: remembered[key] for key in ("id", "uuid", "arn") if remembered.get(key)}
        return with_status(cast("RunRecord", known), "DELETED")

    def _look_up(self, attempt: Attempt) -> list[Found]:
        if self._task.search_of(attempt).is_shared and not self._task.is_repeated:
            return []  # nobody can have asked before, and each run of the name would cost a GetRun
        return self._finder.runs_of(attempt)

    def _run_of(self, attempt: Attempt) -> RunRecord | None:
        found = self._finder.runs_of(attempt, wanted=attempt)
        return found[0].record if found else None

    # -- starting ----------------------------------------------------------------------------------------

    def _start(self, attempt: Attempt) -> tuple[RunRecord, bool]:
        """Return the run that StartRun answers with, and whether it is new."""
        for run in self._runs or ():
            if not run.is_own and self._task.may_go_on(run.record):
                self._task.end_superseded(run)
        request = {**self._task.make_request(attempt), "requestId": attempt.token}
        self._task.remember(attempt, None)
        retries = self._calls.retries()
        asked_at, visible_at = _clock.time(), _clock.monotonic() + NOT_FOUND_GRACE
        while True:
            try:
                answer = getattr(self._calls.hook, self._kind.start_method)(request)
            except Exception as error:
                fault = self._calls.fault_of(error)
                if fault is None:
                    raise
                found = self._after_fault(attempt, fault)
                if found is not None:
                    return found, False
                if fault.code == "ConflictException" and _clock.monotonic() >= visible_at:
                    raise OmicsRequestError(
                        f"{fault.message}. A {self._kind.resource.noun} with this task's token was asked for "
                        f"before, and is not found by its name; allow omics:{self._kind.list}, or wait and "
                        "retry.",
                        kind=fault.kind,
                    ) from error
                retries.wait(fault, error)
                continue
            return self._checked(attempt, answer, asked_at)

    def _after_fault(self, attempt: Attempt, fault: Fault) -> RunRecord | None:
        """Look whether there is a run although StartRun failed; raise if no repetition helps."""
        if fault.throttled:
            return None  # AWS has not taken the request
        if fault.code == "ServiceQuotaExceededException":
            raise OmicsRequestError(
                f"{fault.message}. An account holds only so many runs, ended ones included: delete some "
                "(OmicsDeleteRunOperator), start runs with retention_mode='REMOVE', or ask AWS for a higher "
                "quota.",
                kind=FaultKind.TRANSIENT,  # there is room once runs have been deleted
            )
        if fault.kind in (FaultKind.DENIED, FaultKind.CREDENTIALS):
            return None
        # The request may have arrived, or the token may have been used with other members.
        return self._run_of(attempt)

    def _named(self, record: RunRecord) -> str:
        return self._kind.resource.named(str(record.get("id")))

    def _checked(self, attempt: Attempt, answer: RunRecord, asked_at: float) -> tuple[RunRecord, bool]:
        """Return the run that StartRun answered with: a new one, or an earlier one with the same token."""
        self._task.remember(attempt, answer)  # at once: a worker may die during the calls to come
        run_id, uuid = str(answer.get("id")), answer.get("uuid")
        repeated = self._task.is_repeated
        # Only a task that may have asked before must distinguish a new run from one that was deleted.
        record = self._finder.read(run_id, uuid, grace=NOT_FOUND_GRACE if repeated else 0.0)
        if record is None:
            return (with_status(answer, "DELETED"), False) if repeated else (answer, True)
        if record.get("tags") and not is_run_of(attempt, record):
            self._task.remember(attempt, None)
            raise OmicsRequestError(
                f"{self._kind.start} answered with {self._kind.resource.noun} {run_id}, which carries the "
                f"tags of another task: the token {attempt.token} is in use elsewhere. Set [omics] "
                "deployment if several Airflows share an AWS account.",
                **named(Target(run_id, resource=self._kind.resource)),
            )
        made = record.get("creationTime")
        skew = self._calls.hook.clock_skew
        if made and parse_time(made).timestamp() < asked_at + skew - _CLOCK_MARGIN:
            self._log.info(
                "%s answered with %s of an earlier attempt.", self._kind.start, self._named(record)
            )
            return record, False
        return answer, True
