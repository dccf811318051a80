"""Make a virtual environment that holds exactly what one file of constraints/ pins, mostly with this package.

What is pinned is installed once for each set of pins and kept, by their hash, in the cache. A checkout's own
environment is a copy of that by hard links, which takes two seconds, with the checkout's package added.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.setup.commands import SetupError
from scripts.setup.installer import Installer, installer
from scripts.setup.places import CACHE, CONSTRAINTS, OUTPUT, REPOSITORY

# Part of each hash; another number when environments are made in another way.
_RECIPE = "1"


def make(row: str, path: Path, python: str = sys.executable) -> Path:
    """Make this checkout's environment at ``path`` unless it is there; return its Python.

    :param row: name of a file of ``constraints/``.
    :param python: the Python that it is made with.
    :raises SetupError: naming the log that says why.
    """
    interpreter = _interpreter(path)
    stamp = path / "made-from"
    pinned = _hash_of_pins(row, python)
    wanted = _hash(pinned, repr(_project()), str(REPOSITORY))
    if stamp.exists() and stamp.read_text() == wanted:
        return interpreter
    started = time.monotonic()
    log = OUTPUT / f"install{path.name}.log"
    log.unlink(missing_ok=True)
    tool = installer()
    kept = _keep(tool, row, pinned, python, log)
    shutil.rmtree(path, ignore_errors=True)
    _copy(kept, path)
    package = f"{REPOSITORY}[emulator]"
    tool.install(path, log, "--no-deps", "--no-build-isolation", "--editable", package)
    tool.check(path, log)
    stamp.write_text(wanted)
    print(f"made {path.name} ({row}) in {time.monotonic() - started:.0f} s", flush=True)
    return interpreter


def make_apart(name: str, distribution: str) -> Path:
    """Make an environment without this package, in the cache, unless it is there; return its folder.

    Any Python may be in it: what is installed there is run as a program of its own.

    :param name: path of a file in ``constraints/``, without ``.txt``, and of what is kept in the cache.
    :param distribution: what the file pins, with all that it depends on.
    :raises SetupError: naming the log that says why.
    """
    if (there := find_apart(name, distribution)) is not None:
        return there
    pinned = _hash_of_requirements(name, distribution)
    log = OUTPUT / f"install-{name.replace('/', '-')}.log"
    log.unlink(missing_ok=True)
    return _keep(installer(), name, pinned, sys.executable, log, [distribution])


def find_apart(name: str, distribution: str) -> Path | None:
    """Return the folder of what :func:`make_apart` made; None if it is not there, or cannot run."""
    kept = _kept_at(name, _hash_of_requirements(name, distribution))
    return kept if _is_whole(kept) else None


def _keep(
    tool: Installer, row: str, pinned: str, python: str, log: Path, wanted: Sequence[str] | None = None
) -> Path:
    """Install what is pinned unless the cache has it; return the folder.

    :param wanted: what the pins are for; what this package depends on, if left out.
    """
    kept = _kept_at(row, pinned)
    with _alone(kept):
        if not _is_whole(kept):
            print(f"installing what {row} pins, once; this takes half a minute or so ...", flush=True)
            shutil.rmtree(kept, ignore_errors=True)
            tool.make(kept, python, log)
            requirements = str(CONSTRAINTS / f"{row}.txt")
            # The file is complete for the Python that it was resolved with. What another Python needs
            # besides comes with the second step.
            tool.install(kept, log, "--no-deps", "--requirement", requirements)
            tool.install(
                kept, log, "--constraint", requirements, *(_dependencies() if wanted is None else wanted)
            )
            (kept / "complete").write_text(str(kept))
    return kept


def _is_whole(kept: Path) -> bool:
    """Return whether an environment was made to its end, here, with a Python that is still there."""
    stamp = kept / "complete"
    # Its programs name the folder that it was made in. Once that was not written down.
    return stamp.exists() and stamp.read_text() in ("", str(kept)) and _interpreter(kept).exists()


def _kept_at(row: str, pinned: str) -> Path:
    """Return where an environment is kept; those in folders of ``constraints/`` in a folder of that name."""
    # Not by way of a link, which one checkout may have and another not.
    folder = CACHE.resolve()
    return (folder if "/" in row else folder / "environments") / f"{row}-{pinned[:16]}"


@contextlib.contextmanager
def _alone(kept: Path) -> Iterator[None]:
    """Let no other process make the same folder meanwhile."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    with kept.with_name(f"{kept.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _copy(source: Path, target: Path) -> None:
    """Copy an environment: files by hard links, and those that name its folder with the new name in them."""
    for folder, folders, files in os.walk(source):
        there = target / Path(folder).relative_to(source)
        there.mkdir(parents=True)
        for name in [*files, *(name for name in folders if Path(folder, name).is_symlink())]:
            original, copy = Path(folder, name), there / name
            if original.is_symlink():
                copy.symlink_to(original.readlink())
            elif there == target / "bin" and os.fsencode(source) in (content := original.read_bytes()):
                copy.write_bytes(content.replace(os.fsencode(source), os.fsencode(target)))
                copy.chmod(original.stat().st_mode)
            else:
                _link(original, copy)


def _link(original: Path, copy: Path) -> None:
    try:
        copy.hardlink_to(original)
    except OSError:  # Another disk, or a file system without hard links.
        shutil.copy2(original, copy)


def _interpreter(environment: Path) -> Path:
    return environment / "bin" / "python"


def _hash_of_requirements(name: str, distribution: str) -> str:
    return _hash(_RECIPE, (CONSTRAINTS / f"{name}.txt").read_text(), distribution)


def _hash_of_pins(row: str, python: str) -> str:
    """Return a text that is another one when what is pinned has to be installed again."""
    script = "import os, sys; print(sys.version, os.path.realpath(sys.executable))"
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SetupError(f"{python} does not work: {done.stderr.strip()}")
    return _hash(_RECIPE, (CONSTRAINTS / f"{row}.txt").read_text(), repr(_dependencies()), done.stdout)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _project() -> dict[str, object]:
    project: dict[str, object] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    return project


def _dependencies() -> list[str]:
    """Return what this package depends on, with its emulator."""
    project: dict = _project()  # type: ignore[type-arg]
    return [*project["dependencies"], *project["optional-dependencies"]["emulator"]]
