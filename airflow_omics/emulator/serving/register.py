"""Make moto know HealthOmics.

moto has no plugin mechanism (getmoto/moto#7126); every look-up of a service goes through two module-level
tables, and this adds a row to each. If the installed moto has a backend for ``omics`` of its own, that one
stays.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Callable
from typing import Any

import botocore.handlers
import moto.backend_index
import moto.backends
from botocore.awsrequest import AWSResponse
from moto.core.models import botocore_stubber

from airflow_omics.emulator.other_services import (
    cloudwatch_logs,
    events,
    queue_faults,
    queues,
    requests,
    written_by_runs,
)
from airflow_omics.emulator.service.common import backend
from airflow_omics.emulator.serving import urls

log = logging.getLogger(__name__)
_lock = threading.Lock()
_MAKE_RULES = frozenset({"events", "eventbridge", "cloudformation"})
_WRITTEN_BY_RUNS = frozenset({"s3", "logs", "cloudwatch-logs"})
HAVE_OURS = frozenset({"s3", "logs", "sqs", "events", "cloudformation"})
"""Services that may be asked for what runs have written or told, by their names in signatures."""


def register() -> bool:
    """Add the backend to moto's tables, and return whether moto uses it; not if it has one of its own.

    Calling it again changes nothing.
    """
    with _lock:
        if sys.modules.get("moto.omics") is backend:
            return True
        if any(name == "omics" for name, _ in moto.backend_index.backend_url_patterns):
            log.warning(
                "moto %s has a backend for omics of its own; the emulator is not registered", _moto_version()
            )
            return False
        sys.modules["moto.omics"] = backend
        backend.OmicsBackend.addresses = urls
        moto.backend_index.backend_url_patterns.append(("omics", re.compile(urls.HOST_PATTERN)))

        # Clients made from here on see what the runs have written and told by the time they ask.
        botocore.handlers.BUILTIN_HANDLERS.append(("before-call.pricing", _price_list))
        for service in ("cloudwatch-logs", "s3", "sqs", "eventbridge", "cloudformation"):
            botocore.handlers.BUILTIN_HANDLERS.append((f"before-call.{service}", _before(service)))
        cloudwatch_logs.adapt()
        return True


def _before(service: str) -> Callable[..., None]:
    def handler(**_: Any) -> None:
        before_request(service)

    return handler


def _price_list(model: Any, params: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]] | None:
    """Answer a request to AWS Price List inside moto's mocks: moto has no price list."""
    if not botocore_stubber.enabled:
        return None
    return requests.in_process(model.name, params["body"])


def before_request(service: str) -> None:
    """Have everything there that a request to another service may look for.

    :param service: its name in signatures, or in botocore's events.
    """
    if service == "sqs":
        queues.adapt()
        queue_faults.adapt()
    if service != "s3":
        events.deliver_due(listening=service in _MAKE_RULES)
    if service in _WRITTEN_BY_RUNS:
        written_by_runs.write_due()


def _moto_version() -> str:
    return moto.__version__
