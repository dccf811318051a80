"""The operator that reads one run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from airflow_omics._compat import BaseOperator, Context
from airflow_omics._task.base import RunTaskMixin
from airflow_omics._task.checks import check_fields, check_names
from airflow_omics._task.publishing import PublishingMixin
from airflow_omics.links import RUN_LINKS, persist_links
from airflow_omics.records import RunRecord, narrow, sentence


class OmicsGetRunOperator(PublishingMixin, RunTaskMixin, BaseOperator):
    """Read one HealthOmics run, by one GetRun, and return its record.

    It reads and does not judge: the record of a FAILED run is an answer, not an error. To wait for a run
    or to fail with it, use :class:`airflow_omics.sensors.OmicsRunSensor`.

    :param run_id: a run id (text or int), a run ARN, or a record that holds ``id``, such as the output of
        the task that started the run. Templated.
    :param export: what the record also holds: ``["DEFINITION"]`` adds the workflow's definition.
    :param record_fields: members of the record to return; ``id`` and ``status`` always stay. None
        returns all of them.
    :param aws_conn_id: id of an Airflow connection of type ``aws``. Templated.
    :param region_name: AWS Region; without it the Region of the run's ARN, then the connection's.
        Templated.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle. Templated.
    :param botocore_config: keyword arguments of ``botocore.config.Config``.
    :return: the :class:`~airflow_omics.records.RunRecord`, in XCom as ``return_value``.
    :raises ValueError: while parsing, for an argument that can't be right.
    :raises OmicsRunNotFoundError: HealthOmics does not know the run.
    :raises OmicsRunDeletedError: the id of the record given as ``run_id`` belongs to another run now.
    :raises OmicsAccessError: AWS denied the call, or no credentials worked for five minutes.
    :raises OmicsRequestError: a value is wrong, or AWS refused it.

    Needs the IAM action ``omics:GetRun``.
    See https://docs.aws.amazon.com/omics/latest/api/API_GetRun.html
    """

    template_fields: Sequence[str] = ("run_id", "aws_conn_id", "region_name", "verify")
    operator_extra_links = RUN_LINKS
    ui_color = "#e8f4ee"

    def __init__(
        self,
        *,
        run_id: Any,
        export: Collection[str] | None = None,
        record_fields: Collection[str] | None = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id
        self.export = check_names("export", export, "['DEFINITION']")
        self.record_fields = check_fields("record_fields", record_fields, "['runOutputUri']")
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self._check_aws_arguments()
        self._check_target()

    def execute(self, context: Context) -> RunRecord:
        """Read the run and return its record."""
        from airflow_omics.hooks.retrying import with_retries

        target = self._target()
        hook = self._make_hook(target)
        # A transient error is raised as it came: Airflow retries it, and botocore's text is the known one.
        record = with_retries(
            lambda: hook.get_run(target.id, self.export),
            hook=hook,
            target=target,
            transient=0.0,
            log=self.log,
        )
        persist_links(context, self._checked(target, record))
        self.log.info("%s", sentence(record))
        narrowed = narrow(record, self.record_fields)
        self._publish(narrowed, context)
        return narrowed
