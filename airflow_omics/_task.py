"""What operators and sensors share: the four AWS arguments, ``run_id``, and the checks on both.

Every DAG file that names one of them imports this module, so that what only a running task needs is
imported where it is needed.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from airflow_omics.identity import RunTarget, reduce_to_identity
from airflow_omics.records import ACTIVE_STATUSES

if TYPE_CHECKING:
    from airflow_omics.connection import AwsArguments
    from airflow_omics.hooks import OmicsHook

AWS_TEMPLATE_FIELDS = ("aws_conn_id", "region_name", "verify")


class RunTaskMixin:
    """A task about one run, on the connection that its four AWS arguments name."""

    aws_conn_id: str | None
    region_name: str | None
    verify: bool | str | None
    botocore_config: dict[str, Any] | None

    @property
    def run_id(self) -> Any:
        """The run as it was given, an id, an ARN or the identity of a record."""
        return self._run_id

    @run_id.setter
    def run_id(self, value: Any) -> None:
        # Airflow renders a template field by setting it, and then stores what it reads back for the UI.
        # Cutting a record down here covers every Airflow, and mapped tasks, which set it otherwise.
        self._run_id = reduce_to_identity(value)

    def _set_aws_arguments(
        self,
        aws_conn_id: str | None,
        region_name: str | None,
        verify: bool | str | None,
        botocore_config: dict[str, Any] | None,
    ) -> None:
        if botocore_config is not None:
            from airflow_omics.connection import AwsArguments

            AwsArguments(aws_conn_id, region_name, verify, botocore_config)  # refuses what cannot be carried
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config

    def _check_run_id(self) -> None:
        """Refuse at parse time what is wrong whatever happens later; a template is checked when rendered."""
        if _is_known_now(self.run_id):
            target = RunTarget.parse(self.run_id)
            if _is_known_now(self.region_name):
                target.check_region(self.region_name)

    def _target(self) -> RunTarget:
        """Return the run that the rendered arguments name, or raise OmicsRequestError."""
        from airflow_omics.exceptions import OmicsRequestError

        try:
            target = RunTarget.parse(self.run_id)
            target.check_region(self.region_name)
        except ValueError as error:
            raise OmicsRequestError(str(error)) from None
        return target

    def _aws_arguments(self, target: RunTarget) -> AwsArguments:
        """Return the AWS arguments; the Region of the run's ARN counts where none was given."""
        from airflow_omics.connection import AwsArguments
        from airflow_omics.exceptions import OmicsRequestError

        try:
            arguments = AwsArguments(self.aws_conn_id, self.region_name, self.verify, self.botocore_config)
        except ValueError as error:
            raise OmicsRequestError(str(error)) from None
        return arguments.in_region(target.region)

    def _make_hook(self, target: RunTarget) -> OmicsHook:
        from airflow_omics.hooks import OmicsHook

        return OmicsHook.of(self._aws_arguments(target))


def check_names(name: str, values: Any, example: str) -> tuple[str, ...] | None:
    """Return a collection of names as a tuple, None as None, or raise ValueError.

    :param name: the argument's name, for the error.
    :param example: a good value, for the error.
    """
    if values is None:
        return None
    if (
        isinstance(values, str | bytes | Mapping)
        or not isinstance(values, Collection)
        or not all(isinstance(value, str) for value in values)
    ):
        raise ValueError(f"{name} is {values!r}; it takes a collection of names, such as {example}.")
    return tuple(values)


def check_statuses(name: str, statuses: Any) -> tuple[str, ...]:
    """Return ``statuses`` as a tuple, or raise ValueError saying what the argument takes.

    :param name: the argument's name, for the error.
    """
    if isinstance(statuses, str) or not isinstance(statuses, Collection):
        raise ValueError(
            f"{name} is {statuses!r}; it takes a collection of terminal run statuses, such as ('COMPLETED',)."
        )
    for status in statuses:
        if status in ACTIVE_STATUSES:
            raise ValueError(
                f"{name} holds {status!r}, a status that a run leaves again; it takes statuses in which a "
                "run stays: COMPLETED, FAILED, CANCELLED, DELETED."
            )
        if not isinstance(status, str) or status != status.upper() or not status:
            raise ValueError(f"{name} holds {status!r}; statuses are upper-case text, such as 'COMPLETED'.")
    return tuple(statuses)


def check_seconds(name: str, value: Any) -> None:
    """Raise ValueError unless ``value`` is a span of time, as Airflow's sensors take it, or None.

    Airflow's own check does not say what was given, and lets a negative timedelta pass.
    """
    seconds = value.total_seconds() if isinstance(value, datetime.timedelta) else value
    if seconds is None or (
        isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds >= 0
    ):
        return
    raise ValueError(f"{name} is {value!r}; it takes seconds, zero or more, as a number or a timedelta.")


def _is_known_now(value: Any) -> bool:
    """Return False for a template and for an upstream task's output, which have no value while parsing."""
    if isinstance(value, Mapping):
        return all(_is_known_now(item) for item in value.values())
    if isinstance(value, str):
        return not any(mark in value for mark in ("{{", "{%", "{#"))
    return not hasattr(value, "iter_references") and not hasattr(value, "resolve")
