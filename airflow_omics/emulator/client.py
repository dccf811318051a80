"""Control of an emulator in another process, over HTTP."""

from __future__ import annotations

import dataclasses
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from airflow_omics.emulator.control import Emulator
from airflow_omics.emulator.control_table import CONTROL_PATH, Control


class EmulatorClient(Emulator):
    """The controls of :class:`airflow_omics.emulator.Emulator`, for an emulator in another process.

    Every control raises ConnectionError if no emulator answers.

    :param endpoint_url: where the emulator listens, such as ``http://127.0.0.1:4300``.
    :param timeout: real seconds to wait for an answer.
    """

    def __init__(self, endpoint_url: str, timeout: float = 30.0) -> None:
        if not endpoint_url.startswith(("http://", "https://")):
            raise ValueError(f"endpoint_url is {endpoint_url!r}; give one such as http://127.0.0.1:4300")
        self.endpoint_url = endpoint_url.rstrip("/")
        self._timeout = timeout
        # A proxy of the environment is no way to a server on this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def _apply(self, control: Control, *args: Any, **kwargs: Any) -> Any:
        arguments = control.named(*args, **kwargs)
        # A control that waits has a time limit of its own.
        waits = "timeout" in control.signature.parameters
        return self._call(control.name, extra_seconds=arguments["timeout"] if waits else 0.0, **arguments)

    def _call(self, method: str, /, *, extra_seconds: float = 0.0, **arguments: Any) -> Any:
        request = urllib.request.Request(
            f"{self.endpoint_url}{CONTROL_PATH}/{method}",
            data=json.dumps(arguments, default=_plain).encode(),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        try:
            with self._opener.open(request, timeout=self._timeout + extra_seconds) as response:
                return json.load(response)["result"]
        except urllib.error.HTTPError as error:
            with error:
                message = self._message(error.read())
            if error.code == 408:
                raise TimeoutError(message) from None
            raise ValueError(message) from None
        except urllib.error.URLError as error:
            raise ConnectionError(f"no emulator answers at {self.endpoint_url}: {error.reason}") from None

    def _message(self, body: bytes) -> str:
        try:
            return str(json.loads(body)["error"])
        except (ValueError, KeyError, TypeError):
            raise ConnectionError(f"what answers at {self.endpoint_url} is not the emulator") from None


def _plain(value: Any) -> Any:
    """Return what JSON has for a life, or part of one, among the arguments."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{value!r} cannot be sent to an emulator in another process")
