"""Fetch the schema of provider metadata of every supported Airflow, for tests/unit/test_provider_info.py.

The schema is a file of Airflow's own wheel; it is taken from there into ``.cache/schemas`` and not kept in
this repository.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from environment import CACHE, CONSTRAINTS, pins

SCHEMAS = CACHE / "schemas"
_MEMBER = "airflow/provider_info.schema.json"


def wheels() -> list[tuple[str, str]]:
    """Return the distribution that holds the schema, and its version, for each supported Airflow."""
    found = set()
    for path in CONSTRAINTS.glob("*.txt"):
        pinned = pins(path.stem)
        name = "apache-airflow-core" if "apache-airflow-core" in pinned else "apache-airflow"
        found.add((name, pinned[name]))
    return sorted(found, key=lambda item: item[1])


def fetch(name: str, version: str, into: Path) -> None:
    """Download one wheel and take its schema out."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--no-deps", "--only-binary", ":all:", "--dest", folder, "--quiet"]
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", *options, f"{name}=={version}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"could not download {name} {version}:\n{done.stderr[-2000:]}")
        [wheel] = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            into.write_bytes(archive.read(_MEMBER))


def main() -> None:
    """Fetch those schemas that are not there."""
    SCHEMAS.mkdir(parents=True, exist_ok=True)
    for name, version in wheels():
        path = SCHEMAS / f"{version}.json"
        if not path.exists():
            print(f"fetching the provider metadata schema of Airflow {version} ...", flush=True)
            fetch(name, version, path)


if __name__ == "__main__":
    main()
