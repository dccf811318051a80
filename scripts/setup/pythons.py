"""Find a Python of some minor version on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path


def find_python(series: str) -> str | None:
    """Return the path of a Python, or None if the machine has none.

    A pyenv shim answers for a version that is installed but not selected with an error, so each candidate
    is asked, and pyenv's own folders are looked through as well.

    :param series: the minor version, such as ``3.13``.
    """
    candidates = [shutil.which(f"python{series}"), sys.executable, shutil.which("python3")]
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates += [str(path) for path in sorted(root.glob(f"versions/{series}.*/bin/python{series}"))]
    for candidate in filter(None, candidates):
        script = "import sys; print('%d.%d' % sys.version_info[:2])"
        done = subprocess.run([candidate, "-c", script], capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip() == series:
            return candidate
    return None
