"""A Redis server of one's own: the broker of CeleryExecutor, on a free port of 127.0.0.1, with a password.

It keeps nothing on disk: one that was killed and is started again has lost what was queued.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
from pathlib import Path

from scripts.setup.programs import redis_server
from scripts.stack.processes import free_port

_SETTINGS = """
bind 127.0.0.1
port {port}
requirepass {password}
dir {folder}
save ""
appendonly no
"""


class Redis:
    """Where a server listens, and how it is started.

    :raises MissingProgramError: if Redis is not on this machine.
    """

    def __init__(self) -> None:
        self._program = redis_server()
        self._password = secrets.token_hex(16)
        self._port = 0

    @property
    def url(self) -> str:
        """Where it is, as Celery writes it."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def command(self, folder: Path) -> list[str]:
        """Return the command that starts it, always on the same port.

        :param folder: existing folder, for its configuration.
        """
        self._port = self._port or free_port()
        configuration = folder / "redis.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(_SETTINGS.format(port=self._port, password=self._password, folder=folder))
        return [str(self._program), str(configuration)]

    def answers(self) -> bool:
        """Return whether it is up."""
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self._port), timeout=5) as connection,
        ):
            connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
            return connection.makefile("rb").read(len(b"+OK\r\n+PONG\r\n")) == b"+OK\r\n+PONG\r\n"
        return False
