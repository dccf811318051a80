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
from typing import Any

import botocore.handlers
import moto.backend_index
import moto.backends

from airflow_omics.emulator.other_services import cloudwatch_logs, written_by_runs
from airflow_omics.emulator.service.common import backend
from airflow_omics.emulator.serving import urls

log = logging.getLogger(__name__)
_lock = threading.Lock()


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

        def write_due(**_: Any) -> None:
            written_by_runs.write_due()

        # Clients made from here on see what the runs have written to CloudWatch Logs and S3 by the time they
        # ask.
        for service in ("cloudwatch-logs", "s3"):
            botocore.handlers.BUILTIN_HANDLERS.append((f"before-call.{service}", write_due))
        cloudwatch_logs.adapt()
        return True


def _moto_version() -> str:
    return moto.__version__
