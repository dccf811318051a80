"""What ``OmicsStartRunBatchOperator`` asks of StartRunBatch: its arguments, checked and made into requests.

https://docs.aws.amazon.com/omics/latest/api/API_StartRunBatch.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from airflow_omics._batches.members import NAMED_TAG
from airflow_omics._batches.settings import Prepared, prepare
from airflow_omics._batches.settings_file import SettingsFolder, folder_for
from airflow_omics._starting.arguments import (
    changed,
    check_is_rendered,
    read_arguments,
    settings_of_reruns,
)
from airflow_omics._starting.attempt import ETAG_TAG, REQUEST_TAG, TOKEN_TAG, Attempt, digest_of
from airflow_omics._starting.kind import BATCHES
from airflow_omics._starting.request import (
    SETTING_OF_ARGUMENT,
    build_request,
    check_argument,
    check_extra,
    check_private,
    check_rerun_with,
)
from airflow_omics._task.hidden import shown_value
from airflow_omics._task.task_key import TaskKey
from airflow_omics.exceptions import OmicsRequestError
from airflow_omics.hooks import OmicsHook

EPOCH_TAG: Final = "airflow-omics:epoch"
"""The tag with the task's clear-epoch, by which a batch from before a clear is recognised."""


class BatchArguments(NamedTuple):
    """The arguments of one try.

    :param arguments: those of each run, by the operator's names.
    :param extra: ``start_run_kwargs``.
    :param name: of the batch.
    :param tags: of the batch.
    :param run_settings: rendered, and hidden.
    :param folder: where in S3 the settings go.
    :param dag_folder: of the DAG file, to which paths are relative.
    :param try_number: of the task.
    """

    arguments: Mapping[str, Any]
    extra: Mapping[str, Any]
    name: str | None
    tags: Mapping[str, str]
    run_settings: Any
    folder: str
    dag_folder: str | None
    try_number: int

    @classmethod
    def of(cls, operator: Any, context: Any) -> BatchArguments:
        """Read the arguments of a rendered ``OmicsStartRunBatchOperator``, except its ``run_settings``.

        :raises OmicsRequestError: naming the argument, what was given and what it takes.
        """
        try:
            arguments = read_arguments(operator, context, SETTING_OF_ARGUMENT)
            extra = shown_value(operator.start_run_kwargs) or {}
            known = OmicsHook.start_run_members("DefaultRunSetting") if extra else {}
            check_extra(extra, known, arguments, SETTING_OF_ARGUMENT, "StartRunBatch")
            tags = shown_value(operator.tags) or {}
            for name, value in (
                ("name", operator.name),
                ("tags", tags),
                ("settings_uri", operator.settings_uri),
            ):
                check_is_rendered(name, value)
            check_argument("name", operator.name)
            check_argument("tags", tags)
            dag = context.get("dag")
            made = cls(
                arguments,
                extra,
                operator.name,
                tags,
                operator.run_settings,
                folder_for(operator.settings_uri, str(arguments["output_uri"] or "")),
                None if dag is None else dag.folder,
                context["ti"].try_number,
            )
            made._check(settings_of_reruns(operator))
        except ValueError as error:
            raise OmicsRequestError(str(error)) from None
        return made

    def name_of(self, attempt: Attempt) -> str:
        """Return the name of the task's batches."""
        return attempt.run_name(self.name, longest=BATCHES.longest_name)

    def prepare(
        self,
        attempt: Attempt,
        files: SettingsFolder,
        changes: Sequence[Mapping[str, Any]] = (),
        wanted: Callable[[str], bool] | None = None,
    ) -> Prepared:
        """Return the settings of an attempt's runs; close them.

        :param files: reads a file in S3.
        :param changes: arguments to change, one dict after the other.
        :param wanted: returns whether the member of an id is taken; None takes all.
        :raises OmicsRequestError: an entry can't be right.
        """
        return prepare(
            self.run_settings,
            defaults=self._defaults(attempt, changes),
            folder=self.dag_folder,
            files=files,
            wanted=wanted,
        )

    def request(
        self,
        attempt: Attempt,
        prepared: Prepared,
        files: SettingsFolder,
        *,
        epoch: int,
        changes: Sequence[Mapping[str, Any]] = (),
    ) -> dict[str, Any]:
        """Return StartRunBatch's members for an attempt, except ``requestId``; the settings are in S3 then.

        :param prepared: what :meth:`prepare` returned.
        :param files: keeps the settings in S3.
        :param epoch: the task's clear-epoch.
        :param changes: as for :meth:`prepare`.
        :raises OmicsError: the settings could not be written.
        """
        settings, also = self._settings(attempt, prepared, files)
        defaults = self._defaults(attempt, changes)
        try:
            return {
                "batchName": self.name_of(attempt),
                "defaultRunSetting": defaults,
                "batchRunSettings": settings,
                "tags": attempt.tags(
                    self.tags,
                    self.try_number,
                    digest_of({**defaults, "runTags": self.arguments["run_tags"]}),
                    "batch",
                    {**also, EPOCH_TAG: str(epoch)},
                ),
            }
        except ValueError as error:
            raise OmicsRequestError(str(error)) from None

    def fingerprint(
        self, attempt: Attempt, prepared: Prepared | None, files: SettingsFolder
    ) -> dict[str, str]:
        """Return the tags that say what a batch is started with.

        :param prepared: the settings of all members; None if they are a file in S3.
        :param files: says which file there is in S3.
        """
        defaults = {**self._defaults(attempt, ()), "runTags": self.arguments["run_tags"]}
        told = {REQUEST_TAG: digest_of(defaults)}
        if prepared is not None and prepared.digest is not None:
            return {**told, NAMED_TAG: prepared.digest}
        found = files.find(str(shown_value(self.run_settings)))
        return told if found is None else {**told, ETAG_TAG: found.etag}

    def __repr__(self) -> str:
        return f"BatchArguments(try_number={self.try_number})"  # the rest may be patient data

    def _settings(
        self, attempt: Attempt, prepared: Prepared, files: SettingsFolder
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """Return ``batchRunSettings``, and the tags that say which settings these are."""
        if prepared.uri is not None:
            return {"s3UriSettings": prepared.uri}, {ETAG_TAG: str(prepared.etag)}
        also = {NAMED_TAG: str(prepared.digest)}
        if prepared.array is None:
            return {"inlineSettings": prepared.inline}, also
        stored = files.keep(prepared.array, self.folder, attempt.token)
        return {"s3UriSettings": stored.uri}, {**also, ETAG_TAG: stored.etag}

    def _defaults(self, attempt: Attempt, changes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return ``defaultRunSetting``: what all runs have in common."""
        try:
            return self._build(attempt, changes)
        except ValueError as error:
            raise OmicsRequestError(str(error)) from None

    def _build(self, attempt: Attempt, changes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        arguments = dict(self.arguments)
        for change in changes:
            arguments = changed(arguments, change)
        check_private(arguments["workflow_type"])
        setting = build_request(arguments, self.extra, SETTING_OF_ARGUMENT)
        # Tags of a batch are not those of its runs.
        own = {**attempt.task.tags(), TOKEN_TAG: attempt.token}
        given = setting.get("runTags") or {}
        if both := sorted(set(own) & set(given)):
            raise ValueError(
                f"run_tags holds {', '.join(both)}, which the operator sets itself; leave it out."
            )
        return {**setting, "runTags": {**given, **own}}

    def _check(self, rerun_with: Mapping[str, Mapping[str, Any]]) -> None:
        anyone = Attempt(TaskKey("", "", ""))
        self.name_of(anyone)
        self._build(anyone, ())
        check_rerun_with(rerun_with, members=SETTING_OF_ARGUMENT)
        for reason, changes in rerun_with.items():
            try:
                for name, value in changes.items():
                    check_is_rendered(name, value)
                self._build(anyone, (changes,))
            except ValueError as error:
                raise ValueError(f"rerun_with[{reason!r}]: {error}") from None
