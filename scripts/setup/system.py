"""Packages of the operating system, for a user who may install them without being asked for a password."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from scripts.setup.commands import SetupError, run, succeeds

_QUIET = {"DEBIAN_FRONTEND": "noninteractive"}


def install(package: str, log: Path) -> None:
    """Install one package of Debian or Ubuntu.

    :raises SetupError: if the system has no ``apt-get``, the user may not, or it fails.
    """
    if shutil.which("apt-get") is None:
        raise SetupError("this system has no apt-get")
    run([*_rights(), "apt-get", "update", "-qq"], log, _QUIET)
    run([*_rights(), "apt-get", "install", "-y", "-qq", "--no-install-recommends", package], log, _QUIET)


def may_install() -> bool:
    """Return whether the user is root, or becomes root by ``sudo`` without a password."""
    return os.geteuid() == 0 or succeeds("sudo", "-n", "true")


def _rights() -> list[str]:
    if not may_install():
        raise SetupError("apt-get needs root, or sudo without a password")
    return [] if os.geteuid() == 0 else ["sudo", "-n", "--preserve-env=DEBIAN_FRONTEND"]
