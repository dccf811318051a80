"""Make a virtual environment that holds exactly what one file of constraints/ pins, and this package.

``python scripts/environment.py airflow-3.3 .venv``. It needs nothing but the standard library. An
environment that is already as it should be is left alone.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
CONSTRAINTS = REPOSITORY / "constraints"
CACHE = REPOSITORY / ".cache"


class SetupError(Exception):
    """An environment could not be made."""


def pins(row: str) -> dict[str, str]:
    """Return version by distribution name, as a constraints file pins them."""
    lines = (CONSTRAINTS / f"{row}.txt").read_text().split()
    return dict(line.split("==") for line in lines)


def make(row: str, path: Path, python: str = sys.executable) -> Path:
    """Make the environment at ``path`` unless it is there; return its Python.

    :param row: name of a constraints file.
    :param python: the Python that it is made with.
    :raises SetupError: naming the log that says why.
    """
    interpreter = path / "bin" / "python"
    stamp = path / "made-from"
    wanted = _fingerprint(row, python)
    if stamp.exists() and stamp.read_text() == wanted:
        return interpreter
    started = time.monotonic()
    print(f"making the environment {path.name} ({row}); this takes a minute or two ...", flush=True)
    shutil.rmtree(path, ignore_errors=True)
    CACHE.mkdir(exist_ok=True)
    log = CACHE / f"install{path.name}.log"
    log.unlink(missing_ok=True)
    pip = [str(interpreter), "-m", "pip", "--disable-pip-version-check"]
    requirements = str(CONSTRAINTS / f"{row}.txt")
    _run([python, "-m", "venv", str(path)], log)
    # The file is complete for the Python that it was resolved with; not having to resolve it again saves
    # a minute. What another Python needs besides comes with the second step.
    _run([*pip, "install", "--no-deps", "--requirement", requirements], log)
    package = ["--constraint", requirements, "--no-build-isolation", "--editable", f"{REPOSITORY}[emulator]"]
    _run([*pip, "install", *package], log)
    _run([*pip, "check"], log)
    stamp.write_text(wanted)
    print(f"made {path.name} in {time.monotonic() - started:.0f} s", flush=True)
    return interpreter


def _fingerprint(row: str, python: str) -> str:
    """Return a text that changes when the environment has to be made anew."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    version = subprocess.run([python, "-VV"], capture_output=True, text=True, check=True).stdout
    parts = [(CONSTRAINTS / f"{row}.txt").read_text(), repr(project), version, str(REPOSITORY)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _run(command: Sequence[str], log: Path) -> None:
    with log.open("ab") as output:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise SetupError(f"{' '.join(command[:5])} ... failed; all of its output is in {log}\n{tail}")


def main(arguments: Sequence[str]) -> int:
    """Make the environment that the command line names."""
    row, path = arguments
    try:
        make(row, REPOSITORY / path)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
