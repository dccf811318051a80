"""A PostgreSQL server of one's own, in a new folder and on a free port of 127.0.0.1, removed at the end."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from scripts.setup.programs import movable, postgres_programs
from scripts.stack.processes import StackError, family_of, free_port, kill_all

_USER = "airflow"
_DATABASE = "postgres"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # Each part of Airflow has a pool of its own.
    "max_connections": "300",
    # What was committed outlives a killed server all the same: it is in the system's page cache. Only the
    # machine itself must not go down, and then nobody misses this database.
    "fsync": "off",
    "full_page_writes": "off",
    # In files of the data folder, so that a killed server leaves nothing in the machine's shared memory.
    "dynamic_shared_memory_type": "mmap",
}


class Postgres:
    """A server with a password, reachable from this machine alone.

    PostgreSQL refuses to run as root; started by root, it runs as ``postgres``, or as ``nobody`` if there is
    no such user. If that user may not enter the folder of the programs, a copy of them is run.

    :raises MissingProgramError: if PostgreSQL is not on this machine.
    """

    def __init__(self) -> None:
        self._log = Path()
        self._programs = postgres_programs()
        self._password = secrets.token_hex(16)
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="airflow-omics-postgres-"))
        self._as_user: dict[str, Any] = {}
        password_file = self._folder / "password"
        password_file.write_text(self._password)
        if os.geteuid() == 0:
            user = _unprivileged()
            for path in (self._folder, password_file):
                os.chown(path, user.pw_uid, user.pw_gid)
            self._as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            self._programs = self._reachable(self._programs)

    @property
    def url(self) -> str:
        """Where the database is, as SQLAlchemy writes it."""
        return f"postgresql+psycopg2://{_USER}:{self._password}@127.0.0.1:{self._port}/{_DATABASE}"

    def start(self, log: Path) -> None:
        """Make the database and start its server.

        :param log: file that the server's lines are added to.
        :raises StackError: if either fails.
        """
        self._log = log
        self._port = free_port()
        options = [f"--username={_USER}", f"--pwfile={self._folder / 'password'}", "--auth=scram-sha-256"]
        options += ["--encoding=UTF8", "--no-locale", "--no-sync"]
        done = subprocess.run(
            [self._programs / "initdb", f"--pgdata={self._data}", *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
            check=False,
            **self._as_user,
        )
        if done.returncode:
            raise StackError(f"initdb failed:\n{done.stdout.decode(errors='replace')}")
        self.serve()

    def serve(self) -> None:
        """Start the server on the database as it is, and wait until it answers."""
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, f"--port={self._port}", *settings],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._as_user,
            )
        deadline = time.monotonic() + 60
        while self._ask("SELECT 1").returncode:
            self.check()
            if time.monotonic() > deadline:
                raise StackError(f"PostgreSQL did not answer within 60 s; its log is {self._log}")
            time.sleep(0.1)

    def check(self) -> None:
        """Raise StackError if the server has ended by itself."""
        if self._process and self._process.poll() is not None:
            raise StackError(f"PostgreSQL ended by itself, with exit code {self._process.returncode}")

    @property
    def pid(self) -> int:
        """The server's process, whose children are its connections.

        :raises StackError: if it is not running.
        """
        if self._process is None:
            raise StackError("PostgreSQL is not running")
        return self._process.pid

    def kill(self) -> None:
        """End the server and its children with SIGKILL."""
        kill_all(family_of(self.pid))
        self._end()

    def psql(self, sql: str) -> str:
        """Return what ``psql`` prints for a statement: a line for each row, ``|`` between columns.

        :raises StackError: with PostgreSQL's own words, if the statement fails.
        """
        done = self._ask(sql)
        if done.returncode:
            raise StackError(f"psql: {done.stderr.strip()}")
        return done.stdout.strip()

    def stop(self) -> None:
        """Shut the server down without waiting for its clients, and remove the folder."""
        if self._process:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGINT)
            try:
                self._end()
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _reachable(self, programs: Path) -> Path:
        """Return a folder of the programs, or of a copy of them, that the server's user may enter."""
        version: list[str | Path] = [programs / "postgres", "--version"]
        try:
            subprocess.run(version, capture_output=True, check=True, **self._as_user)
        except PermissionError:
            source = movable(programs)
            copy = self._folder / "programs"
            shutil.copytree(source, copy, symlinks=True)
            return copy / programs.relative_to(source)
        return programs

    def _end(self) -> None:
        if self._process:
            self._process.wait(timeout=20)
            self._process = None

    def _ask(self, sql: str) -> subprocess.CompletedProcess[str]:
        where = ["--host=127.0.0.1", f"--port={self._port}", f"--username={_USER}", f"--dbname={_DATABASE}"]
        return subprocess.run(
            [self._programs / "psql", "--no-psqlrc", "--no-align", "--tuples-only", *where, "--command", sql],
            env={**os.environ, "PGPASSWORD": self._password},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


def _unprivileged() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")
