"""CloudWatch Logs is moto's own. Here it gets faults, and for our log group AWS's answers.

moto's FilterLogEvents ignores a prefix, and its GetLogEvents reports a missing stream as a missing group.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.logs.responses import LogsResponse

from airflow_omics.emulator.wire.names import LOG_GROUP
from airflow_omics.emulator.world.faults import LOG_OPERATIONS, error_text
from airflow_omics.emulator.world.shared import WORLD

_RUN = re.compile(r"\brun/(\d+)")
_METHODS = {"DescribeLogStreams": "describe_log_streams", "GetLogEvents": "get_log_events"}


def adapt() -> None:
    """Let moto's CloudWatch Logs answer as described above; calling it again changes nothing."""
    if hasattr(LogsResponse.get_log_events, "omics_emulator"):
        return
    responses: Any = LogsResponse
    responses.get_log_events = _of_a_stream(responses.get_log_events)
    responses.filter_log_events = _by_prefix(responses.filter_log_events)
    for operation in LOG_OPERATIONS:
        method = getattr(responses, _METHODS[operation])
        setattr(responses, _METHODS[operation], _struck(operation, method))


def _our_group(response: Any) -> Any:
    """Return our log group if a request names it, by name or ARN, and it exists; else None."""
    named = response._get_param("logGroupName") or response._get_param("logGroupIdentifier") or ""
    if named.removesuffix(":*").rpartition(":log-group:")[2] != LOG_GROUP:
        return None
    return response.logs_backend.groups.get(LOG_GROUP)


def _of_a_stream(method: Any) -> Any:
    @functools.wraps(method)
    def wrapper(self: Any) -> Any:
        group = _our_group(self)
        if group is not None and self._get_param("logStreamName") not in group.streams:
            raise _refusal("ResourceNotFoundException", "The specified log stream does not exist.")
        return method(self)

    return wrapper


def _by_prefix(method: Any) -> Any:
    @functools.wraps(method)
    def wrapper(self: Any) -> Any:
        prefix, group = self._get_param("logStreamNamePrefix"), _our_group(self)
        if prefix is None or group is None:
            return method(self)
        if self._get_param("logStreamNames"):
            says = "logStreamNames and logStreamNamePrefix cannot be given together"
            raise _refusal("InvalidParameterException", says)
        # moto takes an empty list for every stream; no stream has an empty name.
        names = [name for name in group.streams if name.startswith(prefix)] or [""]
        asked = self._get_param
        self._get_param = lambda name, *default: names if name == "logStreamNames" else asked(name, *default)
        return method(self)

    return wrapper


def _refusal(code: str, message: str) -> JsonRESTError:
    error = JsonRESTError(code, message)
    error.code = 400
    return error


def _struck(operation: str, method: Any) -> Any:
    @functools.wraps(method)
    def wrapper(self: Any) -> Any:
        stream = self._get_param("logStreamName") or self._get_param("logStreamNamePrefix") or ""
        run = _RUN.search(stream)
        fault = WORLD.faults.pick(operation, run[1] if run else None, named=True)
        if fault is None:
            return method(self)
        arn = f"arn:aws:logs:{self.region}:{self.current_account}:log-group:{self._get_param('logGroupName')}"
        principal = f"arn:aws:sts::{self.current_account}:assumed-role/Admin/emulator"
        code, message = error_text(fault, f"logs:{operation}", arn, principal)
        error = _refusal(code, message)
        error.code = 500 if code == "InternalServerException" else 400
        raise error

    wrapper.omics_emulator = True  # type: ignore[attr-defined]
    return wrapper
