"""From a request to an answer: limits, faults, the operation itself, the request log, and moto's way in."""

from __future__ import annotations

import base64
import binascii
import json
import logging
import os
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import get_account_id_from
from werkzeug.http import http_date

from airflow_omics.emulator.lives.run import Entry, Run, tasks_of
from airflow_omics.emulator.service import runs_definition, runs_record
from airflow_omics.emulator.service.backend import OmicsBackend, omics_backends
from airflow_omics.emulator.wire import codec
from airflow_omics.emulator.wire.exceptions import OmicsServiceError, not_found, service_error, validation
from airflow_omics.emulator.world.faults import OPERATIONS, WIRE_FAULTS, Fault
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
        os.environ.get("MOTO_ACCOUNT_ID")
        or headers.get("x-moto-account-id")
        or get_account_id_from(access_key)
    )


def backend_for(account_id: str, region_name: str) -> OmicsBackend:
    """Return the backend of an account and Region."""
    try:
        return omics_backends[account_id][region_name]
    except KeyError:
        raise validation(f"Region {region_name!r} is not an AWS Region") from None


def not_emulated(what: str) -> OmicsServiceError:
    """Return the error for an operation that the emulator does not serve."""
    return OmicsServiceError("NotImplemented", 501, f"{what} is not emulated; {', '.join(OPERATIONS)} are")


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
    WORLD.ledger.add(seen)
    result.headers.setdefault("Content-Type", "application/json")
    result.headers["x-amzn-RequestId"] = request_id
    result.headers["Date"] = http_date(WORLD.clock.now())
    log.debug("%s -> %s %s", seen["operation"], seen["status"], seen["error"] or "")
    return result


def _answer(request: Incoming, seen: dict[str, Any]) -> Answer:
    operation, path = codec.route(request.method, request.path)
    name = operation.name
    seen.update(operation=name, run_id=path.get("id"))
    scope = credential_scope(request.headers.get("Authorization") or "")
    host = _HOST.search(request.host)
    region = scope[1] if scope else host[1] if host else "us-east-1"
    account = account_of(request.headers, scope[0]) if scope else DEFAULT_ACCOUNT_ID
    seen.update(account_id=account, region_name=region)
    if name not in OPERATIONS:
        raise not_emulated(name)
    if request.query:
        seen["query"] = {key: values[-1] for key, values in parse_qs(request.query).items()}
    backend = backend_for(account, region)
    if WORLD.faults.exceeds(name, f"{account}/{region}"):
        raise service_error("ThrottlingException", "Rate exceeded")
    fault = WORLD.faults.pick(name, path.get("id"))
    if fault is not None:
        seen["fault"] = fault.kind
        if fault.kind == "html":
            return Answer(int(fault.options["status"]), _HTML, {"Content-Type": "text/html"}, fault)
        if fault.kind in WIRE_FAULTS and fault.kind != "lost-answer":
            return Answer(0, fault=fault)
        if fault.kind not in WIRE_FAULTS:
            arn = f"{backend.arn_prefix}run/{path.get('id', '*')}"
            raise fault.error(name, arn, runs_record.started_by(backend))
    members = codec.read(operation, path, request.query, request.body)
    if name == "StartRun":
        seen.update(request_id=members.get("requestId"), name=members.get("name"))
    with WORLD.lock:
        result = _OPERATIONS[name](backend, members)
        if name == "GetRun":
            result |= _definition(backend, members, request.host)
        status, body = codec.write(operation, result)
    if name == "StartRun":
        seen["run_id"] = result["id"]
    # A lost answer: the request has been carried out, and nobody hears of it.
    return Answer(status, body) if fault is None else Answer(0, fault=fault)


# -- the operations ------------------------------------------------------------------------------------------


def _start_run(backend: OmicsBackend, members: dict[str, Any]) -> dict[str, Any]:
    return runs_record.started_run(backend, backend.start_run(members))


def _get_run(backend: OmicsBackend, members: dict[str, Any]) -> dict[str, Any]:
    return runs_record.run_record(backend, backend.get_run(members["id"], tick=True))


def _definition(backend: OmicsBackend, members: dict[str, Any], host: str) -> dict[str, str]:
    if "DEFINITION" not in members.get("export", ()):
        return {}
    run = backend.get_run(members["id"])
    return {"definition": runs_definition.url(backend, run, host, WORLD.clock.now())}


def _cancel_run(backend: OmicsBackend, members: dict[str, Any]) -> dict[str, Any]:
    backend.cancel_run(members["id"])
    return {}


def _delete_run(backend: OmicsBackend, members: dict[str, Any]) -> dict[str, Any]:
    backend.delete_run(members["id"])
    return {}


def _list_runs(backend: OmicsBackend, members: dict[str, Any]) -> dict[str, Any]:
    faults = WORLD.faults.pick_list()
    wanted = members.get("status")
    filters = [(name, members[name]) for name in ("name", "runGroupId", "batchId") if name in members]

    def look(run: Run) -> tuple[Run, Entry] | None:
        for name, value in filters:
            if run.members.get(name) != value:
                return None
        entry = _bent_entry(run, faults) if faults else (None if run.gone else run.history[-1])
        return None if entry is None or (wanted is not None and entry.status != wanted) else (run, entry)

    found, more = backend.list_runs(look, _position(members), members.get("maxResults", 100))
    items = [runs_record.run_item(backend, run, entry) for run, entry in found]
    for fault in faults:
        if fault.kind == "list-wrong-arn":
            for item in items:
                if fault.run_id in (None, item["id"]):
                    item["arn"] = item["arn"].replace(f":{backend.account_id}:", ":999999999999:")
    return {"items": items} if more is None else {"items": items, "nextToken": _token(more)}


def _bent_entry(run: Run, faults: list[Fault]) -> Entry | None:
    entry: Entry | None = None if run.gone else run.history[-1]
    for fault in faults:
        if fault.run_id not in (None, run.id):
            continue
        if fault.kind == "list-lags":
            entry = run.at(WORLD.clock.service() - float(fault.options["seconds"]))
        elif fault.kind == "list-omits":
            return None
        elif fault.kind == "list-lies" and entry is not None:
            entry = (run.entered("RUNNING") or run.created)._replace(status=str(fault.options["status"]))
    return entry


def _list_run_tasks(backend: OmicsBackend, members: dict[str, Any]) -> dict[str, Any]:
    run = backend.get_run(members["id"])
    after, limit = _position(members), members.get("maxResults", 100)
    tasks = [
        (number, task)
        for number, task in enumerate(tasks_of(run, WORLD.clock.service(), WORLD.clock), 1)
        if members.get("status") in (None, task.status)
    ]
    page = [(number, task) for number, task in tasks if number > after][: limit + 1]
    items = [runs_record.task_item(task) for _, task in page[:limit]]
    return (
        {"items": items, "nextToken": _token(page[limit - 1][0])} if len(page) > limit else {"items": items}
    )


def _get_run_task(backend: OmicsBackend, members: dict[str, Any]) -> dict[str, Any]:
    run = backend.get_run(members["id"])
    for task in tasks_of(run, WORLD.clock.service(), WORLD.clock):
        if task.id == members["taskId"]:
            return runs_record.task_record(backend, run, task)
    raise not_found(f"Task {members['taskId']} of run {run.id}")


def _get_run_group(backend: OmicsBackend, members: dict[str, Any]) -> dict[str, Any]:
    try:
        return backend.run_groups[members["id"]]
    except KeyError:
        raise not_found(f"Run group {members['id']}") from None


def _token(position: int) -> str:
    return base64.urlsafe_b64encode(f"v1:{position}".encode()).decode()


def _position(members: Mapping[str, Any]) -> int:
    token = members.get("startingToken")
    if token is None:
        return 0
    try:
        version, position = base64.urlsafe_b64decode(token.encode()).decode().split(":")
        if version == "v1":
            return int(position)
    except (ValueError, binascii.Error):
        pass
    raise validation("startingToken is not one that this operation returned")


_OPERATIONS: dict[str, Callable[[OmicsBackend, dict[str, Any]], dict[str, Any]]] = {
    "StartRun": _start_run,
    "GetRun": _get_run,
    "ListRuns": _list_runs,
    "CancelRun": _cancel_run,
    "DeleteRun": _delete_run,
    "ListRunTasks": _list_run_tasks,
    "GetRunTask": _get_run_task,
    "GetRunGroup": _get_run_group,
}


# -- moto's way in -------------------------------------------------------------------------------------------


class OmicsResponse:
    """What moto's dispatcher calls for every request to HealthOmics inside ``mock_aws``."""

    @classmethod
    def dispatch(cls, request: Any, full_url: str, headers: Any) -> tuple[int, dict[str, str], bytes]:
        """Answer a request in the form moto hands it on.

        :raises ConnectionClosedError: For a dropped connection, as botocore raises it.
        :raises ReadTimeoutError: For a connection that hangs, at once: in process there is nothing to wait
            for.
        """
        url = urlsplit(full_url)
        body = getattr(request, "data", None) or getattr(request, "body", None) or b""
        result = answer(
            Incoming(
                request.method,
                url.path,
                url.query,
                headers,
                body.encode() if isinstance(body, str) else bytes(body),
                url.netloc,
            )
        )
        if result.fault is not None and result.fault.kind in ("drop", "lost-answer"):
            raise ConnectionClosedError(endpoint_url=full_url)
        if result.fault is not None and result.fault.kind == "hang":
            raise ReadTimeoutError(endpoint_url=full_url)
        return result.status, result.headers, result.body
