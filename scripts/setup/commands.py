"""Run a program whose output goes to a log, and say why if it fails."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class SetupError(Exception):
    """Something that is needed could not be brought; the message says what, and why."""


def run(command: Sequence[str | Path], log: Path, settings: Mapping[str, str] | None = None) -> None:
    """Run a program to its end.

    :param log: file that its output is added to.
    :param settings: environment variables besides those of this process.
    :raises SetupError: with the end of the output, if it fails or is not there.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        try:
            done = subprocess.run(
                command,
                env={**os.environ, **(settings or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        except OSError as error:
            raise SetupError(f"{command[0]} could not be started: {error.strerror}") from None
    if done.returncode:
        lines = log.read_text(errors="replace").splitlines()[-15:]
        name = " ".join([Path(command[0]).name, *map(str, command[1:4])])
        raise SetupError("\n".join([f"`{name} ...` failed, see {log}", *lines]))


def succeeds(*command: str | Path) -> bool:
    """Return whether a program is there, runs, and ends without an error."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0
