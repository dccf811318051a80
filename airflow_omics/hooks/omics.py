"""The hook: HealthOmics through an Airflow connection of type ``aws``."""

from __future__ import annotations

import asyncio
import datetime
import logging
import os
import sys
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from types import FrameType
from typing import Any

from botocore.config import Config
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.utils import parse_timestamp

from airflow_omics._connection import AwsArguments
from airflow_omics._identity import home_of
from airflow_omics.exceptions import OmicsRequestError
from airflow_omics.hooks.named import NamedConnectionHook, UnreadableConnectionError
from airflow_omics.hooks.responses import UnusableAnswerError, checked_record, clock_skew
from airflow_omics.hooks.settings import check_ca_bundle, check_options, unknown_region, with_defaults
from airflow_omics.records import RunRecord, to_record

log = logging.getLogger(__name__)

# GetRun and its kind answer within a second. botocore's own patience (60 s to connect, 60 s to read,
# five tries) would hold a sensor for minutes past its timeout when an endpoint has gone silent.
_DEFAULT_CONFIG: Mapping[str, Any] = {
    "connect_timeout": 10,
    "read_timeout": 30,
    "retries": {"mode": "standard", "total_max_attempts": 3},
}


class OmicsHook(NamedConnectionHook):
    """Talk to AWS HealthOmics through an Airflow connection of type ``aws``.

    Every parameter of ``AwsBaseHook`` is taken except ``client_type``. A connection that is named and cannot
    be read is an :class:`UnreadableConnectionError` at each call, until it can be read. Host-prefix injection
    (HealthOmics puts ``workflows-`` before the host name) is turned off by itself where the connection or
    ``AWS_ENDPOINT_URL[_OMICS]`` names an endpoint of its own, since ``workflows-`` before that name
    leads nowhere. Where ``config`` or the connection's ``config_kwargs`` say nothing of it, a call
    connects within 10 s, reads within 30 s and is tried 3 times.

    See https://docs.aws.amazon.com/omics/latest/api/Welcome.html
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "omics"
        super().__init__(*args, **kwargs)
        self.clock_skew = 0.0
        """Seconds by which the service's clock was ahead of this machine's at the last answer."""
        self.homes: set[str] = set()
        """The accounts and Regions whose runs it has read, as ``_identity.home_of`` says."""
        self.looked_around = False
        """Whether :meth:`look_around` was called."""

    @classmethod
    def of(cls, arguments: AwsArguments) -> OmicsHook:
        """Return a hook for the four AWS arguments of an operator, sensor or trigger.

        :raises OmicsRequestError: ``botocore_config`` holds what is no option of botocore's.
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

        :raises OmicsRequestError: one of them can't be right; a client would take it for bad weather.
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

    @property
    def place(self) -> str:
        """Where its calls go: the Region and the connection, for errors."""
        return place_of(self.conn_region_name, self.aws_conn_id)

    def region_warning(self) -> str | None:
        """Return what to warn of where botocore knows no such Region and no endpoint is given, or None."""
        try:
            self.conn_config  # noqa: B018
        except UnreadableConnectionError:
            return None  # the next call says so
        region = self.region_name or os.environ.get("AWS_DEFAULT_REGION")
        if not region or self._has_own_endpoint(self.config):
            return None
        return unknown_region(region, _LOADER)

    def get_session(self, region_name: str | None = None, deferrable: bool = False) -> Any:
        """Return a session; one for async use is made cheap and never blocks the event loop later on."""
        session: Any = super().get_session(region_name=region_name, deferrable=deferrable)
        if deferrable:
            # The Amazon provider shares its loader with sessions that assume no role; 18 MB each otherwise.
            session.register_component("data_loader", _LOADER)
            session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_parse_time)
            _refresh_in_a_thread(session)
        return session

    @property
    def config(self) -> Config:
        """The settings of its clients, also of that which assumes a role."""
        return with_defaults(super().config, _DEFAULT_CONFIG)

    def _get_config(self, config: Config | None = None) -> Config:
        merged = super()._get_config(config)
        if not self._has_own_endpoint(merged):
            return merged
        return with_defaults(merged, {"inject_host_prefix": False})

    def _get_caller(self, target_function_name: str = "execute") -> str:
        """Return which operator or sensor calls, for the user agent.

        The Amazon provider asks ``inspect.stack()``, which looks for the source file of each frame among all
        modules: a quarter of the time that a task takes to get its client.
        """
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_name == target_function_name and "self" in frame.f_locals:
                return type(frame.f_locals["self"]).__name__
            frame = frame.f_back
        return "Unknown"

    def _has_own_endpoint(self, config: Config) -> bool:
        if self.conn_config.get_service_endpoint_url("omics"):
            return True
        ignored = getattr(config, "ignore_configured_endpoint_urls", None)
        if ignored is None:
            ignored = os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true"
        if ignored:
            return False
        return bool(os.environ.get("AWS_ENDPOINT_URL_OMICS") or os.environ.get("AWS_ENDPOINT_URL"))

    def get_run(self, run_id: str, export: Collection[str] | None = None) -> RunRecord:
        """Return the record of one run, by one GetRun.

        :param run_id: the run's id.
        :param export: what to export along, ``["DEFINITION"]`` or nothing.
        :raises botocore.exceptions.ClientError: as AWS answered; :func:`fault_of` says what it means.

        See https://docs.aws.amazon.com/omics/latest/api/API_GetRun.html
        """
        request: dict[str, Any] = {"id": run_id}
        if export:
            request["export"] = list(export)
        client: Any = self.conn
        answer = client.get_run(**request)
        self.clock_skew = clock_skew(answer)
        record = checked_record(answer)
        self._read_in(record.get("arn"))
        return record

    def _read_in(self, arn: Any) -> None:
        if home := home_of(arn):
            self.homes.add(home)

    def look_around(self) -> None:
        """Learn whose runs these calls read, by one page of ListRuns, where that is allowed."""
        self.looked_around = True
        try:
            for item in self.list_runs():
                self._read_in(item.get("arn"))
                return
        except Exception as error:
            # Not allowed, most often. It is a help, and what is then not known is said where it matters.
            log.debug("Whose runs are read could not be found out", exc_info=error)

    def forget(self) -> None:
        """Read the connection anew at the next call, with a client made anew."""
        super().forget()
        self.homes, self.looked_around = set(), False

    def start_run(self, request: Mapping[str, Any]) -> RunRecord:
        """Start a run and return StartRun's answer as a record.

        It is sent once: an answer that was lost on its way may mean a run that was started, and whether a
        second request with the same token starts another is for the caller to find out first.

        :param request: StartRun's members; without a ``requestId`` botocore makes one up for each call.
        :raises botocore.exceptions.ClientError: as AWS answered.

        See https://docs.aws.amazon.com/omics/latest/api/API_StartRun.html
        """
        one_try = self.config.merge(Config(retries={"total_max_attempts": 1}))
        client: Any = self.get_client_type(region_name=self.region_name, config=one_try)
        answer = client.start_run(**request)
        self.clock_skew = clock_skew(answer)
        return checked_record(answer)

    @staticmethod
    def start_run_members() -> dict[str, str]:
        """Return the members that StartRun takes and the type of each, as the installed botocore knows them.

        It needs no credentials. A type is botocore's: ``string``, ``boolean``, ..., and ``document``.
        """
        model = ServiceModel(_LOADER.load_service_model("omics", "service-2"), "omics")
        members = model.operation_model("StartRun").input_shape.members
        return {
            name: "document" if getattr(shape, "is_document_type", False) else shape.type_name
            for name, shape in members.items()
        }

    def list_runs(
        self, *, name: str | None = None, status: str | None = None, run_group_id: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the runs of the account and Region, of all pages, as plain JSON.

        :param name: only runs of this name; AWS does not say whether it compares for equality.
        :param status: only runs in this status.
        :param run_group_id: only runs of this run group.

        See https://docs.aws.amazon.com/omics/latest/api/API_ListRuns.html
        """
        yield from self._pages("list_runs", name=name, status=status, runGroupId=run_group_id)

    def cancel_run(self, run_id: str) -> None:
        """Ask for a run to be cancelled; it passes through STOPPING, and may still end otherwise.

        See https://docs.aws.amazon.com/omics/latest/api/API_CancelRun.html
        """
        client: Any = self.conn
        client.cancel_run(id=run_id)

    def delete_run(self, run_id: str) -> None:
        """Delete a run's metadata; its outputs in S3 and its logs stay.

        See https://docs.aws.amazon.com/omics/latest/api/API_DeleteRun.html
        """
        client: Any = self.conn
        client.delete_run(id=run_id)

    def list_run_tasks(self, run_id: str, *, status: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the tasks of a run, of all pages, as plain JSON.

        :param status: only tasks in this status.

        See https://docs.aws.amazon.com/omics/latest/api/API_ListRunTasks.html
        """
        yield from self._pages("list_run_tasks", id=run_id, status=status)

    def get_run_task(self, run_id: str, task_id: str) -> dict[str, Any]:
        """Return one task of a run, as plain JSON.

        See https://docs.aws.amazon.com/omics/latest/api/API_GetRunTask.html
        """
        client: Any = self.conn
        answer = client.get_run_task(id=run_id, taskId=task_id)
        return dict(to_record(answer))

    def get_run_group(self, run_group_id: str) -> dict[str, Any]:
        """Return a run group, with its limits, as plain JSON.

        See https://docs.aws.amazon.com/omics/latest/api/API_GetRunGroup.html
        """
        client: Any = self.conn
        return dict(to_record(client.get_run_group(id=run_group_id)))

    def _pages(self, operation: str, **filters: str | None) -> Iterator[dict[str, Any]]:
        client: Any = self.conn
        request: dict[str, Any] = {key: value for key, value in filters.items() if value is not None}
        request["maxResults"] = 100
        while True:
            answer = getattr(client, operation)(**request)
            items = answer.get("items")
            if not isinstance(items, list):
                raise UnusableAnswerError(f"{operation} answered without a list of items")
            yield from (dict(to_record(item)) for item in items)
            token = answer.get("nextToken")
            if not token or token == request.get("startingToken"):
                return
            request["startingToken"] = token


def place_of(region: str | None, aws_conn_id: str | None) -> str:
    """Return where calls go, as errors say it."""
    through = f"the connection {aws_conn_id!r}" if aws_conn_id else "no Airflow connection"
    return f"in {region}, through {through}"


_LOADER = Loader()  # one for the process: each holds the service models that it was asked for


def _parse_time(value: Any) -> datetime.datetime:
    """Parse a timestamp as the service writes it, about a hundred times faster than botocore does."""
    try:
        return datetime.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        parsed: datetime.datetime = parse_timestamp(value)
        return parsed


def _refresh_in_a_thread(session: Any) -> None:
    """Let a role's credentials be refreshed in a thread: the Amazon provider's refresh is a blocking call."""
    refresh = getattr(getattr(session, "_credentials", None), "_refresh_using", None)
    if refresh is not None and not asyncio.iscoroutinefunction(refresh):
        session._credentials._refresh_using = lambda: asyncio.to_thread(refresh)
