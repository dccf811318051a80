"""The sensor that waits for an AWS HealthOmics run to end."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_omics import _clock
from airflow_omics._compat import (
    conf,
)
from airflow_omics._task.checks import (
    check_diagnose,
    check_fields,
    check_names,
    check_seconds,
    check_statuses,
    check_switch,
)
from airflow_omics._task.from_trigger import BACKSTOP
from airflow_omics._task.waiting_sensor import WaitingSensor
from airflow_omics.links import RUN_LINKS

if TYPE_CHECKING:
    from airflow.triggers.base import StartTriggerArgs

    from airflow_omics._waiting.wait import Wait


class OmicsRunSensor(WaitingSensor):
    """Wait until a HealthOmics run has ended, and leave its record in XCom.

    Every ending leaves the run's record in XCom as ``return_value``, also if the task then fails or is
    skipped. A run that ended badly fails the task without a retry, since it cannot change any more.

    :param run_id: a run id (text or int), a run ARN, or a record that holds ``id``, such as the output of
        the task that started the run. Templated.
    :param success_statuses: terminal statuses in which the task succeeds.
    :param skip_statuses: terminal statuses in which the task is skipped.
    :param export: what the record of an ended run also holds: ``["DEFINITION"]`` adds the workflow's
        definition.
    :param record_fields: members of the record that reach XCom; ``id`` and ``status`` always stay. None
        keeps all of them.
    :param diagnose: if the run ended badly, find out why, within 30 seconds, on a worker: the error's text
        is the report, and the diagnosis is the XCom ``diagnosis``, for notifiers and branches. What may not
        be read becomes a line of the report. ``"without logs"`` reads nothing of CloudWatch Logs: what
        programs print may name patients. ``[omics] log_tails`` may say so for all DAGs.
    :param deferrable: wait in the triggerer instead of in a worker, after one look; ``[operators]
        default_deferrable`` if it is not given. All waits of a triggerer share a few requests.
    :param start_from_trigger: begin in the triggerer, with no worker to look first; implies
        ``deferrable``. Needs Airflow 3.3 and arguments that a triggerer can resolve; a task that cannot
        begin there, or is mapped, defers from a worker, with one warning that says why.
    :param end_from_trigger: end in the triggerer, with no worker to end the task, if it succeeds or its run
        ended in one of ``skip_statuses``; implies ``deferrable``. A failure, or a skip instead of a failure
        by ``soft_fail`` or ``never_fail``, still goes to a worker. A task with something that only a worker
        does, such as ``outlets``, ends in one, with one warning that says why.
    :param aws_conn_id: id of an Airflow connection of type ``aws``. Templated.
    :param region_name: AWS Region; without it the Region of the run's ARN, then the connection's.
        Templated.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle. Templated.
    :param botocore_config: keyword arguments of ``botocore.config.Config``.
    :param poke_interval: seconds between two looks (60). Runs take at least ten minutes, so an interval
        below 30 gains nothing.
    :param timeout: seconds from the first look after which the sensor gives up, after one final GetRun;
        ``[sensors] default_timeout`` (7 days) if it is not given.
    :param soft_fail: skip instead of failing if the run ended badly or the sensor timed out.
    :param never_fail: skip whenever the task would fail.
    :param kwargs: every other argument of Airflow's sensors. ``silent_fail`` has no effect here: transient
        errors are retried anyway, and a terminal status or a refusal always ends the sensor.
    :return: the :class:`~airflow_omics.records.RunRecord`.
    :raises ValueError: while parsing, for an argument that can't be right.
    :raises OmicsRunError: the run ended in none of the statuses asked for.
    :raises AirflowSensorTimeout: the run was still active at ``timeout``.
    :raises OmicsAccessError: AWS denied the call, or no credentials worked for five minutes.
    :raises OmicsRequestError: a value is wrong, or AWS refused it.
    :raises OmicsRunNotFoundError: HealthOmics does not know the run, two minutes after the first look.

    Needs the IAM action ``omics:GetRun``; if it is deferrable, it uses ``omics:ListRuns`` if that is allowed.
    To find out why a run failed it uses ``omics:ListRunTasks``, ``omics:GetRunTask``, ``omics:GetRunGroup``
    and ``logs:GetLogEvents`` if they are allowed.
    See https://docs.aws.amazon.com/omics/latest/dev/monitoring-runs.html
    """

    template_fields: Sequence[str] = ("run_id", "aws_conn_id", "region_name", "verify")
    operator_extra_links = RUN_LINKS
    ui_color = "#e8f4ee"

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
            warning = self._step_into_triggerer(start_from_trigger, end_from_trigger)
            if warning:
                # In this module: Airflow adjusts stacklevel here only, to skip its own frames.
                warnings.warn(warning, UserWarning, stacklevel=2)

    def _defer(self, wait: Wait) -> NoReturn:
        from airflow_omics.triggers import OmicsRunTrigger

        trigger = OmicsRunTrigger.of_wait(wait, self._aws_arguments(wait.target), **self._trigger_arguments())
        # The trigger ends at its own deadline, and then this sensor decides. Airflow's timeout would bypass
        # both; it is only for a trigger that the triggerer itself has lost.
        backstop = datetime.timedelta(seconds=max(0.0, wait.timeout_at - _clock.time()) + BACKSTOP)
        self.defer(trigger=trigger, method_name="execute_complete", timeout=backstop)
        raise AssertionError("defer does not return")

    def _start_arguments(self) -> StartTriggerArgs:
        """Return what Airflow starts the trigger with if no worker does; the triggerer renders templates."""
        from airflow.triggers.base import StartTriggerArgs

        from airflow_omics._connection import AwsArguments

        as_given = AwsArguments(self.aws_conn_id, self.region_name, self.verify, self.botocore_config)
        # Airflow stores these in the DAG, and a triggerer reads a copy of the DAG for each gate in it: so the
        # trigger's defaults stay out. A connection that is None is not the default, and must be stored.
        arguments = {**self._trigger_arguments(), **as_given.serialize()}.items()
        said = {name: value for name, value in arguments if value not in (None, []) or name == "aws_conn_id"}
        return StartTriggerArgs(
            trigger_cls="airflow_omics.triggers.OmicsRunTrigger",
            trigger_kwargs={"run_id": self.run_id, "timeout": self.timeout, **said},
            next_method="execute_complete",
            timeout=datetime.timedelta(seconds=self.timeout + BACKSTOP),
        )

    def _trigger_arguments(self) -> dict[str, Any]:
        # If the task's result is that of the whole DAG, Airflow pushes it in a special way, in a worker.
        ends_itself = self.end_from_trigger and not getattr(self, "returns_dag_result", False)
        return {
            "terminal_statuses": list(self._end_policy.named_statuses),
            "success_statuses": list(self.success_statuses) if ends_itself else [],
            "skip_statuses": list(self.skip_statuses) if ends_itself else [],
            "push_record": self.do_xcom_push,
            "poke_interval": self.poke_interval,
            "export": self.export and list(self.export),
            "record_fields": self.record_fields and list(self.record_fields),
        }
