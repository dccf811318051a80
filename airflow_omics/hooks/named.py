"""A hook that uses the connection that is named, and never something else instead."""

from __future__ import annotations

import os
from typing import Any, Final, Self

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.config import Config

from airflow_omics._compat import AirflowNotFoundException

_LONGEST = 300  # characters of a secrets backend's own error

# Ids that this process has read. What a worker has read is not handed to a trigger: an environment variable
# may define aws_default only on workers, while the triggerer is meant to use its instance's role.
_READ: Final[set[str]] = set()


class UnreadableConnectionError(Exception):
    """The Airflow connection that is named could not be read now; it may be readable a moment later."""


class NamedConnectionHook(AwsBaseHook):
    """An ``AwsBaseHook`` that refuses to go on without the connection that is named.

    The Amazon provider uses boto3's own chain of credentials if a connection is not found. Airflow says
    "not found" for every failure of a secrets backend, so a short outage would turn into another identity:
    perhaps one that works, and answers for another account. Only ``aws_default`` may be missing, because many
    people never define it, until this process has read it once.
    """

    replaces: bool
    """Whether this client replaces one that was given up after a fault."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.replaces = False

    @classmethod
    def beside(cls, hook: NamedConnectionHook) -> Self:
        """Return a hook on the same connection, Region and settings as ``hook``, for another service.

        The connection is read at most once for both: it may be slow, and not every thread may read it.
        """
        other = cls(
            aws_conn_id=hook.aws_conn_id,
            region_name=hook._region_name,
            verify=hook._verify,
            config=hook._config,
        )
        other.__dict__["conn_config"] = hook.conn_config  # a cached property
        return other

    @classmethod
    def get_connection(cls, conn_id: str) -> Any:
        """Return the Airflow connection.

        :raises UnreadableConnectionError: it could not be read, for whatever reason.
        """
        try:
            connection = super().get_connection(conn_id)
        except Exception as error:  # of any kind: each secrets backend has its own
            if cls._may_be_missing(conn_id) and isinstance(error, AirflowNotFoundException | ImportError):
                raise  # the Amazon provider knows what to do
            text = f"{type(error).__name__}: {error}"[:_LONGEST]
            raise UnreadableConnectionError(
                f"the Airflow connection {conn_id!r} could not be read ({text}); check aws_conn_id, and that "
                "the connection is there for workers and triggerers"
            ) from error
        _READ.add(conn_id)
        return connection

    @classmethod
    def _may_be_missing(cls, conn_id: str) -> bool:
        return conn_id == cls.default_conn_name and conn_id not in _READ

    @property
    def stands_in(self) -> bool:
        """Whether boto3's own chain of credentials stands in for a connection that was not found."""
        return bool(self.aws_conn_id) and not self.conn_config

    @property
    def place(self) -> str:
        """Where its calls go: the Region and the connection, for errors."""
        return place_of(self.conn_region_name, self.aws_conn_id)

    def has_own_endpoint(self, config: Config) -> bool:
        """Return whether the connection or the environment names an endpoint for the hook's service.

        :param config: of the client, which may say that the environment's are ignored.
        """
        service = str(self.client_type)
        if self.conn_config.get_service_endpoint_url(service):
            return True
        ignored = getattr(config, "ignore_configured_endpoint_urls", None)
        if ignored is None:
            ignored = os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true"
        if ignored:
            return False
        return bool(
            os.environ.get(f"AWS_ENDPOINT_URL_{service.upper()}") or os.environ.get("AWS_ENDPOINT_URL")
        )

    def forget(self) -> None:
        """Read the connection again at the next call, with a new client."""
        for name in ("conn", "conn_config", "_client", "account_id"):
            self.__dict__.pop(name, None)
        self.replaces = True


def place_of(region: str | None, aws_conn_id: str | None) -> str:
    """Return where calls go, for errors."""
    through = f"the connection {aws_conn_id!r}" if aws_conn_id else "no Airflow connection"
    return f"in {region}, through {through}"
