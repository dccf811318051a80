"""The hook: how HealthOmics is reached, through an Airflow connection of type ``aws``."""

from __future__ import annotations

import asyncio
import datetime
import os
import sys
from collections.abc import Mapping
from functools import cached_property
from types import FrameType
from typing import Any

from botocore.config import Config
from botocore.utils import parse_timestamp

from airflow_omics._connection import AwsArguments
from airflow_omics.exceptions import OmicsRequestError
from airflow_omics.hooks.caller import home_by_sts
from airflow_omics.hooks.named import NamedConnectionHook, UnreadableConnectionError
from airflow_omics.hooks.operations import LOADER, OmicsOperations
from airflow_omics.hooks.settings import check_ca_bundle, check_options, unknown_region, with_defaults

# Calls such as GetRun answer within a second. botocore's own limits (60 s to connect, 60 s to read, five
# tries) would hold a sensor for minutes past its timeout when an endpoint has gone silent.
_DEFAULT_CONFIG: Mapping[str, Any] = {
    "connect_timeout": 10,
    "read_timeout": 30,
    "retries": {"mode": "standard", "total_max_attempts": 3},
}


class OmicsHook(OmicsOperations, NamedConnectionHook):
    """Talk to AWS HealthOmics through an Airflow connection of type ``aws``.

    How AWS is reached is here; the calls are in ``airflow_omics.hooks.operations``.

    It takes every parameter of ``AwsBaseHook`` except ``client_type``. A connection that is named and cannot
    be read is an :class:`UnreadableConnectionError` at each call, until it can be read. Host-prefix injection
    (HealthOmics puts ``workflows-`` before the host name) is turned off if the connection or
    ``AWS_ENDPOINT_URL[_OMICS]`` names an endpoint of its own, since ``workflows-`` before that name
    leads nowhere. Unless ``config`` or the connection's ``config_kwargs`` say otherwise, a call connects
    within 10 s, reads within 30 s and is tried 3 times.

    See https://docs.aws.amazon.com/omics/latest/api/Welcome.html
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "omics"
        super().__init__(*args, **kwargs)
        self.clock_skew = 0.0
        self._forget_homes()

    @classmethod
    def of(cls, arguments: AwsArguments) -> OmicsHook:
        """Return a hook for the four AWS arguments of an operator, sensor or trigger.

        :raises OmicsRequestError: ``botocore_config`` holds something that is not an option of botocore's.
        """
        config = None if arguments.botocore_config is None else dict(arguments.botocore_config)
        check_options("botocore_config", config or {})
        return cls(
            aws_conn_id=arguments.aws_conn_id,
            region_name=arguments.region_name,
            verify=arguments.verify,
            config=config,
        )

    @cached_property
    def conn_config(self) -> Any:
        """The settings of hook and connection together.

        :raises OmicsRequestError: one of them can't be right; a client would report a transient error.
        """
        connection = f"connection {self.aws_conn_id!r}"
        try:
            settings = super().conn_config
        except TypeError:
            extra = self.get_connection(str(self.aws_conn_id)).extra_dejson
            check_options(f"config_kwargs of {connection}", extra.get("config_kwargs") or {})
            raise
        try:
            check_ca_bundle(settings.verify, connection if self._verify is None else None)
        except OmicsRequestError:
            self.__dict__.pop("conn_config", None)  # the base class has kept it under the same name
            raise
        return settings

    def _omics_client(self, *, retried: bool = True) -> Any:
        """Return the client; one that sends each request only once is a new one each time."""
        if retried:
            return self.conn
        one_try = self.config.merge(Config(retries={"total_max_attempts": 1}))
        return self.get_client_type(region_name=self.region_name, config=one_try)

    def forget(self) -> None:
        """Read the connection again at the next call, with a new client."""
        super().forget()
        self._forget_homes()
        self._last_workflow = None

    def _forget_homes(self) -> None:
        self.homes, self.own_home = set(), None
        self.asked_sts = self.looked_around = False

    def ask_sts(self) -> None:
        """Learn in which account and Region these calls are made, if STS can say it."""
        self.asked_sts = True
        self.own_home = home_by_sts(self, self.conn)

    def region_warning(self) -> str | None:
        """Return a warning if botocore knows no such Region and no endpoint is given, or None."""
        try:
            self.conn_config  # noqa: B018
        except UnreadableConnectionError:
            return None  # the next call says so
        region = self.region_name or os.environ.get("AWS_DEFAULT_REGION")
        if not region or self.has_own_endpoint(self.config):
            return None
        return unknown_region(region, LOADER)

    def get_session(self, region_name: str | None = None, deferrable: bool = False) -> Any:
        """Return a session; one for async use is cheap, and never blocks the event loop later on."""
        session: Any = super().get_session(region_name=region_name, deferrable=deferrable)
        if deferrable:
            # The Amazon provider shares its loader only among sessions without a role; others take 18 MB.
            session.register_component("data_loader", LOADER)
            refresh_in_a_thread(session)
        core = getattr(session, "_session", session)  # boto3's has one of botocore inside
        core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_parse_time)
        return session

    @property
    def config(self) -> Config:
        """The settings of its clients, also of the one that assumes a role."""
        return with_defaults(super().config, _DEFAULT_CONFIG)

    def _get_config(self, config: Config | None = None) -> Config:
        merged = super()._get_config(config)
        if not self.has_own_endpoint(merged):
            return merged
        return with_defaults(merged, {"inject_host_prefix": False})

    def _get_caller(self, target_function_name: str = "execute") -> str:
        """Return which operator or sensor calls, for the user agent.

        The Amazon provider uses ``inspect.stack()``, which looks for the source file of each frame among all
        modules. That takes a quarter of the time in which a task gets its client.
        """
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_name == target_function_name and "self" in frame.f_locals:
                return type(frame.f_locals["self"]).__name__
            frame = frame.f_back
        return "Unknown"


def _parse_time(value: Any) -> datetime.datetime:
    """Parse a timestamp as the service writes it, about a hundred times faster than botocore does."""
    try:
        return datetime.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        parsed: datetime.datetime = parse_timestamp(value)
        return parsed


def refresh_in_a_thread(session: Any) -> None:
    """Let a role's credentials be refreshed in a thread: the Amazon provider's refresh is a blocking call."""
    refresh = getattr(getattr(session, "_credentials", None), "_refresh_using", None)
    if refresh is not None and not asyncio.iscoroutinefunction(refresh):
        session._credentials._refresh_using = lambda: asyncio.to_thread(refresh)
