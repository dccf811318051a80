"""The operator that reads one batch of runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from airflow_omics._compat import BaseOperator, Context
from airflow_omics._resource import BATCH
from airflow_omics._task.base import RunTaskMixin
from airflow_omics._task.checks import check_fields
from airflow_omics._task.publishing import PublishingMixin
from airflow_omics.records import BatchRecord, narrow


class OmicsGetBatchOperator(PublishingMixin, RunTaskMixin, BaseOperator):
    """Read one HealthOmics batch of runs, by one GetBatch, and return its record.

    It reads and does not judge: the record of a FAILED batch is an answer, not an error. If the batch has
    ended and its counts add up, the record has ``outcome``: how many members completed, failed, were
    cancelled, were deleted and were not started. Counts of a batch that goes on lag behind.

    :param batch_id: a batch id (text or int), a batch ARN, or a record that holds ``id``, such as the output
        of the task that started the batch. Templated.
    :param record_fields: members of the record to return; ``id`` and ``status`` always stay. None returns
        all of them, ``defaultRunSetting`` and its parameters among them.
    :param aws_conn_id: id of an Airflow connection of type ``aws``. Templated.
    :param region_name: AWS Region; without it the Region of the batch's ARN, then the connection's.
        Templated.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle. Templated.
    :param botocore_config: keyword arguments of ``botocore.config.Config``.
    :return: the :class:`~airflow_omics.records.BatchRecord`, in XCom as ``return_value``.
    :raises ValueError: while parsing, for an argument that can't be right.
    :raises OmicsBatchNotFoundError: HealthOmics does not know the batch.
    :raises OmicsBatchDeletedError: the id of the record given as ``batch_id`` belongs to another batch now.
    :raises OmicsAccessError: AWS denied the call, or no credentials worked for five minutes.
    :raises OmicsRequestError: a value is wrong, AWS refused it, or botocore does not know batches.

    Needs the IAM action ``omics:GetBatch``.
    Batches need botocore 1.42.74 (with aiobotocore 3.4.0); with an older one it fails as it runs.
    See https://docs.aws.amazon.com/omics/latest/api/API_GetBatch.html
    """

    template_fields: Sequence[str] = ("batch_id", "aws_conn_id", "region_name", "verify")
    resource = BATCH
    ui_color = "#e8f4ee"

    def __init__(
        self,
        *,
        batch_id: Any,
        record_fields: Collection[str] | None = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.batch_id = batch_id
        self.record_fields = check_fields("record_fields", record_fields, "['status', 'outcome']")
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self._check_aws_arguments()
        self._check_target()

    def execute(self, context: Context) -> BatchRecord:
        """Read the batch and return its record."""
        from airflow_omics._batches.judge import with_outcome
        from airflow_omics.hooks.retrying import with_retries

        target = self._target()
        hook = self._make_hook(target)
        # A transient error is raised as it came: Airflow retries it, and botocore's text is the known one.
        record = with_retries(
            lambda: hook.get_batch(target.id), hook=hook, target=target, transient=0.0, log=self.log
        )
        self.log.info("%s", BATCH.sentence(self._checked(target, record)))
        narrowed = narrow(with_outcome(record), self.record_fields)
        self._publish(narrowed, context)
        return narrowed
