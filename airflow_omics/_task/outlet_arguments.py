"""What a task's outlets may say of its run or batch, checked while a DAG file is parsed.

Every DAG file that names such a task imports this module.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final

from airflow_omics._compat import has_partitions
from airflow_omics._resource import BATCH, RUN, Resource
from airflow_omics._task.checks import check_fields, check_names

DEFAULT_FIELDS: Final = {
    RUN.noun: (
        "omics_id",
        "uuid",
        "arn",
        "status",
        "name",
        "runOutputUri",
        "workflowId",
        "workflowVersionName",
        "digest",
        "startTime",
        "stopTime",
    ),
    BATCH.noun: (
        "omics_id",
        "uuid",
        "arn",
        "status",
        "name",
        "totalRuns",
        "completed",
        "failed",
        "cancelled",
        "deleted",
        "notStarted",
        "membersUri",
        "creationTime",
        "processedTime",
    ),
}
"""The members that an event has if ``asset_fields`` is not given."""

_COUNTS: Final = ("completed", "failed", "cancelled", "deleted", "notStarted")
"""Members of a batch's ``outcome``, which an event has by their own names."""

_ID: Final = "omics_id"
"""The name of the id in an event, where ``id`` could be that of anything."""

_PRIVATE: Final = (
    "parameters",
    "tags",
    "sessionPolicy",
    "defaultRunSetting",
    "engineSettings",
    "configuration",
)
"""Members that may hold patient data or secrets, which everybody who may see an asset would read."""

_MEMBER: Final = re.compile("[a-z][A-Za-z0-9]*")

_NESTED: Final = (
    "batches",
    "failures",
    "logLocation",
    "members",
    "outcome",
    "resourceDigests",
    "runSummary",
    "submissionSummary",
    "vpcConfig",
)


def place_of(field: str, resource: Resource) -> tuple[str, ...]:
    """Return the keys under which a record has what an event calls ``field``."""
    if field == _ID:
        return ("id",)
    return ("outcome", field) if resource == BATCH and field in _COUNTS else (field,)


def take_outlet_arguments(
    task: Any, asset_fields: Collection[str] | None, partition_outlets_by: str | None
) -> str | None:
    """Check and keep what a constructor was given of the task's outlets.

    It is called when the task has its ``record_fields``.

    :return: a warning of what this Airflow cannot do, or None.
    :raises ValueError: for an argument that can't be right.
    """
    task.asset_fields = check_names("asset_fields", asset_fields, "['runOutputUri']")
    for field in task.asset_fields or ():
        _check_field("asset_fields", "holds", field, task)
    if partition_outlets_by is not None:
        if not isinstance(partition_outlets_by, str):
            raise ValueError(
                f"partition_outlets_by is {partition_outlets_by!r}; it takes the name of one member of the "
                "record, such as 'uuid', or None."
            )
        _check_field("partition_outlets_by", "is", partition_outlets_by, task)
    task.partition_outlets_by = partition_outlets_by
    if partition_outlets_by is None or has_partitions():
        return None
    return (
        f"The outlets of task {task.task_id!r} get events without partitions: partition_outlets_by needs "
        "Airflow 3.3 or newer."
    )


def _check_field(name: str, verb: str, field: str, task: Any) -> None:
    """Refuse a member that no event may have, or that the task leaves out of its record."""
    if field == "id":
        raise ValueError(f"{name} {verb} 'id'; an event has it as {_ID!r}.")
    if field in _PRIVATE:
        raise ValueError(
            f"{name} {verb} {field!r}, which may hold patient data or secrets; whoever may see an asset can "
            "read its events; leave it out."
        )
    if field in _NESTED:
        of_batch = f", such as {_COUNTS[0]!r}" if field == "outcome" else ""
        raise ValueError(f"{name} {verb} {field!r}, which is no single value; name single values{of_batch}.")
    if field != _ID:
        check_fields(name, [field], "")
        if not _MEMBER.fullmatch(field):
            raise ValueError(
                f"{name} {verb} {field!r}, which can be no member's name; they are such as 'runOutputUri'."
            )
    member = place_of(field, task.resource)[0]
    if task.record_fields is not None and member not in (*task.record_fields, "id", "status"):
        raise ValueError(
            f"{name} {verb} {field!r}, which record_fields leaves out; name {member!r} there as well."
        )
