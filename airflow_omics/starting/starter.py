"""Find the run that a task started before, or start it: one run for each that is meant.

StartRun takes a token, but AWS documents neither what a repeated token returns nor how long it is
remembered. So a run of ours is looked for first, and each of the four answers to a repeated token (the
earlier run, ConflictException, ValidationException, a second run because the token was forgotten) is met.
https://docs.aws.amazon.com/omics/latest/dev/starting-a-run.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast

from airflow_omics.exceptions import Fault, FaultKind, OmicsError, OmicsRequestError
from airflow_omics.hooks import fault_of
from airflow_omics.patience import backoff
from airflow_omics.records import TERMINAL_STATUSES, RunRecord, parse_time, with_status
from airflow_omics.starting.attempt import Attempt, is_run_of

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsHook

THROTTLED_PATIENCE: Final = 7200.0
"""Seconds for which throttling is waited out: at the smallest default quota, 0.1 a second, 720 starts."""

PATIENCE: Final = 300.0
"""Seconds for which network errors, errors inside AWS and unusable credentials are waited out."""

VISIBLE_WITHIN: Final = 120.0
"""Seconds within which a run that StartRun answered with is taken to be known to GetRun and ListRuns."""

_NEWS_EVERY: Final = 600.0
# Clocks are compared through the Date header, which has whole seconds.
_CLOCK_MARGIN: Final = 5.0
T = TypeVar("T")


class Started(NamedTuple):
    """The run that a task has now.

    :param record: GetRun's answer for a run found, StartRun's for one just started.
    :param attempt: the attempt whose token the run carries.
    :param is_new: whether this process started it.
    """

    record: RunRecord
    attempt: Attempt
    is_new: bool


class Starter:
    """Find or start the run of one task.

    :param make_hook: makes a hook; called anew after credentials failed.
    :param make_request: returns StartRun's members for an attempt, ``name`` and ``tags`` included.
    :param success_statuses: terminal statuses in which a run is the one that was meant.
    :param repeated: whether this task may have asked for its run before: another try, or a clear.
    :param remembered: the run that an earlier attempt wrote down, ``token``, ``id``, ``uuid`` and ``arn``.
    :param remember: writes down an attempt, before its run is asked for and again with the run.
    :param ended: is told of each run of ours that ended badly, before the next one is considered.
    :param log: the task's logger.
    """

    def __init__(
        self,
        make_hook: Callable[[], OmicsHook],
        make_request: Callable[[Attempt], Mapping[str, Any]],
        *,
        success_statuses: Collection[str],
        repeated: bool,
        remembered: Mapping[str, Any] | None,
        remember: Callable[[Attempt, RunRecord | None], None],
        ended: Callable[[Attempt, RunRecord], None],
        log: Any,
    ) -> None:
        self._make_hook = make_hook
        self._make_request = make_request
        self._success_statuses = success_statuses
        self._repeated = repeated
        self._remembered = remembered or {}
        self._remember = remember
        self._ended = ended
        self._log = log
        self._hook: OmicsHook | None = None
        self._may_list = True

    def find_or_start(self, attempt: Attempt) -> Started:
        """Return the task's run: one that goes on or ended well, or a new one.

        :param attempt: the first attempt to consider; each whose run ended badly leads to the next.
        :raises OmicsError: when AWS refuses or denies a call, or nothing passes for minutes.
        """
        while True:
            found, is_new = self._own_run(attempt), False
            if found is None:
                found, is_new = self._start(attempt)
            status = found.get("status", "")
            if is_new or status not in TERMINAL_STATUSES or status in self._success_statuses:
                self._remember(attempt, found)
                return Started(found, attempt, is_new)
            self._log.info(
                "HealthOmics run %s of an earlier attempt ended as %s: a new run is started.",
                found.get("id"),
                status,
            )
            self._ended(attempt, found)
            attempt = attempt.next_generation()

    # -- looking -----------------------------------------------------------------------------------------

    def _own_run(self, attempt: Attempt) -> RunRecord | None:
        remembered = self._remembered
        if remembered.get("token") == attempt.token and remembered.get("id"):
            record = self._read(str(remembered["id"]), remembered.get("uuid"), grace=VISIBLE_WITHIN)
            if record is not None:
                self._log.info("HealthOmics run %s was started by an earlier attempt.", record.get("id"))
                return record
            known = {key: remembered[key] for key in ("id", "uuid", "arn") if remembered.get(key)}
            return with_status(cast("RunRecord", known), "DELETED")
        return self.look_up(attempt)

    def look_up(self, attempt: Attempt) -> RunRecord | None:
        """Return the run that carries the attempt's token, by ListRuns, or None."""
        if not self._may_list:
            return None
        name = self._make_request(attempt)["name"]
        try:
            listed = self._patiently(lambda hook: list(hook.list_runs(name=name)), "ListRuns")
        except OmicsError as error:
            fault = fault_of(error.__cause__) if error.__cause__ else None
            if fault is None or fault.kind is not FaultKind.DENIED:
                raise
            self._may_list = False
            self._log.warning(
                "An earlier run of this task can't be looked for, so that StartRun's token alone "
                "guards against a second one: %s",
                fault.message,
            )
            return None
        # AWS does not say whether it filters by equality.
        candidates = [item for item in listed if item.get("name") == name]
        for item in sorted(candidates, key=lambda item: str(item.get("creationTime")), reverse=True):
            record = self._read(str(item["id"]))
            if record is not None and is_run_of(attempt, record):
                self._log.info("HealthOmics run %s was started by an earlier attempt.", record.get("id"))
                return record
        return None

    def _read(self, run_id: str, uuid: str | None = None, *, grace: float = 0.0) -> RunRecord | None:
        """Return the run's record, or None when it is gone or its id is another run's now.

        :param grace: seconds for which it may be unknown. A run that was started a moment ago, and one that
            was deleted, look the same.
        """
        unknown_until = time.time() + grace
        while True:
            try:
                record: RunRecord = self._patiently(lambda hook: hook.get_run(run_id), "GetRun")
            except OmicsError as error:
                fault = fault_of(error.__cause__) if error.__cause__ else None
                if fault is None or fault.kind is not FaultKind.NOT_FOUND:
                    raise
                if time.time() >= unknown_until:
                    return None
                time.sleep(backoff(3))
            else:
                same = not uuid or not record.get("uuid") or record["uuid"].lower() == uuid.lower()
                return record if same else None

    # -- starting ----------------------------------------------------------------------------------------

    def _start(self, attempt: Attempt) -> tuple[RunRecord, bool]:
        """Return the run that StartRun answers with, and whether it is new."""
        request = {**self._make_request(attempt), "requestId": attempt.token}
        self._remember(attempt, None)
        patience = _Patience("StartRun", self._log)
        conflict_until = time.time() + VISIBLE_WITHIN
        asked_at = time.time()
        while True:
            try:
                answer = self.hook.start_run(request)
            except Exception as error:
                fault = fault_of(error)
                if fault is None:
                    raise
                found = self._after_fault(attempt, fault)
                if found is not None:
                    return found, False
                if fault.code == "ConflictException" and time.time() >= conflict_until:
                    raise OmicsRequestError(
                        f"{fault.message}. A run with this task's token was asked for before, and is not "
                        f"found by its name {request['name']!r}; allow omics:ListRuns, or wait and retry."
                    ) from error
                patience.wait_out(fault, error)
                if fault.kind is FaultKind.CREDENTIALS:
                    self._hook = None
                continue
            return self._checked(attempt, answer, asked_at)

    def _after_fault(self, attempt: Attempt, fault: Fault) -> RunRecord | None:
        """Look whether there is a run although StartRun failed; raise where no repetition helps."""
        if fault.throttled:
            return None  # AWS has not taken the request
        if fault.code == "ServiceQuotaExceededException":
            raise OmicsRequestError(
                f"{fault.message}. An account holds only so many runs, ended ones included: delete some "
                "(OmicsDeleteRunOperator), start runs with retention_mode='REMOVE', or ask AWS for a higher "
                "quota."
            )
        if fault.kind in (FaultKind.DENIED, FaultKind.CREDENTIALS):
            return None
        # The request may have arrived, or the token may have been used with other members.
        found = self.look_up(attempt)
        if found is not None and fault.kind is FaultKind.REFUSED:
            self._log.warning(
                "The run was started with other arguments than this attempt's: %s", fault.message
            )
        return found

    def _checked(self, attempt: Attempt, answer: RunRecord, asked_at: float) -> tuple[RunRecord, bool]:
        """Return the run that StartRun answered with: a new one, or an earlier one with the same token."""
        self._remember(attempt, answer)  # at once: a worker may die during the calls to come
        run_id, uuid = str(answer.get("id")), answer.get("uuid")
        # Only a task that may have asked before needs to tell a new run from one that was deleted.
        record = self._read(run_id, uuid, grace=VISIBLE_WITHIN if self._repeated else 0.0)
        if record is None:
            return (with_status(answer, "DELETED"), False) if self._repeated else (answer, True)
        if record.get("tags") and not is_run_of(attempt, record):
            self._remember(attempt, None)
            raise OmicsRequestError(
                f"StartRun answered with run {run_id}, which carries the tags of another task: the token "
                f"{attempt.token} is in use elsewhere. Set [omics] deployment where several Airflows share "
                "an AWS account.",
                run_id=run_id,
            )
        made = record.get("creationTime")
        if made and parse_time(made).timestamp() < asked_at + self.hook.clock_skew - _CLOCK_MARGIN:
            self._log.info("StartRun answered with HealthOmics run %s of an earlier attempt.", run_id)
            return record, False
        return answer, True

    # -- calling -----------------------------------------------------------------------------------------

    @property
    def hook(self) -> OmicsHook:
        """The hook that the calls are made with."""
        if self._hook is None:
            self._hook = self._make_hook()
        return self._hook

    def _patiently(self, call: Callable[[OmicsHook], T], operation: str) -> T:
        patience = _Patience(operation, self._log)
        while True:
            try:
                return call(self.hook)
            except Exception as error:
                fault = fault_of(error)
                if fault is None:
                    raise
                patience.wait_out(fault, error)
                if fault.kind is FaultKind.CREDENTIALS:
                    self._hook = None


class _Patience:
    """How long one call is repeated, and when that is said."""

    def __init__(self, operation: str, log: Any) -> None:
        self._operation = operation
        self._log = log
        self._began = time.time()
        self._tries = 0
        self._told_at = 0.0

    def wait_out(self, fault: Fault, error: Exception) -> None:
        """Sleep before the next try, or raise when this fault does not pass or has lasted too long."""
        now = time.time()
        passes = fault.kind in (FaultKind.WEATHER, FaultKind.CREDENTIALS)
        longest = THROTTLED_PATIENCE if fault.throttled else PATIENCE
        if not passes or now - self._began > longest:
            raise _error_of(fault, self._operation) from error
        if now - self._told_at >= _NEWS_EVERY:
            self._told_at = now
            self._log.info("%s is repeated until it passes: %s", self._operation, fault.message)
        self._tries += 1
        time.sleep(backoff(self._tries))


def _error_of(fault: Fault, operation: str) -> OmicsError:
    from airflow_omics.exceptions import OmicsAccessError, OmicsRunNotFoundError

    classes: dict[FaultKind, type[OmicsError]] = {
        FaultKind.DENIED: OmicsAccessError,
        FaultKind.CREDENTIALS: OmicsAccessError,
        FaultKind.REFUSED: OmicsRequestError,
        FaultKind.NOT_FOUND: OmicsRunNotFoundError if operation == "GetRun" else OmicsRequestError,
    }
    return classes.get(fault.kind, OmicsError)(fault.message)
