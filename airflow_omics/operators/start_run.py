"""The operator that starts a run, once, and waits for it."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_omics._compat import Context, conf
from airflow_omics._starting.rendering import TEXT_ARGUMENTS
from airflow_omics._starting.start_operator import StartOperator
from airflow_omics._task.base import RunTaskMixin
from airflow_omics._task.checks import (
    check_count,
    check_diagnose,
    check_fields,
    check_limits,
    check_one_of,
    check_retry_by_class,
    check_seconds,
    check_statuses,
    check_switch,
    is_known_now,
)
from airflow_omics._task.hidden import shown_value
from airflow_omics._task.outlet_arguments import take_outlet_arguments
from airflow_omics.links import RUN_LINKS
from airflow_omics.records import RunRecord

if TYPE_CHECKING:
    from airflow_omics._starting.run_try import RunTry

_HIDDEN = ("parameters", "tags", "start_run_kwargs", "rerun_with")


class OmicsStartRunOperator(StartOperator):
    """Start a HealthOmics run, wait for it, and return its record; never start a second one by mistake.

    Each run is started with a token that is the same for every attempt of a task, and carries a name and
    tags by which an attempt finds the runs of those before. A task that is retried, or whose worker died,
    goes on waiting for its run; a run that ended well is returned; one that failed or was cancelled leads to
    one new run. Needs the IAM actions ``omics:StartRun``, ``omics:TagResource``, ``omics:GetRun`` and
    ``iam:PassRole``; ``omics:ListRuns`` to find a run again if AWS has forgotten the token, and
    ``omics:CancelRun``.

    Everything up to ``start_run_kwargs`` is templated, also nested values, and is what StartRun documents:
    https://docs.aws.amazon.com/omics/latest/api/API_StartRun.html

    :param workflow_id: the workflow's id. Needed, unless ``rerun_of`` is given.
    :param role_arn: the IAM role that the run assumes.
    :param output_uri: where in S3 the outputs go; HealthOmics adds a folder for each run.
    :param parameters: the workflow's parameters, a dict, or the path of a ``.json`` or ``.yaml`` file,
        relative to the DAG file. Their values, and those of ``tags``, ``start_run_kwargs`` and
        ``rerun_with``, are kept out of logs, rendered fields and Airflow's copy of the DAG.
    :param name: the run's name. It gets 12 digits that stand for the task instance, and is made of DAG and
        task if it is not given.
    :param workflow_type: ``PRIVATE`` or ``READY2RUN``.
    :param workflow_version_name: the workflow's version.
    :param workflow_owner_id: account of the owner of a shared workflow.
    :param run_group_id: the run group.
    :param priority: in the run group.
    :param storage_type: ``STATIC`` or ``DYNAMIC``.
    :param storage_capacity: GiB, only for ``STATIC``.
    :param log_level: ``OFF``, ``FATAL``, ``ERROR`` or ``ALL``.
    :param cache_id: the run cache.
    :param cache_behavior: ``CACHE_ON_FAILURE`` or ``CACHE_ALWAYS``.
    :param retention_mode: ``RETAIN`` or ``REMOVE``.
    :param rerun_of: a run to run again (StartRun's ``runId``): an id, an ARN or a record.
    :param tags: the run's tags, besides those that identify its task.
    :param start_run_kwargs: every other member of StartRun that the installed botocore knows, by its own
        name: ``{"networkingMode": "VPC"}``.
    :param wait_for_completion: False returns StartRun's answer at once.
    :param deferrable: wait in the triggerer; ``[operators] default_deferrable`` if it is not given.
    :param poke_interval: seconds between two looks (60), as a number or a timedelta.
    :param wait_timeout: seconds for which one try waits, as a number or a timedelta, counted while a run is
        known and not while StartRun is waited for; None waits as long as HealthOmics lets a run go on, 7
        days by default. ``execution_timeout`` applies as well, also while deferred.
    :param start_timeout: the longest time that a run may take from its creation until it is RUNNING, in
        seconds or as a timedelta; None for no limit. The error then says what the run waits for. A retry that
        finds the run still not RUNNING ends at once.
    :param on_timeout: what to do with a run that is active at a timeout, also at ``start_timeout``: ``fail``
        leaves it alone (a retry goes on waiting for it), ``cancel`` cancels it.
    :param stuck_after: a warning in the log, once, if for so long no task of the run was made, started or
        stopped; in seconds or as a timedelta, and None for no warning. It changes nothing about the end. The
        tasks are listed every ten minutes, so it needs ``omics:ListRunTasks`` and ``[omics] progress``.
    :param cancel_on_kill: cancel the run when a person ends the task: marks it failed or successful, or
        clears it while ``on_clear`` is ``new``, also if the task had failed by then and its run goes on.
        Nothing is cancelled when a worker is asked to stop, or if Airflow does not say the task's state.
    :param on_clear: what a cleared task does: ``new`` starts a new run, ``reattach`` waits for its run again.
    :param name_suffix: False leaves a given ``name`` as it is; a retry then looks for its run among all of
        that name, by a GetRun each, five a second.
    :param success_statuses: terminal statuses in which the task succeeds.
    :param record_fields: members of the record that reach XCom; ``id`` and ``status`` always stay. None
        keeps all of them.
    :param asset_fields: members of the record that the event of each of the task's ``outlets`` has in its
        ``extra``, ``id`` by the name ``omics_id``; no parameters, no tags, and nothing that ``record_fields``
        leaves out. None for ``omics_id``, ``uuid``, ``arn``, ``status``, ``name``, ``runOutputUri``,
        ``workflowId``, ``workflowVersionName``, ``digest``, ``startTime`` and ``stopTime``.
    :param partition_outlets_by: a member of the record, such as ``"uuid"``, whose value is the partition of
        those events: a DAG with a ``PartitionedAssetTimetable`` then gets one DAG run for each run. Needs
        Airflow 3.3; an older one sends events without partitions, with one warning.
    :param retry_by_class: whether Airflow may retry a run that failed for a reason of this class, such as
        ``{"look inside": False}``. By default it may for every class except ``change``.
    :param rerun_with: settings of the next run, by ``failureReason``, such as
        ``{"FILE_SYSTEM_OUT_OF_SPACE": {"storage_type": "DYNAMIC"}}``: the run is started again within the
        same try, with these arguments changed; ``parameters`` and ``tags`` are merged into those given.
        Templated, except the ``failureReason``.
    :param max_reruns: how often ``rerun_with`` applies, at most (1).
    :param diagnose: gather why a run failed, for the error and the XCom ``diagnosis``. ``"without logs"``
        reads nothing of CloudWatch Logs: what programs print may name patients.
    :param aws_conn_id: id of an Airflow connection of type ``aws``. Templated.
    :param region_name: AWS Region; without it the connection's. Templated.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle. Templated.
    :param botocore_config: keyword arguments of ``botocore.config.Config``.
    :return: the :class:`~airflow_omics.records.RunRecord`, or StartRun's answer if it does not wait.
    :raises ValueError: while parsing, for an argument that can't be right.
    :raises OmicsRunError: the run ended in none of ``success_statuses``.
    :raises OmicsRunTimeoutError: the run was still active at ``wait_timeout``, or not RUNNING at
        ``start_timeout``.
    :raises OmicsAccessError: AWS denied a call, or no credentials worked for five minutes.
    :raises OmicsRequestError: a value is wrong, or AWS refused it.
    """

    template_fields: Sequence[str] = (
        "workflow_id",
        "role_arn",
        "output_uri",
        "parameters",
        "name",
        "workflow_type",
        "workflow_version_name",
        "workflow_owner_id",
        "run_group_id",
        "priority",
        "storage_type",
        "storage_capacity",
        "log_level",
        "cache_id",
        "cache_behavior",
        "retention_mode",
        "rerun_of",
        "tags",
        "start_run_kwargs",
        "rerun_with",
        "aws_conn_id",
        "region_name",
        "verify",
    )
    hidden_fields = (*_HIDDEN, *StartOperator.hidden_fields)
    template_fields_renderers = dict.fromkeys(_HIDDEN, "py")
    text_fields = frozenset({*TEXT_ARGUMENTS, *RunTaskMixin.text_fields})
    run_fields = frozenset({"rerun_of"})
    operator_extra_links = RUN_LINKS
    ui_color = "#dcefe6"

    def __init__(
        self,
        *,
        workflow_id: str | int | None = None,
        role_arn: str | None = None,
        output_uri: str | None = None,
        parameters: Any = None,
        name: str | None = None,
        workflow_type: str | None = None,
        workflow_version_name: str | None = None,
        workflow_owner_id: str | None = None,
        run_group_id: str | int | None = None,
        priority: int | None = None,
        storage_type: str | None = None,
        storage_capacity: int | None = None,
        log_level: str | None = None,
        cache_id: str | int | None = None,
        cache_behavior: str | None = None,
        retention_mode: str | None = None,
        rerun_of: Any = None,
        tags: Any = None,
        start_run_kwargs: Any = None,
        wait_for_completion: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poke_interval: float | datetime.timedelta = 60.0,
        wait_timeout: float | datetime.timedelta | None = None,
        start_timeout: float | datetime.timedelta | None = None,
        on_timeout: str = "fail",
        stuck_after: float | datetime.timedelta | None = None,
        cancel_on_kill: bool = True,
        on_clear: str = "new",
        name_suffix: bool = True,
        success_statuses: Collection[str] = ("COMPLETED",),
        record_fields: Collection[str] | None = None,
        asset_fields: Collection[str] | None = None,
        partition_outlets_by: str | None = None,
        retry_by_class: Mapping[str, bool] | None = None,
        rerun_with: Mapping[str, Mapping[str, Any]] | None = None,
        max_reruns: int = 1,
        diagnose: bool | str = True,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        check_seconds("poke_interval", poke_interval, required=True)
        check_seconds("wait_timeout", wait_timeout)
        check_limits({"start_timeout": start_timeout, "stuck_after": stuck_after}.get)
        super().__init__(**kwargs)
        self.workflow_id = workflow_id
        self.role_arn = role_arn
        self.output_uri = output_uri
        self.parameters = parameters
        self.name = name
        self.workflow_type = workflow_type
        self.workflow_version_name = workflow_version_name
        self.workflow_owner_id = workflow_owner_id
        self.run_group_id = run_group_id
        self.priority = priority
        self.storage_type = storage_type
        self.storage_capacity = storage_capacity
        self.log_level = log_level
        self.cache_id = cache_id
        self.cache_behavior = cache_behavior
        self.retention_mode = retention_mode
        self.rerun_of = rerun_of
        self.tags = tags
        self.start_run_kwargs = start_run_kwargs
        self.wait_for_completion = check_switch("wait_for_completion", wait_for_completion)
        self.deferrable = check_switch("deferrable", deferrable)
        self.poke_interval = poke_interval
        self.wait_timeout = wait_timeout
        self.start_timeout = start_timeout
        self.stuck_after = stuck_after
        self.on_timeout = check_one_of("on_timeout", on_timeout, ("fail", "cancel"))
        self.cancel_on_kill = check_switch("cancel_on_kill", cancel_on_kill)
        self.on_clear = check_one_of("on_clear", on_clear, ("new", "reattach"))
        self.name_suffix = check_switch("name_suffix", name_suffix)
        self.success_statuses = check_statuses("success_statuses", success_statuses)
        if not self.success_statuses:
            raise ValueError("success_statuses is empty, so the task could never succeed; name one status.")
        self.record_fields = check_fields("record_fields", record_fields, "['runOutputUri']")
        self.retry_by_class = retry_by_class
        self.rerun_with = rerun_with
        self.max_reruns = max_reruns
        self.diagnose = check_diagnose(diagnose)
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self._check_now()
        if warning := take_outlet_arguments(self, asset_fields, partition_outlets_by):
            # In this module: Airflow adjusts stacklevel here only, to skip its own frames.
            warnings.warn(warning, UserWarning, stacklevel=2)

    # -- the task --------------------------------------------------------------------------------------------

    def execute(self, context: Context) -> RunRecord:
        """Find or start the run, wait for it, and return its record."""
        record: RunRecord = super().execute(context)
        return record

    def execute_complete(
        self, context: Context, event: Any = None, waited: Mapping[str, Any] | None = None
    ) -> RunRecord:
        """Take the trigger's event: return the record, go on with the next run, or fail."""
        record: RunRecord = super().execute_complete(context, event, waited)
        return record

    def _new_try(self, context: Context) -> RunTry:
        from airflow_omics._starting.run_try import RunTry

        return RunTry(self, context, self._hook_of)

    def _check_now(self) -> None:
        """Refuse at parse time what is wrong for certain."""
        from airflow_omics._starting.request import (
            MEMBER_OF_ARGUMENT,
            check_argument,
            check_rerun_with,
            check_what_is_missing,
        )

        given = {name: shown_value(getattr(self, name)) for name in MEMBER_OF_ARGUMENT}
        check_what_is_missing(given)
        for name, value in given.items():
            # Text is the path of a file, and a dict's values may not be known at parse time.
            later = name == "parameters" and isinstance(value, str | Mapping)
            if not later and is_known_now(value):
                check_argument(name, value)
        check_rerun_with(shown_value(self.rerun_with), is_known_now)
        self._check_aws_arguments()
        check_retry_by_class(self.retry_by_class)
        check_count("max_reruns", self.max_reruns)
