"""A request to another service: moto's answer, or one sentence that says that nobody here has it.

moto answers what it lacks with a page of HTML, which no client can read. The sentence is in the request's
protocol.
"""

from __future__ import annotations

import io
import json
import re
import struct
import uuid
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from http.client import responses as reasons
from typing import Any, NamedTuple
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import moto.backends
import moto.moto_server.werkzeug_app as moto_app
from botocore.awsrequest import AWSResponse
from botocore.exceptions import UnknownServiceError

from airflow_omics.emulator.other_services import pricing
from airflow_omics.emulator.wire import codec
from airflow_omics.emulator.wire.exceptions import OmicsServiceError
from airflow_omics.emulator.wire.model import routes_of, service_model
from airflow_omics.emulator.world.request_log import UNKNOWN
from airflow_omics.emulator.world.shared import WORLD

_REST_XML = frozenset({"cloudfront", "route53", "s3", "s3control", "s3express"})


class Asked(NamedTuple):
    """What a request to another service asks for.

    :param service: the service's name in signatures, such as ``pricing``.
    :param operation: such as ``GetProducts``; method and path if no model has it.
    :param protocol: ``json``, ``cbor``, ``query``, ``ec2``, ``rest-json`` or ``rest-xml``.
    """

    service: str
    operation: str
    protocol: str

    @property
    def name(self) -> str:
        """The name that the request log keeps it by."""
        return f"{self.service}:{self.operation}"


def answer(
    app: moto_app.DomainDispatcherApplication,
    service: str,
    environ: dict[str, Any],
    start_response: Callable[..., Any],
) -> Iterable[bytes]:
    """Answer a signed request to a service that is not HealthOmics: by moto, if it can.

    :param service: the service's name in the signature.
    """
    if service != "pricing" and not _lacks(app, environ):
        # Only a form has its operation in the body, and moto reads that.
        body = _body(environ) if _is_form(environ) else b""
        answered = _by_moto(app, environ, start_response)
        if answered is not None:
            return answered
    else:
        # The whole body is read, or the connection would end in a reset.
        body = _body(environ)
    asked = _asked(service, environ, body)
    result: dict[str, Any] | OmicsServiceError = _not_emulated(asked)
    if service == "pricing" and asked.protocol == "json":
        result = _of_the_price_list(asked, body)
    return _respond(asked, environ, start_response, result)


def in_process(operation: str, body: bytes) -> tuple[AWSResponse, dict[str, Any]]:
    """Answer a request to AWS Price List inside moto's mocks, for botocore's event ``before-call``.

    :param body: the request's, JSON.
    """
    asked = Asked("pricing", operation, "json")
    result = _of_the_price_list(asked, body)
    status, code = _kept(asked, result, None)
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": {}, "RequestId": str(uuid.uuid4())}
    parsed: dict[str, Any] = {"ResponseMetadata": metadata}
    if isinstance(result, OmicsServiceError):
        parsed["Error"] = {"Code": code, "Message": result.message}
    else:
        parsed |= result
    return AWSResponse("", status, {}, None), parsed


def _of_the_price_list(asked: Asked, body: bytes) -> dict[str, Any] | OmicsServiceError:
    try:
        found = pricing.answer(asked.operation, json.loads(body or b"{}"))
    except OmicsServiceError as error:
        return error
    return _not_emulated(asked) if found is None else found


def _lacks(app: moto_app.DomainDispatcherApplication, environ: dict[str, Any]) -> bool:
    """Return whether a signed request is for a service that moto has nothing for."""
    host = app.infer_service_region_host(environ, environ.get("PATH_INFO", ""))
    if host is None or host in moto.backends.list_of_moto_modules():
        return False
    # As moto's own look-up does it, which prints what it does not find.
    return not any(pattern.match(f"http://{host}") for _, pattern in app.backend_url_patterns)


def _by_moto(
    app: moto_app.DomainDispatcherApplication, environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes] | None:
    """Return moto's answer; None if it lacks the operation, in whatever way it says so."""
    held: list[Any] = []

    def hold(status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], None]:
        held[:] = [status, headers]
        return lambda data: None

    try:
        content: Iterable[bytes] = app(environ, hold)
    except NotImplementedError:
        return None
    status, headers = held
    if status.startswith("404") and "html" in dict(headers).get("Content-Type", ""):
        whole = b"".join(content)
        # An object that is missing has no page of HTML, whatever its type.
        if whole.startswith(b"<!doctype html>"):
            return None
        content = [whole]
    start_response(status, headers)
    return content


def _is_form(environ: Mapping[str, Any]) -> bool:
    return str(environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded")


def _body(environ: dict[str, Any]) -> bytes:
    """Return the body of a request, and leave it to be read again."""
    body = bytes(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _asked(service: str, environ: Mapping[str, Any], body: bytes) -> Asked:
    method, path = environ["REQUEST_METHOD"], str(environ.get("PATH_INFO", ""))
    if environ.get("HTTP_SMITHY_PROTOCOL") == "rpc-v2-cbor":
        return Asked(service, path.rpartition("/")[2], "cbor")
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return Asked(service, target.rpartition(".")[2], "json")
    if _is_form(environ):
        action = parse_qs(body.decode("latin-1")).get("Action", [UNKNOWN])[0]
        return Asked(service, action, "ec2" if service == "ec2" else "query")
    protocol = "rest-xml" if service in _REST_XML else "rest-json"
    sent = str(environ.get("REQUEST_URI", path)).partition("?")[0]
    for candidate, pattern, name in _routes(service):
        if candidate == method and pattern.fullmatch(sent):
            return Asked(service, name, protocol)
    return Asked(service, f"{method} {path}", protocol)


@cache
def _routes(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    try:
        return routes_of(service_model(service))
    except UnknownServiceError:
        # Not every service signs by the name that it has in botocore.
        return []


def _not_emulated(what: Asked) -> OmicsServiceError:
    says = f"{what.name} is not emulated: neither the emulator nor moto has it"
    return OmicsServiceError("NotImplemented", 501, says)


def _respond(
    what: Asked,
    environ: Mapping[str, Any],
    start_response: Callable[..., Any],
    result: dict[str, Any] | OmicsServiceError,
) -> Iterable[bytes]:
    """Answer a request by WSGI, and keep it in the request log.

    :param result: the answer's members, for a service whose protocol is ``json``; or the error.
    """
    if isinstance(result, OmicsServiceError):
        kind, content = _error(what.protocol, result)
    else:
        kind, content = "application/x-amz-json-1.1", json.dumps(result).encode()
    status, code = _kept(what, result, environ.get("HTTP_USER_AGENT"))
    headers = {
        "Content-Type": kind,
        "Content-Length": str(len(content)),
        "x-amzn-RequestId": str(uuid.uuid4()),
        **({} if code is None else {"x-amzn-errortype": code}),
        **({"smithy-protocol": "rpc-v2-cbor"} if what.protocol == "cbor" else {}),
    }
    start_response(f"{status} {reasons[status]}", list(headers.items()))
    return [content]


def _kept(
    what: Asked, result: dict[str, Any] | OmicsServiceError, user_agent: str | None
) -> tuple[int, str | None]:
    """Keep a request in the request log, and return the status and the error code of its answer."""
    status, code = (result.status, result.code) if isinstance(result, OmicsServiceError) else (200, None)
    WORLD.requests.add(
        {
            "operation": what.name,
            "status": status,
            "error": code,
            "run_id": None,
            "time": codec.timestamp(WORLD.clock.now()),
            "user_agent": user_agent,
        }
    )
    return status, code


def _error(protocol: str, error: OmicsServiceError) -> tuple[str, bytes]:
    """Return the content type and the body of an error."""
    if protocol == "cbor":
        pairs = {"__type": error.code, "message": error.message}
        texts = b"".join(_cbor_text(key) + _cbor_text(value) for key, value in pairs.items())
        return "application/cbor", bytes([0xA0 | len(pairs)]) + texts
    if protocol in ("json", "rest-json"):
        body = json.dumps({"__type": error.code, "message": error.message}).encode()
        return "application/x-amz-json-1.1" if protocol == "json" else "application/json", body
    inner = f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message></Error>"
    if protocol == "ec2":
        return "text/xml", f"<Response><Errors>{inner}</Errors></Response>".encode()
    return "text/xml", f"<ErrorResponse>{inner}</ErrorResponse>".encode()


def _cbor_text(text: str) -> bytes:
    content = text.encode()
    return b"\x79" + struct.pack(">H", len(content)) + content
