"""How moto reaches HealthOmics: its addresses, with and without host prefixes, and the answer."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from airflow_omics.emulator.serving.answers import Incoming, answer

HOST_PATTERN = (
    r"https?://(?:(?:workflows|control-storage|storage|analytics|tags)-)?omics(?:-fips)?"
    r"\.([^.]+)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)"
)


def dispatch(request: Any, full_url: str, headers: Any) -> tuple[int, dict[str, str], bytes]:
    """Answer a request in the form in which moto hands it on.

    :raises ConnectionClosedError: the connection is dropped, as botocore raises it.
    :raises ReadTimeoutError: the connection hangs. It is raised at once, because nothing else waits.
    """
    url = urlsplit(full_url)
    body = getattr(request, "data", None) or getattr(request, "body", None) or b""
    result = answer(
        Incoming(
            request.method,
            url.path,
            url.query,
            headers,
            body.encode() if isinstance(body, str) else bytes(body),
            url.netloc,
        )
    )
    if result.fault is not None and result.fault.kind in ("drop", "lost-answer"):
        raise ConnectionClosedError(endpoint_url=full_url)
    if result.fault is not None and result.fault.kind == "hang":
        raise ReadTimeoutError(endpoint_url=full_url)
    return result.status, result.headers, result.body


url_bases = [HOST_PATTERN]
url_paths = {"{0}/.*$": dispatch}
