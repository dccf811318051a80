"""The operator that deletes the runs of a batch, and the batch itself."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from typing import Any

from airflow_omics._compat import BaseOperator, Context
from airflow_omics._resource import BATCH
from airflow_omics._task.base import RunTaskMixin
from airflow_omics._task.checks import check_fields, check_seconds, check_switch, to_seconds
from airflow_omics.records import BatchRecord, narrow


class OmicsDeleteRunBatchOperator(RunTaskMixin, BaseOperator):
    """Delete what HealthOmics stores of the runs of a batch that has ended, and of the batch itself.

    It makes room for more runs, since an account may store only so many. Outputs in S3 and logs in CloudWatch
    stay, and so does the file of run settings.

    The runs that the batch could not delete, and those of a batch that is FAILED, are deleted one by one, at
    most ``[omics] requests_per_second``. What is gone already is done, so the retry of a task whose worker
    died succeeds. If ``batch_id`` is not a record, the log warns that the batch may never have existed.

    :param batch_id: a batch id (text or int), a batch ARN, or a record that holds ``id``, such as the output
        of the task that started the batch. A record identifies the batch by ``uuid``,
        so another batch that later received the id is never deleted. Templated.
    :param runs: whether the batch's runs are deleted.
    :param batch: whether the batch's own record is deleted, after the runs. Without ``runs``, the runs stay.
    :param poke_interval: seconds between two looks (5), as a number or a timedelta.
    :param wait_timeout: seconds for all of it (3600), as a number or a timedelta; None waits without limit.
    :param record_fields: members of the record to return; ``id`` and ``status`` always stay. None returns
        all of them, ``defaultRunSetting`` and its parameters among them.
    :param aws_conn_id: id of an Airflow connection of type ``aws``. Templated.
    :param region_name: AWS Region; without it the Region of the batch's ARN, then the connection's.
        Templated.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle. Templated.
    :param botocore_config: keyword arguments of ``botocore.config.Config``.
    :return: the last :class:`~airflow_omics.records.BatchRecord`, in XCom as ``return_value``. Its ``status``
        is RUNS_DELETED after the runs (RUNS_DELETE_FAILED or FAILED if they were deleted one by one), DELETED
        after the batch. For a batch that was gone already, only the members that ``batch_id`` gave.
    :raises ValueError: while parsing, for an argument that can't be right.
    :raises OmicsRequestError: the batch, or a run of it, has not ended (cancel it or wait for it first), a
        value is wrong, AWS refused it, or botocore does not know batches.
    :raises OmicsAccessError: AWS denied a call, or no credentials worked for five minutes.
    :raises OmicsError: they are still there after ``wait_timeout``. A retry goes on from there.

    Needs the IAM action ``omics:GetBatch``; ``omics:DeleteRunBatch`` for ``runs`` and ``omics:DeleteBatch``
    for ``batch``; and for runs one by one ``omics:ListRuns``, ``omics:GetRun`` and ``omics:DeleteRun``.
    Batches need botocore 1.42.74 (with aiobotocore 3.4.0); with an older one it fails as it runs.
    See https://docs.aws.amazon.com/omics/latest/api/API_DeleteRunBatch.html
    """

    template_fields: Sequence[str] = ("batch_id", "aws_conn_id", "region_name", "verify")
    resource = BATCH
    ui_color = "#f4e8e8"

    def __init__(
        self,
        *,
        batch_id: Any,
        runs: bool = True,
        batch: bool = False,
        poke_interval: float | datetime.timedelta = 5.0,
        wait_timeout: float | datetime.timedelta | None = 3600.0,
        record_fields: Collection[str] | None = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        check_seconds("poke_interval", poke_interval, required=True)
        check_seconds("wait_timeout", wait_timeout)
        super().__init__(**kwargs)
        self.batch_id = batch_id
        self.runs = check_switch("runs", runs)
        self.batch = check_switch("batch", batch)
        if not runs and not batch:
            raise ValueError(
                "runs and batch are both False, so there is nothing to delete; give one as True."
            )
        self.poke_interval = poke_interval
        self.wait_timeout = wait_timeout
        self.record_fields = check_fields("record_fields", record_fields, "['status']")
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self._check_aws_arguments()
        self._check_target()

    def execute(self, context: Context) -> BatchRecord:
        """Delete the runs, the batch or both, confirm that they are gone, and return the last record."""
        from airflow_omics._steering.delete_batch import delete_run_batch

        target = self._target()
        record = delete_run_batch(
            lambda: self._make_hook(target),
            target,
            runs=self.runs,
            batch=self.batch,
            within=to_seconds(self.wait_timeout),
            poke_interval=to_seconds(self.poke_interval) or 0.0,
            log=self.log,
        )
        self.log.info("%s", BATCH.sentence(record))
        return narrow(record, self.record_fields)
