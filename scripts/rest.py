"""Airflow's REST API, asked by a user who logs in with the first question."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from scripts.airflow_versions import Airflow


class Rest:
    """One user of an Airflow.

    :param airflow: which Airflow it is.
    :param url: where it listens.
    :param password: of ``user``; empty where everybody is an admin.
    """

    def __init__(self, airflow: Airflow, url: str, user: str, password: str) -> None:
        self._airflow = airflow
        self._url = url
        self._user = user
        self._password = password
        self._headers: dict[str, str] | None = None
        # A proxy of the environment is no way to a server on this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, path: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
        """Return the answer to a request: a GET, or a POST where there is a body."""
        if self._headers is None:
            self._headers = self._airflow.headers(self, self._user, self._password)
        return self.send(path, body, self._headers, method)

    def health(self) -> Any:
        """Return how Airflow's parts are; anybody may ask for it."""
        return self.send(self._airflow.health, None, {})

    def send(
        self, path: str, body: dict[str, Any] | None, headers: dict[str, str], method: str | None = None
    ) -> Any:
        """Send one request with these headers alone, and return its answer."""
        request = urllib.request.Request(
            self._url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **headers},
            method=method,
        )
        with self._opener.open(request, timeout=30) as answer:
            return json.load(answer)
