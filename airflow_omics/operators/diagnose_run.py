"""The operator that explains one run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_omics import _clock
from airflow_omics._compat import BaseOperator, Context
from airflow_omics._task.base import RunTaskMixin
from airflow_omics._task.checks import check_switch
from airflow_omics.links import RUN_LINKS, persist_links

if TYPE_CHECKING:
    from airflow_omics._identity import Target
    from airflow_omics.hooks import OmicsHook
    from airflow_omics.records import RunRecord


class OmicsDiagnoseRunOperator(RunTaskMixin, BaseOperator):
    """Say why a HealthOmics run failed or, if it goes on, what it does and waits for.

    The report is written to the task's log, and the diagnosis is returned as plain JSON: the run, the
    ``class`` of its failure (``retry``, ``change``, ``settings`` or ``look inside``), its ``owner``,
    ``meaning`` and ``advice``, the failing ``tasks`` with the last lines of their logs, ``links``,
    ``commands`` and the report's ``text``. Neither holds the run's parameters or tags. A run that
    HealthOmics has forgotten is explained from its manifest in CloudWatch Logs.

    It reads and does not judge: explaining a FAILED run succeeds.

    :param run_id: a run id (text or int), a run ARN, or a record that holds ``id``, such as the output of
        the task that started the run. Templated.
    :param max_tasks: failing tasks to look into (5), the earliest to fail first.
    :param max_lines: last lines of each log (20).
    :param max_seconds: seconds that the search may take in all (30).
    :param logs: False reads nothing of CloudWatch Logs, like ``diagnose="without logs"`` elsewhere: what
        programs print may name patients. A run that HealthOmics has forgotten is then not found.
    :param aws_conn_id: id of an Airflow connection of type ``aws``. Templated.
    :param region_name: AWS Region; without it the Region of the run's ARN, then the connection's.
        Templated.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle. Templated.
    :param botocore_config: keyword arguments of ``botocore.config.Config``.
    :return: the diagnosis, in XCom as ``return_value``.
    :raises ValueError: while parsing, for an argument that can't be right.
    :raises OmicsRunNotFoundError: HealthOmics does not know the run, and there is no manifest of it.
    :raises OmicsAccessError: AWS denied GetRun, or no credentials worked for five minutes.
    :raises OmicsRequestError: a value is wrong, or AWS refused it.

    Needs the IAM action ``omics:GetRun``. Others are optional; each that is denied becomes a line of the
    report: ``omics:ListRunTasks``, ``omics:GetRunTask``, ``omics:GetRunGroup``, ``omics:ListRuns``,
    ``logs:GetLogEvents``, ``logs:DescribeLogStreams``.
    See https://docs.aws.amazon.com/omics/latest/dev/workflows-run-errors.html
    """

    template_fields: Sequence[str] = ("run_id", "aws_conn_id", "region_name", "verify")
    operator_extra_links = RUN_LINKS
    ui_color = "#e8f4ee"

    def __init__(
        self,
        *,
        run_id: Any,
        max_tasks: int = 5,
        max_lines: int = 20,
        max_seconds: float = 30.0,
        logs: bool = True,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_limits(max_tasks, max_lines, max_seconds)
        self.run_id = run_id
        self.max_tasks = max_tasks
        self.max_lines = max_lines
        self.max_seconds = max_seconds
        self.logs = check_switch("logs", logs)
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self._check_aws_arguments()
        self._check_target()

    def execute(self, context: Context) -> dict[str, Any]:
        """Explain the run: log the report and return the diagnosis."""
        from airflow_omics.diagnosis import diagnose
        from airflow_omics.diagnosis.model import Limits

        target = self._target()
        hook = self._make_hook(target)
        record, seconds = self._read(hook, target)
        persist_links(context, record)
        limits = Limits(self.max_tasks, self.max_lines, seconds)
        diagnosis = diagnose(hook, record, limits=limits, logs=self.logs)
        for line in diagnosis.text.splitlines():
            self.log.info("%s", line)
        return diagnosis.to_plain()

    def _read(self, hook: OmicsHook, target: Target) -> tuple[RunRecord, float]:
        """Return the run's record, and the seconds that are left for the rest of the search."""
        from airflow_omics.diagnosis import forgotten_run
        from airflow_omics.diagnosis.privacy import may_read_logs
        from airflow_omics.exceptions import (
            OmicsError,
            OmicsRunDeletedError,
            OmicsRunNotFoundError,
        )
        from airflow_omics.hooks.faults import fault_of
        from airflow_omics.hooks.retrying import with_retries

        missing: OmicsError
        try:
            record = with_retries(
                lambda: hook.get_run(target.id),
                hook=hook,
                target=target,
                transient=0.0,  # a transient error: Airflow retries it
                log=self.log,
            )
            return self._checked(target, record), self.max_seconds
        except (OmicsRunNotFoundError, OmicsRunDeletedError) as error:
            missing = error
        if not (self.logs and may_read_logs()):
            self.log.info("Its manifest is not read: logs=False is given, or [omics] log_tails is False.")
            raise missing
        began = _clock.monotonic()
        try:
            forgotten = forgotten_run(hook, target.id, target.uuid, max_seconds=self.max_seconds)
        except Exception as error:
            fault = fault_of(error)
            why = fault.message if fault is not None else f"{type(error).__name__}: {error}"
            self.log.warning("The manifest of HealthOmics run %s could not be read: %s", target.id, why)
            forgotten = None
        if forgotten is None:
            raise missing
        return forgotten, max(0.0, began + self.max_seconds - _clock.monotonic())


def check_limits(max_tasks: Any, max_lines: Any, max_seconds: Any) -> None:
    """Raise ValueError unless the three are valid limits; import nothing that only a running task needs.

    :param max_tasks: a whole number, zero or more; likewise ``max_lines``.
    :param max_seconds: more than 0 and at most 600.
    """
    for name, value in (("max_tasks", max_tasks), ("max_lines", max_lines)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ValueError(f"{name} is {value!r}; it takes a whole number, zero or more, such as 5.")
    if (
        isinstance(max_seconds, bool)
        or not isinstance(max_seconds, int | float)
        or not 0 < max_seconds <= 600
    ):
        raise ValueError(f"max_seconds is {max_seconds!r}; it takes seconds, more than 0 and at most 600.")
