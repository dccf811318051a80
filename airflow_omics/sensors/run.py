"""The sensor that waits for an AWS HealthOmics run to end."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from airflow_omics._task.checks import check_limits, check_names, check_spans, limits_of
from airflow_omics._task.outlet_arguments import take_outlet_arguments
from airflow_omics.links import RUN_LINKS
from airflow_omics.sensors.deferring import DeferringSensor

if TYPE_CHECKING:
    from airflow_omics._identity import Target
    from airflow_omics._waiting.wait import Wait


class OmicsRunSensor(DeferringSensor):
    """Wait until a HealthOmics run has ended, and leave its record in XCom.

    Every ending leaves the run's record in XCom as ``return_value``, also if the task then fails or is
    skipped. A run that ended badly fails the task without a retry, since it cannot change any more.

    :param run_id: a run id (text or int), a run ARN, or a record that holds ``id``, such as the output of
        the task that started the run. Templated.
    :param success_statuses: terminal statuses in which the task succeeds.
    :param skip_statuses: terminal statuses in which the task is skipped.
    :param start_timeout: the longest time that the run may take from its creation until it is RUNNING, in
        seconds or as a timedelta; None for no limit. The sensor then ends as at ``timeout``, and the error
        says what the run waits for. A run that was PENDING before the sensor began counts from its creation.
    :param stuck_after: a warning in the log, once, if for so long no task of the run was made, started or
        stopped; in seconds or as a timedelta, and None for no warning. It changes nothing about the end. The
        tasks are listed every ten minutes, so it needs ``omics:ListRunTasks`` and ``[omics] progress``.
    :param export: what the record of an ended run also holds: ``["DEFINITION"]`` adds the workflow's
        definition.
    :param record_fields: members of the record that reach XCom; ``id`` and ``status`` always stay. None
        keeps all of them.
    :param asset_fields: members of the record that the event of each of the task's ``outlets`` has in its
        ``extra``, ``id`` by the name ``omics_id``; no parameters, no tags, and nothing that ``record_fields``
        leaves out. None for ``omics_id``, ``uuid``, ``arn``, ``status``, ``name``, ``runOutputUri``,
        ``workflowId``, ``workflowVersionName``, ``digest``, ``startTime`` and ``stopTime``.
    :param partition_outlets_by: a member of the record, such as ``"uuid"``, whose value is the partition of
        those events: a DAG with a ``PartitionedAssetTimetable`` then gets one DAG run for each run. Needs
        Airflow 3.3; an older one sends events without partitions, with one warning.
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
    :param soft_fail: skip instead of failing if the run ended badly or the sensor timed out, also by
        ``start_timeout``.
    :param never_fail: skip whenever the task would fail.
    :param kwargs: every other argument of Airflow's sensors. ``silent_fail`` has no effect here: transient
        errors are retried anyway, and a terminal status or a refusal always ends the sensor.
    :return: the :class:`~airflow_omics.records.RunRecord`.
    :raises ValueError: while parsing, for an argument that can't be right.
    :raises OmicsRunError: the run ended in none of the statuses asked for.
    :raises AirflowSensorTimeout: the run was still active at ``timeout``, or not RUNNING at
        ``start_timeout``.
    :raises OmicsAccessError: AWS denied the call, or no credentials worked for five minutes.
    :raises OmicsRequestError: a value is wrong, or AWS refused it.
    :raises OmicsRunNotFoundError: HealthOmics does not know the run, two minutes after the first look.

    Needs the IAM action ``omics:GetRun``; if it is deferrable, it uses ``omics:ListRuns`` if that is allowed.
    To find out why a run failed, or what it waits for, it uses ``omics:ListRunTasks``, ``omics:GetRunTask``,
    ``omics:GetRunGroup``, ``omics:ListRuns`` and ``logs:GetLogEvents`` if they are allowed.
    See https://docs.aws.amazon.com/omics/latest/dev/monitoring-runs.html
    """

    template_fields: Sequence[str] = ("run_id", "aws_conn_id", "region_name", "verify")
    operator_extra_links = RUN_LINKS
    trigger_name = "OmicsRunTrigger"
    ui_color = "#e8f4ee"

    def __init__(
        self,
        *,
        run_id: Any,
        success_statuses: Collection[str] = ("COMPLETED",),
        skip_statuses: Collection[str] = (),
        start_timeout: float | datetime.timedelta | None = None,
        stuck_after: float | datetime.timedelta | None = None,
        export: Collection[str] | None = None,
        record_fields: Collection[str] | None = None,
        asset_fields: Collection[str] | None = None,
        partition_outlets_by: str | None = None,
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
        check_limits({"start_timeout": start_timeout, "stuck_after": stuck_after}.get)
        check_spans(kwargs.get)
        super().__init__(**kwargs)
        check_spans(lambda name: getattr(self, name, None))  # of default_args, or Airflow's configuration
        self.run_id = run_id
        self._take(
            success_statuses=success_statuses,
            skip_statuses=skip_statuses,
            record_fields=record_fields,
            diagnose=diagnose,
        )
        self.start_timeout = start_timeout
        self.stuck_after = stuck_after
        self.export = check_names("export", export, "['DEFINITION']")
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        for warning in (
            take_outlet_arguments(self, asset_fields, partition_outlets_by),
            self._take_modes(deferrable, start_from_trigger, end_from_trigger),
        ):
            if warning:
                # In this module: Airflow adjusts stacklevel here only, to skip its own frames.
                warnings.warn(warning, UserWarning, stacklevel=2)

    def _trigger_arguments(self) -> dict[str, Any]:
        export = self.export and list(self.export)
        return {**super()._trigger_arguments(), **limits_of(self), "export": export}

    def _wait(self, target: Target, **arguments: Any) -> Wait:
        return super()._wait(target, **limits_of(self), **arguments)
