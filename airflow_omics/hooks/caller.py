"""Which AWS account calls are made in: STS says it to any identity, and no IAM permission is needed.

See https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
"""

from __future__ import annotations

import logging
from typing import Any, Final
from urllib.parse import urlsplit

from botocore.config import Config

from airflow_omics._identity import home_in
from airflow_omics.hooks.named import NamedConnectionHook

log = logging.getLogger(__name__)

LONGEST: Final = 5.0
"""Seconds at most to connect to STS, and again to read: it answers within one, or is out of reach."""

_OF_AWS: Final = (".amazonaws.com", ".api.aws", ".amazonaws.com.cn", ".api.amazonwebservices.com.cn")


def home_by_sts(hook: NamedConnectionHook, omics: Any) -> str | None:
    """Return the account and Region whose runs a client reads, by one GetCallerIdentity; None if unknown.

    It raises nothing: what it returns only helps. It blocks for ten seconds at most, and longer only if the
    connection's role has to be assumed first.

    :param hook: from which the client was made; its connection is not read again.
    :param omics: the client of HealthOmics, boto3's or aiobotocore's.
    """
    try:
        sts = _client(hook)
        try:
            if not _answer_alike(omics.meta.endpoint_url, sts.meta.endpoint_url):
                return None
            return home_in(sts.get_caller_identity()["Account"], omics.meta.region_name)
        finally:
            sts.close()
    except Exception as error:
        log.debug("STS did not say in which account these calls are made", exc_info=error)
        return None


def _client(hook: NamedConnectionHook) -> Any:
    given = hook.config
    short = Config(
        retries={"total_max_attempts": 1},
        connect_timeout=min(given.connect_timeout or LONGEST, LONGEST),
        read_timeout=min(given.read_timeout or LONGEST, LONGEST),
    )
    return hook.get_session(region_name=hook.region_name).client(
        "sts",
        endpoint_url=hook.conn_config.get_service_endpoint_url("sts"),
        config=given.merge(short),
        verify=hook.verify,
    )


def _answer_alike(omics: str, sts: str) -> bool:
    """Return whether two endpoints are both AWS's, or one and the same.

    If only HealthOmics has an endpoint of its own, such as an emulator's, AWS's STS knows nothing of the
    account that answers there.
    """
    first, second = urlsplit(omics), urlsplit(sts)
    if all((url.hostname or "").endswith(_OF_AWS) for url in (first, second)):
        return True
    return first.netloc == second.netloc
