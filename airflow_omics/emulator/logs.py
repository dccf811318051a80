"""Faults of CloudWatch Logs, which is moto's own: what a test needs to see a log denied or throttled."""

from __future__ import annotations

import functools
import re
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.logs.responses import LogsResponse

from airflow_omics.emulator.faults import LOG_OPERATIONS, error_text
from airflow_omics.emulator.world import WORLD

_RUN = re.compile(r"\brun/(\d+)")
_METHODS = {"DescribeLogStreams": "describe_log_streams", "GetLogEvents": "get_log_events"}


def strike() -> None:
    """Let moto's CloudWatch Logs ask for faults before it answers; calling it again changes nothing."""
    for operation in LOG_OPERATIONS:
        method = getattr(LogsResponse, _METHODS[operation])
        if not hasattr(method, "omics_emulator"):
            setattr(LogsResponse, _METHODS[operation], _struck(operation, method))


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
        error = JsonRESTError(code, message)
        error.code = 500 if code == "InternalServerException" else 400
        raise error

    wrapper.omics_emulator = True  # type: ignore[attr-defined]
    return wrapper
