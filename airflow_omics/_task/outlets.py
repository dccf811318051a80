"""The events of a task's outlets: what they say of the run or batch that the task was about."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from airflow_omics._compat import Context, asset_classes, has_partitions
from airflow_omics._resource import BATCH
from airflow_omics._task.outlet_arguments import DEFAULT_FIELDS, place_of

log = logging.getLogger(__name__)


def fill_outlets(task: Any, context: Context, record: Mapping[str, Any]) -> None:
    """Put the public members of a record into the event of each outlet of a task that succeeds.

    What is there already stays. An outlet whose kind has no event, or whose event cannot be filled, changes
    nothing about the others.

    :param task: the sensor or operator.
    :param record: as ``record_fields`` leaves it.
    """
    asset_class, with_events, alias_class = asset_classes()
    events: Any = context["outlet_events"]
    extra = _extra_of(task, record)
    partition = _partition_of(task, record)
    for outlet in task.outlets:
        try:
            if isinstance(outlet, with_events):
                _fill(events[outlet], extra, partition)
            elif isinstance(outlet, alias_class):
                _add_to_alias(events[outlet], asset_class, extra, _folder_of_all(task, record))
        except Exception as error:
            log.warning("The event of %r lacks what is known of its %s", outlet, _noun(task), exc_info=error)
    _warn_of_other_places(task, record, asset_class)


def _extra_of(task: Any, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an event holds: flat, since Airflow 2.11 takes nothing else for an alias."""
    fields = DEFAULT_FIELDS[_noun(task)] if task.asset_fields is None else task.asset_fields
    extra, nested = {}, []
    for field in fields:
        value = _value_of(task, record, field)
        if isinstance(value, str | int | float):
            extra[field] = value
        elif value is not None:
            nested.append(field)
    if nested:
        log.warning("Events of outlets are flat, and have no %s", ", ".join(nested))
    return extra


def _value_of(task: Any, record: Mapping[str, Any], field: str) -> Any:
    value: Any = record
    for key in place_of(field, task.resource):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _partition_of(task: Any, record: Mapping[str, Any]) -> str | None:
    field = task.partition_outlets_by
    if field is None or not has_partitions():
        return None
    value = _value_of(task, record, field)
    if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
        return str(value)
    log.warning(
        "The events of the task's outlets have no partition, since its %s has no %s: they start no DAG "
        "that is scheduled by partitions",
        _noun(task),
        field,
    )
    return None


def _fill(event: Any, extra: Mapping[str, Any], partition: str | None) -> None:
    for field, value in extra.items():
        event.extra.setdefault(field, value)
    if partition is not None:
        event.add_partitions(partition)


def _add_to_alias(event: Any, asset_class: Any, extra: Mapping[str, Any], folder: str | None) -> None:
    """Add an event for the folder that was given for the outputs: one asset for all runs of that folder."""
    known = getattr(event, "asset_alias_events", None) or getattr(event, "dataset_alias_events", None)
    if folder is not None and not known:
        event.add(asset_class(uri=folder), extra=dict(extra))


def _folder_of_all(task: Any, record: Mapping[str, Any]) -> str | None:
    """Return the ``outputUri`` of a run or batch that has ended well, or None."""
    good = (task.resource.terminal[0], *getattr(task, "success_statuses", ()))
    if record.get("status") not in good:
        return None  # it was only started or read, and nothing is there yet
    return _output_uri(task, record)


def _output_uri(task: Any, record: Mapping[str, Any]) -> str | None:
    default = record.get("defaultRunSetting")
    of_batch = default.get("outputUri") if isinstance(default, Mapping) else None
    return record.get("outputUri") or of_batch or getattr(task, "output_uri", None)


def _warn_of_other_places(task: Any, record: Mapping[str, Any], asset_class: type) -> None:
    """Log one warning if the URIs of outlets are not where the run or batch writes."""
    place = record.get("runOutputUri") or _output_uri(task, record)
    if not isinstance(place, str):
        return
    other = [uri for uri in _s3_uris(task.outlets, asset_class) if not _holds(uri, place)]
    if other:
        unless = ", unless the settings of its runs say otherwise" if task.resource == BATCH else ""
        log.warning(
            "%s writes to %s%s, and not to the outlet %s: who waits for that asset finds nothing new there",
            task.resource.named(str(record.get("id"))),
            place,
            unless,
            ", ".join(other),
        )


def _s3_uris(outlets: Any, asset_class: type) -> Iterator[str]:
    for outlet in outlets:
        if isinstance(outlet, asset_class):
            uri = str(outlet.uri)  # type: ignore[attr-defined]
            if uri.startswith("s3://"):
                yield uri


def _holds(uri: str, place: str) -> bool:
    """Return whether a place in S3 is a URI or in the folder that it names, or the URI is in that place."""
    folder, inner = uri.rstrip("/") + "/", place.rstrip("/") + "/"
    return inner.startswith(folder) or folder.startswith(inner)


def _noun(task: Any) -> str:
    noun: str = task.resource.noun
    return noun
