"""One try of a start operator: find or start its run, wait for it, and make of its end what the DAG says."""

from __future__ import annotations

import functools
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from airflow_omics import _in_triggerer, exceptions
from airflow_omics._compat import AirflowTaskTimeout, Context
from airflow_omics._task import to_seconds, warn_of_short_interval
from airflow_omics.cancelling import cancel_run
from airflow_omics.connection import AwsArguments
from airflow_omics.hooks import OmicsHook
from airflow_omics.identity import RunTarget
from airflow_omics.links import persist_links
from airflow_omics.looker import Looker
from airflow_omics.outcome import ending_from_event
from airflow_omics.records import IDENTITY_KEYS, RunRecord, describe, narrow, sentence
from airflow_omics.starting.arguments import StartArguments
from airflow_omics.starting.attempt import Attempt, TaskKey, epoch_of
from airflow_omics.starting.kill import UnreadableStateError, is_killed, task_state
from airflow_omics.starting.memory import Memory
from airflow_omics.starting.starter import Started, Starter
from airflow_omics.starting.trigger import OmicsStartedRunTrigger
from airflow_omics.wait import LAST_LOOK_FAILED, Ending, RunWait

_FOREVER: Final = 10 * 365 * 24 * 3600.0  # seconds: no deadline of ours
_RESUME_WITHIN: Final = 60.0  # seconds before execution_timeout at which a deferred task is resumed, at most
# Seconds: a supervisor kills a worker that has not ended five seconds after it was told to.
_KILL_WITHIN: Final = 4.5


class StartedRun:
    """The run of one try of a task.

    :param operator: the ``OmicsStartRunOperator``, its templates rendered.
    :param context: the task's context.
    """

    def __init__(self, operator: Any, context: Context) -> None:
        from airflow_omics._compat import conf

        self._operator = operator
        self._log = operator.log
        self._ti: Any = context["ti"]
        self._context = context
        self._task = TaskKey(
            self._ti.dag_id,
            self._ti.run_id,
            self._ti.task_id,
            -1 if self._ti.map_index is None else self._ti.map_index,
            conf.get("omics", "deployment", fallback=""),
        )
        self._memory = Memory.of(context, self._log)
        self._links: Any = None
        self._starting: Attempt | None = None
        self._hook: OmicsHook | None = None
        self._target: RunTarget | None = None
        self._deadline, self._deadline_is = self._find_deadline()

    @functools.cached_property
    def _arguments(self) -> StartArguments:
        """What a run is started with; a task that resumes, and starts none, does not need it any more."""
        return StartArguments.of(self._operator, self._context)

    # -- the try -----------------------------------------------------------------------------------------

    def execute(self) -> RunRecord:
        """Find or start the run, wait for it, and return its record."""
        ti, operator = self._ti, self._operator
        _ = self._arguments  # what is wrong with them is said before any call
        if operator.wait_for_completion and not operator.deferrable:
            warn_of_short_interval(to_seconds(operator.poke_interval) or 0.0)
        epoch = epoch_of(ti.max_tries or 0, operator.retries or 0, self._memory.noted)
        self._memory.begin(epoch, ti.max_tries or 0, forget=operator.on_clear == "new")
        if (cleared := self._memory.run_of_cleared_wait) and operator.cancel_on_kill:
            self._log.info("The task was cleared while it waited for HealthOmics run %s.", cleared["id"])
            self._cancel(RunTarget.parse(cleared), confirm=False)
        first = Attempt(self._task, epoch if operator.on_clear == "new" else None, self._memory.generation)
        return self._go_on(first)

    def resume(self, event: Any, waited: Mapping[str, Any]) -> RunRecord:
        """Take the event of a trigger, and go on from what was known when the task was deferred.

        :param waited: what the task was deferred with.
        """
        self._memory.resume(waited.get("memory", {}))
        self._target = self._remembered_target()
        attempt = Attempt(self._task, waited.get("epoch"), int(waited.get("generation", 0)))
        self._deadline = waited.get("deadline", self._deadline)
        self._deadline_is = waited.get("deadline_is", self._deadline_is)
        ending = ending_from_event(event)
        if ending.record is not None:
            self._seen(ending.record)
        return self._settle(ending, attempt, bool(waited.get("was_stopping"))) or self._go_on(
            attempt.next_generation()
        )

    def _go_on(self, attempt: Attempt) -> RunRecord:
        while True:
            started = self._find_or_start(attempt)
            attempt, status = started.attempt, started.record.get("status")
            if status in self._operator.success_statuses:
                self._log.info("%s", sentence(started.record))
                return self._finish(started.record)
            # A run that is stopping may be one that an earlier try cancelled: its end decides.
            was_stopping = status == "STOPPING" and not started.is_new
            if not self._operator.wait_for_completion and not was_stopping:
                return self._finish(started.record)
            ending = self._wait(started, was_stopping)
            if (record := self._settle(ending, attempt, was_stopping)) is not None:
                return record
            attempt = attempt.next_generation()

    def _find_or_start(self, attempt: Attempt) -> Started:
        starter = Starter(
            self._make_hook,
            self._make_request,
            success_statuses=self._operator.success_statuses,
            repeated=self._ti.try_number > 1,
            remembered=self._memory.run,
            remember=lambda attempt, record: self._memory.note_run(
                attempt, record, waiting=self._operator.wait_for_completion
            ),
            ended=self._memory.note_end,
            log=self._log,
        )
        self._starting, self._target = attempt, None
        try:
            started = starter.find_or_start(attempt)
        finally:
            self._hook = starter.hook
        self._target = self._remembered_target()
        self._seen(started.record)
        if started.is_new:
            self._log.info("Started HealthOmics run %s.", started.record.get("id"))
        return started

    def _remembered_target(self) -> RunTarget | None:
        known = {key: self._memory.run[key] for key in IDENTITY_KEYS if self._memory.run.get(key)}
        return RunTarget.parse(known) if known else None

    def _wait(self, started: Started, was_stopping: bool) -> Ending:
        target, operator = self._target, self._operator
        assert target is not None
        wait = RunWait(
            target,
            started_at=time.time(),
            timeout_at=self._deadline,
            terminal_statuses=operator.success_statuses,
        )
        looker = Looker(wait, self._make_hook, None, self._log)
        while True:
            ending = looker.look()
            if wait.record is not None:
                self._seen(wait.record)
            if ending is not None:
                return ending
            if operator.deferrable:
                self._defer(wait, started.attempt, was_stopping)
            time.sleep(wait.pause(to_seconds(operator.poke_interval) or 0.0, time.time()))

    def _defer(self, wait: RunWait, attempt: Attempt, was_stopping: bool) -> NoReturn:
        known: Mapping[str, Any] = wait.record or {}
        identity = {"id": wait.target.run_id, "uuid": wait.uuid, "arn": known.get("arn") or wait.target.arn}
        trigger = OmicsStartedRunTrigger(
            {key: value for key, value in identity.items() if value},
            task_key=self._task.serialize(),
            cancel_on_kill=self._operator.cancel_on_kill,
            on_clear=self._operator.on_clear,
            started_at=wait.started_at,
            timeout_at=wait.timeout_at,
            created=wait.created,
            hold_until=time.time() + _in_triggerer.HOLD,
            status=known.get("status"),
            terminal_statuses=self._operator.success_statuses,
            poke_interval=to_seconds(self._operator.poke_interval) or 0.0,
            record_fields=self._operator.record_fields,
            **self._aws_arguments.serialize(),
        )
        waited = {
            "epoch": attempt.epoch,
            "generation": attempt.generation,
            "was_stopping": was_stopping,
            "deadline": self._deadline,
            "deadline_is": self._deadline_is,
            "memory": self._memory.run,
        }
        # No timeout of Airflow's: it would end the task without what is known of the run, and without what
        # on_timeout says. The trigger has the deadline, also after an outage of all triggerers.
        self._operator.defer(trigger=trigger, method_name="execute_complete", kwargs={"waited": waited})
        raise AssertionError("defer does not return")

    # -- the end -----------------------------------------------------------------------------------------

    def _settle(self, ending: Ending, attempt: Attempt, was_stopping: bool) -> RunRecord | None:
        """Return the record where the task succeeds, None where another run is due, or raise."""
        if ending.outcome == "timeout":
            ending = self._time_out(ending)
        record = ending.record
        in_time = record is not None and record.get("status") in self._operator.success_statuses
        if record is None or (ending.outcome != "terminal" and not in_time):
            self._push(record)
            self._memory.note_wait_over()
            raise self._error_of(ending)
        if in_time:
            self._log.info("%s", ending.message)
            return self._finish(record)
        self._memory.note_end(attempt, record)
        if was_stopping:
            self._log.info("%s It was stopping when this try found it: a new run is started.", ending.message)
            return None
        if self._is_rerun(record):
            self._log.info("%s It is run again with other settings.", ending.message)
            return None
        self._push(record)
        self._memory.note_wait_over()
        raise self._failure_of(record, ending.message)

    def _time_out(self, ending: Ending) -> Ending:
        """Do as ``on_timeout`` says; return what the task ends with, the run's last record in it."""
        assert self._target is not None
        record, run_id = ending.record, self._target.run_id
        _, failed, why = ending.message.partition(LAST_LOOK_FAILED)
        if record is None:
            state = f"HealthOmics run {run_id} could not be read"
        elif failed:
            state = f"{describe(record, last_seen=True)}; it could not be read"
        else:
            state = describe(record)
        message = f"{state} at the task's {self._deadline_is}.{failed}{why}"
        if self._operator.on_timeout == "cancel":
            self._log.info("%s It is cancelled.", message)
            record = self._cancel(self._target, confirm=True) or record
            message += f" {sentence(record)}" if record else ""
        return ending._replace(record=record, message=message)

    def _finish(self, record: RunRecord) -> RunRecord:
        self._memory.note_wait_over()
        self._push_attempts(record)
        return narrow(record, self._operator.record_fields)

    def _error_of(self, ending: Ending) -> BaseException:
        run_id = self._target.run_id if self._target else None
        if ending.outcome == "timeout":
            if self._deadline_is == "execution_timeout":
                return AirflowTaskTimeout(ending.message)
            return exceptions.OmicsRunTimeoutError(ending.message, run_id=run_id, record=ending.record)
        error_class: type[exceptions.OmicsError] = getattr(exceptions, ending.error or "OmicsError")
        return error_class(ending.message, run_id=run_id, record=ending.record)

    def _failure_of(self, record: RunRecord, message: str) -> exceptions.OmicsRunError:
        from airflow_omics.failures import CHANGE, classify

        diagnosis = None
        if self._operator.diagnose:
            diagnosis = self._operator._explain(record, message, self._context, self._target)
        error = exceptions.run_error(record, diagnosis.text if diagnosis else message)
        error.diagnosis, error.record = diagnosis, narrow(record, self._operator.record_fields)
        failure_class = classify(record).failure_class
        by_class = self._operator.retry_by_class or {}
        retry = by_class.get(failure_class, failure_class != CHANGE)
        return error if retry else exceptions.without_retry(error)

    def _is_rerun(self, record: RunRecord) -> bool:
        reruns = self._operator.rerun_with or {}
        reason = record.get("failureReason")
        if record.get("status") != "FAILED" or reason not in reruns:
            return False
        most: int = self._operator.max_reruns
        return len(self._changes()) <= most

    def _changes(self) -> list[Mapping[str, Any]]:
        """Return the changed settings that the runs ended so far lead to, first come first."""
        reruns = self._operator.rerun_with or {}
        reasons = [
            str(end.get("failureReason")) for end in self._memory.ends if end.get("status") == "FAILED"
        ]
        return [reruns[reason] for reason in reasons if reason in reruns]

    def _push(self, record: RunRecord | None) -> None:
        if record is not None and self._operator.do_xcom_push:
            self._ti.xcom_push(key="return_value", value=narrow(record, self._operator.record_fields))
            self._push_attempts(record)

    def _push_attempts(self, last: RunRecord) -> None:
        ends = [end for end in self._memory.ends if end.get("id") != last.get("id")]
        if ends and self._operator.do_xcom_push:
            own = {key: last[key] for key in ("id", "status", "failureReason") if last.get(key)}
            self._ti.xcom_push(key="attempts", value=[*ends, own])

    def _seen(self, record: RunRecord) -> None:
        self._links = persist_links(self._context, record, self._links)

    # -- killing -----------------------------------------------------------------------------------------

    def kill(self) -> None:
        """Cancel the run, if a person has ended the task; Airflow calls it while the task's process ends."""
        if isinstance(sys.exc_info()[1], AirflowTaskTimeout):
            # execution_timeout, and no kill: on_timeout decides, as it does while the task is deferred.
            if self._operator.on_timeout == "cancel":
                self._cancel_what_runs()
            return
        if not self._operator.cancel_on_kill:
            return
        # In a thread, for a while: this is a signal handler, and may have interrupted whoever holds the lock
        # of the way to the supervisor.
        worker = threading.Thread(target=self._cancel_if_killed, daemon=True)
        worker.start()
        worker.join(_KILL_WITHIN)

    def _cancel_if_killed(self) -> None:
        on_clear = self._operator.on_clear
        try:
            state = task_state(self._task)
        except UnreadableStateError as error:
            # A worker that has lost Airflow's API ends its tasks, too: nobody may have given this one up.
            self._log.warning(
                "HealthOmics run %s is not cancelled, since the task's state can't be read: %s",
                self._memory.run.get("id"),
                error,
            )
            return
        # The worker itself is told to stop, and no try comes after this one.
        is_over = state == "running" and on_clear == "new" and self._ti.try_number > (self._ti.max_tries or 0)
        if is_over or is_killed(state, on_clear):
            self._cancel_what_runs()
        else:
            self._log.info("The task is %s: its HealthOmics run goes on, for the next try.", state)

    def _cancel_what_runs(self) -> None:
        target = self._target or self._target_of_start()
        if target is not None:
            self._cancel(target, confirm=False)

    def _target_of_start(self) -> RunTarget | None:
        """Return the run of a start that has not come to its end: answered, perhaps, or not even that."""
        if self._starting is None:
            return None
        if self._memory.run.get("token") == self._starting.token and self._memory.run.get("id"):
            return self._remembered_target()
        starter = Starter(
            self._make_hook,
            self._make_request,
            success_statuses=(),
            repeated=True,
            remembered=None,
            remember=lambda attempt, record: None,
            ended=lambda attempt, record: None,
            log=self._log,
        )
        record = starter.look_up(self._starting)
        return None if record is None else RunTarget.parse({key: record.get(key) for key in IDENTITY_KEYS})

    def _cancel(self, target: RunTarget, *, confirm: bool) -> RunRecord | None:
        """Cancel a run; what stands in the way is logged."""
        # The client that started the run is quick to have, and may be hours old: where its credentials have
        # died, the next one reads the connection anew.
        at_hand = [self._hook] if self._hook else []
        try:
            record = cancel_run(
                lambda: at_hand.pop() if at_hand else self._make_hook(),
                target,
                confirm=confirm,
                patience=3600.0 if confirm else 20.0,
                poke_interval=30.0 if confirm else 1.0,
                log=self._log,
            )
        except Exception as error:
            self._log.warning("HealthOmics run %s could not be cancelled: %s", target.run_id, error)
            return None
        self._log.info("%s", sentence(record))
        return record

    # -- what is asked for -------------------------------------------------------------------------------

    def _make_hook(self) -> OmicsHook:
        hook: OmicsHook = self._operator._hook_of(self._aws_arguments)
        return hook

    @property
    def _aws_arguments(self) -> AwsArguments:
        operator = self._operator
        return AwsArguments(
            operator.aws_conn_id, operator.region_name, operator.verify, operator.botocore_config
        )

    def _make_request(self, attempt: Attempt) -> dict[str, Any]:
        return self._arguments.request(attempt, self._changes()[: self._operator.max_reruns])

    def _find_deadline(self) -> tuple[float, str | None]:
        """Return when waiting must end, and which argument says so."""
        operator, now = self._operator, time.time()
        deadlines: list[tuple[float, str | None]] = [(now + _FOREVER, None)]
        if (seconds := to_seconds(operator.wait_timeout)) is not None:
            deadlines.append((now + seconds, "wait_timeout"))
        if operator.deferrable and operator.execution_timeout is not None:
            # In a worker Airflow sees to it. Airflow 2.11 goes on counting while the task is deferred, and
            # ends one that resumes too late before it can cancel anything.
            began = self._ti.start_date.timestamp() if self._ti.start_date else now
            seconds = operator.execution_timeout.total_seconds()
            deadlines.append((began + seconds - min(_RESUME_WITHIN, seconds / 10), "execution_timeout"))
        return min(deadlines, key=lambda deadline: deadline[0])
