"""From what a call to AWS raises to what that means for whoever made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from botocore import exceptions as aws_errors
from botocore.parsers import ResponseParserError

from airflow_omics.exceptions import Fault, FaultKind, OmicsRequestError
from airflow_omics.hooks.answers import UnusableAnswerError

_LOST_CREDENTIALS = frozenset(
    (
        "ExpiredToken",
        "IDPCommunicationError",  # these two: STS could not reach whoever vouches for a web identity
        "InvalidIdentityToken",
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
_SERVICES = {"DescribeLogStreams": "logs", "GetLogEvents": "logs"}


class Caller(Protocol):
    """Whoever made a call: a hook or the async client."""

    @property
    def place(self) -> str:
        """Where its calls go."""


def fault_of(error: BaseException, caller: Caller | None = None) -> Fault | None:
    """Return what a failed call to AWS means, or None for an error that is not of AWS or the network.

    :param error: what the call raised.
    :param caller: who made the call, so that what was not found is said with where it was looked for.

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
    service = _SERVICES.get(error.operation_name, "omics")
    if error.operation_name.startswith("AssumeRole"):
        service = "sts"
    return f"{service}:{error.operation_name}"
