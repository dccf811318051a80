"""What the emulator answers over HTTP: HealthOmics, the control below ``/omics-emulator``, and moto."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote

import moto.moto_server.werkzeug_app as moto_app

from airflow_omics.emulator import account
from airflow_omics.emulator.control import Emulator
from airflow_omics.emulator.responses import Answer, Incoming, answer, credential_scope

#: Below this path lies the control.
CONTROL_PATH = "/omics-emulator"
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
            account.settle()
        answered: Iterable[bytes] = self._moto(environ, start_response)
        if environ.get("PATH_INFO") == "/moto-api/reset" and environ.get("REQUEST_METHOD") == "POST":
            self._control.reset()
        return answered

    def owns(self, path: str, headers: Mapping[str, str]) -> bool:
        """Return whether :meth:`own` answers a request, and not moto."""
        if path.startswith(CONTROL_PATH):
            return True
        scope = credential_scope(headers.get("Authorization") or "")
        return scope is not None and scope[2] == "omics"

    def own(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer a request to HealthOmics or to the control."""
        path, _, query = target.partition("?")
        if path.startswith(CONTROL_PATH):
            return self._controlled(path.removeprefix(CONTROL_PATH).strip("/"), body)
        return answer(Incoming(method, unquote(path), query, headers, body, headers.get("Host") or ""))

    def _controlled(self, name: str, body: bytes) -> Answer:
        status = 200
        try:
            result = {"result": self._call(name, body)}
        except TimeoutError as error:
            status, result = 408, {"error": str(error)}
        except (ValueError, TypeError) as error:
            status, result = 400, {"error": str(error)}
        return Answer(status, json.dumps(result).encode(), {"Content-Type": "application/json"})

    def _call(self, name: str, body: bytes) -> Any:
        control = self._control
        if name == "":
            return {
                "now": control.now(),
                "pace": control.pace,
                "counts": control.counts(),
                "lives": control.lives(),
            }
        arguments = json.loads(body) if body else {}
        if not isinstance(arguments, dict):
            raise ValueError("the body of a control request is a JSON object of arguments")
        if name in _PROPERTIES:
            if arguments and name == "default_life":
                control.default_life = str(arguments.get("value"))
            return getattr(control, name)
        if name not in _METHODS:
            raise ValueError(f"{name!r} is nothing the emulator can do; it can {', '.join(sorted(_METHODS))}")
        function = getattr(control, name)
        try:
            inspect.signature(function).bind(**arguments)
        except TypeError as error:
            raise ValueError(f"{name}: {error}") from None
        return function(**arguments)
