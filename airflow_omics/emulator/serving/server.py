"""The emulator over HTTP: HealthOmics, its control, and all of moto beside it, on one port."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from http.client import responses as reasons
from types import TracebackType
from typing import Any, ClassVar

import moto.moto_server.werkzeug_app as moto_app
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from airflow_omics.emulator.control import Emulator
from airflow_omics.emulator.serving.register import register
from airflow_omics.emulator.serving.routes import EmulatorApplication
from airflow_omics.emulator.world.shared import WORLD

log = logging.getLogger(__name__)

_Handler: Any = getattr(moto_app, "MotoRequestHandler", WSGIRequestHandler)


class _Server(ThreadedWSGIServer):
    """A threaded server that knows its open connections, so that stopping it ends them too."""

    daemon_threads = True
    # Hundreds of clients may connect at the same moment.
    request_queue_size = 512

    def __init__(self, host: str, port: int, app: EmulatorApplication) -> None:
        # Bound here, because werkzeug ends the whole process when the port is taken.
        with socket.create_server((host, port), backlog=self.request_queue_size) as bound:
            super().__init__(host, bound.getsockname()[1], app, handler=_RequestHandler, fd=bound.fileno())
        self.connections: set[socket.socket] = set()


class _RequestHandler(_Handler):  # type: ignore[misc]
    """Answers the emulator's own routes itself, on connections that stay open, and hands the rest to moto.

    werkzeug closes the connection after each answer, which costs a client a new connection (or a fault it did
    not ask for) with every request.
    """

    protocol_version = "HTTP/1.1"
    # An answer must not wait for the client's delayed ACK.
    disable_nagle_algorithm = True
    server: _Server
    _quiet: ClassVar[frozenset[str]] = frozenset({"info"})

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        # The peer may be gone before the last byte is flushed.
        with contextlib.suppress(OSError):
            super().finish()

    def handle_expect_100(self) -> bool:
        # werkzeug sends the 100 itself, and so does run_wsgi for what is not moto's.
        return True

    def run_wsgi(self) -> None:
        app: Any = self.server.app
        if not app.owns(self.command, self.path, self.headers):
            super().run_wsgi()
            return
        if (self.headers.get("Expect") or "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            body = self._body()
        except ValueError:
            # Where the next request would begin is not known either.
            self.close_connection = True
            self.send_error(400, "the length of the body is no number")
            return
        released = WORLD.released
        result = app.own(self.command, self.path, self.headers, body)
        if result.fault is not None and result.fault.kind in ("hang", "lost-answer"):
            released.wait(float(result.fault.options["seconds"]))
        if result.status == 0:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        head = [f"HTTP/1.1 {result.status} {reasons.get(result.status, '')}"]
        head += [f"{name}: {value}" for name, value in result.headers.items()]
        head += [f"Content-Length: {len(result.body)}", "Server: airflow-omics-emulator", "", ""]
        # Whoever hung up before the answer does not need it.
        try:
            self.wfile.write("\r\n".join(head).encode("latin-1") + result.body)
        except OSError:
            self.close_connection = True

    def _body(self) -> bytes:
        """Read the whole body, or the next request on this connection would begin in the middle of it."""
        if "chunked" not in (self.headers.get("Transfer-Encoding") or "").lower():
            length = int(self.headers.get("Content-Length") or 0)
            return self.rfile.read(length) if length else b""
        chunks = []
        while size := int(self.rfile.readline().partition(b";")[0].strip() or b"0", 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(chunks)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Leave requests to the request log."""

    def log(self, type: str, message: str, *args: Any) -> None:
        log.log(logging.DEBUG if type in self._quiet else logging.WARNING, message, *args)


class EmulatorServer:
    """The emulator over HTTP in a thread of this process.

    ::

        with EmulatorServer() as server:
            client = boto3.client("omics", endpoint_url=server.endpoint_url,
            config=Config(inject_host_prefix=False))

    :param host: the address to listen on.
    :param port: 0 picks a free one.
    :param pace: service seconds in a real second.
    :param life: the default life.
    :param seed: makes run ids and uuids repeatable.
    :param limit: calls a real second, for each operation; the service's default is 10 for most.

    Starting and stopping it forgets everything in moto; one may run in a process at a time.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        pace: float = 1.0,
        life: str | None = None,
        seed: int | None = None,
        limit: float | None = None,
    ) -> None:
        self._host, self._port = host, port
        self._pace, self._life, self._seed, self._limit = pace, life, seed, limit
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self.control = Emulator()

    @property
    def endpoint_url(self) -> str:
        """Where it listens, such as ``http://127.0.0.1:4300``."""
        if self._server is None:
            raise RuntimeError(
                "the emulator server is not running; use it as a context manager or call start()"
            )
        return f"http://{self._host}:{self._server.port}"

    def start(self) -> None:
        """Listen, and answer in a thread."""
        register()
        WORLD.configure(pace=self._pace, life=self._life, seed=self._seed, limit=self._limit)
        self.control.reset()
        self._server = _Server(self._host, self._port, EmulatorApplication())
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="omics-emulator", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, drop every connection, and forget everything."""
        if self._server is None or self._thread is None:
            return
        WORLD.release()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for connection in list(self._server.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server = self._thread = None
        WORLD.configure()
        self.control.reset()

    def __enter__(self) -> EmulatorServer:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()
