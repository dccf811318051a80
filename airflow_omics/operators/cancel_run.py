"""The operator that cancels one run."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from typing import Any

from airflow_omics._compat import BaseOperator, Context
from airflow_omics._task.base import RunTaskMixin
from airflow_omics._task.checks import check_fields, check_seconds, check_switch, to_seconds
from airflow_omics.links import RUN_LINKS, RunLinks, persist_links
from airflow_omics.records import RunRecord, narrow, sentence


class OmicsCancelRunOperator(RunTaskMixin, BaseOperator):
    """Cancel a HealthOmics run, confirm it, and return its record.

    A run that has ended already is left alone, and its record is returned: there is nothing to cancel. The
    same is true if it is COMPLETED or FAILED before the request reaches it: look at the record's ``status``.
    What a cancelled run has computed is lost: HealthOmics exports none of its outputs.

    :param run_id: a run id (text or int), a run ARN, or a record that holds ``id``, such as the output of
        the task that started the run. A record identifies the run by ``uuid``, so another run that later
        received the id is never cancelled, and a run that is gone is returned as DELETED. Templated.
    :param wait_for_completion: wait, in the worker, until the run has ended; usually a few minutes. False
        returns the record as it is right after HealthOmics has accepted the request.
    :param poke_interval: seconds between two looks (30), as a number or a timedelta.
    :param wait_timeout: seconds for all of it (3600), as a number or a timedelta; None waits without limit.
    :param record_fields: members of the record to return; ``id`` and ``status`` always stay. None
        returns all of them.
    :param aws_conn_id: id of an Airflow connection of type ``aws``. Templated.
    :param region_name: AWS Region; without it the Region of the run's ARN, then the connection's.
        Templated.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle. Templated.
    :param botocore_config: keyword arguments of ``botocore.config.Config``.
    :return: the :class:`~airflow_omics.records.RunRecord`, in XCom as ``return_value``.
    :raises ValueError: while parsing, for an argument that can't be right.
    :raises OmicsRunNotFoundError: HealthOmics does not know the run for two minutes, and ``run_id`` was not
        a record.
    :raises OmicsAccessError: AWS denied a call, or no credentials worked for five minutes.
    :raises OmicsRequestError: a value is wrong, or AWS refused to cancel a run that goes on.
    :raises OmicsError: the run goes on after ``wait_timeout``. A retry goes on from there.

    Needs the IAM actions ``omics:GetRun`` and ``omics:CancelRun``.
    See https://docs.aws.amazon.com/omics/latest/api/API_CancelRun.html
    """

    template_fields: Sequence[str] = ("run_id", "aws_conn_id", "region_name", "verify")
    operator_extra_links = RUN_LINKS
    ui_color = "#f4e8e8"

    def __init__(
        self,
        *,
        run_id: Any,
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
        self.run_id = run_id
        self.wait_for_completion = check_switch("wait_for_completion", wait_for_completion)
        self.poke_interval = poke_interval
        self.wait_timeout = wait_timeout
        self.record_fields = check_fields("record_fields", record_fields, "['status']")
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self._check_aws_arguments()
        self._check_target()

    def execute(self, context: Context) -> RunRecord:
        """Cancel the run, wait for its end, and return its record."""
        from airflow_omics._steering.cancel import cancel_run

        target = self._target()
        links: RunLinks | None = None

        def seen(record: RunRecord) -> None:
            nonlocal links
            links = persist_links(context, record, links)

        record = cancel_run(
            lambda: self._make_hook(target),
            target,
            confirm=self.wait_for_completion,
            within=to_seconds(self.wait_timeout),
            poke_interval=to_seconds(self.poke_interval) or 0.0,
            log=self.log,
            seen=seen,
        )
        self.log.info("%s", sentence(record))
        return narrow(record, self.record_fields)
