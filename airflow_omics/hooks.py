"""The only room that talks to AWS: a hook for HealthOmics, its async half, and what their errors mean.

botocore is imported here and nowhere else in the package. Operators and sensors import this module
inside ``execute``, so that parsing a DAG file does not pay for it.
"""

from __future__ import annotations

import asyncio
import datetime
import os
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore import exceptions as aws_errors
from botocore.config import Config
from botocore.loaders import Loader
from botocore.parsers import ResponseParserError
from botocore.utils import parse_timestamp

from airflow_omics.connection import AwsArguments
from airflow_omics.exceptions import Fault, FaultKind
from airflow_omics.records import RunRecord, to_record

# GetRun and its kind answer within a second. botocore's own patience (60 s to connect, 60 s to read,
# five tries) would hold a sensor for minutes past its timeout when an endpoint has gone silent.
_DEFAULT_CONFIG: Mapping[str, Any] = {
    "connect_timeout": 10,
    "read_timeout": 30,
    "retries": {"mode": "standard", "total_max_attempts": 3},
}


class OmicsHook(AwsBaseHook):
    """Talk to AWS HealthOmics through an Airflow connection of type ``aws``.

    Every parameter of ``AwsBaseHook`` is taken except ``client_type``. Host-prefix injection (HealthOmics
    puts ``workflows-`` before the host name) is turned off by itself where the connection or
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

    @classmethod
    def of(cls, arguments: AwsArguments) -> OmicsHook:
        """Return a hook for the four AWS arguments of an operator, sensor or trigger."""
        config = None if arguments.botocore_config is None else dict(arguments.botocore_config)
        return cls(
            aws_conn_id=arguments.aws_conn_id,
            region_name=arguments.region_name,
            verify=arguments.verify,
            config=config,
        )

    def get_session(self, region_name: str | None = None, deferrable: bool = False) -> Any:
        """Return a session; one for async use is made cheap and never blocks the event loop later on."""
        session: Any = super().get_session(region_name=region_name, deferrable=deferrable)
        if deferrable:
            # The Amazon provider shares its loader with sessions that assume no role; 18 MB each otherwise.
            session.register_component("data_loader", _LOADER)
            session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_parse_time)
            _refresh_in_a_thread(session)
        return session

    def _get_config(self, config: Config | None = None) -> Config:
        merged = super()._get_config(config)
        # What was set by the user wins, also where it equals botocore's default.
        given = getattr(merged, "_user_provided_options", {})
        ours = {key: value for key, value in _DEFAULT_CONFIG.items() if key not in given}
        if self._has_own_endpoint(merged) and "inject_host_prefix" not in given:
            ours["inject_host_prefix"] = False
        return merged.merge(Config(**ours))

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
        return checked_record(answer)


@dataclass(frozen=True)
class RunPage:
    """One page of ListRuns.

    :param items: the runs, each with ``id``, ``arn``, ``status`` and ``creationTime`` at least.
    :param next_token: for the next page; None on the last.
    """

    items: list[dict[str, Any]]
    next_token: str | None


class OmicsAsyncClient:
    """One aiobotocore client, for as many waits as share a connection.

    It never retries by itself: whoever shares it keeps count of the requests.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self.region: str = client.meta.region_name

    @classmethod
    def open(cls, arguments: AwsArguments) -> OmicsAsyncClient:
        """Build a client; call it in a thread, since it blocks for about 0.1 s and may call STS."""
        hook = OmicsHook.of(arguments)
        one_try = Config(retries={"total_max_attempts": 1}, max_pool_connections=50)
        config = hook.config.merge(one_try)
        context: Any = hook.get_client_type(region_name=hook.region_name, config=config, deferrable=True)
        # aiobotocore binds nothing to a loop before its first request, so this thread's may build it.
        return cls(asyncio.run(context.__aenter__()))

    async def close(self) -> None:
        """Close the client's connections."""
        await self._client.__aexit__(None, None, None)

    async def get_run(self, run_id: str, export: Collection[str] | None = None) -> tuple[RunRecord, float]:
        """Return the run's record, and by how many seconds the service's clock is ahead of ours."""
        request: dict[str, Any] = {"id": run_id}
        if export:
            request["export"] = list(export)
        answer = await self._client.get_run(**request)
        return checked_record(answer), clock_skew(answer)

    async def list_runs(self, status: str, token: str | None = None) -> RunPage:
        """Return a page of up to 100 runs that are in ``status``.

        See https://docs.aws.amazon.com/omics/latest/api/API_ListRuns.html
        """
        request: dict[str, Any] = {"status": status, "maxResults": 100}
        if token:
            request["startingToken"] = token
        answer = await self._client.list_runs(**request)
        items = answer.get("items")
        if not isinstance(items, list) or not all(isinstance(item.get("id"), str) for item in items):
            raise UnusableAnswerError("ListRuns answered without a list of runs")
        return RunPage(items, answer.get("nextToken"))


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


class UnusableAnswerError(Exception):
    """An answer that no HealthOmics gives, such as a proxy's HTML page with status 200."""


def checked_record(answer: Mapping[str, Any]) -> RunRecord:
    """Return GetRun's answer as a record, or raise UnusableAnswerError when it is about no run."""
    if not isinstance(answer.get("id"), str) or not isinstance(answer.get("status"), str):
        raise UnusableAnswerError("GetRun answered without the run's id and status")
    return to_record(answer)


def clock_skew(answer: Mapping[str, Any]) -> float:
    """Return by how many seconds the service's clock, by the answer's ``Date``, is ahead of ours."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return parsedate_to_datetime(date).timestamp() - time.time() if date else 0.0
    except ValueError:
        return 0.0


_LOST_CREDENTIALS = frozenset(
    (
        "ExpiredToken",
        "InvalidClientTokenId",
        "InvalidSignature",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClient",
    )
)
_DENIALS = frozenset(("AccessDenied", "UnauthorizedOperation", "NotAuthorized"))
_PASSING_STATUSES = frozenset((402, 408, 409, 429))

_NO_CREDENTIALS = (
    aws_errors.NoCredentialsError,
    aws_errors.PartialCredentialsError,
    aws_errors.CredentialRetrievalError,
    aws_errors.TokenRetrievalError,
    aws_errors.SSOError,
    aws_errors.MetadataRetrievalError,
    FileNotFoundError,  # a web identity's token file, which is mounted anew when it is rotated
    PermissionError,
)
_NETWORK = (
    aws_errors.HTTPClientError,
    aws_errors.ConnectionError,
    aws_errors.IncompleteReadError,
    OSError,
    TimeoutError,
    ResponseParserError,  # a page that is not the service's: a proxy or load balancer in between
    UnusableAnswerError,
)


def fault_of(error: BaseException) -> Fault | None:
    """Return what a failed call to AWS means, or None for an error that is not of AWS or the network.

    :param error: what the call raised.

    HealthOmics' errors: https://docs.aws.amazon.com/omics/latest/api/CommonErrors.html
    """
    if isinstance(error, aws_errors.ClientError):
        return _fault_of_answer(error)
    name = type(error).__name__
    if isinstance(error, _NO_CREDENTIALS):
        return Fault(FaultKind.CREDENTIALS, f"no usable credentials: {error}", name)
    if isinstance(error, aws_errors.NoRegionError):
        return Fault(
            FaultKind.REFUSED,
            "no AWS Region is set: give region_name, or add region_name to the connection's extra "
            '({"region_name": "us-east-1"}), or set AWS_DEFAULT_REGION.',
            name,
        )
    if isinstance(error, _NETWORK) or type(error).__module__.startswith("aiohttp"):
        return Fault(FaultKind.WEATHER, f"{name}: {error}", name)
    if isinstance(error, aws_errors.BotoCoreError):
        return Fault(FaultKind.REFUSED, f"{name}: {error}", name)
    return None


def _fault_of_answer(error: aws_errors.ClientError) -> Fault:
    details: Mapping[str, Any] = error.response.get("Error", {})
    metadata: Mapping[str, Any] = error.response.get("ResponseMetadata", {})
    code, status = str(details.get("Code", "")), int(metadata.get("HTTPStatusCode", 0))
    request_id = metadata.get("RequestId")
    said = f"{error.operation_name}: {code}: {details.get('Message') or 'no message'}"
    if request_id:
        said += f" (request id {request_id})"

    plain = code.removesuffix("Exception")
    if plain in _LOST_CREDENTIALS or plain.startswith("ExpiredToken"):
        return Fault(FaultKind.CREDENTIALS, said, code)
    if code == "ResourceNotFoundException":
        return Fault(FaultKind.NOT_FOUND, said, code)
    if status == 429 or plain.startswith("Throttling") or plain == "TooManyRequests":
        return Fault(FaultKind.WEATHER, said, code, throttled=True)
    # A status without a code of AWS's own is not the service speaking, whatever the status.
    if status >= 500 or status in _PASSING_STATUSES or not code or code.isdigit():
        return Fault(FaultKind.WEATHER, said, code)
    if plain in _DENIALS or status == 403:
        return Fault(FaultKind.DENIED, f"{said}. Allow {_iam_action(error)} to the caller.", code)
    return Fault(FaultKind.REFUSED, said, code)


def _iam_action(error: aws_errors.ClientError) -> str:
    """Name the IAM action behind an operation; a connection with a role also calls STS."""
    service = "sts" if error.operation_name.startswith("AssumeRole") else "omics"
    return f"{service}:{error.operation_name}"
