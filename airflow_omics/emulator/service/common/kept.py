"""Files that answers link to, such as a workflow's definition: kept in the emulator's own S3."""

from __future__ import annotations

import hashlib
from urllib.parse import urlencode

from airflow_omics.emulator.wire.names import Place
from airflow_omics.emulator.world import moto_stores


def _bucket(place: Place) -> str:
    return f"omics-emulator-{place.account_id}-{place.region_name}"


def keep(place: Place, key: str, content: bytes, moment: float) -> None:
    """Put a file into the bucket of an account and Region, which is made when it is missing.

    :param moment: when it was written, in seconds since the epoch.
    """
    moto_stores.put_objects(place, _bucket(place), {key: content}, moment)


def url(place: Place, key: str, host: str) -> str:
    """Return a URL of a file that needs no keys to be fetched, as a presigned one does not.

    :param host: the host that HealthOmics was asked at. Over HTTP, the emulator's S3 has the same host.
    """
    bucket = _bucket(place)
    domain = "amazonaws.com.cn" if place.partition == "aws-cn" else "amazonaws.com"
    if host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws")):
        address = f"https://{bucket}.s3.{place.region_name}.{domain}/{key}"
    else:
        address = f"http://{host}/{bucket}/{key}"
    # moto wants a signature, and does not check it.
    signature = hashlib.sha256(address.encode()).hexdigest()
    return f"{address}?{urlencode({'X-Amz-Algorithm': 'AWS4-HMAC-SHA256', 'X-Amz-Signature': signature})}"
