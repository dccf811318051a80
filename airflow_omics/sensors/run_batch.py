"""The sensor that waits for an AWS HealthOmics batch of runs to end."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, cast

from airflow_omics._outcome import Tolerance
from airflow_omics._resource import BATCH
from airflow_omics._task.checks import check_spans, check_tolerance
from airflow_omics._task.outlet_arguments import take_outlet_arguments
from airflow_omics.records import DELETED_BATCH_STATUSES, IDENTITY_KEYS
from airflow_omics.sensors.deferring import DeferringSensor

if TYPE_CHECKING:
    from airflow_omics._batches.judge import Judged
    from airflow_omics._compat import Context
    from airflow_omics._identity import Target
    from airflow_omics._waiting.batch import BatchWait
    from airflow_omics._waiting.ending import Explanation
    from airflow_omics._waiting.wait import Ending
    from airflow_omics.records import BatchRecord, RunRecord


class OmicsRunBatchSensor(DeferringSensor):
    """Wait until every run of a HealthOmics batch has ended, judge them, and leave the record in XCom.

    PROCESSED means that every run has ended, not that it ended well. So the task succeeds only if no more
    runs than are tolerated failed, were cancelled or deleted, or could not be started. Every ending leaves
    GetBatch's record in XCom as ``return_value``, also if the task then fails or is skipped. It has two more
    members: ``outcome``, how many runs ended in which way (``total``, ``completed``, ``failed``,
    ``cancelled``, ``deleted``, ``notStarted``); and ``failures``, why, if runs ended badly. If the batch or
    its runs were deleted, it has neither. What ended badly fails the task without a retry.

    :param batch_id: a batch id (text or int), a batch ARN, or a record that holds ``id``, such as the output
        of the task that started the batch. Templated.
    :param max_failures: how many runs may end badly. With ``max_failure_ratio``, more than either is too
        many; 0, if the ratio is given, is no limit of its own.
    :param max_failure_ratio: which share of all runs may end badly, from 0 to 1; None for no such limit.
    :param success_statuses: terminal statuses in which the task succeeds, if what ended badly is tolerated.
    :param skip_statuses: terminal statuses in which the task is skipped.
    :param record_fields: members of the record that reach XCom, ``outcome`` and ``failures`` among them;
        ``id`` and ``status`` always stay. None keeps all of them, also ``defaultRunSetting``, which holds the
        parameters that the runs share.
    :param asset_fields: members of the record that the event of each of the task's ``outlets`` has in its
        ``extra``, ``id`` by the name ``omics_id``; no parameters, no tags, and nothing that ``record_fields``
        leaves out. None for ``omics_id``, ``uuid``, ``arn``, ``status``, ``name``, ``totalRuns``,
        ``completed``, ``failed``, ``cancelled``, ``deleted`` and ``notStarted`` of ``outcome``,
        ``membersUri``, ``creationTime`` and ``processedTime``.
    :param partition_outlets_by: a member of the record, such as ``"uuid"``, whose value is the partition of
        those events: a DAG with a ``PartitionedAssetTimetable`` then gets one DAG run for each batch. Needs
        Airflow 3.3; an older one sends events without partitions, with one warning.
    :param diagnose: if runs ended badly, find out why, on a worker: the error's text is a report by reason.
        ``"without logs"`` reads nothing of CloudWatch Logs: what programs print may name patients.
    :param deferrable: wait in the triggerer instead of in a worker, after one look; ``[operators]
        default_deferrable`` if it is not given. It takes one GetBatch an interval, however many runs there
        are.
    :param start_from_trigger: begin in the triggerer, with no worker to look first; as for
        :class:`~airflow_omics.sensors.OmicsRunSensor`.
    :param end_from_trigger: end in the triggerer, with no worker to end the task, if every run completed; as
        for :class:`~airflow_omics.sensors.OmicsRunSensor`. If a run ended badly, the task ends in a worker.
    :param aws_conn_id: id of an Airflow connection of type ``aws``. Templated.
    :param region_name: AWS Region; without it the Region of the batch's ARN, then the connection's.
        Templated.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle. Templated.
    :param botocore_config: keyword arguments of ``botocore.config.Config``.
    :param poke_interval: seconds between two looks (60).
    :param timeout: seconds from the first look after which the sensor gives up, after one final GetBatch;
        ``[sensors] default_timeout`` (7 days) if it is not given.
    :param soft_fail: skip instead of failing if the batch ended badly or the sensor timed out.
    :param never_fail: skip whenever the task would fail.
    :param kwargs: every other argument of Airflow's sensors; ``silent_fail`` has no effect here.
    :return: the :class:`~airflow_omics.records.BatchRecord`.
    :raises ValueError: while parsing, for an argument that can't be right.
    :raises OmicsBatchMembersFailedError: more runs ended badly than are tolerated.
    :raises OmicsBatchError: the batch ended in none of the statuses asked for: OmicsBatchFailedError,
        OmicsBatchCancelledError, OmicsBatchDeletedError.
    :raises AirflowSensorTimeout: the batch was still active at ``timeout``.
    :raises OmicsAccessError: AWS denied a call, or no credentials worked for five minutes.
    :raises OmicsRequestError: a value is wrong, or AWS refused it; or the installed botocore does not know
        batches, which need 1.42.74 and aiobotocore 3.4.0.
    :raises OmicsBatchNotFoundError: HealthOmics does not know the batch, two minutes after the first look.

    Needs the IAM action ``omics:GetBatch``, and ``omics:ListRuns`` if GetBatch's counts do not say how the
    runs ended.
    See https://docs.aws.amazon.com/omics/latest/dev/workflows-batch.html
    """

    template_fields: Sequence[str] = ("batch_id", "aws_conn_id", "region_name", "verify")
    ui_color = "#e8f4ee"
    resource = BATCH
    trigger_name = "OmicsRunBatchTrigger"
    result_member = "outcome"

    def __init__(
        self,
        *,
        batch_id: Any,
        max_failures: int = 0,
        max_failure_ratio: float | None = None,
        success_statuses: Collection[str] = ("PROCESSED",),
        skip_statuses: Collection[str] = (),
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
        check_spans(kwargs.get)
        super().__init__(**kwargs)
        check_spans(lambda name: getattr(self, name, None))  # of default_args, or Airflow's configuration
        self.batch_id = batch_id
        self.max_failures, self.max_failure_ratio = check_tolerance(max_failures, max_failure_ratio)
        self._take(
            success_statuses=success_statuses,
            skip_statuses=skip_statuses,
            record_fields=record_fields,
            diagnose=diagnose,
        )
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

    if TYPE_CHECKING:  # what it returns is of another type than a run's sensor returns

        def execute(self, context: Context) -> BatchRecord:  # type: ignore[override]
            """Wait for the end, and return the batch's record."""

        def execute_complete(self, context: Context, event: Any = None) -> BatchRecord:  # type: ignore[override]
            """Take the trigger's event, and return the batch's record."""

    @property
    def _tolerance(self) -> Tolerance:
        return Tolerance(self.max_failures, self.max_failure_ratio)

    def _wait(self, target: Target, **arguments: Any) -> BatchWait:
        from airflow_omics._waiting.batch import BatchWait

        return BatchWait(target, tolerance=self._tolerance, **arguments)

    def _trigger_arguments(self) -> dict[str, Any]:
        return {**super()._trigger_arguments(), **self._tolerance._asdict()}

    def _judged(
        self, ending: Ending, context: Context
    ) -> tuple[Ending, Callable[[Ending, bool], Explanation | None] | None]:
        """Return the ending with the outcome of the runs; one that is not tolerated is no success."""
        from airflow_omics.exceptions import OmicsError

        record = ending.record
        if ending.outcome != "terminal" or record is None or record["status"] in DELETED_BATCH_STATUSES:
            return ending, None
        try:
            judged = self._judge(cast("BatchRecord", record))
        except OmicsError as error:
            # How the runs ended could not be read, so nobody may take it for a success or skip it softly.
            name: Any = type(error).__name__
            return ending._replace(outcome="error", message=str(error), error=name, kind=error.kind), None
        ending = ending._replace(record=cast("RunRecord", judged.record))
        if record["status"] in self.success_statuses and not judged.is_tolerated:
            ending = ending._replace(error="OmicsBatchMembersFailedError")
        return ending, lambda ending, skipped: _Report(judged.report)

    def _judge(self, record: BatchRecord) -> Judged:
        from airflow_omics._batches.judge import count_members, judged
        from airflow_omics._identity import Target

        # The argument, rendered again after a deferral, may name another batch by now.
        named = {key: value for key, value in record.items() if key in IDENTITY_KEYS}
        hook = self._make_hook(Target.parse(named, self.resource))
        judgement = judged(record, hook, tolerance=self._tolerance, diagnose=self.diagnose, log=self.log)
        count_members(judgement.outcome)
        return judgement


class _Report:
    """The report on a batch's runs, as the text of an error."""

    def __init__(self, text: str) -> None:
        self.error_text = text
