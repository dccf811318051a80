"""What operators and sensors share: the four AWS arguments, and the one that names a run or batch.

Every DAG file that names one of them imports this module. So the functions themselves import what only a
running task needs.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from airflow_omics._identity import KnownResource, Target
from airflow_omics._resource import RUN, Resource
from airflow_omics._task.checks import is_known_now
from airflow_omics._task.fields import TaskFields
from airflow_omics._task.hidden import Hidden, hidden, shown_value
from airflow_omics.records import BatchRecord, RunRecord

if TYPE_CHECKING:
    from airflow_omics._connection import AwsArguments
    from airflow_omics.hooks import OmicsHook

log = logging.getLogger(__name__)

_Record = TypeVar("_Record", RunRecord, BatchRecord)


class RunTaskMixin(TaskFields):
    """A task about one run or batch, on the connection of its four AWS arguments."""

    resource: ClassVar[Resource] = RUN
    """What it is about; the argument that names it is ``resource.argument``."""
    run_id: Any
    batch_id: Any
    aws_conn_id: str | None
    region_name: str | None
    verify: bool | str | None
    botocore_config: dict[str, Any] | None
    text_fields = frozenset({"aws_conn_id", "region_name"})
    hidden_fields: tuple[str, ...] = ("botocore_config",)  # its proxies may have passwords
    _region_is_checked = False

    # -- what may hold patient data or secrets ---------------------------------------------------------------

    def kept(self, name: str, value: Any) -> Any:
        """Return what a field keeps of an assigned ``value``; what may hold patient data is hidden."""
        return self._hidden(name, value) if name in self.hidden_fields else super().kept(name, value)

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Return a task to map, as Airflow does, with everything hidden that may hold patient data."""
        return super().partial(**cls._with_hidden(kwargs))

    def _hook_apply_defaults(self, **kwargs: Any) -> tuple[tuple[()], dict[str, Any]]:
        # Airflow keeps the arguments of a task as well as the task's own attributes.
        return (), self._with_hidden(kwargs)

    @classmethod
    def _with_hidden(cls, kwargs: dict[str, Any]) -> dict[str, Any]:
        return {
            name: cls._hidden(name, value) if name in cls.hidden_fields else value
            for name, value in kwargs.items()
        }

    @staticmethod
    def _hidden(name: str, value: Any) -> Any:
        # The keys of run_settings are samples, and may be patients; those of others are names of parameters.
        return hidden(value, shows_keys=name != "run_settings")

    # -- AWS, and what the task is about ---------------------------------------------------------------------

    @property
    def _given_aws_arguments(self) -> AwsArguments:
        """The four AWS arguments.

        :raises ValueError: one of them can't be right.
        """
        from airflow_omics._connection import AwsArguments

        config: Any = self.botocore_config
        config = config.value if isinstance(config, Hidden) else shown_value(config)
        return AwsArguments(self.aws_conn_id, self.region_name, self.verify, config)

    def _check_aws_arguments(self) -> None:
        """Refuse at parse time what cannot be handed to a trigger, or is never rendered."""
        if self.botocore_config is None:
            return
        for key, value in (self._given_aws_arguments.botocore_config or {}).items():
            if not is_known_now(value):
                raise ValueError(f"botocore_config[{key!r}] is a template; botocore_config is not templated.")

    def _check_target(self) -> None:
        """Refuse at parse time what is wrong for certain; a template is checked once it is rendered."""
        given = getattr(self, self.resource.argument)
        if is_known_now(given):
            target = Target.parse(given, self.resource)
            if is_known_now(self.region_name):
                target.check_region(self.region_name)

    def _target(self) -> Target:
        """Return the run or batch that the rendered arguments name, or raise OmicsRequestError."""
        from airflow_omics.exceptions import OmicsRequestError

        try:
            target = Target.parse(getattr(self, self.resource.argument), self.resource)
            target.check_region(self.region_name)
        except ValueError as error:
            raise OmicsRequestError(str(error)) from None
        return target

    def _aws_arguments(self, target: Target) -> AwsArguments:
        """Return the AWS arguments, in the Region of the target's ARN if no Region was given."""
        from airflow_omics.exceptions import OmicsRequestError

        try:
            arguments = self._given_aws_arguments
        except ValueError as error:
            raise OmicsRequestError(str(error)) from None
        return arguments.in_region(target.region)

    def _make_hook(self, target: Target) -> OmicsHook:
        return self._hook_of(self._aws_arguments(target))

    def _hook_of(self, arguments: AwsArguments) -> OmicsHook:
        """Return a hook; the task's first one warns if botocore does not know the Region."""
        from airflow_omics.hooks import OmicsHook

        hook = OmicsHook.of(arguments)
        if not self._region_is_checked and (warning := hook.region_warning()):
            log.warning("%s", warning)
        self._region_is_checked = True
        return hook

    @staticmethod
    def _checked(target: Target, record: _Record) -> _Record:
        """Return an answer if it is about the run or batch that is meant, or raise the error."""
        from airflow_omics._faults import ended_error, named
        from airflow_omics.exceptions import OmicsRequestError

        meant = KnownResource(target)
        verdict, why = meant.judge(cast("Any", record))
        if verdict == "contradiction":
            raise OmicsRequestError(why, **named(target))
        if verdict == "another":
            raise ended_error(target, meant.deleted(), f"{target} was deleted: {why}.")
        return record
