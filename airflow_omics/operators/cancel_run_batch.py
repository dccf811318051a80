"""The operator that cancels one batch of runs."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from typing import Any

from airflow_omics._compat import BaseOperator, Context
from airflow_omics._resource import BATCH
from airflow_omics._task.base import RunTaskMixin
from airflow_omics._task.checks import check_fields, check_seconds, check_switch, to_seconds
from airflow_omics.records import BatchRecord, narrow


class OmicsCancelRunBatchOperator(RunTaskMixin, BaseOperator):
    """Cancel a HealthOmics batch and every run of it that goes on, confirm it, and return its record.

    A batch that has ended already is left alone, and its record is returned: look at its ``status``. The runs
    that the batch could not cancel, and those that a FAILED batch has left behind, are cancelled one by one.
    These calls use the account's quota of CancelRun and GetRun, at most ``[omics] requests_per_second``.
    What a cancelled run has computed is lost: HealthOmics exports none of its outputs.

    :param batch_id: a batch id (text or int), a batch ARN, or a record that holds ``id``, such as the output
        of the task that started the batch. A record identifies the batch by ``uuid``,
        so another batch that later received the id is never cancelled, and a batch that is gone is returned
        as DELETED. Templated.
    :param wait_for_completion: wait, in the worker, until the batch has ended and no run of it goes on;
        usually a few minutes. False returns the record as it is right after HealthOmics has accepted the
        request.
    :param poke_interval: seconds between two looks (30), as a number or a timedelta.
    :param wait_timeout: seconds for all of it (3600), as a number or a timedelta; None waits without limit.
    :param record_fields: members of the record to return; ``id`` and ``status`` always stay. None returns
        all of them, ``defaultRunSetting`` and its parameters among them.
    :param aws_conn_id: id of an Airflow connection of type ``aws``. Templated.
    :param region_name: AWS Region; without it the Region of the batch's ARN, then the connection's.
        Templated.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle. Templated.
    :param botocore_config: keyword arguments of ``botocore.config.Config``.
    :return: the :class:`~airflow_omics.records.BatchRecord`, with ``outcome`` if its counts tell one, in
        XCom as ``return_value``.
    :raises ValueError: while parsing, for an argument that can't be right.
    :raises OmicsBatchNotFoundError: HealthOmics does not know the batch for two minutes, and ``batch_id`` was
        not a record.
    :raises OmicsAccessError: AWS denied a call, or no credentials worked for five minutes.
    :raises OmicsRequestError: a value is wrong, AWS refused to cancel a batch that goes on, or botocore does
        not know batches.
    :raises OmicsError: the batch, or a run of it, goes on after ``wait_timeout``. A retry goes on from there.

    Needs the IAM actions ``omics:GetBatch`` and ``omics:CancelRunBatch``; and for runs one by one
    ``omics:ListRuns``, ``omics:ListRunsInBatch``, ``omics:GetRun`` and ``omics:CancelRun``.
    Batches need botocore 1.42.74 (with aiobotocore 3.4.0); with an older one it fails as it runs.
    See https://docs.aws.amazon.com/omics/latest/api/API_CancelRunBatch.html
    """

    template_fields: Sequence[str] = ("batch_id", "aws_conn_id", "region_name", "verify")
    resource = BATCH
    ui_color = "#f4e8e8"

    def __init__(
        self,
        *,
        batch_id: Any,
        wait_for_completion: bool = True,
        poke_interval: float | datetime.timedelta = 30.0,
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
        self.wait_for_completion = check_switch("wait_for_completion", wait_for_completion)
        self.poke_interval = poke_interval
        self.wait_timeout = wait_timeout
        self.record_fields = check_fields("record_fields", record_fields, "['status', 'outcome']")
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self._check_aws_arguments()
        self._check_target()

    def execute(self, context: Context) -> BatchRecord:
        """Cancel the batch, wait for its end, and return its record."""
        from airflow_omics._batches.judge import with_outcome
        from airflow_omics._steering.cancel_batch import cancel_run_batch

        target = self._target()
        record = cancel_run_batch(
            lambda: self._make_hook(target),
            target,
            confirm=self.wait_for_completion,
            within=to_seconds(self.wait_timeout),
            poke_interval=to_seconds(self.poke_interval) or 0.0,
            log=self.log,
        )
        self.log.info("%s", BATCH.sentence(record))
        return narrow(with_outcome(record), self.record_fields)
