"""The errors of the service, each with the HTTP status it has on the wire.

The list is the service model's: https://docs.aws.amazon.com/omics/latest/api/CommonErrors.html and each
operation's page.
"""

from __future__ import annotations


class OmicsServiceError(Exception):
    """An error answer of the service.

    :param code: what botocore reports as the error code.
    :param status: the HTTP status.
    :param message: the text in the body.
    """

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.status = status
        self.message = message


STATUS_OF: dict[str, int] = {
    "AccessDeniedException": 403,
    "ConflictException": 409,
    "ExpiredTokenException": 403,
    "InternalServerException": 500,
    "RequestTimeoutException": 408,
    "ResourceNotFoundException": 404,
    "ServiceQuotaExceededException": 402,
    "ThrottlingException": 429,
    "UnrecognizedClientException": 403,
    "ValidationException": 400,
}
"""Error code to HTTP status."""


def service_error(code: str, message: str) -> OmicsServiceError:
    """Return the error ``code`` with its HTTP status."""
    return OmicsServiceError(code, STATUS_OF[code], message)


def validation(message: str) -> OmicsServiceError:
    """Return a ValidationException."""
    return service_error("ValidationException", message)


def not_found(what: str) -> OmicsServiceError:
    """Return a ResourceNotFoundException for ``what``."""
    return service_error("ResourceNotFoundException", f"{what} not found")


def conflict(message: str) -> OmicsServiceError:
    """Return a ConflictException."""
    return service_error("ConflictException", message)
