"""Processes on this machine that one owner starts, watches, measures and ends, down to the last child."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil


class StackError(Exception):
    """A part did not come up, or something in it went wrong."""


@dataclass(frozen=True)
class Usage:
    """What a process and all of its descendants have used.

    :ivar cpu_seconds: processor time since they started, with that of descendants that have ended.
    :ivar rss_bytes: memory resident now; pages that forked processes share count once for each of them.
    """

    cpu_seconds: float
    rss_bytes: int


class Processes:
    """Named processes with a log each.

    :param folder: the working directory of each process; it belongs to these processes alone.
    :param logs: existing folder for ``<name>.log``.
    """

    def __init__(self, folder: Path, logs: Path) -> None:
        self._folder = folder
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._leaving: set[str] = set()
        self._sessions: set[int] = set()

    def spawn(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a process; what it prints is added to its log."""
        with (self._logs / f"{name}.log").open("ab") as output:
            process = subprocess.Popen(
                command,
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running[name] = process
        self._sessions.add(process.pid)

    def finish(self, name: str, seconds: float) -> int:
        """Wait until a process ends; return its exit code.

        :raises StackError: after ``seconds``.
        """
        try:
            code = self._running[name].wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise StackError(f"the {name} had not ended after {seconds:.0f} s") from None
        del self._running[name]
        self._leaving.discard(name)
        return code

    def terminate(self, name: str) -> None:
        """Ask a process with SIGTERM to end, in its own time; :meth:`finish` waits for that."""
        self._leaving.add(name)
        self.family(name)[0].terminate()

    def ended(self) -> dict[str, int]:
        """Return the exit code of each process that has ended by itself."""
        staying = {name: process for name, process in self._running.items() if name not in self._leaving}
        codes = {name: process.poll() for name, process in staying.items()}
        return {name: code for name, code in codes.items() if code is not None}

    def family(self, name: str) -> list[psutil.Process]:
        """Return a process and its descendants, oldest generation first.

        :raises StackError: if no process of that name is running.
        """
        if name not in self._running:
            raise StackError(f"no {name} is running; running are {', '.join(self._running) or 'none'}")
        return family_of(self._running[name].pid)

    def kill(self, name: str) -> None:
        """End a process and all of its descendants with SIGKILL, and wait until they are gone."""
        kill_all(self.family(name))
        self._running.pop(name).wait(timeout=10)
        self._leaving.discard(name)

    def stop(self) -> None:
        """End every process that was started here, and what any of them has left behind."""
        members = [member for name in self._running for member in self.family(name)]
        for process in self._running.values():
            if process.poll() is None:
                process.terminate()
        _, alive = psutil.wait_procs(members, timeout=5)
        kill_all([*alive, *self._orphans()])
        for process in self._running.values():
            process.wait(timeout=10)
        self._running.clear()

    def _orphans(self) -> list[psutil.Process]:
        """Return processes whose parent is gone: they stay in the session that it was started in."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, ProcessLookupError, OSError):
                if os.getsid(process.pid) in self._sessions and Path(process.cwd()) == self._folder:
                    found.append(process)
        return found


def family_of(pid: int) -> list[psutil.Process]:
    """Return a process and its descendants; nothing, if it has ended."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def usage_of(members: Iterable[psutil.Process]) -> Usage:
    """Return what processes have used together; one that has ended in between counts nothing."""
    cpu, rss = 0.0, 0
    for member in members:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = member.cpu_times()
            cpu += times.user + times.system + times.children_user + times.children_system
            rss += member.memory_info().rss
    return Usage(cpu, rss)


def kill_all(members: Iterable[psutil.Process]) -> None:
    """End processes with SIGKILL and wait until they are gone."""
    members = list(members)
    for member in members:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.send_signal(signal.SIGKILL)
    psutil.wait_procs(members, timeout=10)


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
