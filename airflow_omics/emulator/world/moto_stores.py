"""moto's CloudWatch Logs and S3: objects read, and things written at a moment that has passed.

Left to itself, moto dates both by the wall clock alone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.backends import get_backend
from moto.core.exceptions import ServiceException
from werkzeug.exceptions import HTTPException

from airflow_omics.emulator.wire.names import Place

log = logging.getLogger(__name__)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _dated(today: Any, millis: int) -> Any:
    """Return a moment in the form in which this moto keeps ``today``.

    :param today: what moto has put there: a datetime with or without time zone, or milliseconds.
    :param millis: the moment, in milliseconds since the epoch.
    """
    if isinstance(today, int | float):
        return millis
    # moto cuts the sum of floats down to milliseconds; half of one more keeps it from losing one.
    return (_EPOCH + timedelta(milliseconds=millis, microseconds=500)).replace(tzinfo=today.tzinfo)


def write_events(place: Place, group_name: str, stream_name: str, events: Sequence[tuple[int, str]]) -> None:
    """Append events to a log stream, which is made when it is missing, as is its group.

    :param events: milliseconds since the epoch and message of each, at least one.
    """
    logs: Any = get_backend("logs")[place.account_id][place.region_name]
    first, last = min(moment for moment, _ in events), max(moment for moment, _ in events)
    if group_name not in logs.groups:
        logs.ensure_log_group(group_name)
        group = logs.groups[group_name]
        group.creation_time = _dated(group.creation_time, first)
    group = logs.groups[group_name]
    if stream_name not in group.streams:
        group.create_log_stream(stream_name)
        stream = group.streams[stream_name]
        stream.creation_time = _dated(stream.creation_time, first)
    stream = group.streams[stream_name]
    # Past moto's PutLogEvents, which refuses events as old as a frozen clock may make them.
    stream.put_log_events([{"timestamp": moment, "message": message} for moment, message in events])
    stream.last_ingestion_time = _dated(stream.last_ingestion_time, last)
    for event in stream.events[-len(events) :]:
        event.ingestion_time = event.timestamp


def get_object(place: Place, uri: str, owner: str | None = None) -> bytes | None:
    """Return an object of the emulator's S3, in whichever account its bucket is; None if it is not there.

    :param uri: such as ``s3://bucket/key``.
    :param owner: the account that the bucket must be in; any if it is None.
    """
    found = _object(place, uri, owner)
    content: bytes | None = None if found is None else found.value
    return content


def etag_of(place: Place, uri: str) -> str | None:
    """Return the ETag of an object of the emulator's S3, without quotes; None if it is not there.

    :param uri: such as ``s3://bucket/key``.
    """
    found = _object(place, uri)
    return None if found is None else str(found.etag).strip('"')


def _object(place: Place, uri: str, owner: str | None = None) -> Any:
    bucket_name, _, key = uri.removeprefix("s3://").partition("/")
    everywhere: Any = get_backend("s3")
    partition, account_id = everywhere.bucket_accounts.get(bucket_name, (None, None))
    if partition != place.partition or owner not in (None, account_id):
        return None
    return everywhere[account_id][partition].get_object(bucket_name, key)


def put_objects(place: Place, bucket_name: str, objects: Mapping[str, bytes], moment: float) -> None:
    """Put objects into a bucket, which is made when it is missing.

    A bucket that cannot be written is logged, and nothing else.

    :param objects: key to content.
    :param moment: when they were written, in seconds since the epoch.
    """
    s3: Any = get_backend("s3")[place.account_id][place.partition]
    millis = int(moment * 1000)
    try:
        if bucket_name not in get_backend("s3").bucket_accounts:  # type: ignore[attr-defined]
            # The service would end in EXPORT_FAILED, for which there is a life. Here users expect outputs.
            log.info("bucket %s does not exist; the emulator makes it", bucket_name)
            bucket = s3.create_bucket(bucket_name, place.region_name)
            bucket.creation_date = _dated(bucket.creation_date, millis)
        for key, content in objects.items():
            written = s3.put_object(bucket_name, key, content)
            written.last_modified = _dated(written.last_modified, millis)
    except (HTTPException, ServiceException) as error:
        log.warning("outputs could not be written to bucket %s: %s", bucket_name, error)
