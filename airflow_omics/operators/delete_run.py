"""The operator that deletes one run's metadata."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from typing import Any

from airflow_omics._compat import BaseOperator, Context
from airflow_omics._task.base import RunTaskMixin
from airflow_omics._task.checks import check_fields, check_seconds, to_seconds
from airflow_omics.links import RUN_LINKS, RunLinks, persist_links
from airflow_omics.records import RunRecord, narrow


class OmicsDeleteRunOperator(RunTaskMixin, BaseOperator):
    """Delete what HealthOmics stores of a run that has ended, confirm it, and return its last record.

    It makes room for one more run, since an account may store only so many. Outputs in S3 and logs in
    CloudWatch stay; from then on, another run may receive the id.

    A run that HealthOmics does not know counts as deleted, so the retry of a task whose worker died succeeds.
    If ``run_id`` is not a record, the log warns that the run may never have existed.

    :param run_id: a run id (text or int), a run ARN, or a record that holds ``id``, such as the output of
        the task that started the run. A record identifies the run by ``uuid``, so another run that later
        received the id is never deleted. Templated.
    :param poke_interval: seconds between two looks at whether it is gone (5), as a number or a timedelta.
    :param wait_timeout: seconds for all of it (600), as a number or a timedelta; None waits without limit.
    :param record_fields: members of the record to return; ``id`` and ``status`` always stay. None
        returns all of them.
    :param aws_conn_id: id of an Airflow connection of type ``aws``. Templated.
    :param region_name: AWS Region; without it the Region of the run's ARN, then the connection's.
        Templated.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle. Templated.
    :param botocore_config: keyword arguments of ``botocore.config.Config``.
    :return: the last :class:`~airflow_omics.records.RunRecord` with ``status`` set to DELETED, in XCom as
        ``return_value``; for a run that was gone already, only the members that ``run_id`` gave.
    :raises ValueError: while parsing, for an argument that can't be right.
    :raises OmicsRequestError: the run has not ended (cancel it or wait for it first), a value is wrong, or
        AWS refused it.
    :raises OmicsAccessError: AWS denied a call, or no credentials worked for five minutes.
    :raises OmicsError: the run is still there after ``wait_timeout``. A retry goes on from there.

    Needs the IAM actions ``omics:GetRun`` and ``omics:DeleteRun``.
    See https://docs.aws.amazon.com/omics/latest/api/API_DeleteRun.html
    """

    template_fields: Sequence[str] = ("run_id", "aws_conn_id", "region_name", "verify")
    operator_extra_links = RUN_LINKS
    ui_color = "#f4e8e8"

    def __init__(
        self,
        *,
        run_id: Any,
        poke_interval: float | datetime.timedelta = 5.0,
        wait_timeout: float | datetime.timedelta | None = 600.0,
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
        self.run_id = run_id
        self.poke_interval = poke_interval
        self.wait_timeout = wait_timeout
        self.record_fields = check_fields("record_fields", record_fields, "['runOutputUri']")
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self._check_aws_arguments()
        self._check_target()

    def execute(self, context: Context) -> RunRecord:
        """Delete the run's metadata, confirm that it is gone, and return its last record."""
        from airflow_omics._steering.delete import delete_run

        target = self._target()
        links: RunLinks | None = None

        def seen(record: RunRecord) -> None:
            nonlocal links
            links = persist_links(context, record, links)

        record = delete_run(
            lambda: self._make_hook(target),
            target,
            within=to_seconds(self.wait_timeout),
            poke_interval=to_seconds(self.poke_interval) or 0.0,
            log=self.log,
            seen=seen,
        )
        return narrow(record, self.record_fields)
