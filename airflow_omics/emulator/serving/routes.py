"""What the emulator answers over HTTP: HealthOmics, the control below ``/omics-emulator``, and moto."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import moto.moto_server.werkzeug_app as moto_app

from airflow_omics.emulator.control import Emulator
from airflow_omics.emulator.other_services import requests, written_by_runs
from airflow_omics.emulator.serving.answers import Answer, Incoming, answer, credential_scope
from airflow_omics.emulator.wire.codec import is_emulated

#: Below this path lies the control.
CONTROL_PATH = "/omics-emulator"
#: What only tells something, and so may be asked with GET, for a browser or curl.
_TOLD = frozenset({"", "now", "pace", "default_life", "lives", "requests", "counts"})
_METHODS = frozenset(
    [
        "now",
        "set_pace",
        "freeze",
        "advance",
        "lives",
        "add_life",
        "start_runs",
        "move",
        "vanish",
        "reuse_id",
        "run_group",
        "fault",
        "clear_faults",
        "limit",
        "repeat_request_id",
        "cancel_ended_run",
        "requests",
        "counts",
        "wait_for",
        "settle",
        "reset",
    ]
)
_JSON = {"Content-Type": "application/json"}
_PROPERTIES = frozenset({"pace", "default_life"})
_WRITTEN_BY_RUNS = frozenset({"s3", "logs"})


class EmulatorApplication:
    """The WSGI application of everything that is moto's, and a shortcut for everything that is not."""

    def __init__(self) -> None:
        self._moto = moto_app.DomainDispatcherApplication(moto_app.create_backend_app)
        self._control = Emulator()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Let moto answer; what runs have written is there before anyone reads logs or S3."""
        scope = credential_scope(environ.get("HTTP_AUTHORIZATION", ""))
        if scope is None or scope[2] in _WRITTEN_BY_RUNS:
            written_by_runs.settle()
        if scope is not None:
            return requests.answer(self._moto, scope[2], environ, start_response)
        answered: Iterable[bytes] = self._moto(environ, start_response)
        if environ.get("PATH_INFO") == "/moto-api/reset" and environ.get("REQUEST_METHOD") == "POST":
            self._control.reset()
        return answered

    def owns(self, method: str, target: str, headers: Mapping[str, str]) -> bool:
        """Return whether :meth:`own` answers a request, and not moto."""
        if _is_control(target):
            return True
        scope = credential_scope(headers.get("Authorization") or "")
        return scope[2] == "omics" if scope else _lacks_signature(method, target, headers)

    def own(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer a request to HealthOmics or to the control."""
        path, _, query = target.partition("?")
        if _is_control(path):
            return self._controlled(method, path.removeprefix(CONTROL_PATH).strip("/"), body)
        if _lacks_signature(method, target, headers):
            refusal = {"x-amzn-errortype": "MissingAuthenticationTokenException", **_JSON}
            return Answer(403, b'{"message":"Missing Authentication Token"}', refusal)
        return answer(Incoming(method, path, query, headers, body, headers.get("Host") or ""))

    def _controlled(self, method: str, name: str, body: bytes) -> Answer:
        status = 200
        known = name in _TOLD | _METHODS
        if known and method != "POST" and (method != "GET" or body or name not in _TOLD):
            says = f"{CONTROL_PATH}/{name} was asked with {method}; it takes POST, with arguments as JSON"
            return Answer(405, json.dumps({"error": says}).encode(), {"Allow": "POST", **_JSON})
        try:
            result = {"result": self._call(name, body)}
        except TimeoutError as error:
            status, result = 408, {"error": str(error)}
        except (ValueError, TypeError) as error:
            status, result = 400, {"error": str(error)}
        return Answer(status, json.dumps(result).encode(), dict(_JSON))

    def _call(self, name: str, body: bytes) -> Any:
        control = self._control
        if name == "":
            return {
                "now": control.now(),
                "pace": control.pace,
                "counts": control.counts(),
                "lives": control.lives(),
            }
        if name in _PROPERTIES:
            arguments = _arguments(name, ["value"] if name == "default_life" else [], body)
            if arguments and name == "default_life":
                control.default_life = str(arguments.get("value"))
            return getattr(control, name)
        if name not in _METHODS:
            raise ValueError(f"{name!r} is nothing the emulator can do; it can {', '.join(sorted(_METHODS))}")
        function = getattr(control, name)
        signature = inspect.signature(function)
        arguments = _arguments(name, list(signature.parameters), body)
        try:
            signature.bind(**arguments)
        except TypeError as error:
            raise ValueError(f"{name}: {error}") from None
        return function(**arguments)


def _is_control(target: str) -> bool:
    # A bucket of S3 may have a name that begins in the same way.
    return f"{target.partition('?')[0]}/".startswith(f"{CONTROL_PATH}/")


def _arguments(name: str, known: list[str], body: bytes) -> dict[str, Any]:
    """Return the arguments in the body of a control request.

    :param known: their names, for the error.
    """
    try:
        arguments = json.loads(body or b"{}")
    except ValueError:
        arguments = None
    if isinstance(arguments, dict):
        return arguments
    wanted = f"a JSON object with {', '.join(known)}" if known else "no arguments: an empty body or {}"
    raise ValueError(f"{CONTROL_PATH}/{name} takes {wanted}, not {body[:60]!r}")


def _lacks_signature(method: str, target: str, headers: Mapping[str, str]) -> bool:
    """Return whether a request is one to HealthOmics that nobody signed, in its headers or in its query."""
    path, _, query = target.partition("?")
    return "Authorization" not in headers and "Signature=" not in query and is_emulated(method, path)
