"""What an exception of a call to AWS means: from botocore's exceptions to faults."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Mapping
from typing import Any, Literal, Protocol

from botocore import exceptions as aws_errors
from botocore.parsers import ResponseParserError

from airflow_omics._compat import AirflowNotFoundException
from airflow_omics._faults import Fault
from airflow_omics.exceptions import FaultKind, OmicsRequestError
from airflow_omics.hooks.named import UnreadableConnectionError
from airflow_omics.hooks.responses import UnusableAnswerError, is_of_aws

_LOST_CREDENTIALS = frozenset(
    (
        "ExpiredToken",
        "IDPCommunicationError",  # these two: STS could not reach the provider of a web identity
        "InvalidIdentityToken",
        "InvalidAccessKeyId",  # these two: S3's own words
        "InvalidToken",
        "InvalidClientTokenId",
        "InvalidSignature",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClient",
    )
)
_DENIALS = frozenset(("AccessDenied", "UnauthorizedOperation", "NotAuthorized"))
_TRANSIENT_STATUSES = frozenset((402, 408, 409, 429))

_NO_CREDENTIALS = (
    aws_errors.NoCredentialsError,
    aws_errors.PartialCredentialsError,
    aws_errors.CredentialRetrievalError,
    aws_errors.TokenRetrievalError,
    aws_errors.SSOError,
    aws_errors.MetadataRetrievalError,
    FileNotFoundError,  # a web identity's token file, which is mounted again when it is rotated
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
_NO_CONNECTION = (
    aws_errors.EndpointConnectionError,
    aws_errors.ConnectTimeoutError,
    aws_errors.ProxyConnectionError,
    aws_errors.SSLError,
    ConnectionRefusedError,
    socket.gaierror,
    ssl.SSLError,
)
# S3 answers these with status 400: the connection was idle, or ended, while it waited for the content.
_TRANSIENT_CODES = frozenset(("IncompleteBody", "RequestTimeout"))
_ACTIONS = {
    "ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "DeleteMessageBatch": "sqs:DeleteMessage",
    "DescribeLogStreams": "logs:DescribeLogStreams",
    "GetLogEvents": "logs:GetLogEvents",
    "GetObject": "s3:GetObject",
    "GetProducts": "pricing:GetProducts",
    "GetQueueAttributes": "sqs:GetQueueAttributes",
    "HeadObject": "s3:GetObject",
    "ListObjectsV2": "s3:ListBucket",
    "PutObject": "s3:PutObject",
    "ReceiveMessage": "sqs:ReceiveMessage",
}
# An answer to HEAD has no content, so S3 cannot say more than a status. 400 is usually an expired token.
_CODES_OF_HEAD = {400: "ExpiredToken", 403: "AccessDenied"}


class Caller(Protocol):
    """Whoever made a call: a hook or the async client."""

    @property
    def place(self) -> str:
        """Where its calls go."""


class Reader(Caller, Protocol):
    """A caller, and what it knows of its own identity."""

    homes: set[str]
    own_home: str | None
    asked_sts: bool
    looked_around: bool
    replaces: bool

    @property
    def stands_in(self) -> bool:
        """Whether boto3's own chain of credentials stands in for a connection that was not found."""


class SyncReader(Reader, Protocol):
    """A reader in a worker."""

    def ask_sts(self) -> None:
        """Learn in which account and Region the calls are made, if STS can say it."""

    def look_around(self) -> None:
        """Learn whose runs the calls read, if that is allowed."""


def fault_of(error: BaseException, caller: Caller | None = None) -> Fault | None:
    """Return what a failed call to AWS means, or None for an error that is not from AWS or the network.

    :param error: what the call raised.
    :param caller: who made the call, so that "not found" names the Region and the connection.

    HealthOmics' errors: https://docs.aws.amazon.com/omics/latest/api/CommonErrors.html
    """
    if isinstance(error, aws_errors.ClientError):
        fault = _fault_of_answer(error)
        if fault.kind is FaultKind.NOT_FOUND and caller is not None:
            return fault._replace(message=f"{fault.message}, {caller.place}")
        return fault
    name = type(error).__name__
    if isinstance(error, OmicsRequestError):
        return Fault(FaultKind.REFUSED, str(error), name)
    if isinstance(error, UnreadableConnectionError):
        return Fault(FaultKind.CREDENTIALS, str(error), name)
    if _is_of_airflow(error):
        # An Airflow connection that could not be read: by a secrets backend, the API server, the supervisor.
        return Fault(FaultKind.CREDENTIALS, f"Airflow could not say how to connect: {name}: {error}", name)
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
        unreached = isinstance(error, _NO_CONNECTION)
        return Fault(FaultKind.TRANSIENT, f"{name}: {error}", name, no_connection=unreached)
    if isinstance(error, aws_errors.BotoCoreError):
        return Fault(FaultKind.REFUSED, f"{name}: {error}", name)
    return None


def _is_of_airflow(error: BaseException) -> bool:
    if isinstance(error, AirflowNotFoundException):
        return True
    # What Airflow 3's API server or supervisor answers instead; Airflow 2.11 has no such class.
    return any(base.__name__ == "AirflowRuntimeError" for base in type(error).__mro__)


def doubt_of(caller: Reader, home: str | None, *, denied: bool = False) -> str:
    """Return why "not found", or "denied", may be the answer of another account; empty if it counts.

    The answer counts if the client has read a run of the run's account and Region, or if STS or a page of
    ListRuns has shown that it would (:func:`next_question`). It does not count if they have shown another
    account or Region: the connection may have been edited since the run was read. If they show nothing, the
    answer of a client counts that was made from the connection that is named: reschedule mode has a new one
    for each look, and a triggerer that was restarted has one for all its waits. The answers of two clients do
    not: of one on boto3's own chain of credentials, while the connection ``aws_default`` is not found; and,
    for "not found", of one that replaces another after a fault, since that fault may have come with a new
    identity. An answer that does not count is one of lost credentials: it is retried with a new client, and
    after five minutes it is an error that names what to check.

    :param caller: who made the call.
    :param home: the run's account and Region, if they are known.
    :param denied: whether the answer is "denied", and not "not found".
    """
    read_in = caller.homes | ({caller.own_home} if caller.own_home else set())
    if home is not None and read_in:
        if home in read_in:
            return ""
        return f"these calls, {caller.place}, read runs of {min(read_in)}, not of {home}"
    if caller.homes:
        return ""
    if caller.stands_in:
        return (
            "the named Airflow connection was not found, and the credentials that boto3 found instead have "
            f"read no run ({caller.place})"
        )
    if caller.replaces and not denied:
        return f"its client was replaced after a fault, and has read no run since ({caller.place})"
    return ""


def next_question(
    caller: Reader, home: str | None, *, denied: bool = False
) -> Literal["STS", "ListRuns"] | None:
    """Return what to ask before :func:`doubt_of` judges an answer; None if nothing more can be learnt.

    "Not found" of a run whose account and Region are known is never taken on trust. STS says in which account
    the client is, and a page of ListRuns shows it if STS can't be asked. For a run whose account is unknown,
    only a run that the client can read says anything. Each is asked at most once for a client.

    :param caller: who made the call.
    :param home: the run's account and Region, if they are known.
    :param denied: whether the answer is "denied", and not "not found".
    """
    if home is not None and (caller.homes or caller.own_home):
        return None
    if not doubt_of(caller, home, denied=denied) and (denied or home is None):
        return None
    if home is not None and not caller.asked_sts:
        return "STS"
    return None if caller.looked_around else "ListRuns"


def weighed(fault: Fault, hook: SyncReader, home: str | None) -> Fault:
    """Return the fault with what makes it doubtful in ``doubt``; STS or ListRuns is asked if that is needed.

    :param fault: the fault of a call about a run that was read before.
    :param hook: what the call was made with.
    :param home: the run's account and Region, if they are known.
    """
    denied = fault.kind is FaultKind.DENIED
    if not denied and fault.kind is not FaultKind.NOT_FOUND:
        return fault
    while (question := next_question(hook, home, denied=denied)) is not None:
        if question == "STS":
            hook.ask_sts()
        else:
            hook.look_around()
    return fault._replace(doubt=doubt_of(hook, home, denied=denied))


def _fault_of_answer(error: aws_errors.ClientError) -> Fault:
    details: Mapping[str, Any] = error.response.get("Error", {})
    metadata: Mapping[str, Any] = error.response.get("ResponseMetadata", {})
    code, status = str(details.get("Code", "")), int(metadata.get("HTTPStatusCode", 0))
    request_id = metadata.get("RequestId")
    said = f"{error.operation_name}: {code}: {details.get('Message') or 'no message'}"
    if request_id:
        said += f" (request id {request_id})"

    if error.operation_name == "HeadObject" and code.isdigit() and is_of_aws(error.response):
        code = _CODES_OF_HEAD.get(status, code)
    plain = code.removesuffix("Exception")
    if plain in _LOST_CREDENTIALS or plain.startswith("ExpiredToken"):
        return Fault(FaultKind.CREDENTIALS, said, code)
    if code == "ResourceNotFoundException":
        return Fault(FaultKind.NOT_FOUND, said, code)
    if status == 429 or plain.startswith("Throttling") or plain == "TooManyRequests":
        return Fault(FaultKind.TRANSIENT, said, code, throttled=True)
    # A status without a code of AWS's own is not the service's answer, whatever the status.
    transient = status >= 500 or status in _TRANSIENT_STATUSES or plain in _TRANSIENT_CODES
    if transient or not code or code.isdigit():
        return Fault(FaultKind.TRANSIENT, said, code)
    # An object in an archive is not there to be read, whoever asks.
    if plain in _DENIALS or (status == 403 and code != "InvalidObjectState"):
        return Fault(FaultKind.DENIED, f"{said}. Allow {_iam_action(error)} to the caller.", code)
    return Fault(FaultKind.REFUSED, said, code)


def _iam_action(error: aws_errors.ClientError) -> str:
    """Name the IAM action that was denied.

    AWS names it in the message: StartRun is also denied without ``iam:PassRole`` or ``omics:TagResource``. If
    the message does not, it is that of the operation; a connection with a role also calls STS.
    """
    message = str((error.response.get("Error") or {}).get("Message") or "")
    if named := re.search(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z0-9]+)", message):
        return named[1]
    if error.operation_name.startswith("AssumeRole"):
        return f"sts:{error.operation_name}"
    return _ACTIONS.get(error.operation_name, f"omics:{error.operation_name}")
