"""The pages on a server of their own, with the headers that Airflow's API server sends with them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.imports import REPOSITORY

STATIC = REPOSITORY / "airflow_omics" / "plugin" / "static"
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)
_TYPES = {".css": "text/css", ".js": "text/javascript"}
# What Airflow's UI shows a page in.
FRAME = (
    '<!doctype html><html lang="en" class="{theme}"><head><title>Airflow</title></head><body>'
    '<iframe title="HealthOmics" src="{source}" width="900" height="600" '
    'sandbox="allow-scripts allow-same-origin allow-forms"></iframe></body></html>'
)


class Pages:
    """What the server answers.

    :ivar html: pages by path.
    :ivar status: of each answer to a page; 302 leads to another host.
    :ivar asked: when and for which path somebody asked, in order.
    """

    def __init__(self) -> None:
        self.html: dict[str, str] = {}
        self.status = 200
        self.asked: list[tuple[float, str]] = []
        self.url = ""


@contextlib.contextmanager
def page_server() -> Iterator[Pages]:
    """Serve pages until the end of the block."""
    pages = Pages()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            file = STATIC / path.rpartition("/")[2]
            if path.startswith("/healthomics/static/") and file.is_file():
                self._answer(200, _TYPES[file.suffix], file.read_bytes())
            elif path == "/favicon.ico":  # whenever the browser wants it, whatever pages answer by then
                self._answer(200, "image/x-icon", b"")
            elif path in pages.html:
                pages.asked.append((time.monotonic(), path))
                self._answer(pages.status, "text/html", pages.html[path].encode())
            else:
                self._answer(404, "text/html", b"")

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            if not self.path.startswith("/frame"):
                self.send_header("Content-Security-Policy", POLICY)
            if status == 302:
                self.send_header("Location", "http://login.invalid/")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Write nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    pages.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield pages
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
