"""Make virtual environments and fill them: with uv at the version that is pinned, else with Python's pip."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Protocol

from scripts.setup import system
from scripts.setup.commands import SetupError, run, succeeds
from scripts.setup.places import CACHE, OUTPUT, pin

__all__ = ["Installer", "bring_venv", "installer"]


class Installer(Protocol):
    """A program that makes environments, and installs from where the user has set it up to."""

    def make(self, path: Path, python: str, log: Path) -> None:
        """Make an empty environment with a Python."""

    def install(self, path: Path, log: Path, *options: str) -> None:
        """Install into an environment.

        :param options: what to install, in the options that pip and uv share.
        """

    def install_aside(self, requirement: str, folder: Path, log: Path, *options: str) -> None:
        """Install one distribution, as a wheel and without those it depends on, into a folder of its own.

        :param options: which of its wheels, in the options that pip and uv share.
        """

    def check(self, path: Path, log: Path) -> None:
        """Raise SetupError unless all that an environment holds fits together."""


class Uv:
    """uv, which needs seconds for what takes pip a minute.

    :param program: its path.
    """

    def __init__(self, program: Path) -> None:
        self._program = program

    def make(self, path: Path, python: str, log: Path) -> None:
        run([self._program, "venv", "--no-python-downloads", "--python", python, path], log)

    def install(self, path: Path, log: Path, *options: str) -> None:
        # Without bytecode, each of Airflow's first processes would compile for itself.
        self._pip(path, log, "install", "--compile-bytecode", *options)

    def install_aside(self, requirement: str, folder: Path, log: Path, *options: str) -> None:
        options = ("--no-deps", "--only-binary", ":all:", "--target", str(folder), *options)
        run([self._program, "pip", "install", "--python", sys.executable, *options, requirement], log)

    def check(self, path: Path, log: Path) -> None:
        self._pip(path, log, "check")

    def _pip(self, path: Path, log: Path, verb: str, *options: str) -> None:
        run([self._program, "pip", verb, "--python", path / "bin" / "python", *options], log)


class Pip:
    """The pip that comes with a Python."""

    def make(self, path: Path, python: str, log: Path) -> None:
        bring_venv(python, log)
        run([python, "-m", "venv", path], log)

    def install(self, path: Path, log: Path, *options: str) -> None:
        self._pip(path / "bin" / "python", log, "install", *options)

    def install_aside(self, requirement: str, folder: Path, log: Path, *options: str) -> None:
        with tempfile.TemporaryDirectory() as temporary:
            # The environment that asks may have been made by uv, and have no pip.
            self.make(Path(temporary), sys.executable, log)
            options = ("--no-deps", "--only-binary", ":all:", "--target", str(folder), *options)
            self.install(Path(temporary), log, *options, requirement)

    def check(self, path: Path, log: Path) -> None:
        self._pip(path / "bin" / "python", log, "check")

    def _pip(self, python: Path, log: Path, verb: str, *options: str) -> None:
        run([python, "-m", "pip", "--disable-pip-version-check", verb, *options], log)


def installer() -> Installer:
    """Return uv, after bringing it if need be, or pip if uv cannot be had.

    :raises SetupError: if this Python can make no environment.
    """
    requirement = pin("uv")
    folder = CACHE / requirement.replace("==", "-")
    program = folder / "bin" / "uv"
    if succeeds(program, "--version"):
        return Uv(program)
    log = OUTPUT / "install-uv.log"
    # Two that are started at once must not fill one folder.
    with tempfile.TemporaryDirectory(prefix="uv-", dir=_made(CACHE)) as temporary:
        part = Path(temporary) / "part"
        pip = Pip()
        pip.make(part, sys.executable, log)
        try:
            pip.install(part, log, requirement)
        except SetupError:
            print(f"{requirement} cannot be installed here ({log} says why): pip does it, slower", flush=True)
            return pip
        shutil.rmtree(folder, ignore_errors=True)
        try:
            part.rename(folder)
        except OSError:
            if not succeeds(program, "--version"):
                raise
    return Uv(program)


def bring_venv(python: str, log: Path) -> None:
    """Bring the modules that make an environment, which Debian keeps apart from Python.

    :raises SetupError: saying how to get them, if that fails.
    """
    check = (python, "-c", "import ensurepip, venv")
    if succeeds(*check):
        return
    reason = ""
    if system.may_install():
        print("Python's venv module is missing: installing python3-venv ...", flush=True)
        try:
            system.install("python3-venv", log)
        except SetupError as error:
            reason = f" ({str(error).splitlines()[0]})"
    if not succeeds(*check):
        raise SetupError(
            f"the venv module of {python} is missing and could not be brought{reason}; "
            "install it, on Debian and Ubuntu with `apt-get install python3-venv`"
        )


def _made(folder: Path) -> Path:
    os.makedirs(folder, exist_ok=True)
    return folder
