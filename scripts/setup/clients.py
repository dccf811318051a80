"""Bring the public clients that the emulator is tried with, each into an environment of its own.

``constraints/clients/`` pins those of Python whole, and the version of the one of JavaScript. They are kept
in ``clients`` of the cache.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

from scripts.setup import environments
from scripts.setup.commands import SetupError, run, succeeds
from scripts.setup.places import CACHE, CONSTRAINTS, OUTPUT, pins

DISTRIBUTIONS = {
    "aws-cli": "awscli",
    "aws-healthomics-tools": "aws-healthomics-tools",
    "miniwdl-omics-run": "miniwdl-omics-run",
    "mcp-server": "awslabs-aws-healthomics-mcp-server",
    "javascript": "@aws-sdk/client-omics",
}
"""What each client is called where packages are published, by its name here."""

_NPM = {"javascript"}


def version(name: str) -> str:
    """Return the version of a client that is pinned.

    :param name: one of :data:`DISTRIBUTIONS`.
    """
    if name in _NPM:
        return str(json.loads(_package(name).read_text())["dependencies"][DISTRIBUTIONS[name]])
    return pins(f"clients/{name}")[DISTRIBUTIONS[name]]


def bring(name: str) -> Path:
    """Bring a client unless it is there; return the folder of its environment.

    A client of Python has its programs in ``bin`` of it, one of JavaScript its packages in ``node_modules``.

    :param name: one of :data:`DISTRIBUTIONS`.
    :raises SetupError: saying what is missing, or naming the log that says why it could not be brought.
    """
    if name in _NPM:
        return _node_modules(name)
    return environments.make_apart(f"clients/{name}", DISTRIBUTIONS[name])


def find(name: str) -> Path | None:
    """Return the folder of a client of Python that :func:`bring` has brought; None if it has not."""
    return environments.find_apart(f"clients/{name}", DISTRIBUTIONS[name])


def _node_modules(name: str) -> Path:
    missing = [program for program in ("node", "npm") if not succeeds(program, "--version")]
    if missing:
        raise SetupError(
            f"{' and '.join(missing)} cannot be run here, and {DISTRIBUTIONS[name]} needs Node.js 20 or "
            "later with npm; install them, on Debian and Ubuntu with `apt-get install nodejs npm`"
        )
    package = _package(name)
    kept = CACHE / "clients" / f"{name}-{hashlib.sha256(package.read_bytes()).hexdigest()[:16]}"
    if kept.exists():
        return kept
    print(f"installing what {package.relative_to(CONSTRAINTS.parent)} pins, once ...", flush=True)
    log = OUTPUT / f"install-clients-{name}.log"
    log.unlink(missing_ok=True)
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=kept.parent) as temporary:
        part = Path(temporary) / "part"
        part.mkdir()
        shutil.copy(package, part)
        quiet = ("--no-package-lock", "--no-audit", "--no-fund")
        run(["npm", "install", *quiet, "--prefix", part], log)
        try:
            part.rename(kept)
        except OSError:
            # Somebody else was quicker.
            if not kept.exists():
                raise
    return kept


def _package(name: str) -> Path:
    return CONSTRAINTS / "clients" / name / "package.json"
