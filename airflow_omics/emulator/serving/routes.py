"""What the emulator answers over HTTP: HealthOmics, the control below ``/omics-emulator``, and moto."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import moto.moto_server.werkzeug_app as moto_app

from airflow_omics.emulator.control import Emulator
from airflow_omics.emulator.other_services import requests
from airflow_omics.emulator.service.operations import is_emulated
from airflow_omics.emulator.serving.answers import Answer, Incoming, answer, credential_scope
from airflow_omics.emulator.serving.control_routes import controlled, is_control
from airflow_omics.emulator.serving.register import HAVE_OURS, before_request

_JSON = {"Content-Type": "application/json"}


class EmulatorApplication:
    """The WSGI application of everything that is moto's, and a shortcut for everything that is not."""

    def __init__(self) -> None:
        self._moto = moto_app.DomainDispatcherApplication(moto_app.create_backend_app)
        self._control = Emulator()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Let moto answer; what runs have written and told is there before anyone reads it."""
        scope = credential_scope(environ.get("HTTP_AUTHORIZATION", ""))
        service = "s3" if scope is None else scope[2]
        if service in HAVE_OURS:
            before_request(service)
        if scope is not None:
            return requests.answer(self._moto, scope[2], environ, start_response)
        answered: Iterable[bytes] = self._moto(environ, start_response)
        if environ.get("PATH_INFO") == "/moto-api/reset" and environ.get("REQUEST_METHOD") == "POST":
            self._control.reset()
        return answered

    def owns(self, method: str, target: str, headers: Mapping[str, str]) -> bool:
        """Return whether :meth:`own` answers a request, and not moto."""
        if is_control(target):
            return True
        scope = credential_scope(headers.get("Authorization") or "")
        return scope[2] == "omics" if scope else _lacks_signature(method, target, headers)

    def own(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer a request to HealthOmics or to the control."""
        path, _, query = target.partition("?")
        if is_control(path):
            return controlled(self._control, method, path, body)
        if _lacks_signature(method, target, headers):
            refusal = {"x-amzn-errortype": "MissingAuthenticationTokenException", **_JSON}
            return Answer(403, b'{"message":"Missing Authentication Token"}', refusal)
        return answer(Incoming(method, path, query, headers, body, headers.get("Host") or ""))


def _lacks_signature(method: str, target: str, headers: Mapping[str, str]) -> bool:
    """Return whether a request is one to HealthOmics that nobody signed, in its headers or in its query."""
    path, _, query = target.partition("?")
    return "Authorization" not in headers and "Signature=" not in query and is_emulated(method, path)
