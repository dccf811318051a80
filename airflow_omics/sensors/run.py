"""The sensor that waits for an AWS HealthOmics run to end."""

from __future__ import annotations

import datetime
import importlib.util
import warnings
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from airflow_omics import _clock
from airflow_omics._compat import (
    AirflowRescheduleException,
    AirflowSkipException,
    BaseSensorOperator,
    Context,
    PokeReturnValue,
    TaskDeferralError,
    conf,
    first_reschedule_date,
)
from airflow_omics._identity import reduce_to_identity
from airflow_omics._task import from_trigger
from airflow_omics._task.base import (
    RunTaskMixin,
    check_diagnose,
    check_fields,
    check_names,
    check_seconds,
    check_statuses,
    check_switch,
    warn_of_short_interval,
)
from airflow_omics._task.from_trigger import BACKSTOP, StartArguments, why_not_end, why_not_start
from airflow_omics.links import RUN_LINKS, RunLinks, persist_links

if TYPE_CHECKING:
    from airflow.triggers.base import StartTriggerArgs

    from airflow_omics._connection import AwsArguments
    from airflow_omics._waiting.ending import EndPolicy
    from airflow_omics._waiting.poller import RunPoller
    from airflow_omics._waiting.run import Ending, RunWait
    from airflow_omics.diagnosis import Diagnosis
    from airflow_omics.records import RunRecord


class OmicsRunSensor(RunTaskMixin, BaseSensorOperator):
    """Wait until a HealthOmics run has ended, and leave its record in XCom.

    Every ending leaves the run's record in XCom as ``return_value``, also where the task then fails or is
    skipped. A run that ended badly fails the task without a retry, since it cannot change any more.

    :param run_id: a run id (text or int), a run ARN, or a record that holds ``id``, such as the output of
        the task that started the run. Templated.
    :param success_statuses: terminal statuses in which the task succeeds.
    :param skip_statuses: terminal statuses in which the task is skipped.
    :param export: what to export along once the run has ended: ``["DEFINITION"]`` adds the workflow's
        definition to the record.
    :param record_fields: members of the record that reach XCom; ``id`` and ``status`` always stay. None
        keeps all of them.
    :param diagnose: where the run ended badly, find out why, within 30 seconds, on a worker: the error's text
        is the report, and the diagnosis is the XCom ``diagnosis``, for notifiers and branches. What may not
        be read is a line of the report. ``"without logs"`` reads nothing of CloudWatch Logs: what programs
        print may name patients. ``[omics] log_tails`` may say so for all DAGs.
    :param deferrable: wait in the triggerer instead of in a worker, after one look; ``[operators]
        default_deferrable`` where it is not given. All waits of a triggerer share a few requests.
    :param start_from_trigger: begin in the triggerer, with no worker to look first; implies
        ``deferrable``. Needs Airflow 3.3 and arguments that a triggerer can resolve; a task that cannot
        begin there, or is mapped, defers from a worker, with one warning that says why.
    :param end_from_trigger: end in the triggerer, with no worker to end the task, where it succeeds or its
        run ended in one of ``skip_statuses``; implies ``deferrable``. Every failure, and every skip that
        would be one but for ``soft_fail`` or ``never_fail``, is brought to a worker. A task with something
        that only a worker does, such as ``outlets``, ends in one, with one warning that says why.
    :param aws_conn_id: id of an Airflow connection of type ``aws``. Templated.
    :param region_name: AWS Region; without it the Region of the run's ARN, then the connection's.
        Templated.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle. Templated.
    :param botocore_config: keyword arguments of ``botocore.config.Config``.
    :param poke_interval: seconds between two looks (60). Runs take at least ten minutes: a shorter
        interval than 30 finds nothing sooner that matters.
    :param timeout: seconds from the first look after which the sensor gives up, by one last look;
        ``[sensors] default_timeout`` (7 days) where it is not given.
    :param soft_fail: skip instead of failing where the run ended badly or the sensor timed out.
    :param never_fail: skip in every case in which the task would fail.
    :param kwargs: every other argument of Airflow's sensors. ``silent_fail`` has nothing to hide here: what
        passes is waited out anyway, and a terminal status or a refusal always ends the sensor.
    :return: the :class:`~airflow_omics.records.RunRecord`.
    :raises ValueError: while parsing, for an argument that can't be right.
    :raises OmicsRunError: the run ended in none of the statuses asked for.
    :raises AirflowSensorTimeout: the run was still active at ``timeout``.
    :raises OmicsAccessError: AWS denied the call, or no credentials worked for five minutes.
    :raises OmicsRequestError: a value is wrong, or AWS refused it.
    :raises OmicsRunNotFoundError: HealthOmics does not know the run, two minutes after the first look.

    Needs the IAM action ``omics:GetRun``; deferrable it uses ``omics:ListRuns`` where it may. To tell why a
    run failed it uses ``omics:ListRunTasks``, ``omics:GetRunTask``, ``omics:GetRunGroup`` and
    ``logs:GetLogEvents`` where it may.
    See https://docs.aws.amazon.com/omics/latest/dev/monitoring-runs.html
    """

    template_fields: Sequence[str] = ("run_id", "aws_conn_id", "region_name", "verify")
    operator_extra_links = RUN_LINKS
    ui_color = "#e8f4ee"
    start_trigger_args = StartArguments()

    def __init__(
        self,
        *,
        run_id: Any,
        success_statuses: Collection[str] = ("COMPLETED",),
        skip_statuses: Collection[str] = (),
        export: Collection[str] | None = None,
        record_fields: Collection[str] | None = None,
        diagnose: bool | str = True,
        deferrable: bool | None = None,
        start_from_trigger: bool = False,
        end_from_trigger: bool = False,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        for name in ("poke_interval", "timeout", "max_wait"):
            check_seconds(name, kwargs.get(name))
        super().__init__(**kwargs)
        for name in ("poke_interval", "timeout", "max_wait"):  # of default_args, or Airflow's configuration
            check_seconds(name, getattr(self, name, None))
        self.run_id = run_id
        self.success_statuses = check_statuses("success_statuses", success_statuses)
        self.skip_statuses = check_statuses("skip_statuses", skip_statuses)
        if not self.success_statuses:
            raise ValueError("success_statuses is empty, so the task could never succeed; name one status.")
        if both := sorted(set(self.success_statuses) & set(self.skip_statuses)):
            raise ValueError(
                f"{', '.join(both)} is in success_statuses and in skip_statuses; name it in one."
            )
        self.export = check_names("export", export, "['DEFINITION']")
        self.record_fields = check_fields("record_fields", record_fields, "['runOutputUri']")
        start_from_trigger = check_switch("start_from_trigger", start_from_trigger)
        end_from_trigger = check_switch("end_from_trigger", end_from_trigger)
        if deferrable is None:
            by_default = conf.getboolean("operators", "default_deferrable", fallback=False)
            deferrable = start_from_trigger or end_from_trigger or by_default
        self.deferrable = check_switch("deferrable", deferrable)
        self.diagnose = check_diagnose(diagnose)
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self._check_aws_arguments()
        self._check_run_id()
        self.start_from_trigger, self.end_from_trigger = False, False
        if start_from_trigger or end_from_trigger:
            self._step_into_triggerer(start_from_trigger, end_from_trigger)

    def execute(self, context: Context) -> RunRecord:
        """Wait for the run to end, sleeping, rescheduling or deferred between looks; return its record."""
        from airflow_omics._waiting.run import Ending
        from airflow_omics.exceptions import OmicsRequestError

        if self.deferrable:
            _check_async_client()
        elif not self.reschedule:
            warn_of_short_interval(self.poke_interval)
        try:
            wait = self._new_wait(context)
        except OmicsRequestError as error:
            return self._settle(Ending("error", None, str(error), "OmicsRequestError"), context)
        looker = self._poller(wait)
        looks = 0
        links: RunLinks | None = None
        while True:
            ending = looker.look()
            links = persist_links(context, wait.record, links)
            if ending is not None:
                return self._settle(ending, context, wait.target.run_id)
            if self.deferrable:
                self._defer(wait)
            looks += 1
            now = _clock.time()
            pause = wait.pause(self._interval(wait.started_at, looks), now)
            if self.reschedule and not wait.needs_memory:
                due = datetime.datetime.fromtimestamp(now + pause, tz=datetime.UTC)
                raise AirflowRescheduleException(due)  # type: ignore[no-untyped-call]
            _clock.sleep(pause)

    def execute_complete(self, context: Context, event: Any = None) -> RunRecord:
        """Take the trigger's event: return the record, skip or fail as in every other mode."""
        from airflow_omics._waiting.ending import ending_from_event

        ending = ending_from_event(event)
        persist_links(context, ending.record)
        return self._settle(ending, context, self._run_id_of(ending))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a deferral; Airflow's own version turns endings into skips, differently by version."""
        kwargs = next_kwargs or {}
        if next_method != "__fail__":
            return getattr(self, next_method)(context, **kwargs)
        reason = str(kwargs.get("error", "unknown"))
        if kwargs.get("traceback"):
            self.log.error("The trigger failed:\n%s", "\n".join(kwargs["traceback"]))
        if "timeout" in reason.lower():
            from airflow_omics._waiting.run import Ending

            run_id = self._run_id_of(None)
            message = f"HealthOmics run {run_id or 'unknown'}: deferred beyond the sensor's timeout."
            return self._settle(Ending("timeout", None, message), context, run_id)
        if self.never_fail:
            raise AirflowSkipException(f"Skipped, as never_fail is set: {reason}")
        raise TaskDeferralError(reason)

    def _run_id_of(self, ending: Ending | None) -> str | None:
        """Return which run was waited for; the argument, rendered anew, may name another by now, or none."""
        from airflow_omics.exceptions import OmicsRequestError

        if ending is not None and ending.record is not None:
            return ending.record.get("id")
        try:
            return self._target().run_id
        except OmicsRequestError:
            return None

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once: done with the record, not done, or raise as ``execute`` would.

        Airflow never calls this, since ``execute`` is the sensor's own; it is here for those who call a
        sensor's ``poke`` themselves, in a branch or a test.
        """
        wait = self._new_wait(context)
        ending = self._poller(wait).look()
        if ending is None:
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=self._settle(ending, context, wait.target.run_id))

    def _defer(self, wait: RunWait) -> None:
        from airflow_omics.triggers import OmicsRunTrigger

        known: RunRecord = wait.record or {}
        identity = {
            "id": wait.target.run_id,
            "uuid": wait.uuid,
            "arn": known.get("arn") or wait.target.arn,
        }
        trigger = OmicsRunTrigger(
            reduce_to_identity(identity),
            started_at=wait.started_at,
            timeout_at=wait.timeout_at,
            created=wait.created,
            hold_until=_clock.time() + from_trigger.HOLD,
            status=known.get("status"),
            **self._trigger_arguments(self._aws_arguments(wait.target)),
        )
        # The trigger ends by its own deadline, and then this sensor decides. Airflow's timeout would
        # bypass both; it only catches what the triggerer itself has lost.
        backstop = datetime.timedelta(seconds=max(0.0, wait.timeout_at - _clock.time()) + BACKSTOP)
        self.defer(trigger=trigger, method_name="execute_complete", timeout=backstop)

    def _start_arguments(self) -> StartTriggerArgs:
        """Return what Airflow starts the trigger with where no worker has; it renders the templates there."""
        from airflow.triggers.base import StartTriggerArgs

        from airflow_omics._connection import AwsArguments

        as_given = AwsArguments(self.aws_conn_id, self.region_name, self.verify, self.botocore_config)
        # Airflow stores these in the DAG, and a triggerer reads a copy of the DAG for each gate in it: what a
        # trigger takes for granted stays out. A connection that is None has to be said.
        arguments = self._trigger_arguments(as_given).items()
        said = {name: value for name, value in arguments if value not in (None, []) or name == "aws_conn_id"}
        return StartTriggerArgs(
            trigger_cls="airflow_omics.triggers.OmicsRunTrigger",
            trigger_kwargs={"run_id": self.run_id, "timeout": self.timeout, **said},
            next_method="execute_complete",
            timeout=datetime.timedelta(seconds=self.timeout + BACKSTOP),
        )

    def _trigger_arguments(self, aws_arguments: AwsArguments) -> dict[str, Any]:
        # Airflow has a worker push the result of a whole DAG in a way of its own.
        ends_itself = self.end_from_trigger and not getattr(self, "returns_dag_result", False)
        return {
            "terminal_statuses": list(self._end_policy.named_statuses),
            "success_statuses": list(self.success_statuses) if ends_itself else [],
            "skip_statuses": list(self.skip_statuses) if ends_itself else [],
            "push_record": self.do_xcom_push,
            "poke_interval": self.poke_interval,
            "export": self.export and list(self.export),
            "record_fields": self.record_fields and list(self.record_fields),
            **aws_arguments.serialize(),
        }

    def _step_into_triggerer(self, start: bool, end: bool) -> None:
        """Begin and end in the triggerer as far as that can be, and warn once of what cannot."""
        kept = []
        refused = None if self.deferrable else "deferrable=False is given"
        if start:
            reason = refused or why_not_start(self)
            self.start_from_trigger = reason is None
            if reason:
                kept.append(f"start_from_trigger ({reason})")
        if end:
            reason = refused or why_not_end(self)
            self.end_from_trigger = reason is None
            if reason:
                kept.append(f"end_from_trigger ({reason})")
        if kept:
            warnings.warn(
                f"Task {self.task_id!r} goes by way of a worker instead of {' and '.join(kept)}.",
                UserWarning,
                stacklevel=3,
            )

    @property
    def _end_policy(self) -> EndPolicy:
        from airflow_omics._waiting.ending import EndPolicy

        return EndPolicy(
            self.success_statuses, self.skip_statuses, self.soft_fail, self.never_fail, self.record_fields
        )

    def _settle(self, ending: Ending, context: Context, run_id: str | None = None) -> RunRecord:
        def push(record: RunRecord) -> None:
            ti: Any = context.get("ti")  # none where somebody's test calls execute()
            if self.do_xcom_push and ti is not None:
                ti.xcom_push(key="return_value", value=record)

        def explain(ending: Ending, skipped: bool) -> Diagnosis | None:
            return self._explain(ending.record or {}, ending.message, context, has_error=not skipped)

        record = self._end_policy.settle(ending, push, run_id, explain if self.diagnose else None)
        self.log.info("%s", ending.message)
        return record

    def _interval(self, started_at: float, looks: int) -> float:
        # Airflow doubles the interval with each look and overflows after about a thousand of them; sixty
        # doublings are more than any timeout.
        return self._get_next_poke_interval(started_at, lambda: _clock.time() - started_at, min(looks, 60))

    def _poller(self, wait: RunWait) -> RunPoller:
        from airflow_omics._waiting.poller import RunPoller

        return RunPoller(wait, lambda: self._make_hook(wait.target), self.export, self.log)

    def _new_wait(self, context: Context) -> RunWait:
        from airflow_omics._waiting.run import RunWait

        target = self._target()
        first = first_reschedule_date(context, self.retries) if self.reschedule else None
        self._region_is_told = first is not None  # by the process that looked first
        started_at = _clock.time() if first is None else first.timestamp()
        return RunWait(
            target,
            started_at=started_at,
            timeout_at=started_at + self.timeout,
            terminal_statuses=self._end_policy.named_statuses,
            looked_before=first is not None,
        )


def _check_async_client() -> None:
    if importlib.util.find_spec("aiobotocore") is None:
        from airflow_omics.exceptions import OmicsRequestError

        raise OmicsRequestError(
            "deferrable=True needs aiobotocore, on workers and triggerers: install "
            "'apache-airflow-providers-amazon[aiobotocore]', or set deferrable=False."
        )
