"""Find the programs that tests/stack needs besides Python: a PostgreSQL server and Chromium.

``python -m scripts.programs`` says what is missing and how to get it.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from scripts.processes import StackError

_DEBIAN_POSTGRES = Path("/usr/lib/postgresql")
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


class MissingProgramError(StackError):
    """A program is not on this machine; the message says how to get it."""


def postgres_programs() -> Path:
    """Return the folder that holds ``initdb``, ``postgres`` and ``psql``.

    Debian leaves the server's programs off the PATH, in one folder for each major version; the newest is
    taken.

    :raises MissingProgramError: if there is none.
    """
    newest_first = sorted(
        _DEBIAN_POSTGRES.glob("*/bin"), key=lambda path: [int(n) for n in re.findall(r"\d+", str(path))]
    )[::-1]
    on_path = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    for folder in (*newest_first, *on_path):
        if all((folder / name).exists() for name in ("initdb", "postgres", "psql")):
            return folder
    raise MissingProgramError(
        f"PostgreSQL's server programs (initdb, postgres, psql) are neither on the PATH nor in "
        f"{_DEBIAN_POSTGRES}; install them with `apt-get install postgresql`"
    )


def chromium() -> Path:
    """Return the path of the browser.

    :raises MissingProgramError: if there is none.
    """
    for name in _CHROMIUM:
        if found := shutil.which(name):
            return Path(found)
    raise MissingProgramError(
        f"none of {', '.join(_CHROMIUM)} is on the PATH; install one with `apt-get install chromium`"
    )


def main() -> int:
    """Say what is missing; return how many of the programs that is."""
    missing = 0
    for find in (postgres_programs, chromium):
        try:
            find()
        except MissingProgramError as error:
            missing += 1
            print(f"tests/stack will fail: {error}", file=sys.stderr)
    return missing


if __name__ == "__main__":
    sys.exit(main())
