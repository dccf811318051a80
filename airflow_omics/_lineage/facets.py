"""Facets of OpenLineage that say which run or batch it is, and how it went.

A custom facet has a schema of its own, here ``docs/reference/schemas/omics-run-facet.json``:
https://openlineage.io/docs/spec/facets/custom-facets
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from typing import Any, Final

import attr
from openlineage.client.facet_v2 import RunFacet, external_query_run

from airflow_omics._resource import BATCH, Resource
from airflow_omics.records import parse_time


def _producer() -> str:
    try:
        return f"urn:airflow-omics:{importlib.metadata.version('airflow-omics')}"
    except importlib.metadata.PackageNotFoundError:  # the source without an installation
        return "urn:airflow-omics:unknown"


PRODUCER: Final = _producer()
SCHEMA: Final = "urn:airflow-omics:schema:omics-run-facet:1-0-0"
SOURCE: Final = "awsomics"

COUNTS: Final = ("total", "completed", "failed", "cancelled", "deleted", "notStarted")
"""The members of a batch's ``outcome``."""


@attr.define(kw_only=True)
class OmicsRunFacet(RunFacet):
    """The facet ``omics_run``: members of the record, by the names that HealthOmics gives them.

    A member that is not known is None, and OpenLineage's client leaves it out. What is not HealthOmics's own:
    ``kind`` (``run`` or ``batch``), ``runningSeconds``, ``images`` (the digest of each container image),
    ``inputCount`` (all inputs, also those that are too many to be listed) and ``outcome`` (how the runs of a
    batch ended).
    """

    kind: str
    id: str
    uuid: str | None = None
    arn: str | None = None
    status: str | None = None
    name: str | None = None
    workflowId: str | None = None
    workflowUuid: str | None = None
    workflowOwnerId: str | None = None
    workflowType: str | None = None
    workflowVersionName: str | None = None
    digest: str | None = None
    engineVersion: str | None = None
    storageType: str | None = None
    storageCapacity: float | None = None
    accelerators: str | None = None
    runGroupId: str | None = None
    batchId: str | None = None
    cacheId: str | None = None
    cacheBehavior: str | None = None
    runOutputUri: str | None = None
    creationTime: str | None = None
    startTime: str | None = None
    stopTime: str | None = None
    runningSeconds: float | None = None
    submittedTime: str | None = None
    processedTime: str | None = None
    failedTime: str | None = None
    failureReason: str | None = None
    images: dict[str, str] | None = None
    inputCount: int | None = None
    totalRuns: int | None = None
    outcome: dict[str, int] | None = None

    @staticmethod
    def _get_schema() -> str:
        return f"{SCHEMA}#/$defs/OmicsRunFacet"


_OWN: Final = {
    "kind",
    "id",
    "storageCapacity",
    "runningSeconds",
    "images",
    "inputCount",
    "totalRuns",
    "outcome",
}
_OF_SETTING: Final = ("workflowId", "workflowOwnerId", "workflowType", "workflowVersionName", "runGroupId")


def run_facets(
    record: Mapping[str, Any],
    resource: Resource,
    images: Mapping[str, str] | None = None,
    input_count: int | None = None,
) -> dict[str, Any]:
    """Return the facets of a run or batch, by their names in an event.

    :param record: as ``record_fields`` leaves it.
    :param images: the digests of container images.
    :param input_count: how many inputs there are; None if it is not known.
    """
    facets: dict[str, Any] = {"omics_run": _omics_run(record, resource, images or {}, input_count)}
    if arn := text(record.get("arn")):
        facets["externalQuery"] = external_query_run.ExternalQueryRunFacet(
            externalQueryId=arn, source=SOURCE, producer=PRODUCER
        )
    return facets


def _omics_run(
    record: Mapping[str, Any], resource: Resource, images: Mapping[str, str], input_count: int | None
) -> OmicsRunFacet:
    names = [field.name for field in attr.fields(OmicsRunFacet) if not field.name.startswith("_")]
    members = {name: text(record.get(name)) for name in names if name not in _OWN}
    outcome = None
    if resource == BATCH:
        setting = record.get("defaultRunSetting")
        setting = setting if isinstance(setting, Mapping) else {}
        for name in _OF_SETTING:
            members[name] = members[name] or text(setting.get(name))
        outcome = _counts(record.get("outcome"))
    return OmicsRunFacet(
        kind=resource.noun,
        id=str(record.get("id")),
        **members,
        storageCapacity=_number(record.get("storageCapacity")),
        runningSeconds=_seconds(record.get("startTime"), record.get("stopTime")),
        images=dict(images) or None,
        inputCount=input_count,
        totalRuns=_whole(record.get("totalRuns")),
        outcome=outcome,
        producer=PRODUCER,
    )


def text(value: Any) -> str | None:
    """Return a value if it is text with something in it."""
    return value if isinstance(value, str) and value else None


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _counts(value: Any) -> dict[str, int] | None:
    if not isinstance(value, Mapping):
        return None
    counts = {name: _whole(value.get(name)) for name in COUNTS}
    return {name: count for name, count in counts.items() if count is not None} or None


def _seconds(start: Any, stop: Any) -> float | None:
    """Return the seconds between two timestamps of a record; None if one is missing or none at all."""
    try:
        seconds = (parse_time(stop) - parse_time(start)).total_seconds()
    except (TypeError, ValueError):
        return None
    return seconds if seconds >= 0 else None
