"""From a request to an answer: limits, faults, the operation itself, and the request log."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs

from moto.core.models import DEFAULT_ACCOUNT_ID
from werkzeug.http import http_date

from airflow_omics.emulator.service import operations
from airflow_omics.emulator.service.common.backend import OmicsBackend, backend_for
from airflow_omics.emulator.service.common.resource import Call, Resource
from airflow_omics.emulator.wire import codec, names
from airflow_omics.emulator.wire.exceptions import OmicsServiceError, service_error
from airflow_omics.emulator.world.faults import WIRE_FAULTS, Fault
from airflow_omics.emulator.world.request_log import UNKNOWN
from airflow_omics.emulator.world.shared import WORLD

log = logging.getLogger(__name__)

_SCOPE = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
_HOST = re.compile(r"omics(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com|api\.aws)")
_HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass
class Incoming:
    """A request as it came, whichever way it came.

    :param path: its path with what is encoded in it, without the query.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    host: str = ""


@dataclass
class Answer:
    """An answer; or, with ``fault`` set to ``hang`` or ``drop``, the absence of one."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    fault: Fault | None = None


def credential_scope(authorization: str) -> tuple[str, str, str] | None:
    """Return access key, Region and service of a SigV4 ``Authorization`` header."""
    match = _SCOPE.search(authorization)
    return None if match is None else (match[1], match[2], match[3])


def account_of(headers: Mapping[str, str], access_key: str) -> str:
    """Return the account of a request, by moto's own rules."""
    return (
        os.environ.get("MOTO_ACCOUNT_ID") or headers.get("x-moto-account-id") or _account_of_key(access_key)
    )


def _account_of_key(access_key: str) -> str:
    # It takes long to import, and before anyone has asked IAM there is no key.
    iam: Any = sys.modules.get("moto.iam.models")
    account: str = DEFAULT_ACCOUNT_ID if iam is None else iam.get_account_id_from(access_key)
    return account


def answer(request: Incoming) -> Answer:
    """Answer a request, and keep it in the request log."""
    request_id = str(uuid.uuid4())
    seen: dict[str, Any] = {"operation": UNKNOWN, "status": None, "error": None, "run_id": None}
    try:
        result = _answer(request, seen)
    except OmicsServiceError as error:
        seen.update(status=error.status, error=error.code)
        result = Answer(
            error.status, json.dumps({"message": error.message}).encode(), {"x-amzn-errortype": error.code}
        )
    else:
        if result.fault is not None:
            seen["fault"] = result.fault.kind
        seen["status"] = result.status or None
    seen["time"] = codec.timestamp(WORLD.clock.now())
    seen["user_agent"] = request.headers.get("User-Agent")
    WORLD.requests.add(seen)
    result.headers.setdefault("Content-Type", "application/json")
    result.headers["x-amzn-RequestId"] = request_id
    result.headers["Date"] = _date(int(WORLD.clock.now()))
    log.debug("%s -> %s %s", seen["operation"], seen["status"], seen["error"] or "")
    return result


@lru_cache(maxsize=8)
def _date(second: int) -> str:
    return http_date(second)


def _answer(request: Incoming, seen: dict[str, Any]) -> Answer:
    """Answer a request.

    :param seen: what the request log keeps of it, filled in as it becomes known.
    :raises OmicsServiceError: what the service answers instead.
    """
    operation, path = operations.route(request.method, request.path)
    name, resource = operation.name, operations.resource_of(operation.name)
    account, region = _scope(request)
    seen.update(operation=name, account_id=account, region_name=region)
    if resource is None:
        says = f"{name} is not emulated; {', '.join(operations.OPERATIONS)} are"
        raise OmicsServiceError("NotImplemented", 501, says)
    seen["run_id"] = path.get("id") if resource.kind == "run" else None
    if request.query:
        seen["query"] = {key: values[-1] for key, values in parse_qs(request.query).items()}
    backend = backend_for(account, region)
    if WORLD.limits.exceeds(name, f"{account}/{region}"):
        raise service_error("ThrottlingException", "Rate exceeded")
    fault = WORLD.faults.pick(name, seen["run_id"])
    if fault is not None:
        seen["fault"] = fault.kind
        if fault.kind not in WIRE_FAULTS:
            arn = _named(backend, resource, path)
            raise fault.error(name, arn, names.principal(backend))
        if fault.kind == "html":
            return Answer(int(fault.options["status"]), _HTML, {"Content-Type": "text/html"}, fault)
        if fault.kind != "lost-answer":
            return Answer(0, fault=fault)
    members = codec.read(operation, path, request.query, request.body)
    if name == "StartRun" or "requestId" in members:
        named = members.get("name", members.get("batchName"))
        seen.update(request_id=members.get("requestId"), name=named)
    with WORLD.lock:
        result = operations.perform(name, Call(backend, members, request.host))
        status, body = codec.write(operation, result)
    if name == "StartRun":
        seen["run_id"] = result["id"]
    # A lost answer: the request has had its effect, and the client does not know.
    return Answer(status, body) if fault is None else Answer(0, fault=fault)


def _named(backend: OmicsBackend, resource: Resource, path: Mapping[str, str]) -> str:
    """Return the ARN of what a request is about, as a denial names it."""
    if "resourceArn" in path:
        return path["resourceArn"]
    name = next((path[key] for key in ("id", "batchId", "workflowId", "name") if key in path), "*")
    version = f"/version/{path['versionName']}" if "versionName" in path else ""
    return names.arn(backend, resource.kind, name + version)


def _scope(request: Incoming) -> tuple[str, str]:
    """Return the account and Region that a request is for."""
    scope = credential_scope(request.headers.get("Authorization") or "")
    if scope is not None:
        return account_of(request.headers, scope[0]), scope[1]
    host = _HOST.search(request.host)
    return DEFAULT_ACCOUNT_ID, host[1] if host else "us-east-1"
