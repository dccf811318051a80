"""An S3 that answers what a test says, over HTTP, for answers that moto never gives."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

FROM_AWS = {"x-amz-request-id": "REQ1"}
LOST = "lost"
"""The request is taken, and the connection ends without an answer."""


@dataclass
class Answer:
    """One answer.

    :param status: of HTTP.
    :param code: of S3's error, if it is one.
    :param content: the body; of an error it is made.
    :param headers: beside those that every answer has.
    :param cut: bytes of the body after which the connection breaks; None sends it whole.
    """

    status: int = 200
    code: str | None = None
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: FROM_AWS)
    cut: int | None = None


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class ScriptedS3:
    """Gives its answers one after the other; the last one again and again."""

    def __init__(self) -> None:
        self.answers: list[Answer | str] = []
        self.asked: list[Asked] = []
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_PUT(self) -> None:
                script._serve(self)

            do_GET = do_HEAD = do_PUT

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint_url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def methods(self) -> list[str]:
        """The method of each request."""
        return [one.method for one in self.asked]

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        body = handler.rfile.read(int(headers.get("content-length", 0)))
        if "aws-chunked" in headers.get("content-encoding", ""):
            body = _unchunked(body)
        self.asked.append(Asked(handler.command, handler.path, headers, body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, str):
            handler.close_connection = True
            return
        content = answer.content
        if answer.code is not None and handler.command != "HEAD":
            content = f"<Error><Code>{answer.code}</Code><Message>so it is</Message></Error>".encode()
        handler.send_response(answer.status)
        given = {"Content-Length": str(len(content)), **answer.headers}
        for name, value in given.items():
            handler.send_header(name, value)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(content[: answer.cut])
        if answer.cut is not None:
            handler.close_connection = True


def _unchunked(body: bytes) -> bytes:
    whole = b""
    while body:
        line, _, body = body.partition(b"\r\n")
        size = int(line.split(b";")[0], 16)
        if not size:
            break
        whole, body = whole + body[:size], body[size + 2 :]
    return whole
