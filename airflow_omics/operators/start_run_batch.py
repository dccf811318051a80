"""The operator that starts a batch of runs, each member once, and waits for it."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_omics._compat import Context, conf
from airflow_omics._resource import BATCH
from airflow_omics._starting.rendering import TEXT_ARGUMENTS
from airflow_omics._starting.start_operator import StartOperator
from airflow_omics._task.checks import (
    check_count,
    check_diagnose,
    check_fields,
    check_one_of,
    check_retry_by_class,
    check_seconds,
    check_switch,
    check_tolerance,
    is_known_now,
)
from airflow_omics._task.hidden import shown_value
from airflow_omics._task.outlet_arguments import take_outlet_arguments
from airflow_omics.records import BatchRecord

if TYPE_CHECKING:
    from airflow_omics._starting.batch_try import BatchTry

_HIDDEN = ("parameters", "run_settings", "run_tags", "tags", "start_run_kwargs", "rerun_with")


class OmicsStartRunBatchOperator(StartOperator):
    """Start up to 100,000 HealthOmics runs by one call, wait for them, and judge them by a tolerance.

    No member is started twice by mistake: a batch is found again as a run of ``OmicsStartRunOperator`` is,
    and one that was cancelled, failed or was deleted is followed by a batch of those members alone that have
    no active or completed run. Each run is named by its ``runSettingId``, so that one list of runs shows
    which sample is how far.

    The task succeeds once all runs have ended and no more of them ended badly than ``max_failures`` and
    ``max_failure_ratio`` say. Its result is GetBatch's record with ``outcome`` (how many ended in which way),
    ``failures`` (why, by reason), and ``members``, or ``membersUri`` in S3 if they are more than 100.

    Needs botocore 1.42.74 and private workflows. Everything up to ``start_run_kwargs`` is templated, also
    nested values, and is what StartRunBatch documents:
    https://docs.aws.amazon.com/omics/latest/api/API_StartRunBatch.html

    :param workflow_id: the workflow's id.
    :param role_arn: the IAM role that the runs assume. HealthOmics also reads the settings in S3 with it.
    :param output_uri: where in S3 the outputs go; HealthOmics adds a folder for each run.
    :param run_settings: what each run is to do: a list of entries, ``{"sample-1": parameters, ...}``, a
        :class:`~airflow_omics.operators.SampleSheet`, the path of a ``.json``, ``.yaml``, ``.csv`` or
        ``.tsv`` file relative to the DAG file, the ``s3://`` URI of a JSON file, or an upstream task's
        output. An entry has a ``runSettingId`` that no other has, and may have ``parameters``, ``outputUri``,
        ``priority``, ``runTags``, ``outputBucketOwnerId`` and ``engineSettings``.
    :param parameters: those that all runs have; an entry's own are added and replace them. A dict, or the
        path of a ``.json`` or ``.yaml`` file relative to the DAG file. Their values, and those of
        ``run_settings``, ``run_tags``, ``tags``, ``start_run_kwargs`` and ``rerun_with``, are kept out of
        logs, rendered fields and Airflow's copy of the DAG.
    :param name: the batch's name, up to 51 characters. It gets 12 digits that stand for the task instance.
    :param run_tags: tags of each run, besides those that identify the task.
    :param tags: tags of the batch, likewise; its runs do not get them.
    :param settings_uri: the folder in S3 for the settings of more than 100 runs, and for ``membersUri``;
        ``<output_uri>/airflow-omics-batches/`` if it is not given. Files there are never overwritten and
        never deleted.
    :param workflow_type: ``PRIVATE``; a batch takes no other.
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
    :param start_run_kwargs: every other member of StartRunBatch's ``defaultRunSetting`` that the installed
        botocore knows, by its own name: ``{"networkingMode": "VPC"}``.
    :param wait_for_completion: False returns StartRunBatch's answer at once.
    :param deferrable: wait in the triggerer, by one GetBatch an interval; ``[operators] default_deferrable``
        if it is not given.
    :param poke_interval: seconds between two looks (60), as a number or a timedelta.
    :param wait_timeout: seconds for which one try waits, as a number or a timedelta; None waits as long as
        HealthOmics lets the batch go on. ``execution_timeout`` applies as well, also while deferred.
    :param on_timeout: what to do with a batch that is active at a timeout: ``fail`` leaves it alone (a retry
        goes on waiting for it), ``cancel`` cancels it.
    :param cancel_on_kill: cancel the batch when a person ends the task: marks it failed or successful, or
        clears it while ``on_clear`` is ``new``.
    :param on_clear: what a cleared task does: ``failed`` runs only what did not complete, ``new`` starts all
        members anew, ``reattach`` waits for its batch again. A run that was deleted may have completed, and
        only ``new`` runs its member again.
    :param max_failures: how many members may end badly (0): failed, cancelled, deleted or not started.
    :param max_failure_ratio: which share of all members may, from 0 to 1. More than either is too many; with
        a ratio, ``max_failures`` counts only if it is above 0.
    :param on_too_many_failures: ``wait`` lets the others end; ``cancel`` cancels the rest as soon as it is
        certain that too many have ended badly. It has no effect with ``rerun_failed``.
    :param rerun_failed: how often members are run again within a try (0), in a next batch of those whose
        failure may pass, if more ended badly than may. An Airflow retry does the same, once.
    :param rerun_with: settings of the next run, by ``failureReason``, such as
        ``{"FILE_SYSTEM_OUT_OF_SPACE": {"storage_type": "DYNAMIC"}}``, for members that are run again. Those
        of each reason get a batch of their own, one after the other.
    :param retry_by_class: whether a member that failed for a reason of this class is run again, such as
        ``{"look inside": False}``. By default every class but ``change`` is.
    :param record_fields: members of the record that reach XCom; ``id`` and ``status`` always stay. None
        keeps all of them.
    :param asset_fields: members of the record that the event of each of the task's ``outlets`` has in its
        ``extra``, ``id`` by the name ``omics_id``; no parameters, no tags, and nothing that ``record_fields``
        leaves out. None for ``omics_id``, ``uuid``, ``arn``, ``status``, ``name``, ``totalRuns``,
        ``completed``, ``failed``, ``cancelled``, ``deleted`` and ``notStarted`` of ``outcome``,
        ``membersUri``, ``creationTime`` and ``processedTime``.
    :param partition_outlets_by: a member of the record, such as ``"uuid"``, whose value is the partition of
        those events: a DAG with a ``PartitionedAssetTimetable`` then gets one DAG run for each batch. Needs
        Airflow 3.3; an older one sends events without partitions, with one warning.
    :param diagnose: find out why runs failed, by a GetRun for each of up to 200.
    :param aws_conn_id: id of an Airflow connection of type ``aws``. Templated.
    :param region_name: AWS Region; without it the connection's. Templated.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle. Templated.
    :param botocore_config: keyword arguments of ``botocore.config.Config``.
    :return: the :class:`~airflow_omics.records.BatchRecord`.
    :raises ValueError: while parsing, for an argument that can't be right.
    :raises OmicsBatchMembersFailedError: more members ended badly than may; its text is a report by reason.
    :raises OmicsBatchError: the batch itself failed, was cancelled or was deleted.
    :raises OmicsBatchTimeoutError: the batch was still active at ``wait_timeout``.
    :raises OmicsAccessError: AWS denied a call, or no credentials worked for five minutes.
    :raises OmicsRequestError: a value is wrong, or AWS refused it.
    """

    resource = BATCH
    hidden_fields = (*_HIDDEN, *StartOperator.hidden_fields)
    template_fields: Sequence[str] = (
        "workflow_id",
        "role_arn",
        "output_uri",
        "run_settings",
        "parameters",
        "name",
        "run_tags",
        "tags",
        "settings_uri",
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
        "start_run_kwargs",
        "rerun_with",
        "aws_conn_id",
        "region_name",
        "verify",
    )
    template_fields_renderers = dict.fromkeys(_HIDDEN, "py")
    text_fields = frozenset({*TEXT_ARGUMENTS, "settings_uri", *StartOperator.text_fields})
    run_fields = frozenset()
    ui_color = "#dcefe6"

    def __init__(
        self,
        *,
        workflow_id: str | int | None = None,
        role_arn: str | None = None,
        output_uri: str | None = None,
        run_settings: Any = None,
        parameters: Any = None,
        name: str | None = None,
        run_tags: Any = None,
        tags: Any = None,
        settings_uri: str | None = None,
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
        start_run_kwargs: Any = None,
        wait_for_completion: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poke_interval: float | datetime.timedelta = 60.0,
        wait_timeout: float | datetime.timedelta | None = None,
        on_timeout: str = "fail",
        cancel_on_kill: bool = True,
        on_clear: str = "failed",
        max_failures: int = 0,
        max_failure_ratio: float | None = None,
        on_too_many_failures: str = "wait",
        rerun_failed: int = 0,
        rerun_with: Mapping[str, Mapping[str, Any]] | None = None,
        retry_by_class: Mapping[str, bool] | None = None,
        record_fields: Collection[str] | None = None,
        asset_fields: Collection[str] | None = None,
        partition_outlets_by: str | None = None,
        diagnose: bool | str = True,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        check_seconds("poke_interval", poke_interval, required=True)
        check_seconds("wait_timeout", wait_timeout)
        super().__init__(**kwargs)
        self.workflow_id = workflow_id
        self.role_arn = role_arn
        self.output_uri = output_uri
        self.run_settings = run_settings
        self.parameters = parameters
        self.name = name
        self.run_tags = run_tags
        self.tags = tags
        self.settings_uri = settings_uri
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
        self.start_run_kwargs = start_run_kwargs
        self.wait_for_completion = check_switch("wait_for_completion", wait_for_completion)
        self.deferrable = check_switch("deferrable", deferrable)
        self.poke_interval = poke_interval
        self.wait_timeout = wait_timeout
        self.on_timeout = check_one_of("on_timeout", on_timeout, ("fail", "cancel"))
        self.cancel_on_kill = check_switch("cancel_on_kill", cancel_on_kill)
        self.on_clear = check_one_of("on_clear", on_clear, ("failed", "new", "reattach"))
        self.max_failures, self.max_failure_ratio = check_tolerance(max_failures, max_failure_ratio)
        self.on_too_many_failures = check_one_of(
            "on_too_many_failures", on_too_many_failures, ("wait", "cancel")
        )
        self.rerun_failed = check_count("rerun_failed", rerun_failed)
        self.rerun_with = rerun_with
        self.retry_by_class = retry_by_class
        self.record_fields = check_fields("record_fields", record_fields, "['outcome', 'failures']")
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

    def execute(self, context: Context) -> BatchRecord:
        """Find or start the batch, wait for it, and return its record."""
        record: BatchRecord = super().execute(context)
        return record

    def execute_complete(
        self, context: Context, event: Any = None, waited: Mapping[str, Any] | None = None
    ) -> BatchRecord:
        """Take the trigger's event: return the record, go on with the next batch, or fail."""
        record: BatchRecord = super().execute_complete(context, event, waited)
        return record

    def _new_try(self, context: Context) -> BatchTry:
        from airflow_omics._starting.batch_try import BatchTry

        return BatchTry(self, context, self._hook_of)

    def _check_now(self) -> None:
        """Refuse at parse time what is wrong for certain."""
        from airflow_omics._batches.sources import check_form
        from airflow_omics._starting.request import (
            SETTING_OF_ARGUMENT,
            check_argument,
            check_private,
            check_rerun_with,
            check_what_is_missing,
        )

        given = {name: shown_value(getattr(self, name)) for name in SETTING_OF_ARGUMENT}
        check_what_is_missing(given)
        check_private(given["workflow_type"])
        given.update(name=self.name, tags=shown_value(self.tags))
        for name, value in given.items():
            # Text is the path of a file, and a dict's values may not be known at parse time.
            later = name == "parameters" and isinstance(value, str | Mapping)
            if not later and is_known_now(value):
                check_argument(name, value)
        check_rerun_with(shown_value(self.rerun_with), is_known_now, SETTING_OF_ARGUMENT)
        if is_known_now(shown_value(self.run_settings)):
            check_form(self.run_settings)
        self._check_aws_arguments()
        check_retry_by_class(self.retry_by_class)
