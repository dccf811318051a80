"""Airflow's REST API, asked by a user who logs in with the first question."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from scripts.stack.versions import ApiQuestion


class Rest:
    """One user of an Airflow.

    :param url: where it listens.
    :param login: the question for the headers of the user's requests; None if they need none.
    """

    def __init__(self, url: str, login: ApiQuestion | None) -> None:
        self._url = url
        self._login = login
        self._headers: dict[str, str] | None = None if login else {}
        # A proxy of the environment is no way to a server on this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, path: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
        """Return the answer to a request: a GET, or a POST if there is a body."""
        if self._headers is None and self._login:
            self._headers = self._login.read(self._send(self._login.path, self._login.body, {}))
        return self._send(path, body, self._headers or {}, method)

    def ask_as_nobody(self, path: str) -> Any:
        """Return the answer to a GET that needs no login."""
        return self._send(path, None, {})

    def _send(
        self, path: str, body: dict[str, Any] | None, headers: dict[str, str], method: str | None = None
    ) -> Any:
        request = urllib.request.Request(
            self._url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **headers},
            method=method,
        )
        with self._opener.open(request, timeout=30) as answer:
            return json.load(answer)
